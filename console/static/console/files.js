"use strict";
// Files that are dropped on a form with data-drop, or pasted into it, are added to its file field.
(function () {
  function add(form, files) {
    var input = form.querySelector("input[type=file]");
    if (!input || !files.length) return false;
    var all = new DataTransfer();
    Array.from(input.files).concat(Array.from(files)).forEach(function (file) { all.items.add(file); });
    input.files = all.files;
    return true;
  }
  ["dragover", "drop", "paste"].forEach(function (kind) {
    document.addEventListener(kind, function (event) {
      var form = event.target.closest && event.target.closest("form[data-drop]");
      var data = event.dataTransfer || event.clipboardData;
      if (!form || !data || !Array.from(data.types).includes("Files")) return;
      if (kind === "dragover" || add(form, data.files)) event.preventDefault();
    });
  });
})();

// A page of a preview that could not be drawn because others were being drawn is asked for again.
document.addEventListener("error", function (event) {
  var image = event.target, tries = Number(image.dataset && image.dataset.tries || 0);
  if (image.tagName !== "IMG" || !image.closest(".hub-preview") || tries >= 5) return;
  image.dataset.tries = tries + 1;
  window.setTimeout(function () { image.src = image.src; }, 2000);
}, true);
