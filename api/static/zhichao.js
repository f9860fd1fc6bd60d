// Start of every page: marks that scripts run, and wires what the page has.
import { wireKeys } from "./keys.js";
import { wireClaim } from "./claim.js";
import { wireViewer } from "./viewer.js";

document.documentElement.classList.add("js");
const viewer = wireViewer(document.querySelector(".viewer"));
wireClaim(document.querySelector(".item[data-token]"));
wireKeys(viewer);

// A swapped region would lose the focus to <body>: htmx swaps only the queue's table, and focus inside it
// goes back to the link of the same case.
let focused = null;
document.body.addEventListener("htmx:beforeSwap", () => {
  focused = document.activeElement?.getAttribute("href");
});
document.body.addEventListener("htmx:afterSettle", () => {
  if (focused) document.querySelector(`.case-link[href="${CSS.escape(focused)}"]`)?.focus();
});
