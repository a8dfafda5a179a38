"""Pictures that many tests share, drawn here so that no file is needed."""

import io
import os
import signal

import pytest
from drawn_pictures import drawn_product
from hypothesis import settings
from PIL import Image

from nssbg import _core

# A shell that starts the tests in the background has them ignore Ctrl-C, and what is ignored is
# ignored by every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run: a failure in CI replays anywhere. NSSBG_EXPLORE=1 draws anew.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("NSSBG_EXPLORE") else "fixed")


@pytest.fixture(scope="session")
def product():
    """H x W x 3 uint8 and its exact alpha."""
    return drawn_product()


@pytest.fixture(scope="session")
def product_jpeg(product):
    """The product as JPEG bytes."""
    stream = io.BytesIO()
    Image.fromarray(product[0]).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture
def product_path(product_jpeg, tmp_path):
    """The product as a JPEG file."""
    path = tmp_path / "product.jpg"
    path.write_bytes(product_jpeg)
    return path


@pytest.fixture(params=_core.isa_levels())
def isa_level(request):
    """Runs the test at every ISA level of this machine."""
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)
