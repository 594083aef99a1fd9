// The row of candidates: "Use this one" and "Vary" become events; a picture pressed opens large, with arrow keys, zoom and
// the same choice. The dialog is made once and lies on the page's root, so that an update of the row leaves it alone.
const row = () => [...element.querySelectorAll("li.candidate")];
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
  return found;
}

function show(index) {
  const all = row();
  if (!all.length) return;
  at = (index + all.length) % all.length;
  const box = dialog(), item = all[at];
  box.querySelector("img").src = item.querySelector("img").src;
  box.querySelector("img").alt = item.querySelector("img").alt;
  box.querySelector("p").innerHTML = item.querySelector(".told").innerHTML;
  const use = item.querySelector("[data-does=use]");
  box.querySelector(".use").disabled = !use;
  box.querySelector(".use").textContent = use ? "Use this one" : "In use";
  box.classList.remove("zoomed");
  if (!box.open) box.showModal();
}

function act(go) {
  const box = dialog();
  if (go === "close") box.close();
  else if (go === "zoom") box.classList.toggle("zoomed");
  else if (go === "0") {
    box.close();
    trigger("use", { round: Number(element.querySelector("ol")?.dataset.round), index: at });
  } else show(at + Number(go));
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-does]");
  if (!button) return;
  const index = Number(button.dataset.index), round = Number(element.querySelector("ol")?.dataset.round);
  if (button.dataset.does === "closer") {
    show(index);
    const box = dialog();
    box.onclick = (press) => {
      const go = press.target.closest("[data-go]")?.dataset.go;
      if (go !== undefined) act(go);
      else if (press.target === box) box.close();
      else if (press.target.tagName === "IMG") act("zoom");
    };
    box.onkeydown = (key) => {
      const go = { ArrowLeft: "-1", ArrowRight: "1", "+": "zoom", "-": "zoom" }[key.key];
      if (go) {
        key.preventDefault();
        act(go);
      }
    };
  } else if (button.dataset.does === "use") trigger("use", { round, index });
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
