"""The npm package @nssbg/web: packed, installed, type-checked, bundled, and run in a Chromium.

What it cuts out is held to the native package. The page takes the package in two ways: bundled by
esbuild with the engine's files at a `publicPath`, and without a bundler, as the package lies.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from site_server import ISOLATED, served

from nssbg import Canvas, Output, Remover

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "mug.jpg"
LONG = 240_000  # the machine may be busy; nothing here measures time
TOOLS = ROOT / "build" / "web" / "tools" / "node_modules" / ".bin"

BUNDLED = """
import * as nssbg from '@nssbg/web';
Object.assign(window, { nssbg, where: { publicPath: './engine' } });
"""
HELP = '<script src="npm_page.js"></script>'
AS_IT_LIES = """<!doctype html><title>a page</title><script src="npm_page.js"></script>
<script type="importmap">{"imports": {
  "@nssbg/web": "./package/npm/index.js", "@nssbg/web/imgly": "./package/npm/imgly.js"
}}</script>
<script type="module">
import * as nssbg from '@nssbg/web';
import * as imgly from '@nssbg/web/imgly';
Object.assign(window, { nssbg, imgly, where: {} });
</script>
"""


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """A fresh folder that the package was installed into from its file."""
    where = tmp_path_factory.mktemp("npm")
    command = [sys.executable, str(ROOT / "web" / "pack.py"), "--into", str(where)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    package = Path(done.stdout.strip())
    consumer = where / "consumer"
    consumer.mkdir()
    (consumer / "package.json").write_text('{"name": "consumer", "private": true}\n')
    quiet = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"]
    ran(["npm", "install", *quiet, str(package)], consumer)
    return consumer


def ran(command, folder):
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(installed):
    """A folder with two pages: the bundled one, and the one that has the package as it lies."""
    package = installed / "node_modules" / "@nssbg" / "web"
    (installed / "app.js").write_text(BUNDLED)
    ran(
        [TOOLS / "esbuild", "app.js", "--bundle", "--format=esm", "--outfile=site/app.js"],
        installed,
    )
    folder = installed / "site"
    shutil.copytree(package / "npm" / "files", folder / "engine")
    shutil.copytree(package, folder / "package")
    shutil.copyfile(EXAMPLE, folder / "mug.jpg")
    shutil.copyfile(Path(__file__).with_name("npm_page.js"), folder / "npm_page.js")
    (folder / "bundled.html").write_text(
        f'<!doctype html><title>a page</title>{HELP}<script type="module" src="app.js"></script>'
    )
    (folder / "as-it-lies.html").write_text(AS_IT_LIES)
    return folder


@contextmanager
def page_of(browser, folder, name, headers=None):
    """A page of the site; no request may leave the site, no script fail."""
    with served(folder, headers) as where:
        context = browser.new_context()
        asked, said = [], []
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.set_default_timeout(LONG)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(where.address + name)
        page.wait_for_function("window.nssbg")
        try:
            yield page, where
        finally:
            context.close()
        assert said == []
        assert [url for url in asked if not url.startswith((where.address, "blob:", "data:"))] == []


def pixels(sent):
    assert sent[0] == "image/png"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(sent[1]))))


@pytest.fixture(scope="module")
def native():
    """What the native package makes of the example, by model and output."""

    def made(model, output=None, **options):
        with Remover(model=model, device="cpu", backend="onnxruntime", threads=1) as remover:
            cutout = remover.cutout(EXAMPLE, **options)
            return cutout.encode(format="png", **({"output": output} if output else {}))

    return made


def test_the_package_says_what_it_is(installed):
    package = installed / "node_modules" / "@nssbg" / "web"
    facts = json.loads((package / "package.json").read_text())
    assert (facts["name"], facts["private"], facts["type"]) == ("@nssbg/web", True, "module")
    named = json.dumps(facts["exports"])
    for entry in facts["exports"].values():
        for path in entry.values() if isinstance(entry, dict) else [entry]:
            if "*" not in path:
                assert (package / path).is_file(), named
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    # Bundlers write what is shorter into the program, which a policy forbids to load.
    short = [p for p in (package / "npm" / "files").rglob("*.*") if p.stat().st_size <= 4096]
    assert short == []


GOOD = """
import { alpha, cutout, preload, release, removeBackground } from '@nssbg/web';
import { EngineError, Remover } from '@nssbg/web';
import type { Canvas, Cutout, Options } from '@nssbg/web';
import imglyRemoveBackground, { alphamask, applySegmentationMask } from '@nssbg/web/imgly';
import { preload as preloadImgly, removeForeground, type Config } from '@nssbg/web/imgly';
const canvas: Canvas = { width: 500, height: 400, align: [0.5, 1] };
const options: Options = { model: 'auto', effort: 'best', canvas, background: '#fff' };
export async function all(file: File, stop: AbortSignal): Promise<Blob> {
  const blob: Blob = await removeBackground(file, { ...options, signal: stop, publicPath: '/x/' });
  const one: Cutout = await cutout(new Uint8Array(4), { onProgress: ({ stage }) => stage.trim() });
  const sure: number | null = one.confidence;
  const threads: number = (await preload({ device: 'cpu' })).threads;
  const own = new Remover();
  const image: ImageData = await own.pixels(blob);
  own.close();
  release();
  if (threads > 1 && sure === null) throw new EngineError('invalid', String(image.width));
  return alpha(blob);
}
export async function inPlace(url: string): Promise<Blob> {
  const config: Config = { publicPath: '/x/', model: 'isnet_quint8', output: { quality: 0.9 } };
  await preloadImgly(config);
  const mask: Blob = await alphamask(new URL(url), config);
  await removeForeground(new ArrayBuffer(8));
  return applySegmentationMask(await imglyRemoveBackground(url), mask);
}
// @ts-expect-error there is no such format
imglyRemoveBackground('x.jpg', { output: { format: 'image/gif' } });
// @ts-expect-error there is no such model
removeBackground(new Blob(), { model: 'nonesuch' });
// @ts-expect-error nor such an option
removeBackground(new Blob(), { strength: 1 });
// @ts-expect-error a picture is no number
removeBackground(5);
"""


@pytest.mark.parametrize("resolution", ["bundler", "nodenext"])
def test_its_types_hold_a_user_to_what_there_is(installed, resolution):
    folder = installed / resolution
    folder.mkdir(exist_ok=True)
    (folder / "user.mts").write_text(GOOD)
    module = "es2022" if resolution == "bundler" else "nodenext"
    flags = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"]
    ran(
        [TOOLS / "tsc", *flags, "--module", module, "--moduleResolution", resolution, "user.mts"],
        folder,
    )


@pytest.mark.parametrize(
    ("name", "headers", "build"),
    [("bundled.html", ISOLATED, "simd-threads"), ("as-it-lies.html", None, "simd")],
    ids=["bundled", "as it lies"],
)
def test_a_page_cuts_out_as_natively(browser, site, native, name, headers, build):
    with page_of(browser, site, name, headers) as (page, where):
        told = page.evaluate("() => cutOut(nssbg, where)")
        asked = where.asked
    assert told["about"]["build"] == build
    own = native("auto")
    assert told["facts"]["model"] == "studio"
    assert told["first"] == told["picture"] == ["image/png", base64.b64encode(own).decode()]
    assert (told["facts"]["width"], told["facts"]["height"]) == Image.open(io.BytesIO(own)).size
    assert 0 < told["facts"]["confidence"] <= 1
    loads = [one for one in told["seen"] if one[0] == "load"]
    assert loads[-1][1] == loads[-1][2] > 5_000_000
    assert [one[0] for one in told["seen"]][-1] == "encode"
    network = np.asarray(Image.open(io.BytesIO(native("nssbg-lite", effort="fast"))))
    apart = pixels(told["network"])[..., 3].astype(int) - network[..., 3]
    assert np.abs(apart).max() <= 1
    framed = Output(canvas=Canvas(300, 200, align="bottom"), background=(0x20, 0x40, 0x60))
    there = np.asarray(Image.open(io.BytesIO(native("studio", framed))))
    np.testing.assert_array_equal(pixels(told["framed"]), there)
    alpha = np.asarray(Image.open(io.BytesIO(native("studio"))))[..., 3]
    np.testing.assert_array_equal(pixels(told["alpha"]), alpha)
    # Each of the large files comes once for the engine, however many pictures there are.
    large = [path for path in asked if path.endswith((".wasm", ".onnx"))]
    assert len(large) >= 3
    assert len(set(large)) == len(large)


def test_what_fails_says_why(browser, site):
    with page_of(browser, site, "bundled.html") as (page, _):
        told = page.evaluate("() => failures(nssbg, where)")
    expected = [
        ("EngineError", "invalid", "decontaminate is what it is called here"),
        ("EngineError", "unsupported", "softness does not run in the browser"),
        ("EngineError", "invalid", 'model is "auto", "studio", "nssbg-lite", not "birefnet"'),
        ("EngineError", "unsupported", 'background: "blur" does not run in the browser'),
        ("EngineError", None, "pixels"),
        ("EngineError", "invalid", "of another origin than the page"),
        ("EngineError", "failed", "nowhere/worker.js there?"),
        ("EngineError", None, "list.txt"),
        ("EngineError", "failed", "nowhere.jpg answers 404"),
        ("AbortError", None, ""),
    ]
    *failed, after = told
    for (name, kind, message), one in zip(expected, failed, strict=True):
        assert one[0] == name, one
        assert kind is None or one[1] == kind, one
        assert message in one[2], one
    assert after[0] == "image/png"
    assert np.ptp(pixels(after)[..., 3]) == 255


def test_files_of_another_version_are_refused(browser, site):
    with page_of(browser, site, "bundled.html") as (page, where):
        where.replaced["engine/models/nssbg-lite.onnx"] = b"another network"
        _, kind, message = page.evaluate("() => why(nssbg.preload(where))")
    assert kind == "failed"
    assert "nssbg-lite.onnx is not the file that the site's list names" in message


def test_the_functions_of_imgly_are_there_by_their_names(browser, site, native):
    with page_of(browser, site, "as-it-lies.html") as (page, _):
        told = page.evaluate("() => inPlaceOfImgly(imgly, where)")
    made = told["made"]
    own = native("auto")
    assert made["picture"] == made["again"] == ["image/png", base64.b64encode(own).decode()]
    alpha = np.asarray(Image.open(io.BytesIO(own)))[..., 3]
    mask = pixels(made["mask"])
    np.testing.assert_array_equal(mask[..., 3], alpha)
    assert (mask[..., :3] == 255).all()
    with Image.open(EXAMPLE) as opened:
        colors = np.asarray(opened.convert("RGB")).astype(int)
    masked = pixels(made["masked"])
    np.testing.assert_array_equal(masked[..., 3], alpha)
    assert np.abs(masked[..., :3] - colors)[alpha > 0].max() <= 1
    assert made["byAlpha8"] == made["masked"]
    background = pixels(made["background"])
    np.testing.assert_array_equal(background[..., 3], 255 - alpha)
    assert np.abs(background[..., :3] - colors)[alpha < 255].max() <= 1
    height, width = alpha.shape
    half = pixels(made["half"])[..., 3]
    assert half.shape == alpha.shape
    assert (half[:, 0] == 255).all()
    assert (half[:, -1] == 0).all()
    assert made["rgba8"][0] == f"image/x-rgba8;width={width};height={height}"
    raw = np.frombuffer(base64.b64decode(made["rgba8"][1]), np.uint8).reshape(height, width, 4)
    np.testing.assert_array_equal(raw, np.asarray(Image.open(io.BytesIO(own))))
    assert made["alpha8"][0] == f"image/x-alpha8;width={width};height={height}"
    assert base64.b64decode(made["alpha8"][1]) == alpha.tobytes()
    for name, format in (("jpeg", "JPEG"), ("webp", "WEBP")):
        with Image.open(io.BytesIO(base64.b64decode(made[name][1]))) as opened:
            assert (made[name][0], opened.format) == (f"image/{name}", format)
            assert opened.size == (width, height)
    assert told["same"]
    assert told["preloaded"] is None
    assert told["loaded"] == 1
    assert {"fetch:engine", "compute:encode"} <= set(told["keys"])
    # Each once, however often it is asked for.
    names = [line.removeprefix("@nssbg/web/imgly: ").split(":")[0] for line in told["warnings"]]
    assert sorted(names) == ["model", "nonesuch", "rescale"]
    expected = ["model is one of", 'device is "cpu" or "gpu"', "output.format is", "output.quality"]
    for message, (name, kind, said) in zip(expected, told["refused"], strict=True):
        assert (name, kind) == ("EngineError", "invalid")
        assert said.startswith(message)
