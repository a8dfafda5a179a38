"""Damaged files leave no line of a library on stderr or in a log; a host's own reading does."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("tifffile")

DAMAGED = """
import io, logging, sys, threading
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from nssbg import ImageDecodeError
from nssbg._io import decode
from nssbg._io import encode
logging.basicConfig(level=logging.WARNING)
pixels = np.random.default_rng(3).integers(0, 255, (60, 80, 3), dtype=np.uint8)
seeds = [encode(pixels.astype(np.uint16) * 257, format="tiff")]
for way in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert("1") if way == "group4" else image).save(file, "TIFF", compression=way)
    seeds.append(file.getvalue())
generator = np.random.default_rng(5)
def damaged(data):
    changed = bytearray(data)
    for _ in range(3):
        end = len(changed)
        place = int(generator.integers(0, end) if generator.random() < 0.5
                    else generator.choice([*range(min(300, end)), *range(end - 300, end)]))
        changed[place] = int(generator.integers(0, 256))
    return bytes(changed)
"""


def lines_of(code: str) -> tuple[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", DAMAGED + code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


def test_damaged_tiffs_are_silent():
    said, lines = lines_of("""
errors = 0
for number in range(60):
    for seed in seeds:
        try: decode(damaged(seed))
        except ImageDecodeError: errors += 1
print(errors)
""")
    assert int(said) > 50
    assert lines == []


@pytest.mark.skipif(sys.platform != "linux", reason="libtiff is found through /proc")
def test_a_hosts_own_reading_speaks_as_before():
    """Before, between and beside our reading; Pillow's warnings are its own affair."""
    _, lines = lines_of("""
lzw = bytearray(seeds[2])
lzw[200:240] = bytes(range(200, 240))
def own():
    try: TiffImageFile(io.BytesIO(bytes(lzw))).load()
    except Exception: pass
    logging.getLogger("PIL.TiffImagePlugin").error("the host's own")
own()
def ours():
    try: decode(bytes(lzw))
    except ImageDecodeError: print("refused")
ours()
own()
begun, done = threading.Event(), threading.Event()
class Slow(io.RawIOBase):
    def __init__(self): self.file = io.BytesIO(bytes(lzw))
    def read(self, size=-1):
        begun.set()
        done.wait(30)
        return self.file.read(size)
def beside():
    try: decode(Slow())
    except ImageDecodeError: pass
thread = threading.Thread(target=beside)
thread.start()
begun.wait(30)
own()
done.set()
thread.join()
""")
    assert sum("the host's own" in line for line in lines) == 3
    libtiffs = [line for line in lines if "the host's own" not in line]
    assert len(libtiffs) >= 3
    assert len(libtiffs) % 3 == 0
