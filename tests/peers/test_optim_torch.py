"""Optimizers, averages and clipping against torch's, where it is installed."""

import copy
import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.optim import swa_utils

torch = pytest.importorskip("torch")

STEPS = 50
SHAPES = [(), (5,), (3, 7)]

# Every option of every optimizer, alone and together where they meet in a formula.
OPTIONS = {
    "SGD": [
        {}, {"lr": 0.1, "weight_decay": 0.1}, {"momentum": 0.9}, {"maximize": True},
        {"momentum": 0.9, "dampening": 0.3}, {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
    ],
    "Adam": [
        {}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}, {"weight_decay": 0.1},
        {"amsgrad": True}, {"maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.1, "amsgrad": True, "maximize": True, "weight_decay": 0.1},
    ],
    "AdamW": [
        {}, {"lr": 0.1, "weight_decay": 0.5}, {"amsgrad": True}, {"maximize": True},
        {"betas": (0.8, 0.95), "eps": 1e-4},
    ],
    "NAdam": [
        {}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}, {"weight_decay": 0.1},
        {"momentum_decay": 0.1}, {"maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "RAdam": [
        {}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}, {"weight_decay": 0.1},
        {"maximize": True}, {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.1, "betas": (0.9, 0.5)},
    ],
    "RMSprop": [
        {}, {"alpha": 0.5, "eps": 1e-3}, {"weight_decay": 0.1}, {"momentum": 0.9},
        {"centered": True}, {"centered": True, "momentum": 0.5, "maximize": True},
    ],
    "Adagrad": [
        {}, {"lr": 0.1, "lr_decay": 0.1}, {"weight_decay": 0.1}, {"maximize": True},
        {"initial_accumulator_value": 0.5, "eps": 1e-3},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.5, "eps": 1e-3}, {"weight_decay": 0.1, "maximize": True}],
    "Adamax": [{}, {"betas": (0.5, 0.9), "eps": 1e-2}, {"weight_decay": 0.1, "maximize": True}],
    "Rprop": [
        {}, {"etas": (0.3, 1.7)}, {"lr": 0.5, "step_sizes": (0.1, 0.7)}, {"maximize": True},
    ],
    "ASGD": [
        {}, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5}, {"t0": 5}, {"weight_decay": 0.1},
        {"maximize": True, "t0": 20},
    ],
}  # fmt: skip
CASES = [(name, options) for name, rows in OPTIONS.items() for options in rows]
IDS = [f"{name}-{'-'.join(options) or 'defaults'}" for name, options in CASES]
# What torch accepts to choose an implementation; the result is the same.
CHOICES = ["foreach", "fused", "capturable"]


class Pair:
    """The same parameters and optimizer on both sides, fed the same gradients."""

    def __init__(self, name, options, dtype="float64", seed=0):
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        values = [self.draw(shape) for shape in SHAPES]
        self.mine = [nn.Parameter(cr.tensor(value)) for value in values]
        self.theirs = [torch.nn.Parameter(torch.tensor(value)) for value in values]
        self.ours = getattr(optim, name)(self.groups(self.mine), **options)
        self.torchs = getattr(torch.optim, name)(self.groups(self.theirs), **options)

    def draw(self, shape):
        return np.asarray(self.rng.standard_normal(shape), self.dtype)

    @staticmethod
    def groups(params):
        return [{"params": params[:1], "lr": 0.05}, {"params": params[1:]}]

    def step(self, count):
        for _ in range(count):
            for a, b in zip(self.mine, self.theirs, strict=True):
                grad = self.draw(tuple(a.shape))
                a.grad, b.grad = cr.tensor(grad), torch.tensor(grad)
            self.ours.step()
            self.torchs.step()

    def check(self, rtol=1e-9):
        for a, b in zip(self.mine, self.theirs, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=rtol)
        mine, theirs = self.ours.state_dict(), self.torchs.state_dict()
        assert list(mine["state"]) == list(theirs["state"])
        for number, values in theirs["state"].items():
            assert set(mine["state"][number]) == {k for k, v in values.items() if v is not None}
            for key, value in values.items():
                if value is None:
                    continue
                own = mine["state"][number][key]
                if own.ndim:  # torch casts the scalars of a loaded state to the parameter's dtype
                    assert str(own.dtype).split(".")[1] == str(value.dtype).split(".")[1], key
                np.testing.assert_allclose(
                    own.numpy(), value.numpy(), rtol=max(rtol, 1e-6), atol=rtol
                )
        for a, b in zip(mine["param_groups"], theirs["param_groups"], strict=True):
            assert a == b


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_follows_torch(name, options):
    pair = Pair(name, options)
    pair.step(STEPS)
    # ASGD's rates and NAdam's product of momenta are float32 in both.
    pair.check(1e-6 if name in ("ASGD", "NAdam") else 1e-9)
    single = Pair(name, options, "float32")
    single.step(STEPS)
    single.check(2e-4)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", OPTIONS)
def test_accepts_the_choices_of_torch(name, choice):
    if choice not in getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))]).defaults:
        with pytest.raises(TypeError):
            getattr(optim, name)([nn.Parameter(cr.ones(1))], **{choice: True})
        return
    params = [nn.Parameter(cr.ones(1)) for _ in range(2)]
    for param, options in zip(params, ({}, {choice: True}), strict=True):
        param.grad = cr.ones(1)
        getattr(optim, name)([param], **options).step()
    assert params[0].item() == params[1].item()


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("direction", ["from torch", "to torch"])
def test_resumes_the_other_run(name, direction):
    """A state from the other side, then the same next steps."""
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    options |= {"amsgrad": True} if name.startswith("Adam") and name != "Adamax" else {}
    pair = Pair(name, options)
    pair.step(7)
    if direction == "from torch":
        state = copy.deepcopy(pair.torchs.state_dict())
        pair.ours = type(pair.ours)(pair.groups(pair.mine), lr=9.0)
        pair.ours.load_state_dict(state)
    else:
        state = as_torch(pair.ours.state_dict())
        pair.torchs = type(pair.torchs)(pair.groups(pair.theirs), lr=9.0)
        pair.torchs.load_state_dict(state)
    pair.step(5)
    pair.check(1e-6 if name in ("ASGD", "NAdam") else 1e-9)


def as_torch(value):
    if isinstance(value, cr.Tensor):
        return torch.tensor(value.numpy())
    if isinstance(value, dict):
        return {key: as_torch(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_torch(each) for each in value]
    return value


@pytest.mark.parametrize("name", [*OPTIONS, "LBFGS"])
def test_defaults_and_signature(name):
    mine = getattr(optim, name)([nn.Parameter(cr.ones(1))])
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))])
    assert mine.defaults == theirs.defaults
    assert repr(mine) == repr(theirs)
    ordered = []
    for each in (mine, theirs):
        parameters = inspect.signature(type(each)).parameters.values()
        ordered.append([p.name for p in parameters if p.kind is not p.KEYWORD_ONLY])
    assert ordered[0] == ordered[1]


# -------------------------------------------------------------------- LBFGS


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def softplus_fit(x):
    """A smooth convex function with flat regions, for the extrapolating branch."""
    return ((x * x).sum() * 1e-4 + (1 + (3 * x - 1).exp()).log().sum()) * 1e-2


class LbfgsPair:
    def __init__(self, options, function, start):
        self.function = function
        self.mine = [nn.Parameter(cr.tensor(part)) for part in np.split(start, 2)]
        self.theirs = [torch.nn.Parameter(torch.tensor(part)) for part in np.split(start, 2)]
        self.ours = optim.LBFGS(self.mine, **options)
        self.torchs = torch.optim.LBFGS(self.theirs, **options)

    def closure(self, optimizer, lib, params):
        def run():
            optimizer.zero_grad()
            loss = self.function(lib.cat(params))
            loss.backward()
            return loss

        return run

    def step(self):
        a = self.ours.step(self.closure(self.ours, cr, self.mine))
        b = self.torchs.step(self.closure(self.torchs, torch, self.theirs))
        return a, b

    def check(self, rtol=1e-6):
        for a, b in zip(self.mine, self.theirs, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=rtol)
        mine, theirs = (each.state_dict()["state"][0] for each in (self.ours, self.torchs))
        for key in ("func_evals", "n_iter"):
            assert mine[key] == theirs[key], key
        assert set(theirs) - set(mine) <= {"al"}


LBFGS_OPTIONS = [
    {"line_search_fn": "strong_wolfe", "max_iter": 5},
    {"line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 4},
    {"line_search_fn": "strong_wolfe", "max_iter": 6, "max_eval": 4, "lr": 0.01},
    {"lr": 1e-3, "max_iter": 3},
    {"lr": 1e-3, "max_iter": 5, "history_size": 2, "max_eval": 3},
]


@pytest.mark.parametrize("options", LBFGS_OPTIONS, ids=str)
@pytest.mark.parametrize("function", [rosenbrock, softplus_fit])
def test_lbfgs_follows_torch(options, function):
    pair = LbfgsPair(options, function, np.array([-1.2, 1.0, -0.5, 0.8]))
    for _ in range(STEPS // 5):
        a, b = pair.step()
        np.testing.assert_allclose(a.item(), b.item(), rtol=1e-6, atol=1e-12)
        pair.check()


@pytest.mark.parametrize("direction", ["from torch", "to torch"])
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_resumes_the_other_run(direction, search):
    options = {"line_search_fn": search, "max_iter": 4, "lr": 1.0 if search else 1e-3}
    pair = LbfgsPair(options, rosenbrock, np.array([-1.2, 1.0, -0.5, 0.8]))
    pair.step()
    if direction == "from torch":
        state = copy.deepcopy(pair.torchs.state_dict())
        pair.ours = optim.LBFGS(pair.mine)
        pair.ours.load_state_dict(state)
    else:
        pair.torchs = torch.optim.LBFGS(pair.theirs)
        pair.torchs.load_state_dict(as_torch(pair.ours.state_dict()))
    for _ in range(2):
        pair.step()
        pair.check()


# -------------------------------------------------------------------- averages, clipping


@pytest.mark.parametrize(
    ("kind", "use_buffers"),
    [
        *((kind, False) for kind in ("swa", "ema", "swa_avg", "ema_avg")),
        *((kind, True) for kind in ("ema", "swa_avg", "ema_avg")),  # torch's "swa" refuses counts
    ],
)
def test_averaged_model_follows_torch(kind, use_buffers):
    def options(module):
        return {
            "swa": {},
            "ema": {"multi_avg_fn": module.get_ema_multi_avg_fn(0.9)},
            "swa_avg": {"avg_fn": module.get_swa_avg_fn()},
            "ema_avg": {"avg_fn": module.get_ema_avg_fn(0.9)},
        }[kind] | {"use_buffers": use_buffers}

    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    mine = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    a = swa_utils.AveragedModel(mine, **options(swa_utils))
    b = torch.optim.swa_utils.AveragedModel(theirs, **options(torch.optim.swa_utils))
    for seed in range(4):
        torch.manual_seed(seed)
        for param in theirs.parameters():
            torch.nn.init.normal_(param)
        theirs(torch.randn(5, 3))
        mine.load_state_dict({k: cr.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
        a.update_parameters(mine)
        b.update_parameters(theirs)
        state, expected = a.state_dict(), b.state_dict()
        assert list(state) == list(expected)
        for key in expected:
            assert str(state[key].dtype)[10:] == str(expected[key].dtype)[6:]
            np.testing.assert_allclose(
                state[key].numpy(), expected[key].numpy(), rtol=1e-5, atol=1e-6
            )
    x = [np.float32(np.random.default_rng(k).standard_normal((6, 3))) for k in range(3)]
    swa_utils.update_bn([(cr.tensor(each), 0) for each in x], a)
    torch.optim.swa_utils.update_bn([torch.tensor(each) for each in x], b)
    for key, value in b.state_dict().items():
        np.testing.assert_allclose(a.state_dict()[key].numpy(), value.numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize("order", [1, 2, 2.5, 3.0, float("inf"), 0.5])
@pytest.mark.parametrize("max_norm", [0.7, 1000.0])
def test_clipping_follows_torch(order, max_norm):
    rng = np.random.default_rng(0)
    grads = [np.float32(rng.standard_normal(shape)) for shape in [(), (7,), (5, 40), (70001,)]]
    mine = [nn.Parameter(cr.zeros(g.shape)) for g in grads]
    theirs = [torch.nn.Parameter(torch.zeros(g.shape)) for g in grads]
    for a, b, grad in zip(mine, theirs, grads, strict=True):
        a.grad, b.grad = cr.tensor(grad), torch.tensor(grad)
    x = nn.utils.clip_grad_norm_(mine, max_norm, order)
    y = torch.nn.utils.clip_grad_norm_(theirs, max_norm, order)
    np.testing.assert_allclose(x.item(), y.item(), rtol=2e-5)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=3e-5)
    nn.utils.clip_grad_value_(mine, 1e-3)
    torch.nn.utils.clip_grad_value_(theirs, 1e-3)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=3e-5)
