"""`nssbg rembg i|p|b|s|d`: rembg's commands and flags on nssbg; what goes where, no image logic.

Unlike rembg's, `p` mirrors the folders of its input, deletes an input only once its own result is
on the disk, names each file that fails, and ends with an exit code.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nssbg import _fs
from nssbg._errors import (
    SOME_FAILED,
    ImageDecodeError,
    OptionError,
)
from nssbg.cli.rembg_folder import Work, every_picture, tell, watch_folder, write_result

if TYPE_CHECKING:
    from nssbg.compat.rembg.sessions import BaseSession

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Register the sub-command and those below it."""
    parser = subparsers.add_parser(
        "rembg",
        help="rembg's commands: i (file), p (folder), b (frames), s (server), d (download)",
        description="rembg's own commands and flags. NSSBG_COMPAT=exact gives rembg's pixels.",
    )
    commands = parser.add_subparsers(
        dest="rembg", metavar="i|p|b|s|d", required=True, prog="nssbg rembg"
    )
    one = commands.add_parser("i", help="a file, or stdin to stdout")
    _add_options(one)
    one.add_argument("input", nargs="?", default="-", metavar="IN")
    one.add_argument("output", nargs="?", default="-", metavar="OUT")
    folder = commands.add_parser("p", help="a folder and all folders in it")
    _add_options(folder)
    folder.add_argument(
        "-w",
        "--watch",
        action="store_true",
        help="go on for new files, until stop.txt is put there; needs nssbg[watch]",
    )
    folder.add_argument(
        "-d",
        "--delete_input",
        action="store_true",
        help="delete each input whose result is written",
    )
    folder.add_argument("input", metavar="IN")
    folder.add_argument("output", metavar="OUT")
    frames = commands.add_parser("b", help="RGB24 frames from stdin")
    _add_options(frames)
    frames.add_argument(
        "-o", "--output_specifier", metavar="PATTERN", help="output-%%d.png; default: stdout"
    )
    frames.add_argument("width", type=int, metavar="WIDTH")
    frames.add_argument("height", type=int, metavar="HEIGHT")
    server = commands.add_parser("s", help="the server", add_help=False)
    server.add_argument("--help", action="help", help="show this help message and exit")
    server.add_argument("-p", "--port", type=int, default=7000)
    server.add_argument("-h", "--host", default="127.0.0.1")
    server.add_argument("-l", "--log_level", default="info")
    server.add_argument("-t", "--threads", type=int)
    server.add_argument("--no-ui", action="store_true")
    download = commands.add_parser("d", help="pull weights")
    download.add_argument("models", nargs="*", metavar="MODEL")


def _add_options(parser: argparse.ArgumentParser) -> None:
    """The flags of `i`, `p` and `b`."""
    parser.add_argument("-m", "--model", help="one of rembg's names; default: nssbg's own choice")
    parser.add_argument("-a", "--alpha-matting", action="store_true")
    parser.add_argument("-af", "--alpha-matting-foreground-threshold", type=int, default=240)
    parser.add_argument("-ab", "--alpha-matting-background-threshold", type=int, default=10)
    parser.add_argument("-ae", "--alpha-matting-erode-size", type=int, default=10)
    parser.add_argument("-om", "--only-mask", action="store_true")
    parser.add_argument("-ppm", "--post-process-mask", action="store_true")
    parser.add_argument("-dc", "--decontaminate", action="store_true")
    parser.add_argument("-vm", "--vitmatte", action="store_true")
    parser.add_argument("-bgc", "--bgcolor", type=int, nargs=4, metavar=("R", "G", "B", "A"))
    parser.add_argument("-x", "--extras", metavar="JSON", help='{"model_path": "net.onnx"}')


def run(arguments: argparse.Namespace) -> int:
    """Run one of rembg's commands; returns the exit code."""
    return int(
        {"i": _file, "p": _folder, "b": _frames, "s": _server, "d": _download}[arguments.rembg](
            arguments
        )
    )


def _how(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `remove` that the flags mean."""
    names = (
        "alpha_matting",
        "alpha_matting_foreground_threshold",
        "alpha_matting_background_threshold",
        "alpha_matting_erode_size",
        "only_mask",
        "post_process_mask",
        "decontaminate",
        "vitmatte",
        "bgcolor",
    )
    return {name: getattr(arguments, name) for name in names} | _extras(arguments)


def _extras(arguments: argparse.Namespace) -> dict[str, Any]:
    if not arguments.extras:
        return {}
    try:
        found = json.loads(arguments.extras)
    except ValueError as error:
        raise OptionError(f"--extras is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise OptionError('--extras is an object of names and values: {"model_path": "net.onnx"}')
    return found


def _session(arguments: argparse.Namespace) -> BaseSession:
    from nssbg.compat.rembg import new_session

    names = [] if arguments.model is None else [arguments.model]
    return new_session(*names, **_extras(arguments))


def _file(arguments: argparse.Namespace) -> int:
    """One picture, file or stream to file or stream."""
    from nssbg.compat.rembg import remove

    how, source, target = _how(arguments), arguments.input, arguments.output
    if target == "-" and source != "-" and sys.stdout is not None and sys.stdout.isatty():
        target = str(Path(source).with_suffix(".out.png"))
    if target != "-":
        _refuse_source(source, target)
    data = _read(source)
    with _named(source):
        result = remove(data, session=_session(arguments), **how)
    if target == "-":
        sys.stdout.buffer.write(result)
        sys.stdout.buffer.flush()
    else:
        write_result(Path(target), result, overwrite=True)
    return 0


def _refuse_source(source: str, target: str) -> None:
    found = None if source == "-" else _fs.identity(source)
    if found is not None and found == _fs.identity(target):
        raise OptionError(f"{target}: the result would be written over the picture itself")


@contextlib.contextmanager
def _named(source: str | Path) -> Iterator[None]:
    """Errors over bytes name the file that they came from."""
    try:
        yield
    except ImageDecodeError as error:
        name = "stdin" if source == "-" else str(source)
        raise ImageDecodeError(str(error).replace("<bytes>", name)) from error


def _read(source: str | Path) -> bytes:
    """A picture file, or stdin for "-"; what is none, or has no end, is left at its first bytes."""
    from nssbg._io.source import read_source

    if source == "-":
        if sys.stdin is None:
            raise ImageDecodeError("cannot read stdin: it is closed")
        return bytes(read_source(sys.stdin.buffer, "file", "stdin"))
    return bytes(read_source(source, "path", str(source)))


def _folder(arguments: argparse.Namespace) -> int:
    """Every picture below a folder, to the same place below another."""
    source, target = Path(arguments.input), Path(arguments.output)
    if not source.is_dir():
        raise OptionError(f"{source}: no such folder")
    how, session = _how(arguments), _session(arguments)
    work = Work(source, target, arguments.delete_input)

    def cut(path: Path) -> bytes:
        from nssbg.compat.rembg import remove

        with _named(path):
            return bytes(remove(_read(path), session=session, **how))

    if arguments.watch:
        watch_folder(work, cut)
    else:
        every_picture(work, cut)
        if not work.begun:
            tell(f"{source}: no picture is in it")
    return 0 if not work.failed else SOME_FAILED


def _frames(arguments: argparse.Namespace) -> int:
    """RGB24 frames from stdin, each to a PNG."""
    from PIL import Image

    from nssbg.compat.rembg import remove

    width, height, pattern = arguments.width, arguments.height, arguments.output_specifier
    if width < 1 or height < 1:
        raise OptionError(f"WIDTH and HEIGHT are 1 or more, got {width} x {height}")
    if pattern is not None:
        try:
            if pattern % 0 == pattern % 1:
                raise TypeError
        except (TypeError, ValueError):
            raise OptionError(
                f"--output_specifier needs a %d: output-%d.png, got {pattern!r}"
            ) from None
    how, session, index = _how(arguments), _session(arguments), 0
    while frame := sys.stdin.buffer.read(width * height * 3):
        if len(frame) < width * height * 3:
            raise ImageDecodeError(
                f"stdin ended within frame {index}: {len(frame)} of {width * height * 3} bytes"
            )
        image = Image.frombytes("RGB", (width, height), frame)
        result = remove(image, session=session, force_return_bytes=True, **how)
        if pattern is None:
            sys.stdout.buffer.write(result)
            sys.stdout.buffer.flush()
        else:
            write_result(Path(pattern % index), result, overwrite=True)
        index += 1
    return 0


def _server(arguments: argparse.Namespace) -> int:
    """`nssbg serve` at rembg's port, for whom rembg's flags say."""
    from nssbg._vocabulary import LOG_LEVELS
    from nssbg.cli.serve import check_installed, serve, token_of

    check_installed()
    from nssbg._http.engine import EngineSettings
    from nssbg._http.listener import ListenerSettings
    from nssbg.server.app import ServerSettings

    level = {"critical": "error", "trace": "debug"}.get(arguments.log_level, arguments.log_level)
    if level not in LOG_LEVELS:
        raise OptionError(f"-l must be one of {', '.join(LOG_LEVELS)}, got {level!r}")
    if not 0 <= arguments.port <= 65535:
        raise OptionError(f"-p must be 0 to 65535, got {arguments.port}")
    settings = ServerSettings(
        listener=ListenerSettings(host=arguments.host, port=arguments.port),
        engine=EngineSettings(threads=arguments.threads or 0),
        token=token_of(None),
    )
    return serve(settings, level)


def _download(arguments: argparse.Namespace) -> int:
    from nssbg.compat.rembg.bg import download_models

    download_models(arguments.models)
    return 0
