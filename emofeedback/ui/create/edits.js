// The judge's edits: each can be switched off and its new words rewritten; "input" carries the state of all rows.
const rows = () =>
  [...element.querySelectorAll("li[data-edit]")].map((row) => ({
    on: row.querySelector("input[type=checkbox]").checked,
    new: row.querySelector("input[type=text]")?.value ?? "",
  }));
element.addEventListener("change", (event) => {
  const row = event.target.closest("li[data-edit]");
  if (!row) return;
  row.classList.toggle("off", !row.querySelector("input[type=checkbox]").checked);
  trigger("input", { rows: rows() });
});
// "Use all" and "Use none" turn every switch at once.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-all]");
  if (!button) return;
  element.querySelectorAll("li[data-edit]").forEach((row) => {
    const box = row.querySelector("input[type=checkbox]");
    box.checked = button.dataset.all === "on";
    row.classList.toggle("off", !box.checked);
  });
  trigger("input", { rows: rows() });
});
// New edits arrive in the old elements, which still hold what the person did to the earlier ones.
watch("value", () =>
  element.querySelectorAll("li[data-edit] input").forEach((box) => {
    if (box.type === "checkbox") box.checked = box.defaultChecked;
    else box.value = box.defaultValue;
  }),
);
