"""Deep networks on LIBSVM text files from the command line, after libdnn's three programs.

    python examples/dnn_cli.py init train.svm --nodes 256-256 --output init.net
    python examples/dnn_cli.py train train.svm init.net --output model.net
    python examples/dnn_cli.py predict test.svm model.net --output labels.txt

`init` trains a stack of restricted Boltzmann machines without the labels; `train` fine-tunes the
network with them; `predict` writes a label a line, and says how many were right.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent / "lectures"))
from rbm import network, pretrain  # type: ignore[import-not-found]


def sizes(text: str) -> list[int]:
    """Widths of the hidden layers, `256-256`."""
    parts = text.split("-")
    if not all(part.isdecimal() and 0 < int(part) <= 1 << 16 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}; expected widths such as 256-256")
    return [int(part) for part in parts]


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number above 0")
    return number


def read(path: str, features: int | None = None) -> tuple[Tensor, np.ndarray]:
    """The file's values and targets."""
    values, targets = cr.io.read_svmlight(path, features=features)
    if not values.size:
        raise ValueError(f"{path!r} has no example with a value")
    if not np.isfinite(values).all():
        raise ValueError(f"{path!r}: a value is not finite")
    return cr.from_numpy(values), targets


def scaled(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Every feature from 0 to 1, as the visible units want it."""
    width = high - low
    return ((x - low) / cr.where(width > 0, width, 1.0)).clamp(0, 1)


def save(path: str, net: nn.Sequential, classes: list[float], low: Tensor, high: Tensor) -> None:
    """Write the network, with what is needed to use it."""
    widths = [layer.out_features for layer in net if isinstance(layer, nn.Linear)]
    about = {"widths": widths, "classes": classes, "low": low, "high": high}
    cr.save({**about, "state": net.state_dict()}, path)


def load(path: str) -> tuple[nn.Sequential, list[float], Tensor, Tensor]:
    """Read what `save` wrote."""
    about = cr.load(path)
    if not isinstance(about, dict) or set(about) != {"widths", "classes", "low", "high", "state"}:
        raise ValueError(f"{path!r} was not written by this program's init or train")
    net, inputs = nn.Sequential(), len(about["low"])
    for width in about["widths"]:
        net.append(nn.Linear(inputs, width))
        net.append(nn.Sigmoid())
        inputs = width
    net = net[:-1]  # the output layer has no sigmoid
    net.load_state_dict(about["state"])
    return net, about["classes"], about["low"], about["high"]


def init(options: argparse.Namespace) -> None:
    """Pre-train the hidden layers."""
    x, targets = read(options.data)
    classes = np.unique(targets).tolist()
    if len(classes) < 2:
        raise ValueError(f"{options.data!r} has one class, {classes[0]:g}; expected two or more")
    low, high = x.amin(0), x.amax(0)
    x = scaled(x, low, high)
    machines = pretrain([x.shape[1], *options.nodes], x, options.epochs, lr=options.lr)
    with cr.no_grad():
        error = ((machines[0].reconstruct(x) - x) ** 2).mean().item()
    save(options.output, network(machines, len(classes)), classes, low, high)
    print(f"{len(x)} examples, {x.shape[1]} features, {len(classes)} classes")
    print(f"reconstruction error of the first machine: {error:.4f}")


def train(options: argparse.Namespace) -> None:
    """Fine-tune with the labels."""
    net, classes, low, high = load(options.model)
    x, targets = read(options.data, len(low))
    unknown = sorted(set(targets.tolist()) - set(classes))
    if unknown:
        raise ValueError(f"{options.data!r}: label {unknown[0]:g} was not in init's file")
    y = cr.from_numpy(np.searchsorted(classes, targets))
    optimizer = cr.optim.SGD(net.parameters(), lr=options.lr, momentum=0.5)
    history = cr.train.fit(
        net,
        (scaled(x, low, high), y),
        nn.CrossEntropyLoss(),
        optimizer,
        epochs=options.epochs,
        metrics="accuracy",
        progress=False,
    )
    save(options.output, net, classes, low, high)
    print(f"loss {history['loss'][-1]:.4f}, accuracy {history['accuracy'][-1]:.4f}")


def predict(options: argparse.Namespace) -> None:
    """Label a file."""
    net, classes, low, high = load(options.model)
    x, targets = read(options.data, len(low))
    guesses = np.asarray(classes)[cr.train.predict(net, scaled(x, low, high)).argmax(1).numpy()]
    lines = "".join(f"{guess:g}\n" for guess in guesses)
    if options.output:
        Path(options.output).write_text(lines, encoding="utf-8")
    else:
        print(lines, end="")
    right = int((guesses == targets).sum())
    print(f"accuracy {right / len(targets):.4f} ({right} of {len(targets)})", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a mistake in a file is one line and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for run, epochs, lr in [(init, 10, 0.1), (train, 30, 0.2), (predict, 0, 0.0)]:
        command = commands.add_parser(run.__name__, help=run.__doc__)
        command.add_argument("data", help="a LIBSVM file: `label index:value index:value ...`")
        if run is init:
            command.add_argument("--nodes", type=sizes, default=[256, 256], help="such as 256-256")
        else:
            command.add_argument("model", help="what init or train wrote")
        command.add_argument("--output", required=run is not predict, help="the file to write")
        if epochs:
            command.add_argument(
                "--epochs", type=int, choices=range(1, 10001), metavar="N", default=epochs
            )
            command.add_argument("--lr", type=positive, default=lr)
            command.add_argument("--seed", type=int, default=0)
        command.set_defaults(run=run)
    options = parser.parse_args(arguments)
    cr.manual_seed(getattr(options, "seed", 0))
    try:
        options.run(options)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"dnn_cli: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
