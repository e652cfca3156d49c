"""A server in a thread, and a browser's requests without a browser."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from picture_files import saved
from starlette.applications import Starlette

from swag.web.serve import server_for

FAST = {"preset": "quick", "size": 64, "steps": 6, "scales": 1}
"""Settings of a run that takes a moment."""


def picture(seed: int = 0, side: int = 48, kind: str = "PNG") -> bytes:
    """The file of a picture of random blocks."""
    blocks = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return saved(np.kron(blocks, np.ones((side // 6, side // 6, 1), np.uint8)), kind)


class Client:
    """One browser: it keeps its cookie, and says where its requests come from."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin: str | None = f"http://127.0.0.1:{port}"
        self.host = f"127.0.0.1:{port}"
        self.cookie = ""
        self.headers: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of an answer; an object is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Host": self.host, "Cookie": self.cookie}
        if self.origin is not None:
            headers["Origin"] = self.origin
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            self.headers = {name.lower(): value for name, value in answer.getheaders()}
            if "set-cookie" in self.headers:
                self.cookie = self.headers["set-cookie"].partition(";")[0]
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """What an answer says, if it is a good one."""
        status, data = self.ask(method, path, body)
        assert status == 200, data
        return json.loads(data)

    def send(self, data: bytes) -> str:
        """The id of a picture that is sent."""
        return str(self.json("POST", "/api/pictures", data)["id"])

    def begin(self, settings: dict[str, Any] | None = None, **more: Any) -> str:
        """The id of a run of two pictures."""
        wish = {"content": self.send(picture(1)), "styles": [{"id": self.send(picture(2))}]}
        wish = {**wish, "settings": {**FAST, **(settings or {})}, **more}
        return str(self.json("POST", "/api/runs", wish)["id"])

    def events(self) -> Iterator[dict[str, Any]]:
        """What the server tells of the session's runs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Host": self.host, "Cookie": self.cookie}
            connection.request("GET", "/api/events", headers=headers)
            answer = connection.getresponse()
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def wait(self, run: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What is told of a run as soon as it is so."""
        for event in self.events():
            for facts in event["runs"]:
                if facts["id"] == run and until(facts):
                    return dict(facts)
        raise AssertionError("the events ended")

    def ended(self, run: str) -> dict[str, Any]:
        """What is told of a run at its end."""
        return self.wait(run, lambda facts: facts["phase"] in {"done", "stopped", "failed"})


@contextmanager
def serving(app: Starlette) -> Iterator[int]:
    """The port of a server that is there for as long as this."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = server_for(app, "127.0.0.1")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        if getattr(app.state, "closing", None) is not None:
            app.state.closing.set()
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
    assert not thread.is_alive()
