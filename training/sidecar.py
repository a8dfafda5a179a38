"""Tables of figures in a model's sidecar, put there by calibrate, choose and evaluate_int8.

`export.py` writes a description without them, since another network's weights mean nothing for a
new one: until both have run, its results have no confidence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from nssbg._models.sidecar import find_sidecar, read_sidecar

__all__ = ["put_table", "with_table"]


Value = str | float | Sequence[float]


def _value(value: Value) -> str:
    """As TOML has it: weights with three places, other numbers with four, text in quotes."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return str(value) if isinstance(value, int) else f"{value:.4f}"
    return f"[{', '.join(f'{weight:.3f}' for weight in value)}]"


def with_table(text: str, name: str, comment: str, rows: Mapping[str, Value]) -> str:
    """The text of a sidecar with that table as its last, in place of the one it had."""
    blocks = text.strip("\n").split("\n\n")
    # A table begins a block of its own, after the comments that belong to it.
    kept = [block for block in blocks if f"[{name}]" not in block.splitlines()]
    lines = [f"# {comment}", f"[{name}]"]
    lines += [f"{key} = {_value(row)}" for key, row in rows.items()]
    return "\n\n".join([*kept, "\n".join(lines)]) + "\n"


def put_table(model: Path, name: str, comment: str, rows: Mapping[str, Value]) -> Path:
    """Put a table into the sidecar beside a model; the sidecar's path.

    Raises:
        SystemExit: There is no sidecar.
        ModelError: The package would refuse what came of it; the sidecar is as it was.
    """
    path = find_sidecar(model)
    if path is None or path.suffix != ".toml":
        raise SystemExit(f"{model}: no TOML sidecar beside it to put [{name}] into")
    made = path.with_name(f"new-{path.name}")
    made.write_text(with_table(path.read_text(), name, comment, rows))
    try:
        read_sidecar(made, weights=model)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return path
