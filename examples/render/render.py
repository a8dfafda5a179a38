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
import tempfile
import time
from pathlib import Path

import cv2
import mitsuba as mi
import numpy as np
import numpy.typing as npt
from PIL import Image

mi.set_variant("scalar_rgb")  # needs neither LLVM nor a GPU

from scenes import SCENES, Scene  # noqa: E402 - scenes needs the variant

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent
TEST_DATA = EXAMPLES.parent / "tests" / "data"
TEST_WIDTH = 480
PASSES = 4  # a picture is the mean of that many, so that outliers can be told

Picture = npt.NDArray[np.float32]


def render_colour(scene: Scene, scale: float, samples: int, seed: int) -> Picture:
    """The linear picture, H x W x 3."""
    film = _film(scene, scale, "rgb")
    loaded = mi.load_dict(
        {
            "type": "scene",
            "integrator": {"type": "path", "max_depth": scene.depth, "hide_emitters": True},
            "sensor": {
                **scene.camera,
                "film": film,
                "sampler": {"type": "multijitter", "sample_count": samples},
            },
            **scene.subject,
            **scene.studio,
        }
    )
    each = max(1, samples // PASSES)
    passes = np.stack(
        [
            np.asarray(mi.render(loaded, spp=each, seed=seed * PASSES + k), np.float32)[..., :3]
            for k in range(PASSES)
        ]
    )
    # A path that finds a light by luck leaves a white dot: it stands out of one pass only.
    middle = np.median(passes, 0)
    limit = 1.5 * middle + 0.02
    return np.minimum(passes, limit[None]).mean(0)


def render_mask(scene: Scene, scale: float, samples: int, seed: int) -> Picture:
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
                "sampler": {"type": "multijitter", "sample_count": samples},
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


def photograph(linear: Picture, exposure: float, seed: int, smooth: float) -> npt.NDArray[np.uint8]:
    """Linear light to an 8-bit sRGB photograph."""
    rng = np.random.default_rng(seed)
    height, width = linear.shape[:2]
    light = np.minimum(linear * exposure, 8)
    encoded = _tone(light)
    if smooth > 0:
        # Non-local means works on bytes; the sensor noise added below hides their steps.
        coarse = np.rint(encoded * 255).astype(np.uint8)
        clean = cv2.fastNlMeansDenoisingColored(coarse, None, smooth, smooth, 5, 15)
        encoded = clean.astype(np.float32) / 255 + (encoded - coarse / 255)
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


def _tone(light: Picture) -> Picture:
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
    parser.add_argument("--masks-only", action="store_true", help="render the test masks again")
    parser.add_argument("--output", type=Path, default=EXAMPLES)
    parser.add_argument("--test-data", type=Path, default=TEST_DATA)
    options = parser.parse_args()
    for name in options.names or SCENES:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            scene = SCENES[name](Path(folder), options.seed)
            built = time.monotonic() - start
            if options.masks_only:
                write_mask(name, scene, options.seed, options.test_data)
                continue
            samples = options.samples or scene.samples
            linear = render_colour(scene, options.scale, samples, options.seed)
            picture = photograph(linear, scene.exposure, options.seed, smooth=3.0)
            options.output.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(
                options.output / f"{name}.jpg", quality=92, subsampling="4:2:0", optimize=True
            )
            if options.scale == 1.0:
                write_test_pair(name, scene, linear, options.seed, options.test_data)
        print(f"{name}: {built:.0f} s to build, {time.monotonic() - start:.0f} s in all")


def write_test_pair(name: str, scene: Scene, linear: Picture, seed: int, folder: Path) -> None:
    """A small picture, averaged from the large one in linear light, and the mask at its size."""
    height = _test_height(scene)
    small = cv2.resize(linear, (TEST_WIDTH, height), interpolation=cv2.INTER_AREA)
    picture = photograph(small, scene.exposure, seed, smooth=0)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f"{name}.jpg", quality=92, subsampling="4:2:0")
    write_mask(name, scene, seed, folder)


def write_mask(name: str, scene: Scene, seed: int, folder: Path) -> None:
    """The true mask at the size of the small picture, 8-bit grey."""
    mask = render_mask(scene, 1.0, 32, seed)
    mask = cv2.resize(mask, (TEST_WIDTH, _test_height(scene)), interpolation=cv2.INTER_AREA)
    levels = np.rint(mask * 255).astype(np.uint8)
    Image.fromarray(levels).save(folder / f"{name}-mask.png", optimize=True)


def _test_height(scene: Scene) -> int:
    return round(TEST_WIDTH * scene.height / scene.width)


if __name__ == "__main__":
    main()
