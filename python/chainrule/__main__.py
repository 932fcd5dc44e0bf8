"""The `chainrule` command, also `python -m chainrule`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from . import __version__
from .apps._common import UsageError


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _natural_int(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _positive_float(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise ValueError
    return value


_port.__name__ = "port from 0 to 65535"
_positive_int.__name__ = "positive integer"  # argparse prints these
_natural_int.__name__ = "integer from 0"
_positive_float.__name__ = "positive number"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chainrule", description="Deep learning on CPUs, from the command line."
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    digits = commands.add_parser(
        "digits",
        help="train a network to read handwritten digits",
        description="Train a small convolutional network to read handwritten digits, judge it on "
        "images it has not seen, and save the model and a report.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = digits.add_argument
    source = digits.add_mutually_exclusive_group().add_argument
    source("--mnist", metavar="DIR", help="use MNIST IDX files instead of scikit-learn's digits")
    source("--csv", metavar="FILE", help="use a CSV file: label,pixel0,... as Kaggle's train.csv")
    add("--test", metavar="FILE", help="pixel0,... of digits to tell, as Kaggle's test.csv")
    add("--submission", default="submission.csv", metavar="FILE", help="what --test shows")
    add("--epochs", type=_positive_int, metavar="N", help="at most; 30, with --mnist or --csv 5")
    add("--batch-size", type=_positive_int, metavar="N", help="32, with --mnist or --csv 128")
    add("--lr", type=_positive_float, default=3e-3, metavar="X", help="learning rate at the start")
    add(
        "--patience",
        type=_positive_int,
        default=8,
        metavar="N",
        help="stop after so many epochs without a lower validation loss",
    )
    add(
        "--seed",
        type=_natural_int,
        default=0,
        metavar="N",
        help="of the split, the weights and the order",
    )
    add("--threads", type=_positive_int, metavar="N", help="all that are available")
    add("--out", default="digits-model.safetensors", metavar="FILE", help="the model")
    add("--report", default="digits-report.png", metavar="FILE", help="loss, confusion, mistakes")
    add("--quiet", action="store_true", help="print only the result")

    predict = commands.add_parser(
        "predict",
        help="read the digit in a picture",
        description="Read the digit in each picture: one digit, on paper of any one shade.",
    )
    predict.add_argument("model", help="a file saved by `chainrule digits`")
    predict.add_argument("images", nargs="+", metavar="image", help="a picture Pillow can open")

    serve = commands.add_parser(
        "serve",
        help="draw a digit in the browser and watch the network read it",
        description="Open a local page on which one draws a digit and sees the network's "
        "probabilities, its first layer and the pixels that mattered. Ctrl-C ends.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    serve.add_argument("model", help="a file saved by `chainrule digits`")
    serve.add_argument("--port", type=_port, default=8765, metavar="N", help="0: any free one")
    serve.add_argument("--no-browser", action="store_true", help="only print the address")

    commands.add_parser("info", help="print version, instruction set, threads and build")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 for a mistake of the user's."""
    args = _parser().parse_args(argv)
    try:
        import_module(f".apps.{args.command}", __package__).run(args)
        sys.stdout.flush()
    except UsageError as error:
        print(f"chainrule {args.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fault = f"{error.filename!r}: {error.strerror}" if error.filename else error
        print(f"chainrule {args.command}: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"chainrule {args.command}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
