// The pad: a point on the valence-arousal plane, dragged by mouse or finger or moved by the arrow keys.
// "input" tells each move, "release" the end of one; setting the value from outside tells nothing, so that
// the pad and the sliders never answer each other.
const MOODS = __MOODS__;
const root = document.documentElement;
const STEPS = { signed: 0.05, nine: 0.05, grid: 0.25 };
const scale = () => (root.dataset.scale in STEPS ? root.dataset.scale : "signed");
const plane = () => element.querySelector(".pad-plane");

// Which of the named moods the point stands at: told to the page, whose chips show it.
const NEAR = 0.06;
function tell() {
  const { valence, arousal } = props.value ?? {};
  const [name] = Object.entries(MOODS).find(([, at]) => Math.hypot(at[0] - valence, at[1] - arousal) < NEAR) ?? [""];
  root.dataset.mood = name;
  for (const mood of Object.keys(MOODS)) {
    document.getElementById(`emotion-${mood}`)?.setAttribute("aria-pressed", String(mood === name));
  }
}
watch("value", tell);
requestAnimationFrame(tell);

function snap(x) {
  const step = STEPS[scale()];
  return Number((Math.max(-1, Math.min(1, Math.round(x / step) * step)) + 0).toFixed(2));
}

function move(valence, arousal) {
  const next = { valence: snap(valence), arousal: snap(arousal) };
  if (next.valence === props.value.valence && next.arousal === props.value.arousal) return;
  props.value = next;
  tell();
  trigger("input");
}

function follow(event) {
  const box = element.querySelector(".ground").getBoundingClientRect();
  move(((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2);
}

let held = false;
element.addEventListener("pointerdown", (event) => {
  if (event.button || !event.target.closest(".pad-plane")) return;
  held = true;
  plane().setPointerCapture(event.pointerId);
  plane().focus({ preventScroll: true });
  event.preventDefault();
  follow(event);
});
element.addEventListener("pointermove", (event) => held && follow(event));
for (const end of ["pointerup", "pointercancel"]) {
  element.addEventListener(end, () => {
    if (held) trigger("release");
    held = false;
  });
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
let typed = false;
element.addEventListener("keydown", (event) => {
  if (!event.target.closest(".pad-plane")) return;
  const { valence, arousal } = props.value;
  const way = KEYS[event.key];
  if (way) {
    const far = STEPS[scale()] * (event.shiftKey ? 5 : 1);
    move(valence + way[0] * far, arousal + way[1] * far);
  } else if (event.key === "Home") move(0, 0);
  else return;
  typed = true;
  event.preventDefault();
});
const settle = () => {
  if (typed) trigger("release");
  typed = false;
};
element.addEventListener("keyup", settle);
element.addEventListener("focusout", settle);

// The scale is a matter of taste of the person at this browser: kept there, applied by CSS to every number.
function choose(name) {
  root.dataset.scale = name;
  element.querySelectorAll(".pad-scale input").forEach((box) => (box.checked = box.value === name));
  try {
    localStorage.setItem("emofeedback-scale", name);
  } catch {} // storage may be forbidden; the choice then lasts as long as the page
}
element.addEventListener("change", (event) => event.target.closest(".pad-scale") && choose(event.target.value));
let kept = "signed";
try {
  kept = localStorage.getItem("emofeedback-scale") ?? kept;
} catch {}
choose(kept in STEPS ? kept : "signed");
