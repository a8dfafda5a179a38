"""What the process's fork and the interpreter's end mean for what nssbg holds open.

Native calls are counted by the core's gate (cpp/include/nssbg/call_gate.hpp): a fork and the
interpreter's end wait until none runs. Here is what else both ask for:

- A runtime's networks are never used or destroyed in a forked child: its threads did not come
  along, and taking such a network down waits for them for ever. They are kept there for ever.
- A runtime whose thread pool does not survive a fork is refused in the child with a clear error.
- Streams end their workers before the interpreter ends.
"""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any, Protocol

from nssbg import _core
from nssbg._errors import ForkError

__all__ = ["NativeCall", "holds_native", "refuse_after_fork", "stop_at_exit", "used_runtime"]


class NativeCall:
    """A call into another library's native code: `with NativeCall(): session.run(...)`.

    Nothing inside may wait for another Python thread: forks and the interpreter's end wait for it.
    """

    def __enter__(self) -> None:
        """Wait out a fork; SystemExit, which ends a thread, once the interpreter ends."""
        _core.enter_call()

    def __exit__(self, *error: object) -> None:
        """Done."""
        _core.leave_call()


class Stoppable(Protocol):
    """What has threads to be ended."""

    def stop_at_exit(self) -> None:
        """Let nothing new begin, and wait a little for what runs."""
        ...


# Objects whose attributes are a runtime's.
_holders: weakref.WeakSet[Any] = weakref.WeakSet()
_stoppable: weakref.WeakSet[Any] = weakref.WeakSet()
# Runtimes that this process, and those that one of its parents, opened a network with.
_used: set[str] = set()
_inherited: set[str] = set()


def holds_native(holder: object) -> None:
    """Name an object whose attributes must outlive a fork's child, from before they are made."""
    _holders.add(holder)


def used_runtime(runtime: str) -> None:
    """Say that a network is opened with a runtime that does not survive a fork."""
    _used.add(runtime)


def refuse_after_fork(runtime: str) -> None:
    """Refuse to open a network where that may hang.

    Raises:
        ForkError: A process that this one was forked from used the runtime.
    """
    if runtime in _inherited:
        raise ForkError(
            f"{runtime} was in use in the process that this one (pid {os.getpid()}) was forked "
            "from, and its threads do not survive a fork; start processes with "
            'multiprocessing.get_context("spawn") or "forkserver", fork before the first picture, '
            'or use backend="onnxruntime"'
        )


def stop_at_exit(stoppable: Stoppable) -> None:
    """Have `stop_at_exit()` called before the interpreter ends, if the object still lives then."""
    _stoppable.add(stoppable)


def _at_exit() -> None:
    for one in list(_stoppable):
        one.stop_at_exit()


def _in_child() -> None:
    for holder in list(_holders):
        # The attributes too: whoever closes the holder lets go of them.
        _core.keep_for_ever([holder, *vars(holder).values()])
    for one in list(_stoppable):
        _core.keep_for_ever(one)  # its sources too: a generator's clean-up is the parent's
    _holders.clear()
    _stoppable.clear()
    _inherited.update(_used)
    _used.clear()


# After the core's own, which waits for native calls: so before it, last in, first out.
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
