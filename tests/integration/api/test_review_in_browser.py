"""The review page in a real Chromium: by keyboard, by mouse, without JavaScript, and for everybody (axe)."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.fixtures.office import PASSWORD
from tests.integration.api.conftest import ServedOffice
from tests.integration.api.pictures import VIEW, take_pictures

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def sign_in(page: Page, served: ServedOffice, username: str) -> None:
    """Sign in and arrive at the queue."""
    page.goto(f"{served.address}/login")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("button.primary")
    expect(page).to_have_url(re.compile("/queue"))


def press(page: Page, *keys: str) -> None:
    """Press keys once the page's scripts listen."""
    expect(page.locator("html")).to_have_class("js")
    for key in keys:
        page.keyboard.press(key)


def new_page(window: BrowserContext, problems: list[str]) -> Page:
    """Return a page that notes script errors and violations of the content security policy."""
    page = window.new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    return page


def assert_accessible(page: Page) -> None:
    """Fail with axe's own words where the page, with its style sheet, breaks WCAG 2.2 AA."""
    page.wait_for_load_state("load")
    results = Axe().run(page, options=WCAG)
    assert results.violations_count == 0, results.generate_report()


def test_two_officers_confirm_by_keyboard_and_by_mouse(
    served_office: ServedOffice, window: BrowserContext, chromium: Browser
) -> None:
    case, problems = served_office.cases[0], list[str]()
    first = new_page(window, problems)
    sign_in(first, served_office, "limei")
    expect(first.locator("#queue tbody tr")).to_have_count(len(served_office.cases))
    press(first, "n")
    expect(first.locator("#item-heading")).to_have_text(case.case_id)
    expect(first.locator("#plate")).to_have_value("")
    expect(first.locator("main")).to_contain_text("设备签名: cam-front 未签名")
    expect(first.locator("main")).to_contain_text("wim-1 有效")
    press(first, "c")
    expect(first.locator("#plate")).to_be_focused()
    first.keyboard.insert_text(case.plate.lower())
    press(first, "Enter")
    expect(first.locator("h1")).to_have_text("决定已保存")
    expect(first.locator("main .chip")).to_have_text("待复审")

    # The same officer is not offered the case again, and sees neither verdict nor plate of it.
    first.goto(f"{served_office.address}/cases/{case.case_id}")
    expect(first.locator(".decision")).to_contain_text("本轮须由另一名执法人员审核")
    assert first.locator(".reviews").count() == 0

    other = chromium.new_context(locale="zh-CN", viewport={"width": 1600, "height": 1000})
    second = new_page(other, problems)
    sign_in(second, served_office, "wangjg")
    second.click(f"text={case.case_id}")
    second.click("text=领取本案")
    expect(second.locator("#plate")).to_have_value("")
    second.fill("#plate", case.plate)
    second.click("button.confirm")
    expect(second.locator("main .chip")).to_have_text("已确认")
    second.goto(f"{served_office.address}/cases/{case.case_id}")
    expect(second.locator(".plate-shown")).to_have_text(case.plate)
    expect(second.locator(".reviews > li")).to_have_count(2)
    other.close()
    assert problems == []


def test_reject_by_keyboard_with_a_digit(served_office: ServedOffice, window: BrowserContext) -> None:
    page = new_page(window, [])
    sign_in(page, served_office, "limei")
    press(page, "n")
    expect(page.locator("#reject-form")).to_be_visible()
    press(page, "r", "3")
    expect(page.locator('[value="weighing-unreliable"]')).to_be_checked()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("决定已保存")


def test_keys_move_the_view_but_never_while_typing(
    served_office: ServedOffice, window: BrowserContext
) -> None:
    page = new_page(window, [])
    sign_in(page, served_office, "limei")
    press(page, "n")
    heading = page.locator("#item-heading")
    case_id = heading.inner_text()
    press(page, "]")
    expect(page.locator("#image-2")).to_be_checked()
    press(page, "+")
    expect(page.locator("[data-badge]")).to_have_text("显示已调整")
    press(page, "0")
    expect(page.locator("[data-badge]")).to_have_text("原始图像")
    page.locator("#note").focus()
    page.keyboard.type("s]b+")
    expect(page.locator("#note")).to_have_value("s]b+")
    expect(heading).to_have_text(case_id)
    expect(page.locator("#image-2")).to_be_checked()


def test_the_forms_work_without_javascript(served_office: ServedOffice, chromium: Browser) -> None:
    case = served_office.cases[0]
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"{served_office.address}/login")
    expect(page.locator("h1")).to_have_text("登录")
    page.click("text=English")
    sign_in(page, served_office, "limei")
    page.click("text=Take the next case")
    page.check("label[for=image-3]")
    expect(page.locator("figure[data-role=side]")).to_be_visible()
    page.fill("#plate", "not a plate")
    page.click("button.confirm")
    expect(page.locator("[role=alert]")).to_contain_text("Type the whole plate")
    expect(page.locator("#plate")).to_have_value("not a plate")
    page.fill("#plate", case.plate)
    page.click("button.confirm")
    expect(page.locator("h1")).to_have_text("Decision stored")
    context.close()


def test_language_is_chosen_and_remembered(served_office: ServedOffice, window: BrowserContext) -> None:
    page = new_page(window, [])
    sign_in(page, served_office, "limei")
    expect(page.locator("h1")).to_have_text("审核队列")
    page.click("text=English")
    expect(page.locator("h1")).to_have_text("Review queue")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto(f"{served_office.address}/stations")
    expect(page.locator("h1")).to_have_text("Stations")
    page.goto(f"{served_office.address}/stations?lang=zh-CN")
    expect(page.locator("h1")).to_have_text("站点")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_meets_wcag_2_2_aa(served_office: ServedOffice, chromium: Browser, scheme: str) -> None:
    dark = scheme == "dark"
    context = chromium.new_context(locale="zh-CN", color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(f"{served_office.address}/login")
    assert_accessible(page)
    sign_in(page, served_office, "limei")
    assert_accessible(page)
    page.goto(f"{served_office.address}/cases/{served_office.cases[1].case_id}")
    assert_accessible(page)
    page.click("text=领取本案")
    expect(page.locator("#plate")).to_be_visible()
    assert_accessible(page)
    for path in ("quarantine", "stations", "jobs"):
        page.goto(f"{served_office.address}/{path}")
        assert_accessible(page)
    context.close()


def test_a_broken_seal_shows_red_and_cannot_be_confirmed(
    served_office: ServedOffice, window: BrowserContext
) -> None:
    case = served_office.cases[0]
    page = new_page(window, [])
    sign_in(page, served_office, "limei")
    press(page, "n")
    expect(page.locator(".layers .bad")).to_have_count(0)
    _spoil(case.package / "data" / "event.json")
    # What is on screen still says "holds": the decision verifies the bytes anew.
    page.fill("#plate", case.plate)
    page.click("button.confirm")
    expect(page.locator("[role=alert]")).to_contain_text("the seal does not hold")
    expect(page.locator(".layers .bad").first).to_be_visible()
    expect(page.locator("button.confirm")).to_be_disabled()
    page.check('[value="evidence-incomplete"]')
    page.click("button.reject")
    expect(page.locator("h1")).to_have_text("决定已保存")


def _spoil(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_the_pictures_of_the_documentation_can_be_taken(
    served_office: ServedOffice, chromium: Browser, tmp_path: Path
) -> None:
    page = chromium.new_context(locale="zh-CN", viewport=VIEW).new_page()
    take_pictures(page, served_office.address, "limei", PASSWORD, tmp_path)
    for name in ("queue.png", "review.png", "passage.png", "stations.png"):
        assert (tmp_path / name).stat().st_size > 20_000
    page.context.close()


def test_a_waveform_is_shown_with_its_axles(served_office: ServedOffice, window: BrowserContext) -> None:
    problems = list[str]()
    page = new_page(window, problems)
    sign_in(page, served_office, "limei")
    page.goto(f"{served_office.address}/cases/{served_office.cases[0].case_id}")
    expect(page.locator("#waveform")).to_have_count(0)
    case = served_office.cases[-1]
    page.goto(f"{served_office.address}/cases/{case.case_id}")
    card = page.locator("#waveform")
    expect(card.locator("h2")).to_have_text("原始波形")
    expect(card.locator("path.signal")).to_have_count(3)
    expect(card.locator("path.signal-unused")).to_have_count(1)
    expect(card.locator("line.mark")).to_have_count(3 * 6)
    expect(card.locator("tbody tr")).to_have_count(6)
    expect(card.locator("tbody tr").first).to_contain_text("1.1 %")
    assert_accessible(page)
    assert problems == []


def test_a_waveform_that_is_gone_costs_the_picture_and_not_the_page(
    served_office: ServedOffice, window: BrowserContext
) -> None:
    case = served_office.cases[-1]
    for blob in (served_office.office.blobs.root / "sha256").rglob("*"):
        if blob.is_file() and blob.read_bytes().startswith(b"ZCWF"):
            blob.unlink()
    page = new_page(window, [])
    sign_in(page, served_office, "limei")
    page.goto(f"{served_office.address}/cases/{case.case_id}")
    expect(page.locator("#waveform")).to_contain_text("无法从存储中读取波形")
    expect(page.locator("#axles")).to_be_visible()
