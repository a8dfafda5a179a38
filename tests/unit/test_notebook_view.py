"""What a notebook shows of a cut-out: small, on a checkerboard, in the picture's own colours."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

import nssbg


def picture(height, width, dtype=np.uint8):
    """A dark square in the middle of a light plane."""
    image = np.full((height, width, 3), 235, dtype)
    image[height // 4 : -height // 4, width // 4 : -width // 4] = (160, 30, 40)
    return image


def shown(cutout):
    return Image.open(io.BytesIO(cutout._repr_png_()))


def test_the_board_shows_where_the_background_was():
    view = np.asarray(shown(nssbg.Remover("studio").cutout(picture(60, 80))))
    assert view.shape == (60, 80, 3)
    assert view[0, 0].tolist() == [255] * 3
    assert view[0, 10].tolist() == view[10, 0].tolist() == [204] * 3
    assert view[30, 40].tolist() == [160, 30, 40]


@pytest.mark.parametrize(
    ("size", "expected"), [((900, 1800), (640, 320)), ((1300, 650), (320, 640))]
)
def test_it_is_640_pixels_a_side_at_most(size, expected):
    cutout = nssbg.Remover("studio").cutout(picture(*size))
    assert shown(cutout).size == expected
    assert cutout.rgba.shape[:2] == size


def test_sixteen_bits_come_down_and_the_profile_goes_along():
    deep = picture(60, 80).astype(np.uint16) * 257
    view = np.asarray(shown(nssbg.Remover("studio").cutout(deep)))
    assert (view.dtype, view[30, 40].tolist()) == (np.uint8, [160, 30, 40])
    image = Image.fromarray(picture(60, 80))
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert shown(nssbg.Remover("studio").cutout(image)).info["icc_profile"]


def test_its_text_has_no_pixels():
    text = repr(nssbg.Remover("studio").cutout(picture(60, 80)))
    assert text.startswith("<Cutout of <array>: 80 x 60, studio on CPU, confidence ")
    assert len(text) < 100
