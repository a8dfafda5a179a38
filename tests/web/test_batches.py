"""Lists of the site's page that outlast it: reloads, crashes, a full disk, folders in and out."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from site_page import DONE, LONG, finished, give, page_of, ready, small, taken
from site_server import served

ROWS = ".pictures li"
FAILED = ".pictures li[data-state=failed]"
#: The engine's module, which the page has as well.
ENGINE = "const {engine} = await import(new URL('assets/engine/wasm.js', document.baseURI).href);"
#: The database of what is kept.
OPENED = """
    const all = await indexedDB.databases();
    const {name} = all.find(({name}) => name.startsWith('nssbg pictures'));
    const answer = (request) => new Promise((resolve) => {
        request.onsuccess = () => resolve(request.result);
    });
    const database = await answer(indexedDB.open(name));
"""
#: How many records each store has.
COUNTS = f"""async () => {{{OPENED}
    const found = {{}};
    for (const store of database.objectStoreNames) {{
        found[store] = await answer(database.transaction(store).objectStore(store).count());
    }}
    database.close();
    return found;
}}"""


def script(body):
    return f"async (given) => {{ {ENGINE} {body} }}"


def paused(page, wanted=True):
    page.evaluate(script("await engine.pause(given);"), wanted)


def added(page, count):
    """All of them are in the list, and the engine has them."""
    page.locator(ROWS).nth(count - 1).wait_for(timeout=LONG)
    page.wait_for_function(
        script("return (await engine.pictures()).length === given;"), arg=count, timeout=LONG
    )
    # The last one is written.
    page.wait_for_timeout(300)


def again(page):
    page.reload()
    ready(page)


def panel(page):
    """What the panel says of where the pictures lie."""
    page.click("#tab-device")
    page.wait_for_selector("#panel-device .kept h3")
    said = page.inner_text("#panel-device .kept")
    page.click("#tab-cutout")
    return said


def test_a_reload_brings_the_list_back_and_goes_on(profile, dist):
    files = [(f"p{number}.jpg", small(number)) for number in range(7)]
    files[1] = ("broken.jpg", files[1][1][:3000])
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        give(page, *files[:4])
        finished(page, 3)
        page.locator(FAILED).wait_for(timeout=LONG)
        before = page.evaluate(script("return engine.pictures();"))
        page.locator(ROWS).first.click()
        made, _ = taken(page)
        paused(page)
        give(page, *files[4:])
        added(page, 7)
        again(page)
        added(page, 7)
        assert page.locator(DONE).count() == 3
        assert "cut short" in page.locator(f"{FAILED} .state").get_attribute("title")
        notice = page.text_content("#announcer")
        assert "7 pictures of your last visit are here again" in notice
        assert "3 still wait and go on when you press “Go on”" in notice
        # Neither order nor results nor what was measured of them have changed.
        after = page.evaluate(script("return engine.pictures();"))
        assert after[:4] == before
        assert [one["name"] for one in after] == [name for name, _ in files]
        page.locator(ROWS).first.click()
        assert taken(page)[0] == made
        assert page.inner_text(".pause") == "Go on"
        page.click(".pause")
        finished(page, 6)
        assert page.evaluate(COUNTS)["results"] == 6
        assert "after a reload" in panel(page).lower()
        page.click("text=Remove all")
        page.click(".dialog .danger-solid")
        page.wait_for_function(script("return !engine.keeping().bytes;"))
        assert page.evaluate(COUNTS) == {"files": 0, "pictures": 0, "results": 0, "thumbnails": 0}
        again(page)
        assert page.locator(ROWS).count() == 0


def test_a_tab_that_crashes_loses_nothing_and_goes_on_by_itself(profile, dist):
    files = [(f"p{number}.jpg", small(number)) for number in range(5)]
    with served(dist) as site:
        page = profile.new_page()
        page.goto(site.address)
        ready(page)
        give(page, *files)
        added(page, 5)
        page.locator(DONE).nth(1).wait_for(timeout=LONG)
        with page.expect_event("crash"):
            page.context.new_cdp_session(page).send("Page.navigate", {"url": "chrome://crash"})
        page.close()
        with page_of(profile.browser, site, context=profile) as page:
            finished(page, 5)
            names = [one["name"] for one in page.evaluate(script("return engine.pictures();"))]
            assert names == [name for name, _ in files]


#: Changes the first picture that is kept.
CHANGED = f"""async (change) => {{{OPENED}
    const transaction = database.transaction('pictures', 'readwrite');
    const store = transaction.objectStore('pictures');
    const [first] = await answer(store.getAll());
    await answer(store.put({{...first, ...change}}, first.id));
    database.close();
}}"""


def test_a_picture_that_ended_the_page_twice_waits_for_the_person(profile, dist):
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        give(page, ("large.jpg", small(0)))
        finished(page, 1)
        page.evaluate(CHANGED, {"state": "running", "begun": 1})
        again(page)
        finished(page, 1)
        page.evaluate(CHANGED, {"state": "running", "begun": 2})
        again(page)
        page.locator(FAILED).wait_for(timeout=LONG)
        assert "more than once" in page.locator(f"{FAILED} .state").get_attribute("title")
        page.click(f"{FAILED} .row-actions button >> nth=0")
        finished(page, 1)


def noisy(number, height=300, width=400):
    """JPEG files whose cut-outs do not compress: half a megabyte each."""
    random = np.random.default_rng(number)
    pixels = np.full((height, width, 3), 245, np.uint8)
    inner = random.integers(0, 200, (height - 40, width - 40, 3), dtype=np.uint8)
    pixels[20:-20, 20:-20] = inner
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def test_a_full_disk_is_said_once_and_the_page_goes_on(profile, dist):
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        used = page.evaluate("async () => (await navigator.storage.estimate()).usage")
        origin = page.evaluate("location.origin")
        profile.new_cdp_session(page).send(
            "Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": used + 900_000}
        )
        give(page, *((f"p{number}.jpg", noisy(number)) for number in range(6)))
        finished(page, 6)
        assert page.locator(".notice.error").count() <= 1
        alerts = page.text_content("#alerts")
        assert alerts.count("storage is full") == 1
        assert "storage is full" in panel(page)
        made, _ = taken(page, "#download-all")
        with zipfile.ZipFile(io.BytesIO(made)) as archive:
            assert len(archive.namelist()) == 6


def test_a_second_tab_keeps_nothing_and_says_so(profile, dist):
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        give(page, ("one.jpg", small(0)))
        finished(page, 1)
        with page_of(profile.browser, site, context=profile) as second:
            second.wait_for_timeout(2500)
            assert second.locator(ROWS).count() == 0
            give(second, ("two.jpg", small(1)))
            finished(second, 1)
            assert "another tab" in panel(second)
            second.click("text=Remove all")
            second.click(".dialog .danger-solid")
            second.wait_for_function(script("return !(await engine.pictures()).length;"))
        again(page)
        finished(page, 1)


def test_who_does_not_want_it_kept_leaves_nothing(profile, dist):
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        give(page, ("one.jpg", small(0)))
        finished(page, 1)
        assert page.evaluate(COUNTS)["files"] == 1
        page.click("#tab-device")
        page.click("text=Keep the list over a reload")
        page.wait_for_function(script("return !engine.keeping().on;"))
        assert page.evaluate(COUNTS) == {"files": 0, "pictures": 0, "results": 0, "thumbnails": 0}
        page.reload()
        ready(page)
        assert page.locator(ROWS).count() == 0
        give(page, ("one.jpg", small(0)))
        finished(page, 1)
        assert page.evaluate(COUNTS)["files"] == 0


#: Folders of the origin's own file system in place of those that a person would choose.
PICKERS = """
const folder = async (name) => {
    const root = await navigator.storage.getDirectory();
    return root.getDirectoryHandle(name, {create: true});
};
window.showDirectoryPicker = ({mode}) => folder(mode === 'read' ? 'in' : 'out');
window.put = async (path, bytes) => {
    let into = await navigator.storage.getDirectory();
    const parts = path.split('/');
    const create = {create: true};
    for (const part of parts.slice(0, -1)) into = await into.getDirectoryHandle(part, create);
    const writable = await (await into.getFileHandle(parts.at(-1), create)).createWritable();
    await writable.write(new Uint8Array(bytes));
    await writable.close();
};
window.listed = async () => {
    const found = {};
    const walk = async (within, path) => {
        for await (const entry of within.values()) {
            const at = path ? `${path}/${entry.name}` : entry.name;
            if (entry.kind === 'directory') await walk(entry, at);
            else found[at] = [...new Uint8Array(await (await entry.getFile()).arrayBuffer())];
        }
    };
    await walk(await folder('out'), '');
    return found;
};
"""


def saved(page):
    page.click("#save-folder")
    page.wait_for_selector("#save-folder:not([disabled])", timeout=LONG)
    page.wait_for_timeout(200)
    return page.evaluate("listed()")


def test_a_folder_goes_in_and_out_and_nothing_is_overwritten(profile, dist):
    profile.add_init_script(PICKERS)
    inside = {
        "in/b.jpg": small(0),
        "in/deep/er/a.jpg": small(1),
        "in/deep/a.jpg": small(2),
        "in/notes.txt": b"no picture",
        "in/.thumbs/b.jpg": small(0),
    }
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        for path, data in inside.items():
            page.evaluate("([path, bytes]) => put(path, bytes)", [path, list(data)])
        page.evaluate("put('out/in/b-cutout.png', [1, 2, 3])")
        page.click("text=Choose a folder")
        finished(page, 3)
        names = page.locator(f"{ROWS} .name").all_inner_texts()
        assert names == ["in/b.jpg", "in/deep/a.jpg", "in/deep/er/a.jpg"]
        found = saved(page)
        assert sorted(found) == [
            "in/b-cutout-2.png",
            "in/b-cutout.png",
            "in/deep/a-cutout.png",
            "in/deep/er/a-cutout.png",
        ]
        assert found["in/b-cutout.png"] == [1, 2, 3]
        notices = page.text_content("#announcer")
        assert "3 pictures written to out. 1 name was taken there: numbered." in notices
        made = bytes(found["in/deep/a-cutout.png"])
        assert Image.open(io.BytesIO(made)).size == (324, 240)
        archive = zipfile.ZipFile(io.BytesIO(taken(page, "#download-all")[0]))
        assert sorted(archive.namelist()) == [name for name in sorted(found) if "-2" not in name]
        assert archive.read("in/deep/a-cutout.png") == made
        # Where a file lies in a folder's place nothing is written over it, and it is said.
        page.evaluate(
            """async () => {
                const root = await navigator.storage.getDirectory();
                const out = await root.getDirectoryHandle('out');
                await out.removeEntry('in', {recursive: true});
                await put('out/in', [9]);
            }"""
        )
        assert saved(page) == {"in": [9]}
        assert "a file named in lies where a folder is wanted" in page.text_content("#alerts")


def test_a_zip_beyond_four_gigabytes_is_one_that_is_read(browser, dist):
    """With the bound set low, since its records are those of the large ones."""
    with served(dist) as site, page_of(browser, site) as page:
        made = page.evaluate(
            """async () => {
                const at = new URL('assets/engine/wasm/zip.js', document.baseURI);
                const {zipOf} = await import(at);
                const files = ['a/one.png', 'a/One.png', 'two.png', 'a/one.png'].map(
                    (name, at) => ({name, blob: new Blob([`file ${at}`.repeat(9)])}));
                const zip = await zipOf(files, 100);
                return [...new Uint8Array(await zip.arrayBuffer())];
            }"""
        )
    with zipfile.ZipFile(io.BytesIO(bytes(made))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/one.png", "a/One-2.png", "two.png", "a/one-3.png"]
        assert archive.read("a/one-3.png") == b"file 3" * 9
    assert b"PK\6\6" in bytes(made)


def memory(browser):
    """Bytes of all the browser's processes."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    pages = 0
    for process in found:
        statm = Path(f"/proc/{process['id']}/statm")
        if statm.exists():
            resident, shared = statm.read_text().split()[1:3]
            pages += int(resident) - int(shared)
    return pages * 4096


def test_two_hundred_pictures_take_no_more_memory_than_forty(profile, dist):
    """Half a megabyte of pixels and as much of PNG each: held, they would be 150 MB more."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory of processes is read from /proc")
    with served(dist) as site, page_of(profile.browser, site, context=profile) as page:
        for begin in range(0, 200, 40):
            give(page, *((f"p{at}.jpg", noisy(at)) for at in range(begin, begin + 40)))
            finished(page, begin + 40)
            if begin == 0:
                early = memory(profile.browser)
        assert page.evaluate(COUNTS)["results"] == 200
        assert memory(profile.browser) < early + (60 << 20)
