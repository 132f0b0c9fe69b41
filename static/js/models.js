// The models page: every part anew every other second, unless someone is marking text or about to press a button.
import { refresh } from "./scripts.js";

const PAUSE_MS = 1900;
let refreshedAt = performance.now();

document.addEventListener("status", () => {
  if (performance.now() - refreshedAt < PAUSE_MS || !getSelection().isCollapsed) return;
  if (document.querySelector("[data-live] button:focus, [data-live] .btn:active")) return;
  refreshedAt = performance.now();
  refresh();
});
