"""chainrule.func and autograd.functional against torch's, on the same functions and inputs."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import func as ours
from chainrule.autograd import functional as our_functional

torch = pytest.importorskip("torch")
theirs = torch.func
their_functional = torch.autograd.functional

# torch warns about parts of itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RNG = np.random.default_rng(0)
A, B, M = RNG.standard_normal(3), RNG.standard_normal(3), RNG.standard_normal((3, 4))

# Functions of one vector, written once for both libraries (`m` is the library).
VECTOR: dict[str, Any] = {
    "pointwise": lambda m, x: x.sin() * x.exp() + x.tanh(),
    "sum": lambda m, x: (x * x.sum()).cumsum(0),
    "softmax": lambda m, x: x.softmax(0),
    "matmul": lambda m, x: x @ m.tensor(M),
    "outer": lambda m, x: m.outer(x, x.exp()),
    "sort": lambda m, x: x.sort().values * x,
    "index": lambda m, x: x[[2, 0, 0]] ** 3,
    "norm": lambda m, x: x / (x * x).sum().sqrt(),
    "linear": lambda m, x: x * 2,
    "tree": lambda m, x: {"a": x.sin(), "b": (x.sum(), [x**2])},
}


def same(a: Any, b: Any) -> None:
    """Equal trees of tensors."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
        return
    assert tuple(a.shape) == tuple(b.shape)
    assert a.requires_grad == b.requires_grad
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


def both(f: Any) -> tuple[Any, Any]:
    return f(cr, ours), f(torch, theirs)


@pytest.mark.parametrize("name", VECTOR)
@pytest.mark.parametrize("transform", ["jacrev", "jacfwd"])
def test_jacobians(name: str, transform: str) -> None:
    same(*both(lambda m, t: getattr(t, transform)(lambda x: VECTOR[name](m, x))(m.tensor(A))))


@pytest.mark.parametrize("name", [name for name in VECTOR if name != "tree"])
def test_hessian_grad_vjp_jvp(name: str) -> None:
    f = VECTOR[name]
    v = RNG.standard_normal(f(cr, cr.tensor(A)).shape)

    def run(m: Any, t: Any) -> Any:
        x, d = m.tensor(A), m.tensor(B)
        value, pull = t.vjp(lambda x: f(m, x), x)
        pushed = t.jvp(lambda x: f(m, x), (x,), (d,))
        grad = t.grad(lambda x: (f(m, x) ** 2).sum())(x)
        hessian = t.hessian(lambda x: (f(m, x) ** 2).sum())(x)
        third = t.jacrev(t.hessian(lambda x: (f(m, x) ** 2).sum()))(x)
        return [value, pull(m.tensor(v)), *pushed, grad, hessian, third]

    same(*both(run))


def test_nested() -> None:
    def run(m: Any, t: Any) -> Any:
        x = m.tensor(A)
        xs = m.tensor(M)
        per_sample = t.vmap(t.grad(lambda x, w: (x * w).sin().sum()), in_dims=(1, None))(xs, x)
        hessians = t.vmap(t.hessian(lambda x: x.prod()), in_dims=1, out_dims=-1)(xs)
        inner = t.grad(lambda x: (x * t.vmap(t.grad(lambda y: y**3))(x)).sum())(x)
        mixed = t.jacfwd(t.jacrev(lambda x, y: (x * y).exp(), argnums=1), argnums=0)(x, x)
        aux = t.jacrev(t.grad(lambda x: ((x**3).sum(), x), has_aux=True), has_aux=True)(x)
        return [per_sample, hessians, inner, mixed, aux]

    same(*both(run))


def test_history_is_kept_where_torch_keeps_it() -> None:
    def run(m: Any, t: Any) -> Any:
        x, w = m.tensor(A), m.tensor(B).requires_grad_()
        g = t.grad(lambda x: (x**2 * w).sum())(x)
        (gw,) = m.autograd.grad((g**2).sum(), w)
        plain = t.grad(lambda x: (x**2).sum())(x)
        leaf = m.tensor(A).requires_grad_()
        kept = t.grad(lambda x: (x**3).sum())(leaf)
        (second,) = m.autograd.grad(kept.sum(), leaf)
        value, pull = t.vjp(lambda x: x**2, leaf)
        return [g, gw, plain, kept, second, value, pull(m.tensor(B))]

    same(*both(run))


@pytest.mark.parametrize("create_graph", [False, True])
def test_functional(create_graph: bool) -> None:
    def f(a: Any, b: Any) -> Any:
        return (a * b).sin(), a.outer(b) * a.sum(), b**2

    def s(a: Any, b: Any) -> Any:
        return (a**3 * b.exp()).sum()

    def run(m: Any, t: Any) -> Any:
        x = tuple(m.tensor(v).requires_grad_() for v in (A, B))
        v = tuple(m.tensor(v) for v in (B, A))
        outputs = tuple(m.tensor(RNG_V[k]) for k in range(3))
        return [
            t.jacobian(f, x, create_graph=create_graph),
            t.hessian(s, x, create_graph=create_graph),
            *t.vjp(f, x, outputs, create_graph=create_graph),
            *t.hvp(s, x, v, create_graph=create_graph),
            *t.vhp(s, x, v, create_graph=create_graph),
            *t.jvp(f, x, v, create_graph=create_graph),
        ]

    same(run(cr, our_functional), run(torch, their_functional))


RNG_V = [RNG.standard_normal(3), RNG.standard_normal((3, 3)), RNG.standard_normal(3)]


def test_functional_call_and_stacked_modules() -> None:
    def build(m: Any, t: Any) -> Any:
        nets = [
            m.nn.Sequential(m.nn.Linear(3, 5), m.nn.Tanh(), m.nn.Linear(5, 2)) for _ in range(3)
        ]
        rng = np.random.default_rng(1)
        with m.no_grad():
            for net in nets:
                for p in net.parameters():
                    p.copy_(m.tensor(rng.standard_normal(tuple(p.shape)).astype(np.float32)))
        params, buffers = t.stack_module_state(nets)
        x = m.tensor(rng.standard_normal((4, 3)).astype(np.float32))

        def run(p: Any, b: Any, x: Any) -> Any:
            return t.functional_call(nets[0], (p, b), (x,))

        out = t.vmap(run, in_dims=(0, 0, None))(params, buffers, x)
        grads = t.grad(lambda p: (t.functional_call(nets[0], p, x) ** 2).sum())(
            {name: p.detach() for name, p in nets[1].named_parameters()}
        )
        return out, grads

    (out, grads), (want, expected) = both(build)
    np.testing.assert_allclose(out.detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-6)
    for name, g in expected.items():
        np.testing.assert_allclose(grads[name].numpy(), g.numpy(), rtol=1e-4, atol=1e-5)
