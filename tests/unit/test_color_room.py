"""One colour room: profiles are measured, 16 bits are rounded one way, a view is made once."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import nssbg
from nssbg._color import profiles
from nssbg._color.convert import converted_color, converted_image, same_profile
from nssbg._color.depth import eight_bits, sixteen_bits
from nssbg._color.profiles import is_srgb, model_rgb, release_model_rgb
from nssbg._compose.background import over
from nssbg._errors import OptionError
from nssbg._io import decode
from nssbg._types import Frame

PACKAGE = Path(nssbg.__file__).parent
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped(profile: bytes) -> bytes:
    """A profile with its red and green primaries exchanged, under its own name."""
    made = bytearray(profile)
    count = int.from_bytes(made[128:132], "big")
    entries = {bytes(made[e : e + 4]): e for e in range(132, 132 + 12 * count, 12)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    made[red : red + 4], made[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(made)


def renamed(profile: bytes) -> bytes:
    """The same colours under a name that says nothing."""
    made = profile
    for encoding in ("ascii", "utf-16-be"):
        for name in ("sRGB IEC61966-2.1", "sRGB built-in"):
            made = made.replace(name.encode(encoding), ("x" * len(name)).encode(encoding))
    assert made != profile
    return made


def test_a_profile_that_calls_itself_srgb_is_measured():
    liar = swapped(SRGB)
    assert not is_srgb(liar)
    assert not same_profile(liar, None)
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    seen = converted_image(red, liar, None)
    assert np.abs(seen[0, 0].astype(int) - [0, 255, 0]).max() <= 2
    assert converted_color((255, 0, 0), liar) == pytest.approx((0, 1, 0), abs=0.01)


def test_srgb_under_another_name_is_srgb():
    nameless = renamed(SRGB)
    assert same_profile(nameless, None)
    assert same_profile(nameless, SRGB)
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    assert converted_image(image, nameless, None) is image


def test_a_profile_that_cannot_be_used_is_looked_past_but_never_written_into():
    broken = SRGB[:200]
    assert is_srgb(broken)
    assert not same_profile(broken, None)
    with pytest.raises(OptionError, match="profile"):
        converted_image(np.zeros((2, 2, 3), np.uint8), None, broken)


def test_sixteen_bits_are_rounded_to_nearest_for_every_value():
    every = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(eight_bits(every), np.rint(every * (255 / 65535)))
    eight = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(sixteen_bits(eight), np.rint(eight / 255 * 65535))
    np.testing.assert_array_equal(eight_bits(sixteen_bits(eight)), eight)


def test_nothing_else_of_the_package_divides_by_257():
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == 257 and type(node.value) is int
    ]
    assert {place.partition(":")[0] for place in found} <= {
        str(Path("_color/depth.py")),
        str(Path("_io/tiff_header.py")),  # a tag's number
        str(Path("bench/pictures.py")),  # the side of a tile, in pixels
    }


@pytest.mark.parametrize(
    "frame",
    [
        Frame(np.full((8, 9, 3), 40_000, np.uint16)),
        Frame(np.full((8, 9, 3), 90, np.uint8), icc_profile=swapped(SRGB)),
    ],
    ids=["16 bits", "wide"],
)
def test_the_srgb_view_is_made_once_a_frame(frame, monkeypatch):
    made = []
    inner = profiles._model_rgb
    monkeypatch.setattr(profiles, "_model_rgb", lambda f: made.append(f) or inner(f))
    first = model_rgb(frame)
    assert model_rgb(frame) is first
    assert len(made) == 1
    other = replace(frame, rgb=frame.rgb[2:5])
    assert model_rgb(other).shape == (3, 9, 3)
    release_model_rgb(frame)
    np.testing.assert_array_equal(model_rgb(frame), first)
    assert len(made) == 3


@pytest.mark.parametrize("model", ["studio", "nssbg-lite", "auto"])
def test_a_sixteen_bit_picture_is_brought_to_srgb_once(model, monkeypatch, tmp_path):
    made = []
    inner = profiles._model_rgb
    monkeypatch.setattr(profiles, "_model_rgb", lambda f: made.append(f) or inner(f))
    rng = np.random.default_rng(1)
    image = rng.integers(0, 65536, (400, 500, 3)).astype(np.uint16)
    image[:60] = image[-60:] = image[:, :60] = image[:, -60:] = 60_000
    with nssbg.Remover(model=model) as remover:
        cutout = remover.cutout(image, effort="best")
    assert len(made) == 1
    assert "_model_rgb" not in vars(cutout.frame), "the view is let go of"


def test_a_pil_background_is_read_as_carefully_as_a_file():
    clear = np.zeros((8, 8, 4), np.uint8)
    cmyk = Image.new("RGB", (8, 8), (200, 30, 40)).convert("CMYK")
    np.testing.assert_array_equal(over(clear, cmyk), decode(cmyk).rgb)
    sixteen = Image.fromarray(np.full((8, 8), 51_400, np.uint16))
    assert over(clear, sixteen)[0, 0].tolist() == [200, 200, 200]
