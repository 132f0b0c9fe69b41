"""A page in a browser, and what can be seen on it that should not be there."""

from axe_playwright_python.sync_playwright import Axe

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SMALLEST_LETTERS_PX = 11

# Cards that are shown, and nothing of what they hold.
_EMPTY = """() => [...document.querySelectorAll(".card-body")].filter(
    (body) => body.closest(".card")?.offsetHeight && !body.closest("[hidden], details") && !body.offsetHeight
).map((body) => body.textContent.slice(0, 60))"""
# Last cells whose right edge lies outside the box of their table.
_CLIPPED = """() => [...document.querySelectorAll("table")].filter((table) => table.offsetParent).flatMap((table) => {
    const box = table.closest(".scroll, .card").getBoundingClientRect();
    const last = [...table.rows].flatMap((row) => [...row.cells].filter((cell) => cell.offsetParent).slice(-1));
    const isOut = (cell) => !cell.closest(".scroll") && cell.getBoundingClientRect().right > box.right + 0.5;
    return last.filter(isOut).map((cell) => cell.textContent);
})"""
# Words that something cuts off, that leave their cell, or that are too small: each with the reason and its element.
_WORDS = """(smallest) => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const cutBy = (element, rect) => {
        for (let box = element; box && box !== document.body; box = box.parentElement) {
            const look = getComputedStyle(box);
            if (["auto", "scroll"].includes(look.overflowX)) return null;
            const { left, right } = box.getBoundingClientRect();
            const isEdge = look.overflowX !== "visible" || box.matches("td, th");
            if (isEdge && (rect.right > right + 1 || rect.left < left - 1)) return box;
        }
        return null;
    };
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim();
        const element = walker.currentNode.parentElement;
        const isSeen = element.checkVisibility({ visibilityProperty: true });
        if (!text || !isSeen || element.closest(".visually-hidden, .skip, svg, option")) continue;
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        const rect = range.getBoundingClientRect();
        const box = rect.width && cutBy(element, rect);
        if (box) found.push(`cut by <${box.localName} class="${box.className}">: ${text.slice(0, 60)}`);
        const size = parseFloat(getComputedStyle(element).fontSize);
        if (size < smallest) found.push(`${size} px: ${text.slice(0, 60)}`);
    }
    return found;
}"""

# What a finger has to find, and is too low for it; wider windows are for mice.
_LOW = """() => [...document.querySelectorAll(".seg a, .btn, .field input, .field select, .star")]
    .filter((one) => innerWidth < 720 && one.checkVisibility() && one.getBoundingClientRect().height < 40)
    .map((one) => one.outerHTML.slice(0, 120))"""


def watch(page):
    """Return the page; it collects what the browser complains about, and every address it asks."""
    page.complaints, page.asked = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    return page


def misfits(page):
    """Return what does not fit at the present width, by kind; nothing is the only good answer."""
    kinds = {
        "sideways": page.evaluate("[document.documentElement.scrollWidth].filter((width) => width > innerWidth)"),
        "clipped": page.evaluate(_CLIPPED),
        "empty": page.evaluate(_EMPTY),
        "low": page.evaluate(_LOW),
        "words": page.evaluate(_WORDS, _SMALLEST_LETTERS_PX),
    }
    return {kind: found for kind, found in kinds.items() if found}


def barriers(page):
    """Return what axe holds against the page: rule, element, and what is wrong with it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    options = {"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("(options) => axe.run(options).then(({ violations }) => violations)", options)
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]
