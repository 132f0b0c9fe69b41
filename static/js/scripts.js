// Every page: theme, market clock, ages, the event stream, and parts that replace themselves. Pages are complete without it.
const root = document.documentElement;
const body = document.body;
const THEME_SECONDS = 31536000;
const SILENT_MS = 6000; // the server says something every second
const POLL_MS = 2000; // between two looks at the page while the server has no stream for it
const RETRY_MS = 15000; // between two asks for a stream that was refused
const LATE_MS = 10000; // a closed candle may take this long before it counts as late
const LIT_MS = 900; // as long as the light in the style sheet
const RESTLESS_MS = 10000; // a price that moves more often than this is no news
const SETTLE_MS = 120; // the rows of one close come in a few events
const STRETCH_MS = 4; // of work at a time on a page that came; then a frame is shown, and a touch answered
const HURRY_MS = 1000; // so long what was told and is not on the page yet is looked for without waiting for the next status

// As `web/formats.py` writes them: what rounds to nothing has no minus.
const isBelow = (value, digits) => Number(value.toFixed(digits)) < 0;
export const thin = (value, digits) => {
  const [whole, part] = Math.abs(value).toFixed(digits).split(".");
  return `${isBelow(value, digits) ? "\u2212" : ""}${whole.replace(/\B(?=(\d{3})+$)/g, "\u202f")}${part ? `.${part}` : ""}`;
};
export const signed = (value, digits) => (isBelow(value, digits) ? "" : "+") + thin(value, digits);
export const typing = (target) => target.matches("input, textarea, select, [contenteditable]");

export const frame = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));

export function flash(element) {
  element.classList.remove("flash");
  requestAnimationFrame(() => element.classList.add("flash"));
  setTimeout(() => element.classList.remove("flash"), LIT_MS);
}

// theme: the server writes it on <html> from a cookie, so nothing flashes
const button = document.getElementById("theme");
function flip() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.cookie = `${body.dataset.cookies}theme=${root.dataset.theme}; path=/; max-age=${THEME_SECONDS}; samesite=lax`;
  document.dispatchEvent(new CustomEvent("look"));
}
button.hidden = false;
button.addEventListener("click", flip);
for (const id of ["keys", "filter-key"]) document.getElementById(id)?.removeAttribute("hidden");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "t") flip();
  else document.dispatchEvent(new CustomEvent("shortcut", { detail: event }));
});

// clocks: the market's time runs at its own speed, ages in our seconds
let marketMs = Number(body.dataset.marketMs);
let speed = Number(body.dataset.speed);
let readAt = performance.now();
const market = () => marketMs + (performance.now() - readAt) * speed;
const ages = new WeakMap();
function setClock(timeMs, timesFaster) {
  marketMs = timeMs;
  speed = timesFaster;
  readAt = performance.now();
}

function ageText(seconds) {
  for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  return `${Math.floor(seconds)} s`;
}
export function setAge(element, seconds) {
  element.dataset.age = seconds;
  ages.set(element, { text: element.dataset.age, bornAt: performance.now() - seconds * 1000 });
}
// A formatter takes as long as all other scripts of a page: there is one of them, none for UTC. Swedes write times as ISO 8601 does.
const inZone = root.dataset.zone ? new Intl.DateTimeFormat("sv-SE", { timeZone: root.dataset.zone, dateStyle: "short", timeStyle: "medium" }) : null;
// Year, month, day and time of day in the reader's zone, as in 2025-11-20 12:10:00.
export const localTime = (timeMs) => (inZone ? inZone.format(timeMs) : new Date(timeMs).toISOString().slice(0, 19).replace("T", " "));
function tick() {
  const now = performance.now();
  for (const element of document.querySelectorAll("[data-age]")) {
    let known = ages.get(element);
    if (known?.text !== element.dataset.age) setAge(element, Number(element.dataset.age));
    known = ages.get(element);
    const text = ageText(Math.max(0, now - known.bornAt) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
  const clock = document.getElementById("clock-text");
  if (clock) clock.textContent = localTime(market()).slice(11);
  burn();
}
function burn() {
  const cell = document.querySelector("[data-close]");
  if (!cell?.dataset.close) return;
  const length = Number(cell.dataset.interval);
  const left = Number(cell.dataset.close) + length - market();
  const seconds = Math.abs(Math.trunc(left / 1000));
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const isClosing = left < 0 && left > -LATE_MS * speed;
  cell.querySelector("[data-countdown]").textContent = isClosing ? "closing" : `${left >= 0 ? "next in" : "late"} ${text}`;
  cell.querySelector("[data-burn]").setAttribute("width", body.dataset.feed === "live" ? Math.round(300 * Math.max(0, Math.min(1, left / length))) : 0);
}
setInterval(tick, speed > 1 ? 250 : 1000);

// parts: fetch this same page again and take over what changed, by id
let polling = 0;
let isFetching = false;
let isWanted = false;
export async function refresh() {
  if ("still" in body.dataset) return; // an error page stays what it is
  if (isFetching) { isWanted = true; return; }
  isFetching = true;
  try {
    const answer = await fetch(whole(), { headers: { Accept: "text/html" } });
    if (answer.status === 401) { location.reload(); return; } // logged out elsewhere; what comes is the login
    if (answer.ok) {
      await take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      answered();
      if (Number(body.dataset.version) < Number(version) && performance.now() - toldAt < HURRY_MS) later();
    }
  } catch { /* the stream notices that the server is gone, and says so */ }
  isFetching = false;
  if (isWanted) { isWanted = false; refresh(); }
}
// The filter narrows what is here while one types; the server is asked for all rows.
function whole() {
  const address = new URL(location.href);
  address.searchParams.delete("filter");
  return address;
}
async function take(page) {
  if (body.dataset.market !== page.body.dataset.market) { location.reload(); return; } // other symbols, another record
  body.dataset.feed = page.body.dataset.feed;
  body.dataset.version = page.body.dataset.version;
  if (polling) setClock(Number(page.body.dataset.marketMs), Number(page.body.dataset.speed));
  let begunAt = performance.now();
  for (const fresh of page.querySelectorAll("[data-live][id]")) {
    if (performance.now() - begunAt >= STRETCH_MS) {
      await frame();
      begunAt = performance.now();
    }
    const old = document.getElementById(fresh.id);
    if (old && !old.isEqualNode(fresh)) renew(old, fresh);
  }
  document.dispatchEvent(new CustomEvent("parts", { detail: page }));
}
// Silence is no news, and neither is another reason for it.
const NEWS = ".c-prob:has(b), .c-edge:has(b), .c-verdict:has(.verdict-up, .verdict-down)";
function renew(old, fresh) {
  const told = [...old.children].map((cell) => cell.textContent);
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const folds = [...old.querySelectorAll("details")].map((fold) => fold.open);
  const at = [...old.querySelectorAll("summary")].indexOf(document.activeElement);
  const now = takeOver(old, fresh);
  now.querySelectorAll("details").forEach((fold, number) => { fold.open ||= Boolean(folds[number]); });
  now.querySelectorAll("summary")[at]?.focus();
  if (focused) [...now.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  [...now.children].filter((cell, number) => cell.matches(NEWS) && cell.textContent !== told[number]).forEach(flash);
}
// Only what differs is touched: to make a whole row anew costs the browser more than all else here. Returns what stands there now.
function takeOver(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.childNodes.length !== fresh.childNodes.length) {
    const made = document.importNode(fresh, true);
    old.replaceWith(made);
    return made;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) { old.data = fresh.data; return old; }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if ("age" in fresh.dataset) ages.delete(old); // told anew, if with the same figure
  [...old.childNodes].forEach((child, at) => { if (!child.isEqualNode(fresh.childNodes[at])) takeOver(child, fresh.childNodes[at]); });
  return old;
}

// the event stream
const lost = document.getElementById("lost");
const aloud = document.getElementById("aloud");
let heardAt = performance.now();
let settling = 0;
let version = body.dataset.version;
let toldAt = -HURRY_MS; // when the newest version was
let stream;
let retrying = 0;
let isBehind = document.getElementById("notice").childElementCount > 0; // what is said is looked at again

// What a screen reader hears of all this: the words without their ages, and again only when more than a figure in them is new.
const words = () => [...(lost.hidden ? document.getElementById("notice") : lost).querySelectorAll("[data-aloud]")].map((part) => part.textContent).join(" ");
const gist = (text) => text.replace(/\d/g, "");
let known = gist(words()); // as the page came with it
function say() {
  const text = words();
  if (gist(text) === known) return;
  known = gist(text);
  aloud.textContent = text;
}

function later() {
  settling ||= setTimeout(() => { settling = 0; refresh(); }, SETTLE_MS);
}
function answered() {
  heardAt = performance.now();
  lost.hidden = true;
  body.classList.remove("is-lost");
  say();
}
function heard() {
  const wasLost = !lost.hidden;
  answered();
  if (wasLost) refresh();
}
function connect() {
  stream = new EventSource(`/api/v1/stream?since=${version}`);
  stream.addEventListener("status", (event) => {
    const status = JSON.parse(event.data);
    setClock(Date.parse(status.server_time), status.speed);
    heard();
    const state = status.engine.alive ? status.feed.state : status.feed.state === "live" ? "stale" : status.feed.state;
    const wasBehind = isBehind;
    isBehind = status.is_behind;
    document.dispatchEvent(new CustomEvent("status"));
    const isOld = status.engine.alive && Number(body.dataset.version) !== status.version; // more came after a look, or another ledger
    const isAwaited = document.querySelector("[data-awaited]") !== null || document.getElementById("start")?.hidden === false;
    if (isOld || isBehind || wasBehind || state !== body.dataset.feed || isAwaited) later();
  });
  stream.addEventListener("price", (event) => {
    heard();
    prices(JSON.parse(event.data).items);
  });
  stream.addEventListener("prediction", (event) => {
    heard();
    version = event.lastEventId || version; // only the last part of many rows has an id
    toldAt = performance.now();
    later();
  });
  stream.addEventListener("resync", later);
  stream.onopen = () => { clearInterval(polling); polling = 0; };
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) refused(); };
}
// Every place is taken: the page is looked at again and again, a 304 while it is the same, until there is a stream.
function refused() {
  clearInterval(polling);
  polling = setInterval(refresh, POLL_MS);
  refresh();
  retrying = setTimeout(connect, RETRY_MS);
}
function leave() {
  clearInterval(polling);
  clearTimeout(retrying);
  polling = 0;
  stream?.close();
  stream = undefined;
}
const movedAt = new Map(); // when each price last moved; one that never rests would be lit for ever
function prices(items) {
  const now = performance.now();
  const fresh = new Map(items.map((item) => [item.symbol, item]));
  const restless = new Set(items.map((item) => item.symbol).filter((symbol) => now - (movedAt.get(symbol) ?? 0) <= RESTLESS_MS));
  for (const element of document.querySelectorAll("[data-price]")) {
    const { price = null, symbol } = fresh.get(element.dataset.price) ?? {};
    const text = price === null ? element.textContent : thin(price, Number(element.dataset.digits));
    if (element.textContent === text) continue;
    element.textContent = text;
    movedAt.set(symbol, now);
    if (!restless.has(symbol)) flash(element);
  }
  for (const element of document.querySelectorAll("[data-change]")) {
    const { change_24h_percent: change = null } = fresh.get(element.dataset.change) ?? {};
    if (change !== null) element.firstChild.data = `${signed(change, 2)}%`;
  }
  for (const { symbol, data_age_s: age } of items) {
    const shown = document.getElementById(`a-${symbol}`)?.querySelector("[data-age]");
    if (shown && age !== null) setAge(shown, age);
  }
}
function watch() {
  const silentMs = performance.now() - heardAt;
  if (silentMs < SILENT_MS || document.hidden) return;
  if (!lost.hidden) return;
  lost.hidden = false;
  document.getElementById("lost-title").textContent = "Reconnecting: this page has lost the server.";
  body.classList.add("is-lost");
  setAge(document.getElementById("lost-age"), silentMs / 1000);
  say();
}
// After the Back button a page hears of both: that it is shown, and that it is seen.
function comeBack() {
  heardAt = performance.now();
  if (!stream) { connect(); refresh(); }
}
// A hidden tab keeps no stream: it would hold one of the server's places.
document.addEventListener("visibilitychange", () => (document.hidden ? leave() : comeBack()));
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => { if (event.persisted) comeBack(); });
const start = () => { heardAt = performance.now(); if (!document.hidden) connect(); setInterval(watch, 1000); };
if (document.readyState === "complete") start();
else addEventListener("load", start);
