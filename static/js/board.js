// The board: filter while typing, rows in the order of the newest close, and new calls told to a screen reader.
import { refresh } from "./scripts.js";

const TOLD_MS = 20000; // between two sentences to a screen reader
const WORK_MS = 5000; // between two looks at how far a training is
const filter = document.getElementById("filter");
const table = document.querySelector("#board tbody");
const CHOICES = "#head a, #show a, nav[aria-label=Horizon] a"; // of another board, which keeps the filter

function put(asked) {
  if (filter.value.trim()) asked.set("filter", filter.value.trim());
  else asked.delete("filter");
}
function narrow() {
  const text = filter.value.trim().toUpperCase();
  const rows = [...table.rows].filter((row) => row.id);
  for (const row of rows) row.hidden = !row.id.slice(2).includes(text);
  document.getElementById("none-of").textContent = filter.value.trim();
  document.getElementById("none").hidden = !rows.length || rows.some((row) => !row.hidden);
  for (const link of document.querySelectorAll(CHOICES)) {
    const asked = new URLSearchParams(link.search);
    put(asked);
    link.setAttribute("href", `?${asked}`);
  }
}
filter.addEventListener("input", () => {
  narrow();
  const address = new URL(location.href); // so that it can be sent to somebody, and survives a reload
  put(address.searchParams);
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

// While a training goes on beside the predictions, how far it is may change between two closes.
let workedAt = performance.now();
document.addEventListener("status", () => {
  if (document.getElementById("working").hidden || performance.now() - workedAt < WORK_MS) return;
  workedAt = performance.now();
  refresh();
});

// A row never jumps while someone reads or points at the table.
document.addEventListener("parts", ({ detail: page }) => {
  const isRead = table.matches(":hover") || table.contains(document.activeElement);
  const fresh = [...page.querySelectorAll("#board tbody tr")];
  const ids = fresh.map((row) => row.id);
  const known = new Set([...table.rows].map((row) => row.id));
  const isOther = ids.length !== known.size || fresh.some((row) => (row.id ? !known.has(row.id) : !row.isEqualNode(table.rows[0]))); // or why there is none
  document.getElementById("board").classList.toggle("all-stale", document.body.dataset.feed !== "live");
  if (isOther) table.replaceChildren(...fresh.map((row) => document.importNode(row, true)));
  else if (!isRead) ids.forEach((id, at) => { if (table.rows[at]?.id !== id) table.insertBefore(document.getElementById(id), table.rows[at]); });
  narrow();
  tell();
});
