"use strict";
// Keyboard shortcuts: an element with data-key is pressed, opened or focused by its key; rows of a list by j, k and x.
// No key acts in a field, with a modifier, or if the reader has switched shortcuts off.
(function () {
  var isOff = document.documentElement.dataset.keys === "off";
  function isWriting(element) {
    return element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)) &&
      !/^(checkbox|radio|button|submit)$/.test(element.type);
  }
  function rows() { return Array.from(document.querySelectorAll(".hub-row")); }
  function current() { return document.querySelector(".hub-row.hub-current"); }
  function move(step) {
    var all = rows();
    if (!all.length) return;
    var here = all.indexOf(current());
    var next = all[here < 0 ? 0 : Math.min(all.length - 1, Math.max(0, here + step))];
    all.forEach(function (row) { row.classList.toggle("hub-current", row === next); });
    var link = next.querySelector("a");
    if (link) link.focus();
    next.scrollIntoView({ block: "nearest" });
  }
  function tick() {
    var row = current();
    var box = row && row.querySelector("input[type=checkbox]");
    if (box) { box.click(); return true; }
    return false;
  }
  function use(element) {
    if (element.tagName === "SUMMARY") {
      element.parentElement.open = true;
      var field = element.parentElement.querySelector("input:not([type=hidden]), select, textarea");
      (field || element).focus();
    } else if (isWriting(element)) {
      element.focus();
    } else {
      if (element.name === "verb" && current() && !document.querySelector(".hub-row input:checked")) tick();
      element.click();
    }
  }
  function help() {
    var dialog = document.getElementById("keys");
    if (!dialog) return;
    var list = dialog.querySelector("dl");
    list.querySelectorAll(".hub-here").forEach(function (each) { each.remove(); });
    document.querySelectorAll("[data-key]").forEach(function (element) {
      var key = document.createElement("dt"), what = document.createElement("dd");
      key.className = what.className = "hub-here";
      key.textContent = element.dataset.key;
      what.textContent = element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent.trim();
      list.append(key, what);
    });
    dialog.querySelectorAll(".hub-list-key").forEach(function (each) { each.hidden = !rows().length; });
    dialog.showModal();
  }
  document.addEventListener("keydown", function (event) {
    if (isOff || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isWriting(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
    else if (event.key === "x") { if (!tick()) return; }
    else if (event.key === "?") help();
    else {
      var element = document.querySelector('[data-key="' + CSS.escape(event.key) + '"]');
      if (!element) return;
      use(element);
    }
    event.preventDefault();
  });
  // The whole row opens the ticket, except for what is a control itself or marks text.
  document.addEventListener("click", function (event) {
    var row = event.target.closest(".hub-row");
    if (!row || event.target.closest("a, button, input, label, summary") || String(window.getSelection())) return;
    var link = row.querySelector("a");
    if (link && (event.ctrlKey || event.metaKey)) window.open(link.href);
    else if (link) link.click();
  });
  document.addEventListener("change", function (event) {
    if (event.target.id !== "tick-all") return;
    document.querySelectorAll(".hub-row input[type=checkbox]").forEach(function (box) { box.checked = event.target.checked; });
  });
  // A list that refreshes itself must not move rows under the pointer, nor forget ticks.
  document.addEventListener("htmx:beforeSwap", function (event) {
    var list = document.getElementById("list"), news = document.getElementById("news");
    if (!list || event.detail.target !== list || !news) return;
    var isInUse = list.matches(":hover") || list.contains(document.activeElement) || list.querySelector("input:checked");
    if (isInUse) event.detail.shouldSwap = false;
    news.hidden = !isInUse;
  });
})();
