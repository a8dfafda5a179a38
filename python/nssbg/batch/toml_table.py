"""Reads TOML strictly: every key is known, of its type and within its bounds, or it is an error.

An error names the file and the key, and says what is allowed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nssbg._errors import OptionError

__all__ = ["Table", "read_toml"]


def read_toml(path: Path) -> Table:
    """A TOML file as a table to be taken apart.

    Raises:
        OptionError: It cannot be read, or is no TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        with path.open("rb") as file:
            return Table(tomllib.load(file), file=str(path))
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is no valid TOML: {error}") from error


class Table:
    """One table of a TOML file; each key is taken once, `done` refuses what is left.

    Args:
        data: The table as the parser gives it.
        file: For messages.
        place: Dotted name of the table in the file, "" for the file itself.
    """

    def __init__(self, data: dict[str, Any], *, file: str, place: str = "") -> None:
        self._left = dict(data)
        self._known: list[str] = []
        self.file = file
        self.place = place

    def __contains__(self, key: str) -> bool:
        """Whether the file has a key that was not taken yet."""
        return key in self._left

    def wrong(self, key: str, expected: str) -> OptionError:
        """The error for a value that is not what was expected."""
        return OptionError(f"{self.file}: {self._named(key)}: {expected}")

    def take(self, key: str, kind: type | tuple[type, ...], default: Any, expected: str) -> Any:
        """The value of a key, or the default where it is not given."""
        self._known.append(key)
        if key not in self._left:
            return default
        value = self._left.pop(key)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.wrong(key, f"{expected}, not {value!r}")
        return value

    def text(self, key: str, default: Any = None) -> Any:
        """A string."""
        return self.take(key, str, default, "expected a text in quotes")

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return bool(self.take(key, bool, default, "expected true or false"))

    def whole(self, key: str, default: Any, low: int, high: int) -> Any:
        """A whole number of low to high."""
        expected = f"expected a whole number of {low} to {high}"
        value = self.take(key, int, default, expected)
        if value is not None and not low <= value <= high:
            raise self.wrong(key, f"{expected}, not {value}")
        return value

    def number(self, key: str, default: Any, low: float, high: float) -> Any:
        """A number of low to high."""
        expected = f"expected a number of {low:g} to {high:g}"
        value = self.take(key, (int, float), default, expected)
        if value is not None and not low <= value <= high:
            raise self.wrong(key, f"{expected}, not {value}")
        return value if value is None else float(value)

    def choice(self, key: str, default: Any, allowed: Sequence[str]) -> Any:
        """One of several words."""
        value = self.text(key, default)
        if value is not None and value not in allowed:
            raise self.wrong(
                key, f"{value!r} is not allowed; expected {_listed(allowed)}{_hint(value, allowed)}"
            )
        return value

    def choices(self, key: str, default: tuple[str, ...], allowed: Sequence[str]) -> Any:
        """A list of words."""
        values = self.take(key, list, list(default), f"expected a list of {_listed(allowed)}")
        for value in values:
            if value not in allowed:
                near = _hint(str(value), allowed)
                raise self.wrong(
                    key, f"{value!r} is not allowed; expected {_listed(allowed)}{near}"
                )
        return tuple(values)

    def table(self, key: str) -> Table:
        """A table within; empty where it is not given."""
        data = self.take(key, dict, {}, f"expected a table, as [{self._named(key)}]")
        return Table(data, file=self.file, place=self._named(key))

    def tables(self, key: str) -> list[Table]:
        """An array of tables."""
        expected = f"expected tables, each under [[{self._named(key)}]]"
        values = self.take(key, list, [], expected)
        if not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, expected)
        return [
            Table(value, file=self.file, place=f"{self._named(key)}[{number}]")
            for number, value in enumerate(values, 1)
        ]

    def done(self) -> None:
        """Refuse keys that nobody took.

        Raises:
            OptionError: There are some.
        """
        if not self._left:
            return
        key = next(iter(self._left))
        hint = _hint(key, self._known)
        raise OptionError(
            f"{self.file}: {self._named(key)} is not known here{hint}; "
            f"allowed: {', '.join(sorted(self._known))}"
        )

    def _named(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _hint(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
