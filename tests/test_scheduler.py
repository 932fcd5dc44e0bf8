"""Learning-rate schedulers against their formulas, for 60 steps of two parameter groups."""

import itertools
import json
import math
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.optim import lr_scheduler as S

STEPS = 60
BASE = (0.5, 0.02)


def make(**options):
    groups = [{"params": [nn.Parameter(cr.ones(2))], "lr": lr} for lr in BASE]
    return optim.SGD(groups, lr=0.1, **options)


def run(scheduler, steps=STEPS, argument=None):
    """The rates of all groups at epochs 0, 1, ..., as the optimizer sees them."""
    rates = []
    for step in range(steps):
        now = [group["lr"] for group in scheduler.optimizer.param_groups]
        assert scheduler.get_last_lr() == now
        rates.append(now)
        scheduler.optimizer.step()
        scheduler.step(*([] if argument is None else [argument(step)]))
    return np.array(rates)


def restarts(t, period, factor):
    while t >= period:
        t, period = t - period, period * factor
    return (1 + math.cos(math.pi * t / period)) / 2


def triangle(t, up, down):
    t = t % (up + down)
    return t / up if t <= up else 1 - (t - up) / down


# Name: (constructor, the rate as a function of the first rate and the epoch).
FORMULAS = {
    "lambda": (
        lambda o: S.LambdaLR(o, lambda t: 1 / (1 + t)),
        lambda base, t: base / (1 + t),
    ),
    "multiplicative": (
        lambda o: S.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 1)),
        lambda base, t: base / (t + 1),
    ),
    "step": (lambda o: S.StepLR(o, 7, 0.3), lambda base, t: base * 0.3 ** (t // 7)),
    "multistep": (
        lambda o: S.MultiStepLR(o, [30, 4, 4, 11], gamma=0.3),
        lambda base, t: base * 0.3 ** ((t >= 30) + 2 * (t >= 4) + (t >= 11)),
    ),
    "constant": (
        lambda o: S.ConstantLR(o, 0.25, 9),
        lambda base, t: base * (0.25 if t < 9 else 1),
    ),
    "constant_zero": (
        lambda o: S.ConstantLR(o, 0.0, 9),
        lambda base, t: base * (0 if t < 9 else 1),
    ),
    "linear": (
        lambda o: S.LinearLR(o, 0.25, 0.75, 9),
        lambda base, t: base * (0.25 + 0.5 * min(t, 9) / 9),
    ),
    "linear_zero": (
        lambda o: S.LinearLR(o, 1.0, 0.0, 9),
        lambda base, t: base * (1 - min(t, 9) / 9),
    ),
    "exponential": (lambda o: S.ExponentialLR(o, 0.9), lambda base, t: base * 0.9**t),
    "polynomial": (
        lambda o: S.PolynomialLR(o, 40, 1.7),
        lambda base, t: base * (1 - min(t, 40) / 40) ** 1.7,
    ),
    "cosine": (
        lambda o: S.CosineAnnealingLR(o, 13, eta_min=0.01),
        lambda base, t: 0.01 + (base - 0.01) * (1 + math.cos(math.pi * t / 13)) / 2,
    ),
    "restarts": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 4, 2, eta_min=0.01),
        lambda base, t: 0.01 + (base - 0.01) * restarts(t, 4, 2),
    ),
    "restarts_equal": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 7),
        lambda base, t: base * restarts(t, 7, 1),
    ),
    "cyclic": (
        lambda o: S.CyclicLR(o, list(BASE), [1.0, 0.1], 5, 8, cycle_momentum=False),
        lambda base, t: base + ({0.5: 1.0, 0.02: 0.1}[base] - base) * triangle(t, 5, 8),
    ),
    "cyclic_half": (
        lambda o: S.CyclicLR(o, list(BASE), 1.0, 5, mode="triangular2", cycle_momentum=False),
        lambda base, t: base + (1 - base) * triangle(t, 5, 5) / 2 ** (t // 10),
    ),
    "cyclic_exp": (
        lambda o: S.CyclicLR(
            o, list(BASE), 1.0, 5, mode="exp_range", gamma=0.97, cycle_momentum=False
        ),
        lambda base, t: base + (1 - base) * triangle(t, 5, 5) * 0.97**t,
    ),
    "cyclic_function": (
        lambda o: S.CyclicLR(
            o,
            list(BASE),
            1.0,
            5,
            scale_fn=lambda k: 1 / k,
            scale_mode="cycle",
            cycle_momentum=False,
        ),
        lambda base, t: base + (1 - base) * triangle(t, 5, 5) / (t // 10 + 1),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    make_scheduler, formula = FORMULAS[name]
    rates = run(make_scheduler(make()))
    expected = [[formula(base, t) for base in BASE] for t in range(STEPS)]
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
def test_resumes(name):
    """A run that is saved after 17 steps and goes on elsewhere gives the same rates."""
    make_scheduler, _ = FORMULAS[name]
    straight = run(make_scheduler(make()))
    first = make_scheduler(make())
    run(first, 17)
    saved = pickle.loads(pickle.dumps([first.state_dict(), first.optimizer.state_dict()]))
    assert "optimizer" not in saved[0]
    second = make_scheduler(make())
    second.load_state_dict(saved[0])
    second.optimizer.load_state_dict(saved[1])
    assert second.last_epoch == 17
    np.testing.assert_array_equal(run(second, STEPS - 17), straight[17:])


@pytest.mark.parametrize("name", ["step", "multistep", "linear", "exponential", "cosine", "lambda"])
def test_last_epoch(name):
    """A constructor that is told where to begin goes on from the optimizer's rates."""
    types = {
        "step": lambda o, last: S.StepLR(o, 7, 0.3, last),
        "multistep": lambda o, last: S.MultiStepLR(o, [30, 4, 4, 11], 0.3, last),
        "linear": lambda o, last: S.LinearLR(o, 0.25, 0.75, 9, last),
        "exponential": lambda o, last: S.ExponentialLR(o, 0.9, last),
        "cosine": lambda o, last: S.CosineAnnealingLR(o, 13, 0.01, last),
        "lambda": lambda o, last: S.LambdaLR(o, lambda t: 1 / (1 + t), last),
    }
    straight = run(types[name](make(), -1))
    optimizer = make()
    run(types[name](optimizer, -1), 5)
    for group, lr in zip(optimizer.param_groups, straight[5], strict=True):
        assert group["lr"] == lr
    # The constructor takes the step from 5 to 6.
    np.testing.assert_allclose(run(types[name](optimizer, 5), 20), straight[6:26], rtol=1e-12)
    with pytest.raises(KeyError, match="group 0 has no 'initial_lr'"):
        types[name](make(), 5)


@pytest.mark.parametrize("name", [n for n in FORMULAS if n != "multiplicative"])
def test_step_to_an_epoch(name):
    make_scheduler, formula = FORMULAS[name]
    scheduler = make_scheduler(make())
    for epoch in (20, 3, 41):
        scheduler.step(epoch)
        expected = [formula(base, epoch) for base in BASE]
        np.testing.assert_allclose(scheduler.get_last_lr(), expected, rtol=1e-12, atol=1e-15)


def test_fractions_of_epochs():
    scheduler = S.CosineAnnealingWarmRestarts(make(), 4, 2)
    for epoch in np.arange(0, 30, 0.25):
        scheduler.step(epoch)
        expected = [base * restarts(epoch, 4, 2) for base in BASE]
        np.testing.assert_allclose(scheduler.get_last_lr(), expected, rtol=1e-12)
        assert scheduler.last_epoch == math.floor(epoch)


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle(anneal, three_phase):
    optimizer = make(momentum=0.3)
    scheduler = S.OneCycleLR(
        optimizer, [1.0, 0.1], epochs=6, steps_per_epoch=10, pct_start=0.25, div_factor=10,
        final_div_factor=100, anneal_strategy=anneal, three_phase=three_phase,
    )  # fmt: skip
    curve = (lambda p: (1 - math.cos(math.pi * p)) / 2) if anneal == "cos" else (lambda p: p)
    if three_phase:
        knots = [(0, 0.1, 0.95), (14, 1, 0.85), (28, 0.1, 0.95), (59, 0.001, 0.95)]
    else:
        knots = [(0, 0.1, 0.95), (14, 1, 0.85), (59, 0.001, 0.95)]
    for t in range(STEPS):
        left, right = next(p for p in itertools.pairwise(knots) if t <= p[1][0])
        part = curve((t - left[0]) / (right[0] - left[0]))
        rate, momentum = (left[i] + (right[i] - left[i]) * part for i in (1, 2))
        for group, top in zip(optimizer.param_groups, (1.0, 0.1), strict=True):
            np.testing.assert_allclose(group["lr"], top * rate, rtol=1e-11)
            np.testing.assert_allclose(group["momentum"], momentum, rtol=1e-12)
        optimizer.step()
        scheduler.step()
    with pytest.raises(ValueError, match="called 61 times; expected at most 60"):
        scheduler.step()


def test_cyclic_momentum():
    """The momentum is high when the rate is low; of Adam it is the first beta."""
    optimizer = make(momentum=0.5)
    scheduler = S.CyclicLR(optimizer, 0.1, 1.0, 4, base_momentum=0.7, max_momentum=0.9)
    momenta = []
    for _ in range(9):
        momenta.append(optimizer.param_groups[1]["momentum"])
        scheduler.step()
    np.testing.assert_allclose(momenta, [0.9, 0.85, 0.8, 0.75, 0.7, 0.75, 0.8, 0.85, 0.9])
    adam = optim.Adam([nn.Parameter(cr.ones(1))], betas=(0.5, 0.99))
    scheduler = S.CyclicLR(adam, 0.1, 1.0, 4)
    scheduler.step()
    np.testing.assert_allclose(adam.param_groups[0]["betas"], (0.875, 0.99))


def plateau(values, factor, patience, better, cooldown=0, low=0.0):
    """The rate after each value, from 1."""
    rate, best, bad, rest, rates = 1.0, None, 0, 0, []
    for value in values:
        if best is None or better(value, best):
            best, bad = value, 0
        else:
            bad += 1
        if rest:
            rest, bad = rest - 1, 0
        if bad > patience:
            rate, bad, rest = max(rate * factor, low), 0, cooldown
        rates.append(rate)
    return rates


@pytest.mark.parametrize(
    ("options", "better"),
    [
        ({}, lambda a, best: a < best * (1 - 1e-4)),
        ({"threshold": 0.2}, lambda a, best: a < best * 0.8),
        ({"threshold": 0.2, "threshold_mode": "abs"}, lambda a, best: a < best - 0.2),
        ({"mode": "max", "threshold": 0.1}, lambda a, best: a > best * 1.1),
        ({"mode": "max", "threshold_mode": "abs"}, lambda a, best: a > best + 1e-4),
        ({"cooldown": 3, "min_lr": 0.05}, lambda a, best: a < best * (1 - 1e-4)),
    ],
)
def test_plateau(options, better):
    values = list(np.random.default_rng(0).uniform(0.5, 1.0, STEPS))
    optimizer = optim.SGD([nn.Parameter(cr.ones(1))], lr=1.0)
    scheduler = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, **options)
    expected = plateau(
        values, 0.5, 2, better, options.get("cooldown", 0), options.get("min_lr", 0.0)
    )
    rates = []
    for step, value in enumerate(values):
        if step == 30:  # goes on from what was saved, as text
            state = json.loads(json.dumps(scheduler.state_dict()))
            scheduler = S.ReduceLROnPlateau(optimizer)
            scheduler.load_state_dict(state)
        scheduler.step(cr.tensor(value, dtype=cr.float64))
        rates += scheduler.get_last_lr()
        assert optimizer.param_groups[0]["lr"] == rates[-1]
    assert len(set(expected)) > 2
    # The optimizer ignores changes below eps.
    np.testing.assert_allclose(rates, expected, atol=2e-8)


def sequence(optimizer):
    warm_up = S.LinearLR(optimizer, 0.1, total_iters=5)
    constant = S.ConstantLR(optimizer, 1.0)
    decay = S.StepLR(optimizer, 10, 0.5)
    return S.SequentialLR(optimizer, [warm_up, constant, decay], [5, 20])


def sequence_formula(base, t):
    if t < 5:
        return base * (0.1 + 0.9 * t / 5)
    return base if t < 20 else base * 0.5 ** ((t - 20) // 10)


def chain(optimizer):
    return S.ChainedScheduler([S.LinearLR(optimizer, 0.1), S.ExponentialLR(optimizer, 0.9)])


def chain_formula(base, t):
    return base * (0.1 + 0.9 * min(t, 5) / 5) * 0.9**t


@pytest.mark.parametrize(
    ("build", "formula"), [(sequence, sequence_formula), (chain, chain_formula)]
)
def test_combined(build, formula):
    expected = [[formula(base, t) for base in BASE] for t in range(STEPS)]
    np.testing.assert_allclose(run(build(make())), expected, rtol=1e-12)
    first = build(make())
    run(first, 23)
    saved = pickle.loads(pickle.dumps([first.state_dict(), first.optimizer.state_dict()]))
    second = build(make())
    second.load_state_dict(saved[0])
    second.optimizer.load_state_dict(saved[1])
    np.testing.assert_allclose(run(second, STEPS - 23), expected[23:], rtol=1e-12)
    with pytest.raises(ValueError, match="takes no epoch"):
        second.step(3)


class Decay:
    """A factor with a state."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, t):
        return self.rate**t


def test_callable_objects_are_saved():
    state = S.LambdaLR(make(), [Decay(0.5), lambda t: 1.0]).state_dict()
    assert state["lr_lambdas"] == [{"rate": 0.5}, None]
    scheduler = S.LambdaLR(make(), [Decay(0.9), lambda t: 0.25])
    scheduler.load_state_dict(state)
    scheduler.step()
    np.testing.assert_allclose(scheduler.get_last_lr(), [0.25, 0.005])
    state = S.CyclicLR(make(), 0.1, 1.0, scale_fn=Decay(0.5), cycle_momentum=False).state_dict()
    assert state["scale_fn"] == {"rate": 0.5}
    scheduler = S.CyclicLR(make(), 0.1, 1.0, 2, scale_fn=Decay(0.9), cycle_momentum=False)
    scheduler.load_state_dict(state)
    assert scheduler.scale_fn.rate == 0.5
    assert scheduler.step_size_up == 2000


def test_a_rate_that_the_user_changes_stays_changed():
    scheduler = S.StepLR(make(), 3, 0.1)
    scheduler.optimizer.param_groups[0]["lr"] = 8.0
    run_rates = []
    for _ in range(4):
        scheduler.step()
        run_rates.append(scheduler.get_last_lr()[0])
    np.testing.assert_allclose(run_rates, [8.0, 8.0, 0.8, 0.8])


def test_training_uses_the_rates():
    w = nn.Parameter(cr.tensor([0.0], dtype=cr.float64))
    optimizer = optim.SGD([w], lr=1.0)
    scheduler = S.ExponentialLR(optimizer, 0.5)
    for _ in range(4):
        w.grad = cr.tensor([1.0], dtype=cr.float64)
        optimizer.step()
        scheduler.step()
    assert w.item() == -(1 + 0.5 + 0.25 + 0.125)


ERRORS = [
    (lambda o: S.StepLR(o, 0), "step_size is positive"),
    (lambda o: S.ConstantLR(o, 1.5), "factor is between 0 and 1"),
    (lambda o: S.LinearLR(o, 0.0), "start_factor is above 0"),
    (lambda o: S.LinearLR(o, 0.5, 1.1), "end_factor is between 0 and 1"),
    (lambda o: S.CosineAnnealingLR(o, 0), "T_max is positive"),
    (lambda o: S.CosineAnnealingWarmRestarts(o, 1.5), "T_0 is a positive integer"),
    (lambda o: S.CosineAnnealingWarmRestarts(o, 2, 0), "T_mult is a positive integer"),
    (lambda o: S.CosineAnnealingWarmRestarts(o, 2).step(-1), "epoch is not negative"),
    (lambda o: S.LambdaLR(o, [abs]), "lr_lambda has 1 values .* expected 2"),
    (lambda o: S.CyclicLR(o, 0.1, 1.0, mode="saw"), "mode is one of .* 'saw'"),
    (lambda o: S.CyclicLR(o, 0.1, 1.0, scale_mode="x"), "scale_mode is 'cycle' or"),
    (lambda o: S.CyclicLR(o, [0.1], 1.0), "base_lr has 1 values"),
    (lambda o: S.OneCycleLR(o, 1.0), "length is unknown"),
    (lambda o: S.OneCycleLR(o, 1.0, 0), "number of steps is positive"),
    (lambda o: S.OneCycleLR(o, 1.0, 9, pct_start=2), "pct_start is between 0 and 1"),
    (lambda o: S.OneCycleLR(o, 1.0, 9, anneal_strategy="x"), "'cos' or 'linear'"),
    (lambda o: S.ReduceLROnPlateau(o, factor=1.0), "factor is below 1"),
    (lambda o: S.ReduceLROnPlateau(o, "best"), "mode is 'min' or 'max'"),
    (lambda o: S.ReduceLROnPlateau(o, threshold_mode="x"), "'rel' or 'abs'"),
    (lambda o: S.ReduceLROnPlateau(o, min_lr=[0.1]), "min_lr has 1 values"),
    (lambda o: S.SequentialLR(o, [S.StepLR(o, 1)], [3]), "1 schedulers have 0 milestones"),
    (lambda o: S.SequentialLR(o, [], []), "at least one"),
    (lambda o: S.ChainedScheduler([S.ReduceLROnPlateau(o)]), "cannot be combined"),
    (lambda o: S.ChainedScheduler([S.StepLR(o, 1), S.StepLR(make(), 1)]), "another optimizer"),
]


@pytest.mark.parametrize(("build", "message"), ERRORS)
def test_errors(build, message):
    with pytest.raises(ValueError, match=message):
        build(make())


def test_errors_of_other_types():
    with pytest.raises(TypeError, match=r"needs an Optimizer \(got list\)"):
        S.StepLR([], 1)
    plain = optim.Adagrad([nn.Parameter(cr.ones(1))])
    for build in (lambda: S.CyclicLR(plain, 0.1, 1.0), lambda: S.OneCycleLR(plain, 1.0, 9)):
        with pytest.raises(ValueError, match="Adagrad has no momentum"):
            build()
    with pytest.raises(NotImplementedError, match="get_lr is not defined"):
        S.LRScheduler(make())
    with pytest.raises(NotImplementedError, match="get_last_lr"):
        S.ReduceLROnPlateau(make()).get_lr()
