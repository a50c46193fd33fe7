"use strict";
// Keyboard shortcuts: an element with data-key is pressed, opened or focused by its key; rows of a list by j, k and x.
// No key acts in a field, with a modifier, or if the reader has switched shortcuts off.
(function () {
  var isOff = document.documentElement.dataset.keys === "off";
  // The keys a reader has chosen, by the usual key; pages name the usual ones.
  var own = JSON.parse(document.documentElement.dataset.shortcuts || "{}");
  function shown(key) { return own[key] || key; }
  function usual(pressed) {
    var found = Object.keys(own).find(function (key) { return own[key] === pressed; });
    return found || (own[pressed] ? "" : pressed);
  }
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
    } else if (element.dataset.then) {
      if (!element.checked) element.click();
      document.getElementById(element.dataset.then).focus();
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
      key.textContent = shown(element.dataset.key);
      what.textContent = element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent.trim();
      list.append(key, what);
    });
    dialog.querySelectorAll("[data-usual]").forEach(function (each) { each.textContent = shown(each.dataset.usual); });
    dialog.querySelectorAll(".hub-list-key").forEach(function (each) { each.hidden = !rows().length; });
    dialog.showModal();
  }
  // Ctrl+K: everything that can be opened or done from here. A key with a modifier acts in fields, too.
  // What has no key is offered once something is typed.
  var KEYED = "[data-key]", OTHERS = "main summary:not(.small), main button[name=move], main button[name=act]";
  function actions(text) {
    var list = document.getElementById("palette-actions");
    list.textContent = "";
    document.querySelectorAll(text ? KEYED + ", " + OTHERS : KEYED).forEach(function (element) {
      var label = element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent.trim();
      label = label.replace(/\s+/g, " ").replace(/ ?…$/, "");
      if (label.toLowerCase().indexOf(text.toLowerCase()) < 0) return;
      var item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.className = "list-group-item list-group-item-action";
      button.textContent = label + " ";
      if (element.dataset.key) {
        var key = document.createElement("kbd");
        key.textContent = shown(element.dataset.key);
        button.append(key);
      }
      button.addEventListener("click", function () { document.getElementById("palette").close(); use(element); });
      item.append(button);
      list.append(item);
    });
  }
  document.addEventListener("keydown", function (event) {
    var dialog = document.getElementById("palette");
    if (!dialog || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k" || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (dialog.open || document.querySelector("dialog[open]")) return;
    dialog.showModal();
    var field = dialog.querySelector("input");
    field.value = "";
    field.focus();
    actions("");
    field.dispatchEvent(new Event("shown"));
  });
  document.addEventListener("input", function (event) {
    if (event.target.closest && event.target.closest("#palette")) actions(event.target.value);
  });
  document.addEventListener("keydown", function (event) {
    var dialog = document.getElementById("palette");
    if (!dialog || !dialog.open) return;
    var items = Array.from(dialog.querySelectorAll("li a, li button"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      var next = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      (items[next] || dialog.querySelector("input")).focus();
      event.preventDefault();
    } else if (event.key === "Enter" && document.activeElement.tagName === "INPUT" && items.length) {
      items[0].click();
      event.preventDefault();
    }
  });
  document.addEventListener("keydown", function (event) {
    if (isOff || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isWriting(event.target) || document.querySelector("dialog[open]")) return;
    var pressed = usual(event.key);
    if (pressed === "j" || pressed === "k") move(pressed === "j" ? 1 : -1);
    else if (pressed === "x") { if (!tick()) return; }
    else if (pressed === "?") help();
    else {
      var element = document.querySelector('[data-key="' + CSS.escape(pressed) + '"]');
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
