"""Ends the interpreter while pictures run: `leaves_early.py HOW MODEL BACKEND`."""

import sys
import threading
import time

import numpy as np

import nssbg

how, model, backend = sys.argv[1:]
random = np.random.default_rng(1)
pictures = [random.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(12)]
remover = nssbg.Remover(model, backend=backend, threads=2)


def without_end():
    while True:
        remover.remove(pictures[0])


def sources():
    yield from pictures
    time.sleep(3600)


if how == "daemon":
    remover.remove(pictures[0])
    for _ in range(3):
        threading.Thread(target=without_end, daemon=True).start()
    time.sleep(0.1)
    sys.exit(7)
if how == "held":  # the stream lives on in a global, its workers have work
    stream = remover.map(pictures, workers=2, calibrate=False)
    next(stream).result()
    sys.exit(7)
if how == "blocked":  # one of its threads waits in the caller's generator
    stream = remover.map(sources(), workers=2, most_in_flight=20, calibrate=False)
    for _ in pictures:
        next(stream).result()
    sys.exit(7)
for outcome in remover.map(pictures, workers=2, calibrate=False):
    outcome.result()
    if how == "break":
        break
    if how == "raise":
        raise ValueError("the script's own")
    if how == "exit":
        sys.exit(7)
sys.exit(5)
