"""The lecture's Model with train(data), predict(newX) and evaluate(data), made to work."""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, metrics, nn, optim
from chainrule.nn import functional as F


class Model:
    """Layers, a loss and an optimiser."""

    def __init__(self, *layers: nn.Module) -> None:
        self.layers = nn.Sequential(*layers)
        self.optimizer = optim.SGD(self.layers.parameters(), lr=0.1)

    def train(self, data: Any, epochs: int) -> None:
        """Go through the data: predict, compare, backpropagate, step."""
        for _ in range(epochs):
            for X, target in data:
                loss = F.cross_entropy(self.layers(X), target)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()

    def predict(self, X: Tensor) -> Tensor:
        """The probability of each class."""
        with cr.no_grad():
            return F.softmax(self.layers(X), 1)

    def evaluate(self, data: Any) -> dict[str, float]:
        """Accuracy, by the likeliest class, and the mean loss."""
        accuracy, loss = metrics.Accuracy(), metrics.Mean(F.cross_entropy)
        with cr.no_grad():
            for X, target in data:
                Y = self.layers(X)
                accuracy.update(Y, target)
                loss.update(Y, target)
        return {"accuracy": accuracy.compute(), "loss": loss.compute()}


def findings(small: bool) -> Iterator[Finding]:
    """Rows 1.8 and 1.9."""
    logits = cr.tensor([[0.5, -1.0, 2.0]], dtype=cr.float64, requires_grad=True)
    one_hot = cr.tensor([[0.0, 1.0, 0.0]], dtype=cr.float64)
    Y = F.softmax(logits, 1)
    loss = F.cross_entropy(logits, one_hot)
    (slope,) = cr.autograd.grad(loss, logits)
    yield Finding(
        "1.8",
        "the loss's gradient at the last layer of softmax and cross entropy, less Y - target",
        [0.0] * 3,
        (slope - (Y - one_hot))[0].tolist(),
        within=1e-15,
    )
    y = cr.tensor([1.0, 2.0, 3.0], dtype=cr.float64, requires_grad=True)
    t = cr.tensor([0.0, 4.0, 0.0], dtype=cr.float64)
    (half,) = cr.autograd.grad(0.5 * ((y - t) ** 2).sum(), y)
    yield Finding(
        "1.8",
        "and of half the squared error, less Y - target",
        [0.0] * 3,
        (half - (y - t)).tolist(),
    )
    yield Finding(
        "1.8",
        "Y - loss points as the gradient does",
        True,
        bool((((Y - loss) * slope) >= 0).all()),
        False,
        slip="Y - loss is meant as Y - target; and train() is called without data",
    )

    cr.manual_seed(0)
    x, labels = cr.datasets.blobs(600, centers=cr.tensor([[0.0, 3.0], [-3.0, -2.0], [3.0, -2.0]]))
    x_train, x_new, y_train, y_new = cr.model_selection.train_test_split(
        x, labels, test_size=0.25, stratify=labels, random_state=0
    )
    train = cr.data.DataLoader(cr.data.TensorDataset(x_train, y_train), 32, shuffle=True)
    new = cr.data.DataLoader(cr.data.TensorDataset(x_new, y_new), 32)
    model = Model(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
    before = model.evaluate(new)
    model.train(train, epochs=10 if small else 50)
    after = model.evaluate(new)
    Y = model.predict(x_new)
    yield Finding(
        "1.8",
        "training brings the loss on new data below a quarter",
        True,
        after["loss"] < before["loss"] / 4,
    )
    yield Finding(
        "1.8",
        "predict(newX): greatest error of the sums of probabilities",
        0.0,
        (Y.sum(1) - 1).abs().max().item(),
        within=1e-6,
    )
    yield Finding(
        "1.9",
        "accuracy on new data less the share of likeliest classes that are right",
        0.0,
        after["accuracy"] - (Y.argmax(1) == y_new).double().mean().item(),
        within=1e-15,
        slip="the lecture stores the whole result object as accuracy",
    )
    equal = [cr.equal(*pair) for pair in zip(Y, F.one_hot(y_new, 3).float(), strict=True)]
    yield Finding("1.9", "over 95 % are right", True, after["accuracy"] > 0.95)
    yield Finding(
        "1.9",
        "samples for which Y === target",
        "those that are right",
        sum(equal),
        0,
        slip="probabilities never equal 0 and 1: compare argmax",
    )
    y, t = cr.tensor([1.0, 3.0]), cr.tensor([2.0, 2.0])
    yield Finding(
        "1.9",
        "loss += Y - target for Y = (1, 3), target = (2, 2), and half the squared error",
        [1.0, 1.0],
        [(y - t).sum().item(), 0.5 * ((y - t) ** 2).sum().item()],
        [0.0, 1.0],
        slip="signed errors cancel",
    )


if __name__ == "__main__":
    main(findings)
