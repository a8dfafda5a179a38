"""`nssbg rembg i|p|b|s|d`: rembg's flags; no input is lost, no failure is silent."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_pictures import drawn_product
from PIL import Image

from nssbg.cli.main import main


@pytest.fixture(autouse=True)
def offline_home(tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "REMBG_HOME", "U2NET_HOME", "NSSBG_COMPAT", "NSSBG_LICENSE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "nssbg"))
    monkeypatch.setenv("NSSBG_OFFLINE", "1")


@pytest.fixture(scope="module")
def rgb():
    return drawn_product(90, 120)[0]


@pytest.fixture
def tree(tmp_path, rgb):
    """A folder whose flattening or change of suffix would bring pictures together."""
    root = tmp_path / "in"
    for place in ("1.jpg", "a/1.jpg", "b/1.png", "b/1.webp", "b/c/2.png", "same.png", "same.jpg"):
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(path)
    Image.fromarray(rgb).save(root / "same.jpg.png")
    (root / "notes.txt").write_text("no picture")
    return root


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def read(path):
    """A picture file, closed again."""
    return Image.open(io.BytesIO(path.read_bytes()))


def nssbg(*arguments, stdin=b""):
    return subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", *map(str, arguments)],
        input=stdin, capture_output=True, check=False, timeout=120,
    )  # fmt: skip


def test_i_takes_files_and_streams(tmp_path, rgb):
    source, target = tmp_path / "in.png", tmp_path / "new" / "out.png"
    Image.fromarray(rgb).save(source)
    assert main(["rembg", "i", "-a", "-ae", "5", str(source), str(target)]) == 0
    assert read(target).mode == "RGBA"
    piped = nssbg("rembg", "i", "-om", stdin=source.read_bytes())
    assert piped.returncode == 0, piped.stderr
    assert Image.open(io.BytesIO(piped.stdout)).mode == "L"
    filled = nssbg("rembg", "i", "-bgc", 9, 99, 199, 255, source, "-")
    assert Image.open(io.BytesIO(filled.stdout)).getpixel((1, 1)) == (9, 99, 199, 255)


def test_i_names_what_is_wrong(tmp_path, rgb, capsys):
    source = tmp_path / "in.png"
    source.write_bytes(b"no picture at all, by any measure")
    assert main(["rembg", "i", str(source), str(tmp_path / "o.png")]) == 3
    assert str(source) in capsys.readouterr().err
    assert main(["rembg", "i", str(tmp_path / "gone.png"), str(tmp_path / "o.png")]) == 3
    assert "gone.png" in capsys.readouterr().err
    Image.fromarray(rgb).save(source)
    before = source.read_bytes()
    assert main(["rembg", "i", str(source), str(source)]) == 2
    assert source.read_bytes() == before
    assert main(["rembg", "i", "-x", "{", str(source), str(tmp_path / "o.png")]) == 2
    assert main(["rembg", "i", "-m", "sam", str(source), str(tmp_path / "o.png")]) == 2
    assert main(["rembg", "i", "-m", "u2net", str(source), str(tmp_path / "o.png")]) == 5
    assert main(["rembg", "i", "-vm", str(source), str(tmp_path / "o.png")]) == 2
    assert not (tmp_path / "o.png").exists()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless file here")
def test_i_leaves_what_has_no_end(tmp_path, capsys):
    assert main(["rembg", "i", "/dev/zero", str(tmp_path / "o.png")]) == 3
    assert "/dev/zero" in capsys.readouterr().err
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(
            [sys.executable, "-m", "nssbg.cli.main", "rembg", "i"],
            stdin=endless, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 3
    assert b"stdin" in done.stderr


def test_p_mirrors_the_tree_and_deletes_only_what_it_did(tree, tmp_path):
    out = tmp_path / "out"
    assert main(["rembg", "p", "-d", str(tree), str(out)]) == 0
    assert files(out) == [
        "1.png",
        "a/1.png",
        "b/1.png.png",
        "b/1.webp.png",
        "b/c/2.png",
        "same.jpg.png",
        "same.jpg.png.png",
        "same.png.png",
    ]
    assert files(tree) == ["notes.txt"]
    for name in files(out):
        assert read(out / name).mode == "RGBA"


def test_p_keeps_what_failed_and_what_was_there(tree, tmp_path, capsys):
    out = tmp_path / "out"
    (tree / "a" / "1.jpg").write_bytes(b"damaged")
    (out / "b" / "c").mkdir(parents=True)
    (out / "b" / "c" / "2.png").write_bytes(b"of an earlier run")
    assert main(["rembg", "p", "-d", str(tree), str(out)]) == 8
    assert files(tree) == ["a/1.jpg", "b/c/2.png", "notes.txt"]
    assert (out / "b" / "c" / "2.png").read_bytes() == b"of an earlier run"
    told = capsys.readouterr().err
    assert str(tree / "a" / "1.jpg") in told
    assert "is there already" in told


def test_p_leaves_its_own_results_alone(tree):
    out = tree / "done"
    assert main(["rembg", "p", str(tree), str(out)]) == 0
    first = files(out)
    assert main(["rembg", "p", str(tree), str(out)]) == 0
    assert files(out) == first


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Starts `rembg p -w` on a folder, with files taken a second after a change."""
    pytest.importorskip("watchfiles", reason="nssbg[watch] is not installed")
    from nssbg.batch import watch

    real = watch.arrivals
    monkeypatch.setattr(
        watch, "arrivals", lambda folders, stopping: real(folders, stopping, quiet=1.0)
    )
    source, codes = tmp_path / "in", []
    source.mkdir(exist_ok=True)

    def start(out, *flags):
        watcher = threading.Thread(
            target=lambda: codes.append(main(["rembg", "p", "-w", *flags, str(source), str(out)])),
            daemon=True,
        )
        watcher.start()
        return watcher

    yield source, start, codes
    (source / "stop.txt").write_text("")


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


def test_p_watches_until_it_is_told_to_stop(tmp_path, rgb, watched):
    source, start, codes = watched
    out = tmp_path / "out"
    (source / "early").mkdir()
    Image.fromarray(rgb).save(source / "early" / "1.jpg")
    watcher = start(out, "-d")
    wait_for(out / "early" / "1.png")
    (source / "late").mkdir()
    Image.fromarray(rgb).save(source / "late" / "2.png")
    wait_for(out / "late" / "2.png")
    (source / "stop.txt").write_text("")
    watcher.join(30)
    assert codes == [0]
    assert files(out) == ["early/1.png", "late/2.png"]
    assert read(out / "late" / "2.png").mode == "RGBA"
    assert files(source) == []  # each was deleted, and so was stop.txt


def test_p_does_what_was_whole_before_it_was_told_to_stop(tmp_path, rgb, watched):
    source, start, codes = watched
    (source / "damaged.jpg").write_bytes(b"no picture")
    Image.fromarray(rgb).save(source / "z.png")
    (source / "stop.txt").write_text("")
    start(tmp_path / "out").join(30)
    assert codes == [8]
    assert files(tmp_path / "out") == ["z.png"]
    assert files(source) == ["damaged.jpg", "z.png"]


def test_p_takes_a_file_only_once_it_is_whole(tmp_path, rgb, watched):
    source, start, codes = watched
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG")
    data = stream.getvalue()
    watcher = start(tmp_path / "out")
    with (source / "slow.png").open("wb") as slow:
        for begin in range(0, len(data), len(data) // 8):  # for 1.6 s, more than the wait
            slow.write(data[begin : begin + len(data) // 8])
            slow.flush()
            time.sleep(0.2)
    wait_for(tmp_path / "out" / "slow.png")
    (source / "stop.txt").write_text("")
    watcher.join(30)
    assert codes == [0]


def test_p_does_not_take_its_results_for_pictures_where_both_folders_are_one(rgb, watched):
    source, start, codes = watched
    Image.fromarray(rgb).save(source / "1.jpg")
    watcher = start(source)
    wait_for(source / "1.png")
    time.sleep(2.0)
    (source / "stop.txt").write_text("")
    watcher.join(30)
    assert codes == [0]
    assert files(source) == ["1.jpg", "1.png"]


def test_p_w_ends_by_a_signal_with_its_code(tmp_path, rgb):
    pytest.importorskip("watchfiles", reason="nssbg[watch] is not installed")
    (tmp_path / "in").mkdir()
    Image.fromarray(rgb).save(tmp_path / "in" / "1.png")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        out = tmp_path / f"out{number}"
        process = subprocess.Popen(
            [sys.executable, "-m", "nssbg.cli.main", "rembg", "p", "-w", tmp_path / "in", out],
            stderr=subprocess.PIPE,
        )
        wait_for(out / "1.png")
        process.send_signal(number)
        with process.stderr:
            assert process.wait(30) == code
            assert process.stderr.read().count(b"\n") == 1  # which model is taken


def test_p_w_without_watchfiles_names_what_brings_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert main(["rembg", "p", "-w", str(tmp_path / "in"), str(tmp_path / "out")]) == 2
    assert 'pip install "nssbg[watch]"' in capsys.readouterr().err


def test_b_takes_frames(tmp_path, rgb):
    frames = rgb.tobytes() + rgb[:, ::-1].tobytes()
    done = nssbg("rembg", "b", 120, 90, "-o", tmp_path / "o" / "f-%03d.png", stdin=frames)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "o") == ["f-000.png", "f-001.png"]
    alphas = [np.asarray(read(tmp_path / "o" / f"f-00{n}.png"))[..., 3] for n in (0, 1)]
    assert alphas[0].any()
    piped = nssbg("rembg", "b", 120, 90, stdin=frames)
    assert piped.stdout.count(b"\x89PNG\r\n") == 2


def test_b_says_where_the_stream_broke(tmp_path, rgb):
    done = nssbg("rembg", "b", 120, 90, "-o", tmp_path / "%d.png", stdin=rgb.tobytes() + b"half")
    assert done.returncode == 3
    assert b"within frame 1: 4 of 32400 bytes" in done.stderr
    assert (tmp_path / "0.png").is_file()
    assert nssbg("rembg", "b", 120, 90, "-o", tmp_path / "one.png").returncode == 2
    assert nssbg("rembg", "b", 0, 90).returncode == 2


def test_s_serves_rembgs_api(tmp_path, rgb):
    pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")
    from http_server import command_serving, multipart

    Image.fromarray(rgb).save(tmp_path / "in.png")
    body, head = multipart({"om": "true"}, {"file": ("in.png", (tmp_path / "in.png").read_bytes())})
    with command_serving("rembg", "s", "-p", "0", "--no-ui", "-l", "error", "-t", "1") as server:
        status, headers, data = server.request("POST", "/api/remove", body, head)
        assert (status, headers["content-type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(data)).mode == "L"
    assert server.process.returncode == 143


def test_s_and_d_say_what_they_cannot(capsys, monkeypatch):
    pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")
    monkeypatch.delenv("NSSBG_TOKEN", raising=False)
    assert main(["rembg", "s", "-h", "0.0.0.0"]) == 2
    assert "NSSBG_TOKEN" in capsys.readouterr().err
    assert main(["rembg", "s", "-l", "loud"]) == 2
    assert main(["rembg", "s", "-p", "70000"]) == 2
    assert main(["rembg", "d", "nope"]) == 2
    assert main(["rembg", "d", "u2netp"]) == 5
    assert "NSSBG_OFFLINE" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["rembg"])


def test_an_unwritable_result_keeps_the_input(tree, tmp_path, capsys):
    (tmp_path / "out").write_text("a file where the folder is to be")
    before = files(tree)
    assert main(["rembg", "p", "-d", str(tree), str(tmp_path / "out")]) == 8
    assert files(tree) == before
    assert os.linesep in capsys.readouterr().err
