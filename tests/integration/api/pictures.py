"""Takes the pictures of the documentation from a running service, `make run` for instance.

    python -m tests.integration.api.pictures http://127.0.0.1:8080 reviewer1 docs/images

asks for the password of the account, claims the next case in the queue, and writes review.png (the
review page), queue.png and stations.png in Chinese. The claim lapses after ten minutes.
"""

import argparse
from getpass import getpass
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.components import find
from tests.fixtures.browser import CHROMIUM_ARGUMENTS

VIEW: ViewportSize = {"width": 1600, "height": 1160}


def take_pictures(page: Page, address: str, username: str, password: str, folder: Path) -> None:
    """Sign in, take the next case and photograph the pages."""
    page.goto(f"{address}/login")
    page.fill("#username", username)
    page.fill("#password", password)
    page.click("button.primary")
    expect(page.locator("#queue tbody tr").first).to_be_visible()
    page.screenshot(path=folder / "queue.png")
    page.click("[data-key=n]")
    expect(page.locator("#plate")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "review.png")
    page.goto(f"{address}/stations")
    page.screenshot(path=folder / "stations.png")


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
