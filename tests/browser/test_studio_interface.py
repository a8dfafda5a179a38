"""The studio page for everybody: by keys alone, on a phone, dark, right to left, in any engine.

Needs playwright (`pip install --group browser`) and a Chromium of the system; skipped without. The
accessibility rules are axe-core's, which npm brings into build/ where it can.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from page_sources import of_the_page
from studio_browser import (
    LONG,
    downloaded,
    drop,
    empty_page,
    expect,
    on_stage,
    product,
    settled,
)
from studio_mock import POLICY, mock_page

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
AXE = "axe-core@4.10.3"
SHIPPED = [*of_the_page(WEB).values()]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def axe():
    """axe-core's source."""
    place = ROOT / "build" / "browser-tools"
    source = place / "node_modules" / "axe-core" / "axe.min.js"
    if not source.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm, which axe-core comes by")
        command = [npm, "install", "--no-save", "--ignore-scripts", "--prefix", str(place), AXE]
        place.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if not source.is_file():
            pytest.skip(f"axe-core cannot be had from npm: {made.stderr[-200:]}")
    return source.read_text(encoding="utf-8")


def issues(page, axe):
    """What axe-core finds that is serious or worse."""
    page.evaluate(axe)
    found = page.evaluate(
        """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
            .filter(({impact}) => impact === 'serious' || impact === 'critical')
            .map(({id, nodes}) => [id, ...nodes.map(({target, failureSummary}) =>
                `${target} ${failureSummary}`)].join(' | '))"""
    )
    return list(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_axe_finds_no_serious_issue(browser, studio, axe, tmp_path, scheme, size):
    options = PHONE if size == "phone" else {}
    # axe-core is no part of the page: its policy is put aside to bring it in.
    with empty_page(browser, studio, color_scheme=scheme, bypass_csp=True, **options) as page:
        assert issues(page, axe) == [], "empty"
        broken = tmp_path / "broken.jpg"
        broken.write_bytes(product(tmp_path / "a.jpg").read_bytes()[:60])
        drop(page, tmp_path / "a.jpg", broken)
        settled(page, 1)
        expect(page.locator("li[data-state=failed]")).to_have_count(1, timeout=LONG)
        for name in ("cutout", "frame", "device"):
            if page.get_attribute(f"#tab-{name}", "aria-selected") != "true" or size == "phone":
                page.click(f"#tab-{name}")
            expect(page.locator(f"#panel-{name}")).to_be_visible()
            assert issues(page, axe) == [], name
        page.click("#tab-cutout")
        page.keyboard.press("b")
        page.keyboard.press("c")
        expect(page.locator(".split")).to_be_visible()
        assert issues(page, axe) == [], "comparing"
        page.keyboard.press("?")
        assert issues(page, axe) == [], "shortcuts"
        page.keyboard.press("Escape")
        page.locator(".notice").first.wait_for(state="hidden", timeout=LONG)
        page.click("#batch")
        assert issues(page, axe) == [], "batch"


def focused(page):
    return page.evaluate(
        """(({activeElement: at}) => at === document.body ? '' :
            at.getAttribute('aria-label') || at.innerText || at.className)
            (document)"""
    )


def tab_to(page, name, *, most=80):
    """Press Tab until what has the focus is called so."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if name in focused(page):
            return
    raise AssertionError(f"Tab never came to {name!r}")


def test_a_whole_run_by_keys_alone(page, tmp_path):
    said = page.locator("#announcer")
    page.on("filechooser", lambda _: None)  # no dialog of the system's from here on
    tab_to(page, "Choose pictures", most=10)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(product(tmp_path / "disc.jpg", width=640, height=480))
    settled(page, 1)
    expect(said).to_contain_text("disc.jpg is done")

    # The comparison's handle is a slider.
    page.keyboard.press("c")
    tab_to(page, "Before and after")
    for key, value in (("ArrowRight", 52), ("Home", 0), ("PageUp", 10), ("End", 100)):
        page.keyboard.press(key)
        expect(page.locator(".split")).to_have_attribute("aria-valuenow", str(value))
    page.keyboard.press("c")

    # A dab of the brush where the tool's own cursor stands: in the middle, then beside it.
    page.keyboard.press("e")
    expect(said).to_contain_text("Drop brush")
    page.locator(".surface").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("Dropped at 50% across, 50% down.")
    settled(page, 1)
    with page.expect_download(timeout=LONG) as waiting:
        page.keyboard.press("Control+s")
    waiting.value.save_as(tmp_path / "disc.png")
    from PIL import Image

    alpha = np.asarray(Image.open(tmp_path / "disc.png"))[..., 3]
    assert alpha[240, 320] == 0
    assert alpha[240, 400] == 255
    page.keyboard.press("Control+z")
    expect(said).to_contain_text("Undone")

    # A box by two corners; a point; back to moving.
    page.keyboard.press("r")
    page.locator(".surface").focus()
    page.keyboard.press("Enter")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("within the box")
    expect(page.get_by_text("a box", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("input[name=tool][value=move]")).to_be_checked()

    # Tabs of the panels by arrows, the picture away by Delete.
    page.locator("#tab-cutout").focus()
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Frame"
    expect(page.locator("#panel-frame")).to_be_visible()
    page.locator(".pick").focus()
    page.keyboard.press("Delete")
    expect(page.locator("#empty-heading")).to_be_visible()


def test_everything_that_can_be_used_has_a_name(page, tmp_path):
    drop(page, product(tmp_path / "a.jpg"))
    settled(page, 1)
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select, [role=slider], [role=img]')]
            .filter(e => !(e.textContent.trim() || e.getAttribute('aria-label')
                || e.getAttribute('aria-labelledby') || e.closest('label')))
            .map(e => e.outerHTML)"""
    )
    assert unnamed == []
    for region in (
        "header",
        "nav[aria-label]",
        "main",
        "aside[aria-label]",
        "[role=status]",
        "[role=alert]",
    ):
        assert page.locator(region).count() >= 1, region


def test_a_phone(browser, studio, tmp_path):
    with empty_page(browser, studio, **PHONE) as page:
        wide = "document.documentElement.scrollWidth"
        assert page.evaluate(wide) == 360
        page.locator(".samples button").first.tap()
        settled(page, 1)
        assert page.evaluate(wide) == 360
        for region in (".head", ".tool-bar", ".view-bar", ".export", ".tabs"):
            box = page.locator(region).bounding_box()
            assert box["x"] >= 0, region
            assert box["x"] + box["width"] <= 360, region
        # A finger paints; two would pinch.
        page.locator(".tool.drop").tap()
        page.touchscreen.tap(*on_stage(page, 0.5, 0.5))
        page.locator("#tab-cutout").tap()
        expect(page.get_by_text("1 stroke", exact=True)).to_be_visible()
        settled(page, 1)
        box = page.locator("#panel-cutout").bounding_box()
        assert box["height"] > 100
        page.locator("#tab-cutout").tap()
        expect(page.locator("#panel-cutout")).to_be_hidden()
        made = downloaded(page, tmp_path / "phone.png")
        alpha = np.asarray(made)[..., 3]
        assert alpha[made.height // 2, made.width // 2] == 0


def test_zoom_keeps_the_place_under_the_pointer_and_pinching_zooms(page, tmp_path):
    drop(page, product(tmp_path / "a.jpg", width=1600, height=1200))
    settled(page, 1)
    fitted = page.inner_text(".zoom-value")
    page.mouse.move(*on_stage(page, 0.6, 0.6))
    page.mouse.wheel(0, -600)
    expect(page.locator(".zoom-value")).not_to_have_text(fitted)
    page.locator(".surface").focus()
    page.keyboard.press("0")
    expect(page.locator(".zoom-value")).to_have_text(fitted)
    page.check("input[name=tool][value=keepPoint]", force=True)
    x, y = on_stage(page, 0.5, 0.5)
    page.evaluate(
        """([x, y]) => {
            const surface = document.querySelector('.surface');
            surface.setPointerCapture = () => {};
            const finger = {pointerType: 'touch', clientY: y, bubbles: true, button: 0};
            const send = (type, pointerId, dx) => surface.dispatchEvent(
                new PointerEvent(type, {...finger, pointerId, clientX: x + dx}));
            send('pointerdown', 11, -30); send('pointerdown', 12, 30);
            send('pointermove', 11, -60); send('pointermove', 12, 60);
            send('pointerup', 11, -60); send('pointerup', 12, 60);
        }""",
        [x, y],
    )
    expect(page.locator(".zoom-value")).not_to_have_text(fitted)
    zoomed = int(page.inner_text(".zoom-value").strip("%"))
    assert page.get_by_text("1 point", exact=True).count() == 0, "the first finger set no point"
    assert zoomed == pytest.approx(2 * int(fitted.strip("%")), abs=3)


def test_pasted_and_copied(browser, studio, tmp_path):
    grants = ["clipboard-read", "clipboard-write"]
    with empty_page(browser, studio, permissions=grants) as page:
        drop(page, product(tmp_path / "a.jpg"))
        settled(page, 1)
        page.click("#copy")
        expect(page.locator(".notice")).to_contain_text("on the clipboard", timeout=LONG)
        size = page.evaluate(
            """async () => {
                const [item] = await navigator.clipboard.read();
                const image = await createImageBitmap(await item.getType('image/png'));
                return [item.types[0], image.width, image.height];
            }"""
        )
        assert size == ["image/png", 320, 240]
        page.locator(".surface").focus()
        page.keyboard.press("Control+v")
        settled(page, 2)


def test_dark_and_light_by_system_and_by_hand(browser, studio):
    color = "getComputedStyle(document.body).backgroundColor"
    with empty_page(browser, studio, color_scheme="dark") as page:
        dark = page.evaluate(color)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(color)
        assert dark != light
        page.click("button[aria-label='Dark or light']")
        assert page.evaluate(color) == dark
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert page.evaluate(color) == dark


def test_nothing_moves_for_who_wants_no_motion(browser, studio, tmp_path):
    with empty_page(browser, studio, reduced_motion="reduce") as page:
        drop(page, product(tmp_path / "a.jpg"))
        settled(page, 1)
        longest = page.evaluate(
            """Math.max(...[...document.querySelectorAll('*')].flatMap(e => {
                const {transitionDuration, animationDuration} = getComputedStyle(e);
                return `${transitionDuration},${animationDuration}`.split(',').map(parseFloat);
            }))"""
        )
        assert longest <= 0.001


def test_right_to_left(page, tmp_path):
    drop(page, product(tmp_path / "a.jpg"))
    settled(page, 1)
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.set_viewport_size({"width": 1281, "height": 860})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1281
    nav, side = page.locator("nav.list").bounding_box(), page.locator(".inspector").bounding_box()
    assert nav["x"] > side["x"], "the list lies at the right, the panels at the left"
    bar = page.locator(".view-bar").bounding_box()
    stage = page.locator(".stage").bounding_box()
    assert abs((bar["x"] + bar["width"] / 2) - (stage["x"] + stage["width"] / 2)) < 2
    # The picture itself is not mirrored, nor is the comparison.
    page.keyboard.press("c")
    expect(page.locator(".side.after")).to_be_visible()
    before, after = (
        page.locator(".side.before").bounding_box(),
        page.locator(".side.after").bounding_box(),
    )
    assert before["x"] < after["x"]


def test_the_styles_know_no_left_or_right():
    """But where the picture's own axes are meant: in the stage, which is always left to right."""
    physical = re.compile(
        r"(?<![-\w])(margin|padding|border)-(left|right)\b|text-align: (left|right)|float:"
    )
    for path in WEB.glob("style/*.css"):
        found = physical.findall(path.read_text())
        assert found == [], path.name
        if path.name != "stage.css":
            assert not re.search(r"(?:^|[{;])\s*(left|right):", path.read_text(), re.M), path.name


def test_the_same_page_runs_over_another_engine(browser, tmp_path):
    """The interface is all that ties the page to an engine: here one in the page itself."""
    with mock_page() as address:
        page = browser.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        drop(page, product(tmp_path / "a.jpg"), product(tmp_path / "unsure.jpg"))
        settled(page, 2)
        expect(page.locator("li[data-state=look]")).to_have_count(1)
        page.click("li[data-state=look] .pick")
        expect(page.locator(".card.look")).to_contain_text("not sure")
        assert downloaded(page, tmp_path / "a.png").size == (320, 240)
        assert not [url for url in asked if "/api/" in url]
        page.close()


def test_enhancing_is_offered_where_the_engine_can_and_sent_with_a_download(browser, tmp_path):
    with mock_page() as address, browser.new_context(accept_downloads=True) as context:
        page = context.new_page()
        page.goto(address)
        drop(page, product(tmp_path / "tin.jpg"))
        settled(page, 1)

        def taken():
            page.locator("#download").click()
            page.wait_for_function("() => globalThis.lastDownload")
            said = "JSON.stringify(globalThis.lastDownload)"
            how = page.evaluate(
                f"() => {{ const how = {said}; delete globalThis.lastDownload; return how }}"
            )
            return json.loads(how)

        assert "enhance" not in taken()
        page.locator(".export-options summary").click()
        assert page.get_by_role("slider", name="Denoise").count() == 0
        page.locator("#enhance").select_option("mock-x2")
        assert taken()["enhance"] == {"model": "mock-x2", "upscale": 2}
        page.locator(".export label", has_text="× 1").click()
        page.get_by_role("slider", name="Denoise").fill("0.4")
        page.get_by_role("switch", name="JPEG artefacts").uncheck()
        expected = {"model": "mock-x2", "upscale": 1, "denoise": 0.4, "deblock": 0}
        assert taken()["enhance"] == expected
        # What another network cannot be told is not asked of it; choices outlive the page.
        page.locator("#enhance").select_option("mock-x4")
        assert page.get_by_role("slider", name="Denoise").count() == 0
        assert taken()["enhance"] == {"model": "mock-x4", "upscale": 1}
        page.locator("#enhance").select_option("mock-x2")
        page.reload()
        drop(page, product(tmp_path / "tin.jpg"))
        settled(page, 1)
        assert taken()["enhance"] == expected
        # An engine that cannot: the control is not there, and nothing is asked.
        page.goto(f"{address}?plain")
        drop(page, product(tmp_path / "tin.jpg"))
        settled(page, 1)
        page.locator(".export-options summary").click()
        assert page.locator("#format").count() == 1
        assert page.locator("#enhance").count() == 0
        assert "enhance" not in taken()


def test_a_blurred_background_has_a_radius(browser, tmp_path):
    with mock_page() as address:
        page = browser.new_page()
        page.goto(address)
        drop(page, product(tmp_path / "tin.jpg"))
        settled(page, 1)
        page.get_by_role("tab", name="Frame").click()
        assert page.get_by_role("slider", name="Blur, of the diagonal").count() == 0
        page.locator(".field", has_text="Background").locator("select").select_option("blur")
        slider = page.get_by_role("slider", name="Blur, of the diagonal")
        assert slider.input_value() == "0.008"
        slider.fill("0.02")
        framing = """async () => {
            const { engine } = await import('/assets/engine/mock.js');
            return (await engine.pictures())[0].edit.framing;
        }"""
        until = time.monotonic() + LONG / 1000
        while time.monotonic() < until and page.evaluate(framing).get("blur") != 0.02:
            page.wait_for_timeout(50)
        assert page.evaluate(framing) | {"background": "blur", "blur": 0.02} == page.evaluate(
            framing
        )
        page.close()


def test_what_waits_is_cancelled_and_tried_again(browser, tmp_path):
    with mock_page() as address:
        page = browser.new_page()
        page.goto(f"{address}?step=250")
        page.wait_for_selector("html[data-ready]")
        drop(page, *(product(tmp_path / f"p{n}.jpg") for n in range(4)))
        row = page.locator("li:has-text('p3.jpg')")
        expect(row.locator(".state")).to_have_text("In the queue", timeout=LONG)
        row.hover()
        row.locator("button[aria-label='Cancel p3.jpg']").click()
        expect(row.locator(".state")).to_have_text("Cancelled")
        page.click("text=Cancel all")
        expect(page.locator("progress.overall")).to_be_hidden(timeout=LONG)
        expect(page.locator(".state", has_text="Cancelled")).not_to_have_count(1)
        row.hover()
        row.locator("button[aria-label='Try p3.jpg again']").click()
        expect(row).to_have_attribute("data-state", "done", timeout=LONG)
        page.close()


def test_what_is_shipped_is_small_and_names_no_other_place():
    samples = [*(ROOT / "python" / "nssbg" / "studio_page" / "samples").iterdir()]
    assert sum(path.stat().st_size for path in [*SHIPPED, *samples]) < 310_000
    allowed = {"http://www.w3.org/2000/svg"}
    for path in SHIPPED:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[\w./-]*", text)) <= allowed, (
            path.name
        )
        assert "innerHTML" not in text, path.name
    page = (WEB / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page), "inline"
    assert "'unsafe" not in POLICY


def test_every_module_is_imported_and_every_text_used():
    texts = (WEB / "texts.en.js").read_text(encoding="utf-8")
    code = "\n".join(path.read_text() for path in WEB.rglob("*.js") if path.name != "texts.en.js")
    for path in WEB.glob("app/*.js"):
        assert f"/{path.name}'" in code, path.name
    keys = re.findall(r"^ {4}(\w+):", texts, re.M)
    assert len(keys) > 100
    # Looked up by a computed name.
    computed = set(
        re.findall(r"^ {4}(?:keep|drop|box|move|keepPoint|dropPoint|none|done)\b", texts, re.M)
    )
    unused = [
        key for key in keys if not re.search(rf"\b{key}\b", code) and f"    {key}" not in computed
    ]
    assert unused == []
