"""Reads options as requests give them: text of forms and queries, or values of JSON."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from nssbg._errors import OptionError

__all__ = ["Values", "from_base64"]

# Names that can stand in a header.
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,40}")
_WORDS = {"true": True, "1": True, "yes": True, "on": True}
_WORDS |= {"false": False, "0": False, "no": False, "off": False}


class Values:
    """Named values, each taken once; what is left at the end is an error.

    Args:
        given: Name -> text, or a value of JSON. Empty text and null are as if left out.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._left = {
            name: value for name, value in given.items() if value is not None and value != ""
        }

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def raw(self, name: str) -> Any:
        """The value as it came, or None."""
        return self._left.pop(name, None)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Text, or a number as JSON has it."""
        value = self._left.pop(name, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{name} must be text, got {_shown(value)}")
        return value

    def word(self, name: str, allowed: Iterable[str], default: str | None = None) -> str | None:
        """One of some words."""
        value = self.text(name, default)
        words = tuple(allowed)
        if value is not None and value not in words:
            raise OptionError(f"{name} must be one of {', '.join(words)}; got {_shown(value)}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false, as JSON has them or in words."""
        value = self._left.pop(name, default)
        found = value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
        if found is None:
            raise OptionError(f"{name} must be true or false, got {_shown(value)}")
        return found

    def number(self, name: str) -> float | None:
        """A finite number."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise OptionError(f"{name} must be a number, got {_shown(value)}")
        return number

    def whole(self, name: str) -> int | None:
        """A whole number."""
        value = self.number(name)
        if value is None:
            return None
        if value != int(value):
            raise OptionError(f"{name} must be a whole number, got {value:g}")
        return int(value)

    def table(self, name: str) -> dict[str, Any] | None:
        """An object of JSON, in JSON itself or as text."""
        value = self._left.pop(name, None)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise OptionError(f"{name} must be JSON, got {_shown(value)}") from None
        if value is not None and not isinstance(value, dict):
            raise OptionError(f"{name} must be a JSON object, got {_shown(value)}")
        return value

    def ignored(self) -> dict[str, str]:
        """Headers that name what nobody took, where an API ignores what it does not know."""
        names = [name for name in self._left if _PLAIN.fullmatch(name)]
        return {"X-Nssbg-Ignored": ", ".join(sorted(names)[:20])} if names else {}

    def done(self, known: Iterable[str]) -> None:
        """Refuse what nobody took.

        Raises:
            OptionError: There is such a name; the nearest known one is told.
        """
        for name in self._left:
            from difflib import get_close_matches

            near = get_close_matches(name, list(known), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise OptionError(f"there is no option {_shown(name)}{hint}")


def from_base64(text: str, name: str) -> bytes:
    """Bytes of base64 text, with or without the head of a data: address.

    Raises:
        OptionError: It is none.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise OptionError(f"{name} must be base64 of a picture's file") from None


def _shown(value: object) -> str:
    said = " ".join(repr(value).split())
    return said if len(said) <= 60 else f"{said[:57]}..."
