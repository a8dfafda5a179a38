"""Closed, full and narrow streams, odd names, signals: the command ends in order, in words."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from nssbg.cli.console import printable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX streams and signals")
STUDIO = ["--model", "studio"]
COMMAND = [sys.executable, "-m", "nssbg.cli.main"]
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def run(*arguments, closed=(), **settings):
    """The command in a process; `closed`: descriptors that it starts without."""

    def close():
        for number in closed:
            os.close(number)

    streams = {1: "stdout", 2: "stderr"}
    for number, name in streams.items():
        if number not in closed:
            settings.setdefault(name, subprocess.PIPE)
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        preexec_fn=close if closed else None,
        check=False,
        **settings,
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_closed_streams_cost_no_result(product_path, closed):
    done = run(product_path, *STUDIO, closed=closed)
    assert done.returncode == 0
    assert not done.stderr
    data = product_path.with_name("product-cutout.png").read_bytes()
    assert Image.open(io.BytesIO(data)).mode == "RGBA"
    assert data.endswith(b"IEND\xaeB`\x82")  # nothing that was told went into it


@pytest.mark.parametrize("closed", [(2,), (0, 2)])
def test_a_failure_keeps_its_exit_code_where_it_cannot_be_told(tmp_path, closed):
    assert run(tmp_path / "missing.jpg", closed=closed).returncode == 3


@full
def test_a_full_stderr_changes_no_exit_code(product_path, tmp_path):
    with Path("/dev/full").open("wb") as stream:
        assert run(tmp_path / "missing.jpg", stderr=stream).returncode == 3
        assert run("remove", product_path, "-", *STUDIO, stderr=stream).returncode == 0
        assert run("--bogus", stderr=stream).returncode == 2


def test_a_closed_stdin_is_told(tmp_path):
    done = run("remove", "-", tmp_path / "o.png", *STUDIO, closed=(0,))
    assert done.returncode == 3
    assert done.stderr == b"nssbg: cannot read stdin: it is closed\n"


@pytest.mark.parametrize(
    "arguments",
    [["remove", "product.jpg", "-", *STUDIO], ["product.jpg", "--json", *STUDIO], ["doctor"]],
)
def test_what_was_to_go_to_a_closed_stdout_is_an_error(product_path, arguments):
    done = run(*arguments, closed=(1,), cwd=product_path.parent)
    assert done.returncode == 4
    assert done.stderr == b"nssbg: cannot write to stdout: it is closed\n"


@full
@pytest.mark.parametrize(
    "arguments",
    [
        ["remove", "product.jpg", "-", *STUDIO],
        ["product.jpg", *STUDIO],
        ["product.jpg", "--json", *STUDIO],
        ["--version"],
        ["--help"],
        ["models", "list"],
        ["models", "list", "--json"],
        ["doctor"],
        ["models", "info", "nssbg-lite"],
    ],
)
def test_a_full_stdout_is_one_line_that_names_it(product_path, arguments):
    with Path("/dev/full").open("wb") as stream:
        done = run(*arguments, stdout=stream, cwd=product_path.parent)
    assert done.returncode == 4
    assert done.stderr == b"nssbg: cannot write to stdout: No space left on device\n"


def test_a_reader_that_goes_away_costs_no_picture(product_path):
    reader, writer = os.pipe()
    os.close(reader)
    twin = product_path.with_name("twin.jpg")
    twin.write_bytes(product_path.read_bytes())
    done = run(product_path, twin, *STUDIO, stdout=writer)
    report = run(product_path, *STUDIO, "--json", "--overwrite", stdout=writer)
    listing = run("models", "list", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert names(product_path.parent)[:2] == ["product-cutout.png", "product.jpg"]
    assert product_path.with_name("twin-cutout.png").exists()
    assert (report.returncode, len(report.stderr.splitlines())) == (4, 1)
    assert (listing.returncode, listing.stderr) == (1, b"")


STRICT = {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"}
# Without UTF-8 mode and its stand-in locale names are bytes that Python cannot decode.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("locale", [STRICT, ASCII], ids=["strict", "ascii"])
def test_names_that_stdout_cannot_hold_stop_no_batch(product_jpeg, tmp_path, locale):
    stems = [b"a", b"line\nbreak", b"\x1b[31mred", "猫".encode() * 80, "😀".encode() * 60]
    if sys.platform == "linux":  # macOS takes only UTF-8
        stems.append(b"bad\xff")
    folder = os.fsencode(tmp_path)
    for stem in stems:
        Path(os.fsdecode(folder + b"/" + stem + b".jpg")).write_bytes(product_jpeg)
    given = sorted(stem + b".jpg" for stem in stems)
    done = subprocess.run(
        [*map(os.fsencode, COMMAND), *given, b"--model", b"studio"],
        cwd=tmp_path,
        env={**os.environ, **locale},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == len(stems)
    assert b"\x1b" not in done.stdout
    there = {os.fsencode(name) for name in names(tmp_path)}
    assert there == {*given, *(stem + b"-cutout.png" for stem in stems)}


def test_a_name_splits_no_error_line(tmp_path):
    name = "evil\nnssbg: all is well\x1b[2J\r.jpg"
    (tmp_path / name).write_bytes(b"no picture")
    done = run(name, cwd=tmp_path, text=True)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert r"evil\nnssbg: all is well\x1b[2J\r.jpg" in done.stderr
    wrong = run("--threads", "a\nb", name, cwd=tmp_path, text=True)
    assert wrong.returncode == 2
    assert "\na" not in wrong.stderr
    assert not any(line.startswith("b") for line in wrong.stderr.splitlines())


def test_printable_leaves_what_people_write_and_escapes_what_steers():
    for text in ("Zoë and  two spaces", "猫 猫", "👩‍👩‍👧", "עברית"):
        assert printable(text) == text
    assert printable("a\nb\x1b\x7f\x85\u2028\u202e\udcff") == r"a\nb\x1b\x7f\x85\u2028\u202e\udcff"


@pytest.mark.parametrize("copied", [False, True])
def test_what_models_tell_of_a_file_stays_on_its_lines(tmp_path, copied):
    """Its name, and names inside it, are the file's word: they steer no terminal."""
    name = "evil\x1b[2J\nplan     fine.onnx"
    if copied:
        import nssbg

        bundled = Path(nssbg.__file__).parent / "_models/bundled/nssbg-lite.onnx"
        (tmp_path / name).write_bytes(bundled.read_bytes())
    done = run("models", "info", name, cwd=tmp_path, text=True)
    assert done.returncode == (0 if copied else 5)
    assert "\x1b" not in done.stdout + done.stderr
    assert r"evil\x1b[2J\nplan     fine.onnx" in done.stdout + done.stderr
    if copied:  # and the sidecar that is suggested can be read, with the same name
        try:
            import tomllib
        except ImportError:  # Python 3.10
            import tomli as tomllib
        start = done.stdout[done.stdout.index("name = ") :]
        assert tomllib.loads(start)["name"] == name.removesuffix(".onnx")


def test_json_tells_of_failures_too(product_path, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    missing = tmp_path / "missing.jpg"
    done = run(bad, product_path, missing, "--json", *STUDIO, text=True)
    assert done.returncode == 3
    rows = {row["input"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(rows) == {str(bad), str(product_path), str(missing)}
    assert "error" not in rows[str(product_path)]
    for path in (bad, missing):
        assert set(rows[str(path)]) == {"input", "output", "error"}
        assert rows[str(path)]["error"]["kind"] == "decode"
        assert path.name in rows[str(path)]["error"]["message"]
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["product.jpg", "--model", "no-such-model"], "model", 5),
        (["product.jpg", "product.jpg", "--model", "no-such-model"], "model", 5),
        (["product.jpg", "--padding", "40000", *STUDIO], "option", 2),
        (["product.jpg", "--fill", "0.5"], "option", 2),
        (["product.jpg", "--model", "rmbg-2.0", "--license", "commercial"], "license", 6),
        (["remove", "product.jpg", "there.png", *STUDIO], "encode", 4),
        (["remove", "product.jpg", "product.jpg", *STUDIO], "option", 2),
        (["remove", "product.jpg"], "option", 2),
    ],
)
def test_json_tells_of_a_run_that_fails_in_one_line(product_path, arguments, kind, code):
    product_path.with_name("there.png").write_bytes(b"old")
    done = run(*arguments, "--json", cwd=product_path.parent, text=True)
    assert done.returncode == code
    (row,) = map(json.loads, done.stdout.splitlines())
    assert row["error"]["kind"] == kind
    assert len(done.stderr.splitlines()) == 1
    # The same words, but for what a terminal must not get.
    assert done.stderr == f"nssbg: {row['error']['message']}\n"
    named = len(arguments) < 2 or arguments[1] == "product.jpg" or arguments[0] == "product.jpg"
    assert row["input"] in ((("product.jpg"), None) if named else (None,))


def test_one_picture_that_fails_in_a_way_nobody_foresaw_stops_no_batch(
    product_path, monkeypatch, capsys
):
    from nssbg import _delivery
    from nssbg.cli.main import main

    twin = product_path.with_name("twin.jpg")
    twin.write_bytes(product_path.read_bytes())
    encoded = _delivery.encoded

    def fails_for_one(cutout, *arguments, **options):
        if cutout.frame.name == str(product_path):
            raise ValueError("nobody\nforesaw this")
        return encoded(cutout, *arguments, **options)

    monkeypatch.setattr(_delivery, "encoded", fails_for_one)
    assert main([str(product_path), str(twin), *STUDIO]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(product_path) in line
    assert "ValueError" in line
    assert twin.with_name("twin-cutout.png").exists()


# The command, but each write stops half-way and waits.
SLOW_WRITE = """
import os, sys, time
from nssbg import _fs
from nssbg.cli import main
def slow(handle, data):
    os.write(handle, bytes(data[:100]))
    print("writing", flush=True)
    time.sleep(60)
_fs._write_all = slow
main.command()
"""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("number", CODES)
def test_a_signal_in_the_middle_of_a_write_leaves_nothing(product_path, number):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITE, str(product_path), *STUDIO, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    assert any(name.endswith(".part") for name in names(product_path.parent))
    started = time.monotonic()
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert time.monotonic() - started < 4
    assert process.returncode == CODES[number]
    assert names(product_path.parent) == ["product.jpg"]
    row = json.loads(out)
    assert row["error"]["kind"] == "interrupted"
    assert error == f"nssbg: {product_path}: interrupted, nothing was written\n"


def test_work_that_cannot_be_stopped_is_left_after_a_grace(product_path):
    twin = product_path.with_name("twin.jpg")
    twin.write_bytes(product_path.read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITE, str(product_path), str(twin), *STUDIO, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert names(product_path.parent) == ["product.jpg", "twin.jpg"]
    rows = [json.loads(line) for line in out.splitlines() if line != "writing"]
    assert {row["input"] for row in rows} >= {str(product_path)}
    assert {row["error"]["kind"] for row in rows} == {"interrupted"}


def test_a_second_signal_ends_at_once(product_path):
    twin = product_path.with_name("twin.jpg")
    twin.write_bytes(product_path.read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITE, str(product_path), str(twin), *STUDIO],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert time.monotonic() - started < 2
    assert process.returncode == 143
    assert names(product_path.parent) == ["product.jpg", "twin.jpg"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_batch_tells_of_every_picture_that_it_began(product, tmp_path, number):
    large = Image.fromarray(product[0]).resize((2000, 1500))
    paths = [tmp_path / f"{index:02}.jpg" for index in range(24)]
    large.save(paths[0], quality=90)
    for path in paths[2:]:
        path.write_bytes(paths[0].read_bytes())
    # Under way when the first result is told of, on any machine.
    large.resize((8000, 6000)).save(paths[1], quality=50)
    errors = tmp_path.with_name(f"{tmp_path.name}.errors")
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [*COMMAND, *map(str, paths), *STUDIO, "--json"], stdout=subprocess.PIPE, stderr=stream
        )
    rows = [json.loads(process.stdout.readline())]
    process.send_signal(number)
    # Not communicate(): it passes over what readline() has read ahead.
    rows += map(json.loads, process.stdout.read().splitlines())
    assert process.wait(60) == CODES[number]
    process.stdout.close()
    done = [row for row in rows if "error" not in row]
    stopped = [row for row in rows if "error" in row]
    assert len({row["input"] for row in rows}) == len(rows) < len(paths)
    assert stopped, "the signal came too late to interrupt anything"
    assert {row["error"]["kind"] for row in stopped} == {"interrupted"}
    # What was told of as done is there, whole, and nothing else is.
    there = {path.name for path in tmp_path.iterdir()} - {path.name for path in paths}
    assert there == {Path(row["output"]).name for row in done}
    assert len(errors.read_text().splitlines()) == len(stopped)


def test_an_ignored_hangup_stays_ignored(product_jpeg, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "remove", "-", str(tmp_path / "o.png"), *STUDIO],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGHUP)
    process.communicate(product_jpeg, timeout=30)
    assert process.returncode == 0
    assert names(tmp_path) == ["o.png"]


def test_a_wait_for_stdin_can_be_ended(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "remove", "-", str(tmp_path / "o.png"), *STUDIO],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stderr.read() == b"nssbg: -: interrupted, nothing was written\n"
    process.stdin.close()
    process.stderr.close()


def test_devices_and_pipes_are_written_into(product_path, tmp_path):
    assert run("remove", product_path, "/dev/null", *STUDIO).returncode == 0
    assert Path("/dev/null").is_char_device()
    out = run("remove", product_path, "/dev/stdout", *STUDIO)
    assert out.stdout.startswith(b"\x89PNG")
    assert out.stdout.endswith(b"IEND\xaeB`\x82")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    assert run("remove", product_path, fifo, *STUDIO).returncode == 0
    assert process.communicate(timeout=10)[0] == out.stdout
    assert fifo.is_fifo()


@full
def test_an_output_that_is_full_is_named(product_path):
    done = run("remove", product_path, "/dev/full", *STUDIO)
    assert done.returncode == 4
    assert done.stderr == b"nssbg: cannot write /dev/full: No space left on device\n"


def test_an_output_that_is_a_circle_of_links_is_told(product_path, tmp_path):
    (tmp_path / "loop.png").symlink_to("loop.png")
    done = run("remove", product_path, "loop.png", *STUDIO, cwd=tmp_path)
    assert done.returncode == 4
    message = b"nssbg: cannot write loop.png: it is a symbolic link that leads in a circle\n"
    assert done.stderr == message


# The command, but the first write never ends, and the second only after the signal.
ONE_STUCK = """
import itertools, os, sys, threading, time
from nssbg import _fs
from nssbg.cli import main
count, both, write = itertools.count(), threading.Barrier(2), _fs._write_all
def slow(handle, data):
    number = next(count)
    if both.wait() == 0:
        print("writing", flush=True)
    time.sleep(60 if number == 0 else 2)
    write(handle, data)
_fs._write_all = slow
main.command()
"""


def test_what_ends_within_the_grace_is_told_of_though_another_hangs(product_path):
    twin = product_path.with_name("twin.jpg")
    twin.write_bytes(product_path.read_bytes())
    images = [str(product_path), str(twin)]
    process = subprocess.Popen(
        [sys.executable, "-c", ONE_STUCK, *images, *STUDIO, "--json", "--threads", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGTERM)
    rows = list(map(json.loads, process.stdout.read().splitlines()))
    process.stdout.close()
    assert process.wait(30) == 143
    assert sorted("error" in row for row in rows) == [False, True]
    (written,) = [Path(row["output"]).name for row in rows if "error" not in row]
    assert names(product_path.parent) == sorted(["product.jpg", "twin.jpg", written])


def test_a_batch_with_a_name_that_the_folder_cannot_hold_loses_that_one_alone(
    product_jpeg, tmp_path
):
    longest = "x" * 250 + ".jpg"  # its result's name would have 261 bytes
    for name in ("a.jpg", longest, "z.jpg"):
        (tmp_path / name).write_bytes(product_jpeg)
    done = run("a.jpg", longest, "z.jpg", *STUDIO, cwd=tmp_path)
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert b"the name is too long for its file system (261 bytes)" in line
    assert names(tmp_path) == sorted(["a-cutout.png", "a.jpg", longest, "z-cutout.png", "z.jpg"])


def test_a_signal_that_python_drops_is_not_lost():
    """One that comes while a destructor runs; imports and garbage collection run them."""
    code = (
        "import os, signal, time\n"
        "from nssbg.cli import console\n"
        "console.open_streams(); console.catch_signals()\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        for _ in range(1000): pass\n"
        "try:\n"
        "    Late()\n"
        "    print('dropped', flush=True)\n"
        "    time.sleep(20)\n"
        "except console.StoppedError as stopped:\n"
        "    os._exit(stopped.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=15
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, b"dropped\n", b"")


def test_what_a_library_makes_of_a_signal_is_still_a_signal(monkeypatch, capsys):
    """NumPy calls one that comes during its import a broken installation."""
    from nssbg.cli import console
    from nssbg.cli.main import main

    monkeypatch.setattr(console, "_stopped", int(signal.SIGTERM))
    assert main(["models", "path", "no-such-model"]) == 143
    assert main(["a.jpg", "--fill", "1", "--json"]) == 143
    assert capsys.readouterr() == ("", "")
