"""Nothing leaves the machine: no look-up, no connection, no packet, no file but nssbg's own.

Runs each backend, a batch, worker processes and (where it is installed) nncf for 40 s in a network
of their own, which network_watch.py watches; onnxruntime's telemetry, where it is on, looks its
host up 9 s after start. Linux only, and only where namespaces can be had:

    python -m pytest -rs tests/safety/test_sends_nothing.py
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = Path(__file__).with_name("network_watch.py")
PICTURES = Path(__file__).parent.parent / "data"
SECONDS = 40
OWN_CACHE = "home/.cache/nssbg/"

KEEP_ON = f"""
import sys, time
until = time.monotonic() + {SECONDS}
from pathlib import Path
pictures = sorted(Path("in").glob("*.jpg"))
out = Path("out"); out.mkdir(exist_ok=True)
import nssbg
def keep_on(work):
    work()
    while time.monotonic() < until - 10:
        time.sleep(8)
        work()
    time.sleep(max(0, until - time.monotonic()))
"""

PROGRAMS = {
    "openvino": """
with nssbg.Remover(model="nssbg-lite", backend="openvino", threads=1) as remover:
    def work():
        cutout = remover.cutout(pictures[0])
        assert cutout.plan.backend == "openvino", cutout.plan
        cutout.save(out / "a.png")
    keep_on(work)
""",
    "onnxruntime": """
with nssbg.Remover(model="nssbg-lite", backend="onnxruntime", threads=1) as remover:
    def work():
        cutout = remover.cutout(pictures[0])
        assert cutout.plan.backend == "onnxruntime", cutout.plan
        cutout.save(out / "a.png")
    keep_on(work)
""",
    # The default: both runtimes are measured at first use.
    "map": """
def work():
    with nssbg.Remover() as remover:
        outcomes = list(remover.map(pictures * 4))
        assert all(outcome.error is None for outcome in outcomes), outcomes
keep_on(work)
""",
    "workers": """
import multiprocessing
from nssbg_worker_task import task
remover = nssbg.Remover(model="nssbg-lite", backend="onnxruntime", threads=1)
context = multiprocessing.get_context("spawn")
with context.Pool(1) as pool:
    assert pool.apply(task, (remover, pictures[0], str(out / "a.png"))) == "onnxruntime"
    time.sleep(max(0, until - time.monotonic()))
""",
    "command": """
import subprocess
def work():
    done = subprocess.run([sys.executable, "-m", "nssbg.cli.main", "remove", str(pictures[0]),
                           str(out / f"{time.monotonic_ns()}.png")])
    assert done.returncode == 0
    assert subprocess.run([sys.executable, "-m", "nssbg.cli.main", "doctor"]).returncode == 0
keep_on(work)
""",
    "nncf": """
from nssbg._runtime_imports import import_nncf, telemetry_kept_out
import numpy as np, onnx
from onnx import helper, numpy_helper, TensorProto
w = numpy_helper.from_array(np.ones((1, 3, 3, 3), np.float32), "w")
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "w"], ["y"], name="c", pads=[1, 1, 1, 1])], "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 8, 8])], [w])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
path = out / "m.onnx"; onnx.save(model, path)
from nssbg._planner.quantization import _by_nncf
feed = [np.random.default_rng(i).random((1, 3, 8, 8), np.float32) for i in range(4)]
keep_on(lambda: _by_nncf(path, out / "q.onnx", feed, 0))
""",
}

WORKER_TASK = """
def task(remover, source, target):
    cutout = remover.cutout(source)
    cutout.save(target)
    return cutout.plan.backend
"""

# The watch itself can fail: this is what it has to see.
CONTROL = """
import socket
from pathlib import Path
socket.create_connection(("events.control.example", 443), timeout=5).sendall(b"told")
stray = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
stray.sendto(b"told", ("203.0.113.7", 9999))
Path.home().joinpath(".told").write_text("told")
"""


def namespaces():
    """The command that gives a process its own network and mounts, or None with the reason."""
    unshare = shutil.which("unshare")
    if not sys.platform.startswith("linux") or unshare is None:
        return None, "needs Linux and unshare (util-linux)"
    said = ""
    for options in (["--net", "--mount"], ["--net", "--mount", "--map-root-user"]):
        command = [unshare, *options, "--propagation", "private"]
        tried = subprocess.run(
            [*command, sys.executable, "-c", TRIED], capture_output=True, text=True, check=False
        )
        if tried.returncode == 0:
            return command, ""
        said = (tried.stderr.strip().splitlines() or [f"exit {tried.returncode}"])[-1]
    return None, f"no network and mount namespaces to be had here: {said}"


TRIED = f"""
import sys; sys.path.insert(0, {str(WATCH.parent)!r}); sys.argv = ["", {os.devnull!r}]
import network_watch as w, socket
w.raise_loopback()
socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
socket.create_server(("127.0.0.1", 53)).close()
"""


def watched(programs, tmp_path):
    command, reason = namespaces()
    if command is None:
        pytest.skip(reason)
    jobs = {}
    for name, program in programs.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "in").mkdir()
        for image in PICTURES.glob("*.jpg"):
            shutil.copy(image, folder / "in")
        (folder / "nssbg_worker_task.py").write_text(WORKER_TASK)
        (folder / "program.py").write_text(program)
        jobs[name] = {"command": [sys.executable, "program.py"], "folder": str(folder)}
    listed = tmp_path / "jobs.json"
    listed.write_text(json.dumps(jobs))
    done = subprocess.run(
        [*command, sys.executable, str(WATCH), str(listed)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_watch_sees_a_look_up_a_connection_a_packet_and_a_file(tmp_path):
    told = watched({"control": CONTROL}, tmp_path)
    assert told["jobs"]["control"]["code"] == 0, told
    assert "events.control.example" in told["looked_up"]
    assert told["connected"] == ["port 443, 4 bytes at once"]
    assert "ipv4 protocol 17 to 203.0.113.7" in told["packets"]
    assert told["jobs"]["control"]["written"] == ["home/.told"]


def test_nothing_is_looked_up_reached_or_written_by_any_backend(tmp_path):
    programs = {
        name: f"{KEEP_ON}\nif __name__ == '__main__':\n" + indented(program)
        for name, program in PROGRAMS.items()
        if name != "nncf" or importlib.util.find_spec("nncf")
    }
    told = watched(programs, tmp_path)
    failed = {name: job["said"] for name, job in told["jobs"].items() if job["code"]}
    assert not failed, failed
    assert told["jobs"]["openvino"]["written"], "the cut-out itself was not seen"
    strange = {
        name: [item for item in job["written"] if not item.startswith(("out/", OWN_CACHE))]
        for name, job in told["jobs"].items()
    }
    seen = {key: told[key] for key in ("looked_up", "connected", "packets")}
    seen["written"] = [f"{name}: {item}" for name in strange for item in strange[name]]
    assert seen == {"looked_up": [], "connected": [], "packets": [], "written": []}


def indented(program):
    return "".join(f"    {line}\n" for line in program.strip().splitlines())
