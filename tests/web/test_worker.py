"""The engine's worker, in Node: pictures to PNG files by the bundled network, as natively."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorder import Recorder

from nssbg import Remover

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "web" / "dist"
EXAMPLES = [ROOT / "examples" / f"{name}.jpg" for name in ("bear", "mug", "portrait")]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, web_builds):
    """Decoded examples, and their native cut-outs by both models at effort "fast"."""
    if not (DIST / "runtime" / "package.txt").exists():
        pytest.skip("web/dist has no runtime for networks: make web (which needs npm)")
    recorder = Recorder(tmp_path_factory.mktemp("pictures"))
    native = {}
    for model in ("nssbg-lite", "studio"):
        with Remover(model=model, device="cpu", backend="onnxruntime", threads=1) as remover:
            for path in EXAMPLES:
                cutout = remover.cutout(path, effort="fast")
                stages = [name for name in cutout.timings.stages if name != "decode"]
                native[path.stem, model] = cutout.rgba, stages
                if model == "studio":
                    picture = {"name": path.stem, "image": recorder.kept(cutout.frame.rgb)}
                    recorder.calls.append(picture)
    recorder.save()
    return recorder.folder, native


@pytest.mark.parametrize(("build", "threads"), [("simd", 1), ("simd-threads", 2)])
def test_cutouts_are_the_native_ones(node, pictures, build, threads):
    folder, native = pictures
    opened, *told = node("worker_cutout.js", folder, DIST, build, threads)
    assert (opened["type"], opened["build"], opened["threads"]) == ("opened", build, threads)
    broken, unknown, best = told[len(native) :]
    assert (broken["type"], broken["kind"]) == ("failed", "invalid")
    assert "broken.png: it is no PNG file" in broken["message"]
    assert "birefnet is not here" in unknown["message"]
    assert 'effort "best" does not run' in best["message"]
    for one in told[: len(native)]:
        assert one["type"] == "done", one
        name, model = one["name"], one["model"]
        there, stages = native[name, model]
        assert list(one["timings"]) == one["stages"] == [*stages, "encode"]
        made = np.asarray(Image.open(folder / f"{name}-{model}-web.png"))
        if model == "studio":
            np.testing.assert_array_equal(made, there)
            continue
        apart = np.abs(made[..., 3].astype(int) - there[..., 3].astype(int))
        assert apart.max() <= 1, (name, int(apart.max()), float((apart > 0).mean()))
        both = (made[..., 3] > 0) & (there[..., 3] > 0)
        colours = np.abs(made[..., :3].astype(int) - there[..., :3].astype(int))[both]
        assert np.percentile(colours, 99.9) <= 1
