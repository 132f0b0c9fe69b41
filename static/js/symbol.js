// The page of a symbol: candle lengths by number, and its address to the clipboard. The chart is in chart.js.
const COPIED_MS = 2000;

document.addEventListener("shortcut", ({ detail: event }) => {
  if (/^[1-6]$/.test(event.key)) document.querySelectorAll("#lengths a")[event.key - 1]?.click();
});

const copy = document.getElementById("copy");
copy.hidden = !navigator.clipboard; // browsers keep it from pages that are neither local nor encrypted
copy.addEventListener("click", async () => {
  const label = copy.textContent;
  try {
    await navigator.clipboard.writeText(new URL(copy.dataset.address, location.href).href);
    copy.textContent = "Copied";
  } catch {
    copy.textContent = "Not allowed by the browser";
  }
  copy.disabled = true;
  setTimeout(() => { copy.textContent = label; copy.disabled = false; }, COPIED_MS);
});
