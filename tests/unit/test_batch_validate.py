"""The validator: for each demand a file that meets it and one that does not."""

import dataclasses
import io
import json

import numpy as np
import pytest
from batch_pictures import adobe_like_profile, cutout_of, exif_with_everything, product, profile_of
from PIL import Image, ImageCms

from nssbg.batch.blocks import block_alpha, block_distance, sorted_blocks
from nssbg.batch.output import render_outputs
from nssbg.batch.profile import Profile, Requirements, list_profiles, load_profile
from nssbg.batch.validate import validate, validate_rendered
from nssbg.cli.main import main

WHITE = Requirements(
    background="#ffffff",
    exact_background=True,
    least_fill=0.85,
    whole_subject=True,
    transparency="forbidden",
)


def demanding(**changes):
    return Profile("p", profile_of().outputs, require=dataclasses.replace(WHITE, **changes))


def image(size=400, share=0.9, level=255):
    """A textured ellipse that takes a share of the height, on a plain background."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    away = np.hypot((y - size / 2) / (size * share / 2), (x - size / 2) / (size * 0.3))
    cover = np.clip(0.5 - (away - 1) * size * 0.3, 0, 1)[..., None]
    inside = np.stack([120 + 60 * np.sin(x / 5), 70 + 40 * np.sin(y / 7), 40 + 0 * x], -1)
    return np.rint(inside * cover + level * (1 - cover)).astype(np.uint8)


def saved(pixels, format="PNG", **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def failed(data, profile=None, **options):
    return {check.name for check in validate(data, profile or demanding(), **options).failures}


@pytest.mark.parametrize(
    "options", [("PNG", {}), ("TIFF", {}), ("BMP", {}), ("WEBP", {"lossless": True})]
)
def test_a_good_lossless_file_passes(options):
    result = validate(saved(image(), options[0], **options[1]), demanding())
    assert result.passed, result.failures
    assert abs(result.fill - 0.9) <= 0.006


@pytest.mark.parametrize("quality", [60, 75, 85, 92, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_ringing_within_the_subjects_blocks_is_no_fault(quality, subsampling):
    data = saved(image(), "JPEG", quality=quality, subsampling=subsampling)
    result = validate(data, demanding())
    assert result.passed, result.failures
    assert abs(result.fill - 0.9) <= 0.02


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_turned_jpeg_of_odd_size_is_measured_by_the_blocks_it_was_coded_by(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.ascontiguousarray(image(404)[:, 1:])
    data = saved(pixels, "JPEG", quality=75, subsampling=0, exif=exif)
    assert failed(data, demanding(least_fill=None)) == set()


def test_a_background_one_level_off_is_found_everywhere():
    assert failed(saved(image(level=254))) == {"background"}
    assert failed(saved(image(level=254), "JPEG", quality=95)) == {"background"}
    assert failed(saved(image(level=254)), demanding(exact_background=False)) == set()


@pytest.mark.parametrize("place", [(3, 3), (200, 395), (396, 8)])
@pytest.mark.parametrize("level", [254, 200, 0])
def test_one_pixel_of_dirt_is_found_and_named(place, level):
    pixels = image(1600)
    place = (place[0] * 4, place[1] * 4)
    pixels[place] = level
    result = validate(saved(pixels), demanding())
    assert [check.name for check in result.failures] == ["background"]
    assert f"row {place[0]}, column {place[1]}" in result.failures[0].found
    assert f"1 pixels off by up to {255 - level}" in result.failures[0].found


def test_a_shadow_and_a_graded_backdrop_are_found():
    shadow = image()
    shadow[385:399, 60:340] = np.minimum(shadow[385:399, 60:340], 250)
    assert failed(saved(shadow)) == {"background"}
    graded = image().astype(int) - (np.arange(400) // 100)[:, None, None]
    assert "background" in failed(saved(graded.clip(0, 255).astype(np.uint8)))


def test_a_faint_halo_a_block_away_is_background():
    pixels = image()
    pixels[20:380, 60:62] = 251
    assert failed(saved(pixels)) == {"background"}


def test_a_white_part_that_the_subject_encloses_is_no_background():
    pixels = image()
    pixels[150:250, 150:250] = 252
    assert failed(saved(pixels)) == set()


def test_fill_is_measured_in_the_limiting_direction():
    assert failed(saved(image(share=0.83))) == {"fill"}
    assert failed(saved(image(share=0.86))) == set()
    assert failed(saved(image(share=0.95)), demanding(most_fill=0.9)) == {"fill"}
    wide = np.ascontiguousarray(image(share=0.9).transpose(1, 0, 2))
    assert failed(saved(wide)) == set()


def test_a_subject_that_the_frame_cuts():
    assert failed(saved(np.ascontiguousarray(image()[30:]))) == {"whole"}
    assert failed(saved(np.ascontiguousarray(image()[:, 100:]))) == {"whole"}


def test_a_blank_picture_fails():
    for data in (saved(np.full((99, 99, 3), 255, np.uint8)), saved(np.zeros((9, 9, 4), np.uint8))):
        names = failed(data, Profile("p", profile_of().outputs))
        assert names == {"subject"}


def test_a_photograph_without_a_plain_background_fails():
    noise = np.random.default_rng(1).integers(0, 256, (80, 80, 3), np.uint8)
    assert {"subject", "background"} <= failed(saved(noise))


def test_transparency():
    rgba = np.dstack([image(), 255 - image()[..., 2]])
    data = saved(np.ascontiguousarray(rgba))
    assert {"transparency", "background"} <= failed(data)
    free = Profile("p", profile_of().outputs, require=Requirements(transparency="required"))
    assert failed(data, free) == set()
    assert failed(saved(image()), free) == {"transparency"}
    opaque = np.dstack([image(), np.full((400, 400), 255, np.uint8)])
    assert failed(saved(np.ascontiguousarray(opaque))) == set()


def test_sizes_bytes_and_formats():
    data = saved(image())
    for demand, name in (
        ({"least_short_side": 401}, "size"),
        ({"least_long_side": 401}, "size"),
        ({"most_long_side": 399}, "size"),
        ({"most_pixels": 159_999}, "size"),
        ({"max_bytes": len(data) - 1}, "bytes"),
        ({"formats": ("jpeg", "tiff")}, "format"),
    ):
        assert failed(data, demanding(**demand)) == {name}
    met = demanding(
        least_short_side=400,
        most_long_side=400,
        most_pixels=160_000,
        max_bytes=len(data),
        formats=("png",),
    )
    assert failed(data, met) == set()
    assert failed(data, met, name="a.jpg") == {"format"}
    assert failed(data, met, name="a.PNG") == set()


def test_color_spaces():
    only = demanding(color_spaces=("srgb",))
    assert failed(saved(image()), only) == set()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert failed(saved(image(), icc_profile=srgb), only) == set()
    assert failed(saved(image(), icc_profile=adobe_like_profile()), only) == {"color space"}
    gray = Image.fromarray(image()).convert("L")
    assert failed(saved(gray), only) == {"color space"}
    cmyk = Image.fromarray(image()).convert("CMYK")
    assert "color space" in failed(saved(cmyk, "JPEG"), only)
    assert "color space" not in failed(saved(cmyk, "JPEG"), demanding(color_spaces=("cmyk",)))


def test_personal_data():
    none = demanding(no_location=True)
    assert failed(saved(image(), "JPEG", quality=95), none) == set()
    exif = b"Exif\0\0" + exif_with_everything()
    data = saved(image(), "JPEG", quality=95, exif=exif)
    result = validate(data, none)
    assert {check.name for check in result.failures} == {"personal data"}
    assert "GPS" in result.failures[0].found
    assert "serial" in result.failures[0].found


def test_sixteen_bits_are_measured():
    from nssbg._io import encode

    deep = image().astype(np.uint16) * 257
    assert failed(encode(deep, format="png")) == set()
    deep[5, 5] = 65534
    assert failed(encode(deep, format="png")) == {"background"}


def test_what_cannot_be_read_fails_and_is_named(tmp_path):
    data = saved(image(), "JPEG")
    for name, content in (
        ("cut.jpg", data[: len(data) // 3]),
        ("text.jpg", b"hello"),
        ("empty.jpg", b""),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.jpg").mkdir()
    for name in ("cut.jpg", "text.jpg", "empty.jpg", "folder.jpg", "missing.jpg"):
        result = validate(tmp_path / name, demanding())
        assert [check.name for check in result.failures] == ["readable"]
        assert name in result.failures[0].found


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda profile: profile.name)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_every_shipped_profile_makes_passes_its_own_checks(profile, dtype):
    cutout = cutout_of(product(1200, 900, dtype=dtype), exif=exif_with_everything())
    for made in render_outputs(cutout, profile, stem="a"):
        if not made.spec.checked:
            continue
        full = validate(made.data, profile, name=made.name)
        quick = validate_rendered(made, profile)
        assert full.passed, full.failures
        assert quick.passed, quick.failures
        assert abs(full.fill - quick.fill) <= 0.01


def test_a_transparent_output_that_is_opaque_everywhere_is_not_transparent():
    rgba = np.full((60, 50, 4), 255, np.uint8)
    rgba[..., :3] = (120, 60, 30)
    made = profile_of(
        format="png", quality=None, subsampling=None, background=None, exact_background=False,
        width=None, height=None,
    )  # fmt: skip
    profile = dataclasses.replace(made, require=Requirements(transparency="required"))
    (opaque,) = render_outputs(cutout_of(rgba), profile, stem="a")
    assert "transparency" in {check.name for check in validate_rendered(opaque, profile).failures}
    rgba[30, 20] = 0
    (open_,) = render_outputs(cutout_of(rgba), profile, stem="a")
    assert validate_rendered(open_, profile).passed


def test_faint_remnants_far_from_the_subject_are_cleared_where_white_has_to_be_exact():
    rgba = product(1200, 900)
    rgba[30:60, 40:400] = (20, 20, 20, 9)  # what is left of a shadow: 8 levels at most
    rgba[600, 20] = (0, 0, 0, 13)
    profile = load_profile("amazon-main")
    (made,) = render_outputs(cutout_of(rgba), profile, stem="a")
    assert validate(made.data, profile).passed


def test_the_check_within_a_run_finds_what_is_wrong():
    profile = Profile("p", profile_of().outputs, require=WHITE)
    (made,) = render_outputs(cutout_of(product()), profile, stem="a")
    assert validate_rendered(made, profile).passed
    dirty = made.pixels.copy()
    dirty[4, 4] = 254
    cut = dataclasses.replace(made, data=made.data[:10])
    other = dataclasses.replace(made, data=saved(image(), "JPEG"))
    for wrong, name in (
        (dataclasses.replace(made, pixels=dirty), "background"),
        (cut, "readable"),
        (other, "as rendered"),
    ):
        assert {check.name for check in validate_rendered(wrong, profile).failures} == {name}
    speck = product()
    speck[5:9, 5:9] = (10, 10, 10, 255)
    (made,) = render_outputs(cutout_of(speck), profile, stem="a")
    assert not validate_rendered(made, profile).passed


@pytest.mark.parametrize("shape", [(64, 64), (61, 70), (7, 9), (8, 200)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blocks_agree_with_a_plain_loop(shape, dtype):
    random = np.random.default_rng(4)
    full = np.iinfo(dtype).max
    rgba = random.integers(0, full, (*shape, 4), dtype, endpoint=True)
    rgba[: shape[0] // 2] = full
    color = (255, 250, 3)
    far, cover = block_distance(rgba[..., :3], color), block_alpha(rgba)
    levels = np.array(color) * (full // 255)
    for row in range(far.shape[0]):
        for column in range(far.shape[1]):
            part = rgba[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].astype(int)
            assert far[row, column] == -(-np.abs(part[..., :3] - levels).max() // (full // 255))
            assert cover[row, column] == part[..., 3].max()


def test_blocks_are_sorted_as_their_rules_say():
    far = np.zeros((40, 40), np.uint8)
    far[10:20, 10:20] = 90  # the subject
    far[14:17, 14:17] = 0  # and a hole in it
    far[2, 2] = 200
    blocks = sorted_blocks(far, stray=0.02)
    assert blocks.strays == 1
    assert not blocks.subject[2, 2]
    assert blocks.background[2, 2]
    assert not blocks.background[15, 15]
    assert not blocks.background[9, 9]
    assert blocks.background[8, 8]
    assert sorted_blocks(far, reach=2, stray=0.02).background[8, 8] == np.False_
    held = np.zeros_like(far, bool)
    held[2, 2] = True
    assert sorted_blocks(far, held=held, keep_held=True, stray=0.02).subject[2, 2]


def test_the_command_tells_and_exits_8_where_some_fail(tmp_path, capsys):
    good, bad = tmp_path / "good.png", tmp_path / "bad\n.png"
    good.write_bytes(saved(image(1200)))
    bad.write_bytes(saved(image(1200, share=0.7)))
    assert main(["validate", str(good), "--profile", "amazon-main"]) == 0
    assert "pass" in capsys.readouterr().out
    assert main(["validate", str(good), str(bad), "--profile", "amazon-main"]) == 8
    told = capsys.readouterr().out
    assert "bad\\n.png" in told
    assert "fill: 70.2%; expected at least 85%" in told
    assert "1 of 2 pass amazon-main" in told
    assert main(["validate", str(bad), "--profile", "amazon-main", "--json"]) == 8
    record = json.loads(capsys.readouterr().out)
    assert record["passed"] is False
    assert record["file"] == str(bad)
    assert {check["name"] for check in record["checks"] if not check["passed"]} == {"fill"}
    assert main(["validate", str(good), "--profile", "amazn-main"]) == 2
    assert "did you mean 'amazon-main'" in capsys.readouterr().err


def test_the_command_lists_and_shows_profiles(capsys):
    assert main(["profiles"]) == 0
    assert "google-merchant  Google" in capsys.readouterr().out
    assert main(["profiles", "amazon-main"]) == 0
    assert "RGB 255, 255, 255" in capsys.readouterr().out
    assert main(["profiles", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "amazon-main"


def test_a_png_header_is_read_without_decoding_pixels(monkeypatch):
    """Unless what is asked for can lie behind them."""
    from PIL import Image, PngImagePlugin

    from nssbg.batch.readback import read_header

    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "PNG", exif=exif)
    before = stream.getvalue()
    # The same chunk, moved behind the pixels.
    start = before.index(b"eXIf") - 4
    length = 12 + int.from_bytes(before[start : start + 4], "big")
    chunk = before[start : start + length]
    end = before.index(b"IEND") - 4
    late = before[:start] + before[start + length : end] + chunk + before[end:]
    plain = before[:start] + before[start + length :]
    assert read_header(late, "late.png").personal == read_header(before, "x.png").personal != ()
    loads = []
    real = PngImagePlugin.PngImageFile.load
    monkeypatch.setattr(
        PngImagePlugin.PngImageFile, "load", lambda self: (loads.append(1), real(self))[1]
    )
    assert read_header(before, "x.png").personal != ()
    assert read_header(plain, "x.png").personal == ()
    assert loads == []
    read_header(late, "late.png")
    assert loads
