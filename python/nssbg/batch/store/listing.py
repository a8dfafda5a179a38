"""Finds and reads the pictures of object stores: one listing a source, then whole objects.

What comes in are URIs and globs; what goes out is an `Item` for each picture as
`nssbg.batch.sources.scan` gives it, and what the listing said of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._io import NamedBytes
from nssbg.batch.address import base_name, is_uri, joined
from nssbg.batch.resume import Loaded
from nssbg.batch.sidecar import SUFFIX
from nssbg.batch.sink import StorageError
from nssbg.batch.sources import STATE_FOLDER, Filter, Item, Problem
from nssbg.batch.store.objects import Objects, open_objects

__all__ = ["Sources"]

_GLOB = re.compile(r"[*?\[]")


class Sources:
    """Pictures in stores; safe to use from several threads once `scan` is through.

    Attributes:
        sizes: Bytes of each picture that was listed, by its URI.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._stamps: dict[str, str] = {}
        self._opened: dict[str, Objects] = {}

    def scan(
        self,
        source: str,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        output: str | None = None,
    ) -> Iterator[Item | Problem]:
        """The pictures below a URI, sorted by name; see `nssbg.batch.sources.scan`.

        Args:
            source: A prefix, an object, or a glob: `*` within a name, `**` across folders.
            include: See `nssbg.batch.sources.Filter`.
            exclude: The same.
            output: The output's URI; what lies below it is not read back.

        Raises:
            OptionError: There is nothing there.
            StorageError: The store does not answer.
        """
        top, pattern = _parted(source)
        if pattern is not None and self.stamp(source):
            yield self._single(source)
            return
        if output is not None and top.rstrip("/") == output.rstrip("/"):
            raise OptionError(
                f"{source}: this is the output itself; results would lie among the pictures. Give "
                "another output (one below the source is fine)"
            )
        chosen = Filter(tuple(include), tuple(exclude))
        objects = self._objects(top)
        listed = [one for one in objects.find() if one.name]
        names = {one.name for one in listed}
        matched = False
        for one in listed:
            address = joined(top, one.name)
            parts = one.name.split("/")
            if pattern is not None:
                if not pattern.fullmatch(one.name):
                    continue
            elif any(part.startswith(".") for part in parts):
                continue
            if STATE_FOLDER in parts or (output and address.startswith(f"{output.rstrip('/')}/")):
                continue
            above = ["/".join(parts[: depth + 1]) for depth in range(len(parts) - 1)]
            if any(map(chosen.excludes, above)) or not chosen.takes(one.name):
                continue
            matched = True
            self.sizes[address] = one.bytes
            self._stamps[address] = one.stamp
            if one.name + SUFFIX in names:
                yield Problem(
                    address,
                    "corrections",
                    f"{address}: corrections beside pictures in a store are not read; bring "
                    f"{base_name(one.name)}{SUFFIX} into a folder and give it by --corrections",
                )
                continue
            yield Item(address, "/".join(parts[:-1]))
        if matched or pattern is not None or listed:
            if not matched and pattern is not None:
                raise OptionError(f"{source}: no picture matches this pattern")
            return
        yield self._single(source)

    def stamp(self, address: str) -> str:
        """A picture's stamp; "" where there is none."""
        known = self._stamps.get(address)
        if known is None:
            folder, name = _split(address)
            known = self._objects(folder).stamp(name) or ""
        return known

    def load(self, address: str) -> Loaded:
        """Read a picture whole.

        Raises:
            ImageDecodeError: It is not there, or may not be read.
            StorageError: The store does not answer.
        """
        folder, name = _split(address)
        try:
            data = NamedBytes(self._objects(folder).read(name))
        except FileNotFoundError as error:
            raise ImageDecodeError(f"cannot read {address}: it is not there any more") from error
        except StorageError as error:
            if isinstance(error.__cause__, PermissionError):
                raise ImageDecodeError(f"cannot read {address}: {error.__cause__}") from error
            raise
        data.name = address
        return Loaded(data, hashlib.sha256(data).hexdigest(), self._stamps.get(address, ""))

    def _single(self, address: str) -> Item:
        """A source that names one object."""
        folder, name = _split(address)
        stamp = self._objects(folder).stamp(name) if name else None
        if stamp is None:
            raise OptionError(f"{address}: there is no such object or folder")
        self._stamps[address] = stamp
        return Item(address, "")

    def _objects(self, top: str) -> Objects:
        found = self._opened.get(top)
        if found is None:
            found = self._opened[top] = open_objects(top)
        return found


def uris_of(sources: Iterable[Any]) -> list[str]:
    """Those of some sources that are URIs."""
    return [str(source) for source in sources if is_uri(source)]


def _split(address: str) -> tuple[str, str]:
    folder, _, name = address.rpartition("/")
    return folder, name


def _parted(source: str) -> tuple[str, re.Pattern[str] | None]:
    """The part of a source before any wildcard, and what names below it have to match."""
    scheme, _, rest = source.partition("://")
    parts = rest.split("/")
    fixed = next((number for number, part in enumerate(parts) if _GLOB.search(part)), None)
    if fixed is None:
        return source.rstrip("/"), None
    if fixed == 0:
        raise OptionError(f"{source}: a wildcard may not stand in the name of the bucket")
    pieces = []
    for number, part in enumerate(parts[fixed:]):
        last = number == len(parts) - fixed - 1
        if part == "**":
            pieces.append(".*" if last else "(?:.*/)?")
        else:
            pieces.append(_name_pattern(part) + ("" if last else "/"))
    return f"{scheme}://{'/'.join(parts[:fixed])}", re.compile("".join(pieces), re.DOTALL)


def _name_pattern(part: str) -> str:
    """A glob of one name as a regular expression."""
    made = ""
    at = 0
    while at < len(part):
        letter = part[at]
        end = part.find("]", at + 2) if letter == "[" else -1
        if letter == "*":
            made += "[^/]*"
        elif letter == "?":
            made += "[^/]"
        elif end > 0:
            inside = part[at + 1 : end].replace("\\", "\\\\")
            made += "[" + ("^" + inside[1:] if inside.startswith("!") else inside) + "]"
            at = end
        else:
            made += re.escape(letter)
        at += 1
    return made
