"""Ends the interpreter while pictures run: `leaves_early.py HOW MODEL BACKEND`."""

import sys
import threading
import time

import numpy as np

import nssbg

how, model, backend = sys.argv[1:]
random = np.random.default_rng(1)
images = [random.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(12)]
remover = nssbg.Remover(model, backend=backend, threads=2)


def without_end():
    while True:
        remover.remove(images[0])


def sources():
    yield from images
    time.sleep(3600)


if how == "daemon":
    remover.remove(images[0])
    for _ in range(3):
        threading.Thread(target=without_end, daemon=True).start()
    time.sleep(0.1)
    sys.exit(7)
if how == "held":  # the stream lives on in a global, its workers have work
    stream = remover.map(images, workers=2, autotune=False)
    next(stream).result()
    sys.exit(7)
if how == "blocked":  # one of its threads waits in the caller's generator
    stream = remover.map(sources(), workers=2, max_in_flight=20, autotune=False)
    for _ in images:
        next(stream).result()
    sys.exit(7)
for outcome in remover.map(images, workers=2, autotune=False):
    outcome.result()
    if how == "break":
        break
    if how == "raise":
        raise ValueError("the script's own")
    if how == "exit":
        sys.exit(7)
sys.exit(5)
