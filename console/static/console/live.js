"use strict";
// Refreshing a part of the page must not discard what the user is entering there, nor close details that are open.
(function () {
  function isWritten(field) {
    if (field.type === "hidden") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
    var options = Array.from(field.options);
    var chosen = Math.max(options.findIndex(function (option) { return option.defaultSelected; }), 0);
    return field.selectedIndex !== chosen;
  }
  function isInUse(part) {
    var fields = Array.from(part.querySelectorAll("input, textarea, select"));
    return fields.some(function (field) { return field === document.activeElement || isWritten(field); });
  }
  document.addEventListener("htmx:oobBeforeSwap", function (event) {
    var part = event.detail.target;
    if (isInUse(part)) {
      event.detail.shouldSwap = false;
      return;
    }
    var before = part.querySelectorAll("details");
    var after = event.detail.fragment.querySelectorAll("details");
    if (before.length !== after.length) return;
    before.forEach(function (each, index) { after[index].open = each.open; });
  });
  // A session has ended: what is on the page stays, and a line says how to go on.
  document.addEventListener("logged-out", function () {
    var said = document.getElementById("logged-out");
    if (said) said.hidden = false;
  });
  // After earlier lines have taken the place of the link to them, reading goes on with the first of them.
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (!event.detail.target.classList.contains("hub-earlier")) return;
    document.getElementById("earlier").addEventListener("htmx:load", function (loaded) {
      var line = loaded.target.querySelector(".hub-line");
      if (line) { line.tabIndex = -1; line.focus(); }
    }, { once: true });
  });
})();
