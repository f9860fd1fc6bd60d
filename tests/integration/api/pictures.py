"""Takes the pictures of the documentation from a running service, `make run` for instance.

    python -m tests.integration.api.pictures http://127.0.0.1:8080 reviewer1 docs/images

asks for the password of the account, claims the first case of one of `VEHICLES` that nobody else holds and
that is well over its limit (or whatever comes next), and writes review.png (the review page), passage.png
(its axle chart and how the limit was reached), queue.png and stations.png in Chinese. The claim lapses
after ten minutes.
"""

import argparse
from getpass import getpass
from pathlib import Path

from playwright.sync_api import FloatRect, Page, ViewportSize, expect, sync_playwright

from tests.components import find
from tests.fixtures.browser import CHROMIUM_ARGUMENTS

VIEW: ViewportSize = {"width": 1440, "height": 1000}
VEHICLES = ("157", "1127")
"""Six-axle trains: what the roads are full of, and a chart with something on it."""
MIN_OVER_KG = 2_000
MARGIN_PX = 6


def take_pictures(page: Page, address: str, username: str, password: str, folder: Path) -> None:
    """Sign in, take the next case and photograph the pages."""
    page.goto(f"{address}/login")
    page.fill("#username", username)
    page.fill("#password", password)
    page.click("button.primary")
    expect(page.locator("#queue tbody tr").first).to_be_visible()
    page.screenshot(path=folder / "queue.png")
    page.goto(f"{address}/queue?min_over={MIN_OVER_KG}")
    _claim(page, username)
    expect(page.locator("#plate")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "review.png")
    page.screenshot(path=folder / "passage.png", full_page=True, clip=_around(page, "#axles", "#limit"))
    page.goto(f"{address}/stations")
    page.screenshot(path=folder / "stations.png")


def _claim(page: Page, username: str) -> None:
    rows = page.locator("#queue tbody tr")
    codes = rows.locator(".code").all_inner_texts()
    holders = rows.locator("td:last-child").all_inner_texts()
    free = [place for place, holder in enumerate(holders) if holder in {"", username}]
    wanted = next((place for place in free if codes[place] in VEHICLES), None)
    if wanted is None:
        page.click("[data-key=n]")
        return
    rows.nth(wanted).locator(".case-link").click()
    expect(page.locator(".decision")).to_be_visible()
    if page.locator("#plate").count() == 0:
        page.click("[data-key=c]")


def _around(page: Page, *selectors: str) -> FloatRect:
    """Return the rectangle around elements of a page that is not scrolled."""
    boxes = [box for selector in selectors if (box := page.locator(selector).bounding_box()) is not None]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    return {
        "x": left - MARGIN_PX,
        "y": top - MARGIN_PX,
        "width": right - left + 2 * MARGIN_PX,
        "height": bottom - top + 2 * MARGIN_PX,
    }


def main() -> None:
    """Take the pictures the command line asks for."""
    parser = argparse.ArgumentParser(description="Take the documentation's pictures.")
    parser.add_argument("address")
    parser.add_argument("username")
    parser.add_argument("folder", type=Path)
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=CHROMIUM_ARGUMENTS)
        page = browser.new_context(locale="zh-CN", viewport=VIEW).new_page()
        take_pictures(page, wanted.address, wanted.username, getpass(), wanted.folder)
        browser.close()


if __name__ == "__main__":
    main()
