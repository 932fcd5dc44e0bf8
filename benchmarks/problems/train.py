"""Training steps and inference of whole small networks.

A network is text in torch's constructors; every style supplies those names. All start from the
same parameters and batch, and the parameters after three steps must agree with the float64
network of `reference`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import reference
from benchmarks.library import Jax, Library, NumPy
from benchmarks.problem import Labels, Problem, Task, draw

# Large enough to move the parameters by many roundings within the checked steps, and small enough
# that the many steps of a timing do not learn the batch by heart.
LEARNING_RATES = {"SGD": 1e-2, "Adam": 1e-4}
CHECKED_STEPS = 3
TOLERANCE = 1e-3


def norm(arrays: list[np.ndarray]) -> float:
    """The Euclidean norm of all entries together."""
    return math.sqrt(math.fsum(float(np.vdot(array, array)) for array in arrays))


class StepTask(Task):
    """A training step; its answer is the change of the parameters over the first few steps."""

    def __init__(self, step: Callable[[], Any], parameters: Callable[[], list[np.ndarray]]) -> None:
        super().__init__("step()", {"step": step})
        self._step, self._parameters = step, parameters

    def answer(self) -> Any:
        before = [array.astype("float64") for array in self._parameters()]
        for _ in range(CHECKED_STEPS):
            self._step()
        after = self._parameters()
        return [new - old for new, old in zip(after, before, strict=True)]


def residual(nn: Any, functional: Any) -> type:
    """The class for `reference.Residual` in torch's style."""

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, body: list, shortcut: list) -> None:
            super().__init__()
            self.body, self.shortcut = nn.Sequential(*body), nn.Sequential(*shortcut)

        def forward(self, x: Any) -> Any:
            return functional.relu(self.body(x) + self.shortcut(x))

    return Residual


def jax_layers(jax: Any) -> dict[str, Any]:
    """The constructors for JAX: functions of (parameter iterator, x)."""
    jnp, lax = jax.numpy, jax.lax

    def linear(inputs: int, outputs: int) -> Callable:
        return lambda p, x: x @ next(p).T + next(p)

    def conv(
        inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> Callable:
        def forward(p: Iterator, x: Any) -> Any:
            y = lax.conv_general_dilated(x, next(p), (stride,) * 2, [(padding, padding)] * 2)
            return y + next(p)[:, None, None] if bias else y

        return forward

    def batch_norm(channels: int) -> Callable:
        def forward(p: Iterator, x: Any) -> Any:
            variance = x.var(axis=(0, 2, 3), keepdims=True)
            normal = (x - x.mean(axis=(0, 2, 3), keepdims=True)) * lax.rsqrt(variance + 1e-5)
            return normal * next(p)[:, None, None] + next(p)[:, None, None]

        return forward

    def in_turn(layers: list[Callable], p: Iterator, x: Any) -> Any:
        for layer in layers:
            x = layer(p, x)
        return x

    def residual_block(body: list[Callable], shortcut: list[Callable]) -> Callable:
        return lambda p, x: jnp.maximum(in_turn(body, p, x) + in_turn(shortcut, p, x), 0)

    def avg_pool(kernel: int) -> Callable:
        dims = (1, 1, kernel, kernel)
        return lambda p, x: lax.reduce_window(x, 0.0, lax.add, dims, dims, "VALID") / kernel**2

    def max_pool(kernel: int) -> Callable:
        dims = (1, 1, kernel, kernel)
        return lambda p, x: lax.reduce_window(x, -jnp.inf, lax.max, dims, dims, "VALID")

    return {
        "Linear": linear,
        "Conv2d": conv,
        "BatchNorm2d": batch_norm,
        "MaxPool2d": max_pool,
        "AvgPool2d": avg_pool,
        "Residual": residual_block,
        "ReLU": lambda: lambda p, x: jnp.maximum(x, 0),
        "Flatten": lambda: lambda p, x: x.reshape(len(x), -1),
    }


@dataclass(frozen=True, kw_only=True)
class Network(Problem):
    """A network on one batch: a training step where `optimizer` is set, inference where not.

    Attributes:
        layers: torch's constructors, comma separated.
        image: the shape of one sample.
        batch: samples in the batch.
        loss: a name in ``nn.functional``.
        optimizer: a name in ``optim``, or None.
        compile_options: for ``torch.compile`` of the loss.
    """

    layers: str
    image: tuple[int, ...]
    batch: int
    loss: str = "cross_entropy"
    optimizer: str | None = None
    compile_options: Mapping[str, Any] | None = None
    group: str = "train"

    @property
    def whole(self) -> bool:
        return self.group in ("train", "infer")

    def network(self, dtype: str) -> reference.Network:
        """The NumPy network with its first parameters."""
        first = reference.chain(self.layers).initial(self.rng)
        params = [param.astype("float32").astype(dtype) for param in first]
        return reference.Network(self.layers, params)

    def data(self, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """The batch and its targets."""
        rng = self.rng
        x = draw((self.batch, *self.image), rng, "float32").astype(dtype)
        shape = self.network(dtype)(x).shape
        if self.loss == "cross_entropy":
            return x, draw(Labels(self.batch, shape[1]), rng, dtype)
        return x, draw(shape, rng, "float32").astype(dtype)

    def task(self, library: Library) -> Task:
        if isinstance(library, NumPy):
            return self._numpy_task("float32")
        if isinstance(library, Jax):
            return self._jax_task(library)
        return self._torch_task(library)

    def reference(self) -> list[np.ndarray] | None:
        answer = self._numpy_task("float64").answer()
        return answer if self.optimizer else [answer]

    def check(self, answer: list[np.ndarray], expected: list[np.ndarray]) -> str | None:
        """Judge by the norm of the whole error: Adam's step is about the learning rate however
        small the gradient, so the few that are nearly zero may differ by a whole step."""
        shapes = [array.shape for array in answer], [array.shape for array in expected]
        if shapes[0] != shapes[1]:
            return f"shapes {shapes[0]}, expected {shapes[1]}"
        error = norm([got - want for got, want in zip(answer, expected, strict=True)])
        tolerance = self.tolerance or TOLERANCE
        if not error <= tolerance * norm(expected):
            return f"relative error {error / norm(expected):.3g}, allowed {tolerance:g}"
        return None

    def _torch_task(self, library: Library) -> Task:
        names = library.names()
        lib, nn, functional = names["lib"], names["nn"], names["F"]
        names_of_layers = vars(nn) | {"Residual": residual(nn, functional)}
        model = nn.Sequential(*eval(f"[{self.layers}]", names_of_layers))
        with lib.no_grad():
            for param, array in zip(model.parameters(), self.network("float32").flat, strict=True):
                param.copy_(library.tensor(array))
        x, target = (library.tensor(array) for array in self.data("float32"))
        if self.optimizer is None:
            model = library.compiled(model.eval())

            def infer() -> Any:
                with lib.no_grad():
                    return model(x)

            return Task("infer()", {"infer": infer})
        loss_function = getattr(functional, self.loss)
        rate = LEARNING_RATES[self.optimizer]
        optimizer = getattr(lib.optim, self.optimizer)(model.parameters(), lr=rate)
        forward = library.compiled(
            lambda x, target: loss_function(model(x), target), self.compile_options
        )
        update = library.compiled(optimizer.step)

        def step() -> Any:
            optimizer.zero_grad()
            loss = forward(x, target)
            loss.backward()
            update()
            return loss

        return StepTask(step, lambda: [library.array(p).copy() for p in model.parameters()])

    def _numpy_task(self, dtype: str) -> Task:
        network = self.network(dtype)
        x, target = self.data(dtype)
        if self.optimizer is None:
            return Task("network(x)", {"network": network, "x": x})
        optimizer = reference.OPTIMIZERS[self.optimizer](
            network.flat, LEARNING_RATES[self.optimizer]
        )
        return StepTask(
            lambda: optimizer.step(network.gradients(x, target, self.loss)),
            lambda: [param.copy() for param in network.flat],
        )

    def _jax_task(self, library: Library) -> Task:
        jax = library.module
        jnp = jax.numpy
        layers = eval(f"[{self.layers}]", jax_layers(jax))
        params = [library.tensor(array) for array in self.network("float32").flat]
        x, target = (library.tensor(array) for array in self.data("float32"))

        def forward(params: list, x: Any) -> Any:
            rest: Iterator = iter(params)
            for layer in layers:
                x = layer(rest, x)
            return x

        def loss(params: list, x: Any, target: Any) -> Any:
            y = forward(params, x)
            if self.loss == "mse_loss":
                return ((y - target) ** 2).mean()
            return -jax.nn.log_softmax(y)[jnp.arange(self.batch), target].mean()

        if self.optimizer is None:
            infer = jax.jit(forward)
            return Task("infer(params, x).block_until_ready()",
                        {"infer": infer, "params": params, "x": x})  # fmt: skip

        rate = LEARNING_RATES[self.optimizer]

        def sgd(params: list, grads: list, state: tuple) -> tuple:
            return [p - rate * grad for p, grad in zip(params, grads, strict=True)], state

        def adam(params: list, grads: list, state: tuple) -> tuple:
            means, squares, count = state
            count = count + 1
            means = [m + 0.1 * (grad - m) for m, grad in zip(means, grads, strict=True)]
            squares = [s + 0.001 * (g * g - s) for s, g in zip(squares, grads, strict=True)]
            scale, unbias = rate / (1 - 0.9**count), 1 - 0.999**count
            params = [
                p - scale * m / (jnp.sqrt(s / unbias) + 1e-8)
                for p, m, s in zip(params, means, squares, strict=True)
            ]
            return params, (means, squares, count)

        update = {"SGD": sgd, "Adam": adam}[self.optimizer]

        @partial(jax.jit, donate_argnums=(0, 1))
        def whole_step(params: list, state: tuple, x: Any, target: Any) -> tuple:
            value, grads = jax.value_and_grad(loss)(params, x, target)
            return *update(params, grads, state), value

        state: tuple = ()
        if self.optimizer == "Adam":
            means, squares = ([jnp.zeros_like(param) for param in params] for _ in range(2))
            state = means, squares, jnp.float32(0)

        def step() -> Any:
            nonlocal params, state
            params, state, value = whole_step(params, state, x, target)
            return value.block_until_ready()  # of one program, so the parameters are done, too

        return StepTask(step, lambda: [np.array(param) for param in params])


def forward_flops(layers: str, batch: int, image: tuple[int, ...]) -> list[float]:
    """Multiply-adds of the forward pass, times two, of each layer."""
    counts, shape = [], (batch, *image)
    for layer in reference.chain(layers).layers:
        flops, shape = layer.flops(shape)
        counts.append(flops)
    return counts


def train(
    name: str,
    layers: str,
    image: tuple[int, ...],
    batch: int,
    optimizer: str,
    **more: Any,
) -> Problem:
    """A training step: each layer's product and its two gradients, but for the first layer, whose
    input needs none."""
    counts = forward_flops(layers, batch, image)
    flops = 3 * sum(counts) - counts[0]
    return Network(
        name=f"{name} batch {batch} {optimizer}",
        layers=layers,
        image=image,
        batch=batch,
        optimizer=optimizer,
        flops=flops,
        **more,
    )


def infer(name: str, layers: str, image: tuple[int, ...], batch: int, **more: Any) -> Problem:
    """A forward pass without gradients."""
    flops = sum(forward_flops(layers, batch, image))
    return Network(group="infer", name=f"{name} batch {batch}", layers=layers, image=image,
                   batch=batch, flops=flops, **more)  # fmt: skip


MLP_TINY = "Linear(2, 16), ReLU(), Linear(16, 1)"
MLP_SMALL = "Linear(8, 64), ReLU(), Linear(64, 64), ReLU(), Linear(64, 4)"
MLP_TABLE = "Linear(30, 128), ReLU(), Linear(128, 128), ReLU(), Linear(128, 2)"
MLP_MNIST = "Linear(784, 128), ReLU(), Linear(128, 10)"
MLP_WIDE = "Linear(784, 512), ReLU(), Linear(512, 512), ReLU(), Linear(512, 10)"
LENET = (
    "Conv2d(1, 6, 5, padding=2), ReLU(), MaxPool2d(2), Conv2d(6, 16, 5), ReLU(), MaxPool2d(2),"
    "Flatten(), Linear(400, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, 10)"
)
MNIST_CNN = (
    "Conv2d(1, 32, 3), ReLU(), Conv2d(32, 64, 3), ReLU(), MaxPool2d(2),"
    "Flatten(), Linear(9216, 128), ReLU(), Linear(128, 10)"
)
# In its own layout for convolutions, torch.compile (2.13) loses the gradient of what comes before a
# max pool that is flattened into a product; the answer's check finds it out.
OUTER_LAYOUT = {"layout_optimization": False}
GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def vgg(*widths: int) -> str:
    """A VGG for 32x32 pixels: two 3x3 convolutions and a pool at each width."""
    text, last = "", 3
    for width in widths:
        text += f"Conv2d({last}, {width}, 3, padding=1), ReLU(), "
        text += f"Conv2d({width}, {width}, 3, padding=1), ReLU(), MaxPool2d(2), "
        last = width
    side = 32 // 2 ** len(widths)
    return text + f"Flatten(), Linear({last * side**2}, 256), ReLU(), Linear(256, 10)"


def resnet(blocks: int) -> str:
    """The ResNet of depth 6 * blocks + 2 for 32x32 pixels (He et al. 2016, section 4.2)."""
    text, last = "Conv2d(3, 16, 3, padding=1, bias=False), BatchNorm2d(16), ReLU(), ", 16
    for width in (16, 32, 64):
        for _ in range(blocks):
            stride = 1 if width == last else 2
            norm = f"BatchNorm2d({width})"
            body = (
                f"Conv2d({last}, {width}, 3, {stride}, 1, bias=False), {norm}, ReLU(), "
                f"Conv2d({width}, {width}, 3, 1, 1, bias=False), {norm}"
            )
            short = f"Conv2d({last}, {width}, 1, 2, bias=False), {norm}" if stride > 1 else ""
            text += f"Residual([{body}], [{short}]), "
            last = width
    return text + "AvgPool2d(8), Flatten(), Linear(64, 10)"


PROBLEMS = [
    train("MLP 2-16-1", MLP_TINY, (2,), 32, "SGD", loss="mse_loss", quick=True),
    train("MLP 8-64-64-4", MLP_SMALL, (8,), 64, "Adam", quick=True),
    train("MLP 30-128-128-2", MLP_TABLE, (30,), 256, "Adam", quick=True),
    train("MLP 784-128-10", MLP_MNIST, (784,), 64, "SGD", quick=True),
    train("MLP 784-512-512-10", MLP_WIDE, (784,), 128, "Adam"),
    train("LeNet-5", LENET, GREY, 64, "SGD", quick=True),
    train("2-conv MNIST CNN", MNIST_CNN, GREY, 64, "Adam", compile_options=OUTER_LAYOUT),
    train("VGG-like 32x32", vgg(32, 64, 128), COLOUR, 32, "SGD", compile_options=OUTER_LAYOUT),
    # In 20 layers of units at the edge of ReLU, some fall on the other side in float32.
    train("ResNet-20 32x32", resnet(3), COLOUR, 32, "SGD", tolerance=0.05),
    infer("MLP 2-16-1", MLP_TINY, (2,), 32, quick=True),
    infer("MLP 8-64-64-4", MLP_SMALL, (8,), 1, quick=True),
    infer("MLP 784-128-10", MLP_MNIST, (784,), 1),
    infer("LeNet-5", LENET, GREY, 1, quick=True),
    infer("LeNet-5", LENET, GREY, 64),
]
