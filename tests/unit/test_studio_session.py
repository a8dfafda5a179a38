"""A studio session's folder and memory: private, taken up after a kill, emptied at the end."""

import http.client
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from studio_client import Client, page

import nssbg
from nssbg._errors import NssbgError

pytest.importorskip("starlette", reason="needs nssbg[studio]")
pytest.importorskip("uvicorn", reason="needs nssbg[studio]")

DATA = Path(__file__).parents[1] / "data"
MUG = DATA / "mug.jpg"
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX modes and signals")


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return tmp_path / "nssbg" / "studio"


def started(*arguments, state_home, env=None):
    """The command in a process of its own; (process, client) once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nssbg.cli.main", "studio", "--no-open", "--model", "studio",
         *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(state_home), **(env or {})},
    )  # fmt: skip
    first = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)/\?key=(\S+)", first)
    assert found, (first, process.stderr.read() if process.poll() is not None else "")
    told = process.stdout.readline() + process.stdout.readline()
    return process, Client(int(found[1]), found[2]), told


@posix
def test_a_killed_page_goes_on_where_it_was(tmp_path):
    process, client, told = started(str(MUG), state_home=tmp_path)
    folder = tmp_path / "nssbg" / "studio" / "session-1"
    try:
        assert str(folder) in told
        assert "emptied at the end" in told
        name = client.json("GET", "/api/pictures")[1][0]["id"]
        client.ended(name)
        edit = {"corrections": {"drop": [[10, 10]]}, "choke": 0.5}
        done = client.edit(name, edit)
        before, _ = client.pixels(f"/api/pictures/{name}/view")
    finally:
        process.kill()
        process.communicate()
    assert folder.is_dir()
    # The same port and key: a page that is open has only to connect again.
    process, again, _ = started(state_home=tmp_path)
    try:
        assert (again.port, again.key) == (client.port, client.key)
        found = again.json("GET", "/api/pictures")[1]
        assert [one["id"] for one in found] == [name]
        assert found[0]["edit"] == done["edit"]
        assert found[0]["result"] == done["result"]
        after, _ = again.pixels(f"/api/pictures/{name}/view?revision={done['done_revision']}")
        assert np.array_equal(before, after)
        assert again.json("GET", "/api/about")[1]["network_runs"] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    finally:
        process.kill()
        process.communicate()
    assert not folder.exists()


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_page_ends_on_a_signal_with_streams_open_and_empties_its_session(tmp_path, number):
    process, client, _ = started(str(MUG), state_home=tmp_path)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        connection.request("GET", "/api/events", headers={"Cookie": client.cookie})
        stream = connection.getresponse()
        stream.readline()
        began = time.monotonic()
        process.send_signal(number)
        code = process.wait(30)
        assert time.monotonic() - began < 12
        assert code == (130 if number == signal.SIGINT else 128 + number)
        connection.close()
    finally:
        process.kill()
        _, said = process.communicate()
    assert said == ""
    assert not (tmp_path / "nssbg" / "studio" / "session-1").exists()


@posix
def test_the_command_begins_with_the_files_and_folders_it_is_given(tmp_path):
    (tmp_path / "shoot").mkdir()
    for name in ("b.jpg", "a.jpg", "notes.txt"):
        (tmp_path / "shoot" / name).write_bytes(MUG.read_bytes())
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    process, client, _ = started(
        str(MUG), str(tmp_path / "shoot"), str(tmp_path / "bad.jpg"), state_home=tmp_path
    )
    try:
        names = [one["name"] for one in client.json("GET", "/api/pictures")[1]]
        assert names == ["mug.jpg", "a.jpg", "b.jpg"]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert said.count("\n") == 1
    assert "bad.jpg" in said


@posix
def test_a_session_that_was_named_is_kept(tmp_path):
    folder = tmp_path / "mine"
    with page(folder) as client:
        name = client.add(MUG.read_bytes())["id"]
        client.ended(name)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "pictures" / name).stat().st_mode) == 0o700
    assert (folder / "pictures" / name / "original").read_bytes() == MUG.read_bytes()
    with page(folder) as client:
        assert client.picture(name)["state"] == "done"
        assert client.session.results.network_runs == 0
        client.request("DELETE", "/api/pictures")
    assert not list((folder / "pictures").iterdir())


def test_files_that_cannot_be_taken_are_named(tmp_path):
    from nssbg.studio_page.results import Limits

    (tmp_path / "empty.jpg").touch()
    (tmp_path / "large.jpg").write_bytes(b"x" * 5000)
    (tmp_path / "folder.jpg").mkdir()
    with page(tmp_path / "s", limits=Limits(max_bytes=4000)) as client:
        for name in ("empty.jpg", "large.jpg", "folder.jpg", "nothing.jpg"):
            with pytest.raises(nssbg.ImageDecodeError, match=name):
                client.session.add_file(tmp_path / name)
        assert client.json("GET", "/api/pictures")[1] == []


def test_a_folder_that_is_no_session_is_left_alone(tmp_path):
    from nssbg.studio_page.folder import SessionFolder

    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(nssbg.OptionError, match="no session"):
        SessionFolder(tmp_path / "letters")
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["dear.txt"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(NssbgError, match="--session"):
        SessionFolder(tmp_path / "file")


def test_two_pages_have_two_sessions(state):
    from nssbg.studio_page.folder import SessionFolder

    first, second = SessionFolder(), SessionFolder()
    assert (first.path, second.path) == (state / "session-1", state / "session-2")
    assert first.key != second.key
    with pytest.raises(NssbgError, match="another run"):
        SessionFolder(first.path)
    first.close()
    assert not first.path.exists()
    third = SessionFolder()
    assert third.path == state / "session-1"
    for one in (second, third):
        one.close()
    assert not list(state.iterdir())


def test_damaged_records_cost_one_picture_and_no_start(tmp_path):
    with page(tmp_path / "s") as client:
        names = [client.add(MUG.read_bytes(), f"{number}.jpg")["id"] for number in range(3)]
        for name in names:
            client.ended(name)
    folder = tmp_path / "s" / "pictures"
    (folder / names[0] / "state.json").write_text('{"name": 1')
    for estimate in folder.glob(f"{names[1]}/estimate-*.npy"):
        estimate.write_bytes(estimate.read_bytes()[:100])
    (tmp_path / "s" / "key").write_text("short")
    (tmp_path / "s" / "port").write_text("many")
    with page(tmp_path / "s") as client:
        found = client.json("GET", "/api/pictures")[1]
        assert [one["id"] for one in found] == names[1:]
        # The estimate is gone: it is made anew with the next edit.
        assert client.request("GET", f"/api/pictures/{names[1]}/view")[0] == 409
        assert client.edit(names[1], {})["state"] == "done"
        assert client.request("GET", f"/api/pictures/{names[1]}/view")[0] == 200
        assert client.request("GET", f"/api/pictures/{names[2]}/view")[0] == 200


def test_what_was_running_when_a_page_ended_goes_on(tmp_path):
    with page(tmp_path / "s") as client:
        names = [client.add((DATA / "bear.jpg").read_bytes())["id"] for _ in range(6)]
    with page(tmp_path / "s") as client:
        for name in names:
            assert client.ended(name)["state"] == "done"


def test_results_that_memory_could_not_keep_are_made_again(tmp_path):
    with page(tmp_path / "s", memory=1) as client:
        names = [
            client.add(MUG.read_bytes())["id"],
            client.add((DATA / "bear.jpg").read_bytes())["id"],
        ]
        for name in names:
            client.ended(name)
        runs = client.session.results.network_runs
        for _ in range(2):
            for name, path in zip(names, (MUG, DATA / "bear.jpg"), strict=True):
                got, _ = client.pixels(f"/api/pictures/{name}/view")
                with nssbg.Remover("studio", threads=2) as remover:
                    assert np.array_equal(got, remover.cutout(path).rgba)
        assert client.session.results.network_runs == runs


def test_memory_lets_go_of_what_was_used_least_lately():
    from nssbg.studio_page.memory import Memory

    memory = Memory(10)
    memory.put(("a", 1), "x", 4)
    memory.put(("b", 1), "y", 4)
    assert memory.get(("a", 1)) == "x"
    memory.put(("c", 1), "z", 4)
    assert memory.get(("b", 1)) is None
    assert memory.nbytes == 8
    memory.put(("a", 1), "x2", 6)
    assert (memory.get(("a", 1)), memory.nbytes) == ("x2", 10)
    memory.release("a")
    assert (memory.get(("a", 1)), memory.get(("c", 1)), memory.nbytes) == (None, "z", 4)
    memory.put(("d", 1), "large", 100)
    assert memory.get(("d", 1)) == "large"
    assert memory.get(("c", 1)) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\a.png", "a.png"),
        ("a\nb\x1b[31m.jpg", "ab[31m.jpg"),
        ("..", "picture"),
        ("", "picture"),
        (None, "picture"),
        ("x" * 500 + ".jpeg", "x" * 195 + ".jpeg"),
        ("Ä‮gpj.exe", "Ägpj.exe"),
    ],
)
def test_names_that_come_in_are_made_harmless(text, name):
    from nssbg.studio_page.bodies import file_name

    assert file_name(text) == name


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (None, "a.jpg"),
        ("", "a.jpg"),
        ("shoot/one/a.jpg", "shoot/one/a.jpg"),
        ("/etc/../x/a.jpg", "etc/x/a.jpg"),
        ("..%2F..%2Fa.jpg", "a.jpg"),
        ("s%C3%A9rie/a.jpg", "série/a.jpg"),
    ],
)
def test_paths_that_come_in_stay_below_their_folder(text, path):
    from nssbg.studio_page.bodies import relative_path

    assert relative_path(text, "a.jpg") == path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nothing.jpg",), 2, "nothing.jpg: no such file or folder"),
        (("--model", "no-such-model"), 5, "no model is called"),
        (("--model", "/etc/passwd"), 2, "not a path"),
        (("--port", "99999"), 2, "--port"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, arguments, code, said):
    done = subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", "studio", "--no-open", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told(tmp_path):
    with page(tmp_path / "s") as client:
        done = subprocess.run(
            [sys.executable, "-m", "nssbg.cli.main", "studio", "--no-open", "--port",
             str(client.port)],
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"port {client.port}" in done.stderr
    assert not (tmp_path / "nssbg" / "studio" / "session-1").exists()


def test_without_its_packages_the_command_names_what_brings_them(tmp_path):
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from nssbg.cli.main import main; sys.exit(main(['studio', '--no-open']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert 'pip install "nssbg[studio]"' in done.stderr
    assert json.dumps(done.stdout) == '""'
