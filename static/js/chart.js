// The chart: candles, volume, forecast range, and a lane of past calls. The server's drawing stays until this one is ready.
import { createChart, CandlestickSeries, HistogramSeries } from "../vendor/lightweight-charts.standalone.production.mjs";
import { thin } from "./scripts.js";

const box = document.getElementById("chart");
const { symbol, horizon, interval } = box.dataset;
const digits = Number(box.dataset.digits);
const step = Number(box.dataset.intervalMs) / 1000;
const isSmall = matchMedia("(max-width: 719px)").matches;
const price = (value) => thin(value, digits);
const seconds = (text) => Date.parse(text) / 1000;
const SHOWN = isSmall ? 60 : 150;
const LINE = 13; // px of one line of the forecast's prices
const AXIS = 80; // px of the price scale, more or less
let candles = [];
let forecast = null;
let calls = [];

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return (await answer.json()).items;
}
async function load() {
  const named = `symbol=${encodeURIComponent(symbol)}&horizon=${horizon}`;
  const [rows, newest, past] = await Promise.all([
    read(`/api/v1/candles/${encodeURIComponent(symbol)}?interval=${interval}&limit=500`),
    horizon ? read(`/api/v1/predictions?${named}&fields=made_at,due_at,price,expected_return_bps,low_bps,high_bps,verdict`) : [],
    horizon ? read(`/api/v1/ledger?${named}&state=scored&limit=500&fields=made_at,verdict,net_bps`) : [],
  ]);
  candles = rows.map((row) => ({ time: seconds(row.open_time), open: row.open, high: row.high, low: row.low, close: row.close, volume: row.volume }));
  const row = document.querySelector("#side [data-kind=probability]") ? newest[0] : null; // silent when the page is
  forecast = row?.low_bps == null ? null : { made: seconds(row.made_at), due: seconds(row.due_at), price: row.price, expected: row.expected_return_bps, low: row.low_bps, high: row.high_bps, verdict: row.verdict };
  // A longer candle holds several calls; the newest one stands for it.
  const called = past.filter((one) => one.net_bps !== null).reverse();
  calls = called.map((one) => ({ time: Math.floor((seconds(one.made_at) - 0.001) / step) * step, verdict: one.verdict, isHit: one.net_bps > 0 }));
  calls = [...new Map(calls.map((call) => [call.time, call])).values()];
}

// Colours live in the style sheet; a probe reads what they resolve to.
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);
function colour(name, alpha = 1) {
  probe.setAttribute("class", `probe-${name}`);
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

await load();
if (candles.length) draw();

function draw() {
  // A price of the scale gives way to the tag of the last one.
  const ticks = (values) => values.map((value) => (Math.abs(bars.priceToCoordinate(value) - bars.priceToCoordinate(candles.at(-1).close)) <= LINE ? "" : price(value)));
  const chart = createChart(box, { autoSize: true, layout: { attributionLogo: false }, localization: { priceFormatter: price, tickmarksPriceFormatter: ticks } });
  const bars = chart.addSeries(CandlestickSeries, { priceLineStyle: 3, priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  bars.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.26 } });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });

  // What the library does not know: the range that opens with the square root of time, and the lane of calls.
  const x = (time) => chart.timeScale().timeToCoordinate(time);
  const steps = () => (forecast ? Math.max(1, Math.min(Math.round((forecast.due - forecast.made) / step), isSmall ? 24 : 60)) : 0);
  // Beside the end of the forecast is room for its prices; on a phone they stand inside.
  const room = () => (isSmall || !forecast ? 3 : Math.ceil((SHOWN + steps()) * (6.5 * price(forecast.price).length + 18) / Math.max(box.clientWidth - AXIS, 300)));
  const hueOf = (verdict) => (alpha) => colour(verdict === "abstain" ? "edge" : verdict, alpha);
  const view = (order, paint) => ({ zOrder: () => order, renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace(({ context, mediaSize }) => paint(context, mediaSize.height)) }) });
  const overlay = {
    attached({ requestUpdate }) { this.update = requestUpdate; },
    paneViews: () => [view("bottom", (context, height) => { cone(context); lane(context, height); }), view("top", labels)],
    autoscaleInfo: () => forecast && { priceRange: { minValue: forecast.price * (1 + forecast.low / 1e4), maxValue: forecast.price * (1 + forecast.high / 1e4) } },
  };
  function cone(c) {
    if (!forecast) return;
    const last = candles.at(-1).time, n = steps(), y = (bps) => bars.priceToCoordinate(forecast.price * (1 + bps / 1e4));
    const at = [...Array(n + 1).keys()].map((i) => [x(last + i * step), i / n]).filter(([px]) => px !== null);
    if (at.length < 2) return;
    const side = (end) => at.map(([px, s]) => [px, y(forecast.expected * s + (end - forecast.expected) * Math.sqrt(s))]);
    const high = side(forecast.high), low = side(forecast.low), hue = hueOf(forecast.verdict), [right] = high.at(-1);
    c.fillStyle = hue(0.14);
    c.beginPath();
    for (const point of [...high, ...[...low].reverse()]) c.lineTo(...point);
    c.closePath();
    c.fill();
    c.strokeStyle = hue(1);
    c.lineWidth = 1.5;
    c.setLineDash([4, 3]);
    c.beginPath();
    c.moveTo(high[0][0], y(0));
    c.lineTo(right, y(forecast.expected));
    c.stroke();
    c.setLineDash([]);
    c.beginPath();
    c.moveTo(right, y(forecast.high));
    c.lineTo(right, y(forecast.low));
    c.stroke();
    c.fillStyle = hue(1);
    c.beginPath();
    c.arc(right, y(forecast.expected), 3.5, 0, 7);
    c.fill();
  }
  function labels(c) {
    const right = forecast && x(candles.at(-1).time + steps() * step);
    if (!right) return;
    const y = (bps) => bars.priceToCoordinate(forecast.price * (1 + bps / 1e4));
    const middle = y(forecast.expected) + (isSmall ? LINE * (forecast.expected < 0 ? 1 : -1) : 0); // clear of the path
    const out = isSmall ? LINE * 0.7 : 0;
    mark(forecast.high, "soft", Math.min(y(forecast.high) - out, middle - LINE));
    mark(forecast.expected, "ink", middle);
    mark(forecast.low, "soft", Math.max(y(forecast.low) + out, middle + LINE));

    function mark(bps, name, at) {
      const text = price(forecast.price * (1 + bps / 1e4)), from = isSmall ? right - 8 : right + 8;
      c.font = `${name === "ink" ? 600 : 400} 11px ${getComputedStyle(document.body).fontFamily}`;
      c.textBaseline = "middle";
      c.textAlign = isSmall ? "right" : "left";
      c.lineJoin = "round";
      c.lineWidth = 4; // lines behind a price end before it
      c.strokeStyle = colour("card");
      c.strokeText(text, from, at);
      c.fillStyle = colour(name);
      c.fillText(text, from, at);
    }
  }
  function lane(c, height) {
    const y = Math.round(height * 0.845), half = Math.max(1.5, Math.min(4.5, chart.timeScale().options().barSpacing * 0.42)); // as narrow as its candle
    for (const call of calls) {
      const at = x(call.time);
      if (at === null) continue;
      const s = call.verdict === "up" ? -1 : 1;
      c.beginPath();
      c.moveTo(at, y + 4.5 * s);
      c.lineTo(at + half, y - 3.5 * s);
      c.lineTo(at - half, y - 3.5 * s);
      c.closePath();
      c.lineWidth = half < 3 ? 0.75 : 1.25;
      c.strokeStyle = c.fillStyle = colour(call.verdict);
      c.stroke();
      if (call.isHit) c.fill();
    }
  }
  bars.attachPrimitive(overlay);

  function fill() {
    const last = candles.at(-1).time, future = [...Array(steps() + room()).keys()].map((i) => ({ time: last + (i + 1) * step }));
    bars.setData([...candles, ...future]);
    volume.setData(candles.map((k) => ({ time: k.time, value: k.volume, color: colour("edge", k.close >= k.open ? 0.28 : 0.55) })));
    return candles.length + future.length;
  }
  function paint() {
    const text = { textColor: colour("mute"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 };
    const cross = { color: colour("edge"), labelBackgroundColor: colour("soft") };
    chart.applyOptions({
      layout: { background: { color: colour("card") }, ...text },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("line", 0.7) } },
      rightPriceScale: { borderVisible: false },
      crosshair: { vertLine: cross, horzLine: cross },
      timeScale: { borderColor: colour("line"), timeVisible: step < 86400, secondsVisible: false, minBarSpacing: 1 },
    });
    bars.applyOptions({ upColor: colour("card"), downColor: colour("down"), borderUpColor: colour("up"), borderDownColor: colour("down"), wickUpColor: colour("up"), wickDownColor: colour("down"), priceLineColor: colour("edge") });
    return fill();
  }

  box.querySelector(".plot")?.remove();
  document.getElementById("calls-key").hidden = false; // the drawing has no lane of calls
  const total = paint();
  chart.timeScale().setVisibleLogicalRange({ from: total - SHOWN - steps(), to: total - 1 });
  document.addEventListener("look", paint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  document.addEventListener("parts", async () => {
    try { await load(); fill(); overlay.update?.(); } catch { /* the page says that the server is gone */ }
  });

  const legend = document.querySelectorAll("#legend span");
  chart.subscribeCrosshairMove((event) => {
    const under = event.seriesData.get(bars);
    const bar = (under && candles.find((one) => one.time === under.time)) || candles.at(-1);
    legend[0].textContent = `${new Date(bar.time * 1000).toISOString().slice(11, 16)} UTC`;
    ["open", "high", "low", "close", "volume"].forEach((key, i) => { legend[i + 1].querySelector("b").textContent = thin(bar[key], key === "volume" ? 0 : digits); });
  });
}
