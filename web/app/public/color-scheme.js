// Before the first paint, so that a dark page does not flash in light. A file of its own, because the
// content security policy allows no inline script.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("lastseen-color-scheme");
  } catch {
    // Storage can be forbidden; then the system's choice holds.
  }
  var dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
