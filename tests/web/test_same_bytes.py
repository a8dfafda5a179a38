"""The core in WebAssembly gives the native core's bytes: every golden file, every operation.

The golden tests themselves run here once more, natively, with a recorder in front of the core; each
build then repeats the calls in Node. A build is held to the same at one thread and at four.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorder import RECORDED, Recorder

from nssbg import Blur, Canvas, Corrections, Output, Remover, Shadow, _core
from nssbg._compose.output import render
from nssbg._models.catalog import describe
from nssbg._models.fitted import ConfidenceWeights
from nssbg._ops.brush import Stroke, painted
from nssbg._segment.base import Estimate
from nssbg._segment.confidence import confidence
from nssbg._segment.corrections import corrected_alpha, corrected_estimate, region_of
from nssbg._segment.second_pass.run import run_second_pass
from nssbg._segment.selector import select, selector_features
from nssbg._types import Frame, Plan

ROOT = Path(__file__).resolve().parents[2]
#: Functions, and objects that are asked again and again.
OPERATIONS = {*RECORDED, "second_pass", "correction_grid"}
BUILDS = [("plain", 1), ("simd", 1), ("simd-threads", 1), ("simd-threads", 4)]
# Golden files of what the browser has, and of what it does not: enlargement, which works by tiles.
GOLDEN = {"decontaminate", "prepare", "refine", "studio"}
NOT_IN_THE_BROWSER = {"tiles"}
EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))


def golden(name):
    """A module of tests/golden."""
    path = ROOT / "tests" / "golden" / f"test_{name}_golden.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_golden_tests():
    """Every case of tests/golden, at the best ISA level."""
    level = _core.isa_levels()[-1]
    for dtype in (np.uint8, np.uint16):
        golden("decontaminate").test_bytes_are_the_recorded_ones(dtype, level)
    prepare = golden("prepare")
    for name in prepare.GOLDEN:
        prepare.test_checksum(name, level, 1)
    refine = golden("refine")
    for case in refine.DIGESTS:
        refine.test_bytes_are_as_stored(*case, level)
    studio = golden("studio")
    for size in studio.GOLDEN:
        studio.test_checksum(size, level, 1)
    _core.set_isa("auto")


def pictures(dtype):
    """Waves, edges and noise by integers alone: an image and an alpha of H x W."""
    y, x = np.mgrid[0:173, 0:259].astype(np.int64)
    image = np.stack([x * 7 + y * 3, (x // 9 + y // 5) % 2 * 255, (x ^ y) * 5], -1) % 256
    wave = (x * 3 + y * 2) % 512
    alpha = np.clip(np.minimum(wave, 511 - wave) * 2 - 60, 0, 255)
    scale = np.iinfo(dtype).max // 255
    return (image * scale).astype(dtype), (alpha * scale).astype(dtype)


def run_operations_without_golden_file():
    """What the golden files leave out, in every type."""
    for dtype in (np.uint8, np.uint16):
        image, alpha = pictures(dtype)
        rgba = np.dstack([image, alpha])
        for pixels in (image, rgba, alpha[..., None]):
            for compression in ("fast", "default", "best"):
                _core.png_encode(pixels, compression, b"", 1)
            for orientation in (2, 5, 7, 8):
                _core.orient(pixels, orientation, 1)
        _core.subject_box(rgba, 10, threads=1)
        short = "u8" if dtype == np.uint8 else "u16"
        for form, kind in (("f32", np.float32), ("f16", np.uint16), ("u8", np.uint8)):
            target = np.zeros((3, 90, 121), kind)
            getattr(_core, f"prepare_{form}_from_{short}")(
                image,
                target,
                "lanczos",
                (10, 5, 111, 80),
                (9, 99, 199),
                (0.4, 0.5, 0.6),
                (0.2, 0.3, 0.25),
                1,
                (3.25, 7.5, 200.0, 150.75),
            )
        screen = np.where(alpha[..., None] > alpha.max() // 2, image, np.array([9, 200, 30], dtype))
        _core.studio_alpha(screen.astype(dtype), "green", True, 1, 0.0)
        _core.studio_alpha(image, "auto", False, 1, 0.9)
    image, alpha = pictures(np.uint8)
    as_float = alpha.astype(np.float32) / np.float32(255)
    trimap = np.where(alpha < 20, 0, np.where(alpha > 235, 255, 128)).astype(np.uint8)
    for level in ("guided", "matting"):
        for coarse in (alpha[::4, ::4].copy(), as_float[::4, ::4].copy()):
            _core.refine(image, coarse, trimap, level, 1, 64)
        _core.refine(image.astype(np.uint16) * 257, as_float[::4, ::4].copy(), None, level, 1, 64)
    _core.decontaminate(image, as_float, None, threads=1)
    for given in (alpha, as_float):
        for dtype in (np.uint8, np.uint16):
            existing = pictures(dtype)[0][..., 1].copy()
            _core.merge_alpha(given, existing)
        _core.feather(given, 2.5, 1)
        _core.post_process(given.copy())
        _core.remove_stray_alpha(given.copy(), 0.6, 0.01)
        _core.clean_components(given.copy(), False, 0.02, 500, False)
        _core.clean_components(given.copy(), False, 0.1, 0, False, of_largest=0.25, faint=0.65)
        _core.clean_components(given.copy(), False, 0.1, 0, True)
        _core.clean_components(given.copy(), True, 0.98, 500, False, deepest=0.2)
    rng = np.random.default_rng(5)
    for pixel_bytes in (1, 3, 4, 6, 8):
        filtered = rng.integers(0, 256, (40, 1 + 24 * pixel_bytes)).astype(np.uint8)
        filtered[:, 0] = np.arange(40) % 5
        _core.png_unfilter(filtered, pixel_bytes)


def network_of(side):
    """Sees a picture's red channel as alpha, at side x side: finer the smaller the part."""

    def alpha_of(part):
        rows = (np.arange(side) * 2 + 1) * part.shape[0] // (2 * side)
        columns = (np.arange(side) * 2 + 1) * part.shape[1] // (2 * side)
        return part[rows[:, None], columns[None, :], 0].astype(np.float32) / np.float32(255)

    return alpha_of


def discs(height, width, *found):
    """A picture whose red channel is the alpha of discs (y, x, radius)."""
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.zeros((height, width))
    for middle, across, radius in found:
        alpha = np.maximum(alpha, np.clip(radius - np.hypot(y - middle, x - across), 0, 4) / 4)
    return np.repeat(np.rint(alpha * 255).astype(np.uint8)[..., None], 3, 2)


def run_rules_on_maps():
    """What is decided on a network's maps: output, confidence, selector, second pass."""
    rng = np.random.default_rng(8)
    for activation, spread in (("none", 0.4), ("sigmoid", 20.0)):
        for stretch in ("unit", "minmax"):
            values = rng.normal(0.3, spread, (2, 41 * 53)).astype(np.float32)
            values[0, :3] = np.nan, np.inf, -np.inf
            _core.coarse_alpha(values, activation, stretch)
    bundled = describe("nssbg-lite")
    image, alpha = pictures(np.uint8)
    alpha = alpha[:90, :121].astype(np.float32) / np.float32(255)
    other = np.roll(alpha, 3, 1)
    for weights in (bundled.confidence, ConfidenceWeights((1.0, -2.0, 0.5, 0.1)), None):
        confidence(alpha, weights=weights)
        confidence(alpha, other, weights=weights)
    for in_bytes in (False, True):
        _core.joined_maps(alpha, None, in_bytes)
        _core.joined_maps(alpha, other, in_bytes)
    for sure in (0.02, 0.6, 0.9):
        for studio, network in ((image[..., 1], alpha), (alpha, other), (alpha, image[..., 0])):
            given = np.ascontiguousarray(studio), sure, np.ascontiguousarray(network), 0.7
            select(selector_features(*given), bundled.selector)
    one = discs(300, 420, (90, 300, 30))
    crowd = discs(400, 500, *((60 + 90 * i, 60 + 110 * j, 18) for i in range(4) for j in range(4)))
    large = discs(257, 311, (130, 150, 120))
    for picture in (one, crowd, large):
        for effort in ("balanced", "best"):
            for weights in (bundled.confidence, None):
                run_second_pass(picture, network_of(48), effort=effort, weights=weights)
    run_second_pass(one, lambda part: np.rint(network_of(64)(part) * 255).astype(np.uint8))


def run_framing():
    """Canvas, trim and longest side, in both depths; what is half opaque nowhere, and thin tips."""
    for dtype in (np.uint8, np.uint16):
        full = np.iinfo(dtype).max
        image, _ = pictures(dtype)
        alpha = discs(173, 259, (90, 120, 60), (40, 220, 12))[..., 0].astype(np.float64) / 255
        alpha[85:88, 170:250] = np.linspace(1, 0.05, 80)  # a tip
        for opacity in (1.0, 0.4):
            cover = np.rint(alpha * opacity * full).astype(dtype)
            rgba = np.dstack([image, cover])
            for canvas in (
                Canvas(200, 160),
                Canvas(500, 400, fill=0.9, align="bottom-left"),
                Canvas(90, 300, fill=1.0, align=(0.25, 0.75), enlarge=False),
                Canvas(300, 300, scale=0.8, baseline=280.0, align="top-right"),
            ):
                render(rgba, Output(canvas=canvas))
            render(rgba, Output(trim=True, padding=(3, 0, 7, 11), longest_side=99))


def run_corrections():
    """A box, points and strokes on a coarse map and on a full-size alpha; a moved edge."""
    strokes = [
        Stroke("drop", 9.0, ((100.2, 60.0), (130.0, 90.5), (131.0, 120.0))),
        Stroke("keep", 0.4, ((20.0, 30.0),)),
        Stroke("keep", 6.5, ((200.0, 150.0), (300.0, 20.0))),
    ]
    y, x = np.mgrid[0:173, 0:259]
    blob = np.clip(70 - np.hypot(y - 90, x - 120), 0, 3) / 3
    for dtype in (np.uint8, np.uint16):
        image, _ = pictures(dtype)
        image = np.where(blob[..., None] > 0, image // 4, image).astype(dtype)
        frame = Frame(rgb=image, name="picture")
        full = np.rint(blob * 255).astype(np.uint8)
        coarse = np.ascontiguousarray(blob[::5, ::5], np.float32)
        for alpha, full_size in ((full, True), (full[::3, ::3].copy(), False), (coarse, False)):
            estimate = Estimate(alpha, full_size, 0.9, Plan("fake", "fake", "CPU"))
            mask = painted(strokes, 173, 259)
            for said in (
                Corrections(keep=((30.5, 40.0), (120.0, 90.0)), drop=((140.0, 100.0),)),
                Corrections(keep=((120.0, 90.0),), mask=mask),
                Corrections(drop=((120.0, 90.0),), mask=np.ascontiguousarray(mask[::2, ::2])),
                Corrections(box=(60.5, 30.0, 190.0, 150.2), drop=((140.0, 100.0),)),
            ):
                for level in ("guided", "matting"):
                    region, moved = region_of(frame, said)
                    part = estimate
                    if region.inner is not None and full_size:
                        top, left = region.top, region.left
                        high, wide = region.frame.height, region.frame.width
                        alpha_part = full[top : top + high, left : left + wide].copy()
                        part = Estimate(alpha_part, True, 0.9, estimate.plan)
                    made, changed = corrected_estimate(region.frame, part, moved, threads=1)
                    corrected_alpha(
                        region.frame, part.alpha, made, changed, moved, level=level, threads=1
                    )
    painted(strokes, 90, 120, origin=(10.5, 3.25), scale=(0.5, 0.375))
    for alpha in (full, (full / np.float32(255)).astype(np.float32)):
        for pixels in (-2.5, 0.3, 1.0, 7.75):
            _core.choke(alpha, pixels, 1)
    _core.edge_pixels(0.5, 0.25, 3000, 4000)
    _core.edge_pixels(-0.5, 1.0, 300, 400)


def run_backgrounds():
    """Shadows of both kinds, the background out of focus, pictures of other sizes."""
    for dtype in (np.uint8, np.uint16):
        full = np.iinfo(dtype).max
        image, _ = pictures(dtype)
        alpha = discs(173, 259, (90, 120, 60), (40, 220, 12))[..., 0].astype(np.float64) / 255
        rgba = np.dstack([image, np.rint(alpha * full).astype(dtype)])
        for shadow in (
            Shadow(),
            Shadow("contact", softness=0.05, color=(30, 20, 10)),
            Shadow(softness=0.12, offset=(-0.2, 0.1), opacity=0.8),
            Shadow(softness=0.0),
        ):
            for output in ({"trim": True, "padding": 3}, {"canvas": Canvas(200, 160)}, {}):
                render(rgba, Output(shadow=shadow, **output))
        for subject in (rgba, np.ascontiguousarray(rgba[:120])):
            render(subject, Output(background="blur"), image=image[: len(subject)].copy())
        render(rgba, Output(background=Blur(radius=6.5, blades=6, rotation=12)), image=image)
        for picture in (image[:90, :240], image[:40, :50], image):
            for fit in ("cover", "contain"):
                render(rgba, Output(background=np.ascontiguousarray(picture), fit=fit))


def test_no_golden_file_is_forgotten():
    names = {path.stem[5:-7] for path in (ROOT / "tests" / "golden").glob("test_*_golden.py")}
    assert names == GOLDEN | NOT_IN_THE_BROWSER


@pytest.fixture(scope="module")
def calls(tmp_path_factory, web_builds):
    """Recorded calls; every operation occurs."""
    recorder = Recorder(tmp_path_factory.mktemp("calls"))
    with pytest.MonkeyPatch.context() as patch:
        recorder.install(patch)
        run_golden_tests()
        run_operations_without_golden_file()
        run_rules_on_maps()
        run_framing()
        run_corrections()
        run_backgrounds()
    recorder.save()
    assert {call["operation"] for call in recorder.calls} == OPERATIONS
    return recorder.folder


@pytest.mark.parametrize(("build", "threads"), BUILDS)
def test_every_call_gives_the_native_bytes(node, calls, build, threads):
    told = node("replay.js", calls, build, threads)
    assert told["differences"] == []
    assert (told["build"], told["threads"]) == (build, threads)
    assert set(told["repeated"]) == OPERATIONS


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory, web_builds):
    """The example pictures cut out natively by the studio method: pixels, alpha, PNG file."""
    recorder = Recorder(tmp_path_factory.mktemp("cutouts"))
    assert len(EXAMPLES) == 6
    with Remover(model="studio") as remover:
        for path in EXAMPLES:
            cutout = remover.cutout(path)
            file = recorder.folder / f"{path.stem}.png"
            cutout.save(file)
            with Image.open(file) as opened:
                assert opened.size == cutout.alpha.shape[::-1]
            recorder.calls.append(
                {
                    "name": path.stem,
                    "image": recorder.kept(cutout.frame.rgb),
                    "alpha": recorder.kept(cutout.alpha),
                    "png": recorder.kept(file.read_bytes()),
                }
            )
    recorder.save()
    return recorder.folder


@pytest.mark.parametrize(("build", "threads"), BUILDS)
def test_a_studio_cutout_is_the_native_file(node, cutouts, build, threads):
    told = node("studio_cutout.js", cutouts, build, threads)
    assert told == [{"name": path.stem, "alpha": True, "png": True} for path in EXAMPLES]
