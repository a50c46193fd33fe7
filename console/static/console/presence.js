"use strict";
// Tells colleagues on the same ticket that somebody is writing: from the first key in a form until half a minute of rest.
(function () {
  var field = document.getElementById("writing"), resting;
  if (!field) return;
  function say(value) {
    if (field.value === value) return;
    field.value = value;
    document.body.dispatchEvent(new Event("writing"));
  }
  document.getElementById("main").addEventListener("input", function (event) {
    if (!event.target.form || event.target.form.method !== "post") return;
    window.clearTimeout(resting);
    resting = window.setTimeout(function () { say(""); }, 30000);
    say("1");
  });
})();
