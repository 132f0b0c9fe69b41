// The board: filter while typing, stars, rows in the order of the newest close, and new calls told to a screen reader.
import { refresh } from "./scripts.js";
import { keep } from "./keys.js";

const TOLD_MS = 20000; // between two sentences to a screen reader
const filter = document.getElementById("filter");
const table = document.querySelector("#board tbody");

function narrow() {
  const text = filter.value.trim().toUpperCase();
  for (const row of table.rows) if (row.id) row.hidden = !row.id.slice(2).includes(text);
}
filter.addEventListener("input", () => {
  narrow();
  const address = new URL(location.href); // so that it can be sent to somebody, and survives a reload
  if (filter.value.trim()) address.searchParams.set("filter", filter.value.trim());
  else address.searchParams.delete("filter");
  history.replaceState(null, "", address);
});
// The server sent the matching rows only; from here on all of them are here and the filter works while typing.
if (new URL(location.href).searchParams.has("filter")) refresh();
filter.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  filter.value = "";
  filter.dispatchEvent(new Event("input"));
  filter.blur();
});
document.addEventListener("shortcut", ({ detail: event }) => {
  if (event.key !== "/" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  filter.focus();
});

// A star is a link to the settings where there is no JavaScript; here it is a switch.
const watchedCookie = () => document.cookie.split("; ").find((part) => part.startsWith("candela-watch="))?.slice(14) ?? "";
document.getElementById("board").addEventListener("click", (event) => {
  const star = event.target.closest(".star");
  if (!star) return;
  event.preventDefault();
  const watched = new Set(watchedCookie().split(".").filter(Boolean));
  const name = encodeURIComponent(star.dataset.watch);
  const isWatched = !watched.delete(name);
  if (isWatched) watched.add(name);
  keep("watch", [...watched].join("."));
  star.classList.toggle("star-on", isWatched);
  star.setAttribute("aria-label", `${isWatched ? "Watched" : "Watch"}: ${star.dataset.watch}`);
  refresh();
});

document.getElementById("hint-off")?.addEventListener("click", (event) => {
  event.preventDefault();
  keep("hints", "off");
  document.getElementById("hint").remove();
});

// What a screen reader hears: calls that are new since it was last told, and no more often than it can follow.
const region = document.getElementById("told");
const verdicts = () => new Map([...table.rows].filter((row) => row.id).map((row) => [row.id.slice(2), row.dataset.verdict]));
let told = verdicts();
let toldAt = -TOLD_MS;
let telling = 0;
function tell() {
  clearTimeout(telling);
  const restMs = toldAt + TOLD_MS - performance.now();
  if (restMs > 0) { telling = setTimeout(tell, restMs); return; }
  const now = verdicts();
  const changed = [...now].filter(([name, verdict]) => told.has(name) && told.get(name) !== verdict);
  told = now;
  if (!changed.length) return;
  toldAt = performance.now();
  const words = changed.slice(0, 3).map(([name, verdict]) => `${name} ${verdict === "abstain" ? "abstains" : verdict}`);
  region.textContent = words.join(", ") + (changed.length > 3 ? `, and ${changed.length - 3} more` : "");
}

// A row never jumps while someone reads or points at the table.
document.addEventListener("parts", ({ detail: page }) => {
  const isRead = table.matches(":hover") || table.contains(document.activeElement);
  const ids = [...page.querySelectorAll("#board tbody tr")].map((row) => row.id);
  const known = new Set([...table.rows].map((row) => row.id));
  const isOther = ids.length !== known.size || ids.some((id) => !known.has(id));
  document.getElementById("board").classList.toggle("all-stale", document.body.dataset.feed !== "live");
  if (isOther) table.replaceChildren(...[...page.querySelectorAll("#board tbody tr")].map((row) => document.importNode(row, true)));
  else if (!isRead) ids.forEach((id, at) => { if (table.rows[at]?.id !== id) table.insertBefore(document.getElementById(id), table.rows[at]); });
  narrow();
  tell();
});
