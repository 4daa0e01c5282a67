"""The pictures of the README, of the demo's overview and explorer: `make pictures`. Needs chromium."""

import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import hlkit as hl
from hlkit.app import served

FOLDER = Path(__file__).parent


def take_screenshot(page: Page, name: str) -> None:
    page.wait_for_timeout(500)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=str(path), full_page=name == "overview")
    print(path)


def open_tab(page: Page, name: str) -> None:
    page.locator(".hlkit-app").get_by_role("tab", name=name, exact=True).click()


def main() -> None:
    overview = hl.demo(as_of="2026-01-01").overview()
    with served() as (address, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1080, "height": 400})
        page.set_content(f'<body style="margin: 20px 24px">{overview._repr_html_()}</body>')
        take_screenshot(page, "overview")
        page = browser.new_page(viewport={"width": 1024, "height": 720})
        page.goto(address)
        page.locator(".hlkit-location-picker select").select_option(label="Demo (made-up data)")
        open_tab(page, "Contacts")
        page.locator("button.hlkit-contacts-load").click()
        page.get_by_text("Done in").wait_for(timeout=60_000)
        page.locator("table.hlkit-found").wait_for(timeout=60_000)
        page.get_by_role("textbox", name="Search").fill("carlos")
        take_screenshot(page, "explorer-contacts")
        open_tab(page, "Analyses")
        page.locator("button.hlkit-run").click()
        page.locator(".hlkit-output img").wait_for(timeout=60_000)
        page.set_viewport_size({"width": 1024, "height": 860})
        take_screenshot(page, "explorer-analyses")
        browser.close()


if __name__ == "__main__":
    main()
