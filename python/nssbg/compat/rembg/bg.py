"""`remove` and the steps around it under rembg's names; each hands on to nssbg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nssbg._color.depth import eight_bits
from nssbg._delivery import encoded, pixels_of
from nssbg._errors import ImageDecodeError, OptionError
from nssbg._ops import rembg_steps
from nssbg._ops.foreground import decontaminate as decontaminated
from nssbg.compat.rembg._images import (
    ReturnType,
    UnreadableImageError,
    as_asked,
    opened,
    readable,
)
from nssbg.compat.rembg.matting import vitmatte_alpha
from nssbg.compat.rembg.mode import is_exact
from nssbg.compat.rembg.session_factory import new_session, shared_session
from nssbg.compat.rembg.sessions import sessions, sessions_names, sessions_names_downloadable
from nssbg.compat.rembg.sessions.base import BaseSession
from nssbg.compat.rembg.sessions.named import RemoverSession

__all__ = [
    "ReturnType",
    "alpha_matting_cutout",
    "apply_background_color",
    "decontaminate_cutout",
    "download_models",
    "fix_image_orientation",
    "get_concat_v",
    "get_concat_v_multi",
    "naive_cutout",
    "new_session",
    "post_process",
    "putalpha_cutout",
    "remove",
    "sessions",
    "sessions_names",
]


def remove(
    data: Any,
    alpha_matting: bool = False,
    alpha_matting_foreground_threshold: int = 240,
    alpha_matting_background_threshold: int = 10,
    alpha_matting_erode_size: int = 10,
    session: BaseSession | None = None,
    only_mask: bool = False,
    post_process_mask: bool = False,
    decontaminate: bool = False,
    vitmatte: bool = False,
    vitmatte_model: str | None = None,
    bgcolor: Sequence[int] | None = None,
    force_return_bytes: bool = False,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Take the background out of an image, with rembg's arguments in rembg's order.

    Args:
        data: Image file bytes, a PIL image, or an array (H x W, H x W x 1, 3 or 4; its channels
            are taken and given as they come). Also what NumPy can take for an array (a tensor
            of another library), H x W x C or N x H x W x C, float in 0..1 or uint8.
        alpha_matting: Solve alpha in a band around the mask's edge (`nssbg.refine`).
        alpha_matting_foreground_threshold: The mask above it is sure foreground.
        alpha_matting_background_threshold: The mask below it is sure background.
        alpha_matting_erode_size: By how many pixels both are eroded.
        session: From `new_session`, or one of the caller's own; None: one that all such calls
            share, of nssbg's own default method.
        only_mask: Give the mask alone.
        post_process_mask: Make the mask binary, with a smooth outline.
        decontaminate: Estimate true edge colours: always done, but under NSSBG_COMPAT=exact.
        vitmatte: Not served: an error that names the alternative.
        vitmatte_model: See vitmatte.
        bgcolor: Red, green, blue, alpha (0..255) that the cut-out is laid over.
        force_return_bytes: Give PNG bytes whatever came in.
        args: Handed to the session.
        kwargs: `putalpha=True`: the image's own colours, unchanged, under the new alpha. Others
            are handed to the session.

    Returns:
        PNG bytes for bytes; a PIL image for one (RGBA; L for a mask); for an array uint8,
        H x W x 4 (H x W for a mask); for a tensor an array of its kind, float32 for float.
        Several masks give results one below the other; none gives the image itself.

    Raises:
        OptionError (a ValueError): An argument of the wrong kind.
        UnreadableImageError (a PIL.UnidentifiedImageError): The image cannot be read.
        ModelError: The weights are not on this machine and cannot be pulled.
    """
    asked = {
        "alpha_matting": alpha_matting,
        "alpha_matting_foreground_threshold": alpha_matting_foreground_threshold,
        "alpha_matting_background_threshold": alpha_matting_background_threshold,
        "alpha_matting_erode_size": alpha_matting_erode_size,
        "session": session,
        "only_mask": only_mask,
        "post_process_mask": post_process_mask,
        "decontaminate": decontaminate,
        "vitmatte": vitmatte,
        "vitmatte_model": vitmatte_model,
        "bgcolor": bgcolor,
    }
    if hasattr(data, "__array__") and not _is_plain(data) and not force_return_bytes:
        return _of_tensor(data, asked, args, kwargs)
    data, kind = readable(data, as_bytes=force_return_bytes)
    color = None if bgcolor is None or only_mask else _rgba(bgcolor)
    putalpha = bool(kwargs.pop("putalpha", False))
    if vitmatte and not only_mask:
        vitmatte_alpha(None, None, vitmatte_model)
    exact = is_exact()
    if session is None:
        session = shared_session(*args, **kwargs)
    plain = not (alpha_matting or post_process_mask or putalpha) or (
        only_mask and not post_process_mask
    )
    if plain and not exact and _is_natural(session):
        return _natural(
            data, kind, session, only_mask=only_mask, drop_alpha=decontaminate, color=color
        )
    from PIL import Image

    image = opened(data, exact=exact)
    cutouts = []
    for mask in session.predict(image, *args, **kwargs):
        if post_process_mask:
            mask = Image.fromarray(post_process(np.array(mask)))
        if only_mask:
            cutouts.append(mask)
        elif alpha_matting:
            cutouts.append(
                _matted(
                    image,
                    mask,
                    alpha_matting_foreground_threshold,
                    alpha_matting_background_threshold,
                    alpha_matting_erode_size,
                    putalpha=putalpha,
                )
            )
        elif putalpha:
            cutouts.append(putalpha_cutout(image.copy(), mask))
        elif exact and not decontaminate:
            cutouts.append(naive_cutout(image, mask))
        else:
            keeps = not decontaminate and image.mode == "RGBA"
            cutouts.append(decontaminate_cutout(image, _within(image, mask) if keeps else mask))
    result = get_concat_v_multi(cutouts) if cutouts else image
    if color is not None:
        result = apply_background_color(result.convert("RGBA"), color)
    return as_asked(result, kind)


def _is_plain(data: Any) -> bool:
    """Whether it is of a type that rembg itself takes."""
    from PIL import Image

    return isinstance(data, (bytes, np.ndarray, Image.Image))


def _of_tensor(data: Any, asked: dict[str, Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Each image of a tensor, H x W x C or N x H x W x C; float comes back as float32 in 0..1."""
    from nssbg._io.array_like import as_array

    pixels = as_array(data, "<tensor>")
    images = pixels if pixels.ndim == 4 else pixels[None]
    results = [remove(np.asarray(image), **asked, **dict(kwargs)) for image in images]
    stacked = np.stack(results) if pixels.ndim == 4 else results[0]
    if pixels.dtype.kind == "f":
        stacked = stacked.astype(np.float32) / np.float32(255)
    return stacked


def _rgba(color: Sequence[int]) -> tuple[int, int, int, int]:
    """A colour of four numbers, 0..255; of three, opaque."""
    try:
        values = tuple(int(value) for value in color)
    except (TypeError, ValueError):
        values = ()
    if len(values) == 3:
        values = (*values, 255)
    if len(values) != 4 or not all(0 <= value <= 255 for value in values):
        raise OptionError(
            f"bgcolor is red, green, blue, alpha, each 0 to 255, as (255, 255, 255, 255); "
            f"got {color!r}"
        )
    return values


def _is_natural(session: BaseSession) -> bool:
    """Whether the session's masks are nssbg's own: a subclass may predict in its own way."""
    return isinstance(session, RemoverSession) and (type(session).predict is RemoverSession.predict)


def _natural(
    data: Any,
    kind: ReturnType,
    session: Any,
    *,
    only_mask: bool,
    drop_alpha: bool,
    color: tuple[int, int, int, int] | None,
) -> Any:
    """nssbg's own cut-out, in one call: what is read, refined and coloured is not taken apart."""
    try:
        cutout = session.cutout(
            data,
            alpha_only=only_mask,
            ignore_alpha=only_mask or drop_alpha,
        )
    except ImageDecodeError as error:
        raise UnreadableImageError(str(error)) from error
    if kind is ReturnType.BYTES and color is None:
        return encoded(cutout, "png", mask=only_mask)
    if only_mask:
        from PIL import Image

        mask = pixels_of(cutout, background=None, mask=True)
        mask = mask if mask.dtype == np.uint8 else eight_bits(mask)
        return mask if kind is ReturnType.NDARRAY else as_asked(Image.fromarray(mask), kind)
    if kind is ReturnType.NDARRAY and color is None and cutout.rgba.dtype == np.uint8:
        return cutout.rgba
    image = cutout.to_pil()
    if color is not None:
        image = apply_background_color(image, color)
    return as_asked(image, kind)


def _matted(
    image: Any, mask: Any, foreground: int, background: int, erode_size: int, *, putalpha: bool
) -> Any:
    """The mask solved anew; where that cannot be done, as it is."""
    try:
        return alpha_matting_cutout(image, mask, foreground, background, erode_size)
    except ValueError:
        return (
            putalpha_cutout(image.copy(), mask) if putalpha else decontaminate_cutout(image, mask)
        )


def _within(image: Any, mask: Any) -> Any:
    """A mask times the alpha that the image came with."""
    from PIL import ImageChops

    return ImageChops.multiply(mask.convert("L"), image.getchannel("A"))


def alpha_matting_cutout(
    img: Any,
    mask: Any,
    foreground_threshold: int,
    background_threshold: int,
    erode_structure_size: int,
) -> Any:
    """A cut-out whose alpha is solved in the band around the mask's edge.

    Args:
        img: A PIL image; an alpha of its own is left out.
        mask: A PIL image of mode L and of the same size.
        foreground_threshold: See `remove`; so for the others.
        background_threshold: See `remove`.
        erode_structure_size: See `remove`.

    Returns:
        A PIL image of mode RGBA, straight.
    """
    from PIL import Image

    rgba = rembg_steps.matted(
        np.asarray(img.convert("RGB")),
        np.asarray(mask.convert("L")),
        foreground_threshold=foreground_threshold,
        background_threshold=background_threshold,
        erode_size=erode_structure_size,
    )
    return Image.fromarray(rgba)


def naive_cutout(img: Any, mask: Any) -> Any:
    """The image over clear black by the mask: colours multiplied by alpha, as rembg's are."""
    return rembg_steps.naive_cutout(img, mask)


def decontaminate_cutout(img: Any, mask: Any) -> Any:
    """The mask as alpha over true edge colours: a PIL image of mode RGBA, straight."""
    from PIL import Image

    rgb, alpha = np.asarray(img.convert("RGB")), np.asarray(mask.convert("L"))
    return Image.fromarray(decontaminated(rgb, alpha, threads=0))


def putalpha_cutout(img: Any, mask: Any) -> Any:
    """The image itself, its alpha replaced by the mask."""
    img.putalpha(mask)
    return img


def get_concat_v_multi(imgs: list[Any]) -> Any:
    """PIL images one below the other; one alone as it is. The list is left as it is."""
    result = imgs[0]
    for image in imgs[1:]:
        result = get_concat_v(result, image)
    return result


def get_concat_v(img1: Any, img2: Any) -> Any:
    """Two PIL images one below the other, mode RGBA."""
    from PIL import Image

    joined = Image.new("RGBA", (img1.width, img1.height + img2.height))
    joined.paste(img1, (0, 0))
    joined.paste(img2, (0, img1.height))
    return joined


def post_process(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A mask (H x W, 0..255) made binary, with a smooth outline."""
    return rembg_steps.binary_mask(mask)


def apply_background_color(img: Any, color: Sequence[int]) -> Any:
    """An RGBA image over a colour of red, green, blue and alpha; mode RGBA."""
    from PIL import Image

    return Image.alpha_composite(Image.new("RGBA", img.size, tuple(color)), img)


def fix_image_orientation(img: Any) -> Any:
    """A copy that is upright as its EXIF orientation asks."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(img)


def download_models(models: Sequence[str] = ()) -> None:
    """Pull the weights of models; of all that rembg pulls, where none is named.

    Raises:
        OptionError (a ValueError): One has no such name; nothing was pulled.
        ModelError: One could not be pulled.
    """
    names = list(models) or sessions_names_downloadable
    unknown = [name for name in names if name not in sessions]
    if unknown:
        raise OptionError(f"no model found: {', '.join(unknown)}; known: {', '.join(sessions)}")
    for name in names:
        sessions[name].download_models()
