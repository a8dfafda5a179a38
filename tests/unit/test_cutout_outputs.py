"""One cut-out, several results: what `Cutout.render`, `encode` and `save` make of an Output."""

import io

import numpy as np
import pytest
from PIL import Image

import nssbg


@pytest.fixture(scope="module")
def cutout(product):
    with nssbg.Remover("studio") as remover:
        return remover.cutout(product[0])


def test_one_decode_gives_mask_white_picture_and_thumbnail(cutout, tmp_path):
    mask = cutout.render(nssbg.Output(kind="mask"))
    assert np.array_equal(mask, cutout.alpha)
    thumbnail = cutout.render(nssbg.Output(trim=True, longest_side=64))
    assert max(thumbnail.shape[:2]) == 64
    target = cutout.save(tmp_path / "white.jpg", output=nssbg.Output(background="white"))
    with Image.open(io.BytesIO(target.read_bytes())) as white:
        assert np.asarray(white)[1, 1].tolist() == [255, 255, 255]


def test_a_canvas_has_its_size_and_keeps_the_profile(cutout):
    canvas = nssbg.Canvas(height=200, width=500)
    data = cutout.encode("png", output=nssbg.Output(canvas=canvas))
    assert Image.open(io.BytesIO(data)).size == (500, 200)


def test_premultiplied_is_named_in_tiff_and_refused_where_it_cannot_be(cutout):
    data = cutout.encode("tiff", output=nssbg.Output(premultiplied=True))
    with Image.open(io.BytesIO(data)) as image:
        assert image.tag_v2[338] == (1,)  # ExtraSamples: associated alpha
    with pytest.raises(nssbg.NssbgError, match="premultiplied"):
        cutout.encode("png", output=nssbg.Output(premultiplied=True))


def test_background_and_output_together_are_refused(cutout):
    with pytest.raises(nssbg.OptionError, match="not both"):
        cutout.encode(background="white", output=nssbg.Output())


def test_a_canvas_takes_shares_as_words(cutout):
    def rendered(align, **more):
        return cutout.render(nssbg.Output(canvas=nssbg.Canvas(300, 200, align=align, **more)))

    assert np.array_equal(rendered("bottom-left"), rendered((1.0, 0.0)))
    assert np.array_equal(rendered("center"), rendered((0.5, 0.5)))
    alphas = [rendered((0.0, share), fill=1.0, scale=0.3)[..., 3] for share in (0.0, 0.25, 1.0)]
    firsts = [int(np.flatnonzero(alpha.max(axis=0) > 127)[0]) for alpha in alphas]
    assert firsts[0] <= 1
    assert abs(firsts[1] - firsts[2] / 4) <= 2
    for align in ((0.5,), (0.5, 1.5), (float("nan"), 0.0), "middle"):
        with pytest.raises(nssbg.OptionError, match="two shares"):
            nssbg.Canvas(10, 10, align=align)


def test_a_colour_beyond_every_number_is_no_colour(cutout):
    with pytest.raises(nssbg.OptionError, match="unknown colour"):
        cutout.over((float("inf"), 0, 0))
