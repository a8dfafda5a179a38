"""Pictures that many tests share, drawn here so that no file is needed."""

import io
import os
import signal

import numpy as np
import pytest
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


def drawn_product(height=300, width=400, *, dtype=np.uint8):
    """A shaded red disc on a light graded backdrop, and its exact alpha (float32)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre_y, centre_x, radius = height / 2, width / 2, min(height, width) * 0.32
    distance = np.hypot(y - centre_y, x - centre_x)
    alpha = np.clip(radius - distance + 0.5, 0, 1)[..., None]
    backdrop = np.stack([225 - 15 * y / height, 226 - 15 * y / height, 230 - 15 * y / height], -1)
    shade = np.clip(1.1 - distance / radius * 0.5, 0, 1)[..., None]
    product = np.float32([190, 40, 50]) * shade
    noise = np.random.default_rng(7).normal(0, 1.0, backdrop.shape)
    rgb = product * alpha + backdrop * (1 - alpha) + noise
    rgb = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    if dtype == np.uint16:
        rgb = rgb.astype(np.uint16) * 257
    return rgb, alpha[..., 0]


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
