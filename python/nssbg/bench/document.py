"""The document of `nssbg bench`, schema nssbg.bench/1: built from records, read back, checked.

One JSON object. schema/bench-1.json describes every field; a number in the schema's name changes
where a field changes its meaning or goes, and fields are only added within one number.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nssbg
from nssbg._errors import OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.graph_cost import GraphCost
from nssbg._planner.machine_peaks import MachinePeaks
from nssbg._runtime.devices import Runtime
from nssbg.bench import pictures as drawn
from nssbg.bench.cells import Absent
from nssbg.bench.floors import Floor, network_floor, share_of_floor, stage_floors
from nssbg.bench.group import YARDSTICK, Record
from nssbg.bench.machine import Machine, nssbg_commit
from nssbg.bench.settings import Settings
from nssbg.bench.statistics import CONFIDENCE, robust_spread, round_medians, summarize

__all__ = ["SCHEMA", "Picture", "Quality", "build_document", "read_document", "schema_text"]

SCHEMA = "nssbg.bench/1"

# Above these a figure is marked: spread of its rounds, and of the yardstick in the same rounds.
_NOISY_SPREAD = 0.10
_NOISY_YARDSTICK = 0.05
# What a comparison reads of a result.
_COMPARED = {"id", "samples_ms", "yardstick_ms", "noisy"}
_LARGEST = 256 << 20  # bytes of a document that is read back


@dataclass(frozen=True)
class Picture:
    """A picture that was measured with.

    Attributes:
        path: Its file.
        name: What to call it.
        height: Rows.
        width: Columns.
        pixels_sha256: Hash of the decoded or drawn pixels (drawn ones before compression).
        file_sha256: Hash of the file, which may differ between versions of the JPEG library.
        file_bytes: Its length.
    """

    path: Path
    name: str
    height: int
    width: int
    pixels_sha256: str
    file_sha256: str
    file_bytes: int

    @classmethod
    def of(cls, path: Path, name: str, *, pixels: NDArray[Any]) -> Picture:
        """A picture from its file and its pixels, H x W x 3."""
        data = path.read_bytes()
        return cls(
            path,
            name,
            int(pixels.shape[0]),
            int(pixels.shape[1]),
            hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest(),
            hashlib.sha256(data).hexdigest(),
            len(data),
        )

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.height * self.width


@dataclass(frozen=True)
class Quality:
    """Distance of a network's alphas, 0..1, from float32's on the processor.

    Attributes:
        mean_error: On average.
        max_error: Anywhere.
        reference: What float32 ran on.
    """

    mean_error: float
    max_error: float
    reference: str


def schema_text() -> str:
    """The JSON Schema of the documents."""
    path = Path(__file__).parent / "schema" / "bench-1.json"
    return path.read_text(encoding="utf-8")


def build_document(
    settings: Settings,
    *,
    command: Sequence[str],
    machine: Machine,
    runtimes: Sequence[Runtime],
    peaks: MachinePeaks,
    pictures: Mapping[str, Sequence[Picture]],
    records: Sequence[Record],
    absent: Sequence[Absent],
    costs: Mapping[str, GraphCost | None],
    descriptions: Mapping[str, ModelDescription],
    quality: Mapping[tuple[str, str, str, str], Quality],
    interrupted: bool = False,
) -> dict[str, Any]:
    """The document of what was measured."""
    yards = [time for record in records for time in record.yardstick]
    return {
        "schema": SCHEMA,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "nssbg": {"version": nssbg.__version__, "commit": nssbg_commit()},
        "command": list(command),
        "interrupted": interrupted,
        "settings": _settings(settings),
        "machine": {**asdict(machine), "features": list(machine.features)},
        "peaks": asdict(peaks),
        "runtimes": [_runtime(runtime) for runtime in runtimes],
        "pictures": _picture_set(settings, pictures),
        "yardstick": {
            "what": YARDSTICK,
            "p50_ms": statistics.median(yards) if yards else None,
            "spread": robust_spread(yards),
        },
        "absent": [asdict(one) for one in absent],
        "results": [
            _result(
                record,
                settings,
                peaks,
                pictures.get(record.job.size, ()),
                costs.get(record.job.name),
                descriptions.get(record.job.name),
                quality,
            )
            for record in records
        ],
    }


def _settings(settings: Settings) -> dict[str, Any]:
    told = asdict(settings)
    told["wishes"] = {name: list(values) for name, values in told["wishes"].items()}
    listed = {name: list(v) if isinstance(v, tuple) else v for name, v in told.items()}
    return {**listed, "interval_confidence": CONFIDENCE}


def _runtime(runtime: Runtime) -> dict[str, Any]:
    told = asdict(runtime)
    told["devices"] = [{**d, "precisions": list(d["precisions"])} for d in told["devices"]]
    return told


def _picture_set(settings: Settings, pictures: Mapping[str, Sequence[Picture]]) -> dict[str, Any]:
    items = [
        {
            "size": size,
            "name": one.name,
            "height": one.height,
            "width": one.width,
            "pixels_sha256": one.pixels_sha256,
            "file_sha256": one.file_sha256,
            "file_bytes": one.file_bytes,
        }
        for size, group in pictures.items()
        for one in group
    ]
    if settings.pictures:
        joined = "".join(str(item["pixels_sha256"]) for item in items)
        return {
            "name": "given",
            "sha256": hashlib.sha256(joined.encode()).hexdigest(),
            "items": items,
        }
    return {"name": drawn.NAME, "sha256": drawn.SHA256, "items": items}


def _result(
    record: Record,
    settings: Settings,
    peaks: MachinePeaks,
    pictures: Sequence[Picture],
    cost: GraphCost | None,
    model: ModelDescription | None,
    quality: Mapping[tuple[str, str, str, str], Quality],
) -> dict[str, Any]:
    job, asked = record.job, record.job.asked
    samples = record.samples if not record.problem else []
    found = summarize(samples) if samples else None
    floor = _network_floor(record, cost, model, peaks)
    close = quality.get((job.name, asked.backend, asked.device, asked.precision))
    shown_floor = floor if job.scope == "network" and job.scenario != "cold" else None
    held = None if shown_floor is None or found is None else _floor(shown_floor, found.p50)
    return {
        "id": job.id,
        "scope": job.scope,
        "scenario": job.scenario,
        "model": job.name,
        "size": job.size or None,
        "asked": asdict(asked),
        "ran": record.ran,
        "samples_ms": samples,
        "cpu_ms": record.cpu if samples and job.scenario != "cold" else [],
        "yardstick_ms": record.yardstick if samples else [],
        "statistics": None if found is None else _statistics(asdict(found)),
        "pictures_per_second": None if found is None or job.scenario == "cold" else 1e3 / found.p50,
        "load_ms": record.load,
        "first_ms": record.first,
        "stages": _stages(record, peaks, pictures, floor, model, settings),
        "peak_host_bytes": record.peak_memory,
        "base_host_bytes": record.base_memory,
        "device_bytes": record.device_memory,
        "joules": statistics.median(record.joules) if record.joules else None,
        "quality": None if close is None else asdict(close),
        "floor": held,
        "pinned": record.pinned,
        "noisy": _noise(record, settings, held) if samples else [],
        "fallbacks": record.fallbacks,
        "problem": record.problem,
        "mismatch": record.mismatch,
    }


def _statistics(told: dict[str, Any]) -> dict[str, Any]:
    names = ("mean", "sd", "minimum", "p50", "p90", "p99")
    interval = told["interval"]
    return {
        "runs": told["runs"],
        "rounds": told["rounds"],
        **{f"{name}_ms": told[name] for name in names},
        "interval_ms": None if interval is None else list(interval),
        "coverage": told["coverage"],
        "half_width": told["half_width"],
    }


def _floor(floor: Floor, milliseconds: float) -> dict[str, Any]:
    return {
        "ms": floor.milliseconds,
        "bound": floor.bound,
        "operations": floor.operations,
        "bytes": floor.bytes,
        "percent": share_of_floor(floor, milliseconds),
    }


def _network_floor(
    record: Record,
    cost: GraphCost | None,
    model: ModelDescription | None,
    peaks: MachinePeaks,
) -> Floor | None:
    asked = record.job.asked
    if cost is None or model is None or asked.device.partition(".")[0] != "cpu":
        return None  # no peak of another device is measured
    return network_floor(
        cost, peaks, precision=asked.precision, threads=asked.threads, stored=model.precision
    )


def _stages(
    record: Record,
    peaks: MachinePeaks,
    pictures: Sequence[Picture],
    network: Floor | None,
    model: ModelDescription | None,
    settings: Settings,
) -> list[dict[str, Any]]:
    """Median over the rounds of each stage's mean over the pictures, beside its floor."""
    if record.problem or not record.stages:
        return []
    names = dict.fromkeys(name for turn in record.stages for name in turn)
    floors: dict[str, list[float]] = {}
    for one in pictures:
        found = stage_floors(
            peaks,
            height=one.height,
            width=one.width,
            file_bytes=one.file_bytes,
            result_bytes=0,
            network=None if model is None else model.input_size(one.height, one.width),
        )
        for name, floor in found.items():
            floors.setdefault(name, []).append(floor.milliseconds)
    if network is not None and model is not None:
        passes = 2 if model.flip_tta and settings.effort != "fast" else 1
        floors["segment"] = [passes * network.milliseconds]
    rows = []
    for name in names:
        spent = statistics.median(turn.get(name, 0.0) for turn in record.stages)
        least = statistics.fmean(floors[name]) if name in floors else None
        percent = 100.0 * least / spent if least is not None and spent > 0 else None
        rows.append({"stage": name, "ms": spent, "floor_ms": least, "percent": percent})
    return rows


def _noise(record: Record, settings: Settings, floor: Mapping[str, Any] | None) -> list[str]:
    """Why a figure is not to be trusted to its last digit; empty where it is."""
    reasons = []
    found = summarize(record.samples)
    if found.half_width is None:
        reasons.append(f"too few rounds for an interval: {found.rounds}, 6 are needed")
    elif found.half_width > settings.width:
        reasons.append(
            f"the median is only known to {100 * found.half_width:.1f} %, "
            f"{100 * settings.width:.1f} % was the goal"
        )
    spread = robust_spread(round_medians(record.samples))
    if spread > _NOISY_SPREAD:
        reasons.append(f"its rounds spread by {100 * spread:.0f} %")
    machine = robust_spread(record.yardstick)
    if machine > _NOISY_YARDSTICK:
        reasons.append(f"the machine was busy: the yardstick spread by {100 * machine:.0f} %")
    if floor is not None and floor["bound"] == "compute" and floor["percent"] > 100:
        reasons.append("faster than the peak that was measured, so the machine was busy then")
    return reasons


def read_document(path: Path) -> dict[str, Any]:
    """A document from its file.

    Raises:
        OptionError: It cannot be read, or is none of this schema.
    """
    wanted = f"{path}: expected a document of `nssbg bench -o json` ({SCHEMA})"
    try:
        if path.stat().st_size > _LARGEST:
            raise OptionError(f"{wanted}; it is larger than {_LARGEST >> 20} MB")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{wanted}; it is no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        told = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise OptionError(f"{wanted}; its schema is {told!r}")
    problem = _shape_problem(data)
    if problem:
        raise OptionError(f"{wanted}; {problem}")
    return data


def _shape_problem(data: Mapping[str, Any]) -> str:
    """What of the parts that a comparison reads is not there or not sound; "" where all is."""
    kinds = {"machine": dict, "pictures": dict, "runtimes": list, "results": list}
    for name, kind in kinds.items():
        if not isinstance(data.get(name), kind):
            return f"{name!r} is missing"
    if "fingerprint" not in data["machine"] or "sha256" not in data["pictures"]:
        return "the machine's fingerprint or the pictures' hash is missing"
    for one in data["results"]:
        if not isinstance(one, dict) or not {"id", "samples_ms", "yardstick_ms", "noisy"} <= set(
            one
        ):
            return "a result lacks its id, samples or yardstick"
        rounds, yards = one["samples_ms"], one["yardstick_ms"]
        if len(rounds) != len(yards):
            return f"{one['id']}: {len(rounds)} rounds and {len(yards)} times of the yardstick"
        times = [time for samples in rounds for time in samples] + list(yards)
        if not all(isinstance(time, (int, float)) and time > 0 for time in times):
            return f"{one['id']}: a time is not above 0"
    return ""
