"""One cut-out to a profile's files: framing, colours, exact background, size cap, metadata."""

import dataclasses
import io

import numpy as np
import pytest
from batch_pictures import (
    XMP,
    adobe_like_profile,
    cutout_of,
    exif_with_everything,
    product,
    profile_of,
)
from PIL import Image

from nssbg import ImageEncodeError, OptionError
from nssbg._io import decode
from nssbg.batch.flatness import flat_is_exact
from nssbg.batch.output import render_outputs
from nssbg.batch.profile import OutputSpec, Profile, Rights, load_profile


def one(cutout, profile, **options):
    (made,) = render_outputs(cutout, profile, stem="a", **options)
    return made


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_size_fill_and_exact_white_in_the_encoded_file(dtype):
    made = one(cutout_of(product(dtype=dtype)), profile_of())
    assert made.name == "a.jpg"
    seen = decode(made.data).rgb
    assert seen.shape == (240, 200, 3)
    top, left, bottom, right = made.subject
    assert max((bottom - top) / 240, (right - left) / 200) >= 0.85
    held = made.alpha > 0
    blocks = held.reshape(30, 8, 25, 8).any(axis=(1, 3)).repeat(8, 0).repeat(8, 1)
    assert (seen[~blocks] == 255).all()
    assert seen[held].min() < 100


@pytest.mark.parametrize("background", ["white", "#f0f0f0", "black"])
def test_no_ripple_of_resampling_is_left_on_an_exact_background(background):
    rgba = np.zeros((500, 500, 4), np.uint8)
    rgba[100:400, 100:400] = (20, 20, 200, 255)
    made = one(
        cutout_of(rgba),
        profile_of(background=background, format="png", quality=None, subsampling=None),
    )
    levels = np.unique(made.alpha)
    assert levels[levels > 0].min() > 5
    color = decode(made.data).rgb[0, 0]
    assert (decode(made.data).rgb[made.alpha == 0] == color).all()


def test_qualities_that_would_tint_the_background_are_passed_over():
    assert not flat_is_exact(65, "4:4:4", (240, 240, 240))
    made = one(cutout_of(product()), profile_of(background="#f0f0f0", quality=65))
    assert made.quality == 74
    assert "74 in place of 65" in " ".join(made.notes)
    assert decode(made.data).rgb[0, 0].tolist() == [240, 240, 240]


def test_a_background_that_no_quality_holds_is_said():
    with pytest.raises(ImageEncodeError, match="use png"):
        one(cutout_of(product()), profile_of(background="#c81e3c"))


def test_the_size_cap_is_met_by_the_highest_quality_that_fits():
    cutout = cutout_of(product(noise=30))
    full = one(cutout, profile_of())
    cap = int(len(full.data) * 0.7)
    made = one(cutout, profile_of(max_bytes=cap))
    assert len(made.data) <= cap
    assert made.quality < 90
    assert f"quality {made.quality} in place of quality 90" in made.notes[0]
    above = one(cutout, profile_of(quality=made.quality + 1))
    assert len(above.data) > cap
    with pytest.raises(ImageEncodeError, match="at quality 70, the least allowed"):
        one(cutout, profile_of(max_bytes=500))


def test_lossless_webp_becomes_lossy_to_meet_its_cap():
    spec = {"format": "webp", "quality": None, "background": None, "exact_background": False}
    cutout = cutout_of(product(noise=30))
    full = one(cutout, profile_of(subsampling=None, **spec))
    assert full.quality is None
    made = one(cutout, profile_of(subsampling=None, max_bytes=len(full.data) // 2, **spec))
    assert made.quality >= 70
    assert "in place of lossless" in made.notes[0]


def test_adobe_rgb_becomes_srgb_and_can_be_kept():
    with_profile = adobe_like_profile()
    rgba = product()
    rgba[rgba[..., 3] > 0, :3] = (100, 200, 100)
    cutout = cutout_of(rgba, icc_profile=with_profile)
    made = one(cutout, profile_of(format="png", quality=None, subsampling=None))
    frame = decode(made.data)
    assert frame.icc_profile is None
    middle = frame.rgb[120, 100].astype(int)
    assert middle[0] < 90, "a wide gamut's green has less red in sRGB"
    kept = one(cutout, profile_of(format="png", quality=None, subsampling=None, color_space="keep"))
    assert decode(kept.data).icc_profile == with_profile
    assert decode(kept.data).rgb[120, 100].tolist() == [100, 200, 100]


def test_a_broken_profile_is_said():
    made = one(cutout_of(product(), icc_profile=b"x" * 200), profile_of())
    assert "colours are taken as sRGB" in made.notes[0]


def test_strip_leaves_provenance_alone():
    cutout = cutout_of(product(), exif=exif_with_everything(), xmp=XMP, dpi=(300.0, 300.0))
    made = one(cutout, profile_of())
    assert b"SERIAL123" not in made.data
    assert b"Ann" not in made.data
    frame = decode(made.data)
    assert frame.exif is None
    for word in (b"nssbg ", b'nssbg:Model="nssbg-lite"', b'ModelLicense="Apache-2.0"', b'"test"'):
        assert word in frame.xmp
    bare = one(cutout, dataclasses.replace(profile_of(), provenance=False))
    assert decode(bare.data).xmp is None


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_copyright_keeps_the_names_and_nothing_else(format):
    cutout = cutout_of(product(), exif=exif_with_everything(), xmp=XMP)
    lossy = {"quality": 90} if format in ("jpeg", "webp") else {"quality": None}
    spec = profile_of(format=format, subsampling=None, exact_background=False, **lossy)
    made = one(cutout, dataclasses.replace(spec, metadata="copyright"))
    assert b"SERIAL123" not in made.data
    with Image.open(io.BytesIO(made.data)) as image:
        exif = image.getexif()
        assert (exif[0x013B], exif[0x8298]) == ("Ann Other", "(c) Ann")
        assert 0x010F not in exif
        assert not exif.get_ifd(0x8825)
    assert b"Agency &amp; Co" in decode(made.data).xmp


def test_rights_of_the_profile_stand_in_where_the_picture_names_nobody():
    profile = dataclasses.replace(
        profile_of(), metadata="copyright", rights=Rights("Studio <1>", "(c) Studio", "Studio")
    )
    made = one(cutout_of(product()), profile)
    with Image.open(io.BytesIO(made.data)) as image:
        assert image.getexif()[0x013B] == "Studio <1>"
    assert b"Studio &lt;1&gt;" in decode(made.data).xmp


def test_names_beyond_ascii_are_kept():
    exif = Image.Exif()
    exif[0x013B] = "Zoë Łuk".encode()
    exif[0x8298] = "© 2026 Zoë".encode()
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    made = one(
        cutout_of(product(), exif=block), dataclasses.replace(profile_of(), metadata="copyright")
    )
    assert "Zoë Łuk".encode() in decode(made.data).exif
    assert "© 2026 Zoë".encode() in decode(made.data).exif
    assert "© 2026 Zoë".encode() in decode(made.data).xmp


def test_a_models_path_stays_on_this_machine():
    cutout = cutout_of(product())
    plan = dataclasses.replace(cutout.plan, model="/home/ann/secret/net.onnx")
    made = one(dataclasses.replace(cutout, plan=plan), profile_of())
    assert b'nssbg:Model="net.onnx"' in made.data
    assert b"secret" not in made.data


def test_exif_that_names_adobe_rgb_is_set_right_when_the_pixels_are_converted():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0xA001] = 65535
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    assert b"R03\0" in block
    keep = dataclasses.replace(profile_of(), metadata="keep")
    made = one(cutout_of(product(), exif=block, icc_profile=adobe_like_profile()), keep)
    found = Image.open(io.BytesIO(made.data)).getexif()
    assert found.get_ifd(0x8769)[0xA001] == 1
    assert b"R03" not in made.data
    assert b"R98" in made.data
    assert found[0x010F] == "Maker"
    assert decode(one(cutout_of(product(), exif=block), keep).data).exif == block


def test_blocks_too_large_for_jpeg_are_left_out_and_said():
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    keep = dataclasses.replace(profile_of(), metadata="keep")
    large = XMP.replace(b"SERIAL123", b"y" * 70_000)
    made = one(cutout_of(product(), exif=block, xmp=large), keep)
    assert [note.split(" is ")[0] for note in made.notes] == [
        "the picture's EXIF block",
        "the picture's XMP packet",
    ]


def test_keep_keeps_all_and_adds_provenance():
    cutout = cutout_of(product(), exif=exif_with_everything(), xmp=XMP, dpi=(300.0, 300.0))
    made = one(cutout, dataclasses.replace(profile_of(), metadata="keep"))
    frame = decode(made.data)
    assert frame.exif == exif_with_everything()
    assert frame.dpi == (300.0, 300.0)
    assert b"SERIAL123" in frame.xmp
    assert b"nssbg:Model" in frame.xmp
    hostile = cutout_of(product(), xmp=b'<!DOCTYPE a [<!ENTITY b "c">]><rdf:RDF></rdf:RDF>')
    made = one(hostile, dataclasses.replace(profile_of(), metadata="keep"))
    assert b"ENTITY" not in made.data
    assert "malformed" in made.notes[0]
    other = XMP.replace(b"rdf:", b"r:").replace(b"xmlns:rdf", b"xmlns:r")
    made = one(cutout_of(product(), xmp=other), dataclasses.replace(profile_of(), metadata="keep"))
    assert other in made.data
    assert "provenance could not be added" in made.notes[0]


def test_several_outputs_of_one_cutout_and_a_mask(tmp_path):
    profile = load_profile("transparent-web")
    made = render_outputs(cutout_of(product()), profile, stem="mug")
    assert [part.name for part in made] == ["mug.webp", "mug-thumbnail.webp"]
    assert max(made[1].width, made[1].height) == 320 or made[1].scale == 1.0
    assert decode(made[0].data).alpha is not None
    mask = one(
        cutout_of(product()),
        profile_of(kind="mask", format="png", quality=None, subsampling=None),
    )
    assert decode(mask.data).is_gray
    twice = Profile("p", (OutputSpec(name="{stem}.png"), OutputSpec(name="{stem}.{ext}")))
    with pytest.raises(OptionError, match=r"two outputs .* a\.png"):
        render_outputs(cutout_of(product()), twice, stem="a")


def test_a_set_shares_scale_and_baseline():
    low, tall = product(), np.rot90(product()).copy()
    boxes = [(60, 60, 340, 240), (60, 60, 240, 340)]
    profile = profile_of(width=300, height=300, align="bottom")
    first = one(cutout_of(low), profile, set_boxes=boxes)
    second = one(cutout_of(tall), profile, set_boxes=boxes)
    assert first.scale == second.scale
    assert abs(first.subject[2] - second.subject[2]) <= 1


def test_the_bytes_do_not_depend_on_threads_or_time():
    cutout = cutout_of(product())
    profile = load_profile("amazon-main")
    assert one(cutout, profile, threads=1).data == one(cutout, profile, threads=3).data


def test_progressive_and_enlargement_are_told():
    made = one(cutout_of(product(60, 60)), profile_of(progressive=True))
    with Image.open(io.BytesIO(made.data)) as image:
        assert image.info["progressive"]
    assert made.scale > 3
