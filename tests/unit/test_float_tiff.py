"""Floating-point TIFF files: 0..1 is black to white; what lies beyond is clipped and said."""

from __future__ import annotations

import io

import numpy as np
import pytest

from nssbg import ImageDecodeError
from nssbg._io import decode

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(3)
VALUES = RNG.random((37, 53, 4))


def written(values, **options) -> bytes:
    file = io.BytesIO()
    photometric = "minisblack" if values.ndim == 2 else "rgb"
    tifffile.imwrite(file, values, **{"photometric": photometric, **options})
    return file.getvalue()


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "rowsperstrip": 5},
        {"tile": (16, 32)},
        {"tile": (32, 16), "compression": "zlib"},
        {"planarconfig": "separate", "rowsperstrip": 7},
        {"bigtiff": True},
    ],
)
def test_colour_of_every_width_and_layout(kind, byteorder, options):
    values = VALUES[:, :, :3].astype(kind)
    stored = values.transpose(2, 0, 1) if "planarconfig" in options else values
    frame = decode(written(stored, byteorder=byteorder, **options))
    assert frame.rgb.dtype == np.uint16
    assert frame.float_input
    assert frame.source_format == "TIFF"
    expected = np.floor(values.astype(np.float32) * np.float32(65535) + np.float32(0.5))
    np.testing.assert_array_equal(frame.rgb, expected)
    assert frame.notes == ()


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_grey(kind):
    values = VALUES[:, :, 0].astype(kind)
    frame = decode(written(values))
    assert frame.is_gray
    expected = np.floor(values.astype(np.float32) * np.float32(65535) + np.float32(0.5))
    for channel in range(3):
        np.testing.assert_array_equal(frame.rgb[:, :, channel], expected)
    inverted = decode(written(values, photometric="miniswhite"))
    assert np.abs(inverted.rgb[:, :, 0].astype(int) + expected - 65535).max() <= 32


def test_predictors():
    """Differences of whole numbers and of bytes by significance, as libtiff writes them."""
    import zlib

    from hostile_files import rgb_tags, tiff

    values = np.ascontiguousarray(VALUES[:, :, :3].astype("<f4"))
    height, width = values.shape[:2]
    whole = values.view("<u4").reshape(height, width, 3)
    horizontal = np.diff(whole, axis=1, prepend=np.zeros((height, 1, 3), "<u4"))
    by_bytes = values.astype(">f4").view(np.uint8).reshape(height, width * 3, 4)
    planes = by_bytes.transpose(0, 2, 1).reshape(height, 4 * width, 3)
    floating = np.diff(planes, axis=1, prepend=np.zeros((height, 1, 3), np.uint8))
    expected = decode(values).rgb
    for predictor, stored in ((2, horizontal.astype("<u4")), (3, floating.astype(np.uint8))):
        tags = rgb_tags(width, height, t258=(3, [32] * 3), t259=(3, [8]))
        tags |= {339: (3, [3] * 3), 317: (3, [predictor])}
        frame = decode(tiff(tags, [zlib.compress(stored.tobytes())]))
        np.testing.assert_array_equal(frame.rgb, expected)


def test_alpha_straight_and_associated():
    straight = VALUES.astype(np.float32)
    straight[:, :, 3] = 0.25 + straight[:, :, 3] / 2
    expected = decode(straight)
    frame = decode(written(straight, extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(frame.rgb, expected.rgb)
    np.testing.assert_array_equal(frame.alpha, expected.alpha)
    associated = straight.copy()
    associated[:, :, :3] *= associated[:, :, 3:]
    frame = decode(written(associated, extrasamples=["assocalpha"]))
    assert np.abs(frame.rgb.astype(int) - expected.rgb).max() <= 1


def test_what_lies_beyond_is_clipped_and_said():
    values = VALUES[:, :, :3].astype(np.float32)
    values[0, 0] = (-0.5, 3.0, np.inf)
    values[1, 1, 0] = np.nan
    frame = decode(written(values))
    assert tuple(frame.rgb[0, 0]) == (0, 65535, 65535)
    assert frame.rgb[1, 1, 0] == 0
    assert any("-0.5..inf clipped to 0..1" in note for note in frame.notes)
    assert any("1 values that are not numbers" in note for note in frame.notes)
    overshoot = np.clip(values, 0, 1) + np.float32(0.0005)
    overshoot[1, 1, 0] = 0
    assert decode(written(overshoot)).notes == ()


def test_another_range_is_refused():
    with pytest.raises(
        ImageDecodeError, match=r"0.*\.\.255; expected floating-point values from 0"
    ):
        decode(
            written((VALUES[:, :, :3] * 255).round().clip(0, 255).astype(np.float32) + 0),
            name="a.tif",
        )


def test_what_has_no_decoder_says_which():
    values = bytearray(written(VALUES[:, :, :3].astype(np.float32)))
    at = values.find(b"\x03\x01\x03\0")
    values[at + 8] = 34
    with pytest.raises(ImageDecodeError, match="compression 34 of 32-bit floating point"):
        decode(bytes(values))


def test_orientation_and_resolution_come_along():
    values = VALUES[:, :, :3].astype(np.float64)
    data = written(
        values, resolution=(300, 300), resolutionunit="INCH", extratags=[(274, 3, 1, 6, True)]
    )
    frame = decode(data)
    assert frame.rgb.shape == (53, 37, 3)
    assert frame.dpi == (300, 300)
