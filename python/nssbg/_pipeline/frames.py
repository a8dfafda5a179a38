"""Frames of a film or a camera as an iterator: arrays in, arrays out, in order, bounded in flight.

A frame is copied as it is pulled, so that a reader may fill one buffer again and again; channels
are swapped here too, where they come as OpenCV has them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ImageDecodeError, NssbgError
from nssbg._io.array_like import as_array
from nssbg._pipeline.outcome import StreamReport
from nssbg._pipeline.stream import Stream
from nssbg._vocabulary import ChannelOrder

__all__ = ["FrameStream", "copied", "reordered"]

log: logging.Logger = logging.getLogger("nssbg")

# Seconds that a close waits for a frame that is being read: a camera gives 5 a second and more,
# and its capture must not be released while it reads.
_PATIENCE = 5.0


class FrameStream(Iterator[NDArray[Any]]):
    """The cut-outs of frames, in order. Close it (or use `with`) to stop.

    Args:
        stream: Whose sink makes the arrays; it pulls from `frames`.
        frames: The caller's own iterator, closed at the end where it is a generator.
    """

    def __init__(self, stream: Stream, frames: Iterator[Any]) -> None:
        self._stream = stream
        self._frames = frames
        self._closed = False

    def __next__(self) -> NDArray[Any]:
        """The next frame's cut-out; waits for it.

        Raises:
            ImageDecodeError: What was read is no frame; the message has its number, from 0. All
                frames before it were handed over, and the stream is closed.
        """
        if self._closed:
            raise StopIteration
        try:
            outcome = next(self._stream)
        except BaseException:  # the end, or an error of the caller's own iterator
            self.close()
            raise
        if outcome.error is None:
            cutout: NDArray[Any] = outcome.output_path
            return cutout
        self.close()
        if isinstance(outcome.error, NssbgError):
            named = type(outcome.error)(f"frame {outcome.index}: {outcome.error}")
            raise named from outcome.error
        raise outcome.error

    def close(self) -> None:
        """Stop: frames in flight are dropped, and a generator that gave them is closed.

        A frame that is being read is waited for, five seconds at most.
        """
        if self._closed:
            return
        self._closed = True
        self._stream.close()
        if not self._stream.wait_for_source(_PATIENCE):
            log.warning(
                "frames: the reader has not returned for %g s; its thread is left, and ends with "
                "it. Do not release what it reads from before",
                _PATIENCE,
            )
            return
        close = getattr(self._frames, "close", None)
        if callable(close):
            close()

    def __enter__(self) -> FrameStream:
        """Use as `with remover.frames(frames) as cutouts:`."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self.close()

    def report(self) -> StreamReport:
        """Where the time went so far; `images / wall` are the frames a second."""
        return self._stream.report()


def copied(frames: Iterable[Any], order: ChannelOrder) -> Iterator[NDArray[Any]]:
    """Each frame as an array of its own, channels in the order red, green, blue.

    Raises:
        ImageDecodeError: One is no array; the message has its number, from 0.
    """
    for index, frame in enumerate(frames):
        if not hasattr(type(frame), "__array__"):
            raise ImageDecodeError(
                f"frame {index}: expected an array, H x W x 3 of uint8 (or as `Remover.cutout` "
                f"takes them), got {type(frame).__name__}; where a reader gives that at its end, "
                "stop there"
            )
        array = as_array(frame, f"frame {index}")
        yield array.copy() if order == "rgb" else reordered(array, order)


def reordered(array: NDArray[Any], order: ChannelOrder) -> NDArray[Any]:
    """A copy with red and blue exchanged where the order is "bgr"; the array itself where not.

    Args:
        array: H x W x 3 or 4 of any type; other shapes have no order and are copied.
        order: The one that is come from, or gone to.
    """
    if order == "rgb":
        return array
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        return array.copy()
    out = np.empty_like(array, order="C")
    # Plane by plane: three times as fast as one copy with a negative stride.
    for place, taken in enumerate((2, 1, 0, 3)[: array.shape[2]]):
        out[..., place] = array[..., taken]
    return out
