// What the page keeps in this browser, and keys that work anywhere on it. The session (this tab) holds the settings, so
// that a reload brings them back; the browser holds styles, prompts run before and the switch for experts. A link with
// settings in its query opens them. Storage may be forbidden: everything then lasts as long as the page.
window.emo = (() => {
  const memory = {};
  const store = (area) => ({
    get: (key, other) => {
      try { return JSON.parse(window[area].getItem(key)) ?? other; } catch { return memory[key] ?? other; }
    },
    set: (key, value) => {
      memory[key] = value;
      try { window[area].setItem(key, JSON.stringify(value)); } catch {}
    },
  });
  const session = store("sessionStorage"), local = store("localStorage");
  const SKIP = { __type__: "update" };
  const SHORT = { v: "valence", a: "arousal" };
  let fields = [], stable = null, latest = null, timer = null, undoing = false;
  const past = [];

  function good(field, value) {
    if (field.kind === "text") return typeof value === "string" ? value.slice(0, field.high) : undefined;
    if (field.kind === "choice") return field.choices.includes(value) ? value : undefined;
    if (field.kind === "bool") return typeof value === "boolean" ? value : value === "true" ? true : value === "false" ? false : undefined;
    if (value === null || value === "" || typeof value === "boolean" || !Number.isFinite(Number(value))) return undefined;
    const bounded = Math.min(field.high, Math.max(field.low, Number(value)));
    return field.kind === "whole" ? Math.round(bounded) : bounded;
  }

  // values by name -> what the fields are given, and the pad last
  function given(values) {
    const found = fields.map((field) => good(field, values[field.name]) ?? SKIP);
    const axis = (name) => {
      const field = fields.find((one) => one.name === name);
      return (field && good(field, values[name])) ?? now()[name] ?? 0;
    };
    const moved = values.valence !== undefined || values.arousal !== undefined;
    return [...found, moved ? { valence: axis("valence"), arousal: axis("arousal") } : SKIP];
  }

  const now = () => latest ?? {};

  function start(described) {
    fields = described;
    const query = new URLSearchParams(location.search), asked = {};
    for (const [key, value] of query) asked[SHORT[key] ?? key] = value;
    const linked = fields.some((field) => field.name in asked);
    if (linked) history.replaceState(null, "", location.pathname + location.hash);
    const values = linked ? asked : session.get("emofeedback-settings", {});
    const usual = (field) => good(field, values[field.name]) ?? field.usual;
    latest = stable = Object.fromEntries(fields.map((field) => [field.name, usual(field)]));
    return given(values);
  }

  function settle() {
    clearTimeout(timer);
    timer = null;
    const text = JSON.stringify(latest);
    if (latest === null || text === JSON.stringify(stable)) return;
    if (stable !== null) past.push(stable);
    if (past.length > 50) past.shift();
    stable = latest;
  }

  // every change of a field: kept for a reload, and as a step to undo once the changing is over; tools.js then tells the server
  function keep(...values) {
    latest = Object.fromEntries(fields.map((field, index) => [field.name, values[index]]));
    session.set("emofeedback-settings", latest);
    clearTimeout(timer);
    timer = setTimeout(() => {
      settle();
      emo.settled?.();
    }, 500);
  }

  // the settings before the last change; `take` puts them in
  function undo() {
    settle();
    const before = past.pop();
    undoing = before !== undefined;
    return before ?? {};
  }

  function link() {
    const query = new URLSearchParams();
    for (const field of fields) {
      const value = now()[field.name];
      if (value !== undefined && value !== null && value !== field.usual) query.set(field.name, value);
    }
    return `${location.origin}${location.pathname}?${query}`;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function tab() {
    let id = session.get("emofeedback-tab", "");
    if (!/^[0-9a-f]{32}$/.test(id)) {
      id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
      session.set("emofeedback-tab", id);
    }
    return id;
  }

  function ran() {
    const words = (now().prompt ?? "").trim();
    if (words) local.set("emofeedback-recent", [words, ...recent().filter((one) => one !== words)].slice(0, 20));
  }
  const texts = (found) => (Array.isArray(found) ? found.filter((one) => typeof one === "string") : []);
  const recent = () => texts(local.get("emofeedback-recent", []));
  const styles = () => {
    const found = local.get("emofeedback-styles", {});
    return found && typeof found === "object" && !Array.isArray(found) ? found : {};
  };
  const saveStyle = (name) => {
    const { prompt, seed, ...rest } = now();
    local.set("emofeedback-styles", { ...styles(), [name]: rest });
  };
  const removeStyle = (name) => {
    const { [name]: gone, ...rest } = styles();
    local.set("emofeedback-styles", rest);
  };

  const expert = () => local.get("emofeedback-expert", false) === true;
  const setExpert = (on) => {
    local.set("emofeedback-expert", on);
    document.documentElement.dataset.expert = on ? "on" : "off";
  };
  setExpert(expert());

  // what the fields are given of values that were chosen here: a step of its own, or one step back
  const take = () => {
    const values = emo.next ?? {};
    emo.next = null;
    settle(); // what was typed a moment ago is a step of its own
    const found = given(values);
    const taken = fields.filter((field, index) => found[index] !== SKIP);
    latest = { ...now(), ...Object.fromEntries(taken.map((field) => [field.name, good(field, values[field.name])])) };
    if (undoing) stable = latest;
    else settle();
    undoing = false;
    session.set("emofeedback-settings", latest);
    return found;
  };
  const emo = { start, keep, record: settle, undo, link, copy, tab, recent, styles, saveStyle, removeStyle, expert, setExpert, now, take, ran, lastSeed: -1, next: null };
  return emo;
})();

// Enter or Ctrl+Enter in the prompt runs; Shift+Enter is a new line. Elsewhere on Create, Ctrl+Enter runs too.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  const field = event.target.closest?.("#prompt textarea, #prompt input");
  const run = document.getElementById("run");
  if (!run || run.offsetParent === null) return;
  if (field && event.shiftKey) event.stopImmediatePropagation(); // the browser's own new line
  else if (field || event.ctrlKey || event.metaKey) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!run.disabled) run.click();
  }
}, true);

// After Run the picture is what matters: on a phone it comes into sight.
document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.("#run, #next-round, [data-does=use], [data-does=vary], [data-does=pick]");
  if (!pressed || pressed.disabled) return;
  if (pressed.id === "run") window.emo.ran();
  if (window.innerWidth > 780) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.getElementById("stage")?.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}, true);

// A PNG dropped anywhere on Create brings its picture and its settings.
for (const name of ["dragover", "drop"])
  document.addEventListener(name, (event) => {
    const stage = document.getElementById("stage");
    if (!stage || stage.offsetParent === null || !event.dataTransfer?.types?.includes("Files")) return;
    if (event.target.closest?.("input[type=file], .upload-container, [data-testid=image], #visual-own")) return;
    event.preventDefault();
    document.documentElement.classList.toggle("dropping", name === "dragover");
    if (name !== "drop") return;
    const box = document.querySelector("#create-drop input[type=file]");
    if (!box || !event.dataTransfer.files.length) return;
    box.files = event.dataTransfer.files;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  });
document.addEventListener("dragleave", (event) => event.relatedTarget || document.documentElement.classList.remove("dropping"));

// The framework writes "queue: 1/3 | 2.0/4.4s" or "processing | ..." over the status: a place in the line in plain words
// is made of the first (shown by CSS), and the second is not shown.
const places = new MutationObserver((changes) => {
  for (const change of changes) {
    const near = change.target.nodeType === Node.TEXT_NODE ? change.target.parentElement : change.target;
    for (const text of new Set([near?.closest?.(".progress-text"), ...(near?.querySelectorAll?.(".progress-text") ?? [])])) {
      if (!text) continue;
      const [, at, all, , about] = text.textContent.match(/queue:\s*(\d+)\/(\d+)\s*\|?\s*([\d.]+)?(?:\/([\d.]+))?/) ?? [];
      const said = at === undefined ? "" : `${at} of ${all} in line${about ? `, about ${Math.ceil(about)} s` : ""}`;
      if (text.dataset.place !== said) text.dataset.place = said;
    }
  }
});
places.observe(document.documentElement, { childList: true, characterData: true, subtree: true });
