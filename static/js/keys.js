// Every page: the keyboard, the drawer of settings, the list of keys, stars, hints, links to copy. Nothing here is needed to reach a page or a choice.
import { refresh } from "./scripts.js";

const YEAR_SECONDS = 31536000;
const UNDO_MS = 10000;
const COPIED_MS = 2000;
const KEYS = [["/", "filter the board"], ["j k", "next, previous row of a table"], ["Enter", "open the row"], ["1 – 6", "horizon; beside a chart, candle length"], ["← → + − 0", "move and zoom the chart that has the focus; 0 goes back"], ["t", "theme"], ["z", "time zone: UTC or this computer's"], ["e", "export the first table as CSV; a prediction as JSON"], ["?", "these keys"]];

const { cookies } = document.body.dataset;

function keep(name, value) {
  const life = value ? YEAR_SECONDS : 0;
  document.cookie = `${cookies}${name}=${value}; path=/; max-age=${life}; samesite=lax`;
}

document.addEventListener("shortcut", ({ detail: event }) => {
  if (document.querySelector("dialog[open]")) return;
  const { key } = event;
  if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (/^[1-6]$/.test(key)) (document.getElementById("lengths") ?? document.querySelector("nav[aria-label=Horizon]"))?.querySelectorAll("a")[key - 1]?.click();
  else if (key === "z") changeZone();
  else if (key === "e") document.querySelector('main a:is([href*=".csv"], [download])')?.click();
  else if (key === "?") help();
});

// Focus stands on the link of a row, so that Enter opens it by itself.
function step(by) {
  const links = [...document.querySelectorAll("main tbody tr")].filter((row) => row.checkVisibility()).map((row) => row.querySelector(":is(th, td) a[href]:not(.star)")).filter(Boolean);
  if (!links.length) return;
  const row = document.activeElement.closest("tr");
  const at = links.findIndex((link) => link.closest("tr") === row);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, at + by))];
  next.focus();
  next.closest("tr").scrollIntoView({ block: "nearest" });
}

function changeZone() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  keep("zone", document.documentElement.dataset.zone || own === "UTC" ? "" : own);
  location.reload();
}

function dialog(kind, title) {
  const box = document.createElement("dialog");
  box.className = kind;
  box.setAttribute("aria-labelledby", `${kind}-title`);
  const head = document.createElement("div");
  head.className = "dialog-head";
  const heading = document.createElement("h2");
  heading.id = `${kind}-title`;
  heading.textContent = title;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn btn-bare";
  close.textContent = "Close";
  close.addEventListener("click", () => box.close());
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  box.addEventListener("close", () => box.remove());
  head.append(heading, close);
  box.append(head);
  document.body.append(box);
  return box;
}

function help() {
  const box = dialog("help", "Keys");
  const list = document.createElement("dl");
  for (const [keys, meaning] of KEYS) {
    const name = document.createElement("dt");
    for (const key of keys.split(" ")) {
      const cap = document.createElement(key === "–" ? "span" : "kbd");
      cap.textContent = key;
      name.append(cap, " ");
    }
    const text = document.createElement("dd");
    text.textContent = meaning;
    list.append(name, text);
  }
  const note = document.createElement("p");
  note.className = "card-note mute xs";
  note.textContent = "They rest while you type.";
  box.append(list, note);
  box.showModal();
}

// What was done at once can be taken back for ten seconds; they stand still while somebody points at it.
function offerUndo(text, undo) {
  document.getElementById("undo")?.remove();
  const box = document.createElement("div");
  box.id = "undo";
  box.setAttribute("role", "status");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn";
  button.textContent = "Undo";
  button.addEventListener("click", () => { box.remove(); undo(); });
  document.body.append(box);
  box.append(text, button); // after it stands in the page, so that it is read out
  let timer = setTimeout(() => box.remove(), UNDO_MS);
  for (const name of ["pointerenter", "focusin"]) box.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) box.addEventListener(name, () => { clearTimeout(timer); timer = setTimeout(() => box.remove(), UNDO_MS); });
}

// A star is a link to the settings where there is no JavaScript; here it is a switch.
const watchedCookie = () => document.cookie.split("; ").find((part) => part.startsWith(`${cookies}watch=`))?.split("=")[1] ?? "";
function watch(symbol) {
  const watched = new Set(watchedCookie().split(".").filter(Boolean));
  const name = encodeURIComponent(symbol);
  const isWatched = !watched.delete(name);
  if (isWatched) watched.add(name);
  keep("watch", [...watched].join("."));
  for (const star of document.querySelectorAll(`.star[data-watch="${CSS.escape(symbol)}"]`)) {
    star.classList.toggle("star-on", isWatched);
    star.setAttribute("aria-label", `${isWatched ? "Watched" : "Watch"}: ${symbol}`);
  }
  refresh();
  return isWatched;
}
document.addEventListener("click", (event) => {
  const star = event.target.closest(".star");
  if (!star) return;
  event.preventDefault();
  const { watch: symbol } = star.dataset;
  if (watch(symbol)) document.getElementById("undo")?.remove();
  else offerUndo(`${symbol} is not watched any more.`, () => watch(symbol));
});

document.getElementById("hint-off")?.addEventListener("click", (event) => {
  event.preventDefault();
  const hint = document.getElementById("hint");
  keep("hints", "off");
  hint.hidden = true;
  offerUndo("Hints are hidden. The settings bring them back.", () => { keep("hints", ""); hint.hidden = false; });
});

// The address of what is shown: as it stands above, and what the page chose by itself, such as the horizon.
const copy = document.getElementById("copy");
if (!navigator.clipboard) copy?.remove(); // browsers keep it from pages that are neither local nor encrypted
else if (copy) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const label = copy.lastElementChild;
    const before = label.textContent;
    const address = new URL(location.href);
    for (const [name, value] of new URLSearchParams(copy.dataset.state)) if (!address.searchParams.has(name)) address.searchParams.set(name, value);
    address.hash = "";
    copy.disabled = true;
    try {
      await navigator.clipboard.writeText(address.href);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Not allowed by the browser";
    }
    setTimeout(() => { label.textContent = before; copy.disabled = false; }, COPIED_MS);
  });
}

// The settings are a page of their own; here its form comes as a drawer, and leads back to this very address.
document.getElementById("settings")?.addEventListener("click", async (event) => {
  const link = event.currentTarget;
  if (event.ctrlKey || event.metaKey || event.shiftKey || document.getElementById("prefs")) return;
  event.preventDefault();
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    const form = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("prefs");
    if (!form) throw new Error("no form came");
    const box = dialog("drawer", "Settings");
    box.append(document.importNode(form, true));
    offerOwnZone();
    box.showModal();
  } catch {
    location.assign(link.href);
  }
});

// The zone of this computer stands first among those to choose from.
function offerOwnZone() {
  const choices = [...document.querySelectorAll("#zone option")];
  if (!choices.length) return; // asking for the zone takes longer than all else here
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const choice = choices.find((one) => one.value === own);
  choice?.parentElement.firstElementChild.after(choice);
}
offerOwnZone();
