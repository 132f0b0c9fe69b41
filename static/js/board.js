// The board: filter while typing, and rows in the order of the newest close.
import { refresh } from "./scripts.js";

const filter = document.getElementById("filter");
const table = document.querySelector("#board tbody");

function narrow() {
  const text = filter.value.trim().toUpperCase();
  for (const row of table.rows) if (row.id) row.hidden = !row.id.slice(2).includes(text);
}
filter.addEventListener("input", narrow);
const address = new URL(location.href);
if (address.searchParams.has("filter")) {
  // The server sent the matching rows only; from here on all of them are here and the filter works while typing.
  address.searchParams.delete("filter");
  history.replaceState(null, "", address);
  refresh();
}
filter.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  filter.value = "";
  narrow();
  filter.blur();
});
document.addEventListener("shortcut", ({ detail: event }) => {
  if (event.key !== "/") return;
  event.preventDefault();
  filter.focus();
});

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
});
