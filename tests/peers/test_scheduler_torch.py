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
    "StepLR later": lambda s, o: s.StepLR(o, 1, 0.97),
    "LinearLR up": lambda s, o: s.LinearLR(o, 0.1, 1.0, 30),
    "ConstantLR default": lambda s, o: s.ConstantLR(o),
    "PolynomialLR default": lambda s, o: s.PolynomialLR(o),
    "CosineAnnealingLR past its end": lambda s, o: s.CosineAnnealingLR(o, 10, 0.2),
    "WarmRestarts default": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7),
    "CyclicLR without momentum": lambda s, o: s.CyclicLR(
        o, [0.1, 0.2], 1.0, 3, cycle_momentum=False
    ),
    "CyclicLR momenta": lambda s, o: s.CyclicLR(
        o, 0.1, 1.0, 5, base_momentum=0.7, max_momentum=[0.8, 0.95]
    ),
    "CyclicLR own": lambda s, o: s.CyclicLR(
        o, 0.1, 1.0, 5, scale_fn=lambda k: 1 / k, scale_mode="cycle"
    ),
    "OneCycleLR epochs": lambda s, o: s.OneCycleLR(
        o,
        1.0,
        epochs=7,
        steps_per_epoch=9,
        pct_start=0.4,
        div_factor=10.0,
        final_div_factor=50.0,
        base_momentum=0.6,
        max_momentum=0.9,
    ),
    "OneCycleLR without momentum": lambda s, o: s.OneCycleLR(o, 1.0, 61, cycle_momentum=False),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.LinearLR(o, 0.1), s.CosineAnnealingLR(o, 20), s.StepLR(o, 5, 0.9)]
    ),
}


# SWALR lives beside the averaged models.
SWA_CASES = {
    "cos": {"swa_lr": 0.05},
    "linear": {"swa_lr": [0.05, 0.5], "anneal_epochs": 7, "anneal_strategy": "linear"},
    "at once": {"swa_lr": 0.05, "anneal_epochs": 0},
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
    follow(ours, theirs, a, b)


@pytest.mark.parametrize("name", SWA_CASES)
def test_swalr_agrees(name):
    ours, theirs = pair()
    a = optim.swa_utils.SWALR(ours, **SWA_CASES[name])
    b = torch.optim.swa_utils.SWALR(theirs, **SWA_CASES[name])
    follow(ours, theirs, a, b)


def follow(ours, theirs, a, b, steps=60):
    for _ in range(steps):
        np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-11, atol=1e-15)
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert set(mine) == set(other)
            for key in ("lr", "initial_lr", "momentum"):
                np.testing.assert_allclose(mine[key], other[key], rtol=1e-11, atol=1e-15)
        ours.step()
        theirs.step()
        a.step()
        b.step()


# Those whose state is nothing but numbers: functions are not saved.
SAVED = [
    name for name in CASES if not name.startswith(("Lambda", "Multiplicative", "CyclicLR"))
]  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
def test_goes_on_from_torchs_state(name):
    ours, theirs = pair(momentum=0.5)
    b = CASES[name](torch.optim.lr_scheduler, theirs)
    for _ in range(17):
        theirs.step()
        b.step()
    a = CASES[name](optim.lr_scheduler, ours)
    a.load_state_dict(b.state_dict())
    ours.load_state_dict(theirs.state_dict())
    follow(ours, theirs, a, b, 40)


# Those of one rate for all groups.
ONE_RATE = [name for name in CASES if not name.startswith(("Lambda", "CyclicLR", "OneCycleLR"))]


@pytest.mark.parametrize("name", ONE_RATE)
def test_a_rate_that_is_a_tensor(name):
    """Rates are written into the tensor on both sides."""
    ours = optim.SGD([nn.Parameter(cr.ones(1))], lr=cr.tensor(0.5, dtype=cr.float64), momentum=0.5)
    number = optim.SGD([nn.Parameter(cr.ones(1))], lr=0.5, momentum=0.5)
    a, b = (CASES[name](optim.lr_scheduler, each) for each in (ours, number))
    rate = ours.param_groups[0]["lr"]
    for _ in range(40):
        np.testing.assert_allclose(rate.item(), number.param_groups[0]["lr"], rtol=1e-12)
        ours.step()
        number.step()
        a.step()
        b.step()
    assert ours.param_groups[0]["lr"] is rate


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
