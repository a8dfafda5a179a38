"""Catalogs of small drawn products, runs of the command over them, and what must hold then."""

import hashlib
import io
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from nssbg.batch.manifest import read_manifest
from nssbg.batch.reporting import REPORT_NAMES

# The quickest method: faults are about files, not about alphas.
FAST = ("--model", "studio", "--effort", "fast")


def product_bytes(seed: int, *, side: int = 160) -> bytes:
    """A JPEG of one coloured disc on a light backdrop; each seed another."""
    draw = random.Random(seed)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    away = np.hypot(y - side / 2, x - side / 2)
    alpha = np.clip(side * draw.uniform(0.25, 0.35) - away + 0.5, 0, 1)[..., None]
    color = np.float32([draw.randint(0, 160) for _ in range(3)])
    noise = np.random.default_rng(seed).normal(0, 1, (side, side, 3))
    rgb = np.clip(color * alpha + 232 * (1 - alpha) + noise, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=92)
    return stream.getvalue()


def catalog(folder: Path, count: int) -> list[str]:
    """Write pictures into a tree of folders; their names relative to it, without suffix."""
    names = []
    for number in range(count):
        name = f"{'abc'[number % 3]}/{number // 3 % 4}/{number:04}"
        path = folder / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(product_bytes(number))
        names.append(name)
    return sorted(names)


def start(*arguments, **options) -> subprocess.Popen:
    """Start `nssbg batch` with the quickest method."""
    code = "from nssbg.cli.entry import command; command()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "batch", *map(str, arguments), *FAST],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(*arguments, timeout: float = 120, **options) -> subprocess.CompletedProcess:
    """Run `nssbg batch` to its end."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def events(text: str, kind: str = "row") -> list[dict]:
    """The JSON events of one kind."""
    return [made for line in text.splitlines() if (made := json.loads(line))["event"] == kind]


def check_whole(out: Path, names: list[str], *, suffix: str = ".png") -> None:
    """Each picture has its output, whole, once in the manifest; and nothing else lies there."""
    entries, unfinished = read_manifest(out / ".nssbg")
    assert unfinished == 0
    assert sorted(e.row.output.removesuffix(suffix) for e in entries) == names
    assert {entry.row.status for entry in entries} == {"done"}
    for entry in entries:
        data = (out / entry.row.output).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.row.output_sha256
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    there = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    outside = {name for name in there if not name.startswith(".nssbg/")} - set(REPORT_NAMES)
    assert outside == {name + suffix for name in names}
    assert not [name for name in there if name.endswith(".part")]


def completions(out: Path) -> Counter:
    """How often each unit was filed as done, over all runs."""
    counts: Counter = Counter()
    for line in (out / ".nssbg/journal.jsonl").read_bytes().split(b"\n"):
        try:
            made = json.loads(line)
        except ValueError:
            continue
        if made["row"]["status"] == "done":
            counts[made["identity"]] += 1
    return counts
