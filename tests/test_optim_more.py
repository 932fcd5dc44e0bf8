"""L-BFGS, averaged models, clipping, hooks and the other bookkeeping of optimizers."""

import copy
import math
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.optim import optimizer as base
from chainrule.optim import swa_utils
from chainrule.optim._line_search import Point, cubic_minimum, strong_wolfe

# -------------------------------------------------------------------- L-BFGS


def closure_of(optimizer, loss_of):
    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    return closure


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def lbfgs_reference(function, gradient, x, lr, iterations):
    """L-BFGS with fixed steps and all of history, as dense matrices: the BFGS formula itself."""
    g = gradient(x)
    d = -g
    t = lr * min(1, 1 / np.abs(g).sum())
    pairs = []
    for _ in range(iterations):
        new = x + t * d
        change, step = gradient(new) - gradient(x), new - x
        pairs.append((change, step))
        x, t = new, lr
        h = np.eye(len(x)) * (change @ step) / (change @ change)
        for y, s in pairs:
            v = np.eye(len(x)) - np.outer(y, s) / (y @ s)
            h = v.T @ h @ v + np.outer(s, s) / (y @ s)
        d = -h @ gradient(x)
    return x


def test_lbfgs_is_bfgs_while_all_is_remembered():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((6, 6))
    a = a @ a.T + np.eye(6)
    b = rng.standard_normal(6)
    x = nn.Parameter(cr.tensor(np.zeros(6)))
    optimizer = optim.LBFGS([x], lr=0.5, max_iter=3, max_eval=100)
    matrix, right = cr.tensor(a), cr.tensor(b)
    closure = closure_of(optimizer, lambda: 0.5 * (x @ matrix @ x) - right @ x)
    for _ in range(2):  # the history goes on from step to step
        optimizer.step(closure)
    expected = lbfgs_reference(None, lambda x: a @ x - b, np.zeros(6), 0.5, 6)
    np.testing.assert_allclose(x.detach().numpy(), expected, rtol=1e-9)
    state = optimizer.state_dict()["state"][0]
    assert (state["n_iter"], len(state["old_dirs"])) == (6, 5)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum(search):
    rng = np.random.default_rng(1)
    features = cr.tensor(rng.standard_normal((40, 5)))
    target = cr.tensor(rng.standard_normal((40, 1)))
    layer = nn.Linear(5, 1, dtype=cr.float64)
    optimizer = optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn=search)
    optimizer.step(closure_of(optimizer, lambda: nn.functional.mse_loss(layer(features), target)))
    design = np.hstack([features.numpy(), np.ones((40, 1))])
    best = np.linalg.lstsq(design, target.numpy(), rcond=None)[0].ravel()
    found = np.append(layer.weight.detach().numpy(), layer.bias.item())
    np.testing.assert_allclose(found, best, atol=1e-6)


@pytest.mark.smoke
def test_lbfgs_on_rosenbrock():
    x = nn.Parameter(cr.tensor(np.array([-1.2, 1.0, -0.5, 0.8])))
    optimizer = optim.LBFGS([x], max_iter=200, line_search_fn="strong_wolfe")
    before = optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
    assert before.item() == rosenbrock(cr.tensor(np.array([-1.2, 1.0, -0.5, 0.8]))).item()
    np.testing.assert_allclose(x.detach().numpy(), 1, atol=1e-5)
    assert optimizer.state[x]["func_evals"] < 100


def test_lbfgs_keeps_to_its_limits():
    x = nn.Parameter(cr.tensor([5.0, -3.0]))
    frozen = nn.Parameter(cr.ones(2))  # without gradient
    for options, n_iter, evaluations in (
        ({"max_iter": 2, "max_eval": 9}, 2, 2),
        ({"max_iter": 9, "max_eval": 4}, 3, 4),
        ({"tolerance_grad": 1e9}, 0, 1),
        ({"tolerance_change": 1e12}, 1, 1),
    ):
        optimizer = optim.LBFGS([x, frozen], lr=0.01, **options)
        optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
        state = optimizer.state[x]
        assert state["n_iter"] == n_iter, options
        assert state["func_evals"] == evaluations, options
    assert frozen.tolist() == [1, 1]
    optimizer = optim.LBFGS([x], lr=1e-4, history_size=2, max_iter=10)
    optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
    assert len(optimizer.state[x]["old_dirs"]) == 2


def test_lbfgs_resumes_bit_for_bit():
    def run(x, optimizer):
        optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
        return x.detach().clone()

    x = nn.Parameter(cr.tensor([-1.2, 1.0, 0.3]))
    optimizer = optim.LBFGS([x], max_iter=4, line_search_fn="strong_wolfe")
    values = run(x, optimizer)
    state = copy.deepcopy(optimizer.state_dict())
    twin = nn.Parameter(values.clone())
    other = optim.LBFGS([twin], lr=0.5)
    other.load_state_dict(pickle.loads(pickle.dumps(state)))
    assert cr.equal(run(x, optimizer), run(twin, other))
    state["state"][0]["d"] = cr.ones(5)
    with pytest.raises(ValueError, match=r"'d' has shape \(5,\); expected \(3,\)"):
        other.load_state_dict(state)


def test_lbfgs_refuses():
    x = nn.Parameter(cr.ones(1))
    with pytest.raises(TypeError, match="needs a closure"):
        optim.LBFGS([x]).step()
    with pytest.raises(ValueError, match=r"line_search_fn is None or 'strong_wolfe' .got 'armijo'"):
        optim.LBFGS([x], line_search_fn="armijo")
    with pytest.raises(ValueError, match="one parameter group only"):
        optim.LBFGS([{"params": [x]}, {"params": [nn.Parameter(cr.ones(1))]}])
    with pytest.raises(ValueError, match="lr is at least 0"):
        optim.LBFGS([x], lr=-1)


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(
    "curve",
    [
        (lambda t: (t - 2.0) ** 2, lambda t: 2 * (t - 2.0)),
        (lambda t: math.cos(t), lambda t: -math.sin(t)),
        (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),  # More, Thuente
    ],
)
def test_the_line_search_fulfils_the_strong_wolfe_conditions(curve, first):
    value, slope = curve
    shift = 0.5  # where every curve goes down

    def at(t):
        return Point(t, value(t + shift), cr.zeros(1), slope(t + shift))

    calls = []

    def evaluate(t):
        calls.append(t)
        return at(t)

    start = at(0.0)
    found, count = strong_wolfe(evaluate, start, first, 1.0, 1e-9, 25)
    assert count == len(calls)
    assert found.loss <= start.loss + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_cubic_minimum():
    def point(t):  # of t^3 - 3 t, smallest at 1
        return Point(t, t**3 - 3 * t, cr.zeros(1), 3 * t * t - 3)

    for a, b in ((0.0, 3.0), (3.0, 0.0)):
        assert cubic_minimum(point(a), point(b), 0.0, 3.0) == pytest.approx(1.0)
        assert cubic_minimum(point(a), point(b), 1.5, 3.0) == 1.5
    straight = [Point(t, t, cr.zeros(1), 1.0) for t in (0.0, 1.0)]
    assert 0 <= cubic_minimum(*straight, 0.0, 1.0) <= 1
    assert cubic_minimum(straight[0], straight[0], 2.0, 4.0) == 3.0


# -------------------------------------------------------------------- averages


def test_averages():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    mean, moving = swa_utils.AveragedModel(model), swa_utils.AveragedModel(
        model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.75), use_buffers=True
    )  # fmt: skip
    values = []
    for step in range(4):
        with cr.no_grad():
            for tensor in (*model.parameters(), model[1].running_mean):
                tensor.copy_(cr.full_like(tensor, float(step * step)))
        values.append(step * step)
        mean.update_parameters(model)
        moving.update_parameters(model)
    assert mean.n_averaged.item() == 4
    assert mean.module[0].weight.detach().numpy() == pytest.approx(np.mean(values))
    assert mean.module[1].running_mean.tolist() == [9, 9]  # copied
    expected = values[0]
    for value in values[1:]:
        expected = 0.75 * expected + 0.25 * value
    assert moving.module[0].bias.detach().numpy() == pytest.approx(expected)
    assert moving.module[1].running_mean.numpy() == pytest.approx(expected)
    assert list(mean.state_dict())[:2] == ["n_averaged", "module.0.weight"]
    again = swa_utils.AveragedModel(model)
    again.load_state_dict(mean.state_dict())
    assert cr.equal(again.module[0].weight, mean.module[0].weight)
    x = cr.randn(3, 2)
    assert cr.equal(mean.eval()(x), mean.module(x))
    own = swa_utils.AveragedModel(model, avg_fn=lambda average, value, count: average + count)
    own.update_parameters(model)
    own.update_parameters(model)
    assert own.module[0].bias.tolist() == [10, 10]
    with pytest.raises(ValueError, match="exclude each other"):
        swa_utils.AveragedModel(model, avg_fn=max, multi_avg_fn=max)
    for make in (swa_utils.get_ema_avg_fn, swa_utils.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="decay is between 0 and 1"):
            make(1.5)


def test_update_bn_and_its_modes():
    model = nn.Sequential(nn.BatchNorm1d(2, momentum=0.3), nn.Dropout(0.5)).eval()
    batches = [cr.randn(8, 2), cr.randn(8, 2)]
    swa_utils.update_bn([(batch, None) for batch in batches], model)
    means = [batch.mean(0) for batch in batches]
    np.testing.assert_allclose(
        model[0].running_mean.numpy(), ((means[0] + means[1]) / 2).numpy(), rtol=1e-5, atol=1e-6
    )
    assert (model[0].momentum, model.training) == (0.3, False)
    swa_utils.update_bn([], nn.Linear(1, 1))  # nothing to do


def test_swalr():
    groups = [{"params": [nn.Parameter(cr.ones(1))], "lr": lr} for lr in (1.0, 3.0)]
    optimizer = optim.SGD(groups)
    scheduler = swa_utils.SWALR(optimizer, [0.5, 1.0], anneal_epochs=4)
    rates = [scheduler.get_last_lr()]
    for _ in range(5):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr())
    shares = [(1 - math.cos(math.pi * min(t, 4) / 4)) / 2 for t in range(6)]
    expected = [[1.0 - 0.5 * s, 3.0 - 2.0 * s] for s in shares]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    for options, message in (
        ({"anneal_strategy": "quick"}, "'cos' or 'linear'"),
        ({"anneal_epochs": -1}, "at least 0"),
        ({"anneal_epochs": 1.5}, "is an int"),
        ({"swa_lr": [1.0]}, "expected 2"),
    ):
        with pytest.raises(ValueError, match=message):
            swa_utils.SWALR(optimizer, **{"swa_lr": 0.1} | options)


# -------------------------------------------------------------------- clipping


def with_grads(arrays, dtype=cr.float32):
    params = [nn.Parameter(cr.zeros(array.shape, dtype=dtype)) for array in arrays]
    for param, array in zip(params, arrays, strict=True):
        param.grad = cr.tensor(array, dtype=dtype)
    return params


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf, 3.0, 0.5, -math.inf])
@pytest.mark.parametrize("dtype", [cr.float32, cr.float64], ids=str)
def test_total_norm(order, dtype):
    rng = np.random.default_rng(2)
    shapes = [(), (1,), (5, 3), (0,), (40_003,), (8, 33)]
    if order == -math.inf:
        shapes.remove((0,))
    arrays = [rng.standard_normal(shape) for shape in shapes]
    tensors = [cr.tensor(array, dtype=dtype) for array in arrays]
    tensors[-1] = tensors[-1].t()
    whole = np.concatenate([t.numpy().ravel() for t in tensors]).astype(np.float64)
    got = nn.utils.get_total_norm(tensors, order)
    assert (got.dtype, got.shape) == (dtype, ())
    assert got.item() == pytest.approx(np.linalg.norm(whole, order), rel=1e-5)


def test_total_norm_of_extremes():
    assert nn.utils.get_total_norm([]).item() == 0
    assert nn.utils.get_total_norm(cr.tensor([3.0, 4.0])).item() == 5
    assert nn.utils.get_total_norm([cr.full((4,), 1e30)]).item() == pytest.approx(2e30)  # squares
    mixed = nn.utils.get_total_norm([cr.ones(1), cr.ones(3, dtype=cr.float64)])
    assert (mixed.dtype, mixed.item()) == (cr.float64, 2)
    for size in (1, 7, 64, 40_000):
        for place in {0, size // 2, size - 1}:
            x = cr.ones(size)
            x[place] = float("nan")
            for order in (1, 2, math.inf):
                assert math.isnan(nn.utils.get_total_norm([cr.ones(3), x, cr.ones(3)], order))
            x[place] = -math.inf
            assert nn.utils.get_total_norm([x], math.inf).item() == math.inf
    with pytest.raises(RuntimeError, match=r"norm of order 2.0 is inf.*error_if_nonfinite=False"):
        nn.utils.get_total_norm([cr.tensor([math.inf])], error_if_nonfinite=True)
    with pytest.raises(TypeError, match=r"get_total_norm: tensor 1 has dtype int64"):
        nn.utils.get_total_norm([cr.ones(1), cr.tensor([1])])


def test_clipping_gives_the_same_bits_for_any_number_of_threads():
    arrays = [np.random.default_rng(3).standard_normal(n) for n in (100_003, 5, 70_000)]
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        params = with_grads(arrays)
        norms = [nn.utils.get_total_norm([p.grad for p in params], p) for p in (1, 2, math.inf)]
        nn.utils.clip_grad_norm_(params, 1.0)
        results.append([*norms, *(param.grad for param in params)])
    for other in results[1:]:
        assert all(cr.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_clipping_writes_any_layout_and_is_seen_by_the_tape():
    grad = cr.tensor(np.arange(12.0).reshape(3, 4), dtype=cr.float32)
    param = nn.Parameter(cr.zeros(4, 3))
    param.grad = grad.t()
    view = param.grad
    nn.utils.clip_grad_norm_(param, 1.0)
    np.testing.assert_allclose(np.linalg.norm(grad.numpy()), 1, rtol=1e-5)
    assert param.grad is view
    nn.utils.clip_grad_value_([param], 0.1)
    assert grad.max().item() == pytest.approx(0.1)
    x = cr.ones(2, requires_grad=True)
    squared = x * x
    param = nn.Parameter(cr.zeros(2))
    param.grad = squared.detach()
    loss = (squared * squared).sum()
    nn.utils.clip_grad_value_([param], 0.5)
    with pytest.raises(RuntimeError):  # the value the gradient needs has changed
        loss.backward()


def test_clip_by_value_and_by_a_known_norm():
    params = with_grads([np.array([3.0, -0.5, np.nan]), np.array([-7.0])])
    nn.utils.clip_grad_value_(params, 1)
    assert params[0].grad.tolist()[:2] == [1, -0.5]
    assert math.isnan(params[0].grad[2])
    assert params[1].grad.tolist() == [-1]
    params = with_grads([np.array([3.0, 4.0])])
    nn.utils.clip_grads_with_norm_(params, 1.0, cr.tensor(10.0))
    np.testing.assert_allclose(params[0].grad.numpy(), [0.3, 0.4], rtol=1e-6)
    nn.utils.clip_grads_with_norm_(params, 1.0, cr.tensor(0.5))
    np.testing.assert_allclose(params[0].grad.numpy(), [0.3, 0.4], rtol=1e-6)
    nn.utils.clip_grads_with_norm_(params, 1.0, cr.tensor(math.nan))
    assert params[0].grad.isnan().all().item()
    nn.utils.clip_grad_norm_([nn.Parameter(cr.ones(1))], 1.0)  # no gradient: nothing to do
    locked = np.ones(2, np.float32)
    locked.flags.writeable = False
    param = nn.Parameter(cr.zeros(2))
    param.grad = cr.from_numpy(locked)
    with pytest.raises(ValueError, match="gradient 0 is read-only"):
        nn.utils.clip_grad_norm_([param], 1.0)


# -------------------------------------------------------------------- hooks, names, rates


def one_step(**options):
    param = nn.Parameter(cr.ones(1))
    param.grad = cr.ones(1)
    return param, optim.SGD([param], lr=1.0, **options)


def test_step_hooks():
    param, optimizer = one_step()
    seen = []

    def before(self, args, kwargs):
        seen.append(("before", self is optimizer, param.item()))

    handle = optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(lambda *_: seen.append(("after", param.item())))
    everyone = base.register_optimizer_step_post_hook(lambda *_: seen.append("everyone"))
    first = base.register_optimizer_step_pre_hook(lambda *_: seen.append("first"))
    optimizer.step()
    assert seen == ["first", ("before", True, 1.0), ("after", 0.0), "everyone"]
    for each in (handle, everyone, first):
        each.remove()
    seen.clear()
    optimizer.step()
    assert seen == [("after", -1.0)]
    copied = copy.deepcopy(optimizer)  # without hooks, as in torch
    copied.step()
    assert seen == [("after", -1.0)]


def test_a_hook_may_change_the_arguments_of_a_step():
    param, optimizer = one_step()
    called = []

    def closure():
        called.append(True)
        return 7

    optimizer.register_step_pre_hook(lambda self, args, kwargs: ((closure,), {}))
    assert optimizer.step() == 7
    assert called == [True]
    optimizer.register_step_pre_hook(lambda self, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="a step pre-hook returned 3"):
        optimizer.step()
    x = nn.Parameter(cr.tensor([2.0]))
    lbfgs = optim.LBFGS([x])
    seen = []
    lbfgs.register_step_post_hook(lambda *_: seen.append(1))
    lbfgs.step(closure_of(lbfgs, lambda: (x * x).sum()))
    assert seen == [1]

    class Halving(optim.SGD):
        def step(self, closure=None):
            result = super().step(closure)
            for group in self.param_groups:
                group["lr"] /= 2
            return result

    param.grad = cr.ones(1)
    own = Halving([param], lr=1.0)
    own.register_step_post_hook(lambda *_: seen.append(2))
    own.step()
    assert seen == [1, 2]  # once, although the step calls another one
    assert own.param_groups[0]["lr"] == 0.5


def test_state_dict_hooks():
    _, optimizer = one_step(momentum=0.5)
    optimizer.step()
    order = []
    optimizer.register_state_dict_pre_hook(lambda self: order.append(2))
    optimizer.register_state_dict_pre_hook(lambda self: order.append(1), prepend=True)
    optimizer.register_state_dict_post_hook(lambda self, state: {**state, "note": "mine"})
    state = optimizer.state_dict()
    assert order == [1, 2]
    assert state["note"] == "mine"

    other = one_step(momentum=0.5)[1]

    def rename(self, state):
        assert state.pop("note") == "mine"
        state["param_groups"] = [{**group, "lr": 0.25} for group in state["param_groups"]]

    other.register_load_state_dict_pre_hook(rename)
    other.register_load_state_dict_post_hook(lambda self: order.append(self.param_groups[0]["lr"]))
    other.load_state_dict(state)
    assert order == [1, 2, 0.25]
    assert "note" in state  # the caller's own dict is untouched


def test_named_parameters():
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    state = optimizer.state_dict()
    assert state["param_groups"][0]["param_names"] == ["weight", "bias"]
    plain = optim.Adam(layer.parameters())
    plain.load_state_dict(state)
    assert plain.param_groups[0]["param_names"] == ["weight", "bias"]
    optimizer.load_state_dict(optim.Adam(layer.parameters()).state_dict())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    optimizer.add_param_group({"params": [("extra", nn.Parameter(cr.ones(1)))]})
    for wrong in ([nn.Parameter(cr.ones(1))], [("a", nn.Parameter(cr.ones(1))), layer.weight]):
        with pytest.raises(ValueError, match="name all or none"):
            optimizer.add_param_group({"params": wrong})
    plain = optim.Adam([nn.Parameter(cr.ones(1))])
    with pytest.raises(ValueError, match="name all or none"):
        plain.add_param_group({"params": [("a", nn.Parameter(cr.ones(1)))]})


@pytest.mark.parametrize(
    "make", [optim.SGD, optim.Adam, optim.NAdam, optim.RAdam, optim.Rprop, optim.ASGD]
)
def test_a_rate_may_be_a_tensor(make):
    params = [nn.Parameter(cr.ones(3)) for _ in range(2)]
    optimizers = [make([p], lr=lr) for p, lr in zip(params, (0.5, cr.tensor(0.5)), strict=True)]
    schedulers = [optim.lr_scheduler.ExponentialLR(each, 0.5) for each in optimizers]
    rate = optimizers[1].param_groups[0]["lr"]
    for _ in range(3):
        for param, optimizer, scheduler in zip(params, optimizers, schedulers, strict=True):
            param.grad = cr.ones(3)
            optimizer.step()
            scheduler.step()
    assert optimizers[1].param_groups[0]["lr"] is rate  # written to, as in torch
    assert rate.item() == 0.0625
    assert cr.equal(*(param.detach() for param in params))
    with pytest.raises(ValueError, match=r"lr is one number .got shape \(2,\)"):
        make([params[0]], lr=cr.ones(2))


def test_zero_grad_keeps_the_tensor():
    param, optimizer = one_step()
    grad = param.grad
    optimizer.zero_grad(set_to_none=False)
    assert param.grad is grad
    assert grad.item() == 0
    x = (param * 3).sum()
    param.grad = cr.autograd.grad(x * x, param, create_graph=True)[0]
    optimizer.zero_grad(set_to_none=False)
    assert not param.grad.requires_grad


BAD = [
    (optim.NAdam, {"momentum_decay": -1.0}, "NAdam: momentum_decay is at least 0"),
    (optim.NAdam, {"betas": (0.9, 1.0)}, "NAdam: each of betas"),
    (optim.RAdam, {"eps": -1.0}, "RAdam: eps is at least 0"),
    (optim.Rprop, {"etas": (0.5, 0.9)}, r"Rprop: etas are .* \(got \(0.5, 0.9\)\)"),
    (optim.ASGD, {"weight_decay": -1.0}, "ASGD: weight_decay"),
    (optim.RAdam, {"differentiable": True}, "RAdam: differentiable=True is not offered"),
]


@pytest.mark.parametrize(("make", "options", "message"), BAD)
def test_refuses_bad_options(make, options, message):
    with pytest.raises(ValueError, match=message):
        make([nn.Parameter(cr.ones(1))], **options)


def test_state_of_an_older_version():
    param, optimizer = one_step()
    state = optim.Adam([param]).state_dict()
    del state["param_groups"][0]["decoupled_weight_decay"]
    other = optim.Adam([param])
    state["state"][0] = {"step": 3, "exp_avg": [0.0], "exp_avg_sq": [0.0]}
    other.load_state_dict(state)
    assert other.param_groups[0]["decoupled_weight_decay"] is False
    other.step()
    assert other.state[param]["step"].item() == 4
    assert optimizer.state == {}
