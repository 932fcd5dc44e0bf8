"""A headless Chromium driven through its DevTools protocol, with the standard library only."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class _WebSocket:
    """RFC 6455, as far as a client of one peaceful server needs it."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self._file.readline()
        assert b" 101 " in status, status
        while self._file.readline().strip():
            pass

    def send(self, text: str) -> None:
        data, mask = text.encode(), os.urandom(4)
        if len(data) < 126:
            length = bytes([0x80 | len(data)])
        else:
            length = struct.pack(">BQ", 0xFF, len(data))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self._socket.sendall(b"\x81" + length + mask + masked)

    def receive(self) -> str:
        message = b""
        while True:
            first, length = self._file.read(2)
            if length >= 126:
                code, size = (">H", 2) if length == 126 else (">Q", 8)
                (length,) = struct.unpack(code, self._file.read(size))
            payload = self._file.read(length)
            if first & 0x0F in (0, 1):  # text, or more of it
                message += payload
                if first & 0x80:
                    return message.decode()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Page:
    """One tab of a headless Chromium; a context manager."""

    def __init__(self, chromium: str, profile: Path, timeout: float = 30) -> None:
        command = [
            chromium, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}",
            "--no-first-run", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # which Chromium refuses to do without, as root
        self._process = subprocess.Popen(
            [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.messages: list[str] = []  # the page's errors
        self._id = 0
        try:
            self._socket = _WebSocket(self._find_tab(profile, timeout), timeout)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")

    def _find_tab(self, profile: Path, timeout: float) -> str:
        port_file, end = profile / "DevToolsActivePort", time.monotonic() + timeout
        while time.monotonic() < end:
            if port_file.exists() and len(port_file.read_text().splitlines()) == 2:
                port = port_file.read_text().splitlines()[0]
                with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
                if tabs:
                    return str(tabs[0]["webSocketDebuggerUrl"])
            assert self._process.poll() is None, "Chromium ended"
            time.sleep(0.05)
        raise TimeoutError("Chromium does not open its port")

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol; its result."""
        self._id += 1
        self._socket.send(json.dumps({"id": self._id, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.receive())
            if message.get("id") == self._id:
                assert "error" not in message, message["error"]
                return message["result"]
            if message["method"] == "Runtime.exceptionThrown":
                self.messages.append(str(message["params"]["exceptionDetails"]))
            elif message["method"] == "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error":
                    self.messages.append(entry["text"])

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression (of a promise: what it resolves to)."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, timeout: float = 15) -> Any:
        """Evaluate until the value is truthy; the value."""
        end = time.monotonic() + timeout
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, f"never true: {script}; {self.messages}"
            time.sleep(0.03)
        return value

    def open(self, url: str) -> None:
        """Go to an address and wait for the page."""
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href == {url!r} && document.readyState == 'complete'")

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Send an event of the left mouse button: mousePressed, mouseMoved or mouseReleased."""
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left",
            buttons=int(kind != "mouseReleased"),
            clickCount=1,
        )

    def key(self, name: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])
