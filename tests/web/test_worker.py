"""The engine's worker, in Node: pictures to PNG files by every method and effort, as natively."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorder import Recorder

from nssbg import Canvas, Output, Remover

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "web" / "dist"
EXAMPLES = ROOT / "examples"
#: Picture, model, effort: the network once, mirrored and with crops, along the outline, and chosen.
CASES = [
    *((name, "nssbg-lite", "fast") for name in ("bear", "mug", "portrait")),
    ("portrait", "nssbg-lite", "balanced"),
    ("small", "nssbg-lite", "balanced"),
    ("bear", "nssbg-lite", "best"),
    *((name, "studio", "balanced") for name in ("bear", "mug", "portrait")),
    *((name, "auto", "balanced") for name in ("bear", "mug", "portrait", "small", "unsure")),
]

#: A frame of the worker's, and the same as an `Output`.
FRAMES = [
    (
        {"canvas": {"width": 500, "height": 400, "fill": 0.9, "align": "bottom"}},
        Output(canvas=Canvas(500, 400, fill=0.9, align="bottom")),
    ),
    (
        {"trim": True, "padding": [5, 0, 9, 2], "longestSide": 300},
        Output(trim=True, padding=(5, 0, 9, 2), longest_side=300),
    ),
]


def picture(name):
    """An example, or one made of them: H x W x 3."""
    if name == "small":  # a subject for a crop, before a backdrop that is none
        y, x = np.mgrid[0:900, 0:1200]
        image = np.stack([90 + 60 * np.sin(x / 37), 110 + 50 * np.cos(y / 23), 80 + 0.05 * x], -1)
        with Image.open(EXAMPLES / "bear.jpg") as opened:
            part = np.asarray(opened.convert("RGB").resize((300, 225)))
        image[500:725, 700:1000] = part
        return image.astype(np.uint8)
    with Image.open(EXAMPLES / f"{'mug' if name == 'unsure' else name}.jpg") as opened:
        image = np.array(opened.convert("RGB"))
    if name == "unsure":  # a studio picture whose backdrop is disturbed at one side
        image[:, :160] = np.random.default_rng(4).integers(0, 256, image[:, :160].shape)
    return image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, web_builds):
    """Decoded pictures, and their native cut-outs of every case."""
    if not (DIST / "runtime" / "package.txt").exists():
        pytest.skip("web/dist has no runtime for networks: make web (which needs npm)")
    recorder = Recorder(tmp_path_factory.mktemp("pictures"))
    native = {}
    for model in ("nssbg-lite", "studio", "auto"):
        with Remover(model=model, device="cpu", backend="onnxruntime", threads=1) as remover:
            for name, wanted, effort in CASES:
                if wanted == model:
                    native[name, model, effort] = remover.cutout(picture(name), effort=effort)
    for name, model, effort in CASES:
        image = recorder.kept(picture(name))
        recorder.calls.append({"name": name, "model": model, "effort": effort, "image": image})
    for number, (frame, output) in enumerate(FRAMES):
        file = recorder.folder / f"framed-{number}.png"
        native["mug", "studio", "balanced"].save(file, output=output)
        image = recorder.kept(picture("mug"))
        call = {"name": f"framed-{number}", "model": "studio", "effort": "balanced", "image": image}
        recorder.calls.append({**call, "frame": frame})
    recorder.save()
    return recorder.folder, native


def test_the_cases_have_what_they_are_for(pictures):
    native = pictures[1]
    assert native["small", "nssbg-lite", "balanced"].second_pass.crops
    assert native["bear", "nssbg-lite", "best"].second_pass.tiles > 0
    taken = {name: native[name, "auto", "balanced"].plan.model for name in ("mug", "portrait")}
    assert taken == {"mug": "studio", "portrait": "nssbg-lite"}
    assert "agreement" in native["unsure", "auto", "balanced"].plan.reasons[-1]


def apart(made, there):
    """Largest difference of the alphas, and of nearly all colours where both show."""
    alphas = np.abs(made[..., 3].astype(int) - there[..., 3].astype(int))
    both = (made[..., 3] > 0) & (there[..., 3] > 0)
    colors = np.abs(made[..., :3].astype(int) - there[..., :3].astype(int))[both]
    return int(alphas.max()), float(np.percentile(colors, 99.9)) if both.any() else 0.0


@pytest.mark.parametrize(("build", "threads"), [("simd", 1), ("simd-threads", 2)])
def test_cutouts_are_the_native_ones(node, pictures, build, threads):
    folder, native = pictures
    opened, *told = node("worker_cutout.js", folder, DIST, build, threads)
    assert (opened["type"], opened["build"], opened["threads"]) == ("opened", build, threads)
    told, (broken, unknown, utmost, tall) = told[:-4], told[-4:]
    assert (broken["type"], broken["kind"]) == ("failed", "invalid")
    assert "broken.png: it is no PNG file" in broken["message"]
    assert "birefnet is not here; studio, nssbg-lite, auto are" in unknown["message"]
    assert "effort must be 'fast', 'balanced' or 'best', got 'utmost'" in utmost["message"]
    assert "sides of 1 to 65535 pixels, not 99999 x 5" in tall["message"]
    for number, one in enumerate(told[len(CASES) :]):
        assert one["type"] == "done", one
        assert one["stages"][-2:] == ["compose", "encode"]
        made = (folder / f"framed-{number}-studio-balanced-web.png").read_bytes()
        assert made == (folder / f"framed-{number}.png").read_bytes()
    for case, one in zip(CASES, told, strict=False):
        assert one["type"] == "done", one
        there = native[case]
        stages = [name for name in there.timings.stages if name != "decode"]
        assert list(one["timings"]) == one["stages"] == [*stages, "encode"], case
        assert one["model"] == there.plan.model
        assert one["confidence"] == pytest.approx(there.confidence, abs=1e-5), case
        assert one["low_confidence"] == there.low_confidence
        own = [note for note in there.notes if not note.startswith("low confidence")]
        assert one["notes"] == own
        if there.second_pass is None:
            assert one["second_pass"] is None
        else:
            crops = [[a.y0, a.x0, a.y1, a.x1] for a in there.second_pass.crops]
            assert one["second_pass"]["crops"] == crops
            assert one["second_pass"]["runs"] == there.second_pass.runs
            assert one["second_pass"]["tiles"] == there.second_pass.tiles
        made = np.asarray(Image.open(folder / f"{'-'.join(case)}-web.png"))
        if there.plan.model == "studio":
            np.testing.assert_array_equal(made, there.rgba)
        else:
            alphas, colors = apart(made, there.rgba)
            assert alphas <= 1, case
            assert colors <= 1, case
