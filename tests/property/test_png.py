"""PNG files of random sizes and contents, read back bit for bit by three different readers.

Pillow (zlib-ng), OpenCV (libpng) and a strict checker here: every checksum, the exact length of
the stream, chunk order, and nothing left over.
"""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nssbg import _core
from nssbg._io import decode, encode

COMPRESSIONS = ("fast", "default", "best")


@st.composite
def images(draw):
    """Cut-outs, gradients, repeats, noise and flat colour, H x W x 1, 3 or 4, 8 or 16 bits."""
    height = draw(st.integers(1, 48))
    width = draw(st.one_of(st.integers(1, 80), st.integers(1000, 3000)))
    channels = draw(st.sampled_from((1, 3, 4)))
    dtype = draw(st.sampled_from((np.uint8, np.uint16)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = np.iinfo(dtype).max
    shape = (height, width, channels)
    kind = draw(st.sampled_from(("noise", "smooth", "flat", "cut-out", "tiles", "sparse")))
    if kind == "noise":
        pixels = rng.integers(0, top, shape, dtype, endpoint=True)
    elif kind == "flat":
        pixels = np.full(shape, rng.integers(0, top, channels, dtype, endpoint=True))
    elif kind == "tiles":
        small = rng.integers(0, top, (5, 11, channels), dtype, endpoint=True)
        pixels = np.tile(small, (height // 5 + 1, width // 11 + 1, 1))[:height, :width]
    elif kind == "sparse":
        pixels = np.where(rng.random(shape) < 0.02, rng.integers(0, top, shape), 0)
    else:
        steps = rng.integers(-2, 3, shape).cumsum(axis=1) + rng.integers(
            -1, 2, (height, 1, channels)
        )
        pixels = (steps + top // 2).astype(dtype)
        if kind == "cut-out":
            rows, columns = np.mgrid[:height, :width]
            inside = np.hypot(rows / height - 0.5, columns / width - 0.5) < 0.35
            if channels == 4:
                pixels[:, :, 3] = top
            pixels = pixels * inside[:, :, None]
    return np.ascontiguousarray(pixels.astype(dtype))


def strict_samples(data: bytes) -> np.ndarray:
    """Decode by the letter of the specification, or fail."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds, stream, header = 8, [], b"", None
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        assert len(body) == size
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + body)
        kinds.append(kind)
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        if kind == b"IDAT":
            stream += body
        at += 12 + size
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    first = kinds.index(b"IDAT")
    assert set(kinds[first:-1]) == {b"IDAT"}
    width, height, bits, color_type, *rest = header
    assert rest == [0, 0, 0]
    inflate = zlib.decompressobj()
    raw = inflate.decompress(stream)
    assert inflate.eof
    assert inflate.unused_data == b""
    channels = {0: 1, 2: 3, 6: 4}[color_type]
    row_bytes = width * channels * bits // 8
    assert len(raw) == height * (1 + row_bytes)
    rows = np.frombuffer(raw, np.uint8).reshape(height, 1 + row_bytes)
    assert rows[:, 0].max() <= 4
    plain = np.asarray(_core.png_unfilter(rows, channels * bits // 8))
    samples = plain.view(">u2") if bits == 16 else plain
    return samples.reshape(height, width, channels)


@settings(max_examples=150, deadline=None)
@given(images(), st.sampled_from(COMPRESSIONS), st.integers(1, 3))
def test_every_reader_gives_the_pixels_back(pixels, compression, threads):
    data = encode(pixels, format="png", compression=compression, threads=threads)
    np.testing.assert_array_equal(strict_samples(data), pixels)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    np.testing.assert_array_equal(np.atleast_3d(seen)[:, :, order], pixels)
    frame = decode(data)
    np.testing.assert_array_equal(frame.rgb[:, :, : pixels.shape[2]], pixels[:, :, :3])
    if pixels.shape[2] == 4:
        np.testing.assert_array_equal(frame.alpha, pixels[:, :, 3])
    if pixels.dtype == np.uint8:
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.atleast_3d(np.asarray(image)), pixels)


@settings(max_examples=40, deadline=None)
@given(images(), st.sampled_from(COMPRESSIONS))
def test_bytes_depend_on_the_picture_alone(pixels, compression):
    expected = encode(pixels, compression=compression, threads=1)
    flipped = pixels[::-1, ::-1].copy()[::-1, ::-1]
    assert encode(flipped, compression=compression, threads=2) == expected
    try:
        for level in _core.isa_levels():
            _core.set_isa(level)
            assert encode(pixels, compression=compression, threads=3) == expected
    finally:
        _core.set_isa("auto")


@pytest.mark.parametrize("program", ["pngcheck", "pngfix"])
def test_checkers_have_nothing_to_say(program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    rng = np.random.default_rng(3)
    # Several strips, transparent rows and grain.
    pixels = rng.integers(100, 110, (900, 700, 4), np.uint8)
    pixels[:, :, 3] = 255
    pixels[:200] = 0
    pixels[:, 500:] = 0
    for compression in COMPRESSIONS:
        path = tmp_path / f"{compression}.png"
        texts = {"Title": "naïve", "Comment": "naïve — and more"}
        path.write_bytes(encode(pixels, compression=compression, dpi=(300, 300), text=texts))
        arguments = ["-q"] if program == "pngcheck" else []
        done = subprocess.run([program, *arguments, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_small_beside_pillow():
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:600, :800].astype(np.float32)
    image = 120 + 60 * np.sin(rows / 90) + 50 * np.cos(columns / 130)
    image = image[:, :, None] + rng.normal(0, 1.5, (600, 800, 3))
    alpha = np.clip(280 - np.hypot(rows - 300, columns - 400), 0, 1)
    pixels = np.dstack([image * (alpha > 0)[:, :, None], alpha * 255]).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    pillow = file.tell()
    sizes = {name: len(encode(pixels, compression=name)) for name in COMPRESSIONS}
    assert sizes["fast"] <= 1.15 * pillow
    assert sizes["default"] <= pillow
    assert sizes["best"] <= sizes["default"] <= sizes["fast"]
