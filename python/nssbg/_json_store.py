"""Small JSON files that only save time: read if they are whole, else made again; written whole.

Measured plans, the machine's rates and what was verified lie in such files. Damage to one costs a
measurement, never a command.
"""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path
from typing import Any

from nssbg import _fs

__all__ = ["read_json", "write_json"]

log = logging.getLogger("nssbg")

_LARGEST = 16 << 20  # bytes; the largest of them stays far below one megabyte


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty where there is none.

    A damaged file is removed with a warning: what stood in it is measured again.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"larger than {_LARGEST >> 20} MB")
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("not an object")
    except OSError:
        return {}
    except (ValueError, RecursionError) as error:
        log.warning("%s: damaged (%s); it is ignored and made again", path, error)
        with contextlib.suppress(OSError):
            path.unlink()
        return {}
    return data


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Put the object into the file, in the place of what was there.

    Raises:
        OSError: It cannot be written; what was there stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _fs.write(path, json.dumps(data, indent=1).encode(), sync=False)
