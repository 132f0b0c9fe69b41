// The chart: candles, volume, chosen lines, forecast range, holes and past calls. The server's drawing stays until this one is ready.
import { createChart, CandlestickSeries, HistogramSeries, LineSeries } from "../vendor/lightweight-charts.standalone.production.mjs";
import { colour } from "./chart_colours.js";
import { overlay } from "./chart_overlay.js";
import { keyboard, picture } from "./chart_tools.js";
import { frame, localTime, thin } from "./scripts.js";

const box = document.getElementById("chart");
const { symbol, horizon, interval, market } = box.dataset;
const digits = Number(box.dataset.digits);
const ownCostBps = Number(box.dataset.costBps ?? 0); // a fee of the reader's own: a call it eats up is drawn grey
const step = Number(box.dataset.intervalMs) / 1000;
const lines = box.dataset.lines ? box.dataset.lines.split(",") : [];
const small = matchMedia("(max-width: 719px)");
const price = (value) => thin(value, digits);
const seconds = (text) => Date.parse(text) / 1000;
const LINE = 13; // px of one line of text
const AXIS = 80; // px of the price scale, more or less
const GAP_SLOTS = 12; // a longer hole is drawn as wide as so many candles, as in the server's drawing
const STRENGTH = "rsi"; // the only line that is no price
const zone = document.documentElement.dataset.zone;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Colour, width and dash of each line, as in the style sheet; the library counts 0 solid, 1 dotted, 2 dashed.
const LOOKS = { sma_20: ["soft", 1, 0], sma_50: ["edge", 2, 0], ema_26: ["soft", 1, 2], bollinger_upper_20: ["edge", 1, 1], bollinger_lower_20: ["edge", 1, 1], rsi: ["soft", 1, 0] };
const now = { candles: [], gaps: [], forecast: null, calls: [], lines: new Map() };

function local(time) {
  const [year, month, day, clock] = localTime(time * 1000).split(/[- ]/);
  return { year, month: MONTHS[month - 1], day: String(Number(day)), clock: clock.slice(0, 5) };
}
// What a mark of the time axis says: of a new year, month, day, or a time of day.
const tick = (time, kind) => local(time)[["year", "month", "day", "clock", "clock"][kind]];
function moment(time) {
  const { month, day, clock } = local(time);
  return `${day} ${month}, ${clock} ${zone ? `${zone.split("/").pop().replaceAll("_", " ")} time` : "UTC"}`;
}
async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return (await answer.json()).items;
}
async function load() {
  const name = encodeURIComponent(symbol), named = `symbol=${name}&horizon=${horizon}`;
  const [rows, drawn, newest, past] = await Promise.all([
    read(`/api/v1/candles/${name}?interval=${interval}&limit=500`),
    lines.length ? read(`/api/v1/indicators/${name}?interval=${interval}&limit=500&fields=open_time,${lines.join(",")}`) : [],
    horizon ? read(`/api/v1/predictions?${named}&fields=made_at,due_at,price,expected_return_bps,low_bps,high_bps,verdict`) : [],
    horizon ? read(`/api/v1/ledger?${named}&state=scored&limit=500&fields=made_at,verdict,net_bps`) : [],
  ]);
  now.candles = rows.map((row) => ({ time: seconds(row.open_time), open: row.open, high: row.high, low: row.low, close: row.close, volume: row.volume }));
  now.gaps = now.candles.slice(1).map((bar, at) => ({ before: now.candles[at].time, after: bar.time })).filter(({ before, after }) => after - before > step);
  for (const line of lines) now.lines.set(line, drawn.map((row) => ({ time: seconds(row.open_time), value: row[line] ?? undefined })));
  const row = document.querySelector("#side [data-kind=probability]") ? newest[0] : null; // silent when the page is
  now.forecast = row?.low_bps == null ? null : { made: seconds(row.made_at), due: seconds(row.due_at), price: row.price, expected: row.expected_return_bps, low: row.low_bps, high: row.high_bps, verdict: Math.abs(row.expected_return_bps) > ownCostBps ? row.verdict : "abstain" };
  // A longer candle holds several calls; the newest one stands for it, and an abstention only when it is alone.
  const calls = new Map();
  for (const one of past.reverse()) {
    const time = Math.floor((seconds(one.made_at) - 0.001) / step) * step;
    if (one.net_bps !== null || !calls.has(time)) calls.set(time, { time, verdict: one.verdict, isHit: one.net_bps === null ? null : one.net_bps > 0 });
  }
  now.calls = [...calls.values()];
}

// The chart grows behind the server's drawing, one part at a time, so that a touch meanwhile is answered: each part is a task
// of its own, and so is the frame in which the library paints it; the second one, as it learns its size in the first.
async function painted() {
  await frame();
  await frame();
}

await load();
await new Promise((go) => setTimeout(go));
if (now.candles.length) draw();
else document.addEventListener("parts", ({ detail: page }) => { if (page.querySelector("#chart .plot")) location.reload(); }); // the first candles bring a legend, too

async function draw() {
  // A price of the scale gives way to the tag of the last one.
  const ticks = (values) => values.map((value) => (Math.abs(bars.priceToCoordinate(value) - bars.priceToCoordinate(now.candles.at(-1).close)) <= LINE ? "" : price(value)));
  let isLate = false; // something has changed before the chart could hear of it
  for (const name of ["look", "parts"]) document.addEventListener(name, () => { isLate = true; });
  const chart = createChart(box, looks());
  chart.chartElement().classList.add("unready");
  await painted();
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
  fillVolume();
  await painted();
  const bars = chart.addSeries(CandlestickSeries, { priceLineStyle: 3, priceFormat: { type: "custom", formatter: price, tickmarksFormatter: ticks, minMove: 10 ** -digits } });
  bars.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.26 } });
  const drawn = new Map(lines.map((line) => [line, addLine(line)]));
  const levels = drawn.has(STRENGTH) ? [30, 70].map((level) => drawn.get(STRENGTH).createPriceLine({ price: level, lineWidth: 1, lineStyle: 1, axisLabelVisible: false })) : [];
  if (levels.length) chart.panes()[1].setStretchFactor(0.5);

  function addLine(line) {
    const quiet = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false };
    if (line !== STRENGTH) return chart.addSeries(LineSeries, { ...quiet, priceFormat: { type: "custom", formatter: price, minMove: 10 ** -digits } });
    return chart.addSeries(LineSeries, { ...quiet, priceFormat: { type: "price", precision: 0, minMove: 1 }, autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 100 } }) }, 1);
  }

  const steps = () => (now.forecast ? Math.max(1, Math.min(Math.round((now.forecast.due - now.forecast.made) / step), small.matches ? 24 : 60)) : 0);
  const shown = () => (small.matches ? 60 : 150) + steps();
  // Places after the last candle: of a forecast the first is when it was made, and `steps` later it is due; a long one takes longer steps.
  const ahead = (i) => (now.forecast ? now.forecast.made + Math.round((i * (now.forecast.due - now.forecast.made)) / steps()) : now.candles.at(-1).time + (i + 1) * step);
  // Beside the end of the forecast is room for its prices; on a phone they stand inside.
  const room = () => (!now.forecast ? 3 : small.matches ? 4 : 1 + Math.ceil(shown() * (6.5 * price(now.forecast.price).length + 18) / Math.max(box.clientWidth - AXIS, 300)));
  const over = overlay(chart, bars, now, { price, ahead, steps, small });

  let places = [];
  function fill() {
    fillVolume();
    fillBars();
  }
  function fillVolume() {
    volume.setData(now.candles.map((k) => ({ time: k.time, value: k.volume, color: colour("edge", k.close >= k.open ? 0.28 : 0.55) })));
  }
  function fillBars() {
    const holes = now.gaps.flatMap(({ before, after }) => [...Array(Math.min(GAP_SLOTS, Math.round((after - before) / step) - 1)).keys()].map((i) => ({ time: before + (i + 1) * step })));
    const last = now.candles.at(-1).time, future = [...Array(steps() + room()).keys()].map((i) => ({ time: ahead(i) })).filter(({ time }) => time > last); // a candle may come before its forecast
    places = [...now.candles, ...holes, ...future].sort((a, b) => a.time - b.time);
    bars.setData(places);
    for (const [line, series] of drawn) series.setData(now.lines.get(line));
    document.getElementById("gaps-key").hidden = now.gaps.length === 0;
  }
  function looks() {
    const text = { textColor: colour("mute"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 };
    const cross = { color: colour("edge"), labelBackgroundColor: colour("soft") };
    return {
      autoSize: true,
      layout: { attributionLogo: false, background: { color: colour("card") }, panes: { separatorColor: colour("line"), separatorHoverColor: colour("edge", 0.3) }, ...text },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("line", 0.7) } },
      rightPriceScale: { borderVisible: false, entireTextOnly: true },
      crosshair: { vertLine: cross, horzLine: cross },
      localization: { timeFormatter: moment },
      timeScale: { borderColor: colour("line"), lockVisibleTimeRangeOnResize: true, timeVisible: true, secondsVisible: false, minBarSpacing: 1, tickMarkFormatter: tick },
    };
  }
  function paint() {
    bars.applyOptions({ upColor: colour("card"), downColor: colour("down"), borderUpColor: colour("up"), borderDownColor: colour("down"), wickUpColor: colour("up"), wickDownColor: colour("down"), priceLineColor: colour("edge") });
    for (const [line, series] of drawn) {
      const [name, lineWidth, lineStyle] = LOOKS[line];
      series.applyOptions({ color: colour(name), lineWidth, lineStyle });
    }
    for (const level of levels) level.applyOptions({ color: colour("edge") });
  }

  paint();
  fillBars();
  let width = box.clientWidth;
  const scale = chart.timeScale();
  let begun = 0;
  function begin() {
    begun = shown();
    scale.setVisibleLogicalRange({ from: places.length - begun, to: places.length - 1 });
  }
  begin();
  await painted();
  bars.attachPrimitive(over);
  over.update?.(); // the library paints it with the next change only
  await painted();
  box.querySelector(".plot")?.remove();
  chart.chartElement().classList.remove("unready");
  if (isLate) renew().then(repaint);
  // In a window of another width the chart begins anew; what somebody has moved or zoomed stays in view.
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    const { from, to } = scale.getVisibleLogicalRange(), last = places.length - 1;
    const isMoved = Math.abs(to - last) >= 1 || Math.abs(to - from - begun + 1) >= 1;
    fill();
    if (!isMoved) begin();
  }).observe(box);
  function repaint() {
    chart.applyOptions(looks());
    paint();
    fill();
  }
  async function renew() {
    try { await load(); fill(); over.update?.(); tell(); } catch { /* the page says that the server is gone */ }
  }
  document.addEventListener("look", repaint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  document.addEventListener("parts", renew);

  const legend = new Map([...document.querySelectorAll("#legend [data-key]")].map((part) => [part.dataset.key, part]));
  function tell(time = now.candles.at(-1).time) {
    const bar = now.candles.find((one) => one.time === time) ?? now.candles.at(-1);
    legend.get("time").textContent = moment(bar.time);
    for (const key of ["open", "high", "low", "close", "volume"]) legend.get(key).querySelector("b").textContent = thin(bar[key], key === "volume" ? 0 : digits);
    for (const line of lines) {
      const value = now.lines.get(line).find((one) => one.time === bar.time)?.value;
      legend.get(line).querySelector("b").textContent = value === undefined ? "–" : thin(value, line === STRENGTH ? 1 : digits);
    }
  }
  chart.subscribeCrosshairMove((event) => tell(event.time));

  document.getElementById("chart-keys").hidden = false;
  const view = document.getElementById("chart-view");
  keyboard(box, chart, { total: () => places.length, newest: shown, tell: (from, to) => { view.textContent = `${moment(places[from].time)} to ${moment(places[to].time)}`; } });
  picture(document.getElementById("picture"), chart, {
    title: () => `${symbol} ${interval}`,
    note: () => [`to ${moment(now.candles.at(-1).time + step)}`, `${market} market`, ...lines.map((line) => line.replaceAll("_", " ")), "Candela"].join(" · "),
    file: () => `${symbol}-${interval}-${new Date((now.candles.at(-1).time + step) * 1000).toISOString().slice(0, 16).replace(/[:T]/g, "-")}.png`,
  });
}
