"""`remove`: takes the background out of one picture; models stay open between calls."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from nssbg._delivery import RemoveOptionsDict
from nssbg._models.license import wanted_use
from nssbg._options import CutoutOptions, RemoverOptionsDict, refuse_unknown, spelled_out
from nssbg._pipeline.settings import Settings
from nssbg._remover import Remover
from nssbg._types import ArrayLike, BytesLike, ImageSource, PathLikeText, SupportsRead

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

    from nssbg._compose.background import Background
    from nssbg._vocabulary import FileFormat

__all__ = ["remove"]

# One Remover per set of settings serves `remove`, so that a loop over it opens a model once.
_shared: dict[tuple[Any, ...], Remover] = {}
_shared_lock = threading.Lock()
# Distinct settings held open at once; the oldest is closed beyond this.
_MOST_SHARED = 4
# Keywords of `remove` that say which Remover it is.
_OF_REMOVER = RemoverOptionsDict.__optional_keys__


def _renew_shared_lock() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()


# A thread that does not exist in a forked child may have held it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_shared_lock)


@overload
def remove(
    image: ImageSource, output: PathLikeText, **options: Unpack[RemoveOptionsDict]
) -> Path: ...
@overload
def remove(
    image: PathLikeText, output: PathLikeText | None = None, **options: Unpack[RemoveOptionsDict]
) -> Path: ...
@overload
def remove(
    image: BytesLike | SupportsRead, output: None = None, **options: Unpack[RemoveOptionsDict]
) -> bytes: ...
@overload
def remove(image: Image, output: None = None, **options: Unpack[RemoveOptionsDict]) -> Image: ...
@overload
def remove(
    image: ArrayLike, output: None = None, **options: Unpack[RemoveOptionsDict]
) -> NDArray[Any]: ...
@overload
def remove(
    image: ImageSource, output: PathLikeText | None = None, **options: Unpack[RemoveOptionsDict]
) -> Path | bytes | Image | NDArray[Any]: ...


# Type checkers see the overloads; `help()` and notebooks the signature that is spelled out.
@spelled_out(Settings, CutoutOptions)
def remove(
    image: ImageSource,
    output: PathLikeText | None = None,
    *,
    model: PathLikeText = "auto",
    background: Background | None = None,
    mask: bool = False,
    format: FileFormat | None = None,
    overwrite: bool = True,
    **options: Any,
) -> Path | bytes | Image | NDArray[Any]:
    """Take the background out of one picture; the result has the type that was given.

    A shared `Remover` per model and device is kept open between calls. See `Remover` for
    model, device, backend, threads, license, max_pixels and max_memory, `CutoutOptions` for
    effort, refine, decontaminate, strength, matte and ignore_alpha, and `Remover.remove` for
    the others, for what is returned and what is raised.
    """
    refuse_unknown(remove, options, RemoveOptionsDict.__optional_keys__)
    where = {name: options.pop(name) for name in _OF_REMOVER & options.keys()}
    return _shared_remover(model, where).remove(
        image,
        output,
        background=background,
        mask=mask,
        format=format,
        overwrite=overwrite,
        **options,
    )


def _shared_remover(model: PathLikeText, where: Mapping[str, Any]) -> Remover:
    """The one Remover of these settings, opened where it is not yet."""
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    # Resolved here: with another NSSBG_LICENSE it is another Remover.
    where = {**where, "license": wanted_use(where.get("license"))}
    key = astuple(Settings(model=name, **where))
    with _shared_lock:
        remover = _shared.pop(key, None) or Remover(name, **where)
        _shared[key] = remover  # newest last
        while len(_shared) > _MOST_SHARED:
            # The oldest is only let go, not closed: another thread may be using it.
            _shared.pop(next(iter(_shared)))
    return remover
