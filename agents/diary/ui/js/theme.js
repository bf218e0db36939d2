/* Before anything is painted: the colours that were chosen last. In: what this browser remembers. Out: html[data-theme].
   A classic script, so that the page never shows in the wrong colours first. */
(() => {
  "use strict";
  const KEY = "streamapp.theme";
  const CHOICES = ["auto", "light", "dark"];

  function remembered() {
    try {
      const value = localStorage.getItem(KEY);
      return CHOICES.includes(value) ? value : "auto";
    } catch {
      return "auto"; // a browser that keeps nothing for this page follows the system
    }
  }

  function apply(choice) {
    if (choice === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", choice);
  }

  function choose(choice) {
    apply(choice);
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      return; // not remembered, and still in force until the page is left
    }
  }

  apply(remembered());
  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    select.value = remembered();
    select.addEventListener("change", () => choose(select.value));
  });
})();
