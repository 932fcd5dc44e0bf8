"""What `chainrule.train.fit` adds to the plain loop, and the scikit-learn estimator's fit.

The figures are factors: fit by the plain loop, and our MLPClassifier by scikit-learn's at the same
architecture, batch, epochs and optimizer. Both sides take turns, so that a busy machine slows both,
on one thread, where it matters least.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.library import SUBJECT, Library, Unsupported
from benchmarks.problem import Problem, Task
from benchmarks.problems.train import MLP_SMALL, MLP_TABLE, MLP_TINY

SEEDS = 4  # of which the held-out accuracy is the mean
NOISE = 0.01  # its standard error is about 0.003 at 450 images


class TurnsTask(Task):
    """Times one function by another, best by best of several turns."""

    def __init__(
        self,
        ours: Callable[[], Any],
        theirs: Callable[[], Any],
        answer: Callable[[], Any],
        turns: int,
    ) -> None:
        super().__init__("None", {})
        self._both = ours, theirs
        self._turns = turns
        self._answer = answer

    def answer(self) -> Any:
        return self._answer()

    def sample(self, number: int) -> float:
        times: tuple[list[float], list[float]] = [], []
        for _ in range(number):
            for function, taken in zip(self._both, times, strict=True):
                start = time.perf_counter()
                function()
                taken.append(time.perf_counter() - start)
        return min(times[0]) / min(times[1])

    def calibrate(self, seconds: float) -> int:
        return self._turns


@dataclass(frozen=True, kw_only=True)
class Fit(Problem):
    """`fit` by the plain loop that does the same."""

    layers: str
    inputs: int
    classes: int
    batch: int
    group: str = "fit"
    threads: int | None = 1
    unit: str = "x"

    def task(self, library: Library) -> Task:
        if library.name != SUBJECT:
            raise Unsupported("no fit")
        lib = library.names()["lib"]
        nn, functional = library.names()["nn"], library.names()["F"]
        rows = 45 * self.batch
        x = library.tensor(self.rng.standard_normal((rows, self.inputs)).astype("float32"))
        y = library.tensor(self.rng.integers(0, self.classes, rows))
        loss_function = functional.cross_entropy
        if self.classes == 1:
            y, loss_function = y.float().unsqueeze(1), functional.mse_loss
        loader = lib.data.DataLoader(lib.data.TensorDataset(x, y), self.batch, shuffle=True)

        def start() -> tuple[Any, Any]:
            lib.manual_seed(0)
            model = nn.Sequential(*eval(f"[{self.layers}]", vars(nn).copy()))
            return model, lib.optim.Adam(model.parameters(), lr=1e-4)

        def plain(model: Any, optimizer: Any, epochs: int) -> list[float]:
            losses = []
            for _ in range(epochs):
                model.train()
                total, count = 0.0, 0
                for inputs, target in loader:
                    loss = loss_function(model(inputs), target)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(target)
                    count += len(target)
                losses.append(total / count)
            return losses

        def fit(model: Any, optimizer: Any, epochs: int) -> Any:
            return lib.train.fit(
                model, loader, loss_function, optimizer, epochs=epochs, progress=False
            )["loss"]

        def answer() -> Any:
            difference = np.subtract(fit(*start(), 2), plain(*start(), 2))
            return [difference]

        one, other = start(), start()
        return TurnsTask(lambda: fit(*one, 20), lambda: plain(*other, 20), answer, turns=20)

    def reference(self) -> list[np.ndarray] | None:
        return [np.zeros(2)]  # the same losses, bit for bit


@dataclass(frozen=True, kw_only=True)
class Digits(Problem):
    """Our MLPClassifier by scikit-learn's, on its digits."""

    batch: int
    epochs: int
    group: str = "estimator"
    threads: int | None = 1
    unit: str = "x"

    def _estimators(self, kind: str) -> list[Any]:
        """One per seed, with the data bound: call to fit, then ask for its accuracy."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        if kind == "ours":
            from chainrule.sklearn import MLPClassifier
        else:
            from sklearn.neural_network import MLPClassifier
        images, labels = load_digits(return_X_y=True)
        split = train_test_split(images / 16, labels, random_state=0, stratify=labels)
        options = {"batch_size": self.batch, "max_iter": self.epochs, "n_iter_no_change": 10**6}
        return [(MLPClassifier(random_state=s, **options), split) for s in range(SEEDS)]

    def _accuracy(self, kind: str) -> np.ndarray:
        scores = [
            _quiet_fit(model, split).score(split[1], split[3])
            for model, split in self._estimators(kind)
        ]
        return np.array([np.mean(scores)])

    def task(self, library: Library) -> Task:
        if library.name != SUBJECT:
            raise Unsupported("no estimator")
        ours, theirs = (self._estimators(kind)[0] for kind in ("ours", "theirs"))
        return TurnsTask(
            lambda: _quiet_fit(*ours),
            lambda: _quiet_fit(*theirs),
            lambda: [self._accuracy("ours")],
            turns=3,
        )

    def reference(self) -> list[np.ndarray] | None:
        return [self._accuracy("theirs")]

    def check(self, answer: list[np.ndarray], expected: list[np.ndarray]) -> str | None:
        """The held-out accuracy is at least scikit-learn's, but for the noise of the seeds."""
        (got,), (want,) = answer[0], expected[0]
        return None if got >= want - NOISE else f"accuracy {got:.4f}, scikit-learn has {want:.4f}"


def _quiet_fit(model: Any, split: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few epochs do not converge
        return model.fit(split[0], split[2])


PROBLEMS: list[Problem] = [
    Fit(name="MLP 2-16-1 batch 32", layers=MLP_TINY, inputs=2, classes=1, batch=32, quick=True),
    Fit(name="MLP 8-64-64-4 batch 64", layers=MLP_SMALL, inputs=8, classes=4, batch=64),
    Fit(name="MLP 30-128-128-2 batch 256", layers=MLP_TABLE, inputs=30, classes=2, batch=256),
    Digits(name="digits 64-100-10 batch 200", batch=200, epochs=30, quick=True),
    Digits(name="digits 64-100-10 batch 32", batch=32, epochs=30),
]
