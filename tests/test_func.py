"""chainrule.func: derivatives of functions, batches, modules without state."""

from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
    vmap,
)

Pair = namedtuple("Pair", "left right")


def t64(*values: Any, requires_grad: bool = False) -> Any:
    data = values if len(values) != 1 else values[0]
    return cr.tensor(data, dtype=cr.float64, requires_grad=requires_grad)


def close(a: Any, b: Any) -> bool:
    return bool(np.allclose(np.asarray(a.detach()), np.asarray(b), rtol=1e-10, atol=1e-12))


# ---------------------------------------------------------------- grad


@pytest.mark.smoke
def test_grad() -> None:
    g = grad(lambda x: (x**3).sum())(t64([1.0, 2.0]))
    assert g.tolist() == [3.0, 12.0]
    assert not g.requires_grad
    assert g.dtype is cr.float64


def test_grad_of_grad_of_grad() -> None:
    f = cr.sin
    x = t64(0.7)
    for want in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)):
        f = grad(f)
        assert close(f(x), want)
        assert not f(x).requires_grad


def test_inner_and_outer_variables_are_not_confused() -> None:
    x = t64(3.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(t64(1.0)))(x).item() == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(x).item() == 6
    assert grad(lambda x: grad(lambda y: x * y * y)(x))(x).item() == 12 - 6 + 6
    # A function that uses the outer variable itself: a constant to the inner derivative.
    assert grad(lambda x: grad(lambda y: x**2 * y)(x) + 0 * x)(x).item() == 6


def test_grad_of_argnums() -> None:
    def f(a: Any, b: Any, c: float = 2.0) -> Any:
        return (a * a * b * c).sum()

    a, b = t64(3.0), t64(5.0)
    assert grad(f)(a, b).item() == 60
    assert grad(f, argnums=1)(a, b).item() == 18
    assert grad(f, argnums=-1)(a, b, c=1.0).item() == 9
    both = grad(f, argnums=(1, 0))(a, b)
    assert isinstance(both, tuple)
    assert [g.item() for g in both] == [18, 60]


def test_grad_of_trees() -> None:
    def f(p: Any) -> Any:
        return (p["w"][0] * p["w"][1].left + p["b"] * p["w"][1].right).sum()

    p = {"w": [t64(2.0), Pair(t64(3.0), t64(4.0))], "b": t64(5.0)}
    g = grad(f)(p)
    assert list(g) == ["w", "b"]
    assert isinstance(g["w"], list)
    assert isinstance(g["w"][1], Pair)
    assert [g["w"][0].item(), g["w"][1].left.item(), g["w"][1].right.item(), g["b"].item()] == [
        3, 2, 5, 4,
    ]  # fmt: skip
    ordered = grad(lambda p: p["a"] ** 2)(OrderedDict(a=t64(1.0)))
    assert type(ordered) is OrderedDict


def test_grad_and_value_and_aux() -> None:
    def f(x: Any) -> Any:
        return (x**2).sum(), {"doubled": x * 2, "text": "t"}

    x = t64([1.0, 2.0])
    g, (value, aux) = grad_and_value(f, has_aux=True)(x)
    assert g.tolist() == [2, 4]
    assert value.item() == 5
    assert aux["text"] == "t"
    assert aux["doubled"].tolist() == [2, 4]
    assert not any(t.requires_grad for t in (g, value, aux["doubled"]))
    g, aux = grad(f, has_aux=True)(x)
    assert g.tolist() == [2, 4]
    assert aux["text"] == "t"


def test_an_argument_that_does_not_count_has_a_zero_gradient() -> None:
    x, y = t64([1.0, 2.0]), t64([3.0])
    gx, gy = grad(lambda x, y: x.sum(), argnums=(0, 1))(x, y)
    assert gx.tolist() == [1, 1]
    assert gy.tolist() == [0]
    assert grad(lambda x: t64(1.0))(x).tolist() == [0, 0]


def test_history_goes_on_where_something_outside_requires_a_gradient() -> None:
    x, w = t64(2.0, requires_grad=True), t64(3.0, requires_grad=True)
    g = grad(lambda x: w * x**2)(x)
    assert g.requires_grad
    gx, gw = cr.autograd.grad(g, (x, w))
    assert (gx.item(), gw.item()) == (6, 4)
    free = grad(lambda x: w * x**2)(t64(2.0))  # x is plain, w is not
    assert cr.autograd.grad(free, w)[0].item() == 4
    assert not grad(lambda x: x**2)(t64(2.0)).requires_grad
    with cr.no_grad():
        assert not grad(lambda x: w * x**2)(x).requires_grad
        assert grad(lambda x: w * x**2)(x).item() == 12
    assert x.grad is None
    assert w.grad is None


def test_results_forget_the_variables_of_inner_transformations() -> None:
    x = t64([0.5, 1.0])
    mixed = jacfwd(jacrev(lambda x, y: (x * y).exp(), argnums=1), argnums=0)(x, x)
    assert not mixed.requires_grad
    outer = grad(lambda x: grad(lambda y: (x * y**2).sum())(t64([1.0, 2.0])).sum())(x)
    assert outer.tolist() == [2, 4]
    assert not outer.requires_grad
    _, pull = vjp(lambda x: grad(lambda y: (x * y**3).sum())(t64([1.0, 2.0])), x)
    assert pull(t64([1.0, 1.0]))[0].tolist() == [3, 12]
    assert not pull(t64([1.0, 1.0]))[0].requires_grad


def test_the_identity() -> None:
    x, t = t64([1.0, 2.0]), t64([3.0, 4.0])
    assert vjp(lambda x: x, x)[1](t)[0].equal(t)
    out, moved = jvp(lambda x: x, (x,), (t,), strict=True)
    assert out.equal(x)
    assert moved.equal(t)
    assert not out.requires_grad
    assert jacrev(lambda x: x)(x).equal(cr.eye(2, dtype=cr.float64))
    assert jacfwd(lambda x: x)(x).equal(cr.eye(2, dtype=cr.float64))
    assert grad(lambda x: x)(t64(1.0)).item() == 1


def test_through_backward_and_gradcheck() -> None:
    def slope(x: Any) -> Any:
        return grad(lambda y: (y.tanh() * y).sum())(x)

    x = t64([0.3, -1.2], requires_grad=True)
    assert gradcheck(slope, (x,))
    assert gradgradcheck(slope, (x,))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: grad(lambda x: x)(t64([1.0])), ValueError, r"grad: .* 0-d tensor \(got shape"),
        (lambda: grad(lambda x: 1.0)(t64(1.0)), ValueError, "0-d tensor .got float"),
        (lambda: grad(lambda x: x)(cr.tensor(1)), TypeError, "dtype .*int64.*floating"),
        (lambda: grad(lambda x: x)(2.0), TypeError, "with respect to a float"),
        (lambda: grad(lambda x: x, argnums=1)(t64(1.0)), ValueError, "argnums 1 does not fit 1"),
        (lambda: grad(lambda x: x, argnums=())(t64(1.0)), TypeError, "argnums is an int"),
        (
            lambda: grad(lambda x, y: x, argnums=(0, -2))(t64(1.0), t64(1.0)),
            ValueError,
            "twice",
        ),
        (lambda: grad(lambda x: x, has_aux=True)(t64(1.0)), TypeError, "returns a pair"),
        (lambda: vjp(lambda x: 3, t64(1.0)), TypeError, "vjp: .*returned a int"),
        (lambda: vjp(cr.sin, t64([1.0]))[1](t64(1.0)), ValueError, r"shape \(\); expected \(1,\)"),
        (lambda: vjp(cr.sin, t64(1.0))[1]((t64(1.0),)), ValueError, r"structure \(\*,\)"),
        (lambda: jvp(cr.sin, t64(1.0), (t64(1.0),)), TypeError, "primals is a non-empty tuple"),
        (lambda: jvp(cr.sin, (t64(1.0),), (t64([1.0]),)), ValueError, "tangents has shape"),
        (
            lambda: jvp(lambda x: t64(1.0), (t64(1.0),), (t64(1.0),), strict=True),
            RuntimeError,
            "does not depend",
        ),
        (lambda: jacrev(cr.sin, chunk_size=0), ValueError, "chunk_size must be positive"),
    ],
)
def test_errors(call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        call()


# ---------------------------------------------------------------- vjp, jvp, Jacobians


def test_vjp() -> None:
    out, vjp_fn = vjp(lambda a, b: {"s": a * b, "t": a.sum()}, t64([1.0, 2.0]), t64([3.0, 4.0]))
    assert out["s"].tolist() == [3, 8]
    assert not out["s"].requires_grad
    for _ in range(2):  # any number of times
        ga, gb = vjp_fn({"t": t64(10.0), "s": t64([1.0, 1.0])})
        assert ga.tolist() == [13, 14]
        assert gb.tolist() == [1, 2]
    out, vjp_fn, aux = vjp(lambda x: (x * 2, "aux"), t64(1.0), has_aux=True)
    assert aux == "aux"
    assert vjp_fn(t64(1.0))[0].item() == 2


def test_jvp_and_linearize() -> None:
    def f(x: Any, y: Any) -> Any:
        return x.sin() * y, x.sum()

    x, y, tx, ty = t64([0.5, 1.0]), t64(2.0), t64([1.0, -1.0]), t64(0.25)
    (a, b), (da, db) = jvp(f, (x, y), (tx, ty))
    assert close(a, np.sin([0.5, 1.0]) * 2)
    assert b.item() == 1.5
    assert close(da, np.cos([0.5, 1.0]) * [1, -1] * 2 + np.sin([0.5, 1.0]) * 0.25)
    assert db.item() == 0
    assert not da.requires_grad
    out, push = linearize(f, x, y)
    for scale in (1.0, 3.0):
        moved = push(tx * scale, ty * scale)
        assert close(moved[0], np.asarray(da) * scale)
    assert close(out[0], np.asarray(a))
    assert jvp(lambda x: (x * 2, 7), (x,), (tx,), has_aux=True)[2] == 7
    assert jvp(lambda x: t64([1.0]), (x,), (tx,))[1].tolist() == [0]
    assert jvp(lambda x: x * 3, (x,), (tx,))[1].tolist() == [3, -3]  # linear


def test_jvp_is_differentiable() -> None:
    x, t = t64([0.5, 1.0], requires_grad=True), t64([1.0, 2.0], requires_grad=True)
    assert gradcheck(lambda x, t: jvp(lambda x: x.exp() * x.sum(), (x,), (t,))[1], (x, t))
    second = grad(lambda x: jvp(lambda y: y**3, (x,), (t64(1.0),))[1])(t64(2.0))
    assert second.item() == 12


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians(jacobian: Any) -> None:
    def f(a: Any, p: Any) -> Any:
        return {"y": (a[:, None] * p["w"]).sum(0) ** 2, "z": a.sum()}

    a, w = t64([1.0, -2.0]), t64([[1.0, 2.0, 3.0], [0.5, 0.25, -1.0]])
    found = jacobian(f, argnums=(0, 1))(a, {"w": w})
    an, wn = np.asarray(a), np.asarray(w)
    base = 2 * (an @ wn)
    assert close(found["y"][0], base[:, None] * wn.T)
    assert close(found["y"][1]["w"], np.einsum("j,i,jk->jik", base, an, np.eye(3)))
    assert found["z"][0].tolist() == [1, 1]
    assert found["z"][1]["w"].shape == (2, 3)
    one = jacobian(lambda x: x.sum())(w)
    assert one.shape == (2, 3)
    assert jacobian(lambda x: x[:0])(a).shape == (0, 2)
    assert jacobian(lambda x: cr.ones(3, dtype=cr.float64) * x.sum())(t64([])).shape == (3, 0)
    j, aux = jacobian(lambda x: (x * 2, "aux"), has_aux=True)(a)
    assert aux == "aux"
    assert j.tolist() == [[2, 0], [0, 2]]


@pytest.mark.parametrize("outer", [jacrev, jacfwd])
@pytest.mark.parametrize("inner", [jacrev, jacfwd])
def test_jacobians_of_jacobians(outer: Any, inner: Any) -> None:
    x = t64([0.3, -0.8, 1.1])
    found = outer(inner(lambda x: x.sin() * x.sum()))(x)
    v = np.asarray(x)
    want = np.zeros((3, 3, 3))
    for i in range(3):
        want[i, i, i] -= np.sin(v[i]) * v.sum()
        want[i, i, :] += np.cos(v[i])
        want[i, :, i] += np.cos(v[i])
    assert close(found, want)
    assert not found.requires_grad


def test_hessian() -> None:
    x = t64([1.0, 2.0, 3.0])
    assert close(hessian(lambda x: x.prod())(x), [[0, 3, 2], [3, 0, 1], [2, 1, 0]])
    blocks = hessian(lambda x, y: (x * y).sum(), argnums=(0, 1))(x, t64([4.0, 5.0, 6.0]))
    assert close(blocks[0][1], np.eye(3))
    assert close(blocks[1][1], np.zeros((3, 3)))


# ---------------------------------------------------------------- vmap


@pytest.mark.smoke
def test_vmap_gives_per_sample_gradients() -> None:
    """Lecture 4, row 8: gradients of the examples sum to that of the batch."""
    cr.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x, y = cr.randn(6, 4, dtype=cr.float64), cr.randint(0, 3, (6,))
    params = {name: p.detach() for name, p in net.named_parameters()}

    def loss(params: Any, x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(functional_call(net, params, x), y)

    found = vmap(grad(loss), in_dims=(None, 0, 0))(params, x, y)
    nn.functional.cross_entropy(net(x), y, reduction="sum").backward()
    for name, p in net.named_parameters():
        assert found[name].shape == (6, *p.shape)
        assert close(found[name].sum(0), p.grad)


def test_vmap_dims() -> None:
    x = cr.arange(24.0).view(2, 3, 4)
    n = np.asarray(x)
    assert vmap(lambda v: v.sum(0))(x).equal(x.sum(1))
    assert close(vmap(lambda v: v * 2, in_dims=1, out_dims=-1)(x), np.moveaxis(n * 2, 1, -1))
    assert close(vmap(lambda v: v, in_dims=-1, out_dims=1)(x), np.moveaxis(n, -1, 1))
    a, b = vmap(lambda v, w: (v + w, w), in_dims=(2, None), out_dims=(0, None))(x, 3.0 * x[:, :, 0])
    assert a.shape == (4, 2, 3)
    assert b.shape == (2, 3)
    assert vmap(vmap(cr.dot, (0, None)), (None, 0))(x[0], x[1]).shape == (3, 3)
    assert vmap(lambda v, k=1: v * k)(x, k=3).equal(x * 3)  # names: the same for all
    assert cr.vmap is vmap


def test_vmap_of_trees() -> None:
    p = {"a": cr.arange(6.0).view(2, 3), "b": (cr.ones(3), Pair(2.0, cr.arange(3.0)))}
    dims = {"a": 1, "b": (0, Pair(None, None))}

    def f(p: Any, s: Any) -> Any:
        return Pair(p["a"] * s, [p["b"][0] + p["b"][1].left, p["b"][1].right])

    found = vmap(f, in_dims=(dims, None), out_dims=Pair(1, [0, None]))(p, 2.0)
    assert isinstance(found, Pair)
    assert found.left.equal(p["a"] * 2)
    assert found.right[0].tolist() == [3, 3, 3]
    assert found.right[1].tolist() == [0, 1, 2]


def test_vmap_has_gradients_and_nests() -> None:
    x = cr.randn(3, 4, dtype=cr.float64, requires_grad=True)
    assert gradcheck(lambda x: vmap(lambda v: v.softmax(0) * v[0], in_dims=1)(x), (x,))
    g = grad(lambda x: vmap(lambda v: v.prod())(x).sum())(t64([[2.0, 3.0], [4.0, 5.0]]))
    assert g.tolist() == [[3, 2], [5, 4]]
    h = vmap(hessian(lambda v: (v**3).sum()))(t64([[1.0, 2.0], [3.0, 4.0]]))
    assert h.shape == (2, 2, 2)
    assert h[1].tolist() == [[18, 0], [0, 24]]


def test_vmap_of_control_flow() -> None:
    f = vmap(lambda v: v * 2 if v.item() > 0 else v - 1, chunk_size=2)
    assert f(cr.tensor([1.0, -1.0, 3.0])).tolist() == [2, -2, 6]


def test_vmap_of_an_empty_batch() -> None:
    found = vmap(lambda v: (v * 2, v.sum()), out_dims=(1, 0))(cr.zeros(0, 3))
    assert found[0].shape == (3, 0)
    assert found[1].shape == (0,)


def test_vmap_randomness() -> None:
    x = cr.zeros(64)

    def noise(v: Any) -> Any:
        return v + cr.randn(())

    with pytest.raises(RuntimeError, match="randomness='different'"):
        vmap(noise)(x)
    assert len(set(vmap(noise, randomness="different")(x).tolist())) > 60
    assert len(set(vmap(noise, randomness="same")(x).tolist())) == 1
    before = cr.get_rng_state()
    with pytest.raises(RuntimeError):
        vmap(noise)(x)
    assert before.equal(cr.get_rng_state())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: vmap(cr.sin, randomness="some"), "randomness is"),
        (lambda x: vmap(cr.sin, in_dims=None), "in_dims is an int or a tuple"),
        (lambda x: vmap(cr.sin, in_dims=(0, 0))(x), "do not fit arguments"),
        (lambda x: vmap(cr.sin, in_dims=2)(x), r"in_dims 2 .* \(2, 3\)"),
        (lambda x: vmap(cr.sin, in_dims=(None,))(x), "at least one input"),
        (lambda x: vmap(cr.sin)(cr.tensor(1.0)), "0-d tensor"),
        (lambda x: vmap(cr.add)(x, 2.0), "cannot map over a float"),
        (lambda x: vmap(cr.add, (0, 1))(x, x), r"sizes differ \(got \[2, 3\]"),
        (lambda x: vmap(cr.sin, in_dims=(0.5,))(x), "int or None .got 0.5"),
        (lambda x: vmap(cr.sin)(), "no inputs"),
        (lambda x: vmap(lambda v: v.sum(0).item())(x), "returned a float"),
        (lambda x: vmap(cr.sin, out_dims=5)(x), "out_dims 5 does not fit"),
        (lambda x: vmap(cr.sin, out_dims=(0, 0))(x), "out_dims .* do not fit results"),
        (lambda x: vmap(cr.sin, out_dims=None)(x), "differs between examples"),
        (lambda x: vmap(cr.sin, chunk_size=-1), "chunk_size must be positive"),
    ],
)
def test_vmap_errors(call: Any, text: str) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        call(cr.arange(6.0).view(2, 3))


# ---------------------------------------------------------------- modules


def test_functional_call() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    own = dict(net.named_parameters())
    state = {"0.weight": cr.eye(2), "0.bias": cr.zeros(2), "1.running_mean": cr.zeros(2)}
    x = cr.tensor([[1.0, 2.0], [3.0, 4.0]])
    functional_call(net, state, x)
    assert net[1].running_mean.tolist() == [0, 0]  # its own are as before
    assert np.allclose(state["1.running_mean"].tolist(), [0.2, 0.3])  # the given one was written
    assert all(own[name] is p for name, p in net.named_parameters())
    assert net[0].weight is own["0.weight"]
    assert isinstance(net[0].weight, nn.Parameter)
    split = ({"weight": cr.eye(2)}, {"bias": cr.ones(2)})
    assert functional_call(net[0], split, (), {"input": x}).equal(x + 1)
    assert nn.utils.stateless.functional_call is functional_call


def test_functional_call_restores_after_an_error() -> None:
    layer = nn.Linear(2, 2)
    own = layer.weight
    with pytest.raises(ValueError):
        functional_call(layer, {"weight": cr.ones(2, 5)}, cr.ones(3, 2))
    assert layer.weight is own
    assert dict(layer.named_parameters())["weight"] is own


def test_functional_call_of_tied_weights() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(cr.ones(()))
            self.b = self.a

        def forward(self, x: Any) -> Any:
            return x + 10 * self.a + 100 * self.b

    net, zero, two = Tied(), cr.zeros(()), cr.tensor(2.0)
    assert functional_call(net, {"a": two}, zero).item() == 220
    assert functional_call(net, {"b": two}, zero).item() == 220
    assert functional_call(net, {"a": two}, zero, tie_weights=False).item() == 120
    with pytest.raises(ValueError, match="one parameter"):
        functional_call(net, {"a": two, "b": zero}, zero)
    assert functional_call(net, {"a": two, "b": zero}, zero, tie_weights=False).item() == 20
    assert functional_call(net, {"a": two}, zero, strict=True).item() == 220
    assert net.a is net.b
    assert net(zero).item() == 110


def test_functional_call_errors() -> None:
    layer, x = nn.Linear(2, 2), cr.ones(2)
    with pytest.raises(KeyError, match="nearest is 'weight'"):
        functional_call(layer, {"wieght": cr.eye(2)}, x)
    with pytest.raises(RuntimeError, match="missing parameters or buffers: bias"):
        functional_call(layer, {"weight": cr.eye(2)}, x, strict=True)
    with pytest.raises(ValueError, match="several dicts"):
        functional_call(layer, ({"bias": x}, {"bias": x}), x)
    with pytest.raises(TypeError, match="expected a tensor as 'bias'"):
        functional_call(layer, {"bias": [0.0, 0.0]}, x)
    with pytest.raises(TypeError, match="a dict of tensors"):
        functional_call(layer, 3, x)


def test_functional_call_of_a_parametrized_module() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    state = {name: p.detach() * 2 for name, p in layer.named_parameters()}
    plain = layer(cr.ones(2))
    assert functional_call(layer, state, cr.ones(2)).allclose(plain * 2)


def test_stack_module_state() -> None:
    models = [nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval() for _ in range(4)]
    params, buffers = stack_module_state(models)
    assert params["0.weight"].shape == (4, 3, 2)
    assert params["0.weight"].is_leaf
    assert params["0.weight"].requires_grad
    assert buffers["1.running_mean"].shape == (4, 3)
    x = cr.randn(5, 2)
    run = vmap(lambda p, b, x: functional_call(models[0], (p, b), x), in_dims=(0, 0, None))
    out = run(params, buffers, x)
    for model, row in zip(models, out, strict=True):
        assert row.allclose(model(x))
    out.sum().backward()
    assert params["0.weight"].grad.shape == (4, 3, 2)
    for wrong in ([], [nn.Linear(1, 1), nn.ReLU()], [models[0], nn.Sequential().train()]):
        with pytest.raises(RuntimeError, match="stack_module_state"):
            stack_module_state(wrong)
