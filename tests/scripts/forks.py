"""Forks a process with an open network again and again: `forks.py MODEL BACKEND STATE COUNT`.

STATE is "idle" or "busy" (threads inside `remove` and `map` meanwhile). Each child uses what it
inherited in one way and ends, by turns, as os.fork's children end and as multiprocessing's do.
Prints what came of them as JSON: way -> exit code -> how many.
"""

import collections
import json
import os
import signal
import sys
import threading
import time

import numpy as np

import nssbg

WAYS = ("remove", "map", "close", "nothing", "stream", "drop")
FORK_ERROR = 77
# A child that is still there after these seconds hangs.
PATIENCE = 60

model, backend, state, count = *sys.argv[1:4], int(sys.argv[4])
image = np.random.default_rng(1).integers(0, 255, (96, 128, 3), dtype=np.uint8)
remover = nssbg.Remover(model, backend=backend, threads=2)
expected = remover.remove(image)
stop = False


def cut_out():
    while not stop:
        remover.remove(image)


def cut_out_many():
    while not stop:
        for outcome in remover.map([image] * 4, workers=2, autotune=False):
            outcome.result()


threads = [threading.Thread(target=run) for run in (cut_out, cut_out_many)]
if state == "busy":
    for thread in threads:
        thread.start()
    time.sleep(0.1)
stream = remover.map([image] * 30, workers=2, autotune=False)
next(stream).result()
if state == "idle":
    stream.close()
    time.sleep(0.1)


def child(way):
    global remover, stream
    try:
        if way == "remove":
            return 0 if np.array_equal(remover.remove(image), expected) else 1
        if way == "map":
            with remover.map([image] * 3, workers=2, autotune=False) as outcomes:
                alike = [np.array_equal(o.result().rgba, expected) for o in outcomes]
            return 0 if alike == [True] * 3 else 1
        if way == "close":
            remover.close()
        if way == "drop":
            del remover, stream
        if way == "stream":
            stream.close()
            try:
                next(stream)
            except nssbg.ForkError:
                return 0
            return 2
    except nssbg.ForkError as error:
        return FORK_ERROR if '"spawn"' in str(error) and '"forkserver"' in str(error) else 3
    return 0


found = {way: collections.Counter() for way in WAYS}
for number in range(count):
    way = WAYS[number % len(WAYS)]
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)  # not blocked by whatever hangs
        code = child(way)
        if number // len(WAYS) % 2:
            os._exit(code)
        sys.exit(code)
    found[way][os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] += 1
stop = True
stream.close()
for thread in threads:
    if thread.is_alive():
        thread.join()
print(json.dumps(found))
