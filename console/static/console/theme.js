"use strict";
// Dark or light: what the person chose, else what the system says. Runs before the page is painted.
// The admin keeps its own choice under the same name, so one holds for both; its "auto" is no choice.
(function () {
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function show() {
    var chosen = localStorage.getItem("theme");
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
