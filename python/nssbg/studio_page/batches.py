"""A whole folder, asked for in the page: one `nssbg.Batch` at a time, and how it stands."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from nssbg._errors import NssbgError, OptionError
from nssbg.batch.engine import Batch
from nssbg.studio_page.events import Hub
from nssbg.studio_page.folder import new_id
from nssbg.studio_page.picture import told

__all__ = ["Batches"]

# Failures that are told by name; all are in the batch's report.
_MOST_TOLD = 20
_FIELDS = frozenset(("folder", "output", "profile", "model", "effort", "refine"))


class Batches:
    """Runs batches in a thread.

    Args:
        hub: Told of what changes, as `batch` events.
        settings: device, threads and license of every batch.
    """

    def __init__(self, hub: Hub, settings: dict[str, Any]) -> None:
        self._hub = hub
        self._settings = settings
        self._lock = threading.Lock()
        self._batch: Batch | None = None
        self._thread: threading.Thread | None = None
        self._state: dict[str, Any] = {"id": None, "state": "idle"}

    def record(self) -> dict[str, Any]:
        """How the last batch stands."""
        with self._lock:
            return dict(self._state)

    def start(self, record: Any) -> dict[str, Any]:
        """Begin a batch.

        Args:
            record: {folder, output, profile, model}: absolute paths of this machine, as the person
                at the page typed them.

        Raises:
            OptionError: An argument outside what is allowed, or one runs already.
        """
        if not isinstance(record, dict) or set(record) - _FIELDS:
            raise OptionError(f"a batch is an object of {', '.join(sorted(_FIELDS))}")
        folder, output = (self._path(record, name) for name in ("folder", "output"))
        if not folder.is_dir():
            raise OptionError(f"{folder}: no such folder")
        settings = {
            name: record[name]
            for name in ("profile", "model", "effort", "refine")
            if record.get(name) is not None
        }
        for name, value in settings.items():
            if not isinstance(value, str) or any(sign in value for sign in "/\\"):
                raise OptionError(f"{name} is a name, not {value!r:.60}")
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise OptionError("a batch runs already; wait for its end, or cancel it")
            self._batch = Batch([folder], output, **settings, **self._settings)
            self._state = {
                "id": new_id(),
                "state": "running",
                "folder": str(folder),
                "output": str(output),
                "done": 0,
                "failed": 0,
                "skipped": 0,
                "total": 0,
                "failures": [],
                "report": None,
                "error": None,
            }
            self._thread = threading.Thread(
                target=self._run, args=(self._batch,), name="nssbg-studio-batch", daemon=True
            )
            self._thread.start()
            return dict(self._state)

    def cancel(self) -> dict[str, Any]:
        """Let nothing new begin; what is in flight is finished."""
        with self._lock:
            if self._batch is not None and self._state["state"] == "running":
                self._batch.stop()
                self._state["state"] = "stopping"
            state = dict(self._state)
        self._hub.publish("batch", state)
        return state

    def close(self) -> None:
        """Stop, and wait a little for what is in flight."""
        self.cancel()
        thread = self._thread
        if thread is not None:
            thread.join(20.0)

    def _run(self, batch: Batch) -> None:
        try:
            for row in batch:
                summary = batch.summary
                with self._lock:
                    state = self._state
                    state.update(
                        done=summary.done,
                        failed=summary.failed,
                        skipped=summary.skipped,
                        total=summary.total,
                    )
                    if row.error is not None and len(state["failures"]) < _MOST_TOLD:
                        state["failures"].append({"input": row.input, "message": row.error.message})
                self._hub.publish("batch", self.record())
            report = Path(batch.out) / "report.html"
            with self._lock:
                stopped = self._state["state"] == "stopping"
                self._state["state"] = "stopped" if stopped else "done"
                self._state["report"] = str(report) if report.is_file() else None
        except Exception as error:
            with self._lock:
                self._state["state"] = "failed"
                self._state["error"] = told(error)
            if not isinstance(error, (NssbgError, OSError)):
                raise
        finally:
            self._hub.publish("batch", self.record())

    @staticmethod
    def _path(record: dict[str, Any], name: str) -> Path:
        text = record.get(name)
        if not isinstance(text, str) or not text or "\0" in text:
            raise OptionError(f"{name} is the path of a folder of this machine")
        try:
            path = Path(text).expanduser()
        except RuntimeError as error:
            raise OptionError(f"{text}: {error}") from error
        if not path.is_absolute():
            raise OptionError(f"{text}: give the whole path, from the root on")
        return path
