// Every number box of the page: what is no number of its range never reaches a component. While it is typed the last good
// value stays; when the box is left (or Enter is pressed) the text becomes the nearest good number, or the last good one.
// A decimal comma, typed or pasted, is a decimal point. Listens on the document before the components themselves do.
(() => {
  const isNumber = (box) => box instanceof HTMLInputElement && box.type === "number" && !box.readOnly;
  const good = new WeakMap(); // box -> its last good text
  const limit = (box, name) => (box[name] === "" ? null : Number(box[name]));

  function inRange(box, value) {
    const low = limit(box, "min"), high = limit(box, "max");
    return Number.isFinite(value) && (low === null || value >= low) && (high === null || value <= high);
  }

  function nearest(box, value) {
    const low = limit(box, "min"), high = limit(box, "max"), step = Number(box.step);
    if (Number.isInteger(step) && step > 0) value = Math.round(value);
    if (low !== null) value = Math.max(low, value);
    if (high !== null) value = Math.min(high, value);
    return value;
  }

  function parse(text) {
    const found = text.trim().replace(/[−–]/g, "-").replace(/\s/g, "").replace(",", ".");
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(found) ? Number(found) : NaN;
  }

  function put(box, value) {
    box.value = String(value);
    good.set(box, box.value);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function settle(box) {
    const value = box.value === "" ? NaN : Number(box.value);
    if (inRange(box, value) && nearest(box, value) === value) return;
    const last = Number(good.get(box) ?? box.defaultValue);
    put(box, nearest(box, Number.isFinite(value) ? value : Number.isFinite(last) ? last : (limit(box, "min") ?? 0)));
  }

  const on = (name, act) =>
    document.addEventListener(name, (event) => isNumber(event.target) && act(event.target, event), true);
  on("focusin", (box) => box.value !== "" && inRange(box, Number(box.value)) && good.set(box, box.value));
  on("input", (box, event) => {
    if (box.value !== "" && inRange(box, Number(box.value))) good.set(box, box.value);
    else event.stopImmediatePropagation(); // not yet a number of its range: the component keeps the last good one
  });
  on("keydown", (box, event) => {
    if (event.key === "Enter") settle(box);
    if (event.key !== ",") return;
    event.preventDefault();
    document.execCommand("insertText", false, "."); // keeps the browser's undo
  });
  on("paste", (box, event) => {
    const value = parse(event.clipboardData?.getData("text") ?? "");
    event.preventDefault();
    if (Number.isFinite(value)) put(box, nearest(box, value));
  });
  on("change", settle);
  on("focusout", settle);
})();
