"""What a batch's checks cost and what they rest on.

In: pictures (default: examples/), cut out by the bundled network; the first is brought to the size
asked for. Out, in Markdown: processor time of each piece for one 2000 x 2000 JPEG of
`amazon-main`; and how exact white comes back from JPEG, strictly where alpha is 0 and by the rule
of `nssbg.batch.blocks`.

    python -m bench.batch_checks --megapixels 12
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import nssbg
from nssbg._compose.canvas import Canvas, drawn, placement
from nssbg._io import decode, encode
from nssbg.batch.blocks import block_alpha, block_distance, sorted_blocks
from nssbg.batch.output import Rendered, render_outputs
from nssbg.batch.profile import load_profile
from nssbg.batch.validate import validate, validate_rendered
from nssbg.batch.verdict import measure_features, verdict

WHITE = (255, 255, 255)


def milliseconds(call: Callable[[], Any], runs: int = 9) -> float:
    """Processor time of this thread, median: what others do on the machine does not count."""
    taken = []
    for _ in range(runs):
        start = time.thread_time()
        call()
        taken.append((time.thread_time() - start) * 1000)
    return float(np.median(taken))


def enlarged(cutout: nssbg.Cutout, megapixels: float) -> nssbg.Cutout:
    height, width = cutout.rgba.shape[:2]
    scale = (megapixels * 1e6 / (height * width)) ** 0.5
    size = (round(width * scale), round(height * scale))
    rgba = np.asarray(Image.fromarray(cutout.rgba).resize(size))
    rgb = np.asarray(Image.fromarray(cutout.frame.rgb).resize(size))
    return dataclasses.replace(cutout, rgba=rgba, frame=dataclasses.replace(cutout.frame, rgb=rgb))


def costs(cutout: nssbg.Cutout) -> None:
    profile = load_profile("amazon-main")
    (made,) = render_outputs(cutout, profile, stem="a")
    checked = validate_rendered(made, profile)
    features = measure_features(cutout, [made])
    canvas = Canvas(2000, 2000, fill=0.87)
    where = placement(cutout.rgba, canvas)
    print(f"\n{cutout.frame.width} x {cutout.frame.height} to 2000 x 2000 JPEG, one thread:\n")
    print("| piece | ms |\n|---|---:|")
    for name, call in (
        ("render_outputs, whole", lambda: render_outputs(cutout, profile, stem="a")),
        ("of it: where the subject comes to lie", lambda: placement(cutout.rgba, canvas)),
        ("of it: Lanczos", lambda: drawn(cutout.rgba, where, canvas)),
        ("of it: JPEG", lambda: encode(made.pixels, format="jpeg", quality=92)),
        ("validate_rendered", lambda: validate_rendered(made, profile)),
        ("measure_features", lambda: measure_features(cutout, [made])),
        ("verdict", lambda: verdict(features, profile, [checked])),
        ("validate (decodes)", lambda: validate(made.data, profile)),
    ):
        print(f"| {name} | {milliseconds(call):.1f} |")


def exactness(outputs: list[Rendered]) -> None:
    print("\nPixels that are not 255, 255, 255 after JPEG, all pictures:\n")
    print("| quality | chroma | alpha 0, share | worst | background blocks | worst |")
    print("|---:|---|---:|---:|---:|---:|")
    for quality in (75, 85, 92, 100):
        for sampling in ("4:4:4", "4:2:0"):
            strict, total, worst, blocks_off, block_worst = 0, 0, 0, 0, 0
            for made in outputs:
                data = encode(made.pixels, format="jpeg", quality=quality, subsampling=sampling)
                seen = decode(data).rgb
                clear = made.alpha == 0
                apart = 255 - seen[clear].min(axis=1).astype(int)
                strict += int(np.count_nonzero(apart))
                total += apart.size
                worst = max(worst, int(apart.max()))
                held = block_alpha(made.rgba) > 127
                reach = 1 if sampling == "4:4:4" else 2
                sure = sorted_blocks(
                    block_distance(made.pixels, WHITE), held=held, reach=reach
                ).background
                off = block_distance(seen, WHITE)[sure]
                blocks_off += int(np.count_nonzero(off))
                block_worst = max(block_worst, int(off.max()))
            print(
                f"| {quality} | {sampling} | {strict / total:.3%} | {worst} | {blocks_off} | "
                f"{block_worst} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--megapixels", type=float, default=12)
    arguments = parser.parse_args()
    pictures = arguments.pictures or sorted(Path("examples").glob("*.jpg"))
    profile = load_profile("amazon-main")
    with nssbg.Remover() as remover:
        cutouts = [remover.cutout(path) for path in pictures]
    costs(enlarged(cutouts[0], arguments.megapixels))
    exactness([render_outputs(cutout, profile, stem="a")[0] for cutout in cutouts])


if __name__ == "__main__":
    main()
