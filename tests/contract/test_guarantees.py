"""docs/guarantees.md names tests and commands that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
PROMISES = [line for line in PAGE.splitlines() if line.startswith("| ") and "promise" not in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", "\n".join(PROMISES))))
COMMANDS = sorted(set(re.findall(r"`(make \w+|pytest [^`]+)`", PAGE)))


def test_every_promise_names_a_test_and_a_command():
    assert len(PROMISES) >= 10
    for line in PROMISES:
        _, promise, tests, command, _ = line.split("|")
        assert re.search(r"`tests/[\w/]+\.py", tests), promise
        assert re.search(r"`(make|pytest) ", command), promise


@pytest.mark.parametrize("name", NAMED)
def test_the_test_exists(name):
    path, _, function = name.partition("::")
    assert (ROOT / path).is_file()
    text = (ROOT / path).read_text()
    assert f"def {function or 'test_'}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_can_be_run(command):
    program, first, *rest = command.split()
    if program == "make":
        assert re.search(rf"^{first}:", (ROOT / "Makefile").read_text(), re.M)
        return
    assert (ROOT / first).exists()
    if rest:
        assert rest[0] == "-k"
        tests = re.findall(r"def (test_\w+)", (ROOT / first).read_text())
        assert any(rest[1] in test for test in tests), f"-k {rest[1]} picks no test"


def test_the_security_policy_points_here():
    assert "docs/guarantees.md" in (ROOT / "SECURITY.md").read_text()
