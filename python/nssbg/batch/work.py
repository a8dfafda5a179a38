"""One work unit from its cut-out to its files and its row: render, check, judge, write.

Every engine calls this for one picture at a time, from whatever thread it likes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from nssbg._corrections import Corrections
from nssbg._errors import NssbgError, OptionError, TimeLimitError
from nssbg._options import CutoutOptions, CutoutOptionsDict
from nssbg.batch.entry import Entry
from nssbg.batch.output import Rendered, render_outputs
from nssbg.batch.row import Row, RowError, Status
from nssbg.batch.sidecar import read_corrections
from nssbg.batch.sink import Sink, Stored
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.units import WorkUnit, keywords
from nssbg.batch.validate import validate_rendered
from nssbg.batch.verdict import Verdict, measure_features, verdict

if TYPE_CHECKING:
    from nssbg._cutout import Cutout

__all__ = [
    "REJECTED",
    "CrashError",
    "EmptyResultError",
    "Input",
    "Policy",
    "RejectedError",
    "corrections_of",
    "failure",
    "finish",
    "picture_keywords",
    "unit_keywords",
]

# Where files go that are not fit to be handed over: a person can look at them there.
REJECTED = f"{STATE_FOLDER}/rejected"


class EmptyResultError(NssbgError):
    """Nothing of a picture was taken for subject."""


class RejectedError(NssbgError):
    """The outputs of a picture do not pass its profile."""


class CrashError(NssbgError):
    """The process ended, each time, while this picture was being worked on."""


@dataclass(frozen=True)
class Input:
    """What was read of a unit's picture.

    Attributes:
        sha256: Hex digest of its bytes.
        stamp: See `nssbg.batch.sink.file_stamp`; "" where there is none.
        attempts: How often it was begun, this time included.
    """

    sha256: str
    stamp: str = ""
    attempts: int = 1


@dataclass(frozen=True)
class Policy:
    """What is done with what the pictures turn out to be.

    Attributes:
        on_low_confidence: "write": written, and judged as the profile says; "review": written, and
            at best to be reviewed; "skip": nothing is written.
        overwrite: Whether outputs that are there may be replaced.
        time_limit: Seconds that the stages of one picture may take up to its files; None: any.
            Looked at between stages: one that runs is not cut short, and what comes of it is thrown
            away. (`Remover.map` gives up a picture within a stage too.)
    """

    on_low_confidence: Literal["write", "review", "skip"] = "review"
    overwrite: bool = True
    time_limit: float | None = None

    def __post_init__(self) -> None:
        if self.on_low_confidence not in ("write", "review", "skip"):
            raise OptionError(
                "on_low_confidence must be 'write', 'review' or 'skip', got "
                f"{self.on_low_confidence!r}"
            )
        if self.time_limit is not None and not self.time_limit > 0:
            raise OptionError(f"time_limit must be more than 0 seconds, got {self.time_limit}")


def finish(
    unit: WorkUnit,
    cutout: Cutout,
    given: Input,
    *,
    sink: Sink,
    policy: Policy,
    threads: int = 1,
) -> Entry:
    """Make, check, judge and write the outputs of one picture.

    Args:
        unit: What is to be made.
        cutout: What `Remover` gave for its picture.
        given: What was read.
        sink: Where outputs go.
        policy: See `Policy`.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        What a manifest is to keep, with the row: "done", "failed" (nothing usable came of it; what
        was made lies under `REJECTED`) or "skipped" (low confidence).

    Raises:
        TimeLimitError: It took too long.
        StorageError: The sink takes no more.
        ImageEncodeError: A file cannot be made or written.
    """
    timings = {name: round(ms, 2) for name, ms in cutout.timings.stages.items()}
    begun = time.perf_counter()
    _check_time(unit, sum(timings.values()), policy)
    outputs = render_outputs(
        cutout,
        unit.profile,
        stem=unit.stem,
        fields=unit.fields,
        set_boxes=unit.set_boxes,
        threads=threads,
    )
    timings["render"] = _since(begun)
    begun = time.perf_counter()
    validations = [
        validate_rendered(made, unit.profile, set_boxes=unit.set_boxes)
        for made in outputs
        if made.spec.checked
    ]
    features = measure_features(cutout, outputs)
    judged = _judged(verdict(features, unit.profile, validations), cutout, policy)
    timings["judge"] = _since(begun)
    _check_time(unit, sum(timings.values()), policy)
    notes = [note for made in outputs for note in made.notes]
    begun = time.perf_counter()
    error: RowError | None = None
    status: Status = "done"
    prefix: str | None = ""
    if cutout.low_confidence and policy.on_low_confidence == "skip":
        status, prefix = "skipped", None
    elif features.empty:
        status, prefix = "failed", None
        error = RowError(EmptyResultError.__name__, f"{unit.input}: {judged.reasons[0]}")
    elif judged.status == "fail":
        status, prefix = "failed", f"{REJECTED}/"
        error = RowError(
            RejectedError.__name__,
            f"{unit.input}: not fit for {unit.profile.name}: {'; '.join(judged.reasons)}",
        )
    stored: list[Stored] = []
    if prefix is not None:
        stored = [
            sink.write(prefix + name, made.data, overwrite=policy.overwrite or bool(prefix))
            for name, made in zip(unit.outputs, outputs, strict=True)
        ]
    timings["write"] = _since(begun)
    first: Rendered | None = outputs[0] if stored else None
    row = Row(
        input=unit.input,
        status=status,
        input_sha256=given.sha256,
        output=stored[0].name if stored else "",
        outputs=tuple(one.name for one in stored),
        output_sha256=stored[0].sha256 if stored else "",
        out_width=first.width if first else 0,
        out_height=first.height if first else 0,
        bytes=stored[0].bytes if stored else 0,
        confidence=cutout.confidence,
        error=error,
        verdict=judged.status,
        reasons=judged.reasons,
        plan=_plan(cutout),
        timings=timings,
        features={
            **{name: _short(value) for name, value in vars(features).items()},
            "width": cutout.frame.width,
            "height": cutout.frame.height,
            **_enhanced(unit, cutout),
            "notes": [*cutout.notes, *notes],
        },
        fingerprint=unit.key(given.sha256),
        attempts=given.attempts,
    )
    return Entry(unit.identity, unit.settings, given.stamp, row, tuple(stored))


def unit_keywords(options: CutoutOptions, unit: WorkUnit) -> CutoutOptionsDict:
    """The keywords of `Remover.cutout` for a unit: with its corrections and its enhancement.

    Raises:
        OptionError: Its corrections cannot be read, or were changed since.
    """
    return keywords(options, corrections_of(unit), unit.profile.enhance)


def picture_keywords(options: CutoutOptions) -> CutoutOptionsDict:
    """The same of `Remover.map`, for sources that hold their unit as `unit`."""
    return keywords(
        options,
        lambda picture: corrections_of(picture.unit),
        lambda picture: picture.unit.profile.enhance,
    )


def corrections_of(unit: WorkUnit) -> Corrections | None:
    """A unit's corrections, as they were when it was planned; None where it has none.

    Raises:
        OptionError: They cannot be read, or were changed since.
    """
    if unit.corrections is None:
        return None
    path, fingerprint = unit.corrections
    found = read_corrections(Path(path))
    if found.fingerprint != fingerprint:
        raise OptionError(f"{path}: was changed during the run; run the batch again to use it")
    return found


def failure(
    unit: WorkUnit,
    error: BaseException,
    given: Input | None = None,
    *,
    plan: Mapping[str, Any] | None = None,
    timings: Mapping[str, float] | None = None,
) -> Entry:
    """What a manifest is to keep of a picture that failed."""
    message = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        message = "there is not enough memory"
    if unit.input not in message:
        message = f"{unit.input}: {message}"
    given = given or Input("")
    row = Row(
        input=unit.input,
        status="failed",
        input_sha256=given.sha256,
        error=RowError(type(error).__name__, message),
        verdict="fail",
        reasons=(message,),
        plan=dict(plan or {}),
        timings={name: round(ms, 2) for name, ms in (timings or {}).items()},
        fingerprint=unit.key(given.sha256) if given.sha256 else "",
        attempts=given.attempts,
    )
    return Entry(unit.identity, unit.settings, given.stamp, row)


def _judged(judged: Verdict, cutout: Cutout, policy: Policy) -> Verdict:
    """The verdict, with what the batch says about low confidence."""
    if not cutout.low_confidence or policy.on_low_confidence == "write":
        return judged
    reasons = judged.reasons
    if not any("confidence" in reason for reason in reasons):
        reasons = (*reasons, f"low confidence ({cutout.confidence:.2f})")
    return Verdict("review" if judged.status == "pass" else judged.status, reasons)


def _check_time(unit: WorkUnit, milliseconds: float, policy: Policy) -> None:
    if policy.time_limit is not None and milliseconds > policy.time_limit * 1000:
        raise TimeLimitError(
            f"{unit.input}: time limit: took {milliseconds / 1000:.1f} s, more than the "
            f"{policy.time_limit:g} s that a picture may; nothing was written"
        )


def _enhanced(unit: WorkUnit, cutout: Cutout) -> dict[str, Any]:
    """How the photograph was enhanced, where it was; width and height are those after it."""
    enhance, ran = unit.profile.enhance, cutout.enhancement
    if enhance is None or ran is None:
        return {}
    # A network given by its path is named without the folders of this machine.
    made = {"network": PurePath(ran.model).name, "license": ran.license, "device": ran.device}
    return {"enhanced": {**enhance.record(), **made}}


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 2)


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _plan(cutout: Cutout) -> dict[str, Any]:
    plan = cutout.plan
    return {
        "model": plan.model,
        "license": plan.license,
        "backend": plan.backend,
        "device": plan.device,
        "precision": plan.precision,
        "fallbacks": list(plan.fallbacks),
    }
