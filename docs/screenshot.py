"""Take the picture of the README from a running board: `python docs/screenshot.py http://127.0.0.1:8000`."""

import argparse
import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def main(arguments: list[str] | None = None) -> int:
    """Write one picture; exit code 1 when there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="where the board is, such as http://127.0.0.1:8000")
    parser.add_argument("--file", type=Path, default=FOLDER / "board.png")
    parser.add_argument("--path", default="/", help="page to show")
    parser.add_argument("--width", type=int, default=1366)
    parser.add_argument("--height", type=int, default=820)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    options = parser.parse_args(arguments)
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        sys.stderr.write("no Chromium found; install it to take pictures\n")
        return 1
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        page = browser.new_page(viewport={"width": options.width, "height": options.height}, color_scheme=options.theme)
        page.goto(options.address.rstrip("/") + options.path, wait_until="load")
        page.wait_for_timeout(1_500)  # a live page is never idle; this lets the chart draw
        page.screenshot(path=options.file)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
