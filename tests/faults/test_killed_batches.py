"""A batch that is killed, stopped or crashes: the next run does exactly what is missing.

NSSBG_KILLS=20 is the long form (make test-faults).
"""

import os
import random
import signal
import time

import pytest
from batch_catalog import catalog, check_whole, completions, events, run, start

from nssbg.batch.manifest import read_manifest

KILLS = int(os.environ.get("NSSBG_KILLS", "3"))
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals processes as a shell does")


def test_killed_at_random_moments_and_resumed(tmp_path):
    out = tmp_path / "out"
    names = catalog(tmp_path / "in", 12 * KILLS)
    draw = random.Random(3)
    killed = 0
    for _ in range(4 * KILLS):
        process = start(tmp_path / "in", out, "--progress", "jsonl")
        # From the first row on, so that it is work that is cut short and not the start of Python.
        for _ in range(draw.randint(1, 8)):
            if not process.stdout.readline():
                break
        time.sleep(draw.uniform(0, 0.02))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if killed == KILLS or process.returncode != -signal.SIGKILL:
            break
    assert killed == KILLS
    left = set(names) - {
        e.row.output.removesuffix(".png") for e in read_manifest(out / ".nssbg")[0]
    }
    assert left, "killed too late for anything to be missing"
    last = run(tmp_path / "in", out, "--progress", "jsonl")
    assert last.returncode == 0, last.stderr
    rows = events(last.stdout)
    made = {row["output"].removesuffix(".png") for row in rows if row["status"] == "done"}
    assert made == left  # exactly the missing work
    check_whole(out, names)
    assert set(completions(out).values()) == {1}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_is_in_flight_and_says_how_to_go_on(number, code, tmp_path):
    out = tmp_path / "out"
    names = catalog(tmp_path / "in", 60)
    process = start(tmp_path / "in", out, "--progress", "jsonl")
    process.stdout.readline()
    process.send_signal(number)
    # Not by communicate, which would miss what readline has read ahead.
    with process:
        told, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == code
    assert "Run the same command again to go on" in err
    assert "Traceback" not in err
    entries, unfinished = read_manifest(out / ".nssbg")
    assert unfinished == 0  # what was in flight came to its end
    assert 0 < len(entries) < len(names)
    assert len(events(told)) + 1 == len(entries)  # and was told of
    assert run(tmp_path / "in", out).returncode == 0
    check_whole(out, names)
    assert set(completions(out).values()) == {1}


def test_a_second_signal_stops_at_once_with_nothing_torn(tmp_path):
    out = tmp_path / "out"
    names = catalog(tmp_path / "in", 60)
    process = start(tmp_path / "in", out, "--progress", "jsonl")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert run(tmp_path / "in", out).returncode == 0
    check_whole(out, names)


def test_a_picture_that_ends_the_process_each_time_is_left_out(tmp_path):
    names = catalog(tmp_path / "in", 6)
    script = (
        "import os, sys\n"
        "from nssbg.batch import engine\n"
        "real = engine.finish\n"
        "def finish(unit, *rest, **more):\n"
        f"    if unit.stem == {names[2].rpartition('/')[2]!r}:\n"
        "        os._exit(9)\n"
        "    return real(unit, *rest, **more)\n"
        "engine.finish = finish\n"
        "import nssbg\n"
        "rows = list(nssbg.Batch(sys.argv[1], sys.argv[2], model='studio', jobs=1))\n"
        "print(*[row.error.kind for row in rows if row.error])\n"
    )
    import subprocess
    import sys

    codes, told = [], ""
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "in"), str(tmp_path / "out")],
            capture_output=True,
            text=True,
            timeout=60,
        )
        codes.append(done.returncode)
        told = done.stdout
    assert codes == [9, 9, 9, 0]
    assert told.strip() == "CrashError"
    entries, _ = read_manifest(tmp_path / "out/.nssbg")
    assert sorted(e.row.status for e in entries) == ["done"] * 5 + ["failed"]
