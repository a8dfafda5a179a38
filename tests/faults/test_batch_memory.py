"""A batch's memory: one very large picture among small ones, under --max-memory."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from batch_catalog import FAST, catalog, check_whole
from PIL import Image

# The long form (make test-faults) has a picture of 200 megapixels, make test one of 24.
LONG = os.environ.get("NSSBG_FAULTS") == "long"
HEIGHT, WIDTH = (11_590, 17_250) if LONG else (4_000, 6_000)
MEGABYTES = 3_000 if LONG else 400

# Runs the command in this process, then prints the most memory that it had.
CODE = """
import os, resource, sys
from nssbg.cli.main import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def peak(out, source, *options):
    """The most resident memory of `nssbg batch`, in MB, and its exit code."""
    made = subprocess.run(
        [sys.executable, "-c", CODE, "batch", str(source), str(out), *FAST, "--no-report",
         "--quiet", "--threads", "3", *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return int(made.stderr.split()[-1]) * (1 if sys.platform != "darwin" else 1 / 1024) / 1024


@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="the system tells no peak")
def test_a_very_large_picture_among_small_ones_stays_within_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    names = catalog(tmp_path / "in", 12)
    small = peak(tmp_path / "small", tmp_path / "in")
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    large = np.full((HEIGHT, WIDTH, 3), 232, np.uint8)
    large[(y - HEIGHT / 2) ** 2 + (x - WIDTH / 2) ** 2 < (HEIGHT / 3) ** 2] = (90, 40, 30)
    # Three of them: alone they fit the bound, two together do not.
    for name in ("a/0/large", "b/0/large", "c/0/large"):
        Image.fromarray(large).save(tmp_path / "in" / f"{name}.jpg", quality=90)
        names.append(name)
    del large
    most = peak(tmp_path / "out", tmp_path / "in", "--max-memory", str(MEGABYTES))
    check_whole(tmp_path / "out", sorted(names))
    print(f"{small:.0f} MB over small pictures, {most:.0f} MB with the large ones")
    assert most - small < MEGABYTES
