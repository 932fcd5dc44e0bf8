"""`chainrule serve`: draw a digit in the browser and see what the network makes of it."""

from __future__ import annotations

import argparse
import errno
import threading
import webbrowser

from .._common import UsageError, require
from .._digits_model import load_recogniser
from .reader import Reader
from .server import Server

__all__ = ["run"]


def run(args: argparse.Namespace) -> None:
    """Carry out the command; Ctrl-C is its regular end."""
    image_module = require("PIL.Image", "pillow")
    reader = Reader(load_recogniser(args.model), image_module)
    try:
        server = Server(reader, args.port)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            reason = "is taken" if error.errno == errno.EADDRINUSE else "is not ours to use"
            raise UsageError(
                f"port {args.port} {reason}; choose another with --port (0: any free one)"
            ) from None
        raise
    with server:
        print(f"draw a digit at {server.url} (Ctrl-C ends)", flush=True)
        if not args.no_browser:  # in a thread: a text browser returns when it is closed
            threading.Thread(target=webbrowser.open, args=[server.url], daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nended")
