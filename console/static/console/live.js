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
})();
