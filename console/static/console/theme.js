"use strict";
// Dark or light theme: the choice in this browser, else that of the account, else the system's. Runs before the page is painted.
// The admin stores its choice under the same key, so one choice applies to both; its "auto" counts as no choice.
(function () {
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function show() {
    var chosen = localStorage.getItem("theme");
    if (chosen !== "dark" && chosen !== "light") chosen = root.dataset.theme;
    var system = dark.matches ? "dark" : "light";
    root.setAttribute("data-bs-theme", chosen === "dark" || chosen === "light" ? chosen : system);
  }
  show();
  dark.addEventListener("change", show);
  document.addEventListener("click", function (event) {
    if (event.target.closest("#theme")) {
      localStorage.setItem("theme", root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark");
      show();
    }
  });
})();
