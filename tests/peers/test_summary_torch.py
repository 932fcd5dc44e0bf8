"""utils.summary against torch's own count of floating-point operations."""

import pytest

import chainrule as cr
from chainrule.utils import summary

torch = pytest.importorskip("torch")
flop_counter = pytest.importorskip("torch.utils.flop_counter")


def build(nn):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, groups=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=4),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Flatten(2),
        nn.Linear(196, 10),
        nn.TransformerEncoderLayer(10, 2, 16, batch_first=True),
    )


def test_as_torch_counts():
    counter = flop_counter.FlopCounterMode(display=False)
    with counter:  # in training mode: torch does not count its fused inference path
        build(torch.nn)(torch.zeros(2, 3, 16, 16))
    assert 2 * summary(build(cr.nn), (2, 3, 16, 16)).multiply_adds == counter.get_total_flops()
