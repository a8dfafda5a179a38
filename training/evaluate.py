"""Measures a model on the held-out photographs, on generated held-out sets and on pictures of
kinds it was not trained on; writes a table, per-picture figures and contact sheets.

`python training/evaluate.py --model FILE.onnx` or, while training, `--model checkpoint.pt`;
`--model studio` and `--model package` measure the installed package, `--model teacher` the teacher
at its full size. `--megapixels 12` enlarges pictures and masks first, as cameras would show them.
With `--watched` on the pictures kept aside for choices: two networks are told apart on those, and
the better one measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import banks
import cv2
import measures
import numpy as np
import numpy.typing as npt
import quiet  # noqa: F401  # before the runtimes
import sets

Floats = npt.NDArray[np.float32]
Predictor = Callable[[banks.Pixels], Floats]
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
SIDE = 384  # of the network's input, here and in the shipped file
SHEET_SIDE = 160


def tensor(rgb: banks.Pixels, side: int) -> Floats:
    """The network's input: squeezed to a square, averaging areas, and normalised."""
    shrinking = min(rgb.shape[:2]) > side
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    small = cv2.resize(rgb, (side, side), interpolation=method).astype(np.float32) / 255
    return ((small - MEAN) / STD).transpose(2, 0, 1)[None]


def predictor(model: Path, side: int, threads: int) -> Callable[[Floats], Floats]:
    """A function from the input tensor to the alpha map, both batched."""
    if model.suffix == ".onnx":
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(model), settings, providers=["CPUExecutionProvider"]
        )
        return lambda batch: session.run(None, {"image": batch})[0]
    import architecture
    import torch

    torch.set_num_threads(threads)
    network = architecture.LiteNetwork().to(memory_format=torch.channels_last).eval()
    network.load_state_dict(torch.load(model, weights_only=True)["average"])

    def run(batch: Floats) -> Floats:
        with torch.no_grad():
            return torch.sigmoid(network(torch.from_numpy(batch))).numpy()

    return run


def both_looks(
    run: Callable[[Floats], Floats], rgb: banks.Pixels, side: int
) -> tuple[Floats, Floats]:
    """The network's map of a picture, and of its mirror image, mirrored back."""
    batch = tensor(rgb, side)
    both = run(np.concatenate([batch, batch[..., ::-1]])).astype(np.float32)
    return both[0, 0], both[1, 0, :, ::-1]


def enlarged(alpha: Floats, rgb: banks.Pixels) -> Floats:
    """A map at the size of its picture."""
    full = cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(full, 0, 1)


def at_own_size(run: Callable[[Floats], Floats], side: int, *, mirror: bool) -> Predictor:
    """From a picture of any size to its alpha at that size."""

    def predict(rgb: banks.Pixels) -> Floats:
        if mirror:
            alpha, mirrored = both_looks(run, rgb, side)
            return enlarged((alpha + mirrored) / 2, rgb)
        return enlarged(run(tensor(rgb, side))[0, 0].astype(np.float32), rgb)

    return predict


def whole_package(threads: int) -> Predictor:
    """What a user gets: the installed package's bundled network, second pass and refinement."""
    import nssbg

    remover = nssbg.Remover("nssbg-lite", threads=threads)

    def predict(rgb: banks.Pixels) -> Floats:
        return remover.alpha(rgb).astype(np.float32) / 255

    return predict


def teachers(threads: int) -> Predictor:
    """The network that labelled the open photographs, at the size it was made for."""
    import teach
    import teacher

    weights = banks.work_folder() / "teacher" / "package"
    look = teacher.teacher(teach.prepared(weights, teacher.FULL_SIDE), teacher.FULL_SIDE, threads)
    return lambda rgb: enlarged(look(rgb), rgb)


def at_megapixels(
    rgb: banks.Pixels, truth: Floats, megapixels: float
) -> tuple[banks.Pixels, Floats]:
    """The picture and its alpha at a number of pixels: smooth outlines, no new detail."""
    scale = float(np.sqrt(megapixels * 1e6 / truth.size))
    size = (round(truth.shape[1] * scale), round(truth.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = np.clip(cv2.resize(truth, size, interpolation=method), 0, 1)
    return cv2.resize(rgb, size, interpolation=method), large.astype(np.float32)


def weights_free(threads: int) -> Predictor:
    """The studio method of the package, which has to be installed for this."""
    from nssbg._ops.studio import studio_alpha

    def predict(rgb: banks.Pixels) -> Floats:
        return studio_alpha(rgb, threads=threads).alpha.astype(np.float32) / 255

    return predict


def tile(rgb: banks.Pixels) -> banks.Pixels:
    """A thumbnail of fixed size for a sheet."""
    scale = SHEET_SIDE / max(rgb.shape[:2])
    size = (max(1, int(rgb.shape[1] * scale)), max(1, int(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((SHEET_SIDE, SHEET_SIDE, 3), 128, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def column(rgb: banks.Pixels, alpha: Floats, truth: Floats) -> banks.Pixels:
    """Picture, cut-out over white, over black, alpha, truth: one under the other."""
    cover = alpha[..., None]
    over_white = (rgb * cover + 255 * (1 - cover)).astype(np.uint8)
    over_black = (rgb * cover).astype(np.uint8)
    maps = [np.repeat((m * 255).astype(np.uint8)[..., None], 3, 2) for m in (alpha, truth)]
    return np.vstack([tile(x) for x in (rgb, over_white, over_black, *maps)])


def main() -> None:
    """Reads the command line, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, required=True, help="a file, studio, package or teacher"
    )
    parser.add_argument("--alone", action="store_true", help="without the mirrored look")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="pictures of each set; 0 is all")
    parser.add_argument("--megapixels", type=float, default=0, help="0: as they are")
    parser.add_argument("--watched", action="store_true", help="the pictures kept for choices")
    parser.add_argument("--sets", nargs="*", help="some of the sets only")
    parser.add_argument("--output", type=Path, default=banks.work_folder() / "evaluation")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if str(options.model) == "studio":
        predict = weights_free(options.threads)
    elif str(options.model) == "package":
        predict = whole_package(options.threads)
    elif str(options.model) == "teacher":
        predict = teachers(options.threads)
    else:
        run = predictor(options.model, options.side, options.threads)
        predict = at_own_size(run, options.side, mirror=not options.alone)
    names = list(measures.MEASURES)
    print("| set | pictures | " + " | ".join(names) + " | failed |")
    print("|---|---|" + "---|" * (len(names) + 1))
    available = sets.watched() if options.watched else sets.measured()
    for name in options.sets or available:
        rows, columns = {}, []
        for identifier, rgb, truth in available[name]():
            if options.megapixels:
                rgb, truth = at_megapixels(rgb, truth, options.megapixels)
            alpha = predict(rgb)
            rows[identifier] = measures.all_measures(alpha, truth)
            columns.append((rows[identifier]["IoU"], column(rgb, alpha, truth)))
            if len(rows) == options.limit:
                break
        means = [float(np.mean([r[m] for r in rows.values()])) for m in names]
        failed = measures.failures([r["IoU"] for r in rows.values()])
        means.append(failed)
        words = " | ".join(f"{m:.4f}" for m in means)
        print(f"| {name} | {len(rows)} | {words} |", flush=True)
        (options.output / f"{name}.json").write_text(json.dumps(rows, indent=1))
        typical = [c for _, c in columns[:: max(1, len(columns) // 10)]][:10]
        worst = [c for _, c in sorted(columns, key=lambda c: c[0])[:10]]
        for kind, chosen in (("typical", typical), ("worst", worst)):
            sheet = cv2.cvtColor(np.hstack(chosen), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(options.output / f"{name}-{kind}.png"), sheet)


if __name__ == "__main__":
    main()
