"""`chainrule digits`: train a small convolutional network to read handwritten digits.

The whole of a training is here in the order it happens: data, network, loop, early stopping, one
look at the test set, and the files that remain.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F
from chainrule.train import predict

from ._common import UsageError, require
from ._digits_csv import load_digits_csv, read_pictures, write_submission
from ._digits_data import Images, Labels, Part, Probabilities, load_digits, vary
from ._digits_model import Recogniser, build_network, save_recogniser
from ._digits_report import save_report


@dataclass
class History:
    """What a training went through, one number per epoch."""

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch with the least validation loss, counted from 0."""
        return int(np.argmin(self.validation_loss))


def train(
    network: nn.Module,
    train_part: Part,
    validation: Part,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    patience: int,
    rng: np.random.Generator,
    progress: Any,
    log: Callable[[str], object],
) -> History:
    """Fit `network` and leave it with the weights of the epoch with the lowest validation loss."""
    optimizer = optim.AdamW(network.parameters(), lr=lr, weight_decay=0.01)
    history = History()
    best_weights = copy.deepcopy(network.state_dict())
    for epoch in range(epochs):
        for group in optimizer.param_groups:  # the steps shrink along half a cosine
            group["lr"] = lr * (1 + math.cos(math.pi * epoch / epochs)) / 2

        network.train()
        total = 0.0
        order = rng.permutation(len(train_part.labels))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            images = to_input(vary(train_part.images[batch], rng))
            labels = cr.from_numpy(train_part.labels[batch])

            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            total += loss.item() * len(batch)
            progress.update()

        train_loss = total / len(order)
        validation_loss, probabilities = evaluate(network, validation)
        if not math.isfinite(validation_loss):
            raise UsageError(f"the loss is {validation_loss} after epoch {epoch + 1}; lower --lr")
        accuracy = np.mean(probabilities.argmax(axis=1) == validation.labels)
        history.train_loss.append(train_loss)
        history.validation_loss.append(validation_loss)
        state = f"epoch {epoch + 1}, loss {train_loss:.4f}, validation accuracy {accuracy:.2%}"
        log(state) if progress.disable else progress.set_postfix_str(state)

        if epoch == history.best_epoch:
            best_weights = copy.deepcopy(network.state_dict())
        elif epoch >= history.best_epoch + patience:
            break
    network.load_state_dict(best_weights)
    return history


def evaluate(network: nn.Module, part: Part, batch_size: int = 500) -> tuple[float, Probabilities]:
    """Mean cross-entropy over a part of the data, and each image's ten probabilities."""
    network.eval()
    total, probabilities = 0.0, []
    with cr.no_grad():
        for start in range(0, len(part.labels), batch_size):
            logits = network(to_input(part.images[start : start + batch_size]))
            labels = cr.from_numpy(part.labels[start : start + batch_size])
            total += F.cross_entropy(logits, labels, reduction="sum").item()
            probabilities.append(logits.softmax(dim=1).numpy())
    return total / len(part.labels), np.concatenate(probabilities)


def answers(network: nn.Module, images: Images) -> Labels:
    """The digit each image most probably shows."""
    labels: Labels = predict(network, to_input(images), batch_size=500).argmax(1).numpy()
    return labels


def to_input(images: Images) -> cr.Tensor:
    """Images `(N, H, W)` as the network takes them, `(N, 1, H, W)`."""
    batch: cr.Tensor = cr.from_numpy(images)
    return batch.unsqueeze(1)


def check_outputs(outputs: dict[str, str], inputs: dict[str, str]) -> None:
    """Refuse, before any work, what could not be saved after it or would replace what is read."""
    for path in outputs.values():
        if os.path.isdir(path):
            raise UsageError(f"{path!r} is a directory; expected a file to write")
        if not os.access(os.path.dirname(path) or ".", os.W_OK):
            raise UsageError(f"the directory of {path!r} does not exist or is read-only")
    for (one, path), (other, same) in itertools.combinations({**inputs, **outputs}.items(), 2):
        if other in outputs and os.path.realpath(path) == os.path.realpath(same):
            raise UsageError(f"{one} and {other} are the same file {path!r}")


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    tqdm = require("tqdm", "tqdm").tqdm
    require("matplotlib.figure", "matplotlib")
    outputs = {"model": args.out, "report": args.report}
    if args.test:
        outputs["submission"] = args.submission
    inputs = {"csv": args.csv, "test": args.test}
    check_outputs(outputs, {name: path for name, path in inputs.items() if path})
    if args.threads:
        try:
            cr.set_num_threads(args.threads)
        except ValueError as error:
            raise UsageError(str(error)) from None
    cr.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    digits = load_digits_csv(args.csv, rng) if args.csv else load_digits(args.mnist, rng)
    size = digits.train.images.shape[1]
    unknown = read_pictures(args.test)[0] if args.test else None
    if unknown is not None and unknown.shape[1] != size:
        raise UsageError(
            f"{args.test!r} holds pictures of {unknown.shape[1:]}; expected {(size, size)}"
        )
    network = build_network(size)
    many = args.mnist or args.csv
    epochs = args.epochs or (5 if many else 30)
    batch_size = args.batch_size or (128 if many else 32)
    log: Callable[[str], object] = (lambda text: None) if args.quiet else print
    log(
        f"{digits.name}: {len(digits.train.labels)} images to train on, "
        f"{len(digits.validation.labels)} to validate, {len(digits.test.labels)} to test; "
        f"{sum(p.numel() for p in network.parameters())} parameters"
    )

    began = time.perf_counter()
    steps = epochs * math.ceil(len(digits.train.labels) / batch_size)
    hidden = args.quiet or None  # None: hidden unless this is a terminal
    with tqdm(total=steps, desc="training", unit="batch", disable=hidden) as progress:
        history = train(
            network,
            digits.train,
            digits.validation,
            epochs=epochs,
            batch_size=batch_size,
            lr=args.lr,
            patience=args.patience,
            rng=rng,
            progress=progress,
            log=log,
        )
    seconds = time.perf_counter() - began

    _, probabilities = evaluate(network, digits.test)
    count = len(digits.test.labels)
    right = int(np.sum(probabilities.argmax(axis=1) == digits.test.labels))
    print(
        f"test accuracy {right / count:.2%} ({right} of {count}) with the weights of epoch "
        f"{history.best_epoch + 1} of {len(history.train_loss)}, trained in {seconds:.1f} s"
    )
    notes = {"data": digits.name, "test_accuracy": f"{right / count:.4f}", "seed": str(args.seed)}
    save_recogniser(Recogniser(network, size, digits.margin), args.out, notes)
    save_report(args.report, history, digits.test, probabilities)
    if unknown is not None:
        write_submission(args.submission, answers(network, unknown))
    for name, path in outputs.items():
        log(f"{name}: {path}")
