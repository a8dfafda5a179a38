"""Composition: exact rounding, what goes where, profiles, shadows, several outputs."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from nssbg._color.convert import converted_color, converted_image
from nssbg._color.icc_matrix import MatrixProfile, read_matrix_profile, srgb_profile
from nssbg._compose.background import (
    Gradient,
    blurred_background,
    color_from,
    over,
    over_layer,
    premultiply,
    scaled_to,
)
from nssbg._compose.canvas import Canvas, padded, placed, scaled, subject_box, trimmed
from nssbg._compose.output import Output, render
from nssbg._compose.shadow import Shadow, shadow_layer
from nssbg._errors import ImageDecodeError, OptionError
from nssbg._io import decode

DTYPES = [np.uint8, np.uint16]


def random_cutout(dtype, height=37, width=101, seed=0):
    full = np.iinfo(dtype).max
    rgba = np.random.default_rng(seed).integers(0, full + 1, (height, width, 4)).astype(dtype)
    rgba[::3, :, 3] = full
    rgba[1::3, ::2, 3] = 0
    return rgba


def disc(dtype=np.uint8, size=100, color=(200, 60, 30)):
    y, x = np.mgrid[0:size, 0:size]
    cover = np.clip(size * 0.3 - np.hypot(y - size * 0.5, x - size * 0.4) + 0.5, 0, 1)
    rgba = np.zeros((size, size, 4), dtype)
    scale = np.iinfo(dtype).max // 255
    rgba[..., :3] = np.array(color) * scale
    rgba[..., 3] = np.rint(cover * np.iinfo(dtype).max)
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def rounded(numerator, denominator):
    """numerator / denominator to the nearest integer, halves up, in exact integers."""
    return (2 * numerator + denominator) // (2 * denominator)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 3, 5, 6, 7, 64, 101])
def test_over_rounds_exactly(dtype, width, isa_level):
    rgba = random_cutout(dtype, width=width)
    full = int(np.iinfo(dtype).max)
    behind = random_cutout(dtype, width=width, seed=1)[..., :3]
    c, a, b = (p.astype(np.uint64) for p in (rgba[..., :3], rgba[..., 3:], behind))
    assert np.array_equal(over(rgba, behind), rounded(c * a + b * (full - a), full))
    color = np.array([10, 20, 255], np.uint64) * (full // 255)
    assert np.array_equal(over(rgba, (10, 20, 255)), rounded(c * a + color * (full - a), full))
    multiplied = premultiply(rgba)
    assert np.array_equal(multiplied[..., :3], rounded(c * a, full))
    assert np.array_equal(multiplied[..., 3], rgba[..., 3])


@pytest.mark.parametrize("dtype", DTYPES)
def test_layer_over_layer_is_porter_duff(dtype, isa_level):
    front, back = random_cutout(dtype), random_cutout(dtype, seed=2)
    full = int(np.iinfo(dtype).max)
    got = over_layer(front, back)
    a, b = (p[..., 3:].astype(object) for p in (front, back))
    weight = a * full + b * (full - a)
    assert np.array_equal(got[..., 3:], rounded(weight, full))
    mixed = front[..., :3].astype(object) * (a * full) + back[..., :3].astype(object) * (
        b * (full - a)
    )
    some = np.broadcast_to((weight > 0) & (a < full) & (b > 0), mixed.shape)
    assert np.array_equal(got[..., :3][some], rounded(mixed[some], np.broadcast_to(
        weight, mixed.shape)[some]))  # fmt: skip
    assert np.array_equal(got[front[..., 3] == full], front[front[..., 3] == full])


def test_opaque_over_opaque_layers_match_over():
    front, back = random_cutout(np.uint8), random_cutout(np.uint8, seed=3)
    back[..., 3] = 255
    assert np.array_equal(over_layer(front, back)[..., :3], over(front, back[..., :3].copy()))


def test_gradients_run_from_first_to_last_color():
    clear = np.zeros((50, 80, 4), np.uint8)
    across = over(clear, Gradient(("black", "white"), angle=0.0))
    assert across[0, 0].tolist() == [0, 0, 0]
    assert across[0, -1].tolist() == [255, 255, 255]
    assert (np.diff(across[25, :, 0].astype(int)) >= 0).all()
    assert (across == across[:1]).all()
    down = over(clear, Gradient(("red", "#00ff00", "blue"), angle=90.0))
    assert down[0, 0].tolist() == [255, 0, 0]
    assert down[-1, 5].tolist() == [0, 0, 255]
    radial = over(clear, Gradient(("white", "black"), radial=True))
    assert radial[25, 40].min() > 245
    assert radial[0, 0].max() <= 2
    with pytest.raises(OptionError, match="two colours"):
        Gradient(("red",))


def test_colors_are_read_in_all_ways():
    assert color_from("white") == (255, 255, 255)
    assert color_from("#f80") == (255, 136, 0)
    assert color_from([1, 2, 3]) == (1, 2, 3)
    for bad in ("whitish", (1, 2), (1, 2, 300), 7):
        with pytest.raises(OptionError, match=r"colour|color"):
            color_from(bad)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pictures_cover_or_are_contained(dtype):
    full = np.iinfo(dtype).max
    image = np.zeros((20, 60, 3), dtype)
    image[:, 20:40] = full
    covered = scaled_to(image, 40, 40)
    assert covered.shape == (40, 40, 3)
    assert covered.dtype == dtype
    assert (covered[:, 4:36] > 0.9 * full).all(), "the middle third fills the square"
    contained = scaled_to(image, 60, 60, "contain")
    assert contained[30, 30].min() > 0.95 * full
    assert contained[30, 5].max() < 0.05 * full
    assert np.abs(contained[2, 30].astype(float) - full / 3).max() <= full / 100


def test_a_background_file_may_be_missing_or_broken(tmp_path):
    with pytest.raises(ImageDecodeError, match=r"none\.png"):
        over(disc(), tmp_path / "none.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0nothing")
    with pytest.raises(ImageDecodeError, match=r"broken\.jpg"):
        over(disc(), str(tmp_path / "broken.jpg"))
    with pytest.raises(OptionError, match="background"):
        over(disc(), 7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_subject_does_not_glow_into_its_blurred_background(dtype):
    full = np.iinfo(dtype).max
    image = np.full((120, 160, 3), full // 5, dtype)
    alpha = np.zeros((120, 160), dtype)
    alpha[40:80, 50:110] = full
    image[40:80, 50:110] = full
    for radius in (0.8, 3.0, 9.0, 60.0):
        blurred = blurred_background(image, alpha, radius=radius)
        assert blurred.dtype == dtype
        assert np.abs(blurred.astype(float) - full // 5).max() <= full / 255 + 1
    with pytest.raises(OptionError, match="radius"):
        blurred_background(image, alpha, radius=0.0)


def test_blur_has_the_width_asked_for():
    image = np.zeros((400, 401, 3), np.uint16)
    image[:, 200] = 65535
    for sigma in (2.0, 6.0, 25.0):
        line = blurred_background(image, np.zeros((400, 401), np.uint16), radius=sigma)
        line = line[200, :, 0].astype(float)
        place = np.arange(401)
        mean = (line * place).sum() / line.sum()
        width = np.sqrt((line * (place - mean) ** 2).sum() / line.sum())
        assert mean == pytest.approx(200, abs=sigma / 8 + 0.1)
        assert width == pytest.approx(sigma, rel=0.1)


# Display P3 and Adobe RGB as matrix and curve, written as ICC profiles.
def matrix_profile_bytes(columns, gamma):
    """A minimal matrix-and-curve profile: three XYZ columns (D50) and one gamma."""

    def fixed(value):
        return round(value * 65536).to_bytes(4, "big", signed=True)

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(fixed(value) for value in values)

    curve = (
        b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    )
    text = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"test\0" + bytes(78)
    tags = {
        b"desc": text, b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz(columns[0]), b"gXYZ": xyz(columns[1]), b"bXYZ": xyz(columns[2]),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    offset = 128 + 4 + 12 * len(tags)
    table, body = len(tags).to_bytes(4, "big"), b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + (offset + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data
    size = offset + len(body)
    head = size.to_bytes(4, "big") + b"none" + b"\x02\x40\0\0" + b"mntrRGB XYZ " + bytes(12)
    head += b"acsp" + bytes(28) + b"".join(fixed(v) for v in (0.9642, 1.0, 0.8249)) + bytes(48)
    return head + table + body


ADOBE = matrix_profile_bytes(
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 2.2
)


def test_own_profile_arithmetic_agrees_with_littlecms():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    eight = converted_image(image, None, ADOBE)
    sixteen = converted_image(image.astype(np.uint16) * 257, None, ADOBE)
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight).max() <= 1.5
    back = converted_image(sixteen, ADOBE, None)
    assert np.abs(back / 257 - image).max() <= 0.1, "16 bits stay 16 bits, there and back"


def test_a_background_color_is_placed_into_the_profile():
    clear = np.zeros((2, 3, 4), np.uint16)
    red = over(clear, "red", icc_profile=ADOBE)[0, 0]
    # sRGB red lies at about (0.858, 0, 0) of Adobe RGB.
    assert red[0] / 65535 == pytest.approx(0.858, abs=0.004)
    assert red[1] / 65535 < 0.01
    assert over(clear, "red")[0, 0].tolist() == [65535, 0, 0]
    white = converted_color((255, 255, 255), ADOBE)
    assert white == pytest.approx((1, 1, 1), abs=2e-3)


def test_a_picture_with_its_own_profile_is_converted():
    image = Image.new("RGB", (8, 8), (219, 0, 0))
    image.info["icc_profile"] = ADOBE
    out = over(np.zeros((8, 8, 4), np.uint8), image)
    assert np.abs(out[0, 0].astype(int) - [255, 0, 0]).max() <= 2


def test_a_decoded_frame_with_its_own_profile_is_converted():
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (219, 0, 0)).save(file, "PNG", icc_profile=ADOBE)
    out = over(np.zeros((8, 8, 4), np.uint8), decode(file.getvalue()))
    assert np.abs(out[0, 0].astype(int) - [255, 0, 0]).max() <= 2


def test_srgb_profile_bytes_mean_no_conversion():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = np.random.default_rng(0).integers(0, 65536, (5, 6, 3)).astype(np.uint16)
    converted = converted_image(image, None, srgb)
    assert converted is image
    parsed = read_matrix_profile(srgb)
    assert isinstance(parsed, MatrixProfile)
    assert np.allclose(parsed.to_xyz, srgb_profile().to_xyz, atol=2e-3)


def test_a_damaged_profile_is_named():
    with pytest.raises(OptionError, match="profile"):
        over(disc(), "red", icc_profile=b"not a profile")
    assert read_matrix_profile(ADOBE[:150]) is None


def test_trim_pad_and_place():
    rgba = disc()
    top, left, bottom, right = subject_box(rgba)
    assert (bottom - top, right - left) == (61, 61) or abs(bottom - top - 60) <= 2
    cut = trimmed(rgba)
    assert cut.shape[:2] == (bottom - top, right - left)
    margins = padded(cut, (1, 2, 3, 4))
    assert margins.shape[:2] == (cut.shape[0] + 4, cut.shape[1] + 6)
    assert np.array_equal(margins[1:-3, 4:-2], cut)
    board = placed(rgba, Canvas(300, 200, fill=0.8, align="bottom"))
    assert board.shape == (200, 300, 4)
    t, le, b, r = subject_box(board, threshold=0.5)
    assert abs((b - t) - 160) <= 2
    assert abs(b - 180) <= 2, "bottom: on the margin"
    assert abs((le + r) / 2 - 150) <= 2
    small = placed(rgba, Canvas(300, 200, enlarge=False, align="top-left"))
    assert abs(subject_box(small)[2] - subject_box(small)[0] - 60) <= 2
    assert trimmed(np.zeros((4, 5, 4), np.uint8)).shape == (4, 5, 4)
    with pytest.raises(OptionError, match="padding"):
        padded(rgba, -1)
    for bad in ({"width": 0}, {"fill": 0.0}, {"align": "middle"}):
        with pytest.raises(OptionError):
            Canvas(**{"width": 10, "height": 10, **bad})


@pytest.mark.parametrize("dtype", DTYPES)
def test_scaling_bleeds_no_hidden_color(dtype):
    full = np.iinfo(dtype).max
    rgba = np.zeros((64, 64, 4), dtype)
    rgba[..., 1] = full  # green hides where alpha is 0
    rgba[16:48, 16:48] = (full, 0, 0, full)
    small = scaled(rgba, 21, 23)
    seen = small[small[..., 3] > full // 50]
    assert seen[:, 1].max() <= full // 60


@pytest.mark.parametrize("kind", ["drop", "contact"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_shadows_are_layers_of_one_color(kind, dtype):
    rgba = padded(disc(dtype), 40)
    layer = shadow_layer(rgba[..., 3], Shadow(kind, opacity=0.5, color="#102030"))
    full = np.iinfo(dtype).max
    assert layer.dtype == dtype
    assert 0.1 * full < layer[..., 3].max() <= 0.5 * full + 1
    assert np.unique(layer[layer[..., 3] > 0][:, :3], axis=0).shape == (1, 3)
    rows = np.flatnonzero(layer[..., 3].max(1) > layer[..., 3].max() // 2)
    subject = np.flatnonzero(rgba[..., 3].max(1))
    assert rows.mean() > subject.mean(), "light comes from above"
    assert shadow_layer(np.zeros((9, 9), dtype), Shadow(kind))[..., 3].max() == 0


@pytest.mark.parametrize("kind", ["drop", "contact"])
def test_trimmed_a_shadow_fades_out_within_the_box(kind):
    rgba = np.zeros((300, 400, 4), np.uint8)
    rgba[100:200, 150:250] = (200, 30, 30, 255)
    shadow = Shadow(kind, opacity=0.6)
    cut_out = render(rgba, Output(shadow=shadow, trim=True))
    alpha = cut_out[..., 3]
    for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
        assert edge[edge < 255].max(initial=0) <= 0.05 * 255, "the shadow ends hard"
    assert (cut_out[..., 3] == 255).sum() >= 90 * 90, "the subject is whole"
    assert max(cut_out.shape) < 150, "no more room than the shadow takes"
    alone = render(rgba, Output(kind="shadow", shadow=shadow, trim=True))
    assert alone.shape == cut_out.shape
    mask = render(rgba, Output(kind="mask", shadow=shadow, trim=True))
    assert mask.shape == cut_out.shape[:2]
    whole = render(rgba, Output(shadow=shadow))
    assert difference_from_middle(whole, cut_out) <= 1


def difference_from_middle(whole, part):
    """The part is the whole's own middle: nothing of the shadow depends on the trimming."""
    rows = np.flatnonzero(whole[..., 3].max(axis=1) > 0.02 * 255)
    columns = np.flatnonzero(whole[..., 3].max(axis=0) > 0.02 * 255)
    middle = whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert middle.shape == part.shape
    return int(np.abs(middle.astype(int) - part.astype(int)).max())


@pytest.mark.parametrize("kind", ["drop", "contact"])
def test_a_subject_cut_by_the_frame_gets_no_room_below_the_cut(kind):
    rgba = np.zeros((200, 200, 4), np.uint8)
    rgba[60:, 50:150] = (90, 90, 90, 255)
    shadow = Shadow(kind, opacity=1.0)
    trimmed_one = render(rgba, Output(shadow=shadow, trim=True))
    assert (trimmed_one[-1, :, 3] == 255).sum() >= 98
    empty = render(np.zeros_like(rgba), Output(shadow=shadow, trim=True))
    assert empty.shape == rgba.shape
    assert empty.max() == 0


def test_one_cutout_gives_several_outputs():
    rgba = disc(size=120)
    photograph = np.full((120, 120, 3), 90, np.uint8)
    white = render(rgba, Output(background="white", shadow=Shadow()))
    assert white.shape == (120, 120, 3)
    assert white[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(render(rgba, Output(kind="mask")), rgba[..., 3])
    assert max(render(rgba, Output(longest_side=32)).shape) == 32
    board = render(rgba, Output(canvas=Canvas(200, 100), padding=5, background="#222222"))
    assert board.shape == (110, 210, 3)
    assert render(rgba, Output(trim=True)).shape[0] < 120
    assert np.array_equal(render(rgba, Output(premultiplied=True)), premultiply(rgba))
    blurred = render(rgba, Output(blur_original=4.0), image=photograph)
    assert blurred[0, 0].tolist() == [90, 90, 90]
    given = np.zeros_like(rgba)
    given[100:110, 20:90, 3] = 128
    both = render(rgba, Output(shadow=given))
    assert both[105, 50].tolist() == [0, 0, 0, 128]
    framed = render(rgba, Output(shadow=given, trim=True))
    assert framed.shape[0] > trimmed(rgba).shape[0], "the box holds subject and shadow"
    assert render(rgba, Output(kind="shadow", shadow=Shadow("contact"))).shape == rgba.shape
    for bad in ({"kind": "shadow"}, {"kind": "x"}, {"blur_original": 3.0, "trim": True}):
        with pytest.raises(OptionError):
            Output(**bad)
    with pytest.raises(OptionError, match="photograph"):
        render(rgba, Output(blur_original=3.0))
    with pytest.raises(OptionError, match="shadow layer"):
        render(rgba, Output(shadow=given[:50]))


def test_results_can_be_written_and_read(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(over(disc(), "white")).save(stream, "PNG")
    assert np.array_equal(np.asarray(Image.open(stream)), over(disc(), "white"))
