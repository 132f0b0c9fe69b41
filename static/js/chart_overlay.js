// What the chart library does not know: holes, the range that opens with the square root of time, and the lane of calls.
import { colour } from "./chart_colours.js";

const LINE = 13; // px of one line of the forecast's prices
const HATCH = 7; // px between two lines of a hole

// `chart` and its series `bars`; `now` has candles, gaps, forecast and calls as they are; `ahead(i)` tells when the i-th place of the cone is, `steps` how many follow its first.
export function overlay(chart, bars, now, { price, ahead, steps, small }) {
  const x = (time) => chart.timeScale().timeToCoordinate(time);
  const y = (bps) => bars.priceToCoordinate(now.forecast.price * (1 + bps / 1e4));
  const hueOf = (verdict) => (alpha) => colour(verdict === "abstain" ? "edge" : verdict, alpha);
  const view = (order, paint) => ({ zOrder: () => order, renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace(({ context, mediaSize }) => paint(context, mediaSize.height)) }) });

  function gaps(c, height) {
    const half = chart.timeScale().options().barSpacing / 2;
    for (const { before, after } of now.gaps) {
      const left = x(before) + half, width = x(after) - half - left;
      if (!(width > 0)) continue;
      c.save();
      c.beginPath();
      c.rect(left, 0, width, height);
      c.clip();
      c.strokeStyle = colour("edge", 0.6);
      c.lineWidth = 1;
      c.beginPath();
      for (let at = left - height; at < left + width; at += HATCH) {
        c.moveTo(at, height);
        c.lineTo(at + height, 0);
      }
      c.stroke();
      c.restore();
    }
  }
  function cone(c) {
    if (!now.forecast) return;
    const { expected, low, high, verdict } = now.forecast;
    const n = steps();
    const at = [...Array(n + 1).keys()].map((i) => [x(ahead(i)), i / n]).filter(([px]) => px !== null);
    if (at.length < 2) return;
    const side = (end) => at.map(([px, s]) => [px, y(expected * s + (end - expected) * Math.sqrt(s))]);
    const top = side(high), bottom = side(low), hue = hueOf(verdict), [right] = top.at(-1);
    c.fillStyle = hue(0.14);
    c.beginPath();
    for (const point of [...top, ...[...bottom].reverse()]) c.lineTo(...point);
    c.closePath();
    c.fill();
    c.strokeStyle = hue(1);
    c.lineWidth = 1.5;
    c.setLineDash([4, 3]);
    c.beginPath();
    c.moveTo(top[0][0], y(0));
    c.lineTo(right, y(expected));
    c.stroke();
    c.setLineDash([]);
    c.beginPath();
    c.moveTo(right, y(high));
    c.lineTo(right, y(low));
    c.stroke();
    c.fillStyle = hue(1);
    c.beginPath();
    c.arc(right, y(expected), 3.5, 0, 7);
    c.fill();
  }
  function labels(c) {
    const right = now.forecast && x(ahead(steps()));
    if (!right) return;
    const { expected, low, high } = now.forecast;
    const middle = y(expected) + (small.matches ? LINE * (expected < 0 ? 1 : -1) : 0); // clear of the path
    const out = small.matches ? LINE * 0.7 : 0;
    mark(high, "soft", Math.min(y(high) - out, middle - LINE));
    mark(expected, "ink", middle);
    mark(low, "soft", Math.max(y(low) + out, middle + LINE));

    function mark(bps, name, at) {
      const text = price(now.forecast.price * (1 + bps / 1e4)), from = small.matches ? right - 8 : right + 8;
      c.font = `${name === "ink" ? 600 : 400} 11px ${getComputedStyle(document.body).fontFamily}`;
      c.textBaseline = "middle";
      c.textAlign = small.matches ? "right" : "left";
      c.lineJoin = "round";
      c.lineWidth = 4; // lines behind a price end before it
      c.strokeStyle = colour("card");
      c.strokeText(text, from, at);
      c.fillStyle = colour(name);
      c.fillText(text, from, at);
    }
  }
  function lane(c, height) {
    const middle = Math.round(height * 0.845), half = Math.max(1.5, Math.min(4.5, chart.timeScale().options().barSpacing * 0.42)); // as narrow as its candle
    for (const call of now.calls) {
      const at = x(call.time);
      if (at === null) continue;
      c.lineWidth = half < 3 ? 0.75 : 1.25;
      c.strokeStyle = c.fillStyle = colour(call.isHit === null ? "mute" : call.verdict);
      c.beginPath();
      if (call.isHit === null) {
        c.moveTo(at - half / 2, middle);
        c.lineTo(at + half / 2, middle);
      } else {
        const s = call.verdict === "up" ? -1 : 1;
        c.moveTo(at, middle + 4.5 * s);
        c.lineTo(at + half, middle - 3.5 * s);
        c.lineTo(at - half, middle - 3.5 * s);
        c.closePath();
      }
      c.stroke();
      if (call.isHit) c.fill();
    }
  }
  const range = ({ price: from, low, high }) => ({ minValue: from * (1 + low / 1e4), maxValue: from * (1 + high / 1e4) });
  return {
    attached({ requestUpdate }) { this.update = requestUpdate; },
    paneViews: () => [view("bottom", (c, height) => { gaps(c, height); cone(c); lane(c, height); }), view("top", labels)],
    autoscaleInfo: () => now.forecast && { priceRange: range(now.forecast) },
  };
}
