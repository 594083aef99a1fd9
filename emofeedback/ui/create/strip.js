// The strip of rounds: a press on a card, on its branch button or on a run's tab becomes an event with its number.
const EVENTS = { pick: "pick", branch: "branch", show_run: "show_run" };
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-does]");
  if (button && button.dataset.does in EVENTS) {
    trigger(EVENTS[button.dataset.does], { number: Number(button.dataset.number) });
  }
});
