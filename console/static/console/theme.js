"use strict";
// Dark or light: what the person chose, else what the system says. Runs before the page is painted.
(function () {
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function show() {
    root.setAttribute("data-bs-theme", localStorage.getItem("theme") || (dark.matches ? "dark" : "light"));
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
