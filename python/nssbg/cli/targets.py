"""Where each picture's result goes, and what stands in the way, before any work is done.

A source or a background picture is never a goal. A file that is there is replaced only with
`--overwrite`, or after a yes on a terminal. In the short form results of an earlier run are
not taken for pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from pathlib import Path

from nssbg import _fs
from nssbg._errors import ImageEncodeError, OptionError
from nssbg.cli.console import printable

__all__ = ["check_pairs", "pairs_of"]

_RESULTS = ("-cutout", "-mask")
# Names of the command's own standard output.
_STDOUT_NAMES = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def pairs_of(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Input and output of each picture; "-" is stdin or stdout.

    Raises:
        OptionError: The paths make no sense together.
    """
    return _beside(arguments) if arguments.beside else [_in_and_out(arguments.paths)]


def check_pairs(pairs: list[tuple[str, str]], arguments: argparse.Namespace) -> None:
    """Refuse what would write over a file that is to stay.

    Sets `arguments.overwrite` where a person at the terminal says so.

    Raises:
        OptionError: A goal is an input.
        ImageEncodeError: A goal is there already and is not to be replaced.
    """
    _refuse_inputs(pairs, arguments.background)
    if not arguments.overwrite:
        _ask_about_existing(pairs, arguments)


def _in_and_out(paths: list[str]) -> tuple[str, str]:
    if len(paths) != 2:
        raise OptionError(
            f"`nssbg remove` takes IN and OUT, got {len(paths)} paths; "
            "for several pictures use `nssbg PHOTO...`"
        )
    source, output = paths
    return source, "-" if output in _STDOUT_NAMES else output


def _beside(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Each picture once, with the name of its result; no two results have one name."""
    from nssbg._delivery import default_output

    if "-" in arguments.paths:
        raise OptionError("to read stdin say where to write: nssbg remove - OUT")
    pairs: dict[str, tuple[str, str]] = {}
    for path in _without_results(list(dict.fromkeys(arguments.paths))):
        output = str(default_output(path, arguments.format, arguments.mask))
        key = _key(path, output)
        if key not in pairs:
            pairs[key] = (path, output)
        elif _fs.identity(path) is None or _fs.identity(path) != _fs.identity(pairs[key][0]):
            raise OptionError(
                f"{pairs[key][0]} and {path} would both be written to {output}; "
                "cut them out one by one: nssbg remove IN OUT"
            )
    return list(pairs.values())


def _key(source: str, output: str) -> str:
    """The same for outputs that would be one file: spelled otherwise, or in other case."""
    path = Path(output)
    key = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118
    other = Path(source).with_name(Path(source).name.swapcase())
    found = _fs.identity(source)
    if found is not None and other.name != Path(source).name and found == _fs.identity(other):
        return key.casefold()  # the file system does not tell cases apart
    return key


def _without_results(paths: list[str]) -> list[str]:
    """The paths without results of an earlier run, which are told of."""
    listed: dict[Path, dict[str, str]] = {}
    originals = {path: _original_of(Path(path), listed) for path in paths}
    results = [path for path in paths if originals[path] is not None]
    if results:
        if len(results) == 1:
            words = f"{results[0]}, by its name the result of {originals[results[0]]}"
        else:
            words = f"{len(results)} files that by their names are results ({_few(results)})"
        hint = "to cut out such a file: nssbg remove IN OUT"
        if len(results) == len(paths):
            raise OptionError(f"no picture is left: took out {words}; {hint}")
        print(f"nssbg: left out {printable(words)}; {hint}", file=sys.stderr)
    return [path for path in paths if originals[path] is None]


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _original_of(path: Path, listed: dict[Path, dict[str, str]]) -> str | None:
    """The picture that a result's name speaks of, where it is there.

    `listed` keeps the pictures of folders that were looked at: name without suffix -> name.
    """
    ending = next((end for end in _RESULTS if path.stem.endswith(end)), None)
    if ending is None or path.stem == ending:
        return None
    if path.parent not in listed:
        from nssbg._io import has_picture_suffix

        listed[path.parent] = {}
        with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
            images = sorted(item.name for item in entries if has_picture_suffix(item.name))
            listed[path.parent] = {Path(name).stem: name for name in images}
    return listed[path.parent].get(path.stem[: -len(ending)])


def _refuse_inputs(pairs: list[tuple[str, str]], background: str | None) -> None:
    """No goal may be a picture of the run, whatever it is called there."""
    inputs = {
        found: path
        for path in (background, *(source for source, _ in pairs))
        if path not in (None, "-") and (found := _fs.identity(path)) is not None
    }
    for source, output in pairs:
        # What a shell opened for adding to (`>>`) still holds its picture.
        found = _fs.identity("/dev/fd/1" if output == "-" else output)
        if found in inputs:
            what = "the background" if inputs[found] == background else "a source"
            name = "stdout" if output == "-" else output
            raise OptionError(
                f"{name}: the result of {source} would be written over {what} picture of the "
                "same run; nssbg never does that. Give another name."
            )


def _ask_about_existing(pairs: list[tuple[str, str]], arguments: argparse.Namespace) -> None:
    there = [output for _, output in pairs if output != "-" and _exists(output)]
    if not there:
        return
    if len(there) == 1:
        words = f"{there[0]} is there already"
    else:
        words = f"{len(there)} of {len(pairs)} results are there already ({_few(there)})"
    if _agrees(f"nssbg: {printable(words)}. Overwrite? [y/N] ", arguments.paths):
        arguments.overwrite = True
        return
    hint = ""
    if not arguments.beside and arguments.paths[0] != "-":
        hint = f", or cut out both: nssbg {shlex.join(arguments.paths)}"
    them = "it" if len(there) == 1 else "them"
    raise ImageEncodeError(f"{words}; nothing was done. Use --overwrite to replace {them}{hint}")


def _exists(output: str) -> bool:
    try:
        _fs.check(output, overwrite=False)
    except FileExistsError:
        return True
    except OSError:  # what else is wrong there is told when it is written
        return False
    return False


def _agrees(question: str, paths: list[str]) -> bool:
    """The answer of the person at the terminal; no where there is none."""
    if "-" in paths or sys.stdin is None or sys.stderr is None:
        return False
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
