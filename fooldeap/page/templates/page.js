"use strict";
(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const grouped = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const figure = (number) => {
    const size = Math.abs(number);
    if (size >= 1e7 || (size && size < 1e-3)) return number.toExponential(2).replace(/\.?0*e\+?/, "e");
    return size < 1000 ? `${+number.toPrecision(4)}` : grouped(number);
  };
  // As numerals.percent: rounded down, and round shares have no decimals.
  const rounded = (share) => `${(Math.floor(1e5 * share + 1e-6) / 1e3).toFixed(3).replace(".000", "")}\u00a0%`;
  const percent = (share) => share > 0 && share < 1e-5 ? "<\u00a00.001\u00a0%" : rounded(share);
  // Of a softmax, which is never 0, though it may be when it was rounded.
  const certainty = (probability) => percent(Math.max(probability, 1e-9));
  const made = (tag, inside, text) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    inside.append(element);
    return element;
  };
  const redrawn = [];

  // --- Contents -----------------------------------------------------------------------------------------------------

  const contents = document.querySelector("nav");
  for (const section of document.querySelectorAll("main > section[id]")) {
    made("a", contents, section.querySelector("h2").textContent).href = `#${section.id}`;
  }

  // --- Theme --------------------------------------------------------------------------------------------------------

  const themes = { system: "as the system", light: "light", dark: "dark" };
  const root = document.documentElement;
  const theme = document.querySelector(".theme");
  const named = () => root.dataset.theme ?? "system";
  const say = () => { theme.querySelector("span").textContent = themes[named()]; };
  theme.hidden = false;
  say();
  theme.addEventListener("click", () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(named()) + 1) % names.length];
    if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
    try { localStorage.setItem("fooldeap-theme", next); } catch { /* a browser that keeps nothing for files */ }
    say();
    redrawn.forEach((draw) => draw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawn.forEach((draw) => draw()));

  // --- Films --------------------------------------------------------------------------------------------------------

  const FRAME = 260; // milliseconds

  const loaded = (source) => new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = source;
  });

  async function player(place) {
    const films = JSON.parse(place.querySelector("script").textContent);
    const sheets = await Promise.all(films.map((film) => loaded(film.frames)));
    const screen = place.querySelector(".screen"), rows = place.querySelector(".bars tbody");
    const slider = place.querySelector("[type=range]"), output = place.querySelector("output");
    const play = place.querySelector(".play"), radios = [...place.querySelectorAll("[type=radio]")];
    let chosen = 0, timer = 0, bars = [];

    const paint = (canvas, index, frame) => {
      const [width, height] = films[index].size;
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      canvas.getContext("2d").drawImage(sheets[index], 0, frame * height, width, height, 0, 0, width, height);
    };
    const show = () => {
      const film = films[chosen], frame = +slider.value;
      const probabilities = film.probabilities[frame], certain = certainty(probabilities[film.target]);
      paint(screen, chosen, frame);
      bars.forEach(([bar, words], index) => {
        bar.style.width = `${100 * probabilities[index]}%`;
        words.textContent = certainty(probabilities[index]);
      });
      const where = `generation ${grouped(film.generations[frame])}, ${grouped(film.evaluations[frame])} images shown`;
      const target = film.classes[film.target], seen = film.seen[frame];
      output.textContent = `${where}: seen as ${seen}${seen === target ? "," : `; ${target} at`} ${certain}`;
      screen.setAttribute("aria-label", `Best image for ${film.title} at ${where}`);
      slider.setAttribute("aria-valuetext", output.textContent);
      // The others show what they had after as many images, so that all evolve side by side, and in the end their ends.
      films.forEach((other, index) => {
        const past = other.evaluations.filter((each) => each <= film.evaluations[frame]).length;
        const over = slider.value === slider.max ? other.evaluations.length : Math.max(1, past);
        paint(radios[index].parentElement.querySelector("canvas"), index, over - 1);
      });
    };
    const choose = (index) => {
      const film = films[chosen = index];
      rows.replaceChildren();
      bars = film.classes.map((name, place) => {
        const row = made("tr", rows);
        row.className = place === film.target ? "target" : "";
        made("th", row, name).scope = "row";
        return [made("i", made("td", row)), made("td", row)];
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
      }, FRAME);
    };
    play.addEventListener("click", () => (timer ? stop() : start()));
    slider.addEventListener("input", () => { stop(); show(); });
    radios.forEach((radio, index) => radio.addEventListener("change", () => { stop(); choose(index); }));
    place.hidden = false;
    choose(Math.max(0, radios.findIndex((radio) => radio.checked)));
  }

  // --- Curves -------------------------------------------------------------------------------------------------------

  const COLOURS = 10;
  const colour = (index) => style(`--line-${index % COLOURS}`);
  const positive = (value) => value > 0 ? value : null;

  // The value that a line has at each place: that of its last point until there; none beyond its end.
  const filled = (line, places) => {
    const end = line.x.at(-1);
    let next = 0;
    return places.map((place) => {
      while (next < line.x.length && line.x[next] <= place) next += 1;
      return next && place <= end ? line.y[next - 1] : null;
    });
  };

  function chart(place) {
    const data = JSON.parse(place.querySelector("script").textContent);
    const box = place.querySelector(".plot"), where = place.querySelector(".place");
    const legend = place.querySelector(".legend"), switches = [...place.querySelectorAll("[data-axis]")];
    const x = [...new Set(data.lines.flatMap((line) => line.x))].sort((one, other) => one - other);
    const columns = data.lines.map((line) => filled(line, x));
    const hidden = data.lines.map(() => false), value = data.percent ? percent : figure;
    const log = { x: data.log_x && x[0] > 0, y: data.log_y };
    const tick = (words) => (_, values) => values.map((each) => each === null ? "" : words(each));
    let plot = null, index = null;

    const keys = data.lines.map((line, at) => {
      const key = made("button", legend);
      key.type = "button";
      key.setAttribute("aria-pressed", "true");
      const swatch = made("i", key);
      made("span", key, line.label);
      key.addEventListener("click", () => {
        hidden[at] = !hidden[at];
        key.setAttribute("aria-pressed", String(!hidden[at]));
        plot.setSeries(at + 1, { show: !hidden[at] });
      });
      return [swatch, made("b", key)];
    });
    const read = (at) => {
      index = at;
      where.textContent = `${data.x_label}: ${at === null ? "at the end of each" : grouped(x[at])}`;
      keys.forEach(([, words], line) => {
        const known = at === null ? data.lines[line].y.at(-1) : columns[line][at];
        words.textContent = known === null ? "" : value(known);
      });
    };
    const goal = (drawn) => {
      if (data.goal === null) return;
      const { ctx, bbox } = drawn, height = drawn.valToPos(data.goal, "y", true);
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
    const axis = (words, size) => ({
      stroke: () => style("--muted"), grid: { stroke: () => style("--grid"), width: 1 }, ticks: { show: false },
      font: "12px system-ui, sans-serif", values: tick(words), size,
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
        axes: [axis(grouped, 34), axis(data.percent ? (share) => `${+(100 * share).toPrecision(3)} %` : figure, 62)],
        series: [{}, ...data.lines.map((line, at) => ({
          label: line.label, show: !hidden[at], stroke: () => colour(at), width: 1.6, points: { show: false },
          dash: at < COLOURS ? undefined : [6, 3], paths: uPlot.paths.stepped({ align: 1 }),
        }))],
        hooks: { setCursor: [(drawn) => read(drawn.cursor.idx ?? null)], draw: [goal] },
      }, [x, ...(log.y ? columns.map((column) => column.map(positive)) : columns)], box);
      plot.ctx.canvas.ariaHidden = "true"; // its box has the words
      read(null);
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
      read(next);
    });
    new ResizeObserver(() => {
      const width = Math.max(200, box.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height: 250 });
    }).observe(box);
    redrawn.push(draw);
    draw();
  }

  document.querySelectorAll(".player").forEach(player);
  document.querySelectorAll(".chart").forEach(chart);
})();
