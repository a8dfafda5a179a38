"""nssbg beside rembg, withoutbg, pymatting, OpenCV and Pillow: one interleaved run, same pictures.

    python -m bench run peers [--tasks whole colours refine encode decode] [--megapixels 4]
        [--scenes product strands small] [--rounds 9] [--threads 2] [--alpha-matting] [--write]

whole    JPEG file to PNG file with one network by all (U-2-Net-p of random weights), but withoutbg
         with its own
colours  a picture and its true alpha to foreground colours: time, and error where they are known
refine   a network's map to the picture's full size: time, and error against true alphas
encode   a cut-out to PNG bytes: time and size
decode   JPEG bytes to pixels

--write puts the tables into docs/benchmarks.md and the plots into docs/pictures/peers-*.svg, with
what stands against nssbg first. Peers that are not here are named with the reason.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import io
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.peer_pages import write_pages
from bench.timing import Timings, interleaved, print_header, table
from nssbg import _core
from nssbg.bench import pictures as drawn
from nssbg.bench.tables import number

Bytes = npt.NDArray[np.uint8]
Call = Callable[[], object]
SIDE = 320  # of U-2-Net-p's input
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass
class Task:
    """What one task found.

    Attributes:
        name: Of the task.
        what: One sentence for readers.
        timings: Of the contenders, "nssbg" the baseline.
        extra: Head of a further column, "" where there is none.
        values: Contender -> the column's figure; less is better.
        absent: Contender -> why it is not there.
        ours: The contenders that are nssbg's.
    """

    name: str
    what: str
    timings: Timings
    extra: str = ""
    values: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> list[str]:
        return [timing.name for timing in self.timings.timings if timing.name.startswith("nssbg")]


def version_of(package: str) -> str:
    """An installed package's version, or ""."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def there(module: str, absent: dict[str, str], name: str) -> Any:
    """A peer's module; None, with the reason noted, where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        absent[name] = f"not installed: {error}"
        return None


def jpegs(megapixels: float, scenes: Sequence[str] = tuple(drawn.SCENES)) -> dict[str, bytes]:
    """The fixed pictures of `nssbg bench` as JPEG files."""
    from nssbg._io import encode

    return {
        scene: encode(drawn.draw(scene, *drawn.size_of(megapixels)), format="jpeg", quality=92)
        for scene in scenes
    }


def whole(options: argparse.Namespace) -> Task:
    """Files to files by everyone's usual way."""
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from bench.rembg_whole import SIDECAR, environment
        from nssbg.bench import synthetic

        graph = synthetic.make("u2netp", folder / "u2netp.onnx")
        graph.with_name("u2netp.onnx.toml").write_text(SIDECAR)
        sources = []
        for scene, data in jpegs(options.megapixels, options.scenes).items():
            sources.append(folder / f"{scene}.jpg")
            sources[-1].write_bytes(data)
        contenders = dict(
            (
                *_nssbg_whole(graph, folder, options.threads),
                *_rembg_whole(graph, folder, environment(graph), absent, options.alpha_matting),
                *_by_hand(graph, folder, options.threads, absent),
                *_withoutbg_whole(folder, absent),
            )
        )

        def over_all(call: Callable[[Path], object]) -> Call:
            return lambda: [call(source) for source in sources]

        timings = interleaved(
            {name: over_all(call) for name, call in contenders.items()},
            runs=options.rounds,
            warmup=1,
            title=f"whole: {len(sources)} JPEG of {options.megapixels:g} MP to PNG",
        )
    what = (
        f"JPEG files of {options.megapixels:g} MP ({', '.join(options.scenes)}) to PNG files, one "
        "after the other, by the same network. What rembg and the scripts write is the "
        "photograph's own colours under the upsampled map; nssbg's time has refinement and "
        "decontamination in it."
    )
    return Task("whole", what, timings, absent=absent)


def _nssbg_whole(
    graph: Path, folder: Path, threads: int
) -> Iterator[tuple[str, Callable[[Path], object]]]:
    import nssbg

    for name, how in (("nssbg", {}), ("nssbg, as coarse as rembg", COARSE)):
        remover = nssbg.Remover(str(graph), threads=threads)
        target = folder / "nssbg.png"
        yield name, lambda path, r=remover, h=how, t=target: r.remove(path, t, **h)


# No refinement, no second pass, no decontamination: what rembg does by default.
COARSE = {"effort": "fast", "refine": "none", "decontaminate": "off"}


def _rembg_whole(
    graph: Path,
    folder: Path,
    environment: dict[str, str],
    absent: dict[str, str],
    alpha_matting: bool,
) -> Iterator[tuple[str, Callable[[Path], object]]]:
    os.environ.update(environment)
    rembg = there("rembg", absent, "rembg")
    if rembg is None:
        return
    session = rembg.new_session("u2net_custom", model_path=str(graph))
    ways: dict[str, dict[str, bool]] = {"rembg": {}}
    if alpha_matting:
        ways["rembg, alpha matting"] = {"alpha_matting": True}
    for name, how in ways.items():

        def run(path: Path, how: dict[str, bool] = how) -> None:
            data = rembg.remove(path.read_bytes(), session=session, **how)
            (folder / "rembg.png").write_bytes(data)

        yield name, run


def _by_hand(
    graph: Path, folder: Path, threads: int, absent: dict[str, str]
) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """The script that people write: read, resize, run, resize, put the alpha in, write."""
    from nssbg._runtime_imports import import_onnxruntime

    ort = import_onnxruntime()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    session = ort.InferenceSession(str(graph), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def mask(small: npt.NDArray[Any]) -> Bytes:
        scaled = ((small / 255.0 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None]
        found = session.run(None, {name: np.ascontiguousarray(scaled)})[0][0, 0]
        low, high = float(found.min()), float(found.max())
        return ((found - low) / (high - low) * 255).astype(np.uint8)

    from PIL import Image

    def with_pillow(path: Path) -> None:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        alpha = Image.fromarray(mask(small)).resize(image.size, Image.Resampling.LANCZOS)
        image.putalpha(alpha)
        image.save(folder / "pillow.png")

    yield "Pillow + onnxruntime", with_pillow
    cv2 = there("cv2", absent, "OpenCV")
    if cv2 is None:
        return
    cv2.setNumThreads(threads)

    def with_opencv(path: Path) -> None:
        image = cv2.imread(str(path))
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., ::-1]
        size = image.shape[1::-1]
        alpha = cv2.resize(mask(small), size, interpolation=cv2.INTER_LANCZOS4)
        cv2.imwrite(str(folder / "opencv.png"), np.dstack([image, alpha]))

    yield "OpenCV + onnxruntime", with_opencv


def _withoutbg_whole(
    folder: Path, absent: dict[str, str]
) -> Iterator[tuple[str, Callable[[Path], object]]]:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a bench downloads nothing
    module = there("withoutbg", absent, "withoutbg")
    if module is None:
        return
    try:
        model = module.WithoutBG.open_weights()
        probe = folder / "probe.jpg"
        probe.write_bytes(jpegs(0.05)["product"])
        model.remove_background(str(probe))
    except Exception as error:  # its weights come from the network
        reason = (str(error) or type(error).__name__).splitlines()[0].partition(" from ")[0]
        absent["withoutbg"] = (
            f"{version_of('withoutbg')} is installed, its weights are not: {reason}"
        )
        return
    yield (
        "withoutbg, its own network",
        lambda path: model.remove_background(str(path)).save(folder / "withoutbg.png"),
    )


def colours(options: argparse.Namespace) -> Task:
    """Foreground colours from a picture and its true alpha."""
    from bench import color_peers, decontaminate
    from nssbg._ops.foreground import decontaminate as ours

    absent: dict[str, str] = {}
    estimators: dict[str, Callable[[Bytes, Bytes], Any]] = {
        "nssbg multilevel": lambda i, a: ours(i, a, threads=options.threads)[..., :3],
        "nssbg blur-fusion": lambda i, a: ours(i, a, method="blur-fusion", threads=options.threads)[
            ..., :3
        ],
        "photograph's own (Pillow putalpha)": lambda i, a: i,
        "rembg's composite": decontaminate.from_peer(color_peers.naive),
    }
    if there("pymatting", absent, "pymatting") is not None:
        color_peers.pymatting_threads(options.threads)
        estimators["pymatting multi-level"] = decontaminate.from_peer(color_peers.pymatting)
    if there("cv2", absent, "OpenCV") is not None:
        color_peers.opencv_threads(options.threads)
        estimators["OpenCV blur-fusion twice"] = decontaminate.from_peer(
            color_peers.blur_fusion_twice
        )
    errors: dict[str, list[float]] = {name: [] for name in estimators}
    # Every third: each subject on several backdrops.
    for case in islice(decontaminate.cases(), 0, None, 3):
        alpha = decontaminate.alpha_bytes(case)
        for name, estimate in estimators.items():
            got = np.asarray(estimate(case.image, alpha), np.float32)
            errors[name].append(decontaminate.color_error(got, case, alpha))
    image = drawn.draw("strands", *drawn.size_of(options.megapixels))
    alpha = _soft_alpha(image)
    timings = interleaved(
        {
            name: (lambda e=estimate: e(image, alpha))
            for name, estimate in estimators.items()
            if name != "photograph's own (Pillow putalpha)"
        },
        runs=options.rounds,
        warmup=1,
        title=f"colours: {options.megapixels:g} MP, {(alpha % 255 > 0).mean():.1%} of it soft",
    )
    count = len(next(iter(errors.values())))
    what = (
        f"Foreground colours from a picture and its true alpha: time on the strands at "
        f"{options.megapixels:g} MP; mean error in the soft band, weighted by alpha, 0..255, on "
        f"{count} pictures of known colours (480 x 640)."
    )
    values = {name: statistics.fmean(list_) for name, list_ in errors.items()}
    return Task("colours", what, timings, "colour error", values, absent)


def _soft_alpha(image: Bytes) -> Bytes:
    """An alpha of the picture's size, from the studio method and a soft edge."""
    import nssbg

    return nssbg.Remover("studio").alpha(image)


def refine(options: argparse.Namespace) -> Task:
    """A map of 320 x 320 to the picture's size."""
    from bench import refine_quality
    from bench.ground_truth import case_names
    from bench.matting_metrics import matting_errors
    from nssbg._ops.refine import refine as ours

    absent: dict[str, str] = {}
    methods: dict[str, Callable[[Any], Any]] = {
        "nssbg guided": lambda c: ours(c["image"], c["map320"], threads=options.threads),
        "nssbg matting": lambda c: ours(
            c["image"], c["map320"], level="matting", threads=options.threads
        ),
        "Pillow bicubic": _pillow_upsampled,
    }
    cv2 = there("cv2", absent, "OpenCV guided filter")
    if cv2 is not None and hasattr(cv2, "ximgproc"):
        cv2.setNumThreads(options.threads)
        methods["OpenCV guided filter"] = lambda c: refine_quality.opencv_guided(c, 320)
    elif cv2 is not None:
        absent["OpenCV guided filter"] = "this OpenCV has no ximgproc (opencv-contrib has)"
    pymatting = there("pymatting", absent, "pymatting closed form")
    if pymatting is not None:
        methods["pymatting closed form"] = lambda c: _closed_form(pymatting, c)
    names = case_names()
    # The closed form takes seconds on 0.2 MP: small pictures for all, and fewer rounds.
    cases = [refine_quality.load(name, names.index(name), 400, None) for name in names]
    squares = {
        name: statistics.fmean(
            matting_errors(method(case), case["alpha"], case["band"]).mse for case in cases
        )
        for name, method in methods.items()
    }
    timed = cases[0]
    timings = interleaved(
        {name: (lambda m=method: m(timed)) for name, method in methods.items()},
        runs=max(3, options.rounds // 2),
        warmup=1,
        title="refine: 320 x 320 map to 533 x 400",
    )
    what = (
        f"A map of 320 x 320 to a picture of 533 x 400: time on one; mean squared error within 10 "
        f"pixels of the soft edge over {len(cases)} pictures of known alpha. The closed form gets "
        "a trimap made from the map (below 0.1, above 0.9), as a script would."
    )
    return Task("refine", what, timings, "mean squared error", squares, absent)


def _pillow_upsampled(case: Any) -> Any:
    from PIL import Image

    height, width = case["alpha"].shape
    coarse = Image.fromarray(case["map320"])
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def _closed_form(pymatting: Any, case: Any) -> Any:
    grey = _pillow_upsampled(case) / 255.0
    trimap = np.where(grey < 0.1, 0.0, np.where(grey > 0.9, 1.0, 0.5))
    if not (trimap == 0).any() or not (trimap == 1).any():
        return grey
    return pymatting.estimate_alpha_cf(case["image"] / 255.0, trimap)


def encode(options: argparse.Namespace) -> Task:
    """A cut-out to PNG bytes."""
    from PIL import Image

    from nssbg._io import encode as ours

    absent: dict[str, str] = {}
    image = drawn.draw("strands", *drawn.size_of(options.megapixels))
    alpha = _soft_alpha(image)
    pixels = np.dstack([image * (alpha > 0)[..., None], alpha])

    def pillow(**how: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", **how)
        return file.getvalue()

    encoders: dict[str, Callable[[], Any]] = {
        "nssbg default": lambda: ours(pixels, format="png", threads=options.threads),
        "nssbg fast": lambda: ours(
            pixels, format="png", compression="fast", threads=options.threads
        ),
        "Pillow": pillow,
        "Pillow level 1": lambda: pillow(compress_level=1),
    }
    cv2 = there("cv2", absent, "OpenCV")
    if cv2 is not None:
        swapped = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)
        encoders["OpenCV"] = lambda: cv2.imencode(".png", swapped)[1].tobytes()
    sizes = {name: len(call()) / 1e6 for name, call in encoders.items()}
    timings = interleaved(
        encoders,
        runs=options.rounds,
        warmup=1,
        title=f"encode: a cut-out of {options.megapixels:g} MP to PNG",
    )
    what = (
        f"A cut-out of {options.megapixels:g} MP to PNG bytes, colours under alpha 0 cleared; "
        "lossless by all."
    )
    return Task("encode", what, timings, "MB", sizes, absent)


def decode(options: argparse.Namespace) -> Task:
    """JPEG bytes to pixels."""
    from PIL import Image

    from nssbg._io import decode as ours

    absent: dict[str, str] = {}
    data = jpegs(options.megapixels)["strands"]
    decoders: dict[str, Call] = {
        "nssbg": lambda: ours(data),
        "Pillow": lambda: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")),
    }
    cv2 = there("cv2", absent, "OpenCV")
    if cv2 is not None:
        raw = np.frombuffer(data, np.uint8)
        decoders["OpenCV"] = lambda: cv2.imdecode(raw, cv2.IMREAD_COLOR)
    timings = interleaved(
        decoders,
        runs=options.rounds,
        warmup=1,
        title=f"decode: a JPEG of {options.megapixels:g} MP",
    )
    return Task("decode", f"A JPEG of {options.megapixels:g} MP to pixels.", timings, absent=absent)


TASKS: dict[str, Callable[[argparse.Namespace], Task]] = {
    "whole": whole,
    "colours": colours,
    "refine": refine,
    "encode": encode,
    "decode": decode,
}
PACKAGES = ("rembg", "withoutbg", "PyMatting", "opencv-contrib-python-headless", "pillow")
RUNTIMES = ("onnxruntime", "openvino")


def behind(tasks: Sequence[Task]) -> list[str]:
    """Where a peer is better than nssbg's own default by more than a twentieth.

    By processor time, which a busy machine changes least; threads are no excuse.
    """
    lines = []
    for task in tasks:
        own = task.timings[task.ours[0]]
        for timing in task.timings.timings:
            if timing.name in task.ours or timing.processor_median > 0.95 * own.processor_median:
                continue
            value = task.values.get(timing.name)
            at = ""
            if value is not None:
                at = f", at {value:.3g} {task.extra} against {task.values[own.name]:.3g}"
            lines.append(
                f"{task.name}: {timing.name} takes {number(timing.processor_median)} ms of "
                f"processor time, {own.name} {number(own.processor_median)} ms{at}"
            )
        best = min((task.values[name] for name in task.ours if name in task.values), default=None)
        for name, value in task.values.items():
            if best is not None and name not in task.ours and value < 0.95 * best:
                lines.append(
                    f"{task.name}: {name} has {value:.3g} {task.extra}, nssbg's best {best:.3g}"
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--megapixels", type=float, default=4.0)
    parser.add_argument("--scenes", nargs="+", choices=drawn.SCENES, default=list(drawn.SCENES))
    parser.add_argument("--alpha-matting", action="store_true", help="rembg's too, which is slow")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=_core.usable_cores())
    parser.add_argument("--write", action="store_true", help="into docs/")
    options = parser.parse_args()
    versions = {name: found for name in (*PACKAGES, *RUNTIMES) if (found := version_of(name))}
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    print_header("nssbg beside its peers", threads=options.threads, peers=shown)
    found = [TASKS[name](options) for name in options.tasks]
    for task in found:
        if task.values:
            rows = [[name, f"{value:.4g}"] for name, value in task.values.items()]
            print(table([task.name, task.extra], rows), end="\n\n")
        for name, why in task.absent.items():
            print(f"{task.name}: {name} is left out: {why}")
    lines = behind(found)
    print("where nssbg is behind:", *(lines or ["nowhere in this run"]), sep="\n  ")
    if options.write:
        when = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        for path in write_pages(found, lines, when, shown, options):
            print(f"{path} written")


if __name__ == "__main__":
    main()
