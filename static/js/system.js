// The system page: every figure anew every other second, unless someone is marking text.
import { refresh } from "./scripts.js";

const PAUSE_MS = 1900;
let refreshedAt = performance.now();

document.addEventListener("status", () => {
  if (performance.now() - refreshedAt < PAUSE_MS || !getSelection().isCollapsed) return;
  refreshedAt = performance.now();
  refresh();
});
