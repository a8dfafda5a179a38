"""`nssbg serve`: the engine over HTTP, on this machine alone unless said otherwise."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nssbg._errors import NssbgError, OptionError
from nssbg._installed import installed, not_installed
from nssbg._vocabulary import BACKENDS, LICENSE_USES, LOG_LEVELS, PRECISION_CHOICES
from nssbg.cli.console import printable, say

if TYPE_CHECKING:
    from nssbg.server.app import ServerSettings

__all__ = ["add_parser", "check_installed", "run", "serve"]

_NEEDED = ("starlette", "uvicorn", "python_multipart")


def add_parser(subparsers: Any) -> None:
    """Register the sub-command."""
    parser = subparsers.add_parser(
        "serve",
        help="the engine over HTTP: nssbg's own API, remove.bg's and rembg's (nssbg[serve])",
        description="Serves POST /v1/remove, remove.bg's POST /v1.0/removebg and rembg's "
        "/api/remove, with /health, /ready, /metrics and a page of its API at /. Models stay open, "
        "what waits is bounded, and nothing leaves the machine.",
        epilog="The environment variable NSSBG_TOKEN takes the place of --token, which other "
        "users of the machine can read in its list of processes. SIGTERM or Ctrl-C: requests in "
        "hand are finished first.",
    )
    where = parser.add_argument_group("where, and for whom")
    where.add_argument("--host", default="127.0.0.1", help="address (default: this machine alone)")
    where.add_argument("--port", type=int, default=7000, help="default 7000; 0: any that is free")
    where.add_argument("--token", help="requests have to bring it (NSSBG_TOKEN)")
    where.add_argument(
        "--insecure", action="store_true", help="listen on another address without a token"
    )
    where.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name it is called by, such as that of a reverse proxy",
    )
    where.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="pages of https://example.org may use it (CORS); '*': all",
    )
    where.add_argument(
        "--allow-url",
        action="append",
        default=[],
        metavar="HOSTS",
        help="fetch addresses of these public hosts: example.org,*.example.net",
    )
    what = parser.add_argument_group("what runs")
    what.add_argument("--model", default="auto", help="where a request names none; name or path")
    what.add_argument("--device", default="auto", help="auto, cpu, gpu, npu, cuda ...")
    what.add_argument("--backend", default="auto", choices=BACKENDS)
    what.add_argument(
        "--precision",
        default="auto",
        choices=PRECISION_CHOICES,
        help="what a network computes in (default: auto, which is float32 where nothing was tuned)",
    )
    what.add_argument("--threads", type=int, default=0, help="pictures at once (0: usable cores)")
    what.add_argument("--license", choices=LICENSE_USES, help="commercial: refuse other weights")
    what.add_argument(
        "--tune",
        action="store_true",
        help="measure first what is fastest here, where neither `nssbg tune` nor a run did",
    )
    what.add_argument("--max-models", type=int, default=2, help="held open at once (default 2)")
    bounds = parser.add_argument_group("bounds")
    bounds.add_argument(
        "--max-pixels", type=int, default=50_000_000, help="of a picture (default 50 MP)"
    )
    bounds.add_argument("--max-body", type=int, default=64, metavar="MB", help="default 64")
    bounds.add_argument(
        "--max-uploads", type=int, default=512, metavar="MB", help="of all bodies (default 512)"
    )
    bounds.add_argument(
        "--max-memory", type=int, metavar="MB", help="of the pictures in flight (half of the free)"
    )
    bounds.add_argument("--max-waiting", type=int, default=64, help="pictures (default 64)")
    bounds.add_argument("--max-connections", type=int, default=512, help="default 512")
    bounds.add_argument(
        "--time-limit", type=float, default=60.0, metavar="SECONDS", help="default 60"
    )
    bounds.add_argument(
        "--grace", type=float, default=30.0, metavar="SECONDS", help="at the end (default 30)"
    )
    parser.add_argument(
        "--log-level", choices=LOG_LEVELS, default="info", help="of JSON lines on stderr"
    )


def check_installed() -> None:
    """Raise where the packages of nssbg[serve] are not here.

    Raises:
        NssbgError: One is missing; the message has the command that brings it.
    """
    missing = [module for module in _NEEDED if not installed(module)]
    if missing:
        raise NssbgError(not_installed(*missing))


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal; the exit code."""
    for name in ("max_models", "max_pixels", "max_body", "max_uploads", "max_waiting",
                 "max_connections", "time_limit", "grace", "max_memory"):  # fmt: skip
        value = getattr(arguments, name)
        if value is not None and not value >= 1:
            option = "--" + name.replace("_", "-")
            raise OptionError(f"{option} must be at least 1, got {value}")
    if not 0 <= arguments.port <= 65535:
        raise OptionError(f"--port must be 0 to 65535, got {arguments.port}")
    check_installed()
    from nssbg._http.engine import EngineSettings
    from nssbg._http.listener import ListenerSettings
    from nssbg._http.uploads import UploadLimits
    from nssbg.server.app import ServerSettings

    megabyte = 1_000_000
    memory = arguments.max_memory
    settings = ServerSettings(
        listener=ListenerSettings(
            host=arguments.host,
            port=arguments.port,
            max_connections=arguments.max_connections,
            grace=arguments.grace,
        ),
        engine=EngineSettings(
            model=arguments.model,
            device=arguments.device,
            backend=arguments.backend,
            precision=arguments.precision,
            threads=arguments.threads,
            license=arguments.license,
            max_pixels=arguments.max_pixels,
            max_memory=None if memory is None else memory * megabyte,
            max_waiting=arguments.max_waiting,
            max_models=arguments.max_models,
            time_limit=arguments.time_limit,
            tune=arguments.tune,
        ),
        uploads=UploadLimits(
            max_bytes=arguments.max_body * megabyte, max_held=arguments.max_uploads * megabyte
        ),
        token=token_of(arguments.token),
        insecure=arguments.insecure,
        hosts=tuple(arguments.allow_host),
        origins=tuple(arguments.allow_origin),
        fetched_hosts=_split(arguments.allow_url),
    )
    return serve(settings, arguments.log_level)


def token_of(given: str | None) -> str:
    """The token of the command line, else that of the environment.

    Raises:
        OptionError: It is there and empty: a script's variable was not set, say.
    """
    token = os.environ.get("NSSBG_TOKEN") if given is None else given
    if token == "":
        raise OptionError("the token (--token, NSSBG_TOKEN) is empty; leave it out, or give one")
    return token or ""


def serve(settings: ServerSettings, log_level: str) -> int:
    """Open the model, listen, and serve until a signal; the exit code."""
    from nssbg._http.listener import Server, listening_socket
    from nssbg.server.app import application
    from nssbg.server.logs import log_as_json

    app, engine = application(settings)
    # Before the model is opened, which takes longer than to find out that the port is taken.
    with listening_socket(settings.listener.host, settings.listener.port) as bound:
        log_as_json(log_level)
        engine.open()
        Server(
            app,
            settings.listener,
            bound,
            lambda address: say(printable(f"nssbg serves {settings.engine.model} on {address}")),
        ).run()
    return 0


def _split(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for text in texts for part in text.split(",") if part.strip())
