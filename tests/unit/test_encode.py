"""Encoding: metadata in every format, what formats refuse, files that are whole or not there."""

from __future__ import annotations

import errno
import io
import stat

import numpy as np
import pytest
from PIL import Image, ImageCms

from nssbg import ImageEncodeError, OptionError
from nssbg._io import (
    ALPHA_FORMATS,
    decode,
    encode,
    files,
    format_of_path,
    suffix_of,
    write_atomically,
)
from nssbg._vocabulary import FORMATS

RNG = np.random.default_rng(3)
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def smooth(channels: int) -> np.ndarray:
    rows, columns = np.mgrid[:40, :56]
    planes = [rows * 5, columns * 4, rows * 2 + columns * 2, np.clip(columns * 9 - 90, 0, 255)]
    return np.stack(planes[:channels], axis=-1).astype(np.uint8)


def exif_block() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    exif[0x0112] = 1
    return exif.tobytes()


@pytest.mark.parametrize("format", FORMATS)
def test_profile_and_exif_come_back(format):
    pixels = smooth(3 if format == "jpeg" else 4)
    data = encode(pixels, format=format, icc_profile=SRGB_PROFILE, exif=exif_block())
    frame = decode(data)
    # JPEG XL keeps what the profile says rather than its bytes.
    if format != "jxl":
        assert frame.icc_profile == SRGB_PROFILE
    exif = Image.Exif()
    exif.load(frame.exif)
    assert exif[0x010E].strip("\0") == "a description"


@pytest.mark.parametrize("format", ["png", "tiff", "jpeg"])
def test_resolution_comes_back(format):
    frame = decode(encode(smooth(3), format=format, dpi=(300, 240)))
    assert frame.dpi == pytest.approx((300, 240), abs=0.01)


def test_png_texts_come_back():
    texts = {"Software": "nssbg", "Comment": "naïve", "Description": "δέλτα — 猫"}
    with Image.open(io.BytesIO(encode(smooth(4), text=texts))) as image:
        assert {key: str(value) for key, value in image.text.items()} == texts


@pytest.mark.parametrize("keyword", ["", " x", "x ", "a  b", "k" * 80, "Ключ", "a\nb"])
def test_png_refuses_keywords_that_it_cannot_hold(keyword):
    with pytest.raises(OptionError, match="keyword"):
        encode(smooth(4), text={keyword: "x"})


@pytest.mark.parametrize("format", ALPHA_FORMATS)
@pytest.mark.parametrize("quality", [None, 80])
def test_alpha_is_exact_where_promised(format, quality):
    if quality is not None and format in ("png", "tiff"):
        pytest.skip("lossless only")
    pixels = smooth(4)
    frame = decode(encode(pixels, format=format, quality=quality))
    exact = format in ("png", "tiff", "webp") or (format == "jxl" and quality is None)
    difference = np.abs(frame.alpha.astype(int) - pixels[:, :, 3])
    assert difference.max() <= (0 if exact else 12)
    if quality is None and format != "avif":
        seen = pixels[:, :, 3] > 0
        np.testing.assert_array_equal(frame.rgb[seen], pixels[:, :, :3][seen])


def test_gray_masks_in_every_format():
    mask = smooth(4)[:, :, 3]
    for format in FORMATS:
        frame = decode(encode(mask, format=format))
        assert np.abs(frame.rgb[:, :, 0].astype(int) - mask).max() <= 12
        if format in ("png", "tiff"):
            assert frame.is_gray


def test_premultiplied_tiff_says_so_and_is_read_as_straight():
    pixels = np.zeros((4, 5, 4), np.uint16)
    pixels[:] = (10000, 20000, 5000, 32768)
    data = encode(pixels, format="tiff", premultiplied=True)
    frame = decode(data)
    assert np.abs(frame.rgb[0, 0].astype(int) - (20000, 40000, 10000)).max() <= 1


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("sampling", "luma"), [("4:4:4", 0x11), ("4:2:2", 0x21), ("4:2:0", 0x22)])
def test_chroma_subsampling_and_progressive_jpeg_are_what_was_asked_for(
    sampling, luma, progressive
):
    data = encode(
        smooth(3), format="jpeg", quality=85, subsampling=sampling, progressive=progressive
    )
    with Image.open(io.BytesIO(data)) as image:
        assert image.layer[0][1] * 16 + image.layer[0][2] == luma
        assert bool(image.info.get("progressive")) is progressive
        assert np.abs(np.asarray(image).astype(int) - smooth(3)).mean() < 6


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_xmp_packet_is_kept(format, dtype):
    packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>\u00e9</x:xmpmeta>".encode()
    data = encode(smooth(3).astype(dtype), format=format, xmp=packet)
    assert packet in data
    if format != "jxl" and dtype == np.uint8:
        assert decode(data).xmp == packet


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"format": "gif"}, OptionError, "expected one of png"),
        ({"compression": "most"}, OptionError, "fast, default, best"),
        ({"quality": 50}, OptionError, "lossless"),
        ({"format": "webp", "quality": 101}, OptionError, "0 to 100"),
        ({"format": "jpeg"}, ImageEncodeError, "background"),
        ({"premultiplied": True}, OptionError, "TIFF"),
        ({"threads": -1}, OptionError, "threads"),
        ({"subsampling": "4:2:0"}, OptionError, "JPEG and AVIF"),
        ({"format": "avif", "subsampling": "420"}, OptionError, "4:4:4, 4:2:2"),
        ({"progressive": True}, OptionError, "JPEG"),
        ({"dpi": (0, 3)}, OptionError, "dpi"),
        ({"text": {"a": "b\0c"}}, OptionError, "null"),
    ],
)
def test_refusals_say_what_to_do(options, error, said):
    with pytest.raises(error, match=said):
        encode(smooth(4), **options)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 4), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_pixels_that_are_no_picture(pixels):
    with pytest.raises(OptionError):
        encode(pixels)


def test_too_wide_for_webp():
    with pytest.raises(ImageEncodeError, match="16383"):
        encode(np.zeros((1, 16384, 3), np.uint8), format="webp")


def test_formats_by_suffix():
    for format in FORMATS:
        assert format_of_path(f"a/b{suffix_of(format)}") == format
    assert format_of_path("X.JPEG") == "jpeg"
    with pytest.raises(OptionError, match=r"\.png"):
        format_of_path("x.doc")


def test_write_replaces_the_whole_file_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    path.chmod(0o640)
    assert write_atomically(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_new_files_get_the_usual_permissions(tmp_path):
    path = write_atomically(tmp_path / "a.png", b"x")
    (tmp_path / "b.png").write_bytes(b"x")
    assert path.stat().st_mode == (tmp_path / "b.png").stat().st_mode


def test_write_follows_a_link(tmp_path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    write_atomically(tmp_path / "link.png", b"new")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes() == b"new"


def test_a_missing_folder_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageEncodeError, match="does not exist"):
        write_atomically(tmp_path / "no" / "a.png", b"x")
    with pytest.raises(ImageEncodeError, match="it is a folder"):
        write_atomically(tmp_path, b"x")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, error):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(handle):
        raise error

    monkeypatch.setattr(files.os, "fsync", fail)
    expected = ImageEncodeError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]
