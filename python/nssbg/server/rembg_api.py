"""rembg's API: `GET` and `POST /api/remove`, with its parameters; the answer is a PNG.

Where nothing is asked for that only rembg's own steps give, the picture goes through the engine's
queue as every other; alpha matting, binary masks and NSSBG_COMPAT=exact go through
`nssbg.compat.rembg.remove`, in turn with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from nssbg._cutout import Cutout, Report
from nssbg._delivery import encoded
from nssbg._errors import OptionError
from nssbg._http.replies import PiecewiseResponse, until_gone
from nssbg._options import CutoutOptions
from nssbg.compat.rembg._images import png
from nssbg.compat.rembg.bg import apply_background_color
from nssbg.compat.rembg.bg import remove as rembg_remove
from nssbg.compat.rembg.mode import is_exact
from nssbg.compat.rembg.session_factory import new_session
from nssbg.compat.rembg.sessions import BaseSession
from nssbg.server.service import Service
from nssbg.server.values import Values

__all__ = ["PARAMETERS", "RembgApi"]

#: In rembg's order.
PARAMETERS = ("model", "a", "af", "ab", "ae", "om", "ppm", "dc", "vm", "bgc", "extras")
# Of `extras`: what else rembg takes there names files of the server, or prompts of a model that is
# not served.
_EXTRAS = ("putalpha",)


@dataclass(frozen=True)
class _Asked:
    """What the parameters say; names as of `rembg.remove`."""

    model: str | None
    alpha_matting: bool
    foreground_threshold: int
    background_threshold: int
    erode_size: int
    only_mask: bool
    post_process_mask: bool
    decontaminate: bool
    vitmatte: bool
    bgcolor: tuple[int, int, int, int] | None
    putalpha: bool
    ignored: dict[str, str]

    @property
    def is_plain(self) -> bool:
        """Whether the engine's own cut-out is what is asked for."""
        special = self.alpha_matting or self.post_process_mask or self.putalpha or self.vitmatte
        return not special and not is_exact()


class RembgApi:
    """The handlers.

    Args:
        service: What they work with.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._sessions: dict[str, BaseSession] = {}
        self._lock = threading.Lock()

    async def from_url(self, request: Request) -> Response:
        """`GET`: the picture is at an address."""
        given = _query(request)
        url = given.pop("url", None)
        if not url:
            raise OptionError("give the picture's address as url=")
        self._service.engine.check_room()
        asked = _asked(given)
        return await self._removed(request, await self._service.fetched(url), asked)

    async def from_file(self, request: Request) -> Response:
        """`POST`: the picture is the file of a form."""
        service = self._service
        service.engine.check_room()
        async with service.uploads.of(request) as upload:
            form = await upload.form()
            file = form.files.get("file")
            if file is None or len(form.files) != 1:
                raise OptionError('send the picture as the file "file" of a multipart form')
            given = {**_query(request), **form.fields}
            return await self._removed(request, file.data, _asked(given))

    async def _removed(self, request: Request, data: bytes | bytearray, asked: _Asked) -> Response:
        service = self._service
        model = await service.models.checked_rembg(asked.model)
        if asked.is_plain:
            options = CutoutOptions(
                ignore_alpha=asked.only_mask or asked.decontaminate, alpha_only=asked.only_mask
            )
            result = await service.cut_out(
                request, data, _deliver(asked), name="file", model=model, options=options
            )
        else:
            service.engine.check_pixels(data)
            work = service.engine.call(lambda: self._by_rembgs_steps(bytes(data), asked))
            result = await until_gone(request, work)
            request.state.told.update(model=asked.model or "auto")
        return PiecewiseResponse(result, media_type="image/png", headers=asked.ignored)

    def _by_rembgs_steps(self, data: bytes, asked: _Asked) -> bytes:
        """In a worker."""
        result: bytes = rembg_remove(
            data,
            alpha_matting=asked.alpha_matting,
            alpha_matting_foreground_threshold=asked.foreground_threshold,
            alpha_matting_background_threshold=asked.background_threshold,
            alpha_matting_erode_size=asked.erode_size,
            session=self._session(asked.model or "auto"),
            only_mask=asked.only_mask,
            post_process_mask=asked.post_process_mask,
            decontaminate=asked.decontaminate,
            vitmatte=asked.vitmatte,
            bgcolor=asked.bgcolor,
            putalpha=asked.putalpha,
        )
        return result

    def _session(self, model: str) -> BaseSession:
        """A session of a name that was checked; as many are held as the engine holds models."""
        with self._lock:
            found = self._sessions.pop(model, None) or new_session(model)
            self._sessions[model] = found
            while len(self._sessions) > self._service.engine.settings.max_models:
                self._sessions.pop(next(iter(self._sessions)))
            return found


def _query(request: Request) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise OptionError(f"give {name} once")
        given[name] = value
    return given


def _asked(given: dict[str, str]) -> _Asked:
    values = Values(given)
    extras = values.table("extras") or {}
    unknown = extras.keys() - set(_EXTRAS)
    if unknown:
        raise OptionError(
            f"extras: {min(unknown)!r} is not taken from requests; {', '.join(_EXTRAS)} is"
        )
    return _Asked(
        model=values.text("model"),
        alpha_matting=values.flag("a"),
        foreground_threshold=_level(values, "af", 240),
        background_threshold=_level(values, "ab", 10),
        erode_size=_level(values, "ae", 10),
        only_mask=values.flag("om"),
        post_process_mask=values.flag("ppm"),
        decontaminate=values.flag("dc"),
        vitmatte=values.flag("vm"),
        bgcolor=_color(values.text("bgc")),
        putalpha=Values(extras).flag("putalpha"),
        # Last: what is left then. rembg ignores what it does not know.
        ignored=values.ignored(),
    )


def _level(values: Values, name: str, default: int) -> int:
    found = values.whole(name)
    if found is None:
        return default
    if not 0 <= found <= 255:
        raise OptionError(f"{name} must be 0 to 255, got {found}")
    return found


def _color(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() and int(part) <= 255 for part in parts):
        raise OptionError(f"bgc is R,G,B,A, each 0 to 255, as 255,255,255,255; got {text!r}")
    red, green, blue, alpha = map(int, parts)
    return red, green, blue, alpha


def _deliver(asked: _Asked) -> Callable[[Cutout], tuple[bytes, Report]]:
    """Makes the PNG of a plain cut-out, as `nssbg.compat.rembg.remove` does."""

    def deliver(cutout: Cutout) -> tuple[bytes, Report]:
        if asked.bgcolor is None or asked.only_mask:
            data = encoded(cutout, "png", mask=asked.only_mask, threads=1)
        else:
            data = png(apply_background_color(cutout.to_pil(), asked.bgcolor))
        return data, cutout.report

    return deliver
