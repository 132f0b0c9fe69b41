// Colours live in the style sheet; a probe reads what they resolve to.
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);

export function colour(name, alpha = 1) {
  probe.setAttribute("class", `probe-${name}`);
  const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}
