"""The site's page in a Chromium, as a person has it: opened, given pictures, its results taken."""

from __future__ import annotations

import io
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mug.jpg"
DONE = ".pictures li[data-state=done], .pictures li[data-state=look]"
LONG = 120_000  # the machine may be busy; nothing here measures time


@contextmanager
def page_of(browser, site, *, context=None, prepare=None):
    """The site's page once its engine is there; no request may leave the site, no script fail."""
    mine = context is None
    context = context or browser.new_context(viewport={"width": 1280, "height": 860})
    asked: list[str] = []
    said: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    if prepare:
        page.add_init_script(prepare)
    page.goto(site.address)
    ready(page)
    try:
        yield page
    finally:
        if mine:
            context.close()
        else:
            page.close()
    assert said == []
    own = (site.address, "blob:", "data:")
    assert [url for url in asked if not url.startswith(own)] == []


def ready(page, longest=LONG):
    page.wait_for_selector("html[data-ready]", timeout=longest)
    page.wait_for_selector(".engine-loading", state="hidden", timeout=longest)


def give(page, *files):
    """Drop files on the page: paths, or names with their bytes."""
    page.evaluate(
        """() => {
            const input = document.createElement('input');
            Object.assign(input, {type: 'file', multiple: true, id: 'dropped', hidden: true});
            document.body.append(input);
        }"""
    )
    payload: list[Any] = [
        {"name": one[0], "mimeType": "image/jpeg", "buffer": one[1]}
        if isinstance(one, tuple)
        else {"name": one.name, "mimeType": "image/jpeg", "buffer": one.read_bytes()}
        for one in files
    ]
    page.set_input_files("#dropped", payload)
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            const input = document.querySelector('#dropped');
            for (const file of input.files) dataTransfer.items.add(file);
            const options = {dataTransfer, bubbles: true, cancelable: true};
            document.dispatchEvent(new DragEvent('drop', options));
            input.remove();
        }"""
    )


def finished(page, count):
    page.locator(DONE).nth(count - 1).wait_for(timeout=LONG)
    assert page.locator(DONE).count() == count


def taken(page, selector="#download"):
    """The bytes of a download, and its name."""
    with page.expect_download(timeout=LONG) as waiting:
        page.click(selector)
    return Path(waiting.value.path()).read_bytes(), waiting.value.suggested_filename


def requests_since(page):
    """What the panel says."""
    page.click("#tab-device")
    page.wait_for_timeout(400)
    count = int(page.inner_text(".zero strong"))
    page.click("#tab-cutout")
    return count


def small(number):
    """Pictures of their own, as JPEG files."""
    with Image.open(EXAMPLE) as image:
        made = image.resize((320 + 2 * number, 240))
    out = io.BytesIO()
    made.save(out, "JPEG", quality=90)
    return out.getvalue()


def renderers(browser):
    """Bytes of memory of the pages' processes."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    pages = 0
    for process in found:
        statm = Path(f"/proc/{process['id']}/statm")
        if process["type"] == "renderer" and statm.exists():
            pages += int(statm.read_text().split()[1]) * 4096
    return pages
