"""Random programs of views and in-place writes, run by torch and by chainrule.

Where both run, values and gradients must agree. chainrule must run whatever torch runs; torch
refuses more (views of chunks, saved tensors that chainrule copies), and there finite differences
judge.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:Use of .* on expanded tensors:UserWarning")

VIEWS: dict[str, Callable[[Any], Any]] = {
    "rows": lambda t: t[1:] if t.ndim else t[None],
    "columns": lambda t: t[..., :2] if t.ndim else t[None],
    "row": lambda t: t[-1] if t.ndim and t.shape[0] else t[None],
    "turned": lambda t: t.transpose(0, -1) if t.ndim > 1 else t[None],
    "diagonal": lambda t: t.diagonal() if t.ndim > 1 else t[None],
    "flat": lambda t: t.reshape(-1),
    "expanded": lambda t: t.unsqueeze(0).expand(2, *t.shape),
    "chunk": lambda t: t.chunk(2, 0)[0] if t.ndim else t[None],
    "narrow": lambda t: t.narrow(0, 0, max(t.shape[0] - 1, 0)) if t.ndim else t[None],
    "detached": lambda t: t.detach(),
}


def _set(t: Any, value: Any) -> None:
    t[0 if t.ndim else ()] = value


def _set_masked(t: Any, value: Any) -> None:
    t[t.detach() > 0.3] = value


# w is a scalar that wants a gradient.
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "scale": lambda t, w: t.mul_(1.5),
    "times": lambda t, w: t.mul_(w),
    "plus": lambda t, w: t.add_(w),
    "copy": lambda t, w: t.copy_(w * 2),
    "fill": lambda t, w: t.fill_(0.7),
    "zero": lambda t, w: t.zero_(),
    "set": lambda t, w: _set(t, 0.3),
    "set to": _set,
    "masked": _set_masked,
    "sine": lambda t, w: t.mul_(0.3).sin_(),
    "clamp": lambda t, w: t.clamp_(min=0.2),
    "double": lambda t, w: t.add_(t),
    "square": lambda t, w: t.mul_(t),
    "detached": lambda t, w: t.detach().mul_(1.25),
    "t_": lambda t, w: t.t_() if t.ndim <= 2 else None,
    "unsqueeze_": lambda t, w: t.unsqueeze_(0),
    "squeeze_": lambda t, w: t.squeeze_(),
}
STEPS_WITHOUT_DERIVATIVE = {"detached", "masked", "clamp"}

Step = tuple[str, int, int]  # what, on which tensor, with which weight


def program(seed: int) -> list[Step]:
    draw = random.Random(seed)
    steps, tensors = [], 1
    for _ in range(draw.randint(2, 9)):
        on, weight = draw.randrange(tensors), draw.randrange(3)
        if draw.random() < 0.45:
            steps.append((f"view {draw.choice(list(VIEWS))}", on, weight))
            tensors += 1
        else:
            steps.append((draw.choice(list(WRITES)), on, weight))
    return steps


def run(lib: Any, steps: list[Step], x0: np.ndarray, w0: np.ndarray) -> tuple[Any, Any]:
    """The tensors at the end, and the gradients of a weighted sum of them."""
    x, w = lib.tensor(x0, requires_grad=True), lib.tensor(w0, requires_grad=True)
    tensors = [x * 1]
    for what, on, weight in steps:
        if what.startswith("view "):
            tensors.append(VIEWS[what.removeprefix("view ")](tensors[on]))
        else:
            WRITES[what](tensors[on], w[weight])
    values = [t.detach().numpy() for t in tensors]
    total = sum(
        (t * lib.tensor(_weights(i, v))).sum()
        for i, (t, v) in enumerate(zip(tensors, values, strict=True))
    )
    grads = lib.autograd.grad(total, [x, w], allow_unused=True)
    return values, [np.zeros(()) if g is None else g.numpy() for g in grads]


def _weights(i: int, like: np.ndarray) -> np.ndarray:
    return np.sin(np.arange(like.size) + float(i)).reshape(like.shape)


def _loss(steps: list[Step], x0: np.ndarray, w0: np.ndarray) -> float:
    values, _ = run(cr, steps, x0, w0)
    return sum(float((v * _weights(i, v)).sum()) for i, v in enumerate(values))


@pytest.mark.parametrize("block", range(8))
def test_programs(block: int) -> None:
    same = 0
    for seed in range(100 * block, 100 * block + 100):
        steps = program(seed)
        rng = np.random.default_rng(seed)
        x0, w0 = rng.uniform(-1, 1, (3, 3)), rng.uniform(0.5, 1.5, 3)
        try:
            theirs = run(torch, steps, x0, w0)
        except RuntimeError:
            _check_by_differences(steps, x0, w0)
            continue
        ours = run(cr, steps, x0, w0)
        for a, b in zip((*ours[0], *ours[1]), (*theirs[0], *theirs[1]), strict=True):
            np.testing.assert_allclose(
                a + np.zeros_like(b), b, atol=1e-12, err_msg=f"{seed} {steps}"
            )
        same += 1
    assert same > 40


def _check_by_differences(steps: list[Step], x0: np.ndarray, w0: np.ndarray) -> None:
    if any(what.removeprefix("view ") in STEPS_WITHOUT_DERIVATIVE for what, _, _ in steps):
        return
    try:
        _, (grad, _) = run(cr, steps, x0, w0)
    except RuntimeError:
        return
    h = 1e-6
    for i in range(0, x0.size, 4):
        step = np.zeros(x0.size)
        step[i] = h
        step = step.reshape(x0.shape)
        slope = (_loss(steps, x0 + step, w0) - _loss(steps, x0 - step, w0)) / (2 * h)
        assert np.broadcast_to(grad, x0.shape).flat[i] == pytest.approx(slope, abs=1e-5), steps
