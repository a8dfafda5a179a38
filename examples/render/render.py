"""Renders the example photographs with mitsuba, and small copies with true masks for the tests.

    pip install mitsuba opencv-python-headless pillow
    python examples/render/render.py            # all of them, half an hour on two cores
    python examples/render/render.py mug bear   # some

In: scenes.py, a seed. Out: examples/NAME.jpg, tests/data/NAME.jpg and tests/data/NAME-mask.png.
The path tracer leaves grain that a camera would not: it is taken down with non-local means, then
the picture passes through a plain model of a camera (exposure, tone curve, vignette, sensor noise,
JPEG).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import mitsuba as mi
import numpy as np
import numpy.typing as npt
from PIL import Image

mi.set_variant("scalar_rgb")  # needs neither LLVM nor a GPU

from scenes import EXPOSURES, SCENES, Scene  # noqa: E402 - scenes needs the variant

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent
TEST_DATA = EXAMPLES.parent / "tests" / "data"
TEST_WIDTH = 480
PASSES = 4  # a picture is the mean of that many, so that outliers can be told
STRENGTHS = (2.0, 5.0, 11.0)
MASK_SAMPLES = 8  # a pixel of the full size; eleven of those make one of the small mask
ATTEMPTS = 12

ImageArray = npt.NDArray[np.float32]


def render_passes(name: str, scale: float, samples: int | None, seed: int, folder: Path) -> None:
    """Write the passes and the mask that `folder` does not hold yet, one array file each."""
    with tempfile.TemporaryDirectory() as meshes:
        scene = SCENES[name](Path(meshes), seed)
        each = max(1, round((samples or scene.samples) / PASSES))
        # Each attempt draws other numbers: the ray that ended the last one does not come again.
        attempt = len(list(folder.glob("attempt-*")))
        (folder / f"attempt-{attempt}").touch()
        loaded = None
        for index in range(PASSES):
            target = folder / f"pass-{index}.npy"
            if target.exists():
                continue
            loaded = loaded or mi.load_dict(_whole(scene, scale, each))
            light = mi.render(loaded, spp=each, seed=(seed * 100 + attempt) * PASSES + index)
            np.save(target, np.asarray(light, np.float32)[..., :3])
        if not (folder / "mask.npy").exists():
            np.save(folder / "mask.npy", render_mask(scene, scale, MASK_SAMPLES, seed + attempt))


def rendered(
    name: str, scale: float, samples: int | None, seed: int, folder: Path
) -> tuple[ImageArray, ImageArray, ImageArray]:
    """The linear picture and its standard error, H x W x 3, and the mask, H x W.

    They are rendered in a process of their own.

    Now and then, after some minutes, mitsuba 3.9.1 reads past the index of a curve shape and the
    process dies; a new one then goes on with the passes that are missing.
    """
    command = [sys.executable, __file__, name, "--worker", str(folder)]
    command += ["--scale", str(scale), "--seed", str(seed)]
    if samples:
        command += ["--samples", str(samples)]
    for _ in range(ATTEMPTS):
        if subprocess.run(command, check=False).returncode == 0:
            break
    else:
        raise RuntimeError(f"{name}: the renderer failed {ATTEMPTS} times")
    passes = np.stack([np.load(folder / f"pass-{index}.npy") for index in range(PASSES)])
    # A path that finds a light by luck leaves a white dot: it stands out of one pass only.
    limit = 1.5 * np.median(passes, 0) + 0.02
    passes = np.minimum(passes, limit[None])
    error = passes.std(0) / np.sqrt(PASSES - 1)
    return passes.mean(0), error, np.load(folder / "mask.npy")


def _whole(scene: Scene, scale: float, samples: int) -> dict[str, object]:
    return {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": scene.depth, "hide_emitters": True},
        "sensor": {
            **scene.camera,
            "film": _film(scene, scale, "rgb"),
            "sampler": {"type": "independent", "sample_count": samples},
        },
        **scene.subject,
        **scene.studio,
    }


def render_mask(scene: Scene, scale: float, samples: int, seed: int) -> ImageArray:
    """How much of each pixel the subject covers, H x W: the same lens, the subject alone.

    Glass counts as solid: its mask is the outline.
    """
    loaded = mi.load_dict(
        {
            "type": "scene",
            "integrator": {"type": "direct"},  # no light is in the scene: only what is hit counts
            "sensor": {
                **scene.camera,
                "film": _film(scene, scale, "rgba"),
                "sampler": {"type": "independent", "sample_count": samples},
            },
            **scene.subject,
        }
    )
    return np.clip(np.asarray(mi.render(loaded, spp=samples, seed=seed), np.float32)[..., 3], 0, 1)


def _film(scene: Scene, scale: float, pixels: str) -> dict[str, object]:
    return {
        "type": "hdrfilm",
        "width": round(scene.width * scale),
        "height": round(scene.height * scale),
        "pixel_format": pixels,
        "component_format": "float32",
        "rfilter": {"type": "gaussian", "stddev": 0.45},
    }


def photograph(
    linear: ImageArray, exposure: float, seed: int, error: ImageArray | None = None
) -> npt.NDArray[np.uint8]:
    """Linear light to an 8-bit sRGB photograph; a given standard error is smoothed away."""
    rng = np.random.default_rng(seed)
    height, width = linear.shape[:2]
    encoded = _tone(linear * exposure)
    if error is not None:
        # Non-local means, as strong as the path tracer's own noise is at each place: of three
        # strengths (in levels of 255) the two nearest are mixed.
        noise = np.abs(_tone((linear + error) * exposure) - encoded).mean(2) * 255
        noise = np.clip(cv2.GaussianBlur(noise, (0, 0), 6), STRENGTHS[0], STRENGTHS[-1])
        coarse = np.rint(encoded * 255).astype(np.uint8)
        smoothed = [
            cv2.fastNlMeansDenoisingColored(coarse, None, h, h, 5, 15).astype(np.float32) / 255
            for h in STRENGTHS
        ]
        encoded = np.zeros_like(encoded)
        for index, picture in enumerate(smoothed):
            knots = np.eye(len(STRENGTHS))[index]
            encoded += picture * np.interp(noise, STRENGTHS, knots)[..., None].astype(np.float32)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1 - 0.07 * (x * x + y * y)
    encoded = encoded * vignette[..., None]
    # Photon noise grows with the root of the light; a little of it is shared by the channels.
    strength = 0.0035 + 0.0055 * np.sqrt(np.clip(encoded, 0, 1)) * (1.1 - 0.6 * encoded)
    shared = rng.normal(0, 0.7, (height, width, 1))
    own = rng.normal(0, 0.7, (height, width, 3))
    noise = cv2.GaussianBlur((shared + own).astype(np.float32), (0, 0), 0.55) * 1.7
    encoded = encoded + strength * noise
    return np.rint(np.clip(encoded, 0, 1) * 255).astype(np.uint8)


def _tone(light: ImageArray) -> ImageArray:
    """sRGB with a shoulder: linear up to 0.7, then a soft approach to white."""
    knee = 0.70
    over = np.maximum(light - knee, 0)
    rolled = np.where(light > knee, knee + (1 - knee) * (1 - np.exp(-over / (1 - knee))), light)
    low = rolled * 12.92
    high = 1.055 * np.power(np.maximum(rolled, 0.0031308), 1 / 2.4) - 0.055
    return np.where(rolled <= 0.0031308, low, high).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*SCENES, []], help="scenes; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="of the full width and height")
    parser.add_argument("--samples", type=int, help="paths a pixel (default: the scene's own)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=EXAMPLES)
    parser.add_argument("--test-data", type=Path, default=TEST_DATA)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name = options.names[0]
        render_passes(name, options.scale, options.samples, options.seed, options.worker)
        return
    for name in options.names or SCENES:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            linear, error, mask = rendered(
                name, options.scale, options.samples, options.seed, Path(folder)
            )
        exposure = EXPOSURES[name]
        picture = photograph(linear, exposure, options.seed, error)
        _save(picture, options.output / f"{name}.jpg")
        if options.scale == 1.0:
            # The small pair is averaged from the large one, in linear light as a lens would.
            size = TEST_WIDTH, round(TEST_WIDTH * linear.shape[0] / linear.shape[1])
            small = cv2.resize(linear, size, interpolation=cv2.INTER_AREA)
            _save(
                photograph(small, exposure, options.seed),
                options.test_data / f"{name}.jpg",
            )
            levels = np.rint(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) * 255)
            Image.fromarray(levels.astype(np.uint8)).save(
                options.test_data / f"{name}-mask.png", optimize=True
            )
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


def _save(picture: npt.NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=92, subsampling="4:2:0", optimize=True)


if __name__ == "__main__":
    main()
