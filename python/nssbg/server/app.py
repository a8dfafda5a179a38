"""Puts the server together: settings in, an ASGI application and its engine out."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from nssbg import __version__
from nssbg._errors import OptionError
from nssbg._http.engine import Engine, EngineSettings
from nssbg._http.errors import HttpError, error_response
from nssbg._http.front_door import AccessRules, FrontDoor, is_loopback, local_hosts
from nssbg._http.listener import ListenerSettings
from nssbg._http.uploads import UploadLimits, Uploads
from nssbg.server.metrics import Metrics
from nssbg.server.models import ModelNames
from nssbg.server.openapi import PAGE_HEADERS, document, page
from nssbg.server.own_api import OwnApi
from nssbg.server.rembg_api import RembgApi
from nssbg.server.remote_images import RemoteImages, host_pattern
from nssbg.server.removebg_api import PREFIX, RemoveBgApi, removebg_error
from nssbg.server.service import Service

__all__ = ["ServerSettings", "application", "checked"]

# What probes and people may see without the token.
_OPEN_PATHS = frozenset({"/health", "/ready", "/", "/openapi.json"})


@dataclass(frozen=True)
class ServerSettings:
    """Everything that an operator says.

    Attributes:
        listener: Where it listens.
        engine: What runs.
        uploads: What bodies may take.
        token: That requests have to bring; "": none.
        insecure: Whether another address than this machine's own is listened on without one.
        hosts: More names that the Host header may have.
        origins: Of pages elsewhere that may use it; "*": all.
        fetched_hosts: Whose addresses are fetched.
    """

    listener: ListenerSettings = field(default_factory=ListenerSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    uploads: UploadLimits = field(default_factory=UploadLimits)
    token: str = field(default="", repr=False)
    insecure: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    fetched_hosts: tuple[str, ...] = ()


def checked(settings: ServerSettings) -> AccessRules:
    """Who may come in, by the settings.

    Raises:
        OptionError: They would let in whoever reaches the machine, or cannot be meant.
    """
    host, token = settings.listener.host, settings.token
    if token != token.strip() or any(ord(sign) < 33 or ord(sign) > 126 for sign in token):
        raise OptionError("a token is made of visible ASCII characters without spaces")
    if not is_loopback(host) and not token and not settings.insecure:
        raise OptionError(
            f"{host} is reached from other machines: set NSSBG_TOKEN (or --token) to what requests "
            "have to bring, or say --insecure where something else keeps strangers out"
        )
    for origin in settings.origins:
        if origin != "*" and not origin.startswith(("http://", "https://")):
            raise OptionError(f"--allow-origin takes https://example.org (or '*'), got {origin!r}")
    # Whoever may use another address than this machine's own may call it what they like.
    own_names = local_hosts(*settings.hosts, host) if is_loopback(host) else None
    named = frozenset(name.lower() for name in settings.hosts)
    return AccessRules(
        hosts=own_names or (local_hosts(*named, host) if named else frozenset()),
        origins=frozenset(origin.lower().rstrip("/") for origin in settings.origins),
        token=token,
        without_token=_OPEN_PATHS,
    )


def application(settings: ServerSettings) -> tuple[ASGIApp, Engine]:
    """The application and its engine, which is to be opened before requests are taken.

    Raises:
        OptionError: A setting is not what it must be.
    """
    rules = checked(settings)
    try:
        patterns = frozenset(host_pattern(host) for host in settings.fetched_hosts)
    except ValueError as error:
        raise OptionError(str(error)) from None
    models = ModelNames(settings.engine.model, settings.engine.license)
    engine = Engine(settings.engine, models.resolve)
    uploads = Uploads(settings.uploads)
    metrics = Metrics(
        {
            "waiting": ("Pictures and calls that wait.", lambda: engine.waiting),
            "running": ("Pictures and calls in flight.", lambda: engine.running),
            "workers": ("Pictures at once, at most.", lambda: engine.workers),
            "places": ("Pictures and calls that may wait.", lambda: engine.settings.max_waiting),
            "uploads_held_bytes": ("Bytes of bodies that are held.", lambda: uploads.held),
            "ready": ("1 while requests are taken.", lambda: int(engine.is_ready)),
        }
    )
    remote = RemoteImages(patterns, max_bytes=settings.uploads.max_bytes)
    service = Service(engine, uploads, models, remote, metrics)
    routes = _routes(service)
    app: ASGIApp = FrontDoor(
        Router(routes, lifespan=engine.lifespan),
        rules,
        routes=[route.path for route in routes],
        error=_error,
        observers=[metrics.request],
    )
    if rules.origins:
        app = CORSMiddleware(
            app,
            allow_origins=sorted(rules.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["*"],
        )
    return app, engine


def _routes(service: Service) -> list[Route]:
    own, removebg, rembg = OwnApi(service), RemoveBgApi(service), RembgApi(service)
    engine = service.engine
    made, shown = document(), page()

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def ready(request: Request) -> Response:
        if not engine.is_ready:
            raise HttpError(503, "busy", "not ready", {"Retry-After": "2"})
        return JSONResponse({"status": "ready", "waiting": engine.waiting})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(
            service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def openapi(request: Request) -> Response:
        return JSONResponse(made)

    async def documentation(request: Request) -> Response:
        return HTMLResponse(shown, headers=PAGE_HEADERS)

    return [
        Route("/v1/remove", own.remove, methods=["POST"]),
        Route("/v1/models", own.models, methods=["GET"]),
        Route("/v1.0/removebg", removebg.remove, methods=["POST"]),
        Route("/v1.0/account", removebg.account, methods=["GET"]),
        Route("/api/remove", rembg.from_url, methods=["GET"]),
        Route("/api/remove", rembg.from_file, methods=["POST"]),
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/", documentation, methods=["GET"]),
    ]


def _error(error: HttpError, request_id: str, path: str) -> Response:
    """In the shape of the API that was asked."""
    made = removebg_error if path.startswith(PREFIX) else error_response
    return made(error, request_id, path)
