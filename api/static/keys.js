// Single-letter keys (WCAG 2.1.4: they can be switched off). Ignored in fields, with modifiers, and while an
// input method composes.
const OFF = "zhichao-keys-off";
const FIELDS = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]";

export function wireKeys(viewer) {
  const dialog = document.getElementById("keys");
  const off = document.getElementById("keys-off");
  if (off) {
    off.checked = localStorage.getItem(OFF) === "1";
    off.addEventListener("change", () => localStorage.setItem(OFF, off.checked ? "1" : "0"));
  }
  document.querySelector('[data-dialog="keys"]')?.addEventListener("click", () => dialog.showModal());

  let rejecting = false;
  const actions = {
    c: () => {
      const plate = document.getElementById("plate");
      if (plate) plate.focus();
      else press("c");
    },
    r: () => {
      rejecting = true;
      document.querySelector("#reject-form input[name=reason]")?.focus();
    },
    s: () => document.getElementById("skip-form")?.requestSubmit(),
    n: () => press("n"),
    "[": () => viewer?.step(-1),
    "]": () => viewer?.step(1),
    "+": () => viewer?.in(),
    "=": () => viewer?.in(),
    "-": () => viewer?.out(),
    0: () => viewer?.whole(),
    b: () => viewer?.light(),
    "?": () => dialog?.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog?.open || event.target.closest(FIELDS)) return;
    if (localStorage.getItem(OFF) === "1" && event.key !== "?") return;
    if (rejecting && /^[1-9]$/.test(event.key)) {
      choose(event.key);
      rejecting = false;
      event.preventDefault();
      return;
    }
    const action = actions[event.key.toLowerCase()];
    if (action) {
      if (event.key.toLowerCase() !== "r") rejecting = false;
      event.preventDefault();
      action();
    }
  });
}

function press(key) {
  document.querySelector(`[data-key="${key}"]`)?.click();
}

function choose(digit) {
  const reason = document.querySelector(`#reject-form [data-digit="${digit}"]`);
  if (!reason) return;
  reason.checked = true;
  const next = reason.value === "other" ? document.getElementById("note") : document.querySelector("#reject-form .reject");
  next.focus();
}
