"""What a fuzzed file is given to, and what counts as a fault.

A target returns what it read, or raises an NssbgError with one line that names the file. All else
is a fault: another exception, a warning, a word on stderr, too much time or memory, a crash.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["MOST_BYTES", "MOST_SECONDS", "TARGETS", "is_fault", "verdict"]

MOST_PIXELS = 2_000_000
# Far above what a file under MOST_PIXELS takes (32 bytes a pixel), far below what hurts.
MOST_BYTES = 400 << 20
MOST_SECONDS = 8.0  # of processor time

_NAME = "fuzzed-file"


def _picture(data: bytes, folder: Path) -> None:
    from nssbg._io import decode
    from nssbg._io.peek import peek_size

    size = peek_size(data)
    assert size is None or (len(size) == 3 and all(side >= 0 for side in size)), size
    frame = decode(data, name=_NAME, max_pixels=MOST_PIXELS)
    height, width, channels = frame.rgb.shape
    assert channels == 3, channels
    assert 1 <= height * width <= MOST_PIXELS, (height, width)
    assert frame.rgb.dtype in ("uint8", "uint16"), frame.rgb.dtype
    assert frame.alpha is None or frame.alpha.shape == (height, width), frame.alpha.shape


def _onnx(data: bytes, folder: Path) -> None:
    from nssbg._models.onnx_header import input_dimensions, may_hold_deform_conv, read_header

    path = folder / f"{_NAME}.onnx"
    path.write_bytes(data)
    header = read_header(path)
    assert header.outputs
    may_hold_deform_conv(header.operators)
    input_dimensions(path)


def _sidecar(suffix: str) -> Callable[[bytes, Path], None]:
    def read(data: bytes, folder: Path) -> None:
        from nssbg._models.sidecar import read_sidecar

        path = folder / f"{_NAME}{suffix}"
        path.write_bytes(data)
        described = read_sidecar(path, weights=folder / "weights.onnx")
        # What a description may be asked next: nothing of it may fall over its numbers.
        sides = described.input_size(1200, 1600)
        assert all(isinstance(side, int) and side >= 1 for side in sides), sides

    return read


def _catalog(data: bytes, folder: Path) -> None:
    from nssbg._models.sidecar import description_from_mapping, read_toml

    path = folder / f"{_NAME}.toml"
    path.write_bytes(data)
    for name, entry in read_toml(path).items():
        values = entry if isinstance(entry, dict) else {"name": entry}
        description_from_mapping({"name": name, **values}, source=f"{path} [{name}]")


def _plans(data: bytes, folder: Path) -> None:
    from nssbg._planner import store

    path = folder / f"{_NAME}.json"
    path.write_bytes(data)
    measured = store.load(path, "key")
    store.store(path, "key", measured)
    assert store.load(path, "key") == measured


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "picture": _picture,
    "onnx": _onnx,
    "toml": _sidecar(".toml"),
    "json": _sidecar(".json"),
    "catalog": _catalog,
    "plans": _plans,
}


class _Log(logging.Handler):
    """Keeps the package's own log lines, which are no library's word on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextlib.contextmanager
def _logged() -> Iterator[list[str]]:
    """The lines that nssbg logs meanwhile."""
    log, handler = logging.getLogger("nssbg"), _Log()
    log.addHandler(handler)
    try:
        yield handler.lines
    finally:
        log.removeHandler(handler)


def is_fault(said: str) -> bool:
    """Whether a verdict is one to be mended."""
    return said not in ("read", "refused")


def verdict(kind: str, data: bytes) -> str:
    """ "read", "refused", or a fault in one line; the same for the same fault elsewhere."""
    from nssbg import NssbgError

    with tempfile.TemporaryDirectory(prefix="nssbg-fuzz-") as place:
        memory = _resident()
        began = time.process_time()
        with (
            _stderr_in(Path(place) / "stderr") as noise,
            warnings.catch_warnings(record=True) as seen,
            _logged() as lines,
        ):
            warnings.simplefilter("always")
            try:
                TARGETS[kind](data, Path(place))
                said = "read"
            except NssbgError as error:
                text = str(error)
                said = "refused"
                if "\n" in text or len(text) > 2000:
                    said = "fault: an error of more than a line"
                elif _NAME not in text:
                    said = f"fault: an error that names no file: {type(error).__name__}"
            except BaseException as error:
                said = f"fault: {type(error).__name__} {_where(error)}"
        took = time.process_time() - began
        grown = _peak() - memory
        if took > MOST_SECONDS:
            return f"fault: more than {MOST_SECONDS:g} s of processor time"
        if grown > MOST_BYTES:
            return f"fault: more than {MOST_BYTES >> 20} MB of memory"
        if said in ("read", "refused"):
            if seen:
                return (
                    f"fault: warning {seen[0].category.__name__} from {Path(seen[0].filename).name}"
                )
            if any("\n" in line or len(line) > 2000 for line in lines):
                return "fault: a log entry of more than a line"
            if noise.exists() and noise.stat().st_size:
                return "fault: a library's line on stderr"
        return said


def _where(error: BaseException) -> str:
    """The innermost line of the package's own on the way to an error."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}nssbg{os.sep}" in frame.filename]
    frame = (own or frames)[-1]
    return f"in {frame.name} of {Path(frame.filename).name}"


@contextlib.contextmanager
def _stderr_in(path: Path):
    """The C libraries' stderr too."""
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield path
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _status(key: str) -> int:
    with contextlib.suppress(OSError), Path("/proc/self/status").open() as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1]) << 10
    return 0


def _resident() -> int:
    """Bytes in memory now; begins a new peak, where the system lets itself be asked."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmHWM:")


def _peak() -> int:
    return _status("VmHWM:")
