"""Optimizers against their formulas in NumPy float64, and their bookkeeping."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

STEPS = 50


# -------------------------------------------------------------------- the formulas
#
# Each is a generator: it is sent a gradient and yields the new parameter.


def start(p, g, maximize, weight_decay):
    return (-g if maximize else g) + weight_decay * p


def sgd(p, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False):
    v = None
    while True:
        g = start(p, (yield p), maximize, weight_decay)
        if momentum:
            v = g if v is None else momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        p = p - lr * g


def adam(
    p, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, maximize=False,
    decoupled=False,
):  # fmt: skip
    m = v = largest = 0
    t = 0
    while True:
        g = start(p, (yield p), maximize, 0 if decoupled else weight_decay)
        t += 1
        if decoupled:
            p = p * (1 - lr * weight_decay)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        largest = np.maximum(largest, v)
        root = np.sqrt((largest if amsgrad else v) / (1 - betas[1] ** t))
        p = p - lr * (m / (1 - betas[0] ** t)) / (root + eps)


def adamw(p, weight_decay=1e-2, **options):
    return adam(p, weight_decay=weight_decay, decoupled=True, **options)


def rmsprop(
    p, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, maximize=False
):
    v = mean = buffer = 0
    while True:
        g = start(p, (yield p), maximize, weight_decay)
        v = alpha * v + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        d = g / (np.sqrt(v - mean * mean if centered else v) + eps)
        buffer = momentum * buffer + d
        p = p - lr * buffer


def adagrad(
    p, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, maximize=False
):
    total, t = initial_accumulator_value, 0
    while True:
        g = start(p, (yield p), maximize, weight_decay)
        total = total + g * g
        p = p - lr / (1 + t * lr_decay) * g / (np.sqrt(total) + eps)
        t += 1


def adadelta(p, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, maximize=False):
    v = u = 0
    while True:
        g = start(p, (yield p), maximize, weight_decay)
        v = rho * v + (1 - rho) * g * g
        d = np.sqrt(u + eps) / np.sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d * d
        p = p - lr * d


def adamax(p, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, maximize=False):
    m = u = t = 0
    while True:
        g = start(p, (yield p), maximize, weight_decay)
        t += 1
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, abs(g) + eps)
        p = p - lr / (1 - betas[0] ** t) * m / u


def nadam(
    p, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, maximize=False,
    decoupled_weight_decay=False,
):  # fmt: skip
    m = v = t = 0
    product = np.float32(1)  # kept as a float32 number

    def momentum(t):
        return betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay))

    while True:
        g = start(p, (yield p), maximize, 0 if decoupled_weight_decay else weight_decay)
        t += 1
        if decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        product = np.float32(product * momentum(t))
        d = (1 - momentum(t)) / (1 - float(product)) * g
        d = d + momentum(t + 1) / (1 - float(product) * momentum(t + 1)) * m
        p = p - lr * d / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def radam(
    p, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, maximize=False,
    decoupled_weight_decay=False,
):  # fmt: skip
    m = v = t = 0
    longest = 2 / (1 - betas[1]) - 1
    while True:
        g = start(p, (yield p), maximize, 0 if decoupled_weight_decay else weight_decay)
        t += 1
        if decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        unbias = 1 - betas[1] ** t
        r = longest - 2 * t * betas[1] ** t / unbias
        d = m / (1 - betas[0] ** t)
        if r > 5:
            c = (r - 4) * (r - 2) * longest / ((longest - 4) * (longest - 2) * r)
            d = d * np.sqrt(c * unbias) / (np.sqrt(v) + eps)
        p = p - lr * d


def rprop(p, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), maximize=False):
    last, s = np.zeros_like(p), np.full_like(p, lr)
    while True:
        g = start(p, (yield p), maximize, 0)
        agreement = g * last
        s = np.where(agreement > 0, s * etas[1], np.where(agreement < 0, s * etas[0], s))
        s = np.clip(s, *step_sizes)
        last = np.where(agreement < 0, 0, g)
        p = p - np.sign(last) * s


def asgd(p, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, maximize=False):
    t, rate = 0, np.float32(lr)  # kept as a float32 number
    while True:
        g = start(p, (yield p), maximize, weight_decay)
        t += 1
        p = p * (1 - lambd * float(rate)) - float(rate) * g
        rate = np.float32(lr / (1 + lambd * lr * t) ** alpha)


CASES = [
    (optim.SGD, sgd, {}),
    (optim.SGD, sgd, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.5, "maximize": True}),
    (optim.Adam, adam, {}),
    (optim.Adam, adam, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    (optim.Adam, adam, {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
    (optim.Adam, adam, {"lr": 0.1, "maximize": True}),
    (optim.AdamW, adamw, {}),
    (optim.AdamW, adamw, {"lr": 0.1, "weight_decay": 0.5, "amsgrad": True}),
    (optim.AdamW, adamw, {"lr": 0.1, "weight_decay": 0.0, "maximize": True}),
    (optim.RMSprop, rmsprop, {}),
    (optim.RMSprop, rmsprop, {"alpha": 0.9, "weight_decay": 0.1, "eps": 1e-4}),
    (optim.RMSprop, rmsprop, {"centered": True}),
    (optim.RMSprop, rmsprop, {"momentum": 0.9}),
    (optim.RMSprop, rmsprop, {"centered": True, "momentum": 0.5, "maximize": True}),
    (optim.Adagrad, adagrad, {}),
    (optim.Adagrad, adagrad, {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}),
    (optim.Adagrad, adagrad, {"initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
    (optim.Adadelta, adadelta, {}),
    (optim.Adadelta, adadelta, {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    (optim.Adadelta, adadelta, {"lr": 10.0, "maximize": True}),
    (optim.Adamax, adamax, {}),
    (optim.Adamax, adamax, {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.1}),
    (optim.Adamax, adamax, {"lr": 0.1, "eps": 0.1, "maximize": True}),
    (optim.NAdam, nadam, {}),
    (optim.NAdam, nadam, {"lr": 0.1, "betas": (0.5, 0.9), "momentum_decay": 0.1}),
    (optim.NAdam, nadam, {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-3, "maximize": True}),
    (optim.NAdam, nadam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.RAdam, radam, {}),
    (optim.RAdam, radam, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    (optim.RAdam, radam, {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    (optim.RAdam, radam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.Rprop, rprop, {}),
    (optim.Rprop, rprop, {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.05, 0.3)}),
    (optim.Rprop, rprop, {"maximize": True}),
    (optim.ASGD, asgd, {}),
    (optim.ASGD, asgd, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "weight_decay": 0.1}),
    (optim.ASGD, asgd, {"lr": 0.1, "t0": 10, "maximize": True}),
]
IDS = [f"{make.__name__}-{'-'.join(map(str, options)) or 'defaults'}" for make, _, options in CASES]
ALL = [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad]
ALL += [optim.Adadelta, optim.Adamax, optim.NAdam, optim.RAdam, optim.Rprop, optim.ASGD]

# One element, a partial vector, several vectors and a rest, and more than one thread's share.
SHAPES = [(), (0,), (7,), (3, 11), (40001,)]


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("make", "formula", "options"), CASES, ids=IDS)
def test_follows_its_formula(make, formula, options, dtype):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape) for shape in SHAPES]
    params = [nn.Parameter(cr.tensor(p, dtype=dtype)) for p in start]
    expected = [formula(p.detach().numpy().astype(np.float64), **options) for p in params]
    values = [next(e) for e in expected]
    optimizer = make(params, **options)
    for _ in range(STEPS):
        for k, param in enumerate(params):
            param.grad = cr.tensor(rng.standard_normal(SHAPES[k]), dtype=dtype)
            values[k] = expected[k].send(param.grad.numpy().astype(np.float64))
        optimizer.step()
    # A step rounds the parameter, and its update (a few times lr at most) some ten times.
    eps = np.finfo(params[0].detach().numpy().dtype).eps
    for param, value in zip(params, values, strict=True):
        largest = np.abs(value).max(initial=0) + 10 * options.get("lr", 0.01)
        np.testing.assert_allclose(
            param.detach().numpy(), value, rtol=0, atol=STEPS * 10 * eps * largest
        )


@pytest.mark.parametrize("make", ALL)
def test_same_bits_for_any_number_of_threads(make):
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        cr.manual_seed(1)
        params = [nn.Parameter(cr.randn(n)) for n in (100_003, 5, 40_000)]
        optimizer = make(params, lr=0.1)
        for _ in range(3):
            for param in params:
                param.grad = cr.randn(param.shape)
            optimizer.step()
        results.append([param.detach().clone() for param in params])
    for other in results[1:]:
        assert all(cr.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("make", ALL)
def test_any_layout(make):
    base = cr.randn(6, 5)
    strided = nn.Parameter(base.clone().t()[1:, ::2])
    plain = nn.Parameter(strided.detach().clone().contiguous())
    assert not strided.is_contiguous()
    optimizers = [make([p], lr=0.1) for p in (strided, plain)]
    for _ in range(3):
        grad = cr.randn(4, 3)
        strided.grad = grad.t().contiguous().t()
        plain.grad = grad
        for optimizer in optimizers:
            optimizer.step()
    assert cr.equal(strided.detach(), plain.detach())


# -------------------------------------------------------------------- bookkeeping


@pytest.mark.parametrize("make", ALL)
def test_skips_parameters_without_gradient(make):
    a, b = nn.Parameter(cr.ones(2)), nn.Parameter(cr.ones(2))
    optimizer = make([a, b], lr=0.1)
    optimizer.step()
    a.grad = cr.ones(2)
    optimizer.step()
    assert (a < 1).all().item()
    assert (b == 1).all().item()
    if make is not optim.Adagrad:  # which starts its state at once
        assert b not in optimizer.state
    # A parameter that joins later starts at its own first step.
    b.grad = cr.ones(2)
    optimizer.step()
    if "step" in optimizer.state[b]:
        assert (optimizer.state[a]["step"].item(), optimizer.state[b]["step"].item()) == (2, 1)


def test_momentum_of_a_late_parameter_starts_with_its_gradient():
    a, b = (nn.Parameter(cr.zeros(1)) for _ in range(2))
    optimizer = optim.SGD([a, b], lr=1.0, momentum=0.5, dampening=0.5)
    a.grad = cr.ones(1)
    optimizer.step()
    b.grad = cr.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == (-2.0, -1.0)


@pytest.mark.parametrize("make", ALL)
def test_resumes_bit_for_bit(make):
    options = {"lr": 0.1}
    if make in (optim.SGD, optim.RMSprop):
        options["momentum"] = 0.9

    def two_steps(param, optimizer, seed):
        cr.manual_seed(seed)
        for _ in range(2):
            param.grad = cr.randn(4, 3)
            optimizer.step()

    cr.manual_seed(0)
    param = nn.Parameter(cr.randn(4, 3))
    optimizer = make([param], **options)
    two_steps(param, optimizer, 1)
    values, state = param.detach().clone(), copy.deepcopy(optimizer.state_dict())
    two_steps(param, optimizer, 2)

    again = nn.Parameter(values)
    other = make([again], lr=99.0)
    other.load_state_dict(state)
    assert other.param_groups[0]["lr"] == 0.1
    two_steps(again, other, 2)
    assert cr.equal(again.detach(), param.detach())

    twin = copy.deepcopy(optimizer)
    restored = pickle.loads(pickle.dumps(optimizer))
    for copied in (twin, restored):
        own = copied.param_groups[0]["params"][0]
        assert own is not param
        assert set(copied.state) == {own} or make is optim.SGD
    two_steps(param, optimizer, 3)
    own = restored.param_groups[0]["params"][0]
    two_steps(own, restored, 3)
    assert cr.equal(own.detach(), param.detach())


def test_state_dict_has_torchs_layout():
    a, b = nn.Parameter(cr.ones(2)), nn.Parameter(cr.ones(3))
    optimizer = optim.Adam([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    b.grad = cr.ones(3)
    optimizer.step()
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    assert [group["lr"] for group in state["param_groups"]] == [0.1, 0.5]
    assert list(state["state"]) == [1]
    assert list(state["state"][1]) == ["step", "exp_avg", "exp_avg_sq"]
    assert state["state"][1]["step"].dtype == cr.float32
    assert state["state"][1]["step"].item() == 1


def test_load_state_dict_checks():
    a = nn.Parameter(cr.ones(2))
    optimizer = optim.Adam([a])
    a.grad = cr.ones(2)
    optimizer.step()
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"saved groups have \[1\] parameters .* \[2\]"):
        optim.Adam([nn.Parameter(cr.ones(2)) for _ in range(2)]).load_state_dict(state)
    with pytest.raises(ValueError, match=r"'exp_avg' of parameter 0 has shape \(2,\)"):
        optim.Adam([nn.Parameter(cr.ones(3))]).load_state_dict(state)
    # Values from elsewhere, in the parameter's dtype afterwards.
    state["state"][0]["exp_avg"] = np.array([1.0, 2.0])
    other = optim.Adam([a])
    other.load_state_dict(state)
    assert other.state[a]["exp_avg"].dtype == cr.float32
    # The state is copied: the first optimizer keeps its own.
    a.grad = cr.ones(2)
    other.step()
    assert optimizer.state[a]["step"].item() == 1


@pytest.mark.smoke
def test_groups_options_and_closure():
    a, b = nn.Parameter(cr.zeros(1)), nn.Parameter(cr.zeros(1))
    optimizer = optim.SGD([a], lr=1.0)
    optimizer.add_param_group({"params": b, "lr": 10.0})

    def closure():
        assert cr.is_grad_enabled()
        optimizer.zero_grad()
        loss = (a + b).sum()
        loss.backward()
        return loss

    with cr.no_grad():
        assert optimizer.step(closure).item() == 0
    assert (a.item(), b.item()) == (-1, -10)
    optimizer.param_groups[0]["lr"] = 5.0
    assert optimizer.step(closure).item() == -11
    assert a.item() == -6
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.item() == 0
    optimizer.zero_grad()
    assert a.grad is None


def test_step_is_seen_by_the_tape():
    w = nn.Parameter(cr.ones(2))
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    w.grad = cr.ones(2)
    optimizer.step()
    with pytest.raises(RuntimeError):  # the value that the gradient needs has changed
        loss.backward()


BAD = [
    (optim.SGD, {"lr": -1.0}, "lr is at least 0"),
    (optim.SGD, {"momentum": -1.0}, "momentum is at least 0"),
    (optim.SGD, {"nesterov": True}, "nesterov needs momentum"),
    (optim.SGD, {"lr": float("nan")}, "lr is at least 0"),
    (optim.SGD, {"differentiable": True}, "differentiable"),
    (optim.Adam, {"betas": (1.0, 0.9)}, "betas is at least 0.0 and below 1.0"),
    (optim.AdamW, {"eps": -1.0}, "AdamW: eps"),
    (optim.RMSprop, {"alpha": -0.1}, "alpha"),
    (optim.Adagrad, {"lr_decay": -0.1}, "lr_decay"),
]


@pytest.mark.parametrize(("make", "options", "message"), BAD)
def test_refuses_bad_options(make, options, message):
    with pytest.raises(ValueError, match=message):
        make([nn.Parameter(cr.ones(1))], **options)


def test_refuses_bad_parameters():
    w = nn.Parameter(cr.ones(2))
    with pytest.raises(TypeError, match="single tensor"):
        optim.SGD(w)
    with pytest.raises(ValueError, match="empty list"):
        optim.SGD([])
    with pytest.raises(ValueError, match=r"parameter 1 of shape \(2,\) is given twice"):
        optim.SGD([w, w])
    with pytest.raises(ValueError, match="given twice"):
        optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.raises(ValueError, match="expected a leaf"):
        optim.SGD([w * 2])
    with pytest.raises(ValueError, match="floating dtype"):
        optim.SGD([cr.tensor([1])])
    with pytest.raises(TypeError, match="parameter 0 is a float"):
        optim.SGD([1.0])
    with pytest.raises(TypeError, match="a set of parameters"):
        optim.SGD([{"params": {w}}])
    with pytest.raises(ValueError, match=r"no 'params' .got the keys \['lr'\]"):
        optim.SGD([{"lr": 1.0}])
    with pytest.raises(TypeError, match="a parameter group is a dict"):
        optim.SGD([w]).add_param_group([w])
    optimizer = optim.Adam([w])
    w.grad = cr.ones(2)
    optimizer.step()
    optimizer.state[w]["exp_avg"] = cr.ones(3)
    with pytest.raises(ValueError, match=r"state tensor of parameter 0 has shape \(3,\)"):
        optimizer.step()


@pytest.mark.smoke
def test_repr():
    optimizer = optim.SGD([nn.Parameter(cr.ones(1))], lr=0.1)
    optimizer.add_param_group({"params": [nn.Parameter(cr.ones(1))], "lr": 0.2})
    text = """SGD (
Parameter Group 0
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.1
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0

Parameter Group 1
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.2
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0
)"""
    assert repr(optimizer) == text


# -------------------------------------------------------------------- clipping


@pytest.mark.parametrize("order", [1.0, 2.0, float("inf"), 3.0, 0.5])
def test_clip_grad_norm(order):
    params = [nn.Parameter(cr.zeros(n)) for n in (3, 4)]
    grads = [np.arange(3.0), -np.arange(4.0)]
    for param, grad in zip(params, grads, strict=True):
        param.grad = cr.tensor(grad, dtype=cr.float32)
    params.append(nn.Parameter(cr.zeros(1)))  # without gradient
    norm = np.linalg.norm(np.concatenate(grads), order)
    assert nn.utils.clip_grad_norm_(params, 100.0, order).item() == pytest.approx(norm)
    assert params[0].grad.tolist() == [0, 1, 2]
    nn.utils.clip_grad_norm_(params, 1.0, order)
    total = nn.utils.get_total_norm([p.grad for p in params[:2]], order)
    assert total.item() == pytest.approx(1.0, rel=1e-4)
    params[0].grad[0] = float("nan")
    with pytest.raises(RuntimeError, match="nan"):
        nn.utils.clip_grad_norm_(params, 1.0, order, error_if_nonfinite=True)


def test_clip_grad_value_and_vectors():
    layer = nn.Linear(2, 3)
    layer.weight.grad = cr.full((3, 2), -5.0)
    nn.utils.clip_grad_value_(layer.parameters(), 2.0)
    assert (layer.weight.grad == -2).all().item()
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,)
    nn.utils.vector_to_parameters(vector.detach() * 2, layer.parameters())
    assert cr.equal(nn.utils.parameters_to_vector(layer.parameters()), vector.detach() * 2)
    with pytest.raises(ValueError, match=r"expected \(9,\)"):
        nn.utils.vector_to_parameters(vector[1:], layer.parameters())
