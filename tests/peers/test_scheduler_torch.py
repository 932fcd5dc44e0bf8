"""Learning-rate schedulers against torch's, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

torch = pytest.importorskip("torch")

# torch warns of step(epoch), which SequentialLR calls itself.
pytestmark = pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")

CASES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (t + 1)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.95),
    "StepLR": lambda s, o: s.StepLR(o, 7, 0.3),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [0, 4, 4, 11, 30], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 9),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.25, 0.75, 9),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 40, 1.7),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 13, 0.01),
    "WarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 2, 0.01),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.1, [1.0, 2.0], 5, 8),
    "CyclicLR2": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 5, mode="triangular2"),
    "CyclicLR3": lambda s, o: s.CyclicLR(o, 0.1, 1.0, 5, mode="exp_range", gamma=0.95),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, [1.0, 2.0], 61),
    "OneCycleLR3": lambda s, o: s.OneCycleLR(
        o, 1.0, 61, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 20), s.StepLR(o, 5, 0.5)],
        [5, 30],
    ),
    "SequentialLR2": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.9)], [20]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.LinearLR(o, 0.1), s.CosineAnnealingLR(o, 20), s.StepLR(o, 5, 0.9)]
    ),
}


def groups(make):
    return [{"params": [make()], "lr": 0.5}, {"params": [make()], "lr": 0.02}]


def pair(**options):
    ours = optim.SGD(groups(lambda: nn.Parameter(cr.ones(1))), lr=0.1, **options)
    theirs = torch.optim.SGD(groups(lambda: torch.nn.Parameter(torch.ones(1))), lr=0.1, **options)
    return ours, theirs


@pytest.mark.parametrize("name", CASES)
def test_rates_agree(name):
    ours, theirs = pair(momentum=0.5)
    a = CASES[name](optim.lr_scheduler, ours)
    b = CASES[name](torch.optim.lr_scheduler, theirs)
    for _ in range(60):
        np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-11, atol=1e-15)
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert set(mine) == set(other)
            for key in ("lr", "initial_lr", "momentum"):
                np.testing.assert_allclose(mine[key], other[key], rtol=1e-11, atol=1e-15)
        ours.step()
        theirs.step()
        a.step()
        b.step()


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau_agrees(mode, threshold_mode):
    ours, theirs = pair()
    options = {"mode": mode, "threshold_mode": threshold_mode, "threshold": 0.05}
    options |= {"factor": 0.5, "patience": 2, "cooldown": 1, "min_lr": [0.01, 0.001]}
    a = optim.lr_scheduler.ReduceLROnPlateau(ours, **options)
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for value in np.random.default_rng(0).uniform(0.5, 1.0, 60):
        a.step(value)
        b.step(value)
        assert a.get_last_lr() == b.get_last_lr()
        assert a.num_bad_epochs == b.num_bad_epochs
    assert a.get_last_lr() != [0.5, 0.02]
