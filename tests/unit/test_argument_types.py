"""Arguments of a wrong type: one OptionError that names the argument, whatever was handed in."""

from __future__ import annotations

import numpy as np
import pytest

import nssbg
from nssbg import ImageDecodeError, ImageEncodeError, OptionError
from nssbg._io import decode, encode

STRANGE = [np.array(["fast"]), np.zeros((400, 400)), 3, None, ["auto"], b"auto", float("nan")]


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", ["effort", "refine", "decontaminate", "matte"])
def test_choices(name, value, product):
    with pytest.raises(OptionError, match=name) as caught:
        nssbg.remove(product[0], model="studio", **{name: value})
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", ["model", "device", "backend"])
def test_names(name, value, product):
    with pytest.raises(OptionError, match=name):
        nssbg.Remover(**{name: value})
    with pytest.raises(OptionError, match=name):
        nssbg.remove(product[0], **{name: value})


@pytest.mark.parametrize("value", ["4", 1.5, True, np.ones(3), [], float("nan")])
@pytest.mark.parametrize("name", ["threads", "max_pixels", "max_memory"])
def test_numbers(name, value):
    with pytest.raises(OptionError, match=name):
        nssbg.Remover("studio", **{name: value})


@pytest.mark.parametrize("value", ["1", np.ones(3), None, float("nan"), 1.01])
def test_strength(value, product):
    with pytest.raises(OptionError, match="strength"):
        nssbg.remove(product[0], model="studio", strength=value)


def test_null_characters(product, tmp_path):
    with pytest.raises(ImageDecodeError, match="null"):
        nssbg.remove("a\0b.png", model="studio")
    with pytest.raises(ImageEncodeError, match="null"):
        nssbg.remove(product[0], "a\0b.png", model="studio")
    with pytest.raises(OptionError, match="null"):
        nssbg.Remover("a\0b.onnx")
    path = tmp_path / "a.png"
    path.write_bytes(encode(product[0]))
    with pytest.raises(ImageEncodeError, match="null"):
        nssbg.remove(path, str(tmp_path / "a\0b.png"), model="studio")


@pytest.mark.parametrize("order", ["<", ">", "="])
@pytest.mark.parametrize("kind", ["u1", "u2", "f2", "f4", "f8"])
def test_arrays_of_either_byte_order(order, kind):
    native = (np.random.default_rng(1).random((9, 11, 4)) * (1 if kind[0] == "f" else 255)).astype(
        kind
    )
    frame, expected = decode(native.astype(order + kind)), decode(native)
    assert frame.rgb.dtype.isnative
    np.testing.assert_array_equal(frame.rgb, expected.rgb)
    np.testing.assert_array_equal(frame.alpha, expected.alpha)
