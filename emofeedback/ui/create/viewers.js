// The viewers' chains: a step's words are run again from there, or the ticked chains are taken for round 1.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-does]");
  if (!button) return;
  if (button.dataset.does === "use") {
    const ticked = [...element.querySelectorAll("li[data-chain]")].filter(
      (row) => row.querySelector(".take input").checked,
    );
    trigger("use", { chains: ticked.map((row) => row.dataset.chain) });
    return;
  }
  const step = button.closest("li.step");
  trigger("rerun", {
    chain: Number(button.closest("li[data-chain]").dataset.chain),
    step: button.dataset.step,
    words: step.querySelector("textarea").value,
  });
});
// New chains arrive in the old elements, which still hold what a person wrote into the earlier ones.
watch("value", () =>
  element.querySelectorAll("textarea, .take input").forEach((field) => {
    if (field.type === "checkbox") field.checked = field.defaultChecked;
    else field.value = field.defaultValue;
  }),
);
