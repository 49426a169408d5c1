(() => {
  let theme = null;
  try { theme = localStorage.getItem("fooldeap-theme"); } catch { /* the browser has no storage for local files */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
