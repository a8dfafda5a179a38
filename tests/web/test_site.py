"""The site of `make web` in a Chromium: as natively, offline, isolated or not, held to its list."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from chromium import FLAGS
from PIL import Image, ImageCms
from site_page import (
    EXAMPLE,
    LONG,
    finished,
    give,
    page_of,
    ready,
    renderers,
    requests_since,
    small,
    taken,
)
from site_server import ISOLATED, served

from nssbg import Canvas, Output, Remover

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "models/nssbg-lite.onnx"


def facts(page):
    page.click("#tab-device")
    rows = page.locator(".facts div").all_inner_texts()
    page.click("#tab-cutout")
    return dict(row.split("\n", 1) for row in rows if "\n" in row)


def native(data, name, tmp_path, **options):
    path = tmp_path / name
    path.write_bytes(data)
    with Remover(model="auto", device="cpu", backend="onnxruntime", threads=1) as remover:
        return remover.cutout(path, **options).encode(format="png")


def alpha_of(file):
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    return pixels[..., 3].astype(int)


def assert_as_natively(made, there):
    one, other = Image.open(io.BytesIO(made)), Image.open(io.BytesIO(there))
    assert one.size == other.size
    assert one.info.get("icc_profile") == other.info.get("icc_profile")
    assert one.info.get("exif") == other.info.get("exif")
    assert one.info.get("dpi") == other.info.get("dpi")
    assert np.abs(alpha_of(made) - alpha_of(there)).max() <= 1


@cache
def turned_with_profile():
    """A JPEG that lies on its side, with a profile and EXIF."""
    with Image.open(EXAMPLE) as image:
        small = image.resize((480, 360))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    out = io.BytesIO()
    small.save(out, "JPEG", quality=95, exif=exif, icc_profile=profile, dpi=(300, 300))
    return out.getvalue()


@pytest.mark.parametrize(
    ("headers", "build"),
    [({}, "simd, 1 thread"), (ISOLATED, "simd-threads")],
    ids=["plain", "isolated"],
)
def test_it_cuts_out_as_natively_and_asks_for_nothing_more(browser, dist, tmp_path, headers, build):
    with served(dist, headers) as site, page_of(browser, site) as page:
        assert page.evaluate("crossOriginIsolated") is bool(headers)
        give(page, EXAMPLE)
        finished(page, 1)
        made, name = taken(page)
        assert name == "mug-cutout.png"
        assert_as_natively(made, native(EXAMPLE.read_bytes(), "mug.jpg", tmp_path))
        give(page, ("turned.jpg", turned_with_profile()))
        finished(page, 2)
        made, _ = taken(page)
        assert Image.open(io.BytesIO(made)).size == (360, 480)
        assert_as_natively(made, native(turned_with_profile(), "turned.jpg", tmp_path))
        assert build in facts(page)["Instruction set"]
        assert requests_since(page) == 0


def test_sixteen_bits_stay_sixteen_and_the_mask_is_the_alpha(browser, dist, tmp_path):
    ramp = np.linspace(0, 65535, 160 * 120, dtype=np.uint16).reshape(120, 160)
    ramp[30:90, 40:120] = 900
    out = io.BytesIO()
    Image.fromarray(ramp).save(out, "PNG")
    with served(dist) as site, page_of(browser, site) as page:
        give(page, ("deep.png", out.getvalue()))
        finished(page, 1)
        made, _ = taken(page)
        assert made[24] == 16  # IHDR's depth
        there = native(out.getvalue(), "deep.png", tmp_path)
        assert np.abs(alpha_of(made) - alpha_of(there)).max() <= 1
        page.click(".export-options summary")
        page.click("text=Mask alone")
        mask, name = taken(page)
        assert name == "deep-mask.png"
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(mask))) >> 8, alpha_of(made))


def test_it_works_with_the_network_off_and_is_isolated_from_the_second_visit_on(
    browser, dist, tmp_path
):
    context = browser.new_context()
    with served(dist) as site, page_of(browser, site, context=context) as page:
        assert not page.evaluate("crossOriginIsolated")
    # The server is gone as well.
    context.set_offline(True)
    page = context.new_page()
    page.goto(site.address)
    ready(page)
    assert page.evaluate("crossOriginIsolated")
    page.click(".samples button >> nth=0")
    finished(page, 1)
    made, name = taken(page)
    assert name == "bear-cutout.png"
    sample = ROOT / "python" / "nssbg" / "studio_page" / "samples" / "bear.jpg"
    assert_as_natively(made, native(sample.read_bytes(), "bear.jpg", tmp_path))
    context.close()


CHANGE = """
async ({path, body}) => {
  const [name] = (await caches.keys()).filter((one) => one.startsWith('nssbg '));
  const cache = await caches.open(name);
  const address = new URL(path, document.baseURI).href;
  if (!(await cache.match(address))) return 'absent';
  if (body === null) return String(await cache.delete(address));
  await cache.put(address, new Response(body, {headers: {'Content-Type': 'text/javascript'}}));
  return 'true';
}
"""


@pytest.mark.parametrize(
    ("path", "body"),
    [(NETWORK, "damaged"), (NETWORK, None), ("assets/main.js", "throw new Error('damaged');")],
    ids=["damaged", "evicted", "damaged-page"],
)
def test_what_is_damaged_or_gone_is_fetched_again(browser, dist, path, body):
    context = browser.new_context()
    with served(dist) as site, page_of(browser, site, context=context) as page:
        assert page.evaluate(CHANGE, {"path": path, "body": body}) == "true"
        site.asked.clear()
        page.reload()
        ready(page)
        # The browser itself looks whether there is a newer service worker.
        assert [name for name in site.asked if name != "service-worker.js"] == [path]
        site.asked.clear()
        page.reload()
        ready(page)
        assert path not in site.asked
    context.close()


def test_a_file_that_is_not_the_listed_one_is_refused_by_name(browser, dist):
    with served(dist) as site:
        site.replaced[NETWORK] = b"something else"
        context = browser.new_context()
        page = context.new_page()
        page.goto(site.address)
        page.wait_for_selector(".engine-loading[role=alert]", timeout=LONG)
        said = page.inner_text(".engine-loading")
        assert NETWORK in said
        assert "14 bytes" in said
        context.close()


def test_a_breach_of_the_policy_reaches_nobody_and_is_shown(browser, dist):
    reached: list[str] = []

    class Notes(BaseHTTPRequestHandler):
        def do_GET(self):
            reached.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *_):
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    Thread(target=other.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{other.server_port}/steal"
    try:
        context = browser.new_context()
        with served(dist) as site:
            page = context.new_page()
            page.goto(site.address)
            ready(page)
            attempt = (
                "(address) => fetch(address, {method: 'POST', mode: 'no-cors', body: 'pixels'})"
                ".then(() => 'sent', (error) => error.name)"
            )
            assert page.evaluate(attempt, address) == "TypeError"
            page.evaluate(
                "(address) => { new Image().src = address; navigator.sendBeacon(address, 'x'); }",
                address,
            )
            # The engine's worker stands under it too, although its file came with no header.
            workers = [one for one in page.workers if one.url.endswith("wasm-worker.js")]
            assert [one.evaluate(attempt, address) for one in workers] == ["TypeError"]
            page.wait_for_timeout(500)
            give(page, EXAMPLE)
            page.click("#tab-device")
            page.wait_for_timeout(400)
            assert "blocked" in page.inner_text("#panel-device .proof")
            assert reached == []
            context.close()
    finally:
        other.shutdown()
        other.server_close()


def test_thirty_pictures_one_after_another(browser, dist):
    """With one that is broken among them, a ZIP, and memory that does not grow."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory of processes is read from /proc")
    files = [(f"p{number:02}.jpg", small(number)) for number in range(30)]
    files[7] = ("broken.jpg", files[7][1][:3000])
    with served(dist) as site, page_of(browser, site) as page:
        give(page, *files[:10])
        finished(page, 9)
        half = renderers(browser)
        give(page, *files[10:])
        finished(page, 29)
        assert renderers(browser) < half + (150 << 20)
        broken = page.locator(".pictures li[data-state=failed]")
        assert broken.count() == 1
        assert "broken.jpg" in broken.inner_text()
        assert "cut short" in broken.locator(".state").get_attribute("title")
        made, name = taken(page, "#download-all")
        assert name == "cutouts.zip"
        with zipfile.ZipFile(io.BytesIO(made)) as archive:
            assert archive.testzip() is None
            expected = [f"{name[:-4]}-cutout.png" for name, _ in files if name != "broken.jpg"]
            assert archive.namelist() == expected
            with Image.open(io.BytesIO(archive.read("p29-cutout.png"))) as last:
                assert (last.size, last.mode) == ((378, 240), "RGBA")
        assert requests_since(page) == 0


def test_a_pause_waits_and_cancelling_leaves_what_there_is(browser, dist):
    with served(dist) as site, page_of(browser, site) as page:
        asked = page.evaluate(
            """async () => {
                const at = new URL('assets/engine/wasm.js', document.baseURI).href;
                const {engine} = await import(at);
                await engine.pause(true);
                const canvas = new OffscreenCanvas(64, 48);
                canvas.getContext('2d').fillRect(20, 10, 20, 20);
                const file = await canvas.convertToBlob();
                const {id} = await engine.add(file, {name: 'one.png'});
                await new Promise((resolve) => setTimeout(resolve, 700));
                const state = async () => (await engine.pictures())[0].state;
                const waited = await state();
                await engine.cancel(id);
                const cancelled = await state();
                await engine.pause(false);
                await engine.retry(id);
                while (['queued', 'running'].includes(await state())) {
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
                const {edit} = (await engine.pictures())[0];
                const refusals = [];
                const asks = [{softness: 0.5}, {choke: 1},
                    {corrections: {box: [0, 0, 9, 9], keep: [], drop: [], strokes: []}},
                    {framing: {...edit.framing, shadow: 'drop'}}];
                for (const change of asks) {
                    await engine.setEdit(id, {...edit, ...change}).then(
                        () => refusals.push(null), (error) => refusals.push(error.message));
                }
                return {waited, cancelled, done: await state(), refusals};
            }"""
        )
        assert (asked["waited"], asked["cancelled"], asked["done"]) == (
            "queued",
            "cancelled",
            "done",
        )
        words = ("Softness", "Choke", "Corrections", "Shadow")
        for word, said in zip(words, asked["refusals"], strict=True):
            assert said is not None, word
            assert said.startswith(word)
            assert "not in the browser yet" in said


def refused_files():
    """Files that are refused, and what is said of them."""
    with Image.open(EXAMPLE) as image:
        cmyk, out = image.resize((64, 48)).convert("CMYK"), io.BytesIO()
        cmyk.save(out, "JPEG")
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (9000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    return {
        "print.jpg": (out.getvalue(), "CMYK"),
        "huge.png": (header + bytes(4), "9000 x 9000 pixels"),
        "noise.heic": (bytes(range(200)), "no decoder for it"),
        "empty.jpg": (b"", "the file is empty"),
    }


FRAMED = """
async (framing) => {
    const at = new URL('assets/engine/wasm.js', document.baseURI).href;
    const {engine} = await import(at);
    const [{id, edit}] = await engine.pictures();
    const {revision} = await engine.setEdit(id, {...edit, framing: {...edit.framing, ...framing}});
    for (;;) {
        const [picture] = await engine.pictures();
        if (picture.error) throw new Error(picture.error.message);
        if (picture.state === 'done' && picture.revision >= revision) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const [{framed}] = await engine.pictures();
    const {layerWidth, layerHeight} = await engine.view(id, {fit: 100}, 'framed', revision);
    return {framed, layer: [layerWidth, layerHeight]};
}
"""


def test_a_cutout_is_framed_as_natively(browser, dist, tmp_path):
    place = {"canvas": "300x200", "fill": 0.8, "align": "bottom", "background": "#336699"}
    bare_edit = {"canvas": None, "background": None, "trim": True}
    with served(dist) as site, page_of(browser, site) as page:
        give(page, ("small.jpg", small(0)))
        finished(page, 1)
        told = page.evaluate(FRAMED, place)
        assert (told["framed"], told["layer"]) == ({"width": 300, "height": 200}, [300, 200])
        made = np.asarray(Image.open(io.BytesIO(taken(page)[0])))
        assert page.evaluate(FRAMED, bare_edit)["framed"]["width"] < 320
        trimmed = np.asarray(Image.open(io.BytesIO(taken(page)[0])))
    (tmp_path / "small.jpg").write_bytes(small(0))
    with Remover(model="auto", device="cpu", backend="onnxruntime", threads=1) as remover:
        cutout = remover.cutout(tmp_path / "small.jpg")
        canvas = Canvas(300, 200, fill=0.8, align="bottom")
        framed = cutout.render(Output(background="#336699", canvas=canvas))
        bare = cutout.render(Output(trim=True))
    for ours, native_one in ((made, framed), (trimmed, bare)):
        assert ours.shape == native_one.shape
        assert np.abs(ours.astype(int) - native_one.astype(int)).max() <= 2


def test_files_that_cannot_be_read_are_named_with_the_reason(browser, dist):
    files = refused_files()
    with served(dist) as site, page_of(browser, site) as page:
        give(page, *((name, data) for name, (data, _) in files.items()))
        rows = page.locator(".pictures li[data-state=failed]")
        rows.nth(len(files) - 1).wait_for(timeout=LONG)
        for name, (_, reason) in files.items():
            said = rows.filter(has_text=name).locator(".state").get_attribute("title")
            assert f"cannot read {name}: " in said
            assert reason in said


def test_webgpu_is_tried_and_taken_or_left_with_a_reason(launch, dist, tmp_path):
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
    opened = launch([*flags, "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"])
    try:
        with served(dist) as site:
            site.address += "?webgpu=software"
            page = opened.new_page()
            page.goto(site.address)
            adapter = page.evaluate("async () => !!(await navigator.gpu?.requestAdapter())")
            if not adapter or not page.evaluate("'Suspending' in WebAssembly"):
                pytest.skip("this Chromium has no WebGPU here, in software neither")
            ready(page, 3 * LONG)
            give(page, EXAMPLE)
            page.select_option("#model", "nssbg-lite")
            finished(page, 1)
            told = facts(page)
            assert "WebGPU" in told["Device"] + told.get("Fallbacks", "")
            made, _ = taken(page)
            there = native(EXAMPLE.read_bytes(), "mug.jpg", tmp_path)
            assert np.abs(alpha_of(made) - alpha_of(there)).max() <= 4
    finally:
        opened.close()


def test_a_device_with_little_memory_has_one_thread_and_says_so(browser, dist):
    weak = "Object.defineProperty(Navigator.prototype, 'deviceMemory', {get: () => 2})"
    with served(dist, ISOLATED) as site, page_of(browser, site, prepare=weak) as page:
        assert page.evaluate("crossOriginIsolated")
        give(page, ("small.jpg", small(0)))
        finished(page, 1)
        told = facts(page)
        assert told["Instruction set"] == "WebAssembly, simd, 1 thread"
        assert "little memory" in told["Fallbacks"]
