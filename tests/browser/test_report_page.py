"""report.html in a real browser: shows, filters, searches, obeys keys, asks the network nothing.

Needs playwright (`pip install --group browser`) and a Chromium of the system; skipped without.
"""

import json
import time

import pytest
from batch_pictures import profile_of
from chromium import CHROMIUM, FLAGS, MISSING
from report_rows import HOSTILE, rows_of, with_thumbnails

from nssbg.batch.report import write_reports
from nssbg.batch.sidecar import read_corrections

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install --group browser"
)
if CHROMIUM is None:
    pytest.skip(MISSING, allow_module_level=True)

CARDS = "#cards > li"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            headless=True,
            args=list(FLAGS),
            viewport={"width": 1280, "height": 900},
        )
        yield context
        context.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    rows = with_thumbnails(folder, rows_of(200))
    return write_reports(
        rows,
        output=folder,
        inputs=lambda row: folder / "in" / row.input,
        profile=profile_of(background="#fedcba"),
        summary={"pictures": 200, "rate": "5.3 / s"},
    )


@pytest.fixture
def page(browser, report):
    """The page, freshly opened; what it asks for and complains of is held against it."""
    opened = browser.new_page()
    asked, said = [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(report.page.as_uri())
    opened.wait_for_selector("html[data-ready]")
    yield opened
    opened.close()
    assert said == []
    outside = [url for url in asked if not url.startswith(("data:image/webp", "file:"))]
    assert outside == []
    assert {url for url in asked if url.startswith("file:")} == {report.page.as_uri()}


def states(page):
    return page.eval_on_selector_all(CARDS, "items => items.map(item => item.className)")


def test_the_worst_come_first_with_their_thumbnails(page):
    assert states(page)[:21] == ["failed"] * 20 + ["fail"]
    assert page.locator(CARDS).count() == 60
    assert page.inner_text("#count") == "200 of 200 pictures"
    assert page.inner_text("#summary").split("\n")[:2] == ["pictures", "200"]
    loaded = page.eval_on_selector_all(
        "#cards img", "images => images.filter(i => i.complete && i.naturalWidth > 0).length"
    )
    assert loaded == 120


def test_filters_by_verdict_and_by_reason(page):
    page.click("#states button[data-state=review]")
    assert set(states(page)) == {"review"}
    assert page.inner_text("#count") == "40 of 200 pictures"
    page.click("#states button[data-state=fail]")
    assert page.inner_text("#count") == "60 of 200 pictures"
    page.select_option("#kind", label="fill (20)")
    assert set(states(page)) == {"fail"}
    assert page.inner_text("#count") == "20 of 200 pictures"
    page.click("#states button[data-state=fail]")
    assert page.inner_text("#count") == "0 of 200 pictures"
    page.click("#states button[data-state=review]")
    page.select_option("#kind", value="")
    assert page.inner_text("#count") == "200 of 200 pictures"


def test_search_by_name(page):
    page.fill("#search", "00123")
    playwright.expect(page.locator(CARDS)).to_have_count(1)
    assert page.inner_text(f"{CARDS} .name") == "shoot/00123.jpg"
    assert "halo" in page.inner_text(f"{CARDS} .reasons")


def test_keys(page):
    def background():
        return page.eval_on_selector(
            ".after",
            "box => getComputedStyle(box).backgroundColor + getComputedStyle(box).backgroundImage",
        )

    page.keyboard.press("j")
    focused = "[...document.querySelectorAll('#cards > li')].indexOf(document.activeElement)"
    assert page.evaluate(focused) == 0
    for key in "jjk":
        page.keyboard.press(key)
    assert page.evaluate(focused) == 1
    seen = []
    for key in "1234":
        page.keyboard.press(key)
        seen.append(background())
    assert seen[0].startswith("rgb(255, 255, 255)")
    assert seen[1].startswith("rgb(0, 0, 0)")
    assert "conic-gradient" in seen[2]
    assert seen[3].startswith("rgb(254, 220, 186)")
    page.keyboard.press("n")
    assert page.inner_text("#page") == "page 2 of 4"
    page.keyboard.press("k")
    assert page.inner_text("#page") == "page 1 of 4"
    assert page.evaluate(focused) == 59
    page.keyboard.press("/")
    page.keyboard.type("1jk")
    assert page.input_value("#search") == "1jk"


def test_hostile_names_are_shown_as_text_and_run_nothing(page):
    title = page.title()
    for name in HOSTILE:
        part = name.split("\n", maxsplit=1)[0].split("\udce9")[0]
        page.fill("#search", "")
        playwright.expect(page.locator(CARDS)).to_have_count(60)
        page.fill("#search", part)
        playwright.expect(page.locator(CARDS)).to_have_count(1)
        shown = page.text_content(f"{CARDS} .name")
        assert shown.replace("\ufffd", "\udce9") == name
        for link in page.query_selector_all(".links a"):
            assert link.evaluate("a => a.protocol") == "file:"
    assert page.title() == title
    assert page.evaluate("document.querySelectorAll('#cards b, #cards script').length") == 0


def test_dark_mode_and_names_for_readers(page):
    light = page.eval_on_selector("body", "body => getComputedStyle(body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    dark = page.eval_on_selector("body", "body => getComputedStyle(body).backgroundColor")
    assert light != dark
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea, img')].filter(e => "
        "!(e.textContent.trim() || e.alt || e.getAttribute('aria-label') || "
        "e.closest('label'))).length"
    )
    assert unnamed == 0
    assert page.get_attribute("html", "lang") == "en"


def test_a_click_makes_a_sidecar_that_is_read(page, tmp_path):
    page.fill("#search", "00123")
    playwright.expect(page.locator(CARDS)).to_have_count(1)
    page.click(f"{CARDS} .links button")
    assert page.inner_text("#correct-name") == "shoot/00123.jpg.nssbg.toml"
    box = page.locator("#canvas img").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.check("input[value=keep]")
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    (tmp_path / "a.nssbg.toml").write_text(page.input_value("#correct-text"))
    said = read_corrections(tmp_path / "a.nssbg.toml")
    assert said.size == (240.0, 180.0)
    assert said.drop[0] == pytest.approx((120, 90), abs=2)
    assert said.keep[0] == pytest.approx((60, 45), abs=2)
    page.click("#correct-undo")
    assert "keep" not in page.input_value("#correct-text")
    page.click("#correct-close")


def test_ten_thousand_pictures(browser, tmp_path, record_property):
    rows = with_thumbnails(tmp_path, rows_of(10_000))
    began = time.perf_counter()
    made = write_reports(rows, output=tmp_path, inputs=lambda row: None, profile=profile_of())
    wrote = time.perf_counter() - began
    page = browser.new_page()
    page.goto(made.page.as_uri(), wait_until="commit")
    page.wait_for_selector("#cards img")
    paint = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0] || 0"
    )
    page.wait_for_load_state("load")
    page.fill("#search", "09999")
    playwright.expect(page.locator(CARDS)).to_have_count(1)
    page.wait_for_selector("#cards img")
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    page.close()
    found = {
        "megabytes": round(made.page.stat().st_size / 1e6, 1),
        "written in s": round(wrote, 1),
        "first paint ms": round(paint),
        "loaded ms": round(loaded),
    }
    record_property("ten thousand", json.dumps(found))
    print(found)
    assert made.page.stat().st_size < 250e6
    # Long before all of it is read.
    assert paint < loaded
