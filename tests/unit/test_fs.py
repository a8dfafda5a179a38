"""The one writer: whole or not at all, never over what it should not, nothing left lying."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from nssbg import _fs

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
# A program that begins to write a file and then waits, its part file whole but not renamed.
HANGING = """
import sys, time
from nssbg import _fs
with _fs.replacing(sys.argv[1]) as part:
    part.write_bytes(b"half")
    print(part, flush=True)
    time.sleep(60)
"""


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def begin_writing(target):
    """A process that is in the middle of writing the target, and its part file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, str(target)], stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def test_a_file_is_written_and_replaced_and_nothing_stays_beside_it(tmp_path):
    target = tmp_path / "a.bin"
    for data in (b"one", b"", b"three" * 100_000):
        assert _fs.write(target, data) == target
        assert target.read_bytes() == data
    assert names(tmp_path) == ["a.bin"]


def test_without_overwrite_an_existing_file_stays(tmp_path):
    target = tmp_path / "a.bin"
    _fs.write(target, b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        _fs.write(target, b"second", overwrite=False)
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("links", [True, False])
def test_of_writers_at_the_same_moment_exactly_one_wins(tmp_path, monkeypatch, links):
    """Whatever the look beforehand saw; also where the file system has no hard links."""
    monkeypatch.setattr(_fs, "check", lambda *_, **__: None)
    if not links:

        def refuse(*_, **__):
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(_fs.Path, "hardlink_to", refuse)
    target, barrier, won = tmp_path / "a.bin", threading.Barrier(8), []

    def attempt(number):
        barrier.wait()
        try:
            _fs.write(target, b"%d" % number * 50_000, overwrite=False, sync=False)
        except FileExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert target.read_bytes() == b"%d" % won[0] * 50_000
    assert names(tmp_path) == ["a.bin"]


@posix
@pytest.mark.parametrize("name", ["猫" * 80 + ".png", "😀" * 60 + ".png", "x" * 251 + ".png"])
def test_names_up_to_the_bound_of_the_file_system_can_be_written(tmp_path, name):
    assert len(os.fsencode(name)) > 240
    _fs.write(tmp_path / name, b"x")
    assert names(tmp_path) == [name]


@posix
def test_a_name_that_is_too_long_is_told_as_such(tmp_path):
    with pytest.raises(OSError, match="too long") as caught:
        _fs.write(tmp_path / ("x" * 300), b"x")
    assert "name is too long" in _fs.reason(caught.value, tmp_path / ("x" * 300))


@posix
def test_a_name_that_is_no_utf8_can_be_written(tmp_path):
    name = os.fsdecode(b"\xff" + b"\xfe" * 100)
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    _fs.write(tmp_path / name, b"x")
    assert names(tmp_path) == [name]


@posix
def test_a_new_file_has_the_mode_of_any_new_file_and_a_replaced_one_keeps_its_own(tmp_path):
    for mask in (0o022, 0o077, 0o002):
        before = os.umask(mask)
        try:
            made = _fs.write(tmp_path / f"{mask}", b"x")
        finally:
            os.umask(before)
        assert stat.S_IMODE(made.stat().st_mode) == 0o666 & ~mask
    made.chmod(0o604)
    _fs.write(made, b"y")
    assert stat.S_IMODE(made.stat().st_mode) == 0o604


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_root_leaves_a_replaced_file_to_its_owner(tmp_path):
    target = _fs.write(tmp_path / "a", b"x")
    os.chown(target, 65534, 65534)
    _fs.write(target, b"y")
    assert (target.stat().st_uid, target.stat().st_gid) == (65534, 65534)


def test_a_read_only_file_is_not_replaced(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"kept")
    target.chmod(0o444)
    with pytest.raises(_fs.RefusedError, match="read-only"):
        _fs.write(target, b"new")
    assert target.read_bytes() == b"kept"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become nobody")
def test_nobody_replaces_no_file_and_writes_in_no_folder_of_another():
    """Renaming asks the folder alone: without a look at the file it would be replaced."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to nobody
        folder = Path(name)
        folder.chmod(0o777)
        theirs, shut = folder / "theirs", folder / "shut"
        theirs.write_bytes(b"kept")
        theirs.chmod(0o644)
        shut.mkdir()
        shut.chmod(0o755)
        _fs.write(shut / "warm", b"x")  # what is imported late is imported by now
        group = os.getegid()
        os.setegid(65534)
        os.seteuid(65534)
        try:
            with pytest.raises(_fs.RefusedError, match="read-only"):
                _fs.write(theirs, b"new")
            with pytest.raises(PermissionError) as caught:
                _fs.write(shut / "new", b"x")
            own = _fs.write(folder / "own", b"x")
        finally:
            os.seteuid(0)
            os.setegid(group)
        assert _fs.reason(caught.value, shut / "new") == f"no permission to write in {shut}"
        assert theirs.read_bytes() == b"kept"
        assert own.stat().st_uid == 65534
        assert names(folder) == ["own", "shut", "theirs"]


@posix
def test_links_are_followed_also_those_that_lead_nowhere_yet(tmp_path):
    (tmp_path / "link").symlink_to("goal")
    _fs.write(tmp_path / "link", b"x", overwrite=False)
    assert (tmp_path / "goal").read_bytes() == b"x"
    _fs.write(tmp_path / "link", b"y")
    assert (tmp_path / "goal").read_bytes() == b"y"
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match=r".") as caught:
        _fs.write(tmp_path / "circle", b"x")
    assert "circle" in _fs.reason(caught.value, tmp_path / "circle")
    assert names(tmp_path) == ["circle", "goal", "link"]


@posix
def test_a_fifo_is_written_into_and_stays_one(tmp_path):
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    _fs.write(fifo, b"x" * 300_000, overwrite=False)
    reader.join(10)
    assert got == [b"x" * 300_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@posix
def test_the_null_device_swallows_and_the_full_one_tells(tmp_path):
    before = Path("/dev/null").stat()
    _fs.write("/dev/null", b"x", overwrite=False)
    assert Path("/dev/null").stat().st_rdev == before.st_rdev
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            _fs.write("/dev/full", b"x")


@posix
def test_standard_output_is_written_to_where_it_stands(tmp_path):
    code = (
        "import sys; from nssbg import _fs\n"
        "print('before', flush=True); _fs.write('/dev/stdout', b'data\\n'); print('after')\n"
    )
    with (tmp_path / "out").open("wb") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (tmp_path / "out").read_bytes() == b"before\ndata\nafter\n"


@posix
def test_folders_and_sockets_are_refused(tmp_path, monkeypatch):
    import socket

    with pytest.raises(_fs.RefusedError, match="folder"):
        _fs.write(tmp_path, b"x")
    with socket.socket(socket.AF_UNIX) as opened:
        monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
        opened.bind("s")
        with pytest.raises(_fs.RefusedError, match="socket"):
            _fs.write(tmp_path / "s", b"x")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root makes device nodes")
def test_a_block_device_is_refused_and_a_character_device_stays_one(tmp_path):
    try:
        os.mknod(tmp_path / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 250))
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        (tmp_path / "null").open("wb").close()
    except OSError as error:
        pytest.skip(f"no device nodes here: {error}")
    with pytest.raises(_fs.RefusedError, match="block device"):
        _fs.write(tmp_path / "disk", b"x")
    _fs.write(tmp_path / "null", b"x")
    assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)


@posix
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    process, part = begin_writing(tmp_path / "a")
    assert part.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert part.exists()
    # Another process of its own: this one may have looked at the folder before.
    code = f"from nssbg import _fs; _fs.write({str(tmp_path / 'b')!r}, b'x')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert names(tmp_path) == ["b"]


@posix
def test_what_a_living_process_writes_is_never_swept(tmp_path):
    process, part = begin_writing(tmp_path / "a")
    try:
        os.utime(part, (0, 0))  # however old it looks, it is locked
        assert _fs.sweep(tmp_path) == []
        assert part.exists()
        # Nor under a number that does not run (another container's), as long as it is locked.
        pid = subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        moved = part.with_name(part.name.replace(f"-{process.pid}-", f"-{pid}-"))
        part.rename(moved)
        assert _fs.sweep(tmp_path) == []
        assert moved.exists()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert _fs.sweep(tmp_path) == [moved]


@posix
def test_a_number_that_another_process_has_by_now_keeps_a_part_file_for_an_hour(tmp_path):
    part = tmp_path / f".a.nssbg-{_fs._host()}-{os.getppid()}-00000000.part"
    part.write_bytes(b"x")
    assert _fs.sweep(tmp_path) == []
    os.utime(part, (time.time() - 4000,) * 2)
    assert _fs.sweep(tmp_path) == [part]


def test_other_peoples_files_and_other_machines_are_left_alone(tmp_path):
    kept = [
        f".a.nssbg-{'0' * 8 if _fs._host() != '0' * 8 else '1' * 8}-99999999-00000000.part",
        ".a.12345678.part",
        "a.onnx.part",
        f"a.nssbg-{_fs._host()}-99999999-00000000.part",
    ]
    for name in kept:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (0, 0))
    assert _fs.sweep(tmp_path) == []
    assert names(tmp_path) == sorted(kept)


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), _fs.replacing(target) as part:  # noqa: PT012
        part.write_bytes(b"new")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    with _fs.replacing(target) as part:
        part.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_at_the_end_part_files_go_and_no_more_files_come(tmp_path, monkeypatch):
    monkeypatch.setattr(_fs, "_ended_pid", 0)  # put back afterwards
    (tmp_path / "b").write_bytes(b"old")
    for name in ("a", "b"):
        with pytest.raises(OSError, match=r".") as caught, _fs.replacing(tmp_path / name):  # noqa: PT012
            assert len(names(tmp_path)) == 2
            _fs.discard_parts()
            assert names(tmp_path) == ["b"]
            _fs._ended_pid = os.getpid()
        assert caught.value.errno == errno.ECANCELED
        with pytest.raises(OSError, match=r".") as caught:
            _fs.write(tmp_path / name, b"new")
        assert caught.value.errno == errno.ECANCELED
        assert names(tmp_path) == ["b"]
        assert (tmp_path / "b").read_bytes() == b"old"
        _fs._ended_pid = 0


@posix
def test_a_fork_writes_on_though_its_parent_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(_fs, "_ended_pid", 0)
    code = (
        "import os, sys, threading\n"
        "from nssbg import _fs\n"
        "held = threading.Thread(target=lambda: (_fs._naming.acquire(), go.wait()), daemon=True)\n"
        "go = threading.Event(); held.start()\n"
        "while _fs._naming.acquire(blocking=False): _fs._naming.release()\n"
        "_fs._ended_pid = os.getpid()\n"
        "child = os.fork()\n"
        "if child == 0: _fs.write(sys.argv[1], b'x'); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "a")], check=True, timeout=30
    )
    assert names(tmp_path) == ["a"]
