"""`nssbg serve` as a process: what it says, whom it lets in, how it ends."""

from __future__ import annotations

import io
import json
import signal
import socket
import time

import numpy as np
import pytest
from drawn_pictures import drawn_product
from PIL import Image

pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")

from http_server import command_serving

from nssbg import OptionError, _installed
from nssbg.cli.main import main


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("NSSBG_TOKEN", raising=False)


def picture(height, width):
    file = io.BytesIO()
    Image.fromarray(drawn_product(height, width)[0]).save(file, "PNG", compress_level=1)
    return file.getvalue()


def test_it_serves_and_ends_with_what_is_in_hand():
    large = picture(1500, 2000)
    with command_serving("serve", "--port", "0", "--model", "studio", "--threads", "1") as server:
        status, headers, data = server.request("POST", "/v1/remove", large)
        assert status == 200
        assert headers["x-nssbg-model"] == "studio"
        head = (
            f"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(large)}\r\n\r\n"
        )
        inflight = server.socket(head.encode() + large)
        until = time.monotonic() + 20
        while b"nssbg_running 1" not in server.request("GET", "/metrics")[2]:
            assert time.monotonic() < until
        server.process.send_signal(signal.SIGTERM)
        answer = b""
        while piece := inflight.recv(1 << 20):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(data[-100:])
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    assert server.process.returncode == 143
    lines = [json.loads(line) for line in server.log.splitlines()]
    requests = [line for line in lines if line.get("route") == "/v1/remove"]
    assert [line["status"] for line in requests] == [200, 200]
    assert all(line["pixels"] == 3_000_000 for line in requests)


def test_the_token_of_the_environment_is_asked_for():
    token = {"NSSBG_TOKEN": "s3cret"}
    words = ("serve", "--port", "0", "--model", "studio", "--log-level", "error")
    with command_serving(*words, environment=token) as server:
        assert server.request("POST", "/v1/remove", picture(60, 80))[0] == 401
        key = {"X-Api-Key": "s3cret"}
        data = server.request("POST", "/v1/remove", picture(60, 80), key)[2]
        assert np.asarray(Image.open(io.BytesIO(data))).shape == (60, 80, 4)
    assert server.log == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--host", "0.0.0.0"], 2, "NSSBG_TOKEN"),
        (["--token", ""], 2, "empty"),
        (["--port", "70000"], 2, "--port must be 0 to 65535"),
        (["--max-waiting", "0"], 2, "--max-waiting must be at least 1"),
        (["--max-memory", "0"], 2, "--max-memory must be at least 1"),
        (["--time-limit", "nan"], 2, "--time-limit must be at least 1"),
        (["--threads", "-1"], 2, "threads must be 0"),
        (["--allow-url", "http://x.org"], 2, "--allow-url takes names of hosts"),
        (["--allow-origin", "x.org"], 2, "--allow-origin takes"),
        (["--host", "203.0.113.9", "--token", "t"], 1, "no address of this machine"),
        (["--model", "no-such-model", "--port", "0"], 5, "no-such-model"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, code, words, capsys, monkeypatch):
    import logging

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    assert main(["serve", *arguments]) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_port_that_is_taken_is_told_before_the_model_is_opened(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--model", "no-such-model"]) == 1
    assert "another program listens there" in capsys.readouterr().err


def test_without_its_packages_the_command_that_brings_them_is_told(monkeypatch, capsys):
    monkeypatch.setattr("nssbg.cli.serve.installed", lambda module: module != "uvicorn")
    assert main(["serve"]) == 1
    assert 'pip install "nssbg[serve]"' in capsys.readouterr().err
    assert _installed.not_installed("starlette", "uvicorn").count("nssbg[serve]") == 1


def test_the_precision_asked_for_reaches_the_engine(monkeypatch):
    from nssbg._http.engine import Engine

    seen = []

    def begun(engine, settings, *rest, **named):
        seen.append(settings.precision)
        raise OptionError("enough seen")

    monkeypatch.setattr(Engine, "__init__", begun)
    assert main(["serve", "--port", "0", "--model", "studio", "--precision", "int8"]) != 0
    assert seen == ["int8"]
