"""Early stopping: end the training where the validation error is least, not where it ends."""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import nn, optim
from chainrule.train import EarlyStopping, History, evaluate, fit

EPOCHS = 400


def data(count: int) -> tuple[cr.Tensor, cr.Tensor]:
    """Noisy samples of sin(3 x)."""
    x = 2 * cr.rand(count, 1) - 1
    return x, cr.sin(3 * x) + 0.5 * cr.randn(count, 1)


def train(*callbacks: EarlyStopping) -> tuple[nn.Module, History, float]:
    """A net with far more weights than samples; its history and final validation error."""
    cr.manual_seed(0)
    training, validation = data(15), data(200)
    net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    history = fit(
        net,
        training,
        nn.MSELoss(),
        optim.Adam(net.parameters(), lr=0.01),
        epochs=EPOCHS,
        validation=validation,
        callbacks=callbacks,
        progress=False,
    )
    return net, history, evaluate(net, validation, nn.MSELoss())["loss"]


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.14."""
    _, history, overfitted = train()
    least = min(history["val_loss"])
    yield Finding(
        "2.14",
        "to the end: the training error falls, the validation error rises again by a quarter",
        [True, True],
        [history["loss"][-1] < 0.5 * history["loss"][20], overfitted > 1.25 * least],
        slip='the "testing data" one stops by is validation data: it is no test any more',
    )
    stop = EarlyStopping(patience=40, restore_best=True)
    _, stopped, restored = train(stop)
    yield Finding("2.14", "it stops before the last epoch", True, stopped.epochs < EPOCHS)
    yield Finding(
        "2.14",
        "the epochs waited after the best one",
        stop.patience + 1,
        stopped.epochs - stop.best_epoch,
    )
    yield Finding(
        "2.14",
        "the validation error of the weights one ends with less the least seen",
        0.0,
        restored - min(stopped["val_loss"]),
        within=1e-6,
    )
    yield Finding("2.14", "and below that of training to the end", True, restored < overfitted)


def plot(axes: Any) -> None:
    """Both errors by epoch, and where to stop."""
    _, history, _ = train()
    validation = history["val_loss"]
    best = min(range(len(validation)), key=validation.__getitem__)
    epochs = range(1, len(validation) + 1)
    axes.semilogy(epochs, history["loss"], label="training")
    axes.semilogy(epochs, validation, label="validation")
    axes.plot([best + 1], [validation[best]], "o", label="stop here")
    axes.set(xlabel="epoch", ylabel="mean squared error")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)
