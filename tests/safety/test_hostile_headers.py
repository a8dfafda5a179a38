"""Files whose headers lie or whose decoding never ends: refused from the header, or bounded."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_files import (
    deflated_zeros,
    frame_of_isobmff,
    gif_of_frames,
    jpeg_of_scans,
    jxl_boxes,
    png,
    png_chunk,
    rgb_tags,
    saved,
    tiff,
    tiff_chain,
    webp_of_frames,
)
from PIL import Image

import nssbg
from nssbg import ImageDecodeError
from nssbg._io import decode, peek_header, peek_size
from nssbg._io.admission import read_header
from nssbg._io.header import HeaderError
from nssbg._io.span import Span

SMALL = Image.new("L", (8, 8), 90)
# A header and a few blocks; no file here may cost more (seconds include a loaded machine's).
SECONDS = 5


def peak_of(code: str, *arguments: str) -> tuple[int, str]:
    """Megabytes that code adds to a fresh process at its peak, and what it prints."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peaks are read from /proc")
    # ru_maxrss would begin at the parent's: exec keeps it.
    script = (
        "import sys, nssbg\n"
        "from pathlib import Path\n"
        "from nssbg._io import decode, peek_size\n"
        "from nssbg import ImageDecodeError\n"
        "def peak():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return int([line for line in lines if line.startswith('VmHWM')][0].split()[1])\n"
        "decode(__import__('numpy').zeros((8, 8, 3), 'uint8'))\n"
        "before = peak()\n"
        f"{code}\n"
        "print((peak() - before) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said, _, peak = done.stdout.rstrip().rpartition("\n")
    return int(peak), said


def refused(data: bytes, said: str, **bounds) -> None:
    """Within seconds, in one line, naming the file."""
    start = time.perf_counter()
    with pytest.raises(ImageDecodeError, match=said) as caught:
        decode(data, name="hostile.bin", **bounds)
    assert time.perf_counter() - start < SECONDS
    assert "hostile.bin" in str(caught.value)
    assert "\n" not in str(caught.value)


# Sides and bytes.


@pytest.mark.parametrize("shape", [(2, 262_145, 3), (262_145, 2, 3)])
@pytest.mark.parametrize("kind", ["array", "pil", "png", "tiff"])
def test_a_side_beyond_what_the_kernels_count_is_one_pictures_error(shape, kind):
    pixels = np.full(shape, 200, np.uint8)
    source = pixels
    if kind == "pil":
        source = Image.fromarray(pixels)
    elif kind != "array":
        source = saved(Image.fromarray(pixels), kind.upper())
    with pytest.raises(ImageDecodeError, match="262144"):
        decode(source)


@pytest.mark.parametrize("model", ["studio", "auto"])
def test_a_batch_goes_on_beside_a_side_too_long(model, product):
    images = [product[0], np.full((2, 262_145, 3), 200, np.uint8), product[0]]
    with nssbg.Remover(model, threads=1).map(images, effort="fast") as outcomes:
        errors = [outcome.error for outcome in outcomes]
    assert [type(error) for error in errors] == [type(None), ImageDecodeError, type(None)]


def test_the_longest_side_is_cut_out():
    strip = np.full((2, 262_144, 3), 200, np.uint8)
    assert nssbg.remove(strip, model="studio").shape == (2, 262_144, 4)


@pytest.mark.parametrize("bits", [8, 16])
def test_bytes_are_predicted_and_refused_before_decoding(bits):
    body = deflated_zeros(3000 * (1 + 3000 * 3 * bits // 8))
    data = png(3000, 3000, body, bits=bits)
    limit = 9_000_000 * 14 * (bits // 8) + (32 << 20)
    with pytest.raises(ImageDecodeError, match=f"max_memory={limit - 1}") as caught:
        nssbg.Remover("studio", max_memory=limit - 1).cutout(io.BytesIO(data))
    assert "3000 x 3000" in str(caught.value)
    assert f"{bits} bits" in str(caught.value)
    assert nssbg.Remover("studio", max_memory=limit).cutout(data).rgba.shape == (3000, 3000, 4)


def test_without_a_limit_a_share_of_the_free_memory_holds(monkeypatch):
    from nssbg._io import admission

    data = png(14_000, 14_000, deflated_zeros(1000), bits=16)
    monkeypatch.setattr(admission, "available_memory", lambda: 1 << 30)
    refused(data, r"14000 x 14000 pixels of 16 bits .* more than the 805 MB that are free")
    # What is free is a guess: ordinary photographs are read however little it is.
    monkeypatch.setattr(admission, "available_memory", lambda: 0)
    assert decode(png(600, 600, deflated_zeros(600 * 1801))).width == 600


def test_remove_and_the_command_take_max_memory(product_path, tmp_path):
    with pytest.raises(ImageDecodeError, match="max_memory=1000"):
        nssbg.remove(product_path, model="studio", max_memory=1000)
    from nssbg.cli.main import main

    out = tmp_path / "o.png"
    arguments = ["remove", str(product_path), str(out), "--model", "studio", "--max-memory"]
    assert main([*arguments, "1"]) == 3
    assert not out.exists()
    assert main([*arguments, "1000"]) == 0
    for wrong in (0, -1, 1.5, "8", True):
        with pytest.raises(nssbg.OptionError, match="max_memory"):
            nssbg.Remover("studio", max_memory=wrong)


def test_sixteen_bit_png_holds_its_pixels_once(tmp_path):
    path = tmp_path / "deep.png"
    path.write_bytes(png(5000, 5000, deflated_zeros(5000 * 30_001), bits=16))
    peak, _ = peak_of("decode(sys.argv[1])", str(path))
    assert 100 < peak < 200  # 150 MB of pixels


# JPEG XL.

pillow_jxl = pytest.mark.usefixtures("_with_jxl")


@pytest.fixture
def _with_jxl():
    pytest.importorskip("pillow_jxl")


def flat_jxl(width: int, height: int, **options) -> bytes:
    return saved(Image.new("RGB", (width, height), (90, 120, 30)), "JXL", effort=3, **options)


@pillow_jxl
@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 60}])
def test_jxl_sizes_are_read_without_the_plugin(options):
    for width, height in ((300, 200), (256, 256), (640, 360), (1000, 8), (37, 21)):
        stream = flat_jxl(width, height, **options)
        for data in (
            stream,
            jxl_boxes(stream),
            jxl_boxes(stream, parts=3),
            jxl_boxes(stream, parts=4, lead=1),
            jxl_boxes(stream, parts=5, lead=11),
        ):
            assert peek_size(data) == (height, width, 1)
            assert decode(data).rgb.shape == (height, width, 3)
            refused(data, "max_pixels", max_pixels=width * height - 1)


@pillow_jxl
@pytest.mark.parametrize("parts", [0, 5])
def test_peek_and_the_cap_come_before_any_jxl_decoder(parts, tmp_path):
    stream = flat_jxl(9000, 9000, quality=50)
    path = tmp_path / "big.jxl"
    path.write_bytes(jxl_boxes(stream, parts=parts) if parts else stream)
    code = (
        "import pillow_jxl\n"
        "assert peek_size(sys.argv[1]) == (9000, 9000, 1)\n"
        "try: decode(sys.argv[1], max_pixels=80_000_000)\n"
        "except ImageDecodeError as error: print(error)"
    )
    peak, said = peak_of(code, str(path))
    assert "max_pixels=80000000" in said
    assert peak < 30


@pillow_jxl
def test_jxl_streams_in_disorder_are_refused_unread():
    stream = flat_jxl(64, 64)
    whole = jxl_boxes(stream, parts=3)
    at = [place for place in range(len(whole)) if whole[place : place + 4] == b"jxlp"]
    swapped = bytearray(whole)
    swapped[at[1] + 7] = 7
    refused(bytes(swapped), "out of order")
    refused(jxl_boxes(stream) + jxl_boxes(stream)[32:], "more than one")
    refused(whole[: at[-1] - 4], "not whole")


@pillow_jxl
def test_jxl_keeps_its_exif_without_its_container():
    exif = Image.Exif()
    exif[0x010E] = "kept"
    image = Image.fromarray(np.full((40, 60, 3), 90, np.uint8))
    data = saved(image, "JXL", exif=exif.tobytes(), use_container=True)
    kept = Image.Exif()
    kept.load(decode(data).exif)
    assert kept[0x010E].strip("\0") == "kept"


# TIFF.


def test_tiles_count_as_pixels(tmp_path):
    tags = {**rgb_tags(16, 16), 322: (4, [40_000]), 323: (4, [40_000]), 259: (3, [8])}
    del tags[278]
    data = tiff(tags, [deflated_zeros(1 << 24)], tiled=True)
    refused(data, "16 x 16 pixels its tiles .* max_pixels")
    small = {**tags, 322: (4, [16]), 323: (4, [16])}
    assert decode(tiff(small, [deflated_zeros(16 * 48)], tiled=True)).width == 16


def test_a_tiled_tiff_that_pads_is_read():
    image = Image.fromarray(np.arange(50 * 70 * 3, dtype=np.uint8).reshape(50, 70, 3))
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, np.asarray(image), tile=(32, 32), photometric="rgb")
    np.testing.assert_array_equal(decode(file.getvalue()).rgb, np.asarray(image))


def test_a_long_chain_of_directories_is_not_walked():
    start = time.perf_counter()
    frame = decode(tiff_chain(100_000))
    assert time.perf_counter() - start < SECONDS
    assert frame.notes == ("first of at least 1000 frames",)
    assert decode(tiff_chain(3)).notes == ("first of 3 frames",)


def test_a_ring_of_directories_ends():
    ring = bytearray(tiff_chain(5))
    ring[-4:] = struct.pack("<I", 8 + 256)
    assert decode(bytes(ring)).rgb.shape == (16, 16, 3)


@pytest.mark.parametrize("tag", [258, 270, 273, 320, 40_000])
def test_tags_of_ten_million_values_are_refused(tag):
    count = 2_000_000
    data = bytearray(
        tiff({**rgb_tags(8, 8), 40_000: (3, [1]), 320: (3, [1]), 270: (3, [1])}, [bytes(192)])
    )
    at = data.find(struct.pack("<H", tag), 8)
    struct.pack_into("<HII", data, at + 2, 3, count, 300)
    refused(bytes(data) + bytes(2 * count), f"tag {tag} claims {count} values")


def test_a_directory_of_millions_of_entries_is_refused():
    big = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2_000_000) + bytes(40_000_000)
    refused(big, "claims 2000000 entries")


def test_a_strip_inflates_no_further_than_its_rows(tmp_path):
    tags = rgb_tags(16, 16, t258=(3, [16, 16, 16]), t259=(3, [8]))
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff(tags, [deflated_zeros(1 << 29)]))
    peak, _ = peak_of("decode(sys.argv[1])", str(path))
    assert peak < 30


# JPEG, GIF, WebP, PNG, HEIF.


def test_jpeg_scans_are_bounded_by_number_and_by_pixels():
    refused(jpeg_of_scans(200, 4000), "more than 500 scans")
    refused(jpeg_of_scans(8000, 60), "more than 40 scans")
    # Elaborate scripts are read, and what lies behind the picture is not counted.
    image = saved(Image.effect_noise((200, 200), 50), "JPEG", progressive=True)
    assert decode(image + b"\xff\xda\0\x08" * 5000).width == 200
    plain = saved(Image.effect_noise((200, 200), 50), "JPEG")
    assert decode(plain + b"\xff\xda\0\x08" * 5000).width == 200


def test_jpeg_segments_without_end_are_refused():
    image = saved(SMALL, "JPEG")[2:]
    refused(b"\xff\xd8" + b"\xff\xe0\0\2" * 500_000 + image, "no frame header")
    exif = b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\0\0" + bytes(65_527)
    refused(b"\xff\xd8" + exif * 400 + image, "EXIF block is longer")


def test_gif_frames_are_counted_no_further_than_needed():
    start = time.perf_counter()
    assert decode(gif_of_frames(100_000)).notes == ("first of at least 1000 frames",)
    comments = saved(Image.new("P", (4, 4)), "GIF")[:-1] + b"\x21\xfe" + b"\1a" * 5_000_000
    assert decode(comments + b"\0;").width == 4
    assert time.perf_counter() - start < SECONDS


def test_a_gif_frame_beyond_its_canvas_counts():
    data = bytearray(saved(Image.new("P", (4, 4)), "GIF"))
    at = data.find(b"\x2c", 13 + (3 << ((data[10] & 7) + 1)) if data[10] & 0x80 else 13)
    struct.pack_into("<HHHH", data, at + 1, 0, 0, 60_000, 60_000)
    refused(bytes(data), "60000 x 60000 pixels are more than max_pixels")


def test_webp_frames_are_listed_not_decoded():
    start = time.perf_counter()
    assert decode(webp_of_frames(100_000)).notes == ("first of 100000 frames",)
    assert time.perf_counter() - start < SECONDS
    assert decode(webp_of_frames(500)).notes == ("first of 500 frames",)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_png_metadata_that_inflates_without_end_is_bounded(bits, kind, tmp_path):
    body = zlib.compress(bytes(8 * (1 + 8 * 3 * bits // 8)))
    chunk = png_chunk(kind, b"x\0\0" + deflated_zeros(1 << 29))
    path = tmp_path / "bomb.png"
    path.write_bytes(png(8, 8, body, bits=bits, before=[chunk]))
    code = "try: decode(sys.argv[1])\nexcept ImageDecodeError as error: print(error)"
    peak, _ = peak_of(code, str(path))
    assert peak < 60


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_sizes_of_iso_media_files(format):
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    image = Image.new("RGB", (320, 200), (9, 90, 200))
    data = saved(image, format)
    assert peek_size(data) == (200, 320, 1)
    refused(data, "max_pixels", max_pixels=320 * 200 - 1)
    refused(frame_of_isobmff(data, 60_000, 60_000), "max_pixels")
    liar = frame_of_isobmff(data, 16, 16)
    header = peek_header(liar)
    assert (header.width, header.height) == (16, 16)


def test_no_parser_trips_over_any_header():
    """Every prefix and many mutations of every header: a size or None, never anything else."""
    generator = np.random.default_rng(11)
    files = [saved(SMALL.convert("RGB"), name) for name in ("PNG", "JPEG", "TIFF", "BMP", "WEBP")]
    files += [gif_of_frames(2), tiff_chain(3), webp_of_frames(2), saved(SMALL, "AVIF")]
    files += [b"\xff\x0a" + bytes(30), jxl_boxes(b"\xff\x0a" + bytes(range(40)), parts=4)]
    for data in files:
        for cut in range(min(len(data), 400)):
            peek_header(data[:cut])
        for _ in range(600):
            changed = bytearray(data)
            for _ in range(int(generator.integers(1, 5))):
                changed[int(generator.integers(0, min(len(changed), 400)))] = int(
                    generator.integers(0, 256)
                )
            with contextlib.suppress(HeaderError):
                read_header(Span(bytes(changed)))


# Streams.


class Endless(io.RawIOBase):
    """A stream that never ends and counts what was taken."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= 32 << 20, "asked for everything at once"
        piece = self.head[self.taken : self.taken + size] or bytes(size)
        self.taken += len(piece)
        return piece


def test_a_stream_that_is_no_picture_is_left_at_its_head():
    stream = Endless(b"")
    with pytest.raises(ImageDecodeError, match="zeros only"):
        decode(stream)
    assert stream.taken <= 4096


def test_a_stream_without_end_is_cut_at_the_memory_allowed():
    stream = Endless(saved(SMALL, "PNG")[:40])
    with pytest.raises(ImageDecodeError, match="longer than the 20000000 bytes that max_memory"):
        decode(stream, max_memory=20_000_000)
    assert stream.taken <= 20_000_001


def test_short_reads_are_joined(product_jpeg):
    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.file = io.BytesIO(product_jpeg)

        def read(self, size: int = -1) -> bytes:
            return self.file.read(min(size, 1000) if size >= 0 else 1000)

    np.testing.assert_array_equal(decode(Slow()).rgb, decode(product_jpeg).rgb)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_the_command_leaves_an_endless_stdin(tmp_path):
    with Path("/dev/zero").open("rb") as zero:
        done = subprocess.run(
            [sys.executable, "-m", "nssbg.cli.main", "remove", "-", str(tmp_path / "o.png")],
            stdin=zero,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 3
    assert "<stdin>" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_pipe_is_not_read_by_peek(tmp_path, product_jpeg):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(product_jpeg))
    assert peek_size(pipe) is None
    writer.start()
    try:
        assert decode(pipe).height == 300
    finally:
        writer.join(10)


def test_a_hostile_background_is_refused_from_its_header(product, tmp_path):
    """Backgrounds go through the same readers: no bomb, no other program, one error."""
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png(100_000, 100_000, deflated_zeros(1000)))
    postscript = tmp_path / "a.eps"
    postscript.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    missing = tmp_path / "missing.png"
    for path, said in ((bomb, "max_pixels"), (postscript, "text"), (missing, "no such file")):
        with pytest.raises(ImageDecodeError, match=said) as caught:
            nssbg.remove(product[0], model="studio", background=path)
        assert f"background picture {path}" in str(caught.value)
