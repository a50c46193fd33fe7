"use strict";
// The offer to undo disappears when it has run out. Without this script it stays, and says so when it is used too late.
(function () {
  var offer = document.getElementById("undo");
  if (!offer) return;
  window.setTimeout(function () {
    if (offer.contains(document.activeElement)) document.getElementById("main").focus();
    offer.remove();
  }, Number(offer.dataset.left));
})();
