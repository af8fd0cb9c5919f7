"""A web server for the tests that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asked: the path, the headers and the body."""

    path: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.content.decode()).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer. `stalls`: the connection is kept open without a word until the server ends.

    `lacks` bytes are announced that never come.
    """

    status: int = 200
    content: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    stalls: bool = False
    lacks: int = 0


def as_json(told: object, status: int = 200) -> Response:
    return Response(status=status, content=json.dumps(told).encode(), headers={"Content-Type": "application/json"})


@dataclass(kw_only=True)
class WebServer:
    """Where it listens, and all that it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def running_web_server(answer: Callable[[Request], Response]) -> Iterator[WebServer]:
    """A server on a free port that answers each request by `answer`; stopped at the end."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = Request(path=self.path, headers=dict(self.headers), content=self.rfile.read(length))
            server.requests.append(asked)
            said = answer(asked)
            if said.stalls:
                ended.wait(60)
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.content) + said.lacks))
            self.end_headers()
            self.wfile.write(said.content)
            if said.lacks:
                ended.wait(60)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = WebServer(url=f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        listener.shutdown()
        listener.server_close()
        thread.join()
