"""The picture a training leaves behind: loss curves, confusion matrix, the hardest images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..io import atomic_write
from ._common import require
from ._digits_data import Labels, Part, Probabilities

if TYPE_CHECKING:
    from .digits import History

_SIDE = 3  # of the square of hardest images


def save_report(path: str, history: History, test: Part, probabilities: Probabilities) -> None:
    """Draw the report and write it as PNG."""
    figure = require("matplotlib.figure", "matplotlib").Figure((13, 4.2), layout="constrained")
    left, middle, right = figure.subfigures(1, 3)
    _draw_losses(left.subplots(), history)
    _draw_confusion(middle.subplots(), test.labels, probabilities.argmax(axis=1))
    _draw_hardest(right, test, probabilities)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)


def _draw_losses(axes: Any, history: History) -> None:
    epochs = np.arange(1, len(history.train_loss) + 1)
    best = history.best_epoch
    axes.plot(epochs, history.train_loss, label="training (varied images)")
    axes.plot(epochs, history.validation_loss, label="validation")
    axes.plot(epochs[best], history.validation_loss[best], "o", label="weights kept")
    axes.set(title="Loss", xlabel="epoch", ylabel="cross-entropy", yscale="log")
    axes.legend(frameon=False)


def _draw_confusion(axes: Any, labels: Labels, guesses: Labels) -> None:
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, guesses), 1)
    axes.imshow(np.sqrt(counts), cmap="Blues")  # the root keeps single mistakes visible
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if row == column else "black"
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    accuracy = np.trace(counts) / len(labels)
    axes.set(title=f"Test set: {accuracy:.2%} right", xlabel="read as", ylabel="written")
    axes.set(xticks=range(10), yticks=range(10))


def _draw_hardest(figure: Any, test: Part, probabilities: Probabilities) -> None:
    """Show the images whose own digit got the least probability: every mistake comes first."""
    belief = probabilities[np.arange(len(test.labels)), test.labels]
    guesses = probabilities.argmax(axis=1)
    figure.suptitle(f"Hardest images ({np.sum(guesses != test.labels)} read wrongly, red)")
    for axes, index in zip(figure.subplots(_SIDE, _SIDE).flat, np.argsort(belief), strict=False):
        label, guess = test.labels[index], guesses[index]
        axes.imshow(test.images[index], cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(
            f"{label} read as {guess}, {probabilities[index, guess]:.0%}",
            fontsize=8,
            color="black" if label == guess else "red",
        )
        axes.set_axis_off()
