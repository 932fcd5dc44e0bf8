"""The web server: four files and two calls, for this machine alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from .reader import BadDrawingError, Reader

_ADDRESS = "127.0.0.1"
_LARGEST = 2_000_000  # bytes of a request: base64 of the largest drawing, and room
_PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _RefusalError(Exception):
    """A request that gets a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serve the page and the reader's answers on 127.0.0.1."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would share a port in use

    def __init__(self, reader: Reader, port: int) -> None:
        self.reader = reader
        super().__init__((_ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{_ADDRESS}:{self.server_port}/"

    @property
    def hosts(self) -> tuple[str, str]:
        """The names under which a browser on this machine may ask."""
        return f"{_ADDRESS}:{self.server_port}", f"localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault of ours on stderr, but say nothing of a browser that hung up."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "chainrule", ""
    timeout = 30  # seconds a silent connection is kept

    def do_GET(self) -> None:
        self._answer(self._get)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, work: Callable[[], tuple[bytes, str]]) -> None:
        status = HTTPStatus.OK
        try:
            self._check_sender()
            body, kind = work()
        except _RefusalError as refusal:
            self.close_connection = True  # a body may be left unread
            status, kind = refusal.status, "application/json"
            body = json.dumps({"error": str(refusal)}).encode()
        self.send_response(status)
        headers = {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _check_sender(self) -> None:
        """Refuse other sites: a name of theirs that points here, or a script of theirs that asks.

        The address keeps other machines out, not the pages this machine's browser shows.
        """
        host = self.headers.get("Host", "")
        if host not in self.server.hosts:
            raise _RefusalError(
                HTTPStatus.FORBIDDEN, f"this page is at {self.server.url}, not at {host[:80]!r}"
            )
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            raise _RefusalError(HTTPStatus.FORBIDDEN, "another site may not ask")

    def _get(self) -> tuple[bytes, str]:
        path = self.path.partition("?")[0]
        if path == "/api/model":
            return json.dumps(self.server.reader.describe()).encode(), "application/json"
        if path == "/api/read":
            raise _RefusalError(HTTPStatus.METHOD_NOT_ALLOWED, "expected POST with a drawing")
        if path not in _PAGES:
            raise _RefusalError(HTTPStatus.NOT_FOUND, f"there is no page {path[:80]!r}")
        name, kind = _PAGES[path]
        return _page(name), kind

    def _post(self) -> tuple[bytes, str]:
        if self.path != "/api/read":
            raise _RefusalError(HTTPStatus.NOT_FOUND, f"there is no call {self.path[:80]!r}")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise _RefusalError(HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length")
        if len(length) > 9 or int(length) > _LARGEST:
            raise _RefusalError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request has {length[:20]} bytes; expected at most {_LARGEST}",
            )
        try:
            request = json.loads(self.rfile.read(int(length)))
            answer = self.server.reader.read(request)
        except BadDrawingError as error:
            raise _RefusalError(HTTPStatus.BAD_REQUEST, str(error)) from None
        except (ValueError, RecursionError):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "the request is not JSON") from None
        return json.dumps(answer).encode(), "application/json"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""


@cache
def _page(name: str) -> bytes:
    return (files(__package__) / "page" / name).read_bytes()
