// Runs before anything is painted, so that a chosen theme does not flash. The choice is made in js/app.js.
"use strict";
try {
  const chosen = localStorage.getItem("jobbers.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // storage may be forbidden; the system's preference holds then
}
