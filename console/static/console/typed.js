"use strict";
// Restores the user's entries after a rejected form, a database failure, or an expired session. They are kept in this
// tab only, until the form has been accepted, another user logs in, or the tab is closed. Passwords, files and hidden
// fields are never kept.
(function () {
  var KEY = "hub-typed";
  var MOST = 200000;
  var LEFT_OUT = ["hidden", "password", "file", "submit", "button", "reset", "image"];
  function said(name) {
    var meta = document.querySelector('meta[name="' + name + '"]');
    return meta && meta.content;
  }
  function read() {
    try { return JSON.parse(sessionStorage.getItem(KEY)); } catch (error) { return null; }
  }
  function keep(typed) {
    var text = typed && JSON.stringify(typed);
    if (text && text.length <= MOST) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  }
  function fieldsOf(form) {
    return Array.from(form.elements).filter(function (field) {
      return field.name && LEFT_OUT.indexOf(field.type) < 0;
    });
  }
  function isTyped(field) {
    return (field.tagName === "TEXTAREA" || field.tagName === "INPUT") && field.value !== field.defaultValue;
  }
  function valueOf(field) {
    if (field.type === "checkbox" || field.type === "radio") return field.checked;
    if (field.tagName !== "SELECT") return field.value;
    return Array.from(field.selectedOptions).map(function (option) { return option.value; });
  }
  function fill(field, value) {
    if (field.type === "checkbox" || field.type === "radio") field.checked = value;
    else if (field.tagName !== "SELECT") field.value = value;
    else Array.from(field.options).forEach(function (option) { option.selected = value.indexOf(option.value) >= 0; });
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function nameOf(form) {
    var url = new URL(form.getAttribute("action") || location.href, location.href);
    return url.pathname + " " + fieldsOf(form).map(function (field) { return field.name; }).sort().join(" ");
  }
  function formOf(typed) {
    return Array.from(document.forms).find(function (form) { return form.method === "post" && nameOf(form) === typed.form; });
  }
  function giveBack(typed, form) {
    fieldsOf(form).forEach(function (field, index) {
      if (typed.values[index] !== undefined) fill(field, typed.values[index]);
    });
    for (var part = form.parentElement; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    var note = document.createElement("p");
    note.className = "alert alert-info";
    note.setAttribute("role", "status");
    note.textContent = said("hub-typed");
    form.prepend(note);
    form.scrollIntoView({ block: "center" });
  }
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.method !== "post" || !said("hub-user")) return;
    if (!fieldsOf(form).some(isTyped)) return keep(null);  // a form with only a button, such as log-out
    keep({ user: said("hub-user"), page: location.pathname + location.search, form: nameOf(form),
           values: fieldsOf(form).map(valueOf), isInterrupted: false });
  });
  document.addEventListener("DOMContentLoaded", function () {
    var typed = read();
    if (!typed) return;
    if (!said("hub-user")) {  // the log-in page or an error page
      typed.isInterrupted = true;
      keep(typed);
      var way = document.getElementById("back-to-the-form");
      if (way) { way.href = typed.page; way.hidden = false; }
      return;
    }
    var isRefused = document.querySelector(".alert-danger, .errornote, .errorlist, .messagelist .error");
    var form = typed.user === said("hub-user") && (typed.isInterrupted || isRefused) && formOf(typed);
    if (form && JSON.stringify(fieldsOf(form).map(valueOf)) === JSON.stringify(typed.values)) form = null;  // the page has kept them
    if (form) giveBack(typed, form);
    keep(null);
  });
})();
