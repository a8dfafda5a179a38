"""Pictures that end early: none passes for the whole, in any format, wherever it was cut."""

from __future__ import annotations

import contextlib
import zlib

import numpy as np
import pytest
from hostile_files import noise, png, rgb_tags, saved, tiff
from PIL import Image

from nssbg import ImageDecodeError
from nssbg._io import decode, encode

PIXELS = noise(64, 80)
IMAGE = Image.fromarray(PIXELS)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("bits", "colour"), [(8, 2), (8, 6), (8, 0), (8, 4), (16, 2), (1, 0)])
def test_a_png_whose_stream_ends_well_before_its_rows(bits, colour, interlaced):
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = b"\0" + b"\x55" * ((80 * samples * bits + 7) // 8)
    rows = row * 64
    if interlaced:
        assert_truncated(
            png(
                80,
                64,
                zlib.compress(rows[: len(rows) // 2]),
                bits=bits,
                colour=colour,
                interlaced=True,
            )
        )
        return
    assert decode(png(80, 64, zlib.compress(rows), bits=bits, colour=colour)).height == 64
    for kept in (1, 32, 63):
        body = zlib.compress(row * kept)
        assert_truncated(png(80, 64, body, bits=bits, colour=colour))
    assert_truncated(png(80, 64, zlib.compress(rows[:-1]), bits=bits, colour=colour))


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_with_an_empty_last_row_is_whole(interlaced):
    black = bytes(64 * 241 + (0 if not interlaced else 2000))
    frame = decode(png(80, 64, zlib.compress(black), interlaced=interlaced))
    assert not frame.rgb.any()
    clear = saved(Image.new("RGBA", (80, 64)), "PNG")
    assert not decode(clear).alpha.any()
    single = saved(Image.new("RGB", (80, 1)), "PNG")
    assert decode(single).height == 1


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("L", {}),
        ("RGB", {"progressive": True}),
        ("RGB", {"restart_marker_rows": 1}),
        ("CMYK", {}),
    ],
)
def test_a_jpeg_with_an_end_in_its_middle(mode, options, share):
    data = saved(IMAGE.convert(mode), "JPEG", quality=95, **options)
    assert decode(data).height == 64
    start = data.rfind(b"\xff\xda") if not options.get("progressive") else data.find(b"\xff\xda")
    cut = start + 14 + int((len(data) - start - 16) * share)
    assert_truncated(data[:cut] + b"\xff\xd9")


def test_a_progressive_jpeg_without_its_last_scan():
    data = saved(IMAGE, "JPEG", quality=90, progressive=True)
    assert_truncated(data[: data.rfind(b"\xff\xda")] + b"\xff\xd9")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", [1, 8])
def test_a_tiff_whose_strips_are_not_all_there(order, bits, compression):
    kind = np.dtype(np.uint8 if bits == 8 else np.uint16).newbyteorder(order)
    pixels = PIXELS.astype(kind)
    strips = [pixels[top : top + 16].tobytes() for top in range(0, 64, 16)]
    packed = strips if compression == 1 else [zlib.compress(strip) for strip in strips]
    tags = rgb_tags(80, 64, t258=(3, [bits] * 3), t259=(3, [compression]), t278=(4, [16]))
    whole = tiff(tags, packed, order=order)
    np.testing.assert_array_equal(decode(whole).rgb, PIXELS)
    sizes = [len(strip) for strip in packed]
    assert_truncated(tiff(tags, packed, order=order, counts=[*sizes[:2], 0, 0]))
    assert_truncated(tiff(tags, packed, order=order, counts=[0] * 4))
    assert_truncated(tiff(tags, packed[:2], order=order))
    assert_truncated(whole[:-200])
    short = [*packed[:3], strips[3][:100] if compression == 1 else zlib.compress(strips[3][:100])]
    with pytest.raises(ImageDecodeError):
        decode(tiff(tags, short, order=order))


def files() -> dict[str, bytes]:
    """One file of each format and way of storing."""
    deep = PIXELS.astype(np.uint16) * 257
    found = {"png16": encode(deep, format="png"), "tiff16": encode(deep, format="tiff")}
    ways = {
        "png": ("PNG", {}),
        "jpeg": ("JPEG", {"quality": 90}),
        "progressive": ("JPEG", {"progressive": True}),
        "gif": ("GIF", {}),
        "bmp": ("BMP", {}),
        "tiff-raw": ("TIFF", {}),
        "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
        "tiff-deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
        "tiff-packbits": ("TIFF", {"compression": "packbits"}),
        "tiff-jpeg": ("TIFF", {"compression": "jpeg"}),
        "webp": ("WEBP", {"quality": 80}),
        "webp-lossless": ("WEBP", {"lossless": True}),
        "avif": ("AVIF", {"quality": 80}),
    }
    for module, format in (("pillow_jxl", "JXL"), ("pillow_heif", "HEIF")):
        try:
            plugin = __import__(module)
        except ImportError:
            continue
        if format == "HEIF":
            plugin.register_heif_opener()
        ways[format.lower()] = (format, {})
    for name, (format, options) in ways.items():
        found[name] = saved(IMAGE, format, **options)
    return found


FILES = files()


@pytest.mark.parametrize("name", FILES)
def test_cut_anywhere_it_is_the_whole_picture_or_an_error(name):
    data = FILES[name]
    whole = decode(data).rgb
    steps = max(1, len(data) // 60)
    for cut in sorted({*range(1, len(data), steps), *range(len(data) - 12, len(data))}):
        with contextlib.suppress(ImageDecodeError):
            frame = decode(data[:cut])
            # Nothing but what lies behind the pixels is missing.
            np.testing.assert_array_equal(frame.rgb, whole, err_msg=f"{name} cut at {cut}")


def assert_truncated(data: bytes) -> None:
    with pytest.raises(ImageDecodeError, match=r"truncated|cut short"):
        decode(data)
