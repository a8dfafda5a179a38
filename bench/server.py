"""`nssbg serve` under load: many clients, mixed sizes, hostile bodies, slow connections beside.

    python -m bench.server load [--minutes 5] [--clients 64] [--hostile 0.05] [--slow 32]
    python -m bench.server map [--images 64] [--rounds 2]
    python -m bench.server rembg --graph u2netp.onnx --peer PYTHON [--images 12] [--rounds 2]

`load` asks all three APIs over HTTP, 5 % of the bodies being damaged, hostile or too long, while
slow heads, slow bodies, half-closed connections and clients that do not read hold connections. It
prints answers by status, times, pictures a second and resident memory after the first minute, and
fails where there was a 5xx other than the documented 503, or a good picture without its result.

`map` sends the same pictures through `Remover.map` and through the server, in turn, in processes of
their own, and compares pictures a second and processor time.

`rembg` does so with `rembg s` of another environment (its python), the same graph behind both, over
rembg's own API; --tune lets nssbg measure first which runtime and precision are fastest here.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import simplejpeg

from bench.photos import photograph
from bench.rembg_whole import SIDECAR

SIZES = (0.3, 1.0, 2.0, 4.0)  # megapixels
BOUNDARY = "nssbg-bench"
Request = tuple[str, bytes, dict[str, str]]  # path, body, headers


def pictures(sizes: tuple[float, ...], each: int) -> list[bytes]:
    """JPEGs of these sizes, in turn."""
    made = []
    for number in range(each):
        for megapixels in sizes:
            rgb = photograph(megapixels, seed=number)
            made.append(simplejpeg.encode_jpeg(rgb, quality=92, colorspace="RGB"))
    return made


def form(fields: dict[str, str], name: str, data: bytes) -> tuple[bytes, dict[str, str]]:
    """A multipart form with one file."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="{name}"; filename="p.jpg"\r\n\r\n'
    parts.append(f"--{BOUNDARY}\r\n{head}".encode() + data + b"\r\n")
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def good_request(data: bytes, draw: random.Random) -> Request:
    """A picture to one of the three APIs."""
    which = draw.randrange(4)
    if which == 0:
        return "/v1/remove", data, {"Content-Type": "image/jpeg"}
    if which == 1:
        fields = {"background": "white", "format": "jpeg"}
        return "/v1/remove", *form(fields, "image", data)
    if which == 2:
        return "/v1.0/removebg", *form({"size": "auto", "crop": "true"}, "image_file", data)
    return "/api/remove", *form({}, "file", data)


def _png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose data are a bomb of zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(4_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMB = _png_of(60_000, 60_000)
SHORT_OF_DATA = _png_of(3_000, 2_000)


def hostile_request(data: bytes, draw: random.Random) -> Request:
    """What has to be refused."""
    which = draw.randrange(9)
    jpeg = {"Content-Type": "image/jpeg"}
    if which == 0:
        return "/v1/remove", data[: len(data) // 2], jpeg
    if which == 1:
        damaged = bytearray(data)
        for _ in range(200):
            damaged[draw.randrange(300)] = draw.randrange(256)
        damaged[0] = 0
        return "/v1/remove", bytes(damaged), jpeg
    if which == 2:
        return "/v1/remove", BOMB, jpeg
    if which == 3:
        return "/v1/remove", SHORT_OF_DATA, jpeg
    if which == 4:
        return "/v1/remove?background=/etc/passwd", data, jpeg
    if which == 5:
        return "/v1/remove?model=../../etc/passwd.onnx", data, jpeg
    if which == 6:
        body, headers = form({}, "file", data)
        return "/api/remove", body[:-40], headers
    if which == 7:
        return "/v1.0/removebg", b'{"image_url": "http://169.254.169.254/"}', {
            "Content-Type": "application/json"
        }  # fmt: skip
    return "/v1/remove", b"[" * 200_000, {"Content-Type": "application/json"}


def answer_of(port: int, request: Request, timeout: float = 120.0) -> tuple[int, int]:
    """Status and bytes of an answer."""
    path, body, headers = request
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, len(answer.read())


def run_clients(count: int, work: Callable[[int], None]) -> float:
    """Let so many threads work to their end; wall seconds."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


@contextlib.contextmanager
def server(line: list[str], environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen, int]]:
    """A server's process and port; ended at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [*line, str(port)], env={**os.environ, **environment}, stdout=log, stderr=log
    )
    try:
        until = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
                break
            if process.poll() is not None or time.monotonic() > until:
                log.seek(0)
                sys.exit(f"{' '.join(line)} does not listen:\n{log.read().decode()[-2000:]}")
            time.sleep(0.1)
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def nssbg_server(*words: str) -> list[str]:
    """The command line; the port comes last."""
    return [sys.executable, "-m", "nssbg.cli.main", "serve", "--log-level", "error", *words,
            "--port"]  # fmt: skip


def cpu_of(process: subprocess.Popen) -> float:
    """Processor seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_of(process: subprocess.Popen) -> float:
    """Resident megabytes of a process (Linux)."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024


def hold_connections(port: int, count: int, stop: threading.Event) -> dict[str, int]:
    """Slow and broken clients, each anew when it is cut off; what they got, at the end."""
    cut: dict[str, int] = collections.Counter()

    def hold(number: int) -> None:
        kind = ("head", "body", "half closed", "no reader")[number % 4]
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
                one.settimeout(1.0)
                if kind == "head":
                    one.sendall(b"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\n")
                elif kind == "body":
                    one.sendall(b"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\n"
                                b"Content-Length: 5000000\r\n\r\n\xff\xd8\xff")  # fmt: skip
                elif kind == "half closed":
                    one.sendall(b"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\n"
                                b"Content-Length: 500\r\n\r\nabc")  # fmt: skip
                    one.shutdown(socket.SHUT_WR)
                else:
                    one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
                while not stop.is_set():
                    if kind == "no reader":
                        stop.wait(5)
                        break
                    with contextlib.suppress(TimeoutError):
                        if not one.recv(4096):
                            cut[kind] += 1
                            break
                    # A byte a second is still too slow.
                    if kind == "head":
                        one.sendall(b"X")
                    elif kind == "body":
                        one.sendall(b"\x00")
            stop.wait(0.2)

    for number in range(count):
        threading.Thread(target=hold, args=(number,), daemon=True).start()
    return cut


def load(arguments: argparse.Namespace) -> None:
    """The whole of it for some minutes."""
    sources = pictures(tuple(arguments.megapixels), 2)
    until = time.monotonic() + arguments.minutes * 60
    taken: list[tuple[bool, int, float]] = []
    lost: list[str] = []
    resident: list[tuple[float, float]] = []
    stop = threading.Event()
    model = ["--model", arguments.model]
    with server(nssbg_server(*model), {}) as (process, port):
        began = time.monotonic()

        def sample() -> None:
            while not stop.wait(2.0):
                resident.append((time.monotonic() - began, resident_of(process)))

        def client(number: int) -> None:
            draw = random.Random(number)
            while time.monotonic() < until:
                data = draw.choice(sources)
                bad = draw.random() < arguments.hostile
                request = (hostile_request if bad else good_request)(data, draw)
                start = time.monotonic()
                try:
                    status, _ = answer_of(port, request)
                except OSError as error:
                    lost.append(f"{'hostile' if bad else 'good'}: {error!r}")
                    continue
                taken.append((bad, status, time.monotonic() - start))

        cut = hold_connections(port, arguments.slow, stop)
        threading.Thread(target=sample, daemon=True).start()
        cpu = cpu_of(process)
        wall = run_clients(arguments.clients, client)
        cpu = cpu_of(process) - cpu
        stop.set()
        told = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        told.request("GET", "/metrics")
        metrics = told.getresponse().read().decode()
        told.close()
    _tell_load(arguments, taken, lost, resident, dict(cut), wall, cpu, metrics)


def _tell_load(
    arguments: argparse.Namespace,
    taken: list[tuple[bool, int, float]],
    lost: list[str],
    resident: list[tuple[float, float]],
    cut: dict[str, int],
    wall: float,
    cpu: float,
    metrics: str,
) -> None:
    for bad in (False, True):
        counts = collections.Counter(status for which, status, _ in taken if which == bad)
        print(f"{'hostile' if bad else 'good':8} {dict(sorted(counts.items()))}")
    seconds = sorted(spent for bad, status, spent in taken if not bad and status == 200)
    done = len(seconds)
    print(f"{done} pictures in {wall:.0f} s: {done / wall:.2f}/s, {cpu / done:.3f} CPU s each, "
          f"{cpu / wall:.2f} cores")  # fmt: skip
    at = [seconds[min(done - 1, int(done * share))] for share in (0.5, 0.95, 0.99)]
    print(
        f"p50 {at[0]:.2f} s, p95 {at[1]:.2f} s, p99 {at[2]:.2f} s with {arguments.clients} clients"
    )
    refused = [spent for bad, _, spent in taken if bad]
    if refused:
        print(f"hostile bodies: median {statistics.median(refused):.2f} s to their answer")
    print(f"slow connections that were cut off: {cut}")
    first = [mb for when, mb in resident if 50 <= when <= 70]
    later = [mb for when, mb in resident if when > 70]
    if first and later:
        base, end = statistics.median(first), statistics.median(later[-15:])
        print(f"resident: {base:.0f} MB after a minute, {end:.0f} MB at the end "
              f"({100 * (end / base - 1):+.1f} %), {max(later):.0f} MB at most")  # fmt: skip
    print(*(line for line in metrics.splitlines() if line.startswith("nssbg_uploads_held")))
    wrong = [(bad, status) for bad, status, _ in taken
             if (status >= 500 and status != 503) or (not bad and status not in (200, 429, 503))
             or (bad and status == 200)]  # fmt: skip
    if wrong or lost:
        sys.exit(f"answers that must not be: {collections.Counter(wrong)}; "
                 f"connections lost: {collections.Counter(lost)}")  # fmt: skip


MAP_WORKER = """
import json, sys, time
from pathlib import Path
import nssbg
model, repeats, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
sources = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))] * repeats
with nssbg.Remover(model) as remover:
    sink = lambda source, cutout: len(cutout.encode("png", threads=1))
    for outcome in remover.map(sources[:4], sink=sink, autotune=False):
        outcome.result()
    wall, cpu = time.perf_counter(), time.process_time()
    for outcome in remover.map(iter(sources), sink=sink, autotune=False, ordered=False):
        outcome.result()
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


def compare_map(arguments: argparse.Namespace) -> None:
    """`Remover.map` and the server over the same pictures, in turn."""
    sources = pictures(SIZES, 2)
    repeats = max(1, arguments.images // len(sources))
    count = repeats * len(sources)
    found: dict[str, list[list[float]]] = {"map": [], "serve": []}
    with tempfile.TemporaryDirectory() as name:
        for number, data in enumerate(sources):
            Path(name, f"{number}.jpg").write_bytes(data)
        line = [sys.executable, "-c", MAP_WORKER, arguments.model, str(repeats), name]
        with server(nssbg_server("--model", arguments.model), {}) as (process, port):
            _send(port, sources[:4], 4, "/v1/remove")
            for _ in range(arguments.rounds):
                done = subprocess.run(line, capture_output=True, text=True, check=True)
                found["map"].append(json.loads(done.stdout))
                cpu = cpu_of(process)
                wall = _send(port, sources * repeats, arguments.clients, "/v1/remove")
                found["serve"].append([wall, cpu_of(process) - cpu])
    _tell_two(found, count, "map")


def _send(
    port: int,
    sources: list[bytes],
    clients: int,
    path: str,
    fields: dict[str, str] | None = None,
) -> float:
    """Every picture once, by so many clients; wall seconds."""
    left = collections.deque(sources)

    def client(number: int) -> None:
        with contextlib.suppress(IndexError):
            while True:
                data = left.popleft()
                if path == "/api/remove":
                    request: Request = (path, *form(fields or {}, "file", data))
                else:
                    request = (path, data, {"Content-Type": "image/jpeg"})
                status, _ = answer_of(port, request, timeout=600)
                if status != 200:
                    sys.exit(f"status {status}")

    return run_clients(clients, client)


def _tell_two(found: dict[str, list[list[float]]], count: int, base: str) -> None:
    best = {which: min(runs) for which, runs in found.items()}
    for which, (wall, cpu) in best.items():
        spread = ", ".join(f"{count / run[0]:.2f}" for run in found[which])
        print(
            f"  {which:6} {count / wall:6.2f} pictures/s ({spread}), {cpu / count:.3f} CPU s each"
        )
    ours = "serve"
    print(f"  serve / {base}: {best[base][0] / best[ours][0]:.2f} by wall time, "
          f"{best[base][1] / best[ours][1]:.2f} by processor time")  # fmt: skip


def compare_rembg(arguments: argparse.Namespace) -> None:
    """`rembg s` and `nssbg serve` over rembg's API, the same graph behind both, in turn."""
    sources = pictures((arguments.megapixels,), 4)
    sources = (sources * (1 + arguments.images // len(sources)))[: arguments.images]
    found: dict[str, list[list[float]]] = {"rembg": [], "serve": []}
    with tempfile.TemporaryDirectory() as home:
        graph = Path(home, "u2netp.onnx")
        shutil.copy(arguments.graph, graph)
        Path(home, "u2netp.onnx.toml").write_text(SIDECAR)
        model = ["--model", str(graph), *(["--tune"] if arguments.tune else [])]
        environment = {
            "U2NET_HOME": home,
            "REMBG_HOME": home,
            "MODEL_CHECKSUM_DISABLED": "1",
            "ORT_DISABLE_TELEMETRY": "1",
            "NSSBG_HOME": str(Path(home, "nssbg")),
        }
        line = [arguments.peer, "-c", "from rembg.cli import main; main()", "s", "--no-ui",
                "-h", "127.0.0.1", "-p"]  # fmt: skip
        with (
            server(line, environment) as (theirs, their_port),
            server(nssbg_server(*model), environment) as (ours, our_port),
        ):
            both = {"rembg": (theirs, their_port), "serve": (ours, our_port)}
            named = {"rembg": {"model": "u2netp"}, "serve": {}}
            for which, (_, port) in both.items():
                _send(port, sources[:2], 1, "/api/remove", named[which])  # opens the model
            for _ in range(arguments.rounds):
                for which, (process, port) in both.items():
                    cpu = cpu_of(process)
                    wall = _send(port, sources, arguments.clients, "/api/remove", named[which])
                    found[which].append([wall, cpu_of(process) - cpu])
    print(f"{len(sources)} JPEGs of {arguments.megapixels:g} MP, {arguments.clients} clients, "
          f"best of {arguments.rounds} interleaved rounds")  # fmt: skip
    _tell_two(found, len(sources), "rembg")


def main() -> None:
    """Parse and run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("load")
    one.add_argument("--minutes", type=float, default=5)
    one.add_argument("--clients", type=int, default=64)
    one.add_argument("--hostile", type=float, default=0.05)
    one.add_argument("--slow", type=int, default=32)
    one.add_argument("--megapixels", type=float, nargs="+", default=list(SIZES))
    one.add_argument("--model", default="auto")
    one = commands.add_parser("map")
    one.add_argument("--images", type=int, default=64)
    one.add_argument("--rounds", type=int, default=2)
    one.add_argument("--clients", type=int, default=16)
    one.add_argument("--model", default="auto")
    one = commands.add_parser("rembg")
    one.add_argument("--graph", type=Path, required=True)
    one.add_argument("--peer", required=True, help="the python that has rembg[cpu,cli]")
    one.add_argument("--images", type=int, default=12)
    one.add_argument("--tune", action="store_true")
    one.add_argument("--megapixels", type=float, default=4)
    one.add_argument("--rounds", type=int, default=2)
    one.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    {"load": load, "map": compare_map, "rembg": compare_rembg}[arguments.command](arguments)


if __name__ == "__main__":
    main()
