"""Every format that nssbg writes, at each setting: time, bytes, and whether alpha stays exact.

In: a photographic cut-out (and its picture over white for JPEG, which has no alpha). Out: the
table of docs/decisions/0701-other-formats.md, in Markdown. Each file is read back and compared:
alpha over all pixels, colours where alpha is not 0.

    python -m bench.encode_formats --megapixels 4
"""

from __future__ import annotations

import argparse

import numpy as np

from bench.encode_png import Bytes, cut_out
from bench.timing import interleaved, print_header
from nssbg import ImageEncodeError, _core
from nssbg._io import decode, encode

COMPRESSIONS = ("fast", "default", "best")
# Format and quality; None is the format's own default, which is lossless but for JPEG and AVIF.
KINDS = (
    ("png", None),
    ("jxl", None),
    ("webp", None),
    ("tiff", None),
    ("webp", 90),
    ("jxl", 90),
    ("avif", None),
    ("jpeg", None),
)


def over_white(pixels: Bytes) -> Bytes:
    alpha = pixels[:, :, 3:].astype(np.uint16)
    blended = (pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)


def fidelity(data: bytes, pixels: Bytes) -> tuple[str, str]:
    """ "exact" or the largest error, for alpha and for the colours that can be seen."""
    frame = decode(data)
    seen = np.ones(pixels.shape[:2], bool)
    alpha = "none"
    if pixels.shape[2] == 4:
        seen = pixels[:, :, 3] > 0
        error = int(np.abs(frame.alpha.astype(int) - pixels[:, :, 3]).max())  # type: ignore[union-attr]
        alpha = "exact" if error == 0 else f"within {error}"
    errors = np.abs(frame.rgb[seen].astype(int) - pixels[:, :, :3][seen])
    mean = float(errors.mean())
    return alpha, "exact" if errors.max() == 0 else f"{mean:.2f} on average"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--megapixels", type=float, default=4)
    parser.add_argument("--example", default="headphones")
    parser.add_argument("--threads", type=int, default=_core.usable_cores())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--compressions", nargs="+", default=COMPRESSIONS, choices=COMPRESSIONS)
    options = parser.parse_args()
    pixels = cut_out(options.megapixels, options.example, True)
    flat = over_white(pixels)
    print_header(f"formats, {options.megapixels:g} MP", threads=options.threads)
    calls, lines = {}, []
    for format, quality in KINDS:
        for compression in options.compressions:
            if format == "jpeg" and compression != "default":
                continue  # it has one setting
            given = flat if format == "jpeg" else pixels
            name = f"{format}{'' if quality is None else f' quality {quality}'}, {compression}"

            def call(
                given: Bytes = given,
                format: str = format,
                quality: int | None = quality,
                compression: str = compression,
            ) -> bytes:
                return encode(
                    given,
                    format=format,
                    quality=quality,
                    compression=compression,  # type: ignore[arg-type]
                    threads=options.threads,
                )

            try:
                data = call()
            except ImageEncodeError as error:
                print(f"{name}: left out ({error})")
                continue
            calls[name] = call
            lines.append((name, len(data), *fidelity(data, given)))
    timings = interleaved(calls, runs=options.runs, warmup=0, quiet=True)
    print("| format, compression | ms | bytes | alpha | colours |")
    print("|---|---:|---:|---|---|")
    for name, size, alpha, colours in lines:
        print(f"| {name} | {timings[name].median:.0f} | {size:,} | {alpha} | {colours} |")


if __name__ == "__main__":
    main()
