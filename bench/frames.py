"""Frames a second of a film: `Remover.frames` and a loop of `remove`, from BGR to BGRA.

    python -m bench.frames [--size 1920x1080] [--frames 48] [--effort fast] [--rounds 3]

The frames are one example picture that moves; reading and writing a film is not in the time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import nssbg
from bench.timing import interleaved

BEAR = Path(__file__).parents[1] / "examples" / "bear.jpg"


def film(width: int, height: int, count: int) -> list[np.ndarray[Any, Any]]:
    """Frames, blue first, each 4 pixels further to the right."""
    with Image.open(BEAR) as opened:
        picture = opened.convert("RGB").resize((width, height))
    bgr = np.ascontiguousarray(np.asarray(picture)[..., ::-1])
    return [np.roll(bgr, 4 * number, axis=1) for number in range(min(count, 12))]


def main() -> None:
    """Both in turn, on one Remover each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--model", default="nssbg-lite")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    few = film(width, height, arguments.frames)
    one, many = nssbg.Remover(arguments.model), nssbg.Remover(arguments.model)

    def frames() -> Iterator[np.ndarray[Any, Any]]:
        return (few[number % len(few)] for number in range(arguments.frames))

    def loop() -> None:
        for frame in frames():
            rgba = one.remove(frame[..., ::-1], effort=arguments.effort)
            np.ascontiguousarray(rgba[..., [2, 1, 0, 3]])

    def stream() -> None:
        with many.frames(frames(), channels="bgr", effort=arguments.effort) as cutouts:
            for _ in cutouts:
                pass

    found = interleaved(
        {"a loop of remove": loop, "Remover.frames": stream},
        runs=arguments.rounds,
        warmup=1,
        title=f"{arguments.frames} frames of {arguments.size}, effort {arguments.effort}",
    )
    for timing in found.timings:
        rate = arguments.frames / timing.median * 1000
        print(f"{timing.name}: {rate:.1f} frames a second, {timing.ratio:.2f} times the loop's")


if __name__ == "__main__":
    main()
