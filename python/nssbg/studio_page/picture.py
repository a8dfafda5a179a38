"""One picture of a session: where it stands, what is set for it, what came of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nssbg._errors import NssbgError, kind_of
from nssbg.studio_page.edit import Edit, edit_from

__all__ = ["STATES", "MissingError", "NotReadyError", "Picture", "told"]

STATES = ("queued", "running", "done", "failed", "cancelled")
# How far along a picture is when a stage begins.
_PROGRESS = {
    "decode": 0.05,
    "studio": 0.15,
    "prepare": 0.25,
    "segment": 0.3,
    "second pass": 0.6,
    "post-process": 0.8,
    "refine": 0.85,
    "foreground": 0.95,
}


class MissingError(NssbgError):
    """There is no such picture."""

    kind = "missing"


class NotReadyError(NssbgError):
    """The picture has no result yet, or not that revision of it."""

    kind = "not-ready"


@dataclass
class Picture:
    """A picture; what changes is guarded by the session's lock.

    Attributes:
        id: As `folder.new_id` makes it.
        name: File name, for people and downloads.
        path: Relative path where a folder was given, else the name.
        number: Its place among the session's pictures.
        width: Columns of the upright picture; of the file's header until it was decoded.
        height: The same for rows.
        bytes: Of the file.
        edit: What is set now.
        revision: Counts the edits.
        state: One of STATES.
        stage: That runs; "".
        progress: 0 to 1.
        error: {"kind", "message"}, or None.
        done_edit: What the result was made with; None before there is one.
        done_revision: The same's revision; -1.
        result: What there is to say of it.
        cancelled: Asks the work on it to end.
        work: Held by who computes something of this picture.
    """

    id: str
    name: str
    path: str
    number: int
    width: int = 0
    height: int = 0
    bytes: int = 0
    edit: Edit = field(default_factory=Edit)
    revision: int = 0
    state: str = "queued"
    stage: str = ""
    progress: float = 0.0
    error: dict[str, str] | None = None
    done_edit: Edit | None = None
    done_revision: int = -1
    result: dict[str, Any] | None = None
    cancelled: bool = False
    work: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def begin(self, stage: str) -> None:
        """A stage begins."""
        self.stage, self.progress = stage, _PROGRESS.get(stage, self.progress)

    def record(self) -> dict[str, Any]:
        """As the page gets it."""
        return {
            **{name: getattr(self, name) for name in _TOLD},
            "edit": self.edit.record(),
        }

    def state_record(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            **{name: getattr(self, name) for name in _KEPT},
            "edit": self.edit.record(),
            "done_edit": None if self.done_edit is None else self.done_edit.record(),
        }

    @classmethod
    def kept(cls, name: str, record: Mapping[str, Any]) -> Picture:
        """From what was kept.

        Raises:
            OptionError: Its edit is none any more (of another version, say).
            KeyError: It is not whole; so TypeError.
        """
        known = {key: record[key] for key in _KEPT}
        if known["state"] not in STATES:
            raise KeyError("state")
        done = record["done_edit"]
        return cls(
            id=name,
            edit=edit_from(record["edit"]),
            done_edit=None if done is None else edit_from(done),
            **known,
        )


_TOLD = (
    "id", "name", "path", "width", "height", "bytes", "state", "stage", "progress", "error",
    "revision", "done_revision", "result",
)  # fmt: skip
_KEPT = (
    "name", "path", "number", "width", "height", "bytes", "state", "error", "revision",
    "done_revision", "result",
)  # fmt: skip


def told(error: BaseException) -> dict[str, str]:
    """An error as the page gets it."""
    kind = getattr(error, "kind", None) or kind_of(error)
    if kind == "unexpected" and isinstance(error, (NssbgError, OSError)):
        kind = "failed" if isinstance(error, NssbgError) else "storage"
    if kind == "memory":
        message = "there is not enough memory; try a smaller picture, or close other programs"
    elif kind == "unexpected":
        message = f"unexpected {type(error).__name__}: {error}"
    else:
        message = str(error)
    return {"kind": kind, "message": message}
