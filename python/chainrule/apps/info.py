"""`chainrule info`: what is installed and what it runs on."""

from __future__ import annotations

import argparse

import numpy as np

import chainrule as cr


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    rows = {"chainrule": cr.__version__, "numpy": np.__version__, "threads": cr.get_num_threads()}
    for name, value in rows.items():
        print(f"{name:<16} {value}")
