"""`nssbg studio [PICTURES...]`: the page, in the browser, on this machine alone."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nssbg._errors import NssbgError, OptionError
from nssbg._installed import installed, not_installed
from nssbg._vocabulary import LICENSE_USES
from nssbg.cli.console import printable, say, stopping_gently

if TYPE_CHECKING:
    from nssbg.studio_page.session import Session

__all__ = ["add_parser", "run"]

# Seconds that requests in hand and a running stage get to end in after a signal.
_GRACE = 20.0


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "studio",
        help="a page in the browser: drop pictures, correct them, download",
        description="Serve a page on 127.0.0.1 and open it in the browser. Pictures that are "
        "dropped there, or named here, are cut out on this machine; nothing leaves it. The "
        "session's folder is emptied when the command ends, unless it was named with --session. "
        "Ctrl-C ends it.",
    )
    parser.add_argument(
        "pictures", nargs="*", metavar="PICTURE", help="files and folders to begin with"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="of 127.0.0.1 (0: a free one, which is printed)"
    )
    parser.add_argument(
        "--no-open", dest="open", action="store_false", help="print the address, open no browser"
    )
    parser.add_argument(
        "--session", metavar="DIR", help="keep the session in this folder, also after the end"
    )
    parser.add_argument("--model", default="auto", help="of new pictures (default: auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu, npu, cuda ...")
    parser.add_argument("--threads", type=int, default=0, help="0: all usable cores")
    parser.add_argument("--license", choices=LICENSE_USES)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal comes; the exit code."""
    missing = [module for module in ("starlette", "uvicorn") if not installed(module)]
    if missing:
        raise NssbgError(f"nssbg studio: {not_installed(*missing, extra='studio')}")
    if not 0 <= arguments.port < 65536:
        raise OptionError(f"--port is 0 to 65535, not {arguments.port}")
    from nssbg.studio_page.edit import edit_from
    from nssbg.studio_page.folder import SessionFolder
    from nssbg.studio_page.serving import listen, server_of
    from nssbg.studio_page.session import Session

    edit_from({"model": arguments.model})  # before anything is begun
    pictures = _files(arguments.pictures)
    named = Path(arguments.session) if arguments.session else None
    with contextlib.closing(SessionFolder(named)) as folder:
        listening = listen(arguments.port, preferred=folder.port)
        port = listening.getsockname()[1]
        folder.port = port
        session = Session(
            folder,
            model=arguments.model,
            device=arguments.device,
            threads=arguments.threads,
            license=arguments.license,
        )
        address = f"http://127.0.0.1:{port}/?key={folder.key}"

        def ready() -> None:
            say(f"nssbg studio: {address}")
            say(printable(f"session: {folder.path} ({_fate(folder.kept)})"))
            say("Ctrl-C ends it")
            if arguments.open:
                _open(address)

        try:
            _begin_with(session, pictures)
            server = server_of(session, listening, ready=ready)
            with stopping_gently(server.stop, lambda: None, grace=_GRACE):
                server.run()
                session.close()  # here, as no file is written from the block's end on
        finally:
            session.close()
            listening.close()
    return 0


def _files(arguments: list[str]) -> list[Path]:
    """The files that are meant: those named, and the pictures right in the folders named.

    Raises:
        OptionError: One is not there.
    """
    from nssbg._io import has_picture_suffix

    found: list[Path] = []
    for text in arguments:
        path = Path(text)
        if path.is_dir():
            found += sorted(one for one in path.iterdir() if has_picture_suffix(one))
        elif path.is_file():
            found.append(path)
        else:
            raise OptionError(f"{path}: no such file or folder")
    return found


def _fate(kept: bool) -> str:
    return "kept" if kept else "emptied at the end"


def _begin_with(session: Session, pictures: list[Path]) -> None:
    for path in pictures:
        try:
            session.add_file(path)
        except NssbgError as error:
            print(f"nssbg: {printable(str(error))}", file=sys.stderr)


def _open(address: str) -> None:
    """Open the browser, where there is one."""
    import webbrowser

    try:
        opened = webbrowser.open(address)
    except Exception as error:  # browsers' launchers raise what they like
        opened = False
        print(f"nssbg: {printable(str(error))}", file=sys.stderr)
    if not opened:
        say("no browser could be opened: open the address above yourself")
