"use strict";
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
