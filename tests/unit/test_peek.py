"""Sizes read ahead of decoding."""

import io

import numpy as np
import pytest
from PIL import Image

from nssbg._io import peek_size


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_size_of_bytes_paths_and_streams(format, tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (37, 21), (9, 90, 200)).save(stream, format)
    data = stream.getvalue()
    path = tmp_path / "picture"
    path.write_bytes(data)
    stream.seek(5)
    for source in (data, path, str(path), io.BytesIO(data)):
        assert peek_size(source) == (21, 37, 1)
    # A file object is put back where it was.
    stream.seek(0)
    peek_size(stream)
    assert stream.tell() == 0


def test_size_of_arrays_and_pil():
    assert peek_size(np.zeros((5, 7, 3), np.uint8)) == (5, 7, 1)
    assert peek_size(np.zeros((5, 7), np.uint16)) == (5, 7, 2)
    assert peek_size(Image.new("L", (7, 5))) == (5, 7, 1)


def test_what_cannot_be_told_is_none(tmp_path):
    assert peek_size(b"no picture") is None
    assert peek_size(tmp_path / "missing.jpg") is None
    assert peek_size(np.zeros(3)) is None
