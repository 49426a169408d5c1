"use strict";
(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const groupDigits = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const formatNumber = (number) => {
    const size = Math.abs(number);
    if (size >= 1e7 || (size && size < 1e-3)) return number.toExponential(2).replace(/\.?0*e\+?/, "e");
    return size < 1000 ? `${+number.toPrecision(4)}` : groupDigits(number);
  };
  // Like numerals.percent in Python: rounded down; whole percentages have no decimals.
  const roundDown = (share) => `${(Math.floor(1e5 * share + 1e-6) / 1e3).toFixed(3).replace(".000", "")}\u00a0%`;
  const percent = (share) => share > 0 && share < 1e-5 ? "<\u00a00.001\u00a0%" : roundDown(share);
  // A softmax probability is never 0; it is 0 in the data only because it was rounded.
  const formatProbability = (probability) => percent(Math.max(probability, 1e-9));
  const append = (tag, parent, text) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const redraws = []; // called when the colours change

  // --- Contents -----------------------------------------------------------------------------------------------------

  const contents = document.querySelector("nav");
  for (const section of document.querySelectorAll("main > section[id]")) {
    append("a", contents, section.querySelector("h2").textContent).href = `#${section.id}`;
  }

  // --- Theme --------------------------------------------------------------------------------------------------------

  const themes = ["system", "light", "dark"];
  const root = document.documentElement;
  const themeButton = document.querySelector(".theme");
  const currentTheme = () => root.dataset.theme ?? "system";
  const showTheme = () => { themeButton.querySelector("span").textContent = currentTheme(); };
  themeButton.hidden = false;
  showTheme();
  themeButton.addEventListener("click", () => {
    const next = themes[(themes.indexOf(currentTheme()) + 1) % themes.length];
    if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
    try { localStorage.setItem("fooldeap-theme", next); } catch { /* the browser has no storage for local files */ }
    showTheme();
    redraws.forEach((draw) => draw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraws.forEach((draw) => draw()));

  // --- Films --------------------------------------------------------------------------------------------------------

  const FRAME_MS = 260;

  const loadImage = (source) => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.src = source;
  });

  async function setUpPlayer(box) {
    const films = JSON.parse(box.querySelector("script").textContent);
    const sheets = await Promise.all(films.map((film) => loadImage(film.frames)));
    const screen = box.querySelector(".screen"), rows = box.querySelector(".bars tbody");
    const slider = box.querySelector("[type=range]"), output = box.querySelector("output");
    const play = box.querySelector(".play"), radios = [...box.querySelectorAll("[type=radio]")];
    let chosen = 0, timer = 0, bars = [];

    const paint = (canvas, index, frame) => {
      const [width, height] = films[index].size;
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      canvas.getContext("2d").drawImage(sheets[index], 0, frame * height, width, height, 0, 0, width, height);
    };
    const show = () => {
      const film = films[chosen], frame = +slider.value;
      const probabilities = film.probabilities[frame], confidence = formatProbability(probabilities[film.target]);
      paint(screen, chosen, frame);
      bars.forEach(([bar, label], index) => {
        bar.style.width = `${100 * probabilities[index]}%`;
        label.textContent = formatProbability(probabilities[index]);
      });
      const evaluations = groupDigits(film.evaluations[frame]);
      const position = `generation ${groupDigits(film.generations[frame])}, ${evaluations} evaluations`;
      const target = film.classes[film.target], seen = film.seen[frame];
      output.textContent = `${position}: seen as ${seen}${seen === target ? "," : `; ${target} at`} ${confidence}`;
      screen.setAttribute("aria-label", `Best image for ${film.title} at ${position}`);
      slider.setAttribute("aria-valuetext", output.textContent);
      // Each small picture shows the frame after the same number of evaluations; at the end, its last frame.
      films.forEach((other, index) => {
        const past = other.evaluations.filter((each) => each <= film.evaluations[frame]).length;
        const count = slider.value === slider.max ? other.evaluations.length : Math.max(1, past);
        paint(radios[index].parentElement.querySelector("canvas"), index, count - 1);
      });
    };
    const choose = (index) => {
      const film = films[chosen = index];
      rows.replaceChildren();
      bars = film.classes.map((name, index) => {
        const row = append("tr", rows);
        row.className = index === film.target ? "target" : "";
        append("th", row, name).scope = "row";
        return [append("i", append("td", row)), append("td", row)];
      });
      slider.max = film.generations.length - 1;
      slider.value = slider.max;
      show();
    };
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    const start = () => {
      if (slider.value === slider.max) slider.value = 0;
      show();
      play.textContent = "Pause";
      timer = setInterval(() => {
        slider.value = +slider.value + 1;
        show();
        if (slider.value === slider.max) stop();
      }, FRAME_MS);
    };
    play.addEventListener("click", () => (timer ? stop() : start()));
    slider.addEventListener("input", () => { stop(); show(); });
    radios.forEach((radio, index) => radio.addEventListener("change", () => { stop(); choose(index); }));
    box.hidden = false;
    choose(Math.max(0, radios.findIndex((radio) => radio.checked)));
  }

  // --- Catalogues ---------------------------------------------------------------------------------------------------

  const PAGE_SIZE = 60;
  const byName = new Intl.Collator("en", { numeric: true });
  const orders = {
    number: () => 0, // the order of the data
    name: (one, other) => byName.compare(one.name, other.name),
    highest: (one, other) => other.confidence - one.confidence,
    lowest: (one, other) => one.confidence - other.confidence,
    cost: (one, other) => (one.cost ?? Infinity) - (other.cost ?? Infinity) || 0,
  };

  function setUpCatalogue(box) {
    const entries = JSON.parse(box.querySelector("script").textContent);
    entries.sort((one, other) => one.number - other.number);
    const search = box.querySelector("[type=search]"), order = box.querySelector("select");
    const list = box.querySelector(".thumbs"), pagers = [...box.querySelectorAll(".pager")];
    let found = [], page = 0;

    const matches = (entry, words) => words.every((word) =>
      word === String(entry.number) || entry.name.toLowerCase().includes(word));
    const addEntry = (entry) => {
      const item = append("li", list);
      item.className = entry.good === null ? "" : entry.good ? "good" : "missed";
      const title = entry.name ? `${entry.number}: ${entry.name}` : String(entry.number);
      const link = append(entry.file ? "a" : "span", item);
      if (entry.file) link.href = entry.file;
      const image = append("img", link);
      image.src = entry.image;
      image.alt = `Image for target ${title}, ${entry.certain}`;
      image.className = entry.image.startsWith("data:image/jpeg") ? "reduced" : "";
      append("b", item, title);
      append("div", item, entry.certain).className = "prediction";
      for (const line of [entry.seen && `seen as ${entry.seen}`, ...entry.lines]) if (line) append("div", item, line);
    };
    const show = (index) => {
      const last = Math.max(0, Math.ceil(found.length / PAGE_SIZE) - 1);
      page = Math.min(Math.max(0, index), last);
      list.replaceChildren();
      found.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE).forEach(addEntry);
      const images = `${groupDigits(found.length)} image${found.length === 1 ? "" : "s"}`;
      for (const pager of pagers) {
        pager.querySelector("output").textContent = last ? `${images}, page ${page + 1} of ${last + 1}` : images;
        pager.querySelector(".back").disabled = page === 0;
        pager.querySelector(".next").disabled = page === last;
      }
    };
    const find = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      found = entries.filter((entry) => matches(entry, words)).sort(orders[order.value]);
      show(0);
    };
    search.addEventListener("input", find);
    order.addEventListener("change", find);
    pagers.forEach((pager, at) => {
      for (const [name, step] of [["back", -1], ["next", 1]]) {
        pager.querySelector(`.${name}`).addEventListener("click", () => {
          show(page + step);
          if (at) box.scrollIntoView(); // the lower one: continue at the top of the new page
        });
      }
    });
    box.hidden = false;
    find();
  }

  // --- Curves -------------------------------------------------------------------------------------------------------

  const COLOURS = 10;
  const colour = (index) => style(`--line-${index % COLOURS}`);
  const positive = (value) => value > 0 ? value : null;

  // The value of a line at each x: that of its last point up to there; null before its start and after its end.
  const valuesAt = (line, positions) => {
    const end = line.x.at(-1);
    let next = 0;
    return positions.map((position) => {
      while (next < line.x.length && line.x[next] <= position) next += 1;
      return next && position <= end ? line.y[next - 1] : null;
    });
  };

  function setUpChart(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const box = figure.querySelector(".plot"), positionLabel = figure.querySelector(".place");
    const legend = figure.querySelector(".legend"), switches = [...figure.querySelectorAll("[data-axis]")];
    const x = [...new Set(data.lines.flatMap((line) => line.x))].sort((one, other) => one - other);
    const columns = data.lines.map((line) => valuesAt(line, x));
    const hidden = data.lines.map(() => false), formatValue = data.percent ? percent : formatNumber;
    const log = { x: data.log_x && x[0] > 0, y: data.log_y };
    const formatTicks = (format) => (_, values) => values.map((each) => each === null ? "" : format(each));
    let plot = null, index = null;

    const keys = data.lines.map((line, at) => {
      const key = append("button", legend);
      key.type = "button";
      key.setAttribute("aria-pressed", "true");
      const swatch = append("i", key);
      append("span", key, line.label);
      key.addEventListener("click", () => {
        hidden[at] = !hidden[at];
        key.setAttribute("aria-pressed", String(!hidden[at]));
        plot.setSeries(at + 1, { show: !hidden[at] });
      });
      return [swatch, append("b", key)];
    });
    const showValues = (at) => {
      index = at;
      positionLabel.textContent = `${data.x_label}: ${at === null ? "at the end of each curve" : groupDigits(x[at])}`;
      keys.forEach(([, label], line) => {
        const value = at === null ? data.lines[line].y.at(-1) : columns[line][at];
        label.textContent = value === null ? "" : formatValue(value);
      });
    };
    const drawGoal = (chart) => {
      if (data.goal === null) return;
      const { ctx, bbox } = chart, height = chart.valToPos(data.goal, "y", true);
      if (!(height >= bbox.top && height <= bbox.top + bbox.height)) return;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = style("--muted");
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, height);
      ctx.lineTo(bbox.left + bbox.width, height);
      ctx.stroke();
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = "left";
      ctx.fillText(data.goal_label, bbox.left + 6, height + 14 * devicePixelRatio);
      ctx.restore();
    };
    const axis = (format, size) => ({
      stroke: () => style("--muted"), grid: { stroke: () => style("--grid"), width: 1 }, ticks: { show: false },
      font: "12px system-ui, sans-serif", values: formatTicks(format), size,
    });
    const draw = () => {
      plot?.destroy();
      keys.forEach(([swatch], line) => { swatch.style.background = colour(line); });
      const fixed = !log.y && data.low !== null && data.high !== null;
      plot = new uPlot({
        width: Math.max(200, box.clientWidth), height: 250,
        legend: { show: false }, cursor: { y: false, points: { size: 7 } }, padding: [12, 26, 0, 0],
        scales: {
          x: { time: false, distr: log.x ? 3 : 1 },
          y: { distr: log.y ? 3 : 1, ...(fixed ? { range: [data.low, data.high] } : {}) },
        },
        axes: [
          axis(groupDigits, 34), axis(data.percent ? (share) => `${+(100 * share).toPrecision(3)} %` : formatNumber, 62),
        ],
        series: [{}, ...data.lines.map((line, at) => ({
          label: line.label, show: !hidden[at], stroke: () => colour(at), width: 1.6, points: { show: false },
          dash: at < COLOURS ? undefined : [6, 3], paths: uPlot.paths.stepped({ align: 1 }),
        }))],
        hooks: { setCursor: [(chart) => showValues(chart.cursor.idx ?? null)], draw: [drawGoal] },
      }, [x, ...(log.y ? columns.map((column) => column.map(positive)) : columns)], box);
      plot.ctx.canvas.ariaHidden = "true"; // the box around it has the text alternative
      showValues(null);
    };
    switches.forEach((button) => button.addEventListener("click", () => {
      const name = button.dataset.axis;
      log[name] = !log[name] && (name === "y" || x[0] > 0);
      button.setAttribute("aria-pressed", String(log[name]));
      draw();
    }));
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    box.addEventListener("keydown", (event) => {
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = Math.min(x.length - 1, Math.max(0, (index ?? x.length) + steps[event.key]));
      plot.setCursor({ left: plot.valToPos(x[next], "x"), top: 0 });
      showValues(next);
    });
    new ResizeObserver(() => {
      const width = Math.max(200, box.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height: 250 });
    }).observe(box);
    redraws.push(draw);
    draw();
  }

  document.querySelectorAll(".catalogue").forEach(setUpCatalogue);
  document.querySelectorAll(".player").forEach(setUpPlayer);
  document.querySelectorAll(".chart").forEach(setUpChart);
})();
