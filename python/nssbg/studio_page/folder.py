"""A session's folder: the pictures as they came, what was set for them, what the network said.

Mode 0700, one process at a time. What a killed process left is taken up by the next one; a session
that ends in order empties its folder, unless its owner named the folder to keep it.

    key  port  lock  pictures/ID/{original, state.json, estimate-*.npy, estimate-*.json}
    backgrounds/ID
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from nssbg import _fs
from nssbg._errors import NssbgError, OptionError
from nssbg._json_store import read_json, write_json
from nssbg._segment.base import Estimate
from nssbg._types import Plan
from nssbg.batch.lock import BusyError, run_lock

__all__ = ["SessionFolder", "default_root", "is_id", "new_id"]

_ID = re.compile(r"[0-9a-f]{16}")
# Sessions at once of one user.
_MOST_SESSIONS = 32
# What a folder is told by as one of these: nothing else is ever emptied.
_MARK = "nssbg-studio-session"
_OURS = ("pictures", "backgrounds", "incoming", "key", "port", "lock", _MARK)
# Estimates of one picture that are kept, so that going back to a model costs nothing.
_ESTIMATES_KEPT = 3


def new_id() -> str:
    """An id of a picture or a background."""
    return secrets.token_hex(8)


def is_id(text: str) -> bool:
    """Whether a text is one that `new_id` may have made."""
    return _ID.fullmatch(text) is not None


def default_root() -> Path:
    """The folder of this user's sessions: XDG_STATE_HOME or the platform's like.

    Raises:
        OptionError: The system knows no home of this user.
    """
    chosen = os.environ.get("XDG_STATE_HOME")
    if sys.platform == "win32":
        chosen = os.environ.get("LOCALAPPDATA")
    if chosen:
        return Path(chosen) / "nssbg" / "studio"
    try:
        user = Path.home()
    except RuntimeError as error:
        raise OptionError(
            "the system knows no home folder of this user; name a folder with --session"
        ) from error
    inside = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
    return user / inside / "nssbg" / "studio"


class SessionFolder:
    """A folder that is held by this process until it is closed.

    Args:
        path: A folder of the caller's own, which is kept at the end; None: one of the user's
            sessions, the first that no process holds, emptied at the end.

    Raises:
        NssbgError: Another process holds the folder, or it cannot be used.
        OptionError: The folder holds what is no session.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.kept: bool = path is not None
        self._held = contextlib.ExitStack()
        try:
            self.path: Path = self._take_first() if path is None else self._take(path.absolute())
            for name in ("pictures", "backgrounds", "incoming"):
                _private(self.path / name)
            for left in (self.path / "incoming").iterdir():
                left.unlink(missing_ok=True)
            self.key: str = self._secret()
        except OSError as error:
            self._held.close()
            where = error.filename or path or default_root()
            raise NssbgError(
                f"{where}: the session's folder cannot be used ({error.strerror or error}); name "
                "another one with --session"
            ) from error
        except BaseException:
            self._held.close()
            raise

    def _take_first(self) -> Path:
        root = default_root()
        for number in range(1, _MOST_SESSIONS + 1):
            with contextlib.suppress(BusyError):
                return self._take(root / f"session-{number}")
        raise NssbgError(
            f"{root}: {_MOST_SESSIONS} sessions run already; end some, or name a folder with "
            "--session"
        )

    def _take(self, path: Path) -> Path:
        there = path.is_dir() and any(path.iterdir())
        if there and not (path / _MARK).is_file():
            raise OptionError(
                f"{path}: holds files that are no session of nssbg studio; name an empty folder, "
                "or one that is not there"
            )
        _private(path)
        self._held.enter_context(run_lock(path / "lock"))
        (path / _MARK).touch(mode=0o600)
        return path

    def _secret(self) -> str:
        """The key of the page: kept, so that a page that is open finds a server started anew."""
        file = self.path / "key"
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = file.read_text("ascii").strip()
            if re.fullmatch(r"[A-Za-z0-9_-]{40,64}", text):
                return text
        text = secrets.token_urlsafe(32)
        _write_private(file, text.encode())
        return text

    @property
    def port(self) -> int:
        """The port that the session was last served at; 0: none."""
        with contextlib.suppress(OSError, ValueError):
            port = int((self.path / "port").read_text("ascii"))
            return port if 0 < port < 65536 else 0
        return 0

    @port.setter
    def port(self, port: int) -> None:
        _write_private(self.path / "port", str(port).encode())

    # Pictures.

    def ids(self) -> list[str]:
        """Pictures that are there, in no order."""
        return [path.name for path in (self.path / "pictures").iterdir() if is_id(path.name)]

    def original(self, name: str) -> Path:
        """The picture's file as it came."""
        return self.path / "pictures" / name / "original"

    def incoming(self) -> Path:
        """A new path that a picture or a background is received at."""
        return self.path / "incoming" / new_id()

    def adopt(self, received: Path, name: str) -> None:
        """Make what was received a picture."""
        _private(self.path / "pictures" / name)
        received.replace(self.original(name))

    def state(self, name: str) -> dict[str, Any]:
        """What was kept of a picture; empty where there is nothing whole."""
        return read_json(self.path / "pictures" / name / "state.json")

    def keep_state(self, name: str, state: dict[str, Any]) -> None:
        """Keep what there is to know of a picture."""
        folder = self.path / "pictures" / name
        if folder.is_dir():
            write_json(folder / "state.json", state)

    def keep_estimate(
        self, name: str, key: str, estimate: Estimate, account: dict[str, Any]
    ) -> None:
        """Keep a method's answer, so that nothing has to be run again.

        Args:
            name: The picture's.
            key: What it was run for.
            estimate: The answer; the account of its second pass is left out.
            account: What else there is to know: plain data.
        """
        folder = self.path / "pictures" / name
        data = io.BytesIO()
        np.save(data, estimate.alpha, allow_pickle=False)
        record = {
            "full_size": estimate.full_size,
            "confidence": estimate.confidence,
            "low_confidence": estimate.low_confidence,
            "notes": list(estimate.notes),
            "plan": asdict(estimate.plan),
            "account": account,
        }
        if not folder.is_dir():
            return  # removed meanwhile
        _fs.write(folder / f"estimate-{key}.npy", data.getbuffer(), sync=False)
        write_json(folder / f"estimate-{key}.json", record)
        kept = sorted(folder.glob("estimate-*.json"), key=lambda path: path.stat().st_mtime_ns)
        for old in kept[:-_ESTIMATES_KEPT]:
            old.with_suffix(".npy").unlink(missing_ok=True)
            old.unlink(missing_ok=True)

    def knows(self, name: str, key: str) -> bool:
        """Whether a method's answer was kept."""
        return (self.path / "pictures" / name / f"estimate-{key}.json").is_file()

    def estimate(self, name: str, key: str) -> tuple[Estimate, dict[str, Any]] | None:
        """A method's answer that was kept, and its account; None where there is none."""
        folder = self.path / "pictures" / name
        record = read_json(folder / f"estimate-{key}.json")
        try:
            alpha = np.load(folder / f"estimate-{key}.npy", allow_pickle=False)
            if alpha.ndim != 2 or alpha.dtype not in (np.uint8, np.float32) or not alpha.size:
                return None
            known = {item.name for item in fields(Plan)}
            plan: dict[str, Any] = {
                item: tuple(value) if isinstance(value, list) else value
                for item, value in record["plan"].items()
                if item in known
            }
            made = Estimate(
                alpha=alpha,
                full_size=bool(record["full_size"]),
                confidence=record["confidence"],
                low_confidence=record["low_confidence"],
                plan=replace(Plan("", "", ""), **plan),
                notes=tuple(record["notes"]),
            )
            return made, dict(record["account"])
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            return None

    def remove(self, name: str) -> None:
        """Remove a picture and all that belongs to it."""
        shutil.rmtree(self.path / "pictures" / name, ignore_errors=True)

    # Backgrounds.

    def background(self, name: str) -> Path:
        """A background picture's file."""
        return self.path / "backgrounds" / name

    def has_background(self, name: str) -> bool:
        """Whether it is there."""
        return is_id(name) and self.background(name).is_file()

    # The whole.

    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self.path).free

    def empty(self) -> None:
        """Remove all pictures and backgrounds."""
        for kind in ("pictures", "backgrounds"):
            for path in self._entries(kind):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def _entries(self, kind: str) -> Iterator[Path]:
        yield from list((self.path / kind).iterdir())

    def close(self) -> None:
        """Let go of the folder; one that was not named by its owner is removed."""
        if not self.kept:
            # While it is still held: nobody can take it up half emptied.
            with contextlib.suppress(OSError):
                self.empty()
                for name in _OURS:
                    path = self.path / name
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink(missing_ok=True)
                self.path.rmdir()
        self._held.close()


def _private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    _fs.write(path, data, sync=False)
