// One prediction: a button that copies its address.
const copy = document.getElementById("copy");
const COPIED_MS = 2000;
if (navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const text = copy.querySelector("span");
    const before = text.textContent;
    try {
      await navigator.clipboard.writeText(location.origin + location.pathname);
      text.textContent = "Copied";
    } catch {
      text.textContent = "Not allowed here";
    }
    setTimeout(() => { text.textContent = before; }, COPIED_MS);
  });
}
