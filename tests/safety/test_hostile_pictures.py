"""Damaged, hostile and wrong files: one ImageDecodeError that names the file, and never a crash."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nssbg import ImageDecodeError
from nssbg._io import decode, encode

RNG = np.random.default_rng(5)


def _texture() -> np.ndarray:
    rows, columns = np.mgrid[:60, :80]
    base = np.stack([rows * 4, columns * 3, rows + columns], axis=-1)
    return (base + RNG.integers(0, 9, base.shape)).astype(np.uint8)


def _samples() -> dict[str, bytes]:
    pixels = _texture()
    image = Image.fromarray(pixels)
    deep = pixels.astype(np.uint16) * 257
    files = {
        "png16": encode(deep, format="png"),
        "tiff16": encode(deep, format="tiff"),
        "png": encode(pixels, format="png"),
    }
    saves = {
        "jpeg": ("JPEG", {}),
        "progressive": ("JPEG", {"progressive": True}),
        "gif": ("GIF", {}),
        "bmp": ("BMP", {}),
        "tiff": ("TIFF", {"compression": "tiff_lzw"}),
        "webp": ("WEBP", {"lossless": True}),
        "avif": ("AVIF", {"quality": 80, "speed": 9}),
        "palette": ("PNG", {}),
    }
    for name, (format, options) in saves.items():
        file = io.BytesIO()
        (image.quantize(16) if name == "palette" else image).save(file, format, **options)
        files[name] = file.getvalue()
    for format, module in (("JXL", "pillow_jxl"), ("HEIF", "pillow_heif")):
        try:
            plugin = __import__(module)
        except ImportError:
            continue
        if format == "HEIF":
            plugin.register_heif_opener()
        file = io.BytesIO()
        image.save(file, format)
        files[format.lower()] = file.getvalue()
    return files


SAMPLES = _samples()


def image_or_error(data: bytes) -> bool:
    """Decode; true if a picture came, false if the one allowed error did."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            frame = decode(data, name="hostile.bin", max_pixels=4_000_000)
        except ImageDecodeError as error:
            said = str(error)
        else:
            assert frame.rgb.shape[2] == 3
            assert frame.rgb.shape[0] * frame.rgb.shape[1] <= 4_000_000
            return True
    assert "hostile.bin" in said
    assert "\n" not in said
    return False


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_read(name):
    assert image_or_error(SAMPLES[name])


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_anywhere(name):
    data = SAMPLES[name]
    cuts = sorted({*range(64), *(len(data) * k // 40 for k in range(40))})
    read = [cut for cut in cuts if cut < len(data) and image_or_error(data[:cut])]
    # What still reads lacks no more than what comes after the pixels. (libwebp's and libavif's
    # last bytes are pixels; TIFF keeps its directory at the end; BMP, GIF may miss a tail byte.)
    assert all(cut > len(data) * 0.5 for cut in read), read


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_bytes_changed(name, data):
    damaged = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    image_or_error(bytes(damaged))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.integers(4, 40), st.binary(max_size=200))
def test_a_header_and_then_anything(name, kept, rest):
    image_or_error(SAMPLES[name][:kept] + rest)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"just some text, no picture at all\n", "text"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b'<?xml version="1.0"?><svg/>', "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + bytes(40), "ZIP"),
        (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (bytes(1000), "zeros"),
        (b"\xff\xd8\xff", "damaged"),
        (bytes(range(255, 100, -1)), "no picture format"),
    ],
)
def test_files_that_are_no_picture(data, said, tmp_path):
    path = tmp_path / "named.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageDecodeError, match=said) as caught:
        decode(path)
    assert "named.jpg" in str(caught.value)


def test_paths_that_hold_no_file(tmp_path):
    with pytest.raises(ImageDecodeError, match="no such file"):
        decode(tmp_path / "missing.png")
    with pytest.raises(ImageDecodeError, match="folder"):
        decode(tmp_path)
    with pytest.raises(ImageDecodeError, match="cannot read"):
        decode("nul\0l.png")
    with pytest.raises(ImageDecodeError, match="expected a path"):
        decode(42)
    with pytest.raises(ImageDecodeError, match='"rb"'):
        decode(io.StringIO("text"))


def test_a_closed_file_and_one_that_fails():
    closed = io.BytesIO(SAMPLES["png"])
    closed.close()
    with pytest.raises(ImageDecodeError, match="closed"):
        decode(closed)

    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError("the cable was pulled")

    with pytest.raises(ImageDecodeError, match="cable"):
        decode(Broken())


def _png(width: int, height: int, body: bytes, bits: int = 8, kind: int = 2) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + crc

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [8, 16])
def test_bombs_are_refused_before_anything_is_inflated(bits):
    bomb = _png(100_000, 100_000, zlib.compress(bytes(10_000_000), 9), bits)
    tracemalloc.start()
    with pytest.raises(ImageDecodeError, match="max_pixels"):
        decode(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_small_picture_with_an_endless_stream_inflates_no_further():
    body = zlib.compress(bytes(200_000_000), 9)
    tracemalloc.start()
    frame = decode(_png(8, 8, body, 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frame.rgb.shape == (8, 8, 3)
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + struct.pack("<HH", 60000, 60000) + bytes(60),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 60000, -60000) + bytes(60),
        b"RIFF\0\0\0\0WEBPVP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + b"\xff\xff\xff\xff\xff\xff"
        + bytes(20),
        b"RIFF\0\0\0\0WEBPVP8L" + struct.pack("<I", 30) + b"\x2f\xff\xff\xff\x0f" + bytes(30),
        b"\xff\x0a" + (0 | 3 << 1 | (2**30 - 1) << 3 | 1 << 33).to_bytes(8, "little") + bytes(30),
        _png(0, 5, b""),
    ],
)
def test_sizes_in_headers_are_checked(data):
    with pytest.raises(ImageDecodeError, match=r"max_pixels|0 x 5"):
        decode(data)


def test_exif_in_any_state_is_survived():
    image = Image.fromarray(_texture())
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 100
    good = exif.tobytes()
    for trial in range(300):
        block = bytearray(good)
        for _ in range(trial % 5 + 1):
            block[int(RNG.integers(6, len(block)))] = int(RNG.integers(0, 256))
        file = io.BytesIO()
        image.save(file, "JPEG", exif=bytes(block[: int(RNG.integers(8, len(block)))]))
        assert image_or_error(file.getvalue())
