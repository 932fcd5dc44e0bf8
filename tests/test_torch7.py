"""The Torch7 modules of examples/lectures: how they print, count and train."""

import math
import sys
from pathlib import Path

import pytest

import chainrule as cr

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "lectures"))

import torch7  # type: ignore[import-not-found]

DOUBLE = {"dtype": cr.float64}


@pytest.mark.parametrize(
    ("values", "printed"),
    [
        ([20.0], " 20\n[torch.DoubleTensor of size 1]"),
        ([1.0, -20.0], "  1\n-20\n[torch.DoubleTensor of size 2]"),
        ([17.61594], " 17.6159\n[torch.DoubleTensor of size 1]"),
        ([[1.0, 2.0], [3.0, 4.0]], " 1  2\n 3  4\n[torch.DoubleTensor of size 2x2]"),
        ([0.5, -0.25], " 0.5000\n-0.2500\n[torch.DoubleTensor of size 2]"),
        ([1e6 + 0.5, 2e6], "1e+06 *\n 1.0000\n 2.0000\n[torch.DoubleTensor of size 2]"),
        ([1e-4, 1e4], " 1.0000e-04\n 1.0000e+04\n[torch.DoubleTensor of size 2]"),
        ([1e10], " 1.0000e+10\n[torch.DoubleTensor of size 1]"),
        ([math.nan, 1.0], "nan\n1.000000\n[torch.DoubleTensor of size 2]"),
        ([], "[torch.DoubleTensor with no dimension]"),
    ],
)
def test_prints_as_torch7_did(values: list[float], printed: str) -> None:
    assert torch7.show(cr.tensor(values, **DOUBLE)) == printed


def test_prints_the_type() -> None:
    assert torch7.show(cr.ones(1)).endswith("[torch.FloatTensor of size 1]")
    assert torch7.show(cr.arange(1)).endswith("[torch.LongTensor of size 1]")


def test_counts_from_one() -> None:
    net = torch7.Sequential().add(torch7.Tanh())
    assert isinstance(net.get(1), torch7.Tanh)
    with pytest.raises(IndexError, match="get: got 0; expected 1 to 1"):
        net.get(0)


def test_gradients_add_up_until_zeroed() -> None:
    layer, x, one = torch7.Linear(2, 1), cr.tensor([2.0, 3.0], **DOUBLE), cr.ones(1, **DOUBLE)
    for _ in range(2):
        layer.forward(x)
        layer.backward(x, one)
    assert layer.gradWeight.tolist() == [[4.0, 6.0]]
    layer.zeroGradParameters()
    assert layer.gradWeight.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("criterion", [torch7.MSECriterion(), torch7.AbsCriterion()])
def test_criterions_are_means(criterion: torch7.Criterion) -> None:
    x, target = cr.tensor([1.0, 2.0, 6.0], **DOUBLE, requires_grad=True), cr.zeros(3, **DOUBLE)
    criterion.updateOutput(x, target).backward()
    assert cr.allclose(criterion.backward(x.detach(), target), x.grad, rtol=0, atol=1e-15)


def test_a_torch7_training_learns_xor() -> None:
    cr.manual_seed(1)
    x = cr.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], **DOUBLE)
    y = cr.tensor([[0.0], [1.0], [1.0], [0.0]], **DOUBLE)
    net = torch7.Sequential().add(torch7.Linear(2, 8)).add(torch7.Tanh())
    net.add(torch7.Dropout(0.0)).add(torch7.Linear(8, 1)).add(torch7.Sigmoid())
    criterion = torch7.MSECriterion()
    net.training()
    for _ in range(2000):
        criterion.forward(net.forward(x), y)
        net.zeroGradParameters()
        net.backward(x, criterion.backward(net.output, y))
        net.updateParameters(2.0)
    net.evaluate()
    assert not any(module.train for module in [net, *net.modules])
    assert cr.equal(net.forward(x).round(), y)
