// The first preview of a move has the page around it cleared; the last one is read by the judge, once no newer one has
// taken its place for a moment.
const QUIET = 300;
let moving = false, timer = null;
watch("value", () => {
  const before = moving;
  moving = element.querySelector("img") !== null;
  clearTimeout(timer);
  if (!moving) return;
  if (!before) trigger("begun");
  timer = setTimeout(() => trigger("still"), QUIET);
});
