"""The routes of the page: each takes a request apart, asks the session, and tells the answer.

Whatever may take long runs in a thread; every error is {"error": {"kind", "message"}}.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, Router

from nssbg import _fs
from nssbg._errors import ImageDecodeError, NssbgError, OptionError
from nssbg._http.errors import HttpError, error_response
from nssbg._http.front_door import FrontDoor
from nssbg.studio_page.about import About
from nssbg.studio_page.batches import Batches
from nssbg.studio_page.bodies import file_name, read_json_body, receive_file, relative_path
from nssbg.studio_page.enhancing import enhancement_from
from nssbg.studio_page.guard import HEADERS, PageRules, cookie_name
from nssbg.studio_page.page_files import Assets, assets_folder, samples_folder
from nssbg.studio_page.picture import MissingError, NotReadyError, told
from nssbg.studio_page.session import Session
from nssbg.studio_page.views import File, download, preview, shown_background, view, zip_stream

__all__ = ["build"]

Endpoint = Callable[[Request], Awaitable[Response]]

# What the disk is to keep free when pictures come in.
_KEEP_FREE = 512 << 20
_MISSING_PAGE = (
    "The page's files are not in this installation. Install nssbg from PyPI (nssbg[studio]) or "
    "from a whole checkout."
)


def build(session: Session, *, port: int) -> FrontDoor:
    """The application of a session, behind its front door.

    Args:
        session: Closed by the caller.
        port: That it is served at on 127.0.0.1.
    """
    rules = PageRules(key=session.folder.key, port=port)
    page = _Page(session, rules)

    @contextlib.asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        session.hub.open()
        yield
        await run_in_threadpool(page.batches.close)

    return FrontDoor(
        Router(page.routes(), lifespan=lifespan), rules, headers=HEADERS, error=error_response
    )


# Statuses of errors of the package, where they are others than _http's.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (MissingError, 404),
    (NotReadyError, 409),
    (ImageDecodeError, 415),
    (OptionError, 422),
    (NssbgError, 422),
    (MemoryError, 507),
    (OSError, 507),
)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Tell what went wrong in the words of the page."""

    @functools.wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (NssbgError, MemoryError, OSError) as error:
            status = next(status for kind, status in _STATUS if isinstance(error, kind))
            said = told(error)
            raise HttpError(status, said["kind"], said["message"]) from error

    return answer


class _Page:
    def __init__(self, session: Session, rules: PageRules) -> None:
        self._session = session
        self._rules = rules
        self._about = About(session)
        # One at a time: each takes all cores.
        self._previews = anyio.Lock()
        self._assets = Assets(assets_folder())
        self._samples = Assets(samples_folder())
        self.batches = Batches(session.hub, session.batch_settings)

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/", self.index),
            ("GET", "/assets/{path:path}", self.asset),
            ("GET", "/api/about", self.about),
            ("GET", "/api/pictures", self.list_pictures),
            ("POST", "/api/pictures", self.add),
            ("DELETE", "/api/pictures", self.empty),
            ("GET", "/api/pictures/{id}", self.picture),
            ("DELETE", "/api/pictures/{id}", self.remove),
            ("POST", "/api/pictures/{id}/cancel", self.cancel),
            ("POST", "/api/pictures/{id}/retry", self.retry),
            ("PUT", "/api/pictures/{id}/edit", self.edit),
            ("POST", "/api/pictures/{id}/preview", self.preview),
            ("GET", "/api/pictures/{id}/view", self.view),
            ("GET", "/api/pictures/{id}/download", self.download),
            ("GET", "/api/download.zip", self.zip),
            ("POST", "/api/backgrounds", self.background),
            ("GET", "/api/backgrounds/{id}", self.show_background),
            ("GET", "/api/samples/{name}", self.sample),
            ("POST", "/api/samples/{name}", self.add_sample),
            ("GET", "/api/events", self.events),
            ("GET", "/api/batch", self.batch),
            ("POST", "/api/batch", self.start_batch),
            ("POST", "/api/batch/cancel", self.cancel_batch),
        ]
        # Starlette answers HEAD wherever it answers GET.
        return [
            Route(path, _guarded(endpoint), methods=[method]) for method, path, endpoint in table
        ]

    # The page's own files.

    async def index(self, request: Request) -> Response:
        if self._rules.opens(request.scope):
            answer: Response = RedirectResponse("/", 303)
            answer.set_cookie(
                cookie_name(self._rules.port), self._rules.key, httponly=True, samesite="strict"
            )
            return answer
        return self._file(request, self._assets, "index.html", _MISSING_PAGE)

    async def asset(self, request: Request) -> Response:
        return self._file(request, self._assets, request.path_params["path"])

    async def sample(self, request: Request) -> Response:
        return self._file(request, self._samples, request.path_params["name"])

    def _file(
        self, request: Request, assets: Assets, path: str, missing: str = "there is no such file"
    ) -> Response:
        found = assets.get(path)
        if found is None:
            raise HttpError(404, "missing", missing)
        headers = {"etag": found.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == found.etag:
            return Response(None, 304, headers)
        return Response(found.data, 200, headers, media_type=found.content_type)

    async def about(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._about.record))

    # Pictures.

    async def list_pictures(self, request: Request) -> Response:
        return JSONResponse(self._session.pictures())

    async def picture(self, request: Request) -> Response:
        return JSONResponse(self._session.record(request.path_params["id"]))

    async def add(self, request: Request) -> Response:
        name = file_name(request.query_params.get("name"))
        path = relative_path(request.headers.get("x-relative-path"), name)
        received = await self._receive(request)
        made = await run_in_threadpool(self._session.add, received, name, path)
        return JSONResponse(made, 201)

    async def add_sample(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = self._samples.get(name)
        if found is None:
            raise HttpError(404, "missing", "there is no such sample picture")
        received = self._session.folder.incoming()
        await run_in_threadpool(_fs.write, received, found.data, sync=False)
        return JSONResponse(await run_in_threadpool(self._session.add, received, name), 201)

    async def _receive(self, request: Request) -> Any:
        if self._session.folder.free_bytes() < _KEEP_FREE + self._session.limits.max_bytes:
            raise OSError(28, "the disk is nearly full", str(self._session.folder.path))
        received = self._session.folder.incoming()
        await receive_file(request, received, self._session.limits.max_bytes)
        return received

    async def empty(self, request: Request) -> Response:
        await run_in_threadpool(self._session.empty)
        return Response(status_code=204)

    async def remove(self, request: Request) -> Response:
        await run_in_threadpool(self._session.remove, request.path_params["id"])
        return Response(status_code=204)

    async def cancel(self, request: Request) -> Response:
        return JSONResponse(self._session.cancel(request.path_params["id"]))

    async def retry(self, request: Request) -> Response:
        return JSONResponse(self._session.retry(request.path_params["id"]))

    async def edit(self, request: Request) -> Response:
        record = await read_json_body(request)
        revision = await run_in_threadpool(self._session.edit, request.path_params["id"], record)
        return JSONResponse({"revision": revision}, 202)

    async def preview(self, request: Request) -> Response:
        name, body = request.path_params["id"], await read_json_body(request)
        if not isinstance(body, dict) or not isinstance(body.get("view"), dict):
            raise OptionError("a preview is {edit, view: {x, y, width, height, scale}, layer}")

        def made() -> File:
            edit = self._session.checked_edit(name, body.get("edit"))
            return preview(self._session, name, edit, body.get("layer", "cutout"), body["view"])

        # What a hand has painted over meanwhile is not made: the page asks for the newest alone.
        async with self._previews:
            if await request.is_disconnected():
                raise HttpError(499, "gone", "the page has asked for something newer")
            with self._session.hurry():
                return await self._timed(made)

    async def view(self, request: Request) -> Response:
        query = request.query_params
        revision = _whole(query.get("revision"), "revision")
        answer = await self._timed(
            lambda: view(
                self._session,
                request.path_params["id"],
                query.get("layer", "cutout"),
                query,
                revision,
            )
        )
        if revision is not None:
            # The picture's id and its revision are in the address.
            answer.headers["cache-control"] = "private, max-age=86400, immutable"
        return answer

    async def _timed(self, make: Callable[[], File]) -> Response:
        begin = time.perf_counter()
        file = await run_in_threadpool(make)
        took = (time.perf_counter() - begin) * 1000
        headers = {**file.headers, "server-timing": f"made;dur={took:.1f}"}
        return Response(file.data, media_type=file.content_type, headers=headers)

    async def download(self, request: Request) -> Response:
        query = request.query_params
        enhancement = await run_in_threadpool(
            enhancement_from, query, self._session.batch_settings["license"]
        )
        file = await run_in_threadpool(
            download,
            self._session,
            request.path_params["id"],
            query.get("format", "png"),
            quality=_whole(query.get("quality"), "quality"),
            mask=query.get("mask", "") not in ("", "0", "false"),
            enhancement=enhancement,
        )
        return Response(file.data, media_type=file.content_type, headers=_as_attachment(file.name))

    async def zip(self, request: Request) -> Response:
        query = request.query_params
        names = [name for name in query.get("ids", "").split(",") if name]
        if not names:
            names = [one["id"] for one in self._session.pictures() if one["done_revision"] >= 0]
        if not names:
            raise NotReadyError("there is no result yet")
        enhancement = await run_in_threadpool(
            enhancement_from, query, self._session.batch_settings["license"]
        )
        stream = zip_stream(
            self._session,
            names,
            query.get("format", "png"),
            quality=_whole(query.get("quality"), "quality"),
            enhancement=enhancement,
        )
        return StreamingResponse(
            stream, media_type="application/zip", headers=_as_attachment("cutouts.zip")
        )

    async def background(self, request: Request) -> Response:
        name = file_name(request.query_params.get("name"), "background")
        received = await self._receive(request)
        made = await run_in_threadpool(self._session.add_background, received, name)
        return JSONResponse({"id": made, "name": name}, 201)

    async def show_background(self, request: Request) -> Response:
        made = await run_in_threadpool(shown_background, self._session, request.path_params["id"])
        return Response(made.data, media_type=made.content_type)

    async def events(self, request: Request) -> Response:
        if self._session.hub.listeners >= 16:
            raise HttpError(503, "busy", "too many pages of this session are open; close some")
        return StreamingResponse(
            self._session.hub.stream(self._session.first_events), media_type="text/event-stream"
        )

    # A whole folder.

    async def batch(self, request: Request) -> Response:
        return JSONResponse(self.batches.record())

    async def start_batch(self, request: Request) -> Response:
        record = await read_json_body(request)
        return JSONResponse(await run_in_threadpool(self.batches.start, record), 202)

    async def cancel_batch(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.batches.cancel))


def _whole(text: str | None, name: str) -> int | None:
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise OptionError(f"{name} is a whole number, not {text!r:.60}")
    return int(text)


def _as_attachment(name: str) -> dict[str, str]:
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    plain = plain.replace('"', "_").replace("\\", "_")
    return {
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    }
