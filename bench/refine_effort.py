"""What `effort` brings and costs with a network of the package, against true masks.

    python -m bench.refine_effort --pictures FOLDER ... [--subjects FOLDER ...] [--sheet FILE]

`--pictures` and `--subjects` name folders of NAME.jpg with NAME.mask.png or NAME.png beside it
(255 = subject); of folders that training/held-out.txt names, only what it lists is used. `--scenes`
places whole subjects of the latter at 0.15 to 0.5 of the height of 12 MP frames before an
out-of-focus backdrop: the photograph with a small subject. Everything runs through `Remover`, so
times are those of the package; overlap (IoU at one half), mean absolute error and the same within a
hundredth of the longer side of the true outline are means over pictures. `--sheet` draws some
scenes over white and over black, to be looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import nssbg
from bench.photos import add_grain, size_from_megapixels
from bench.timing import print_header

EFFORTS = ("fast", "balanced", "best")
HELD_OUT = Path(__file__).resolve().parent.parent / "training" / "held-out.txt"
Sample = tuple[str, np.ndarray, np.ndarray]  # name, H x W x 3, mask 0..1


@dataclass
class Row:
    """Figures of one effort over a set, one entry a picture."""

    overlap: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    edge: list[float] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    gain: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)  # milliseconds: prepare and infer
    closer: list[float] = field(default_factory=list)  # milliseconds: second pass
    refine: list[float] = field(default_factory=list)


def photographs(folder: Path) -> Iterator[Sample]:
    """Pictures of a folder with their masks; of a training set only what was held out."""
    listed = [line.split("/") for line in HELD_OUT.read_text().split()]
    held = {name for subset, name in listed if subset == folder.name}
    for path in sorted(folder.glob("*.jpg")):
        mask_path = path.with_suffix(".mask.png")
        mask_path = mask_path if mask_path.exists() else path.with_suffix(".png")
        if (held and path.stem not in held) or not mask_path.exists():
            continue
        rgb = np.asarray(Image.open(path).convert("RGB"))
        mask = Image.open(mask_path).convert("L").resize(rgb.shape[1::-1], Image.Resampling.NEAREST)
        yield f"{folder.name}/{path.stem}", rgb, np.asarray(mask, np.float32) / 255


def scenes(folders: list[Path], count: int, seed: int = 9) -> Iterator[Sample]:
    """Whole subjects, small in a 12 MP frame, before a backdrop far out of focus."""
    rng = np.random.default_rng(seed)
    whole = [s for folder in folders for s in photographs(folder) if is_whole(s[2])]
    height, width = size_from_megapixels(12)
    made = 0
    while made < count and whole:
        name, rgb, mask = whole[rng.integers(len(whole))]
        rows = np.flatnonzero(mask.any(1))
        scale = rng.uniform(0.15, 0.5) * height / (rows[-1] - rows[0] + 1)
        colours = rng.uniform(30, 220, (5, 7, 3)).astype(np.float32)
        frame = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
        subject = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        soft = cv2.GaussianBlur((mask > 0.5).astype(np.float32), (0, 0), 1.0)
        soft = cv2.resize(soft, subject.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        # A steeper edge, a little inside the mask: enlarging would leave a rim of its own backdrop.
        alpha = np.clip((soft - 0.5) * scale / 1.5 + 0.35, 0, 1)
        box = np.s_[
            np.flatnonzero(alpha.any(1))[0] : np.flatnonzero(alpha.any(1))[-1] + 1,
            np.flatnonzero(alpha.any(0))[0] : np.flatnonzero(alpha.any(0))[-1] + 1,
        ]
        subject, alpha = subject[box], alpha[box]
        if alpha.shape[0] >= height or alpha.shape[1] >= width:
            continue
        y = int(rng.integers(0, height - alpha.shape[0]))
        x = int(rng.integers(0, width - alpha.shape[1]))
        place = np.s_[y : y + alpha.shape[0], x : x + alpha.shape[1]]
        share = alpha[..., None]
        frame[place] = share * subject + (1 - share) * frame[place]
        picture = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
        add_grain(picture, made)
        truth = np.zeros((height, width), np.float32)
        truth[place] = alpha
        made += 1
        yield f"scene of {name}", picture, truth


def is_whole(mask: np.ndarray) -> bool:
    """Whether the subject ends before the frame does."""
    border = np.concatenate([mask[:4].ravel(), mask[-4:].ravel(), mask[:, :4].ravel()])
    return bool(mask.any() and not border.any() and not mask[:, -4:].any())


def measured(alpha: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Overlap, mean absolute error, and that near the true outline."""
    alpha = alpha.astype(np.float32) / np.iinfo(alpha.dtype).max
    found, wanted = alpha > 0.5, truth > 0.5
    union = int((found | wanted).sum())
    reach = 2 * max(2, round(max(truth.shape) / 100)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    inside = wanted.astype(np.uint8)
    band = cv2.dilate(inside, kernel) != cv2.erode(inside, kernel)
    difference = np.abs(alpha - truth)
    overlap = float((found & wanted).sum()) / union if union else 1.0
    return overlap, float(difference.mean()), float(difference[band].mean()) if band.any() else 0.0


def compare(title: str, samples: Iterable[Sample], remover: nssbg.Remover) -> None:
    rows = {effort: Row() for effort in EFFORTS}
    for _, rgb, truth in samples:
        for effort, row in rows.items():
            cutout = remover.cutout(rgb, effort=effort, decontaminate="off")
            for value, into in zip(
                measured(cutout.alpha, truth), (row.overlap, row.error, row.edge), strict=True
            ):
                into.append(value)
            look, stages = cutout.second_pass, cutout.timings.stages
            row.runs.append(look.runs if look else 1)
            row.gain.append(look.gain if look else 1.0)
            row.network.append(stages["prepare"] + stages["segment"])
            row.closer.append(stages.get("second pass", 0.0))
            row.refine.append(stages["refine"])
    first = rows["fast"]
    if not first.overlap:
        return
    print(f"{title}: {len(first.overlap)} pictures")
    head = ("IoU", "MAE", "edge", "runs", "gain", "better", "worse", "network", "closer", "refine")
    print(" " * 10 + "".join(f"{word:>9}" for word in head) + "  (median ms)")
    for effort, row in rows.items():
        change = np.array(row.overlap) - np.array(first.overlap)
        means = [np.mean(v) for v in (row.overlap, row.error, row.edge, row.runs, row.gain)]
        times = [np.median(v) for v in (row.network, row.closer, row.refine)]
        counts = [int((change > 0.005).sum()), int((change < -0.005).sum())]
        print(
            f"{effort:10}{means[0]:9.4f}{means[1]:9.4f}{means[2]:9.4f}{means[3]:9.2f}{means[4]:9.2f}"
            f"{counts[0]:9}{counts[1]:9}" + "".join(f"{t:9.1f}" for t in times),
            flush=True,
        )
    again = np.array(rows["balanced"].runs) > 1
    if again.any() and not again.all():
        pick = [np.array(rows[e].overlap)[again].mean() for e in ("fast", "balanced")]
        print(f"run again by balanced: {again.sum()}, their IoU {pick[0]:.4f} to {pick[1]:.4f}")
    print()


def sheet(samples: Iterable[Sample], remover: nssbg.Remover, path: Path, side: int = 300) -> None:
    """Rows: scenes; columns: the photograph, then each effort over white and over black."""
    lines = []
    for _, rgb, truth in samples:
        rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
        middle = int(rows.mean()), int(columns.mean())
        half = max(rows[-1] - rows[0], columns[-1] - columns[0]) // 2 + 60
        box = np.s_[
            max(0, middle[0] - half) : middle[0] + half, max(0, middle[1] - half) : middle[1] + half
        ]
        parts = [rgb[box]]
        for effort in EFFORTS:
            cutout = remover.cutout(rgb, effort=effort)
            parts += [cutout.over(colour)[box] for colour in ("white", "black")]
        lines.append(
            np.concatenate(
                [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in parts], 1
            )
        )
    Image.fromarray(np.concatenate(lines)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, nargs="*", default=[])
    parser.add_argument("--subjects", type=Path, nargs="*", help="for the scenes: default as above")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--model", default="nssbg-lite")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    print_header("effort", threads=str(options.threads), model=options.model)
    subjects = options.subjects if options.subjects is not None else options.pictures
    with nssbg.Remover(options.model, threads=options.threads) as remover:
        for folder in options.pictures:
            compare(folder.name, photographs(folder), remover)
        if options.scenes and subjects:
            compare("small in 12 MP", scenes(subjects, options.scenes), remover)
        if options.sheet:
            sheet(scenes(subjects, 5, seed=21), remover, options.sheet)


if __name__ == "__main__":
    main()
