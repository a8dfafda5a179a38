"""Names of outputs from templates: "{dir}/{stem}-{index:02}.{ext}".

A name is relative, stays below the output folder, and holds what the fields say, unchanged.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from nssbg._errors import OptionError

__all__ = ["FIELDS", "check_template", "expanded"]

# What a template may name. dir alone may hold folders.
FIELDS = ("dir", "stem", "sku", "index", "profile", "ext")
_EXAMPLE: dict[str, Any] = {
    "dir": "a", "stem": "b", "sku": "c", "index": 1, "profile": "d", "ext": "e"
}  # fmt: skip


def check_template(template: str) -> None:
    """Refuse a template that could not be expanded, whatever the picture.

    Raises:
        OptionError: It names an unknown field, is malformed, or leads out of the output folder.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise OptionError(f"the name {template!r} is malformed: {error}") from error
    named = [name for _, name, _, _ in parts if name is not None]
    for name in named:
        if name not in FIELDS:
            known = ", ".join(f"{{{known}}}" for known in FIELDS)
            raise OptionError(f"the name {template!r} has {{{name}}}; expected {known}")
    if not {"stem", "sku"} & set(named):
        raise OptionError(
            f"the name {template!r} would be the same for all pictures; put {{stem}} in it"
        )
    expanded(template, _EXAMPLE)


def expanded(template: str, fields: Mapping[str, Any]) -> str:
    """The name of one output.

    Args:
        template: As `check_template` lets it pass.
        fields: Values for `FIELDS`; "dir" may be "" or hold folders, the others may not.

    Returns:
        A relative name with "/" between folders.

    Raises:
        OptionError: A field that the template names is missing or holds a path.
    """
    values = {}
    for name in {part for _, part, _, _ in string.Formatter().parse(template) if part}:
        value = fields.get(name)
        if value is None or (value == "" and name != "dir"):
            raise OptionError(
                f"the name {template!r} needs {{{name}}}, which this picture does not have"
            )
        text = str(value)
        if name != "dir" and ("/" in text or "\\" in text or "\0" in text):
            raise OptionError(f"{name} is {text!r}, which cannot stand in a file name")
        values[name] = value
    try:
        made = template.format(**values)
    except (ValueError, TypeError, LookupError) as error:
        raise OptionError(f"the name {template!r} cannot be filled: {error}") from error
    # An empty dir leaves "/name", which means the folder itself.
    relative = made.lstrip("/") if not values.get("dir", "x") else made
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise OptionError(f"the name {made!r} leads out of the output folder")
    return str(path)
