"""`chainrule info`: what is installed and what it runs on."""

from __future__ import annotations

import argparse
import os
import platform

import numpy as np

import chainrule as cr
from chainrule import config


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    print(config.show())
    facts = {
        "numpy": np.__version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "installed in": os.path.dirname(cr.__file__),
    }
    for name, value in facts.items():
        print(f"{name:<16} {value}")
