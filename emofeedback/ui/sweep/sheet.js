// The sheet: a picture pressed, or reached with the arrow keys, is the one shown beside it.
const cells = () => [...element.querySelectorAll("button[data-index]")];

function choose(button) {
  for (const one of cells()) {
    one.setAttribute("aria-pressed", String(one === button));
    one.tabIndex = one === button ? 0 : -1;
  }
  trigger("pick", { index: Number(button.dataset.index) });
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-index]");
  if (button) choose(button);
});

element.addEventListener("keydown", (event) => {
  const button = event.target.closest("button[data-index]");
  const all = cells();
  if (!button || !all.length) return;
  // the number of columns as they stand: a path breaks into as many lines as the page has room for
  const top = all[0].offsetTop;
  const columns = all.findIndex((one) => one.offsetTop !== top);
  const row = columns < 0 ? all.length : columns;
  const at = Number(button.dataset.index);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - row, ArrowDown: at + row, Home: 0, End: all.length - 1 };
  const next = all[to[event.key]];
  if (!next) return;
  event.preventDefault();
  next.focus();
  choose(next);
});
