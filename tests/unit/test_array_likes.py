"""Other libraries' arrays as pictures: anything with `__array__`, and torch tensors."""

import numpy as np
import pytest

import nssbg
from nssbg import ImageDecodeError

RNG = np.random.default_rng(8)
IMAGE = RNG.integers(0, 256, (24, 31, 3), np.uint8)


class ArrayLike:
    """What NumPy can make an array of."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class Tensor(ArrayLike):
    """As torch's tensors are: refuses to be an array before it is detached and on the CPU."""

    def __init__(self, array, steps=()):
        super().__init__(array)
        self.steps = steps

    def detach(self):
        return Tensor(self.array, (*self.steps, "detach"))

    def cpu(self):
        return Tensor(self.array, (*self.steps, "cpu"))

    def __array__(self, dtype=None, copy=None):
        if self.steps != ("detach", "cpu"):
            raise TypeError("can't convert a cuda tensor that requires grad")
        return self.array


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


@pytest.mark.parametrize("wrap", [ArrayLike, Tensor])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_result_is_that_of_the_array(wrap, dtype):
    image = IMAGE if dtype == np.uint8 else (IMAGE / np.float32(255)).astype(np.float32)
    image = (image * 65535).astype(np.uint16) if dtype == np.uint16 else image
    expected = nssbg.remove(image, model="studio")
    got = nssbg.remove(wrap(image), model="studio")
    assert type(got) is np.ndarray
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_they_are_sources_of_every_way_in(tmp_path):
    with nssbg.Remover("studio") as remover:
        assert remover.alpha(Tensor(IMAGE)).shape == IMAGE.shape[:2]
        (outcome,) = remover.map([ArrayLike(IMAGE)])
        assert outcome.error is None
        written = remover.remove(Tensor(IMAGE), tmp_path / "a.png")
    assert written.stat().st_size > 0


def test_a_tensor_is_taken_as_torch_hands_it_out():
    torch = pytest.importorskip("torch", reason="torch is not installed (group bench)")
    expected = nssbg.remove(IMAGE, model="studio")
    tensor = torch.from_numpy(IMAGE)
    np.testing.assert_array_equal(nssbg.remove(tensor, model="studio"), expected)
    learning = (tensor.to(torch.float32) / 255).requires_grad_()
    assert nssbg.remove(learning, model="studio").dtype == np.float32


def test_channels_first_are_refused_with_what_to_do():
    with pytest.raises(ImageDecodeError, match=r"channels-first, give array\.transpose\(1, 2, 0\)"):
        nssbg.remove(Tensor(IMAGE.transpose(2, 0, 1)), model="studio")


def test_what_gives_no_array_is_one_clear_error():
    with pytest.raises(ImageDecodeError, match=r"Broken gives no NumPy array \(Implicit conver"):
        nssbg.remove(Broken(), model="studio")
    with pytest.raises(ImageDecodeError, match="expected H x W"):
        nssbg.remove(ArrayLike(np.array(["a", "b"])), model="studio")
    with pytest.raises(ImageDecodeError, match="cannot read a picture from a list"):
        nssbg.remove([1, 2], model="studio")
