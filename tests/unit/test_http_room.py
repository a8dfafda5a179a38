"""The room that all HTTP shares: front door, uploads, queue and listener, on real sockets."""

from __future__ import annotations

import collections
import gc
import http.client
import io
import json
import threading
import time

import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")

from http_server import closed_after, multipart, served
from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from nssbg._errors import ModelError
from nssbg._http.engine import Engine, EngineSettings
from nssbg._http.front_door import AccessRules, FrontDoor, local_hosts
from nssbg._http.listener import listening_socket
from nssbg._http.replies import PiecewiseResponse, until_gone
from nssbg._http.uploads import UploadLimits, Uploads
from nssbg._remover import Remover


def picture(width=48, height=40):
    image = Image.new("RGB", (width, height), (240, 240, 240))
    image.paste((200, 30, 30), (width // 4, height // 4, width // 2, height // 2))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


class Gate:
    """Holds workers within `deliver` until it is opened."""

    def __init__(self):
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, cutout):
        self.entered.release()
        assert self.opened.wait(30)
        return b"done"


def application(engine, uploads, rules, gate, accesses):
    async def cut(request):
        engine.check_room()
        async with uploads.of(request) as upload:
            data = await upload.data()
            gated = request.headers.get("x-gated")
            deliver = gate if gated else lambda cutout: cutout.encode("png", threads=1)
            result = await until_gone(
                request,
                engine.cut_out(data, deliver, model=request.headers.get("x-model")),
            )
            return PiecewiseResponse(result, media_type="image/png")

    async def call(request):
        return JSONResponse(await engine.call(lambda: gate(None).decode()))

    async def form(request):
        async with uploads.of(request) as upload:
            found = await upload.form(large={"base64"})
            files = {name: len(file.data) for name, file in found.files.items()}
            return JSONResponse([found.fields, files])

    async def big(request):
        return PiecewiseResponse(bytes(64 << 20), media_type="application/octet-stream")

    async def broken(request):
        raise RuntimeError("secret words")

    routes = [
        Route("/cut", cut, methods=["POST"]),
        Route("/call", call),
        Route("/form", form, methods=["POST"]),
        Route("/big", big),
        Route("/broken", broken),
    ]
    return FrontDoor(
        Router(routes, lifespan=engine.lifespan),
        rules,
        routes=[route.path for route in routes],
        observers=[accesses.append],
    )


class Running:
    """A served application with its parts."""

    def __init__(self, **parts):
        vars(self).update(parts)


@pytest.fixture
def running(request):
    """Indirect parameter: settings of the parts."""
    given = getattr(request, "param", {})
    engine = Engine(EngineSettings(model="studio", threads=1, **given.get("engine", {})))
    uploads = Uploads(UploadLimits(**given.get("uploads", {})))
    rules = AccessRules(**{"hosts": local_hosts(), **given.get("rules", {})})
    gate, accesses = Gate(), []
    app = application(engine, uploads, rules, gate, accesses)
    with served(app, engine, **given.get("listener", {})) as server:
        yield Running(server=server, engine=engine, uploads=uploads, gate=gate, accesses=accesses)
        gate.opened.set()


def waits_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def in_thread(function, *args, **kwargs):
    """Its results come into the list that is given back with the thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args, **kwargs)))
    thread.start()
    return thread, results


def test_a_picture_comes_back_with_its_request_id(running):
    ask = running.server.request
    status, headers, data = ask("POST", "/cut", picture(), {"X-Request-Id": "night-7"})
    assert status == 200
    assert headers["x-request-id"] == "night-7"
    assert Image.open(io.BytesIO(data)).mode == "RGBA"
    _, headers, _ = ask("POST", "/cut", picture(), {"X-Request-Id": 'forged"\tline'})
    assert len(headers["x-request-id"]) == 32
    waits_for(lambda: len(running.accesses) == 2)
    first = running.accesses[0]
    assert (first.request_id, first.route, first.status) == ("night-7", "/cut", 200)
    assert (first.bytes_in, first.bytes_out) == (len(picture()), len(data))
    assert running.uploads.held == 0


def test_errors_have_one_shape_and_do_not_tell_secrets(running, caplog):
    status, error = running.server.error("POST", "/cut", b"no picture at all")
    assert (status, error["kind"]) == (422, "decode")
    assert "it is text" in error["message"]
    assert running.server.error("GET", "/nope")[0] == 404
    assert running.server.error("GET", "/cut")[0] == 405
    status, error = running.server.error("GET", "/broken")
    assert (status, error["kind"]) == (500, "unexpected")
    assert "secret" not in error["message"] + caplog.text
    assert error["request_id"] in caplog.text
    assert "broken:" in caplog.text


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Host": "evil.example"}, "host"),
        ({"Host": "evil.example:7000"}, "host"),
        ({"Origin": "https://evil.example"}, "origin"),
        ({"Origin": "null"}, "origin"),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, "origin"),
    ],
)
def test_other_hosts_and_pages_elsewhere_are_refused(running, headers, kind):
    status, error = running.server.error("POST", "/cut", picture(), headers)
    assert (status, error["kind"]) == (403, kind)


def test_this_machines_own_names_and_pages_are_let_in(running):
    port = running.server.port
    for host in (f"localhost:{port}", f"[::1]:{port}", "127.0.0.1"):
        for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
            assert running.server.request("POST", "/cut", picture(), headers)[0] == 200


@pytest.mark.parametrize(
    "running",
    [{"rules": {"token": "s3cret", "without_token": frozenset({"/big"})}}],
    indirect=True,
)
def test_the_token_is_asked_for(running):
    ask = running.server.request
    for headers in ({}, {"X-Api-Key": "s3cre"}, {"Authorization": "Bearer x"}):
        status, told, _ = ask("POST", "/cut", picture(), headers)
        assert (status, told["www-authenticate"]) == (401, "Bearer")
    for headers in ({"X-Api-Key": "s3cret"}, {"Authorization": "bearer s3cret"}):
        assert ask("POST", "/cut", picture(), headers)[0] == 200
    assert ask("GET", "/big")[0] == 200
    assert ask("POST", "/cut", picture(), {"X-Api-Key": "gehe\xefm"})[0] == 401


@pytest.mark.parametrize("running", [{"uploads": {"max_bytes": 1 << 20}}], indirect=True)
def test_a_body_that_is_too_long_is_refused_and_the_answer_read(running):
    too_long = bytes(3 << 20)
    status, error = running.server.error("POST", "/cut", too_long)
    assert (status, error["kind"]) == (413, "too_large")
    assert "1048576" in error["message"]
    # Without a length, in chunks: refused where it went over.
    pieces = iter([too_long[: 1 << 19]] * 6)
    assert running.server.error("POST", "/cut", pieces)[0] == 413
    # Who asks first sends nothing.
    head = b"POST /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
    connection = running.server.socket(head + b"Expect: 100-continue\r\n\r\n")
    assert connection.recv(64).startswith(b"HTTP/1.1 413")
    closed_after(connection)
    assert running.uploads.held == 0


@pytest.mark.parametrize("running", [{"engine": {"max_pixels": 1000}}], indirect=True)
def test_too_many_pixels_are_refused_from_the_header(running):
    status, error = running.server.error("POST", "/cut", picture(64, 64))
    assert (status, error["kind"]) == (413, "too_large")
    assert "64 x 64" in error["message"]


SLOW = {"uploads": {"seconds": 0.5, "min_rate": 1 << 20}, "listener": {"head_seconds": 0.5}}


@pytest.mark.parametrize("running", [SLOW], indirect=True)
def test_slow_clients_are_cut_off_and_others_served(running):
    heads = [running.server.socket(b"POST /cut HT") for _ in range(3)]
    silent = running.server.socket()
    body = running.server.socket(
        b"POST /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nab"
    )
    assert running.server.request("POST", "/cut", picture())[0] == 200
    for connection in (*heads, silent):
        assert closed_after(connection) < 5
    answer = http.client.HTTPResponse(body)
    answer.begin()
    assert answer.status == 408
    assert json.loads(answer.read())["error"]["kind"] == "slow"
    # A second head on a connection that was used before has the same deadline.
    used = running.server.socket(b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert used.recv(4096).startswith(b"HTTP/1.1 404")
    used.sendall(b"GET /no")
    assert closed_after(used) < 5


@pytest.mark.parametrize("running", [{"listener": {"max_connections": 8}}], indirect=True)
def test_idle_connections_give_way_to_new_ones(running):
    held = [running.server.socket() for _ in range(30)]
    for _ in range(5):
        assert running.server.request("POST", "/cut", picture())[0] == 200
    assert closed_after(held[0]) < 5


def test_a_half_closed_connection_holds_nothing(running):
    body = picture()
    head = f"POST /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = running.server.socket(head.encode() + body[:20])
    connection.shutdown(1)
    assert closed_after(connection) < 5
    waits_for(lambda: len(running.accesses) == 1)
    assert running.accesses[0].status == 499
    assert (running.uploads.held, running.engine.waiting, running.engine.running) == (0, 0, 0)


def test_who_does_not_read_is_cut_off(running, monkeypatch):
    monkeypatch.setattr("nssbg._http.replies._PATIENCE", 0.3)
    connection = running.server.socket(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    waits_for(lambda: running.accesses)
    assert running.accesses[0].bytes_out < 64 << 20
    closed_after(connection)
    assert running.server.request("POST", "/cut", picture())[0] == 200


@pytest.mark.parametrize(
    "running", [{"engine": {"max_waiting": 2}, "listener": {"grace": 20.0}}], indirect=True
)
def test_a_full_queue_says_when_to_come_back_and_shutdown_finishes_what_is_in_hand(running):
    ask = (running.server.request, "POST", "/cut", picture(), {"X-Gated": "1"})
    first = [in_thread(*ask)]
    assert running.gate.entered.acquire(timeout=20)  # it is with the only worker
    first += [in_thread(*ask) for _ in range(2)]
    waits_for(lambda: (running.engine.running, running.engine.waiting) == (1, 2))
    status, headers, data = running.server.request("POST", "/cut", bytes(1 << 20))
    assert (status, json.loads(data)["error"]["kind"]) == (503, "busy")
    assert 1 <= int(headers["retry-after"]) <= 60
    assert running.server.request("GET", "/call")[0] == 503
    running.server.server.stop()
    time.sleep(0.3)
    running.gate.opened.set()
    for thread, results in first:
        thread.join(20)
        assert [(status, data) for status, _, data in results] == [(200, b"done")]
    running.server.thread.join(20)
    assert not running.server.thread.is_alive()
    with pytest.raises(OSError):
        running.server.socket()


@pytest.mark.parametrize("running", [{"engine": {"time_limit": 0.5}}], indirect=True)
def test_what_takes_too_long_is_told_and_leaves_its_place(running):
    answers = [
        in_thread(running.server.request, "POST", "/cut", picture(), {"X-Gated": "1"})
        for _ in range(5)
    ]
    for thread, results in answers:
        thread.join(20)
        status, headers, data = results[0]
        assert (status, json.loads(data)["error"]["kind"]) == (503, "time_limit")
        assert "retry-after" in headers
    assert running.engine.waiting == 0
    running.gate.opened.set()
    waits_for(lambda: running.engine.running == 0)
    assert running.server.request("POST", "/cut", picture())[0] == 200


def test_a_client_that_goes_away_leaves_its_place(running):
    body = picture()
    head = f"POST /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    whole = head.encode() + b"X-Gated: 1\r\n\r\n" + body
    connections = [running.server.socket(whole) for _ in range(5)]
    waits_for(lambda: (running.engine.running, running.engine.waiting) == (1, 4))
    for connection in connections:
        connection.close()
    waits_for(lambda: running.engine.waiting == 0)
    waits_for(lambda: len(running.accesses) == 5)
    assert {access.status for access in running.accesses} == {499}
    running.gate.opened.set()
    waits_for(lambda: running.engine.running == 0)
    assert running.uploads.held == 0


@pytest.mark.parametrize("running", [{"uploads": {"max_held": 100_000}}], indirect=True)
def test_all_uploads_together_are_bounded(running):
    head = b"POST /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    held = running.server.socket(head + bytes(90_000))
    waits_for(lambda: running.uploads.held >= 80_000)
    status, error = running.server.error("POST", "/cut", bytes(60_000))
    assert (status, error["kind"]) == (503, "busy")
    held.close()
    waits_for(lambda: running.uploads.held == 0)
    assert running.server.request("POST", "/cut", picture())[0] == 200


def test_calls_take_turns_with_pictures(running):
    first, results = in_thread(running.server.request, "GET", "/call")
    assert running.gate.entered.acquire(timeout=20)
    assert running.engine.running == 1
    running.gate.opened.set()
    first.join(20)
    assert results[0][0] == 200
    assert running.engine.running == 0


def test_an_unknown_model_is_its_requests_error_alone(running):
    status, error = running.server.error("POST", "/cut", picture(), {"X-Model": "no-such"})
    assert (status, error["kind"]) == (422, "model")
    assert running.server.request("POST", "/cut", picture())[0] == 200
    waits_for(lambda: running.engine.running == 0)


def test_a_default_model_that_will_not_open_is_an_error_at_the_start():
    with pytest.raises(ModelError, match="no-such"):
        Engine(EngineSettings(model="no-such")).open()


def test_requests_leave_no_rings_that_hold_pictures(running):
    """Else uploads and results would stay until Python looks for them, which may take long."""
    running.server.request("POST", "/cut", picture())
    gc.collect()
    gc.disable()
    try:
        for body in (picture(), b"no picture", bytes(300)) * 5:
            running.server.request("POST", "/cut", body)
            running.server.request("POST", "/form", *multipart({"a": "1"}))
            running.server.request("POST", "/form", b"broken", FORM)
        waits_for(lambda: len(running.accesses) == 46)
        kinds = ("Upload", "Form", "_Image", "_Ticket", "Cutout", "Request", "PiecewiseResponse")
        alive = collections.Counter(type(one).__name__ for one in gc.get_objects())
        assert sum(alive[kind] for kind in kinds) <= 3, alive.most_common(20)
    finally:
        gc.enable()


@pytest.mark.parametrize("tune", [False, True])
def test_measuring_is_asked_for_at_the_start_alone(tune, monkeypatch):
    asked = []
    opened = Remover._open_for_many

    def recorded(self, workers, image_count, samples, autotune):
        asked.append(autotune)
        return opened(self, workers, image_count, samples, autotune)

    monkeypatch.setattr(Remover, "_open_for_many", recorded)
    engine = Engine(EngineSettings(model="studio", threads=1, tune=tune))
    engine.open()
    waits_for(lambda: len(asked) == 2)
    engine.close()
    assert asked == [True if tune else None, None]


def test_forms(running):
    body, headers = multipart({"size": "full", "ü": "ö"}, {"image": ("x.png", bytes(range(256)))})
    status, _, data = running.server.request("POST", "/form", body, headers)
    assert (status, json.loads(data)) == (200, [{"size": "full", "ü": "ö"}, {"image": 256}])
    # In pieces that end anywhere.
    pieces = (body[start : start + 7] for start in range(0, len(body), 7))
    assert json.loads(running.server.request("POST", "/form", pieces, headers)[2])[1] == {
        "image": 256
    }
    plain = {"Content-Type": "application/x-www-form-urlencoded"}
    data = running.server.request("POST", "/form", b"size=full&base64=" + b"a" * 99_999, plain)[2]
    assert json.loads(data)[0]["size"] == "full"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", FORM, 400, "cut short"),
        (PART % b"a" + b"1\r\n", FORM, 400, "cut short"),
        (b"no boundary at all", FORM, 400, "cannot be read"),
        ((PART % b"a" + b"1\r\n") * 2 + b"--b--\r\n", FORM, 400, "twice"),
        (b"--b\r\nX: y\r\n\r\n1\r\n--b--\r\n", FORM, 400, "Content-Disposition"),
        (PART % b"a" + b"1" * 70_000 + b"\r\n--b--\r\n", FORM, 400, "longer than the 65536"),
        (b"".join(PART % b"%d" % n + b"1\r\n" for n in range(99)), FORM, 400, "64 fields"),
        (b"x", {"Content-Type": "multipart/form-data"}, 415, "expected a form"),
        (b"x", {"Content-Type": "image/png"}, 415, "expected a form"),
        (b"x", {"Content-Type": "multipart/form-data; boundary=" + "b" * 999}, 400, "Boundary"),
        (b"a=1&a=2", {"Content-Type": "application/x-www-form-urlencoded"}, 400, "twice"),
        (b"&".join(b"%d=" % n for n in range(99)),
         {"Content-Type": "application/x-www-form-urlencoded"}, 400, "64 fields"),
    ],
)  # fmt: skip
def test_broken_forms_are_refused(running, body, headers, status, words):
    found, error = running.server.error("POST", "/form", body, headers)
    assert (found, error["kind"]) == (status, "request")
    assert words in error["message"]
    assert running.uploads.held == 0


def test_a_port_that_is_taken_is_one_clear_error(running):
    from nssbg import NssbgError

    with pytest.raises(NssbgError, match="another program listens there"):
        listening_socket("127.0.0.1", running.server.port).listen()
    with pytest.raises(NssbgError, match="cannot listen on a"):
        listening_socket("a" * 70 + ".example", 0)
