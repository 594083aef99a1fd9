// The row of candidates: "Use this one" and "Vary" become events. A picture pressed, in the row or on stage, opens over the
// whole window, with arrow keys through the row, zoom and the same choice. The dialog is made once and lies on the page's
// root, so that an update of the row leaves it alone.
const row = () => [...element.querySelectorAll("li.candidate")];
const staged = () => document.querySelector("#live img") ?? document.querySelector("#picture img");
let at = 0;

function dialog() {
  let found = document.getElementById("closer");
  if (found) return found;
  found = document.createElement("dialog");
  found.id = "closer";
  found.setAttribute("aria-label", "A picture, large");
  found.innerHTML =
    '<div class="frame"><img alt=""></div><p></p><nav><button type="button" data-go="-1" aria-label="Previous picture">‹</button>' +
    '<button type="button" data-go="0" class="use">Use this one</button>' +
    '<button type="button" data-go="zoom" aria-label="Zoom">⤢</button>' +
    '<button type="button" data-go="1" aria-label="Next picture">›</button>' +
    '<button type="button" data-go="close" aria-label="Close">✕</button></nav>';
  document.querySelector(".gradio-container").append(found);
  found.addEventListener("click", (press) => {
    const go = press.target.closest("[data-go]")?.dataset.go;
    if (go !== undefined) act(go);
    else if (press.target === found || press.target.classList.contains("frame")) found.close();
    else if (press.target.tagName === "IMG") act("zoom");
  });
  found.addEventListener("keydown", (key) => {
    const go = { ArrowLeft: "-1", ArrowRight: "1", "+": "zoom", "-": "zoom" }[key.key];
    if (!go) return;
    key.preventDefault();
    act(go);
  });
  return found;
}

function open(source, alt) {
  const box = dialog();
  box.querySelector("img").src = source;
  box.querySelector("img").alt = alt;
  box.classList.remove("zoomed");
  if (!box.open) box.showModal();
}

function show(index) {
  const all = row();
  if (!all.length) return;
  at = (index + all.length) % all.length;
  const box = dialog(), item = all[at], picture = item.querySelector("img");
  const large = item.classList.contains("chosen") && !document.querySelector("#live img") ? staged() : null;
  box.classList.remove("alone");
  box.querySelector("p").innerHTML = item.querySelector(".told").innerHTML;
  const use = item.querySelector("[data-does=use]");
  box.querySelector(".use").disabled = !use;
  box.querySelector(".use").textContent = use ? "Use this one" : "In use";
  open((large ?? picture).src, picture.alt);
}

// a picture that belongs to no row: a preview, one from another tab, a dropped file
function alone(picture) {
  const box = dialog();
  box.classList.add("alone");
  box.querySelector("p").textContent = "";
  open(picture.src, picture.alt);
}

function act(go) {
  const box = dialog();
  if (go === "close") box.close();
  else if (go === "zoom") box.classList.toggle("zoomed");
  else if (go === "0") {
    box.close();
    trigger("use", { round: Number(element.querySelector("ol")?.dataset.round), index: at });
  } else if (!box.classList.contains("alone")) show(at + Number(go));
}

// The picture on stage, or its full-screen button (the only one there that is not inside a link).
document.addEventListener("click", (event) => {
  const inside = event.target.closest?.("#picture");
  const full = event.target.closest?.(".icon-button-wrapper button");
  if (!inside || !staged() || event.target.closest("a") || !(full || event.target.tagName === "IMG")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const chosen = row().findIndex((item) => item.classList.contains("chosen"));
  if (chosen >= 0) show(chosen);
  else alone(staged());
}, true);

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-does]");
  if (!button) return;
  const index = Number(button.dataset.index), round = Number(element.querySelector("ol")?.dataset.round);
  if (button.dataset.does === "closer") show(index);
  else if (button.dataset.does === "use") trigger("use", { round, index });
  else if (button.dataset.does === "vary") trigger("vary", { round, index });
});

// Arrow keys go from picture to picture in the row too.
element.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const button = event.target.closest("button.closer");
  if (!step || !button) return;
  event.preventDefault();
  const all = row();
  all[(Number(button.dataset.index) + step + all.length) % all.length].querySelector("button.closer").focus();
});
