// Undo, prompts run before, styles, the words that can be drawn, the switch for experts. All but the words is kept by this
// browser (window.emo, page.js); "put" says that window.emo holds values for the fields, "settled" that for a moment no
// field has changed.
const menu = (name) => element.querySelector(`[data-menu=${name}]`);
const put = (values) => {
  window.emo.record(); // what stands there now can be had back, however soon this came
  window.emo.next = values;
  trigger("put");
};

window.emo.settled = () => trigger("settled");

function listed(name, texts, remove) {
  const list = document.createElement("ul");
  for (const text of texts) {
    const item = document.createElement("li"), use = document.createElement("button");
    use.type = "button";
    use.textContent = use.dataset.use = text;
    item.append(use);
    if (remove) {
      const gone = document.createElement("button");
      gone.type = "button";
      gone.textContent = "✕";
      gone.dataset.remove = text;
      gone.setAttribute("aria-label", `Remove ${text}`);
      item.append(gone);
    }
    list.append(item);
  }
  return list;
}

function fill(name) {
  const box = menu(name).querySelector(".menu");
  if (name === "recent") {
    const texts = window.emo.recent();
    if (texts.length) box.replaceChildren(listed(name, texts));
  } else if (name === "styles") {
    box.querySelector("ul").replaceWith(listed(name, Object.keys(window.emo.styles()), true));
  } else {
    const words = document.querySelector("#words-list .drawable");
    if (words) box.replaceChildren(words.cloneNode(true));
    else trigger("words");
  }
}

element.addEventListener("toggle", (event) => {
  const open = event.target;
  if (!open.open) return;
  element.querySelectorAll("details[open]").forEach((other) => other !== open && (other.open = false));
  fill(open.dataset.menu);
}, true);
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const name = button.closest("details")?.dataset.menu;
  if (button.dataset.does === "undo") put(window.emo.undo());
  else if (button.dataset.remove !== undefined) {
    window.emo.removeStyle(button.dataset.remove);
    fill("styles");
  } else if (button.dataset.use === undefined) return;
  else if (name === "recent") put({ prompt: button.dataset.use });
  else if (name === "styles") put(window.emo.styles()[button.dataset.use] ?? {});
  else {
    const now = (window.emo.now().prompt ?? "").trim();
    put({ prompt: now ? `${now}, ${button.dataset.use}` : button.dataset.use });
    return; // several words may be taken
  }
  if (name) menu(name).open = false;
});
element.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = event.target.elements.name;
  if (field.value.trim()) window.emo.saveStyle(field.value.trim());
  field.value = "";
  fill("styles");
});
document.addEventListener("click", (event) => {
  if (!element.contains(event.target)) element.querySelectorAll("details[open]").forEach((one) => (one.open = false));
});
element.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && event.target.closest("details[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
// the words arrive in their hidden place once the server has answered
const words = document.getElementById("words-list");
if (words) new MutationObserver(() => menu("words").open && fill("words")).observe(words, { childList: true, subtree: true });

const box = element.querySelector(".expert-switch input");
box.checked = window.emo.expert();
box.addEventListener("change", () => window.emo.setExpert(box.checked));
