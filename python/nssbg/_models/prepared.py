"""The graph as it is run: the published file, or a copy of it with fused operations.

Public BiRefNet exports carry deformable convolution as gathers and products. Such a file is
rewritten once, when it is pulled or first opened (passes/deform_conv.py), checked, and kept
beside the compiled networks. The published file is never changed.
"""

from __future__ import annotations

import logging
import mmap
import os
import time
from dataclasses import replace
from pathlib import Path

from nssbg import _fs
from nssbg._errors import ModelError
from nssbg._installed import installed, not_installed
from nssbg._json_store import read_json, write_json
from nssbg._models.fingerprint import contents_checksum, weights_fingerprint
from nssbg._models.onnx_header import may_hold_deform_conv, read_header
from nssbg._models.paths import compiled_folder
from nssbg._models.sidecar import ModelDescription

__all__ = ["left_in_pieces", "prepared"]

log = logging.getLogger("nssbg")

# Counted up when the passes change, so that older copies are made again.
_PASSES = 3


def _contents(path: Path) -> str:
    """The file's checksum; "" where it cannot be read. A gigabyte takes 0.3 s."""
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return contents_checksum(data)
    except (OSError, ValueError):
        return ""


# The first writes the graph, the second runs old and new against each other.
_NEEDED = ("onnx", "onnxruntime")


def _in_pieces(missing: list[str]) -> str:
    return (
        "deformable convolution runs in pieces, which takes twice the time and several times "
        f"the memory: {not_installed(*missing)}"
    )


def left_in_pieces(model: ModelDescription, *, folder: Path | None = None) -> str:
    """What `prepared` left undone for want of a package, or "".

    Args:
        model: As `prepared` returned it.
        folder: As `prepared` took it.
    """
    if model.path is None or model.path.suffix != ".onnx":
        return ""
    missing = [name for name in _NEEDED if not installed(name)]
    if not missing or not may_hold_deform_conv(read_header(model.path).operators):
        return ""
    place = compiled_folder() if folder is None else folder
    looked_at = _kept(model, model.path, place)[1].is_file()
    return "" if looked_at else _in_pieces(missing)


def _kept(model: ModelDescription, path: Path, place: Path) -> tuple[Path, Path]:
    """Where the rewritten graph is kept, and the note that says what was found in it."""
    stem = place / f"fused{_PASSES}-{model.name}-{weights_fingerprint(path)}"
    return Path(f"{stem}.onnx"), Path(f"{stem}.json")


def prepared(model: ModelDescription, *, folder: Path | None = None) -> ModelDescription:
    """The model, its path that of the rewritten graph where there is something to rewrite.

    Args:
        model: Its path must be set.
        folder: Where rewritten graphs are kept; None: the folder of compiled networks.

    Raises:
        ModelError: The file cannot be read. A graph that cannot be rewritten is no error: the
            published one runs, and the log says why.
    """
    if model.path is None or model.path.suffix != ".onnx":
        return model
    place = compiled_folder() if folder is None else folder
    rewritten, note = _kept(model, model.path, place)
    seen = read_json(note)
    if seen and not seen.get("fused"):  # looked at before: nothing to do
        return model
    if rewritten.is_file():
        if seen.get("contents") == _contents(rewritten):
            return replace(model, path=rewritten)
        log.warning("%s: damaged (its checksum does not fit); it is made again", rewritten)
    if not may_hold_deform_conv(read_header(model.path).operators):
        return model
    missing = [name for name in _NEEDED if not installed(name)]
    if missing:
        log.warning("%s: %s", model.name, _in_pieces(missing))
        return model
    import onnx

    from nssbg._models.graph_passes.deform_conv import fuse_deform_conv

    started = time.monotonic()
    try:
        graph, fused, left = fuse_deform_conv(onnx.load(os.fspath(model.path)))
        place.mkdir(parents=True, exist_ok=True)
        contents = ""
        if fused:
            with _fs.replacing(rewritten) as part:
                onnx.save(graph, os.fspath(part))
                contents = _contents(part)
        kernels = [list(item.kernel) for item in fused]
        write_json(note, {"fused": kernels, "left": list(left), "contents": contents})
    except OSError as error:
        log.warning("%s: its fused graph cannot be kept: %s", model.name, error)
        return model
    except (ModelError, ValueError, RuntimeError, KeyError, MemoryError) as error:
        log.warning("%s: its graph is run as published, fusing failed: %s", model.name, error)
        return model
    took = time.monotonic() - started
    if left:
        log.info("%s: left as they are: %s", model.name, "; ".join(dict.fromkeys(left)))
    log.info("%s: fused %d deformable convolutions in %.1f s", model.name, len(fused), took)
    return replace(model, path=rewritten) if fused else model
