// What hands do with the chart: move and zoom it by keyboard, and take a picture of it.
import { colour } from "./chart_colours.js";

const HEAD = 34; // px above the picture, for what it shows
const FEWEST = 10; // candles that stay in view

// `total()` tells how many places the time axis has, `newest()` how many a first view shows, `tell` is told what is in view.
export function keyboard(box, chart, { total, newest, tell }) {
  const scale = chart.timeScale();
  const moves = {
    ArrowLeft: ({ from, to }) => shifted(from, to, -(to - from) / 10),
    ArrowRight: ({ from, to }) => shifted(from, to, (to - from) / 10),
    Home: ({ from, to }) => shifted(from, to, -from),
    End: ({ from, to }) => shifted(from, to, total() - 1 - to),
    "+": ({ from, to }) => zoomed(from, to, 0.8),
    "-": ({ from, to }) => zoomed(from, to, 1.25),
    0: () => ({ from: total() - newest(), to: total() - 1 }),
  };
  function shifted(from, to, by) {
    const kept = Math.max(Math.min(0, -from), Math.min(by, Math.max(0, total() - 1 - to))); // nothing is beyond the ends
    return { from: from + kept, to: to + kept };
  }
  function zoomed(from, to, factor) {
    const span = Math.max(FEWEST, Math.min((to - from) * factor, total() - 1));
    return { from: Math.max(0, to - span), to: Math.max(to, span) };
  }
  let wanted = null; // what was asked for until the next frame shows it: keys come faster than frames
  scale.subscribeVisibleLogicalRangeChange(() => { wanted = null; });
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Chart: arrows move it, plus and minus zoom, Home and End go to its ends, 0 goes back");
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = moves[event.key === "=" ? "+" : event.key];
    const range = move && (wanted ?? scale.getVisibleLogicalRange());
    if (!range) return;
    event.preventDefault();
    wanted = move(range);
    scale.setVisibleLogicalRange(wanted);
    tell(Math.max(0, Math.round(wanted.from)), Math.min(total() - 1, Math.round(wanted.to)));
  });
}

// `title` and `note` tell at the moment of the picture what it shows and when.
export function picture(button, chart, { title, note, file }) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const shot = chart.takeScreenshot(true);
    const ratio = shot.width / chart.chartElement().clientWidth;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [shot.width, shot.height + HEAD * ratio];
    const c = canvas.getContext("2d");
    c.fillStyle = colour("card");
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.drawImage(shot, 0, HEAD * ratio);
    c.scale(ratio, ratio);
    const family = getComputedStyle(document.body).fontFamily;
    c.textBaseline = "middle";
    c.font = `600 13px ${family}`;
    c.fillStyle = colour("ink");
    c.fillText(title(), 12, HEAD / 2);
    const from = 12 + c.measureText(title()).width + 12;
    c.font = `400 11px ${family}`;
    c.fillStyle = colour("mute");
    c.fillText(note(), from, HEAD / 2);
    canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = file();
      link.click();
      URL.revokeObjectURL(link.href);
    });
  });
}
