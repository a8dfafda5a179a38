"""Decoding: every kind of source, every mode, orientation, profiles, alpha."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from nssbg import ImageDecodeError, OptionError
from nssbg._io import decode, encode, model_rgb

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (13, 17, 3), np.uint8)
RGBA = RNG.integers(0, 256, (13, 17, 4), np.uint8)
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def test_sources_of_one_picture_agree(tmp_path):
    data = saved(Image.fromarray(RGB), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        sources = {
            "path": [path, str(path)],
            "bytes": [data, bytearray(data), memoryview(data)],
            "file": [io.BytesIO(data), file],
            "pil": [Image.open(path)],
            "array": [RGB, RGB[::-1].copy()[::-1], np.asfortranarray(RGB)],
        }
        for kind, group in sources.items():
            for source in group:
                frame = decode(source)
                assert frame.kind == kind
                assert frame.rgb.flags.c_contiguous
                np.testing.assert_array_equal(frame.rgb, RGB)
    sources["pil"][0].close()
    assert decode(path).name == str(path)
    assert decode(data).name == "<bytes>"
    assert decode(data, name="seen as").name == "seen as"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "AVIF", "JXL", "HEIF"])
def test_formats_and_their_alpha(format):
    extra = {"AVIF": "PIL", "JXL": "pillow_jxl", "HEIF": "pillow_heif"}.get(format)
    if extra:
        module = pytest.importorskip(extra)
        if format == "HEIF":
            module.register_heif_opener()
    smooth = np.zeros((32, 48, 4), np.uint8)
    smooth[:, :, 0] = np.arange(48) * 5
    smooth[:, :, 1] = np.arange(32)[:, None] * 7
    smooth[:, :, 2] = 90
    smooth[:, :, 3] = np.arange(48) * 5 + 10
    lossless = {"WEBP": {"lossless": True, "exact": True}, "JXL": {"lossless": True}}
    options = lossless.get(format, {"quality": 95} if format in ("AVIF", "HEIF") else {})
    frame = decode(saved(Image.fromarray(smooth), format, **options))
    assert frame.source_format == format
    tolerance = 6 if format in ("AVIF", "HEIF") else 0
    assert np.abs(frame.rgb.astype(int) - smooth[:, :, :3]).max() <= tolerance
    if format != "BMP":  # Pillow gives its fourth byte no meaning
        assert np.abs(frame.alpha.astype(int) - smooth[:, :, 3]).max() <= tolerance


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_equals_pillows(quality, mode):
    smooth = Image.fromarray(RGB).resize((170, 130)).convert(mode)
    data = saved(smooth, "JPEG", quality=quality)
    frame = decode(data)
    np.testing.assert_array_equal(
        frame.rgb, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    )
    assert frame.is_gray == (mode == "L")


def test_palette_and_gray_pictures():
    gray = RGB[:, :, 0]
    cases = {
        "L": gray,
        "1": np.where(gray > 127, 255, 0),
        "LA": gray,
    }
    for mode, expected in cases.items():
        image = Image.fromarray(gray).convert(mode, dither=Image.Dither.NONE)
        frame = decode(saved(image, "PNG"))
        assert frame.is_gray
        for channel in range(3):
            np.testing.assert_array_equal(frame.rgb[:, :, channel], expected)
        assert (frame.alpha is not None) == (mode == "LA")
    palette = Image.fromarray(RGB).quantize(9)
    frame = decode(saved(palette, "PNG"))
    np.testing.assert_array_equal(frame.rgb, np.asarray(palette.convert("RGB")))
    frame = decode(saved(palette, "PNG", transparency=3))
    np.testing.assert_array_equal(frame.alpha == 0, np.asarray(palette) == 3)


def test_rgb_with_a_transparent_colour_has_alpha():
    image = Image.fromarray(RGB)
    frame = decode(saved(image, "PNG", transparency=tuple(int(v) for v in RGB[2, 3])))
    assert frame.alpha[2, 3] == 0
    assert (frame.alpha == 255).sum() >= frame.alpha.size - 2


def test_animations_give_their_first_frame_and_say_so():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    for format in ("GIF", "WEBP", "PNG", "TIFF"):
        data = saved(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
        frame = decode(data)
        assert tuple(frame.rgb[0, 0]) == (255, 0, 0)
        assert "first of 3 frames" in frame.notes


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_and_reset(orientation, format):
    image = Image.fromarray(RGBA[:, :, :3]).resize((40, 24))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "kept"
    data = saved(
        image, format, exif=exif.tobytes(), **({"lossless": True} if format == "WEBP" else {})
    )
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    frame = decode(data)
    np.testing.assert_array_equal(frame.rgb, np.asarray(expected.convert("RGB")))
    kept = Image.Exif()
    kept.load(frame.exif)
    assert kept.get(0x0112, 1) == 1
    assert kept[0x010E].strip("\0") == "kept"


def test_sixteen_bit_png_keeps_sixteen_bits():
    pixels = RNG.integers(0, 65536, (19, 23, 4), np.uint16)
    for channels in (1, 3, 4):
        frame = decode(encode(pixels[:, :, :channels], format="png"))
        assert frame.rgb.dtype == np.uint16
        np.testing.assert_array_equal(frame.rgb[:, :, :channels], pixels[:, :, : min(channels, 3)])
        if channels == 4:
            np.testing.assert_array_equal(frame.alpha, pixels[:, :, 3])


def test_sixteen_bit_tiff_keeps_sixteen_bits():
    pixels = RNG.integers(0, 65536, (19, 23, 4), np.uint16)
    for channels in (1, 3, 4):
        frame = decode(encode(pixels[:, :, :channels], format="tiff"))
        np.testing.assert_array_equal(frame.rgb[:, :, :channels], pixels[:, :, : min(channels, 3)])


def test_arrays_of_every_type():
    wide = RGB.astype(np.uint16) * 257
    np.testing.assert_array_equal(decode(wide).rgb, wide)
    for dtype in (np.float16, np.float32, np.float64):
        values = (RGB / 255).astype(dtype)
        frame = decode(values)
        assert frame.float_input
        assert frame.rgb.dtype == np.uint16
        assert np.abs(frame.rgb / 65535 - values).max() < 1e-5
    for shape in ((13, 17), (13, 17, 1)):
        frame = decode(RGB[:, :, 0].reshape(shape))
        assert frame.is_gray
        assert frame.rgb.shape == (13, 17, 3)
    frame = decode(RGBA)
    np.testing.assert_array_equal(frame.alpha, RGBA[:, :, 3])
    assert decode(RGBA, ignore_alpha=True).alpha is None


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 40, 40), np.uint8), "channels-first"),
        (np.zeros((2, 4, 4, 3), np.uint8), "one picture of a batch"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 4, 2), np.uint8), "expected H x W"),
        (np.zeros((4, 4, 3), np.int32), "type int32"),
        (np.zeros((4, 4, 3), bool), "type bool"),
        (np.full((4, 4, 3), 200.0), "divide by 255"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.full((4, 4, 3), -1.0), "0..1"),
    ],
)
def test_arrays_that_are_no_picture(array, said):
    with pytest.raises(ImageDecodeError, match=said):
        decode(array)


def test_pil_image_is_left_as_it_was():
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6
    before = image.tobytes()
    frame = decode(image)
    assert frame.rgb.shape == (17, 13, 3)
    assert image.tobytes() == before
    assert image.getexif()[0x0112] == 6


def test_cmyk_becomes_srgb_and_says_so():
    image = Image.fromarray(RGB).convert("CMYK")
    for format in ("JPEG", "TIFF"):
        frame = decode(saved(image, format, **({"quality": 100} if format == "JPEG" else {})))
        assert frame.icc_profile is None
        assert any("CMYK" in note for note in frame.notes)
        difference = np.abs(frame.rgb.astype(int) - np.asarray(image.convert("RGB")))
        assert difference.max() <= (0 if format == "TIFF" else 90)


def test_model_rgb_shares_srgb_and_rounds_sixteen_bits():
    frame = decode(RGB)
    assert model_rgb(frame) is frame.rgb
    tagged = decode(saved(Image.fromarray(RGB), "PNG", icc_profile=SRGB_PROFILE))
    assert tagged.icc_profile == SRGB_PROFILE
    assert model_rgb(tagged) is tagged.rgb
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    seen = model_rgb(decode(every))
    expected = np.floor(every / 257 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(seen[:, :, 0], expected)


def test_wide_gamut_is_converted_for_the_model_only():
    wide = swapped_profile()
    frame = decode(saved(Image.fromarray(RGB), "PNG", icc_profile=wide))
    assert frame.icc_profile == wide
    np.testing.assert_array_equal(frame.rgb, RGB)
    # Red and green primaries exchanged: the model has to see the channels exchanged.
    seen = model_rgb(frame)
    assert np.abs(seen.astype(int) - RGB[:, :, [1, 0, 2]]).max() <= 2


def swapped_profile() -> bytes:
    """sRGB with its red and green primaries exchanged, as a profile nobody ships."""
    profile = bytearray(SRGB_PROFILE)
    count = int.from_bytes(profile[128:132], "big")
    places = {}
    for entry in range(132, 132 + 12 * count, 12):
        places[bytes(profile[entry : entry + 4])] = entry
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_a_broken_profile_is_left_aside():
    broken = bytearray(SRGB_PROFILE[:400])
    frame = decode(saved(Image.fromarray(RGB), "PNG", icc_profile=bytes(broken)))
    np.testing.assert_array_equal(model_rgb(frame), RGB)


def test_max_pixels_is_checked_from_the_header(tmp_path):
    for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        data = saved(Image.new("RGB", (100, 101)), format)
        assert decode(data, max_pixels=10100).width == 100
        with pytest.raises(ImageDecodeError, match="max_pixels=10099"):
            decode(data, max_pixels=10099)
    with pytest.raises(ImageDecodeError, match="max_pixels"):
        decode(RGB, max_pixels=100)
    with pytest.raises(OptionError):
        decode(RGB, max_pixels=0)


def test_no_warning_leaks_and_filters_are_restored():
    before = list(warnings.filters)
    huge = saved(Image.new("L", (12000, 9000)), "PNG")  # Pillow warns from 89 MP on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(huge).width == 12000
    assert list(warnings.filters) == before
