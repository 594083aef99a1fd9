// What is on stage, in one line: its seed can be used again, its settings and a link to them copied, its words sent to
// Continuum and its picture to Read.
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-does]");
  if (!button) return;
  const shown = element.querySelector("[data-seed]");
  if (["to_continuum", "to_read"].includes(button.dataset.does)) {
    trigger(button.dataset.does);
    return;
  }
  if (button.dataset.does === "reuse") {
    window.emo.lastSeed = Number(shown.dataset.seed);
    trigger("reuse");
    return;
  }
  const text = button.dataset.does === "link" ? window.emo.link() : shown.dataset.settings;
  const before = button.textContent;
  button.textContent = (await window.emo.copy(text)) ? "copied" : "not allowed by this browser";
  setTimeout(() => (button.textContent = before), 1500);
});
