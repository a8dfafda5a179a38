"""`new_session`: a session by rembg's name, and the one that serves calls that name none."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from nssbg._errors import OptionError
from nssbg.compat.rembg.mode import is_exact
from nssbg.compat.rembg.sessions import sessions_class
from nssbg.compat.rembg.sessions.base import BaseSession
from nssbg.compat.rembg.sessions.named import AutoSession

__all__ = ["new_session", "shared_session"]

_log = logging.getLogger("nssbg")


class _Unnamed(str):
    """rembg's default name where the caller named none."""

    __slots__ = ()


_DEFAULT = _Unnamed("bria-rmbg")
_REMOTE = ("withoutbg", "atlascloud")

_told = threading.Event()


def _tell_of_default() -> None:
    if not _told.is_set():
        _told.set()
        _log.warning(
            "no model was named: nssbg's own default (auto) runs, not rembg's (bria-rmbg, whose "
            "weights are for non-commercial use); new_session('bria-rmbg') names that one"
        )


def new_session(
    model_name: str = _DEFAULT, *args: Any, sess_opts: Any = None, **kwargs: Any
) -> BaseSession:
    """A session of one of rembg's names.

    Args:
        model_name: See `sessions.sessions_names`; "auto": nssbg's own default, which is also taken
            where none is named (it is said once in the log). Under NSSBG_COMPAT=exact that is
            rembg's, "bria-rmbg".
        args: Handed to the session.
        sess_opts: onnxruntime.SessionOptions; `intra_op_num_threads` counts everywhere, the rest
            where code runs `inner_session` itself.
        kwargs: `providers`, `model_path`; others are handed to the session.

    Raises:
        OptionError (a ValueError): No such model, or none that nssbg serves; the message names
            another.
        ModelError: Its weights are not on this machine and cannot be pulled.
        LicenseError: They do not allow the use asked for.
    """
    if isinstance(model_name, _Unnamed) and not is_exact():
        _tell_of_default()
        return AutoSession("auto", sess_opts, *args, **kwargs)
    if model_name == AutoSession.name():
        return AutoSession("auto", sess_opts, *args, **kwargs)
    for kind in sessions_class:
        if kind.name() == model_name:
            return kind(str(model_name), sess_opts, *args, **kwargs)
    hint = "nssbg.Remover(model=...) takes every name of `nssbg models list`"
    if model_name in _REMOTE:
        hint = "it sends images to a service, and with nssbg none leaves the machine; name a model"
    raise OptionError(f"No session class found for model '{model_name}'; {hint}")


# One session serves calls of `remove` without one, where rembg opens its model anew each time.
_shared: dict[str, BaseSession] = {}
_lock = threading.Lock()
_MOST_SHARED = 4


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A thread that does not exist in a forked child may have held it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def shared_session(*args: Any, **kwargs: Any) -> BaseSession:
    """The session of a call that brought none; arguments as of `new_session` without the name."""
    # What else a call brings is for `predict`.
    key = repr((is_exact(), *(kwargs.get(name) for name in ("providers", "sess_opts"))))
    with _lock:
        found = _shared.pop(key, None)
        if found is None:
            found = new_session(_DEFAULT, *args, **kwargs)
        _shared[key] = found  # newest last
        while len(_shared) > _MOST_SHARED:
            _shared.pop(next(iter(_shared)))
    return found
