"""Parametrizations and the older weight and spectral normalization."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).mT


class Exp(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.exp()

    def right_inverse(self, y: Any) -> Any:
        return y.log()


class Sum(nn.Module):
    """Of two originals."""

    def forward(self, a: Any, b: Any) -> Any:
        return a + b

    def right_inverse(self, y: Any) -> Any:
        return y * 0.25, y * 0.75


class Wide(nn.Module):
    def forward(self, x: Any) -> Any:
        return cr.cat([x, x])


def array(tensor: Any) -> Any:
    return tensor.detach().numpy().copy()


def test_a_parametrized_weight_is_computed_when_read() -> None:
    layer = nn.Linear(3, 3, bias=False)
    before = layer.weight
    values = array(before)
    assert parametrize.register_parametrization(layer, "weight", Symmetric()) is layer
    assert layer.parametrizations.weight.original is before
    np.testing.assert_array_equal(array(layer.weight), np.triu(values) + np.triu(values, 1).T)
    assert list(layer.state_dict()) == ["parametrizations.weight.original"]
    assert [name for name, _ in layer.named_parameters()] == ["parametrizations.weight.original"]
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert repr(layer) == (
        "ParametrizedLinear(\n  in_features=3, out_features=3, bias=False\n"
        "  (parametrizations): ModuleDict(\n    (weight): ParametrizationList(\n"
        "      (0): Symmetric()\n    )\n  )\n)"
    )
    opt = optim.SGD(layer.parameters(), lr=0.1)
    layer(cr.ones(2, 3)).sum().backward()
    opt.step()
    assert not np.array_equal(array(before), values)
    np.testing.assert_array_equal(array(layer.weight), array(layer.weight).T)


def test_assigning_goes_through_the_inverse() -> None:
    layer = nn.Linear(2, 2)
    with cr.no_grad():
        layer.weight.fill_(2.0)
    parametrize.register_parametrization(layer, "weight", Exp())
    np.testing.assert_allclose(array(layer.parametrizations.weight.original), np.log(2), rtol=1e-6)
    original = layer.parametrizations.weight.original
    for value in (cr.full((2, 2), 3.0), nn.Parameter(cr.full((2, 2), 3.0))):
        layer.weight = value
        np.testing.assert_allclose(array(layer.weight), 3, rtol=1e-6)
        assert layer.parametrizations.weight.original is original
        assert list(layer._parameters) == ["bias"]
    parametrize.register_parametrization(layer, "bias", Symmetric(), unsafe=True)
    with pytest.raises(RuntimeError, match="Symmetric has no right_inverse"):
        layer.bias = cr.zeros(2)


def test_several_originals() -> None:
    layer = nn.Linear(2, 2)
    values = array(layer.weight)
    parametrize.register_parametrization(layer, "weight", Sum())
    assert list(layer.state_dict()) == [
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]
    np.testing.assert_allclose(array(layer.weight), values, rtol=1e-6)
    layer.weight = cr.ones(2, 2)
    assert (array(layer.parametrizations.weight.original0) == 0.25).all()
    with pytest.raises(ValueError, match="is made of 2 tensors"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    parametrize.remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter)
    assert (array(layer.weight) == 1).all()


def test_parametrizations_are_applied_in_turn() -> None:
    layer = nn.Linear(3, 3)
    original = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    symmetric = array(layer.weight)
    parametrize.register_parametrization(layer, "weight", Exp())
    np.testing.assert_allclose(array(layer.weight), np.exp(symmetric), rtol=1e-6)
    parametrize.register_parametrization(layer, "bias", Exp())
    assert len(layer.parametrizations) == 2
    parametrize.remove_parametrizations(layer, "bias")
    assert type(layer).__name__ == "ParametrizedLinear"
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert type(layer) is nn.Linear
    assert layer.weight is original
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert not hasattr(layer, "parametrizations")


def test_buffers_may_be_parametrized() -> None:
    layer = nn.BatchNorm1d(3)
    parametrize.register_parametrization(layer, "running_var", Exp())
    assert "parametrizations.running_var.original" in layer.state_dict()
    assert len(list(layer.parameters())) == 2
    np.testing.assert_allclose(array(layer.running_var), 1)
    parametrize.remove_parametrizations(layer, "running_var")
    assert "running_var" in layer.state_dict()


def test_what_cannot_be_parametrized() -> None:
    register = parametrize.register_parametrization
    with pytest.raises(ValueError, match="no parameter, buffer or parametrized tensor 'wait'"):
        register(nn.Linear(1, 1), "wait", Exp())
    with pytest.raises(ValueError, match=r"Linear\.bias is None"):
        register(nn.Linear(1, 1, bias=False), "bias", Exp())
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"changes shape or dtype \(got \(4, 2\)"):
        register(layer, "weight", Wide())
    assert type(layer) is nn.Linear
    register(layer, "weight", Wide(), unsafe=True)
    assert layer.weight.shape == (4, 2)
    with pytest.raises(ValueError, match=r"changes shape or dtype"):
        register(layer, "weight", Wide())
    with pytest.raises(ValueError, match="no parametrized 'bias'"):
        parametrize.remove_parametrizations(layer, "bias")


def test_cached() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    assert layer.weight is not layer.weight
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
    assert layer.weight is not first


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_and_pickles(twin: Any) -> None:
    net = nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 3)), nn.Linear(3, 1))
    parametrizations.spectral_norm(net[1])
    other = twin(net)
    x = cr.ones(4, 2)
    net.eval(), other.eval()
    np.testing.assert_array_equal(array(other(x)), array(net(x)))
    assert type(other[0]).__name__ == "ParametrizedLinear"
    with cr.no_grad():
        other[0].parametrizations.weight.original0.mul_(2.0)
    assert not np.array_equal(array(other(x)), array(net(x)))
    parametrize.remove_parametrizations(other[0], "weight")
    assert type(other[0]) is nn.Linear


# ---------------------------------------------------------------- weight normalization

FORMS = {"new": parametrizations.weight_norm, "old": nn.utils.weight_norm}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(form: str, dim: int | None) -> None:
    layer = nn.Conv1d(3, 4, 2, dtype=cr.float64)
    x = cr.randn(2, 3, 5, dtype=cr.float64)
    weight, before = array(layer.weight), array(layer(x))
    assert FORMS[form](layer, dim=dim) is layer
    np.testing.assert_allclose(array(layer(x)), before, rtol=1e-12)
    g, v = [p for name, p in layer.named_parameters() if name != "bias"]
    axes = tuple(a for a in range(3) if a != dim) if dim is not None else None
    norms = np.sqrt((weight**2).sum(axes, keepdims=dim is not None))
    np.testing.assert_allclose(array(g), norms, rtol=1e-12)
    with cr.no_grad():
        g.mul_(3.0)
        v.mul_(5.0)
    layer(x)
    np.testing.assert_allclose(array(layer.weight), 3 * weight, rtol=1e-12)
    layer(x).square().sum().backward()
    # The direction's gradient is orthogonal to it.
    inner = (v.grad * v).sum(axes or (0, 1, 2))
    np.testing.assert_allclose(array(inner), 0, atol=1e-10)
    if form == "new":
        parametrize.remove_parametrizations(layer, "weight")
    else:
        nn.utils.remove_weight_norm(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_allclose(array(layer.weight), 3 * weight, rtol=1e-12)


def test_weight_norm_loads_the_older_keys() -> None:
    old = nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 3)))
    new = nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 3)))
    assert list(old.state_dict()) == ["0.bias", "0.weight_g", "0.weight_v"]
    new.load_state_dict(old.state_dict())
    x = cr.randn(4, 2)
    np.testing.assert_allclose(array(new(x)), array(old(x)), rtol=1e-6)


# ---------------------------------------------------------------- spectral normalization


@pytest.mark.parametrize("make", [lambda: nn.Linear(5, 4), lambda: nn.ConvTranspose2d(3, 4, 2)])
@pytest.mark.parametrize("form", ["new", "old"])
def test_spectral_norm(form: str, make: Any) -> None:
    layer = make().double()
    weight = array(layer.weight)
    matrix = (np.moveaxis(weight, 1, 0) if weight.ndim == 4 else weight).reshape(
        weight.shape[1 if weight.ndim == 4 else 0], -1
    )
    x = cr.randn(2, *((5,) if weight.ndim == 2 else (3, 4, 4)), dtype=cr.float64)
    if form == "new":
        parametrizations.spectral_norm(layer)
    else:
        nn.utils.spectral_norm(layer)
    for _ in range(200):
        layer(x)
    np.testing.assert_allclose(
        array(layer.weight), weight / np.linalg.norm(matrix, 2), rtol=1e-9, atol=1e-12
    )
    layer.eval()
    state = {key: array(value) for key, value in layer.state_dict().items()}
    layer(x).sum().backward()
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(array(value), state[key])
    if form == "new":
        parametrize.remove_parametrizations(layer, "weight")
    else:
        nn.utils.remove_spectral_norm(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_allclose(
        np.abs(array(layer.weight)).max(),
        np.abs(weight).max() / np.linalg.norm(matrix, 2),
        rtol=1e-9,
    )


@pytest.mark.parametrize("form", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_two_calls_before_backward(form: Any) -> None:
    """As in adversarial training: the loss of real samples minus that of made ones."""
    layer = form(nn.Linear(3, 2))
    (layer(cr.ones(1, 3)) - layer(cr.zeros(1, 3))).sum().backward()
    assert all(np.isfinite(array(p.grad)).all() for p in layer.parameters())


def test_spectral_norm_of_a_vector() -> None:
    layer = parametrizations.spectral_norm(nn.Linear(3, 2), "bias")
    np.testing.assert_allclose(np.linalg.norm(array(layer.bias)), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_what_cannot_be_normalized(name: str) -> None:
    new, old = getattr(parametrizations, name), getattr(nn.utils, name)
    remove = getattr(nn.utils, f"remove_{name}")
    with pytest.raises(ValueError, match="no parameter or buffer 'wait'"):
        new(nn.Linear(1, 1), "wait")
    with pytest.raises(ValueError, match="no parameter 'wait'"):
        old(nn.Linear(1, 1), "wait")
    layer = old(nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match="has this normalization already"):
        old(layer)
    remove(layer)
    with pytest.raises(ValueError, match="no normalization of 'weight'"):
        remove(layer)
    if name == "spectral_norm":
        for function in (new, old):
            with pytest.raises(ValueError, match="at least 1"):
                function(nn.Linear(1, 1), n_power_iterations=0)


# ---------------------------------------------------------------- orthogonality

MAPS = ["matrix_exp", "cayley", "householder"]


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("trivialization", [True, False])
@pytest.mark.parametrize("name", MAPS)
def test_orthogonal(name: str, trivialization: bool, shape: tuple[int, int]) -> None:
    layer = nn.Linear(shape[1], shape[0], dtype=cr.float64)
    nn.init.orthogonal_(layer.weight)
    before = array(layer.weight)
    parametrizations.orthogonal(layer, "weight", name, use_trivialization=trivialization)
    if trivialization or name == "householder":
        np.testing.assert_allclose(array(layer.weight), before, atol=1e-12)
    original = layer.parametrizations.weight.original
    assert [key for key in layer.state_dict() if "base" in key] == (
        ["parametrizations.weight.0.base"] if trivialization else []
    )

    def off() -> float:
        q = array(layer.weight)
        q = q if shape[0] >= shape[1] else q.T
        return float(np.abs(q.T @ q - np.eye(q.shape[1])).max())

    opt = optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(3):
        opt.zero_grad()
        layer(cr.eye(shape[1], dtype=cr.float64)).square().mul(cr.arange(shape[0])).sum().backward()
        opt.step()
        assert off() < 1e-12
    assert not np.allclose(array(layer.weight), before, atol=1e-3)

    module = layer.parametrizations.weight[0]
    assert gradcheck(module, (original,))
    assert gradgradcheck(module, (original,))


def test_orthogonal_wants_a_matrix() -> None:
    with pytest.raises(ValueError, match=r"expected a matrix"):
        parametrizations.orthogonal(nn.Conv1d(2, 2, 3))
    with pytest.raises(ValueError, match=r"orthogonal_map is one of"):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr")
    layer = parametrizations.orthogonal(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"expected a matrix of shape \(2, 2\)"):
        layer.weight = cr.zeros(3, 2)
    layer.weight = cr.tensor([[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(array(layer.weight), [[0, 1], [1, 0]], atol=1e-6)
