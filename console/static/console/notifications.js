"use strict";
// What was read in one tab counts as read in all others: each keeps the number of unread notices where others see it.
(function () {
  var KEY = "hub-unread";
  function keep() {
    var link = document.getElementById("unread");
    if (link && localStorage.getItem(KEY) !== link.dataset.fresh) localStorage.setItem(KEY, link.dataset.fresh);
  }
  document.addEventListener("DOMContentLoaded", keep);
  document.addEventListener("htmx:afterSwap", keep);
  window.addEventListener("storage", function (event) {
    var link = document.getElementById("unread");
    if (event.key === KEY && link && event.newValue !== link.dataset.fresh) htmx.trigger(document.body, "changed");
  });
})();
// Shows new notices as notifications of the browser, in browsers in which the user has asked for them.
(function () {
  var KEY = "hub-notifications";
  if (!("Notification" in window)) return;
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("ask-notifications");
    if (!button || Notification.permission === "denied" || (Notification.permission === "granted" && localStorage.getItem(KEY))) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      Notification.requestPermission().then(function (answer) {
        if (answer !== "granted") return;
        localStorage.setItem(KEY, "1");
        button.hidden = true;
      });
    });
  });
  document.addEventListener("htmx:beforeSwap", function (event) {
    var before = event.detail.target;
    if (before.id !== "unread") return;
    var after = /data-fresh="(\d+)"/.exec(event.detail.serverResponse);
    if (!after || Number(after[1]) <= Number(before.dataset.fresh)) return;
    if (Notification.permission !== "granted" || !localStorage.getItem(KEY) || document.hasFocus()) return;
    new Notification("Ticket Hub", { body: before.firstChild.textContent.trim() + ": " + after[1], tag: "hub-notices" });
  });
})();
