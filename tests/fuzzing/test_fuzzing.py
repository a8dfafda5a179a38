"""A short fuzzing run with a fixed seed, and every case that was ever found, again.

`make fuzz MINUTES=n` runs longer, with another seed each time.
"""

from __future__ import annotations

import itertools
import random
import struct
import zlib
from pathlib import Path

import pytest
from fuzzing import seeds, targets
from fuzzing.judge import Judge, minimised
from fuzzing.known import KNOWN, REFUSED_SEEDS
from fuzzing.mutations import mutated
from fuzzing.run import CORPUS, cases, key_of, label_of

CASES = 250
FOUND = sorted((CORPUS / "python").glob("*.bin"))
STILL = sorted((CORPUS / "known").glob("*.bin"))


@pytest.fixture(scope="module")
def judge():
    with Judge() as made:
        yield made


def _kind_and_label(path: Path) -> tuple[str, str]:
    kind, label, _ = path.name.split("-", 2)
    return kind, label


def test_every_seed_is_read(judge):
    made = seeds.seeds()
    assert {kind for kind, _, _ in made} == set(targets.TARGETS) == set(seeds.KINDS)
    said = {name: judge.verdict(kind, data) for kind, name, data in made}
    wrong = {name: verdict for name, verdict in said.items() if verdict != "read"}
    assert set(wrong) <= REFUSED_SEEDS, wrong
    assert set(wrong.values()) <= {"refused"}


def test_a_short_run_finds_nothing(judge):
    found = []
    outcomes = set()
    for kind, name, data in itertools.islice(cases(20), CASES):
        said = judge.verdict(kind, data)
        outcomes.add(said)
        key = key_of(label_of(kind, name), said)
        if targets.is_fault(said) and key not in KNOWN:
            found.append(key)
    assert not found
    assert {"read", "refused"} <= outcomes  # neither too mild nor all noise


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_was_found_stays_mended(judge, path):
    kind, _ = _kind_and_label(path)
    assert not targets.is_fault(judge.verdict(kind, path.read_bytes()))


@pytest.mark.parametrize("path", STILL, ids=lambda path: path.name)
@pytest.mark.xfail(reason="known, not mended yet: fuzzing/known.py", strict=True)
def test_what_is_known_is_still_so(judge, path):
    kind, _ = _kind_and_label(path)
    assert not targets.is_fault(judge.verdict(kind, path.read_bytes()))


def test_every_known_fault_has_its_file():
    labels = {_kind_and_label(path)[1] for path in STILL}
    assert labels == {key.partition(":")[0] for key in KNOWN}


def test_the_corpus_is_small():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert files
    assert sum(path.stat().st_size for path in files) < 200_000


# The harness itself: a fault that it cannot see is worse than none.


def _from_target(monkeypatch, fault) -> str:
    monkeypatch.setitem(targets.TARGETS, "picture", fault)
    return targets.verdict("picture", b"data")


def test_an_error_of_another_kind_is_a_fault(monkeypatch):
    def wrong(data, folder):
        raise KeyError("x")

    assert _from_target(monkeypatch, wrong).startswith("fault: KeyError in wrong")


def test_a_word_on_stderr_is_a_fault(monkeypatch):
    import os

    said = _from_target(monkeypatch, lambda data, folder: os.write(2, b"libtiff: oh\n"))
    assert said == "fault: a library's line on stderr"


def test_a_log_entry_is_no_noise_unless_it_takes_several_lines(monkeypatch):
    import logging

    log = logging.getLogger("nssbg")
    assert _from_target(monkeypatch, lambda data, folder: log.warning("damaged")) == "read"
    said = _from_target(monkeypatch, lambda data, folder: log.warning("%s", "a\nb"))
    assert said == "fault: a log entry of more than a line"


def test_a_warning_is_a_fault(monkeypatch):
    import warnings

    said = _from_target(monkeypatch, lambda data, folder: warnings.warn("oh", stacklevel=1))
    assert said.startswith("fault: warning UserWarning")


def test_too_much_memory_is_a_fault(monkeypatch):
    monkeypatch.setattr(targets, "MOST_BYTES", 20 << 20)
    said = _from_target(monkeypatch, lambda data, folder: bytearray(b"x" * (60 << 20)))
    if targets._peak() == 0:
        pytest.skip("this system does not tell a process's peak")
    assert said == "fault: more than 20 MB of memory"


def test_an_error_that_names_no_file_is_a_fault(monkeypatch):
    from nssbg import ImageDecodeError

    def vague(data, folder):
        raise ImageDecodeError("something is wrong")

    assert _from_target(monkeypatch, vague) == (
        "fault: an error that names no file: ImageDecodeError"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("while True: pass", "fault: no end within 1 s"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "fault: crash by SIGSEGV"),
        ("import os; os._exit(3)", "fault: the process ended with code 3"),
    ],
)
def test_a_hang_and_a_crash_are_verdicts(monkeypatch, code, said):
    import subprocess
    import sys

    script = (
        "import sys\n"
        "print('ready', flush=True)\n"
        "if sys.stdin.buffer.readline():\n"
        f"    exec({code!r})\n"
    )
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **kw: real([sys.executable, "-c", script], **kw)
    )
    with Judge(hang_seconds=1) as judge:
        assert judge.verdict("picture", b"data") == said


def test_a_case_is_made_as_small_as_it_gets():
    class Picky:
        def verdict(self, kind, data):
            return "fault: x" if b"bad" in data and b"!" in data else "read"

    data = bytes(range(32, 127)) * 3 + b"bad" + b"." * 100 + b"!"
    data = data.replace(b"!", b"", 3)
    small = minimised(Picky(), "picture", data, "fault: x", seconds=5)
    assert small == b"bad!"


def test_runs_are_the_same_for_the_same_number():
    first = list(itertools.islice(cases(7), 60))
    assert first == list(itertools.islice(cases(7), 60))
    assert first != list(itertools.islice(cases(8), 60))


def test_damage_goes_further_than_a_png_files_checksums():
    data = next(data for name, data in seeds.picture_seeds() if name == "own-16.png")
    reached = 0
    for number in range(300):
        damaged = mutated(data, data, random.Random(number))
        if damaged == data or len(damaged) < 33:
            continue
        at, right = 8, 0
        while at + 12 <= len(damaged):
            (length,) = struct.unpack_from(">I", damaged, at)
            body = damaged[at + 4 : at + 8 + length]
            if len(damaged) < at + 12 + length:
                break
            right += struct.unpack_from(">I", damaged, at + 8 + length)[0] == zlib.crc32(body)
            at += 12 + length
        reached += right >= 3 and at == len(damaged)
    assert reached > 20
