"""A layer, Y = activate(W X + B), and a model that is a chain of layers.

The lecture's classes, in Python. Its W.mul(X) multiplies element by element in tensor libraries;
the product of matrices is W @ X.
"""

from collections.abc import Callable, Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

DOUBLE = {"dtype": cr.float64}


def relu(x: Tensor) -> Tensor:
    """x > 0 ? x : 0, for each element."""
    return cr.where(x > 0, x, 0.0)


class Layer:
    """Weights W (outputs, inputs), biases B (outputs) and an activation."""

    def __init__(self, inputs: int, outputs: int, activate: Callable[[Tensor], Tensor] = relu):
        self.W, self.B = cr.randn(outputs, inputs, **DOUBLE), cr.randn(outputs, **DOUBLE)
        self.activate = activate

    def predict(self, X: Tensor) -> Tensor:
        """Y = activate(W X + B)."""
        return self.activate(self.W @ X + self.B)


class Model:
    """y = layer3(layer2(layer1(x)))."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    def add(self, layer: Layer) -> None:
        """Put a layer behind the others."""
        self.layers.append(layer)

    def predict(self, X: Tensor) -> Tensor:
        """What the last layer says."""
        for layer in self.layers:
            X = layer.predict(X)
        return X


def as_sequential(model: Model) -> nn.Sequential:
    """The same model of chainrule's layers."""
    sequential = nn.Sequential()
    for layer in model.layers:
        outputs, inputs = layer.W.shape
        linear = nn.Linear(inputs, outputs, **DOUBLE)
        linear.load_state_dict({"weight": layer.W, "bias": layer.B})
        sequential.append(linear).append(nn.ReLU())
    return sequential


def scalar_test_works(x: Tensor) -> bool:
    """Whether x > 0 ? x : 0 can be asked of the whole tensor at once."""
    try:
        return bool(x > 0)
    except (RuntimeError, ValueError):
        return False


def findings(small: bool) -> Iterator[Finding]:
    """Rows 1.1 and 1.2."""
    layer = Layer(2, 2)
    layer.W, layer.B = cr.tensor([[1.0, 2.0], [3.0, -4.0]]), cr.tensor([0.5, 0.5])
    X = cr.tensor([5.0, 6.0])
    yield Finding(
        "1.1",
        "W.mul(X) for W = ((1, 2), (3, -4)), X = (5, 6)",
        "W X",
        (layer.W * X).tolist(),
        [[5.0, 12.0], [15.0, -24.0]],
        slip="mul is element by element and gives a matrix; W X is W @ X",
    )
    yield Finding("1.1", "W X = W @ X", [17.0, -9.0], (layer.W @ X).tolist())
    yield Finding(
        "1.1", "activate(W X + B), B = (1/2, 1/2)", [17.5, 0.0], layer.predict(X).tolist()
    )
    yield Finding(
        "1.1",
        "a tensor may stand in x > 0 ? x : 0",
        True,
        scalar_test_works(X),
        False,
        slip="the test has an answer per element: where(x > 0, x, 0)",
    )
    yield Finding(
        "1.1",
        "how many weights new Tensor() has",
        "W",
        cr.Tensor().numel(),
        0,
        slip="a tensor needs a shape, here (outputs, inputs)",
    )

    cr.manual_seed(0)
    model = Model()
    for inputs, outputs in [(4, 8), (8, 8), (8, 3)]:
        model.add(Layer(inputs, outputs))
    x = cr.randn(4, **DOUBLE)
    one, two, three = model.layers
    by_hand = three.predict(two.predict(one.predict(x)))
    yield Finding(
        "1.2",
        "model.predict(x) is layer3(layer2(layer1(x)))",
        True,
        cr.equal(model.predict(x), by_hand),
    )
    yield Finding(
        "1.2",
        "the same layers in nn.Sequential, less Model's",
        [0.0] * 3,
        (as_sequential(model)(x) - by_hand).tolist(),
        within=1e-13,
    )


if __name__ == "__main__":
    main(findings)
