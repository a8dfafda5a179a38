"""The one door to onnxruntime, openvino and nncf: what they would send is switched off first.

All three report their use to their makers over the network unless kept from it. Nothing else in
nssbg imports them (tests/contract pins that). `import nssbg` itself calls `forbid_telemetry`, so
every way in passes it before a runtime can be loaded: the API, the command, a worker process that
unpickles a Remover. Standard library only, and nothing that costs time to import.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

__all__ = [
    "forbid_telemetry",
    "import_nncf",
    "import_onnxruntime",
    "import_openvino",
    "telemetry_doubts",
    "telemetry_kept_out",
    "telemetry_measures",
]

# onnxruntime reads it once, by getenv, while its library is loaded: then a thread is started,
# a device id and a queue of events are written to ~/.cache/Microsoft, and what is called later
# (disable_telemetry_events) leaves both. Of 1.32 these values, in any case, switch it off; "0",
# "2", "no" and "" leave it on.
_SWITCH = "ORT_DISABLE_TELEMETRY"
_OFF = ("1", "true", "yes", "on")
# openvino's converter sends an "import" event as it is imported; nncf sends through the same
# package. Both take their absence as "not installed".
_SENDERS = ("openvino_telemetry", "openvino.tools.ovc")

_ABSENT = object()
_lock = threading.RLock()
_doubts: dict[str, str] = {}
_logged: set[str] = set()


def _fresh_lock() -> None:
    """In a forked child: the lock may have been held by a thread that is not there any more."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh_lock)


def _switched_off() -> bool:
    return os.environ.get(_SWITCH, "").lower() in _OFF


def forbid_telemetry() -> None:
    """Set what keeps the runtimes from sending, for this process and those it starts.

    A value that leaves telemetry on, also a "0" that the user set, is replaced: nssbg promises
    that nothing leaves the machine, and its process keeps the promise as a whole. os.environ
    also changes the C library's environment, where the runtime reads it. Where a host program
    loaded a runtime before, that is remembered (see telemetry_doubts).
    """
    if not _switched_off():
        if "onnxruntime" in sys.modules:
            _doubts.setdefault(
                "onnxruntime",
                f"onnxruntime was imported before nssbg, without {_SWITCH}=1: it may send its "
                f"telemetry. Set {_SWITCH}=1 in the environment, or import nssbg first",
            )
        os.environ[_SWITCH] = "1"
    for sender, owner in (("openvino.tools.ovc", "openvino"), ("nncf", "nncf")):
        if sys.modules.get(sender) is not None and sys.modules.get(_SENDERS[0]) is not None:
            _doubts.setdefault(
                owner,
                f"{sender} was imported outside nssbg, with {_SENDERS[0]}: it may send its "
                f"telemetry. Import nssbg first, or pip uninstall {_SENDERS[0].replace('_', '-')}",
            )


def _warn_once(name: str) -> None:
    if name in _doubts and name not in _logged:
        import logging

        _logged.add(name)
        logging.getLogger("nssbg").warning("%s", _doubts[name])


def telemetry_doubts() -> tuple[str, ...]:
    """Why a runtime may send something in this process all the same; empty: none does."""
    forbid_telemetry()
    return tuple(_doubts.values())


def telemetry_measures() -> tuple[str, ...]:
    """What keeps each runtime from sending, one line each."""
    return (
        f"onnxruntime: {_SWITCH}={os.environ.get(_SWITCH, '')} before it is loaded",
        f"openvino, nncf: loaded without {_SENDERS[0]}",
    )


@contextlib.contextmanager
def telemetry_kept_out() -> Iterator[None]:
    """While it is open, the packages that send openvino's and nncf's telemetry are not there.

    Whoever imports them afterwards gets them as always, and what was loaded stays loaded.
    """
    with _lock:
        before = {name: sys.modules.get(name, _ABSENT) for name in _SENDERS}
        sys.modules.update(dict.fromkeys(_SENDERS))  # type: ignore[arg-type]
        try:
            yield
        finally:
            for name, module in before.items():
                if module is _ABSENT:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module  # type: ignore[assignment]


def import_onnxruntime(part: str = "") -> Any:
    """The onnxruntime module, its telemetry switched off.

    Args:
        part: A submodule to have in its place: "quantization".

    Raises:
        ImportError: It is not installed or does not load.
    """
    forbid_telemetry()
    _warn_once("onnxruntime")
    module = importlib.import_module("onnxruntime")
    # Windows builds, and what a host program's early import left to be switched off.
    with contextlib.suppress(Exception):
        module.disable_telemetry_events()
    return importlib.import_module(f"onnxruntime.{part}") if part else module


def import_openvino(part: str = "") -> Any:
    """The openvino module, loaded without its telemetry and its model converter.

    The converter sends an event as it is imported and takes a third of the import's time.

    Args:
        part: A submodule to have in its place: "opset8".

    Raises:
        ImportError: It is not installed or its libraries do not load.
    """
    forbid_telemetry()
    _warn_once("openvino")
    name = f"openvino.{part}" if part else "openvino"
    if name in sys.modules:
        return importlib.import_module(name)  # waits where another thread still imports it
    with telemetry_kept_out():
        return importlib.import_module(name)


def import_nncf() -> Any:
    """The nncf module; to be called and used while telemetry_kept_out is open.

    nncf imports parts of itself, and of openvino, only when they are used.

    Raises:
        ImportError: It is not installed or does not load.
    """
    forbid_telemetry()
    _warn_once("nncf")
    with telemetry_kept_out():
        return importlib.import_module("nncf")
