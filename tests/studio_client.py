"""A studio page's server on a real port, in this process, and a client as its browser would be."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import threading
import time
from urllib.parse import quote

import numpy as np
from PIL import Image


class Client:
    """Speaks to a page's server with its cookie.

    Attributes:
        port: Of 127.0.0.1.
        session: Behind it, where it runs in this process.
    """

    def __init__(self, port, key, session=None):
        self.port, self.key, self.session = port, key, session
        self.cookie = f"nssbg_studio_{port}={key}"

    def request(self, method, path, body=None, headers=None, *, cookie=True, timeout=60):
        """Status, headers (lower case) and body of an answer."""
        given = {"Cookie": self.cookie} if cookie else {}
        given.update(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data

    def json(self, method, path, body=None, headers=None):
        """Status and parsed body."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        status, _, answer = self.request(method, path, data, headers)
        return status, json.loads(answer) if answer else None

    def error(self, method, path, body=None, headers=None):
        """Status, kind and message of a refusal."""
        status, answer = self.json(method, path, body, headers)
        assert status >= 400, answer
        return status, answer["error"]["kind"], answer["error"]["message"]

    def add(self, data, name="mug.jpg", path=None):
        """Send a picture; its record."""
        headers = {} if path is None else {"X-Relative-Path": quote(path)}
        status, made = self.json("POST", f"/api/pictures?name={quote(name)}", data, headers)
        assert status == 201, made
        return made

    def picture(self, name):
        """A picture's record."""
        return self.json("GET", f"/api/pictures/{name}")[1]

    def ended(self, name, revision=0, seconds=60):
        """Wait until work on a revision has ended; the picture's record."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.picture(name)
            if found["state"] in ("failed", "cancelled") or (
                found["state"] == "done" and found["done_revision"] >= revision
            ):
                return found
            time.sleep(0.02)
        raise AssertionError(f"not ended: {found}")

    def edit(self, name, edit):
        """Set an edit and wait for its result."""
        status, answer = self.json("PUT", f"/api/pictures/{name}/edit", edit)
        assert status == 202, answer
        return self.ended(name, answer["revision"])

    def pixels(self, path, body=None):
        """A PNG or any other picture that is answered, as an array, and its headers."""
        data = None if body is None else json.dumps(body).encode()
        status, headers, answer = self.request("GET" if body is None else "POST", path, data)
        assert status == 200, answer
        with Image.open(io.BytesIO(answer)) as image:
            return np.asarray(image), headers


@contextlib.contextmanager
def page(folder=None, **settings):
    """Run a page's server; the client. It is ended as a signal would."""
    from nssbg.studio_page.folder import SessionFolder
    from nssbg.studio_page.serving import listen, server_of
    from nssbg.studio_page.session import Session

    settings.setdefault("model", "studio")
    started = threading.Event()
    with contextlib.closing(SessionFolder(folder)) as held:
        bound = listen(0)
        port = bound.getsockname()[1]
        session = Session(held, threads=2, **settings)
        server = server_of(session, bound, ready=started.set)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert started.wait(30)
        try:
            yield Client(port, held.key, session)
        finally:
            server.stop()
            thread.join(30)
            session.close()
            assert not thread.is_alive()
