"""web/core/png.js reads every kind of PNG: depths, colours, palettes, interlacing, metadata."""

import struct
import zlib

import numpy as np
import pytest

from nssbg._io.png_reader import ADAM7

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [
    *((0, depth) for depth in (1, 2, 4, 8, 16)),
    *((3, depth) for depth in (1, 2, 4, 8)),
    *((color, depth) for color in (2, 4, 6) for depth in (8, 16)),
]
PALETTE = np.random.default_rng(9).integers(0, 256, (256, 3)).astype(np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_rows(samples, depth):
    """Rows of samples (h x w x c) as PNG packs them, each with a filter; all five occur."""
    step = max(1, samples.shape[2] * depth // 8)
    above = None
    for y, row in enumerate(samples.reshape(samples.shape[0], -1)):
        if depth == 16:
            plain = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
        else:
            bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
            plain = np.packbits(bits.reshape(-1))
        above = np.zeros_like(plain) if above is None else above
        left = np.concatenate([np.zeros(step, np.uint8), plain])[: len(plain)]
        guess = [np.zeros_like(plain), left, above, ((left.astype(int) + above) // 2)][y % 4]
        yield bytes([y % 4]) + (plain - guess.astype(np.uint8)).tobytes()
        above = plain


def png(samples, color, depth, *, interlaced=False, before=()):
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b"".join(
        row
        for x, y, dx, dy in passes
        if x < width and y < height
        for row in packed_rows(samples[y::dy, x::dx], depth)
    )
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    body = zlib.compress(raw)
    pieces = (body[: len(body) // 2], body[len(body) // 2 :])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", header),
            *(chunk(*one) for one in before),
            *([chunk(b"PLTE", PALETTE[: 1 << depth].tobytes())] if color == 3 else []),
            *(chunk(b"IDAT", piece) for piece in pieces),
            chunk(b"IEND", b""),
        )
    )


def expected(samples, color, depth):
    """rgb and alpha as the file means them."""
    if color == 3:
        return PALETTE[samples[..., 0]], None
    stretched = samples * (255 // ((1 << depth) - 1)) if depth < 8 else samples
    colors = stretched[..., : 3 if color in (2, 6) else 1]
    alpha = stretched[..., -1] if color in (4, 6) else None
    return np.broadcast_to(colors, (*samples.shape[:2], 3)), alpha


@pytest.fixture(scope="module")
def decoded(node, tmp_path_factory):
    """What the decoder told of all files, the folder, and what each should be."""
    folder = tmp_path_factory.mktemp("png")
    rng = np.random.default_rng(4)
    meant = {}
    for color, depth in KINDS:
        for interlaced in (False, True):
            samples = rng.integers(0, 1 << depth, (23, 37, CHANNELS[color]))
            samples = samples.astype(np.uint16 if depth == 16 else np.uint8)
            name = f"{color}-{depth}-{interlaced}.png"
            (folder / name).write_bytes(png(samples, color, depth, interlaced=interlaced))
            meant[name] = expected(samples, color, depth)
    samples = rng.integers(0, 3, (5, 6, 3)).astype(np.uint8)
    key = (b"tRNS", struct.pack(">3H", 1, 2, 0))
    facts = [
        (b"iCCP", b"any\0\0" + zlib.compress(b"a profile")),
        (b"pHYs", struct.pack(">IIB", 11811, 5906, 1)),
        (b"eXIf", b"MM"),
    ]
    whole = png(samples, 2, 8, before=[key, *facts])
    (folder / "key.png").write_bytes(whole)
    meant["key.png"] = samples, np.where((samples == (1, 2, 0)).all(-1), 0, 255)
    (folder / "cut.png").write_bytes(whole[:-20])
    (folder / "sum.png").write_bytes(whole[:-30] + b"\0" * 30)
    header = struct.pack(">IIBBBBB", 2000, 2000, 8, 2, 0, 0, 0)
    large = whole[:8] + chunk(b"IHDR", header) + whole[33:]
    (folder / "large.png").write_bytes(large)
    (folder / "short.png").write_bytes(
        whole[:8] + chunk(b"IHDR", header[:4] + b"\0\0\0\x09" + header[8:]) + whole[33:]
    )
    return node("decode_png.js", folder), folder, meant


def test_every_kind_has_its_own_samples(decoded):
    told, folder, meant = decoded
    for name, (rgb, alpha) in meant.items():
        one = told[name]
        assert "error" not in one, (name, one)
        dtype = np.uint16 if one["bits"] == 16 else np.uint8
        assert one["bits"] == (16 if rgb.dtype == np.uint16 else 8), name
        made = np.fromfile(folder / f"{name}.rgb", dtype).reshape(*one["shape"], 3)
        np.testing.assert_array_equal(made, rgb, err_msg=name)
        assert one["alpha"] == (alpha is not None), name
        if alpha is not None:
            made = np.fromfile(folder / f"{name}.alpha", dtype).reshape(one["shape"])
            np.testing.assert_array_equal(made, alpha, err_msg=name)


def test_metadata_is_kept(decoded):
    one = decoded[0]["key.png"]
    assert (one["profile"], one["exif"], one["gray"]) == ("a profile", "MM", False)
    assert [round(part) for part in one["dpi"]] == [300, 150]


def test_damage_is_told_by_the_files_name(decoded):
    told = decoded[0]
    assert "cannot read cut.png: the PNG file is cut short" in told["cut.png"]["error"]
    assert told["sum.png"]["error"].startswith("cannot read sum.png: ")
    assert "2000 x 2000 pixels" in told["large.png"]["error"]
    assert told["short.png"]["error"].startswith("cannot read short.png: ")
