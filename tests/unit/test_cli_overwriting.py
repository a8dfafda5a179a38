"""The command never writes over a source, and over a result only when told to."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nssbg.cli.main import main

STUDIO = ["--model", "studio"]


@pytest.fixture
def shoot(product_jpeg, tmp_path, monkeypatch):
    """Two photographs in the current folder: a.png and b.png."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Image.open(io.BytesIO(product_jpeg)).save(tmp_path / name)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_remove_with_a_pattern_that_matches_two_photographs_harms_neither(shoot, capsys):
    before = contents(shoot)
    assert main(["remove", "a.png", "b.png", *STUDIO]) == 4
    assert contents(shoot) == before
    error = capsys.readouterr().err
    assert "b.png is there already" in error
    assert "nssbg a.png b.png" in error  # what was meant


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_an_output_that_is_an_input_is_refused_whatever_it_is_called(shoot, capsys, more):
    os.link("a.png", "hard.png")
    Path("soft.png").symlink_to("b.png")
    before = contents(shoot)
    for arguments in (
        ["remove", "a.png", "a.png"],
        ["remove", "a.png", "./a.png"],
        ["remove", "a.png", "hard.png"],
        ["remove", "soft.png", "b.png"],
        ["remove", "a.png", "b.png", "--background", "soft.png"],
    ):
        assert main([*arguments, *STUDIO, *more]) == 2, arguments
        assert "nssbg never does that" in capsys.readouterr().err
        assert contents(shoot) == before


def test_a_batch_that_would_write_over_one_of_its_pictures_is_refused_whole(shoot, capsys):
    # A photograph that is called like a result of x.*, which is not there; and y's result.
    Path("b.png").rename("x-cutout.png")
    Path("a.png").rename("y.png")
    Path("y-cutout.png").symlink_to("x-cutout.png")
    before = contents(shoot)
    assert main(["y.png", "x-cutout.png", *STUDIO, "--overwrite"]) == 2
    assert "y-cutout.png" in capsys.readouterr().err
    assert contents(shoot) == before


def test_a_second_run_needs_overwrite_and_takes_no_result_for_a_picture(shoot, capsys):
    assert main(["a.png", "b.png", *STUDIO]) == 0
    assert main(["a.png", "--mask", *STUDIO]) == 0
    capsys.readouterr()
    before = contents(shoot)
    everything = sorted(before)
    assert everything == ["a-cutout.png", "a-mask.png", "a.png", "b-cutout.png", "b.png"]
    assert main([*everything, *STUDIO]) == 4
    told = capsys.readouterr().err
    assert "left out 3 files that by their names are results" in told
    assert "2 of 2 results are there already" in told
    assert contents(shoot) == before
    for name in ("a-cutout.png", "b-cutout.png"):
        (shoot / name).write_bytes(b"old")
    assert main([*everything, *STUDIO, "--overwrite"]) == 0
    assert contents(shoot) == before


def test_only_results_leave_nothing_to_do(shoot, capsys):
    assert main(["a.png", *STUDIO]) == 0
    assert main(["a-cutout.png", *STUDIO]) == 2
    assert "a-cutout.png, by its name the result of a.png" in capsys.readouterr().err
    assert main(["remove", "a-cutout.png", "again.png", *STUDIO]) == 0  # as the message says


def test_a_photograph_that_is_only_called_like_a_result_is_cut_out(shoot):
    Path("a.png").rename("paper-cutout.png")
    assert main(["paper-cutout.png", *STUDIO]) == 0
    assert (shoot / "paper-cutout-cutout.png").exists()


def test_one_picture_under_two_names_is_cut_out_once(shoot, capsys):
    assert main(["a.png", "./a.png", str(shoot / "a.png"), *STUDIO]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_read_only_result_stays_also_with_overwrite(shoot, capsys):
    assert main(["a.png", *STUDIO]) == 0
    result = shoot / "a-cutout.png"
    result.write_bytes(b"kept")
    result.chmod(0o444)
    assert main(["a.png", "b.png", *STUDIO, "--overwrite"]) == 4
    assert "a-cutout.png: it is there already and read-only" in capsys.readouterr().err
    assert result.read_bytes() == b"kept"
    assert (shoot / "b-cutout.png").exists()  # it costs itself alone


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_a_result_that_turns_up_during_the_run_is_not_replaced(shoot, capsys, monkeypatch):
    import nssbg.cli.remove as command

    checked = command.check_pairs

    def then_someone_else_writes(pairs, arguments):
        checked(pairs, arguments)
        (shoot / "a-cutout.png").write_bytes(b"theirs")

    monkeypatch.setattr(command, "check_pairs", then_someone_else_writes)
    assert main(["a.png", *STUDIO]) == 4
    assert (shoot / "a-cutout.png").read_bytes() == b"theirs"
    assert "it is there already" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are POSIX")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("n", 4), ("", 4), ("\x04", 4)])
def test_on_a_terminal_it_is_asked_once(shoot, answer, code):
    import pty
    import subprocess

    for name in ("a-cutout.png", "b-cutout.png"):
        (shoot / name).write_bytes(b"old")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nssbg.cli.main", "a.png", "b.png", *STUDIO],
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    told = b""
    while b"[y/N] " not in told:
        told += os.read(master, 1000)
    os.write(master, answer.encode() + (b"" if answer == "\x04" else b"\n"))
    while True:
        try:
            more = os.read(master, 1000)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        told += more
    os.close(master)
    assert process.wait(30) == code
    assert told.count(b"[y/N]") == 1
    assert b"2 of 2 results are there already" in told
    replaced = [(shoot / name).read_bytes() != b"old" for name in ("a-cutout.png", "b-cutout.png")]
    assert replaced == [code == 0] * 2


def test_without_a_terminal_nothing_is_asked(shoot, monkeypatch):
    (shoot / "a-cutout.png").write_bytes(b"old")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["a.png", *STUDIO]) == 4
    assert (shoot / "a-cutout.png").read_bytes() == b"old"


def test_a_padding_beyond_any_picture_is_one_error_that_names_the_file(shoot, capsys):
    assert main(["a.png", *STUDIO, "--padding", "40000"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "a-cutout.png" in lines[0]
    assert "80400 x 80300" in lines[0]
    assert not (shoot / "a-cutout.png").exists()


def test_a_background_may_be_used_for_many(shoot):
    Image.fromarray(np.full((9, 9, 3), 7, np.uint8)).save("back.png")
    assert main(["a.png", "b.png", *STUDIO, "--background", "back.png"]) == 0


def test_results_that_differ_in_case_alone_are_refused_where_that_is_one_file(
    shoot, capsys, monkeypatch
):
    """As on macOS and Windows: Photo.jpg and photo.png would share photo-cutout.png."""
    from nssbg import _fs

    identity = _fs.identity

    def without_case(path):
        path = Path(path)
        there = {item.name.casefold(): item for item in path.parent.iterdir()}
        return identity(there.get(path.name.casefold(), path))

    Path("a.png").rename("Photo.jpg")
    Path("b.png").rename("photo.png")
    images = ["Photo.jpg", "photo.png"]
    monkeypatch.setattr(_fs, "identity", without_case)
    assert main([*images, *STUDIO]) == 2
    assert "both be written" in capsys.readouterr().err
    monkeypatch.setattr(_fs, "identity", identity)
    if not Path("PHOTO.JPG").exists():  # where case tells files apart there is nothing wrong
        assert main([*images, *STUDIO]) == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX descriptors")
@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/3"])
def test_a_source_that_the_shell_opened_as_output_is_not_added_to(shoot, output):
    import subprocess

    before = contents(shoot)
    words = [sys.executable, "-m", "nssbg.cli.main", "remove", "a.png", output, *STUDIO]
    done = subprocess.run(
        ["sh", "-c", '"$@" >> a.png 3<> a.png', "sh", *words], capture_output=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert b"nssbg never does that" in done.stderr
    assert contents(shoot) == before
