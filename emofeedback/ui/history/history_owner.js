// Gives the browser its id before the first request to the API, and renews it for 400 days.
(() => {
  const name = "emofeedback_visitor", good = /^[0-9a-f]{32}$/;
  const found = document.cookie.split("; ").find((part) => part.startsWith(name + "="));
  let id = found ? found.slice(name.length + 1) : null;
  try { if (!good.test(id)) id = localStorage.getItem(name); } catch { /* storage is closed to this page */ }
  if (!good.test(id)) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  try { localStorage.setItem(name, id); } catch { /* the cookie alone then */ }
  // inside another site's frame (a Space) only a partitioned cookie is kept
  const rules = location.protocol === "https:" ? "SameSite=None; Secure; Partitioned" : "SameSite=Lax";
  document.cookie = `${name}=${id}; path=/; max-age=34560000; ${rules}`;
})();
