"""What `nssbg.compat.rembg.remove` costs over the native call.

    python -m bench.compat [--runs 30] [--side 1024]
    python -m bench.compat --graph u2netp.onnx

The same picture, cut out by `Remover.remove` and through the compat layer with a session of the
same method, as an array, as a PIL image and as file bytes; the calls take turns. The difference of
medians is the layer's cost, as far as the machine is quiet. "The layer alone" is the same over a
cut-out that is ready, which no noise hides. With --graph, a network fed as U-2-Net is (say
`python -m bench.architectures.u2net u2netp u2netp.onnx`), the pixels of NSSBG_COMPAT=exact are
compared with those of rembg itself instead, over the pictures of tests/data.
"""

from __future__ import annotations

import argparse
import io
import os
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

import nssbg
from bench import timing
from nssbg._options import CutoutOptions
from nssbg.compat import rembg

PICTURES = Path(__file__).parents[1] / "tests" / "data"


def drawn(side: int) -> np.ndarray:
    """A shaded disc on a light backdrop, side x side x 3."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    distance = np.hypot(y - side / 2, x - side / 2)
    alpha = np.clip(side * 0.32 - distance + 0.5, 0, 1)[..., None]
    noise = np.random.default_rng(7).normal(0, 1.0, (side, side, 3))
    mixed = np.float32([190, 40, 50]) * alpha + 226 * (1 - alpha) + noise
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def png(image: Image.Image) -> bytes:
    """PNG file bytes."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


class Ready(nssbg.Remover):
    """A Remover whose cut-outs are ready: what is left is what the layers around it cost."""

    def __init__(self, data: object) -> None:
        super().__init__()
        self._ready = super()._open().run(data, CutoutOptions())

    def _open(self) -> Any:
        return SimpleNamespace(run=lambda *_: self._ready)


def layer_alone(data: object, calls: int) -> float:
    """Milliseconds that the layer adds where the cut-out itself costs nothing."""
    remover = Ready(data)
    session = rembg.new_session("auto")
    session._remover = remover
    result = timing.interleaved(
        {
            "native": lambda: remover.remove(data),
            "compat": lambda: rembg.remove(data, session=session),
        },
        runs=calls,
        quiet=True,
    )
    native, compat = result.medians.values()
    return compat - native


def compare_pixels(graph: Path) -> None:
    """The largest difference between rembg and the layer in exact mode, over kinds of input."""
    home = str(graph.resolve().parent)
    os.environ.update(NSSBG_COMPAT="exact", U2NET_HOME=home)
    warnings.simplefilter("ignore")  # of rembg's calls of Pillow
    import rembg as theirs

    sessions = [
        (package, package.new_session("u2net_custom", model_path=str(graph.resolve())))
        for package in (rembg, theirs)
    ]
    worst = count = 0
    for path in sorted(PICTURES.glob("*.jpg")):
        image = Image.open(io.BytesIO(path.read_bytes()))
        modes = [image.convert(mode) for mode in ("RGB", "RGBA", "L")]
        for data in (path.read_bytes(), np.asarray(image), *modes):
            for how in (
                {},
                {"only_mask": True},
                {"post_process_mask": True},
                {"putalpha": True},
                {"bgcolor": (255, 0, 0, 255)},
            ):
                pair = []
                for package, session in sessions:
                    given = data if isinstance(data, bytes) else data.copy()
                    result: Any = package.remove(given, session=session, **dict(how))
                    if isinstance(result, bytes):
                        result = Image.open(io.BytesIO(result))
                    pair.append(np.asarray(result).astype(int))
                worst = max(worst, int(np.abs(pair[0] - pair[1]).max()))
                count += 1
    print(f"{count} results; largest difference from rembg {theirs.__version__}: {worst}")


def main() -> None:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--graph", type=Path, help="an ONNX file: compare pixels with rembg's")
    arguments = parser.parse_args()
    if arguments.graph:
        compare_pixels(arguments.graph)
        return
    pixels = drawn(arguments.side)
    image = Image.fromarray(pixels)
    timing.print_header("the compat layer over the native call", threads="all", side=arguments.side)
    session = rembg.new_session("auto")
    with nssbg.Remover() as remover:
        for kind, data in (("array", pixels), ("PIL", image), ("bytes", png(image))):
            result = timing.interleaved(
                {
                    f"{kind}, native": lambda data=data: remover.remove(data),
                    f"{kind}, compat": lambda data=data: rembg.remove(data, session=session),
                },
                runs=arguments.runs,
                title=f"{arguments.side} x {arguments.side}",
            )
            native, compat = result.medians.values()
            print(f"{kind}: compat costs {compat - native:+.3f} ms\n")
            # PNG bytes: a small picture, or its encoding hides what is looked for.
            small = data if kind != "bytes" else png(image.resize((64, 64)))
            print(f"{kind}: the layer alone {layer_alone(small, 500):+.4f} ms\n", flush=True)


if __name__ == "__main__":
    main()
