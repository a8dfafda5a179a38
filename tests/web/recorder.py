"""Writes down calls of the core (what went in, what came out) for another build of it to repeat.

The calls are those that tests of the native core make, so no second list of cases or checksums
exists: what the native core gave, and a golden test accepted, is what WebAssembly has to give.
Arrays lie in files named by their content, beside one `calls.json`; `replay.js` reads both.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from nssbg import _core

__all__ = ["RECORDED", "Recorder"]

#: Operations that are recorded; what they answer apart from arrays is compared as well.
RECORDED = (
    *(f"prepare_{out}_from_{given}" for out in ("f32", "f16", "u8") for given in ("u8", "u16")),
    "studio_alpha",
    "refine",
    "decontaminate",
    "clean_components",
    "feather",
    "choke",
    "edge_pixels",
    "region_of_box",
    "paint",
    "corrected_alpha",
    "shadow_layer",
    "shadow_room",
    "radii_of_plane",
    "defocus",
    "resample_to_fit",
    "merge_alpha",
    "post_process",
    "coarse_alpha",
    "joined_maps",
    "confidence",
    "selector_features",
    "select",
    "remove_stray_alpha",
    "over_image",
    "over_gradient",
    "over_layer",
    "premultiply",
    "suppress_spill",
    "subject_box",
    "placement",
    "draw",
    "resample",
    "size_within",
    "align_shares",
    "orient",
    "png_encode",
    "png_unfilter",
)


class Recorder:
    """Stands in front of the core's functions while a test runs.

    Args:
        folder: Where arrays and `calls.json` go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[dict[str, Any]] = []

    def install(self, monkeypatch: Any) -> None:
        """From here on every call of a recorded operation is written down."""
        for name in RECORDED:
            monkeypatch.setattr(_core, name, self._recording(name, getattr(_core, name)))
        native = _core.SecondPass
        monkeypatch.setattr(_core, "SecondPass", lambda *args: _Search(self, native, args))
        grid = _core.CorrectionGrid
        monkeypatch.setattr(_core, "CorrectionGrid", lambda *args: _Grid(self, grid, args))

    def save(self) -> Path:
        """`calls.json`; equal calls stand in it once."""
        path = self.folder / "calls.json"
        seen = {json.dumps(call, sort_keys=True): call for call in self.calls}
        path.write_text(json.dumps(list(seen.values())))
        return path

    def kept(self, value: Any) -> Any:
        """A value as JSON has it; arrays and bytes by the file that holds them."""
        if isinstance(value, np.ndarray):
            content = np.ascontiguousarray(value)
            return {
                "file": self._file(content.tobytes()),
                "dtype": content.dtype.name,
                "shape": list(content.shape),
            }
        if isinstance(value, bytes):
            return {"file": self._file(value), "dtype": "uint8", "shape": [len(value)]}
        if isinstance(value, (list, tuple)):
            return [self.kept(part) for part in value]
        if isinstance(value, dict):
            return {key: self.kept(part) for key, part in value.items()}
        if isinstance(value, np.generic):
            return value.item()
        return value

    def _recording(self, name: str, native: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            entry: dict[str, Any] = {"operation": name, "args": self.kept(args)}
            entry["named"] = self.kept(named)
            result = native(*args, **named)
            arrays, answer = _outputs(name, args, named, result)
            entry["outputs"] = [None if one is None else digest(one) for one in arrays]
            entry["answer"] = self.kept(answer)
            self.calls.append(entry)
            return result

        return call

    def _file(self, content: bytes) -> str:
        name = f"{hashlib.sha256(content).hexdigest()[:32]}.bin"
        path = self.folder / name
        if not path.exists():
            path.write_bytes(content)
        return name


class _Search:
    """Stands in front of one second pass: what it asked, what it was answered, what came out."""

    def __init__(self, recorder: Recorder, native: Any, args: Any) -> None:
        self._recorder, self._native = recorder, native(*args)
        self._entry: dict[str, Any] = {"operation": "second_pass", "args": recorder.kept(args)}
        self._turns: list[Any] = []

    def next(self, may_run: bool) -> Any:
        part = self._native.next(may_run)
        if part is not None:
            self._turns.append({"part": part})
        return part

    def answer(self, map: Any) -> None:
        self._turns[-1]["map"] = self._recorder.kept(map)
        self._native.answer(map)

    def report(self) -> Any:
        return self._native.report()

    def map(self) -> Any:
        made = self._native.map()
        self._entry["named"] = {"turns": self._turns}
        self._entry["outputs"] = [digest(made)]
        self._entry["answer"] = self._recorder.kept(self._native.report())
        self._recorder.calls.append(self._entry)
        return made


class _Grid:
    """Stands in front of one grid of corrections: what was said of it, what came out."""

    def __init__(self, recorder: Recorder, native: Any, args: Any) -> None:
        self._recorder, self._native = recorder, native(*args)
        self._args = recorder.kept(args)

    def shape(self) -> Any:
        return self._native.shape()

    def apply(self, *said: Any) -> Any:
        coarse, changed = self._native.apply(*said)
        entry = {"operation": "correction_grid", "args": self._args}
        entry["named"] = {"said": self._recorder.kept(said)}
        entry["outputs"] = [digest(coarse), digest(changed)]
        entry["answer"] = list(self._native.shape())
        self._recorder.calls.append(entry)
        return coarse, changed


def digest(value: Any) -> str:
    """SHA-256 of an array's or a file's bytes."""
    content = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
    return hashlib.sha256(content).hexdigest()


def _outputs(name: str, args: Any, named: Any, result: Any) -> tuple[list[Any], Any]:
    """Arrays that a call gave or changed, and what else it said."""
    if name.startswith("prepare_"):
        return [args[1]], None
    if name == "studio_alpha":
        return [result[0], result[1]], result[2]
    if name in ("refine", "corrected_alpha"):
        return [result[0]], result[1]
    if name == "region_of_box":
        return [], [*result[0], *result[1]]
    if name in ("edge_pixels", "shadow_room"):
        return [], result
    if name == "decontaminate":
        background = args[2] if len(args) > 2 else named.get("background")
        return [result, background], None
    if name in ("post_process", "remove_stray_alpha"):
        return [args[0]], None
    if name in ("clean_components", "coarse_alpha"):
        return [args[0]], result
    if name in ("confidence", "selector_features", "select", "placement", "size_within"):
        return [], result
    if name in ("subject_box", "align_shares"):
        return [], result
    return [result], None
