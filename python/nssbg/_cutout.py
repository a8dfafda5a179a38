"""The result of cutting out one picture: straight RGBA, and an honest account of how it came."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._color.depth import eight_bits
from nssbg._compose.background import over
from nssbg._compose.checkerboard import checkerboard
from nssbg._compose.defocus import BLUR, Blur, blur_from, blurred_by_depth
from nssbg._compose.output import Output, is_whole_alpha, render
from nssbg._errors import OptionError
from nssbg._ops.foreground import decontaminate
from nssbg._segment.second_pass.run import SecondPassReport
from nssbg._types import Frame, PathLikeText, Plan, Timings
from nssbg._vocabulary import Compression, FileFormat

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

    from nssbg._compose.background import Background
    from nssbg._enhance.tiling import Progress
    from nssbg._models.sidecar import ModelDescription

__all__ = ["Cutout", "EncodeOptionsDict", "Report", "inputs_of", "report_record"]


class EncodeOptionsDict(TypedDict, total=False):
    """The keywords of `Cutout.encode` and `Cutout.save` about how a file is written.

    Attributes:
        compression: Time against bytes, for the same pixels: "fast", "default" or "best".
        quality: 0 to 100 for lossy formats; None: the format's own.
        threads: Threads to use at most; 0 for all usable cores. The bytes do not depend on it.
        subsampling: "4:4:4", "4:2:2" or "4:2:0" for JPEG and AVIF; None: by the quality.
        progressive: JPEG that shows coarsely first.
    """

    compression: Compression
    quality: int | None
    threads: int
    subsampling: str | None
    progressive: bool


@dataclass(frozen=True)
class Report:
    """What was done to a picture and how far the result may be trusted, without its pixels.

    Attributes:
        width: Of the picture, in pixels.
        height: The same.
        plan: See `Cutout`; so for the others.
        timings: Milliseconds per stage.
        confidence: 0 to 1, or None: see `Cutout`.
        low_confidence: See `Cutout`.
        notes: Fallbacks, repairs, warnings.
        second_pass: Runs on parts of the picture, or None.
        enhancement: What enhanced it, or None.
    """

    width: int
    height: int
    plan: Plan
    timings: Timings
    confidence: float | None
    low_confidence: bool | None = False
    notes: tuple[str, ...] = ()
    second_pass: SecondPassReport | None = None
    enhancement: Plan | None = None


# Longer side, in pixels, of the picture that a notebook shows: a cell's width, at most 1 MB.
_SHOWN = 640


@dataclass(frozen=True, repr=False)
class Cutout:
    """A picture without its background. A notebook shows it on a checkerboard, 640 pixels at most.

    Attributes:
        alpha: H x W, uint8 or uint16 as the picture was; full scale = foreground.
        frame: The decoded picture that this was cut from.
        plan: What really ran: model, runtime, device, precision, threads, and why.
        timings: Milliseconds per stage.
        confidence: 0 to 1, how far the alpha is to be trusted: the overlap (IoU) with the truth
            that is expected; of model="studio", the probability that it is at least 0.9. None
            where nothing was fitted to the network (`ModelDescription.confidence`): how far its
            maps are to be trusted is not known. 0 of any network where its map has no outline.
        low_confidence: The confidence is so low (below 0.75; of model="studio" 0.5) that the result
            is to be looked at, or another model to be tried; a note says so. None, which counts as
            false, where the confidence is None.
        notes: What the stages had to say: fallbacks, repairs, warnings.
        second_pass: What the network's runs on parts of the picture (see `effort`) brought and
            cost: runs, crop, tiles, gain in resolution, change of alpha, seconds. None where it
            ran once.
        enhancement: What ran to enhance the photograph, at whose size this is; None: nothing did.
    """

    alpha: NDArray[Any]
    frame: Frame
    plan: Plan
    timings: Timings
    confidence: float | None
    notes: tuple[str, ...] = ()
    second_pass: SecondPassReport | None = None
    low_confidence: bool | None = False
    # H x W x 4, whose alpha `alpha` is; None where only the alpha was wanted.
    colored: NDArray[Any] | None = field(default=None, repr=False, kw_only=True)
    enhancement: Plan | None = field(default=None, kw_only=True)

    @classmethod
    def of_rgba(cls, rgba: NDArray[Any], frame: Frame, **account: Any) -> Cutout:
        """A cut-out of finished pixels: H x W x 4, straight, of the picture's dtype."""
        return cls(rgba[..., 3], frame, colored=rgba, **account)

    @cached_property
    def rgba(self) -> NDArray[Any]:
        """H x W x 4, straight (not premultiplied) alpha, uint8 or uint16 as the picture was.

        In the colour encoding of the picture's own profile (`frame.icc_profile`).
        """
        if self.colored is not None:
            return self.colored
        # Only the alpha was wanted when this was cut out: the photograph's own colours.
        return decontaminate(self.frame.rgb, self.alpha, method="off", threads=1)

    @property
    def report(self) -> Report:
        """The account alone, for keeping when the pixels are let go."""
        return Report(
            width=self.frame.width,
            height=self.frame.height,
            plan=self.plan,
            timings=self.timings,
            confidence=self.confidence,
            low_confidence=self.low_confidence,
            notes=self.notes,
            second_pass=self.second_pass,
            enhancement=self.enhancement,
        )

    def over(
        self, background: Background, *, blur: NDArray[Any] | None = None, threads: int = 1
    ) -> NDArray[Any]:
        """Lay the cut-out over a colour or a picture, or its own background out of focus.

        Args:
            background: Colour name, "#rrggbb", (r, g, b) of 0..255, a picture (path, PIL
                image, array) that is scaled to cover, or "blur" or a `Blur`: the photograph's own.
            blur: With background="blur", the depth that it follows: see `Blur.depth`.
            threads: Threads to use; 0: all usable cores. Never changes the result.

        Returns:
            H x W x 3, the dtype of rgba.

        Raises:
            OptionError: blur without background="blur", or not a background.
        """
        blurred = blur_from(background)
        if blur is not None:
            if background != BLUR:
                raise OptionError("blur= is a depth map for background='blur'; else use nssbg.Blur")
            blurred = Blur(depth=blur)
        if blurred is not None:
            behind = blurred_by_depth(self.frame.rgb, self.rgba, blurred, threads=threads)
            return over(self.rgba, behind, threads=threads)
        return over(self.rgba, background, icc_profile=self.frame.icc_profile, threads=threads)

    def render(self, output: Output) -> NDArray[Any]:
        """The pixels of one result: trimmed, on a canvas, with a shadow, as a mask, ...

        One cut-out gives as many as are wanted; the picture is decoded once.

        Args:
            output: What the result looks like; see `nssbg.Output`.

        Returns:
            H' x W' x 4, H' x W' x 3 (with a background) or H' x W' (a mask), the dtype of rgba.

        Raises:
            OptionError: The options do not fit the picture.
        """
        if is_whole_alpha(output):
            return np.ascontiguousarray(self.alpha)
        return render(self.rgba, output, image=self.frame.rgb, icc_profile=self.frame.icc_profile)

    def encode(
        self,
        format: FileFormat = "png",
        *,
        background: Background | None = None,
        output: Output | None = None,
        **settings: Unpack[EncodeOptionsDict],
    ) -> bytes:
        """The cut-out as file bytes, profile, EXIF and resolution kept.

        Args:
            format: "png", "webp", "tiff", "avif", "jxl", or "jpeg" (needs a background).
            background: As in `over`; None keeps the transparency.
            output: What the result looks like, in place of background. A premultiplied one is
                named so in TIFF; formats that cannot say it refuse it.
            settings: compression, quality, threads, subsampling and progressive: see
                `EncodeOptionsDict`.

        Raises:
            ImageEncodeError: The format cannot hold what was asked for.
        """
        if output is not None and background is not None:
            raise OptionError("give background or output, not both: an Output has its own")
        if output is not None:
            pixels = self.render(output)
        else:
            threads = settings.get("threads", 0)
            pixels = self.rgba if background is None else self.over(background, threads=threads)
        return image_io.encode(
            pixels,
            format=format,
            icc_profile=self.frame.icc_profile,
            exif=self.frame.exif,
            dpi=self.frame.dpi,
            premultiplied=output is not None and output.premultiplied,
            **settings,
        )

    def save(
        self,
        path: PathLikeText,
        *,
        background: Background | None = None,
        output: Output | None = None,
        overwrite: bool = True,
        **settings: Unpack[EncodeOptionsDict],
    ) -> Path:
        """Write the cut-out to a file, whole or not at all; the suffix gives the format.

        Args:
            path: Where to; its folder has to exist. A FIFO or a character device such as
                /dev/stdout is written into, as PNG where its name has no suffix.
            background: See `encode`.
            output: See `encode`.
            overwrite: Whether a file that is there is replaced (one that is marked as
                read-only never is); False: that is an error.
            settings: See `encode`.

        Returns:
            The path.

        Raises:
            OptionError: The path is the picture's own file, or that of its background; or its
                suffix names no format.
            ImageEncodeError: The format cannot hold what was asked for, or the file cannot be
                written.
        """

        def encode(format: FileFormat) -> bytes:
            return self.encode(format, background=background, output=output, **settings)

        inputs = inputs_of(self, background, output)
        return image_io.write_encoded(path, encode, overwrite=overwrite, inputs=inputs)

    def to_pil(self) -> Image:
        """The cut-out as a PIL image, mode RGBA (16-bit pictures come down to 8)."""
        from PIL.Image import fromarray

        rgba = self.rgba
        if rgba.dtype != np.uint8:
            rgba = eight_bits(rgba)
        image = fromarray(np.ascontiguousarray(rgba))
        if self.frame.icc_profile:
            image.info["icc_profile"] = self.frame.icc_profile
        return image

    def enhance(
        self,
        *,
        upscale: int | None = None,
        denoise: float | None = None,
        deblock: float | Literal["auto"] = "auto",
        model: PathLikeText | ModelDescription | None = None,
        device: str = "auto",
        backend: str = "auto",
        threads: int = 0,
        license: str | None = None,
        progress: Progress | None = None,
    ) -> Cutout:
        """The cut-out of the enhanced photograph, at its size.

        The photograph goes through the network; the alpha is enlarged by `refine` with the result
        as guide; the edge's colours are estimated anew. "auto" deblocks nothing here: the
        photograph's file is no longer at hand.

        Args:
            upscale: Times the sides; see `nssbg.enhance`, also for the others.
            denoise: 0 to 1, or None.
            deblock: 0 to 1, or "auto".
            model: A name, a path to weights with a sidecar, or a description; None: a network that
                comes with nssbg.
            device: See `Remover`.
            backend: See `Remover`.
            threads: 0: all usable cores.
            license: See `Remover`.
            progress: Called with tiles done and tiles in all.

        Raises:
            ModelError: No network was named and none comes with nssbg, or it cannot be had.
            LicenseError: Its weights do not allow the use asked for.
            OptionError: A value outside these, or the network cannot do what is asked for.
        """
        from nssbg import _core
        from nssbg._enhance.image import EnhanceOptions, enhanced_alpha, enhanced_frame
        from nssbg._enhance.opening import chosen_model, image_network

        threads = threads or _core.usable_cores()
        options = EnhanceOptions(upscale, denoise, deblock)
        named = Path(model) if isinstance(model, PathLike) else model
        network = image_network(
            chosen_model(named, "image", options),
            device=device,
            backend=backend,
            threads=threads,
            license=license,
        )
        timings = Timings(dict(self.timings.stages))
        frame = enhanced_frame(
            network, self.frame, options, threads=threads, timings=timings, progress=progress
        )
        with timings.measure("enlarge alpha"):
            alpha = enhanced_alpha(self.alpha, frame.rgb, threads=threads)
        colored = None
        if self.colored is not None:
            with timings.measure("foreground"):
                colored = decontaminate(frame.rgb, alpha, threads=threads)
            alpha = colored[..., 3]
        ran = network.plan
        assert ran is not None
        note = f"enhanced by {ran.model} on {ran.backend}, {ran.device}, {ran.precision}"
        return replace(
            self,
            alpha=alpha,
            colored=colored,
            frame=frame,
            timings=timings,
            notes=(*self.notes, note, *ran.fallbacks),
            enhancement=ran,
        )

    def __repr__(self) -> str:
        """Size, what ran and how far it is to be trusted; no pixels."""
        trusted = "" if self.confidence is None else f", confidence {self.confidence:.2f}"
        return (
            f"<Cutout of {self.frame.name}: {self.frame.width} x {self.frame.height}, "
            f"{self.plan.model} on {self.plan.device}{trusted}>"
        )

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the cut-out on a checkerboard, scaled down to a cell's width."""
        small = self.render(Output(longest_side=_SHOWN))
        board = checkerboard(*small.shape[:2])
        if small.dtype != np.uint8:
            small = eight_bits(small)
        shown = over(small, board, icc_profile=self.frame.icc_profile)
        return image_io.encode(shown, format="png", icc_profile=self.frame.icc_profile)

    def with_rgba(self, rgba: NDArray[Any]) -> Cutout:
        """The same account with other pixels."""
        return replace(self, alpha=rgba[..., 3], colored=rgba)


def inputs_of(
    cutout: Cutout, background: Background | None = None, output: Output | None = None
) -> tuple[Any, ...]:
    """What a result is made from: files whose paths are among these are never written over."""
    source = Path(cutout.frame.name) if cutout.frame.kind == "path" else None
    return source, background, None if output is None else output.background


def _ran(plan: Plan) -> dict[str, Any]:
    """What of a plan tells which network ran, and how."""
    names = ("model", "license", "backend", "device", "precision", "threads")
    return {name: getattr(plan, name) for name in names}


def report_record(report: Report) -> dict[str, Any]:
    """A report as JSON holds it: the command line's lines and the server's answers."""
    plan = report.plan
    second = report.second_pass
    return {
        "width": report.width,
        "height": report.height,
        **_ran(plan),
        "reasons": list(plan.reasons),
        "fallbacks": list(plan.fallbacks),
        "confidence": None if report.confidence is None else round(report.confidence, 4),
        "low_confidence": report.low_confidence,
        "milliseconds": {stage: round(ms, 2) for stage, ms in report.timings.stages.items()},
        "second_pass": None
        if second is None
        else {
            "runs": second.runs,
            "crops": [astuple(crop) for crop in second.crops],
            "tiles": second.tiles,
            "gain": round(second.gain, 3),
            "changed": round(second.changed, 4),
            "milliseconds": round(second.seconds * 1000, 2),
            "notes": list(second.notes),
        },
        "enhancement": None if report.enhancement is None else _ran(report.enhancement),
        "notes": list(report.notes),
    }
