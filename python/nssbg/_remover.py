"""`Remover`: takes the background out of many pictures, with one model held open."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._compose.background import Background
from nssbg._compose.output import Output, needs_colors
from nssbg._cutout import Cutout
from nssbg._delivery import SourceFiles, give_back, target_of, write
from nssbg._enhance_options import Enhancement
from nssbg._errors import OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._options import CutoutOptions, checked_quality, one_of, options_from, spelled_out
from nssbg._pipeline.enhancing import Enhancer, upscale_of
from nssbg._pipeline.frames import FrameStream, copied, reordered
from nssbg._pipeline.memory_estimate import predicted_bytes
from nssbg._pipeline.settings import Settings
from nssbg._pipeline.stages import Pipeline
from nssbg._pipeline.stream import Stream
from nssbg._types import ArrayLike, BytesLike, ImageSource, PathLikeText, SupportsRead
from nssbg._vocabulary import (
    CHANNEL_ORDERS,
    COMPRESSIONS,
    DEFAULT_COMPRESSION,
    FORMATS,
    Backend,
    ChannelOrder,
    Compression,
    FileFormat,
    LicenseUse,
    PrecisionChoice,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

    from nssbg._delivery import DeliveryOptionsDict
    from nssbg._options import CutoutOptionsDict
    from nssbg._pipeline.analysis import Analysis
    from nssbg._planner import BatchRun

__all__ = ["Remover"]

# Pictures of a run that a calibration at its start checks alphas on.
_SAMPLES = 4


def _samples(images: Iterable[Any]) -> list[Any]:
    """A few pictures spread over a sequence; none of an iterator, which can be read only once."""
    if not isinstance(images, Sequence) or not images:
        return []
    places = {len(images) * number // _SAMPLES for number in range(_SAMPLES)}
    found = (images[place] for place in sorted(places))
    return [item for item in found if not hasattr(item, "read")]


def _worth_another_look(before: BatchRun | None, now: BatchRun) -> bool:
    """Whether a network that was opened for one run should be planned anew for another."""
    if before is None or now.autotune is False:
        return before is None
    if now.autotune and not before.autotune:
        return True
    return (now.image_count or 0) > 2 * (before.image_count or 0)


def _prediction(options: CutoutOptions | Callable[[Any], CutoutOptions]) -> Callable[[Any], int]:
    """What tells the bytes that a source is predicted to take in flight, enhanced where it is."""
    if isinstance(options, CutoutOptions) and options.enhance is None:
        return predicted_bytes

    def predict(source: Any) -> int:
        one = options if isinstance(options, CutoutOptions) else options(source)
        enhance = one.enhancement_of(source)
        return predicted_bytes(source, upscale=0 if enhance is None else upscale_of(enhance))

    return predict


class Remover:
    """Takes the background out of many pictures with one model held open.

    Safe to use from several threads. It can be pickled: the other process opens the model anew, on
    first use. After a fork the child does so too, but only with onnxruntime: openvino's threads do
    not survive a fork, so where the parent had opened a network with it a child gets ForkError.
    Processes of multiprocessing.get_context("spawn") or "forkserver" take any runtime; the studio
    method works everywhere. A fork waits until no picture of another thread is in a network.

    Args:
        model: "auto", "studio" (weights-free, for products on plain or graded backdrops and
            chroma screens), a name of `nssbg models list`, or a path to an ONNX or OpenVINO
            IR file with a sidecar (see docs/models.md). Doors of nssbg's own give a
            ModelDescription, which is what a sidecar says.
        device: "auto" takes what is measured to be best and says when it had to settle for
            less; "cpu", "gpu", "npu", "cuda" raise DeviceError where that is not what runs.
        backend: "auto", "onnxruntime" or "openvino".
        precision: What a network computes in: "auto" is float32, or what was measured to be the
            fastest here of those whose alpha is close enough (`nssbg tune`); "float32", "bfloat16",
            "float16" and "int8" are that or an error. "int8" takes an int8 form of the weights:
            one published with them, or what `nssbg quantize` made.
        threads: Threads for the kernels and the runtime; 0 means all usable cores.
        license: "commercial" refuses weights that do not allow commercial use, before anything
            is downloaded; "any" takes all. None: NSSBG_LICENSE from the environment, else "any".
        max_pixels: Pictures with more pixels are refused before they are decoded.
        max_memory: Pictures that are predicted to take more bytes, from decoding to the result,
            are refused before they are decoded; so are longer files. None: three quarters of the
            memory that is free at that moment on the machine and in this process's cgroup, but
            never less than 512 MB. A model's own memory comes on top. (`map` has a bound of the
            same name on all pictures in flight.)

    Raises:
        OptionError: An argument outside what is allowed.
        ModelError: The model is unknown or not on disk (on first use).
        LicenseError: Its weights do not allow the use asked for (on first use).
        DeviceError: The device asked for is not what would run (on first use).
        ForkError: The runtime was in use in the process that this one was forked from (on first
            use).
    """

    def __init__(
        self,
        model: PathLikeText | ModelDescription = "auto",
        *,
        device: str = "auto",
        backend: Backend = "auto",
        precision: PrecisionChoice = "auto",
        threads: int = 0,
        license: LicenseUse | None = None,
        max_pixels: int = image_io.DEFAULT_MAX_PIXELS,
        max_memory: int | None = None,
    ) -> None:
        self._settings = Settings(
            model=os.fspath(model) if isinstance(model, os.PathLike) else model,
            device=device,
            backend=backend,
            precision=precision,
            threads=threads,
            license=license,
            max_pixels=max_pixels,
            max_memory=max_memory,
        )
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self._batch_pipeline: Pipeline | None = None
        self._batch_run: BatchRun | None = None
        self._pid = os.getpid()

    def _reset_if_forked(self) -> None:
        # What the parent opened is kept as it is, for ever (_lifecycle), and the lock may have been
        # held by a thread that does not exist here.
        if os.getpid() != self._pid:
            self._reset()

    def _open(self) -> Pipeline:
        self._reset_if_forked()
        with self._lock:
            if self._pipeline is None:
                self._pipeline = Pipeline(self._settings)
            return self._pipeline

    def _open_for_many(
        self, workers: int, image_count: int | None, samples: list[Any], autotune: bool | None
    ) -> Pipeline:
        """The pipeline for `map`: one kernel thread a picture, all threads for the network."""
        from nssbg._planner import BatchRun

        run = BatchRun(self._settings.thread_count, workers, image_count, samples, autotune)
        self._reset_if_forked()
        with self._lock:
            if self._batch_pipeline is None or _worth_another_look(self._batch_run, run):
                # The one before is only let go of, as another run may be using it; and first, as
                # else two networks would lie in memory.
                self._batch_pipeline = None
                self._batch_pipeline = Pipeline(replace(self._settings, threads=1), run=run)
                self._batch_run = run
            return self._batch_pipeline

    def __getstate__(self) -> dict[str, Any]:
        """Only the settings travel: the model is opened anew where this is unpickled."""
        return {"settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._settings = state["settings"]
        self._reset()

    def close(self) -> None:
        """Let go of the model and its memory; the next use opens it again.

        In a forked child the parent's model is left as it is.
        """
        self._reset_if_forked()
        with self._lock:
            opened = (self._pipeline, self._batch_pipeline)
            self._pipeline = self._batch_pipeline = self._batch_run = None
        for one in opened:
            if one is not None:
                one.close()

    def __enter__(self) -> Remover:
        """Use as `with Remover() as remover:`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the model."""
        self.close()

    def __repr__(self) -> str:
        return f"Remover(model={self._settings.model!r}, device={self._settings.device!r})"

    @spelled_out(CutoutOptions)
    def cutout(self, image: ImageSource, **options: Unpack[CutoutOptionsDict]) -> Cutout:
        """Cut out one picture and return the result with its account.

        Args:
            image: A path, bytes, binary file object, PIL image or array (NumPy's or anything with
                `__array__`, such as a torch tensor; H x W, H x W x 1/3/4; uint8, uint16 or
                float 0..1).
            options: effort, refine, decontaminate, strength, matte, ignore_alpha, corrections,
                enhance: see `CutoutOptions`.

        Raises:
            ImageDecodeError: The picture cannot be read.
            OptionError: An argument outside what is allowed.
        """
        return self._cut_out(image, options_from(self.cutout, options))

    def _cut_out(self, image: ImageSource, options: CutoutOptions) -> Cutout:
        """As `cutout`, for the package's own edges, which may want the alpha alone."""
        return self._open().run(image, options)

    def _open_enhancement(self, enhancement: Enhancement) -> None:
        """Open a network before a run that needs it, for edges that tell what is wrong at once.

        Raises:
            ModelError, LicenseError, DeviceError, OptionError: As their names say.
        """
        Enhancer(self._settings, self._settings.thread_count).open(enhancement)

    def _analyse(
        self,
        image: ImageSource,
        options: CutoutOptions,
        *,
        on_stage: Callable[[str], None] | None = None,
    ) -> Analysis:
        """Up to the estimate, for edges whose users correct a picture again and again."""
        return self._open().analyse(image, options, on_stage=on_stage)

    @spelled_out(CutoutOptions)
    def alpha(self, image: ImageSource, **options: Unpack[CutoutOptionsDict]) -> NDArray[Any]:
        """Only the alpha, at the picture's size; no colours are estimated and no RGBA is made.

        Args:
            image: See `cutout`.
            options: See `cutout`; those about colours change nothing.

        Returns:
            H x W, uint8 (uint16 for 16-bit pictures), 255 (65535) = foreground.

        Raises:
            ImageDecodeError: The picture cannot be read.
            OptionError: An argument outside what is allowed.
        """
        return self._cut_out(image, options_from(self.alpha, options, alpha_only=True)).alpha

    @overload
    def remove(
        self,
        image: ImageSource,
        output: PathLikeText,
        **options: Unpack[DeliveryOptionsDict],
    ) -> Path: ...
    @overload
    def remove(
        self,
        image: PathLikeText,
        output: PathLikeText | None = None,
        **options: Unpack[DeliveryOptionsDict],
    ) -> Path: ...
    @overload
    def remove(
        self,
        image: BytesLike | SupportsRead,
        output: None = None,
        **options: Unpack[DeliveryOptionsDict],
    ) -> bytes: ...
    @overload
    def remove(
        self, image: Image, output: None = None, **options: Unpack[DeliveryOptionsDict]
    ) -> Image: ...
    @overload
    def remove(
        self, image: ArrayLike, output: None = None, **options: Unpack[DeliveryOptionsDict]
    ) -> NDArray[Any]: ...
    @overload
    def remove(
        self,
        image: ImageSource,
        output: PathLikeText | None = None,
        **options: Unpack[DeliveryOptionsDict],
    ) -> Path | bytes | Image | NDArray[Any]: ...

    @spelled_out(CutoutOptions)
    def remove(
        self,
        image: ImageSource,
        output: PathLikeText | None = None,
        *,
        background: Background | None = None,
        mask: bool = False,
        format: FileFormat | None = None,
        overwrite: bool = True,
        **options: Unpack[CutoutOptionsDict],
    ) -> Path | bytes | Image | NDArray[Any]:
        """Take the background out; the result has the type that was given.

        Args:
            image: See `cutout`.
            output: Where to write; given with any kind of input, the path is returned.
            background: Colour or picture to lay the cut-out over; None: transparent.
            mask: Return the alpha alone, as a grey picture.
            format: Format of files and bytes; default from `output`, else "png".
            overwrite: Whether a file that is there is replaced, as a pipeline that runs again
                expects. False: that is an error, also where another process makes the file at
                the same moment. A source or background picture, and a file that is marked as
                read-only, is never written over.
            options: See `cutout`.

        Returns:
            A path in gives the Path of the file written (beside it, as NAME-cutout.png,
            unless `output` says where); bytes and file objects give bytes; PIL gives PIL; an
            array gives H x W x 4 (H x W x 3 over a background, H x W for a mask) of its dtype
            (float32 for every float).

        Raises:
            ImageDecodeError: The picture cannot be read.
            ImageEncodeError: The result cannot be written.
            OptionError: An argument outside what is allowed.
        """
        wanted = options_from(self.remove, options, alpha_only=bool(mask))
        if mask and background is not None:
            raise OptionError("mask=True returns the alpha alone: leave out background")
        target = target_of(image, output, format=format, mask=mask)
        if target is not None:  # before the work: what cannot be written costs nothing
            image_io.check_target(target, overwrite=overwrite, inputs=(image, background))
        return give_back(
            self._cut_out(image, wanted),
            target,
            background=background,
            mask=mask,
            format=format,
            overwrite=overwrite,
            threads=self._settings.threads,
        )

    @spelled_out(CutoutOptions)
    def map(
        self,
        images: Iterable[ImageSource],
        *,
        output: Callable[[Any], PathLikeText] | None = None,
        sink: Callable[[Any, Cutout], Any] | None = None,
        background: Background | None = None,
        mask: bool = False,
        result: Output | None = None,
        format: FileFormat | None = None,
        compression: Compression = DEFAULT_COMPRESSION,
        quality: int | None = None,
        overwrite: bool = True,
        ordered: bool = True,
        workers: int = 0,
        max_in_flight: int | None = None,
        max_memory: int | None = None,
        time_limit: float | None = None,
        autotune: bool | None = None,
        **options: Unpack[CutoutOptionsDict],
    ) -> Stream:
        """Cut out many pictures at once, in bounded memory.

        Pictures are pulled from `images` as room becomes free and results wait until they
        are taken, so neither end can run away. A picture that fails gives an outcome with its
        error; the others go on.

        Args:
            images: Sources as `cutout` takes them; may be endless.
            output: Gives the path to write for a source; the cut-out is then written in the
                worker and its pixels let go, its `report` stays. None: outcomes carry the
                cut-outs.
            sink: In place of `output`: called in the worker with each source and its cut-out; what
                it returns is the outcome's `output_path`, and the cut-out's pixels are let go.
            background: For `output`: see `remove`.
            mask: For `output`: see `remove`.
            result: For `output`: what the files look like (size, canvas, margin, shadow,
                background), in place of background and mask; see `nssbg.Output`.
            format: For `output`: default from the path's suffix.
            compression: For `output`: time against bytes; the pixels are the same.
            quality: For `output`: 0 to 100 for lossy formats; None: the format's own.
            overwrite: For `output`: see `remove`. Where `images` is a sequence, none of its
                pictures is written over, whichever it is a result of.
            ordered: Results in the order of the sources; False: as completed.
            workers: Threads; 0 means the Remover's own number.
            max_in_flight: Pictures between pull and hand-over; None: workers + 2.
            max_memory: Bound in bytes on what the pictures in flight are predicted to take.
            time_limit: Seconds that a picture's stages may take, the opening of the network left
                out; None: any. One whose stage has not ended by then gives an outcome with
                `TimeLimitError`, and the others go on. No thread can be cut short: the one that
                hangs is left behind with its memory, and close, `with` and the end of the loop do
                not wait for it. (The interpreter's own end waits for native code, ten minutes at
                most.) Once four pictures for each worker hang, the stream ends with that error.
                Time in `images` itself and in a look at a source's header does not count.
            autotune: Whether to measure first which runtime and precision is fastest here,
                where neither `nssbg tune` nor an earlier run did; what is found is kept. A
                published int8 form is left out, unless `precision` names it. None:
                where `images` has a length for which that costs at most a twentieth of the run;
                True: in any case; False: never. What was done is in each result's plan.
            options: See `cutout`.

        Returns:
            An iterator of `Outcome`; close it, or use `with`, to cancel.
        """
        alpha_only = bool(mask) if result is None else not needs_colors(result)
        wanted = options_from(self.map, options, alpha_only=alpha_only)
        if result is not None and (mask or background is not None):
            raise OptionError("give result, or background and mask: a result has its own")
        one_of("compression", compression, COMPRESSIONS)
        if format is not None:
            one_of("format", format, FORMATS)
        if quality is not None:
            checked_quality(quality)
        count = workers or self._settings.thread_count
        in_flight = count + 2 if max_in_flight is None else max_in_flight
        for name, value in (("workers", count), ("max_in_flight", in_flight)):
            if value < 1:
                raise OptionError(f"{name} must be at least 1, got {value}")
        if time_limit is not None and not time_limit > 0:
            raise OptionError(f"time_limit must be more than 0 seconds, got {time_limit}")
        if output is not None and sink is not None:
            raise OptionError("give output or sink, not both: a sink does the writing itself")
        if output is not None:
            chosen = output
            sources = SourceFiles(images)

            def write_out(source: Any, cutout: Cutout) -> Path:
                target = Path(chosen(source))
                sources.check(target)
                return write(
                    cutout,
                    target,
                    background=background,
                    mask=mask,
                    result=result,
                    format=format,
                    compression=compression,
                    quality=quality,
                    overwrite=overwrite,
                    threads=1,
                )

            sink = write_out

        image_count = operator.length_hint(images, 0) or None
        samples = _samples(images) if autotune is not False else []
        return Stream(
            self._open_for_many(count, image_count, samples, autotune),
            images,
            wanted,
            workers=count,
            max_in_flight=in_flight,
            max_memory=max_memory,
            predict=_prediction(wanted),
            sink=sink,
            ordered=ordered,
            time_limit=time_limit,
        )

    def _map_each(
        self,
        images: Iterable[Any],
        options: Callable[[Any], CutoutOptions],
        sink: Callable[[Any, Cutout], Any],
        *,
        max_memory: int | None = None,
        time_limit: float | None = None,
        autotune: bool | None = None,
    ) -> Stream:
        """As `map` with a sink, as completed, with options for each source: for the edges."""
        count = self._settings.thread_count
        return Stream(
            self._open_for_many(count, None, [], autotune),
            images,
            options,
            workers=count,
            max_in_flight=count + 2,
            max_memory=max_memory,
            predict=_prediction(options),
            sink=sink,
            ordered=False,
            time_limit=time_limit,
        )

    @spelled_out(CutoutOptions)
    def frames(
        self,
        frames: Iterable[ArrayLike],
        *,
        channels: ChannelOrder = "rgb",
        background: Background | None = None,
        mask: bool = False,
        workers: int = 0,
        max_in_flight: int | None = None,
        **options: Unpack[CutoutOptionsDict],
    ) -> FrameStream:
        """Cut out the frames of a film or a camera, several at once, in order.

        Each frame is cut out by itself: nothing is smoothed over time. Open the Remover with a
        model by name, as "auto" may choose differently from frame to frame. Frames are pulled one
        at a time, from a worker thread, only while fewer than `max_in_flight` are in work or wait
        to be taken: a slow taker holds the reader up, and memory stays bounded. A frame is copied
        as it is pulled, so a reader may fill one buffer again.

        Args:
            frames: Arrays as `cutout` takes them: H x W, H x W x 1/3/4 of uint8, uint16 or float
                0..1; may be endless. A generator is closed at the end, from the taker's thread.
            channels: "rgb", or "bgr" as OpenCV has them: blue first, coming in and going out.
            background: As in `remove`; given as red, green, blue in either case.
            mask: The alpha alone.
            workers: Threads; 0 means the Remover's own number.
            max_in_flight: Frames between pull and hand-over; None: workers + 2. Less is less
                delay, more evens out a reader that stalls.
            options: See `cutout`. effort="fast" is what keeps up with a camera.

        Returns:
            An iterator of arrays of the frame's dtype (float32 for every float): H x W x 4,
            H x W x 3 over a background, H x W for a mask. Close it, or use `with`, to stop. The
            first frame that cannot be cut out ends it, with an error that has its number, once
            all before it were handed over.

        Raises:
            OptionError: An argument outside what is allowed.
        """
        options_from(self.frames, options)
        one_of("channels", channels, CHANNEL_ORDERS)
        if mask and background is not None:
            raise OptionError("mask=True returns the alpha alone: leave out background")

        def sink(_: Any, cutout: Cutout) -> NDArray[Any]:
            result: Any = give_back(cutout, None, background=background, mask=mask, format=None)
            return reordered(result, channels)

        reader = iter(frames)
        stream = self.map(
            copied(reader, channels),
            sink=sink,
            mask=mask,
            workers=workers,
            max_in_flight=max_in_flight,
            autotune=False,
            **options,
        )
        return FrameStream(stream, reader)

    @overload
    async def remove_async(
        self,
        image: ImageSource,
        output: PathLikeText,
        **options: Unpack[DeliveryOptionsDict],
    ) -> Path: ...
    @overload
    async def remove_async(
        self,
        image: PathLikeText,
        output: PathLikeText | None = None,
        **options: Unpack[DeliveryOptionsDict],
    ) -> Path: ...
    @overload
    async def remove_async(
        self,
        image: BytesLike | SupportsRead,
        output: None = None,
        **options: Unpack[DeliveryOptionsDict],
    ) -> bytes: ...
    @overload
    async def remove_async(
        self, image: Image, output: None = None, **options: Unpack[DeliveryOptionsDict]
    ) -> Image: ...
    @overload
    async def remove_async(
        self, image: ArrayLike, output: None = None, **options: Unpack[DeliveryOptionsDict]
    ) -> NDArray[Any]: ...

    async def remove_async(
        self,
        image: ImageSource,
        output: PathLikeText | None = None,
        **options: Unpack[DeliveryOptionsDict],
    ) -> Path | bytes | Image | NDArray[Any]:
        """`remove` for asyncio: runs in a worker thread, the event loop goes on."""
        import asyncio  # 20 ms that only its users pay

        return await asyncio.to_thread(lambda: self.remove(image, output, **options))
