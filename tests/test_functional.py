"""autograd.functional, the NaN watch and autograd.graph."""

import inspect
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import detect_anomaly, gradcheck, graph, set_detect_anomaly
from chainrule.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

STRATEGIES = ["reverse-mode", "forward-mode"]


def t64(data: Any, requires_grad: bool = False) -> Any:
    return cr.tensor(data, dtype=cr.float64, requires_grad=requires_grad)


def close(a: Any, b: Any) -> bool:
    return bool(np.allclose(np.asarray(a.detach()), np.asarray(b), rtol=1e-10, atol=1e-12))


# ---------------------------------------------------------------- functional


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_jacobian(strategy: str) -> None:
    x = t64([1.0, -2.0])
    found = jacobian(lambda x: x.exp().outer(x), x, vectorize=True, strategy=strategy)
    e, v, eye = np.exp([1.0, -2.0]), np.array([1.0, -2.0]), np.eye(2)
    want = np.einsum("i,j,ik->ijk", e, v, eye) + np.einsum("i,jk->ijk", e, eye)
    assert close(found, want)
    assert not found.requires_grad
    assert not x.requires_grad


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_jacobian_of_several(strategy: str) -> None:
    def f(a: Any, b: Any) -> Any:
        return a * b.sum(), b * 2, cr.ones(1, dtype=cr.float64)

    a, b = t64([1.0, 2.0]), t64([[3.0], [4.0], [5.0]])
    found = jacobian(f, (a, b), strategy=strategy)
    assert [[block.shape for block in row] for row in found] == [
        [(2, 2), (2, 3, 1)], [(3, 1, 2), (3, 1, 3, 1)], [(1, 2), (1, 3, 1)],
    ]  # fmt: skip
    assert close(found[0][0], np.eye(2) * 12)
    assert close(found[1][1].reshape(3, 3), np.eye(3) * 2)
    assert found[1][0].abs().sum().item() == 0
    single = jacobian(lambda a: (a, a.sum()), a, strategy=strategy)
    assert [block.shape for block in single] == [(2, 2), (2,)]
    (within,) = jacobian(lambda a: a * 2, (a,), strategy=strategy)
    assert within.shape == (2, 2)


def test_create_graph() -> None:
    x = t64([0.4, -0.9], requires_grad=True)
    for strategy in STRATEGIES:
        assert gradcheck(
            lambda x, s=strategy: jacobian(lambda y: y.sin() * y.sum(), x, True, strategy=s), (x,)
        )
    v = t64([1.0, 2.0], requires_grad=True)
    for product in (vjp, jvp):
        assert gradcheck(lambda x, v, p=product: p(lambda y: y.sin() * y.sum(), x, v, True), (x, v))
    for product in (hvp, vhp):
        assert gradcheck(
            lambda x, v, p=product: p(lambda y: (y.sin() * y.sum()).sum(), x, v, True), (x, v)
        )
    assert not vjp(cr.sin, x, v)[1].requires_grad
    assert x.grad is None


def test_products_agree_with_the_jacobian() -> None:
    def f(a: Any, b: Any) -> Any:
        return (a * b).sin(), (a[:, None] * b).sum(0)

    cr.manual_seed(0)
    a, b = (cr.randn(3, dtype=cr.float64) for _ in range(2))
    blocks = jacobian(f, (a, b))
    v = tuple(cr.randn(3, dtype=cr.float64) for _ in range(2))
    out, back = vjp(f, (a, b), v)
    assert out[0].equal((a * b).sin())
    for j in range(2):
        assert close(back[j], sum(np.asarray(v[i]) @ np.asarray(blocks[i][j]) for i in range(2)))
    _, ahead = jvp(f, (a, b), v)
    for i in range(2):
        assert close(ahead[i], sum(np.asarray(blocks[i][j]) @ np.asarray(v[j]) for j in range(2)))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_hessian(strategy: str) -> None:
    def f(a: Any, b: Any) -> Any:
        return (a.pow(3) * b.sum()).sum() + (b**2).sum()

    a, b = t64([1.0, 2.0]), t64([0.5, -1.0, 2.0])
    (aa, ab), (ba, bb) = hessian(f, (a, b), outer_jacobian_strategy=strategy)
    assert close(aa, np.diag([9.0, 18.0]))
    assert close(ab, np.array([[3.0] * 3, [12.0] * 3]))
    assert close(ba, np.asarray(ab).T)
    assert close(bb, 2 * np.eye(3))
    va, vb = t64([1.0, -1.0]), t64([2.0, 0.0, 1.0])
    for product in (hvp, vhp):
        value, (pa, pb) = product(f, (a, b), (va, vb))
        assert close(value, np.asarray(f(a, b)))
        assert close(pa, np.asarray(aa) @ np.asarray(va) + np.asarray(ab) @ np.asarray(vb))
        assert close(pb, np.asarray(ba) @ np.asarray(va) + np.asarray(bb) @ np.asarray(vb))
    assert hessian(lambda x: x.sum(), a, outer_jacobian_strategy=strategy).abs().sum().item() == 0


def test_one_element_needs_no_vector() -> None:
    x = t64(2.0)
    assert vjp(lambda x: x**3, x)[1].item() == 12
    assert jvp(lambda x: x**3, x)[1].item() == 12
    assert hvp(lambda x: x**3, x)[1].item() == 12


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: vjp(cr.sin, x), RuntimeError, "v may be left out only for outputs"),
        (lambda x: jvp(cr.sin, x, t64([1.0])), RuntimeError, r"shapes \[\(1,\)\]; expected"),
        (lambda x: jacobian(cr.sin, [x]), TypeError, "inputs must be a tensor or a tuple"),
        (lambda x: jacobian(lambda x: 3, x), TypeError, "results must be a tensor"),
        (lambda x: jacobian(cr.sin, ()), ValueError, "empty tuple"),
        (lambda x: jacobian(cr.sin, x, strategy="both"), ValueError, "strategy is"),
        (lambda x: hessian(cr.sin, x), RuntimeError, "one tensor of one element"),
        (lambda x: vjp(lambda x: t64(1.0), x, strict=True), RuntimeError, "output 0 does not"),
        (
            lambda x: vjp(lambda x, y: x, (x, x), x, strict=True),
            RuntimeError,
            "do not depend on input 1",
        ),
        (
            lambda x: jacobian(lambda x: x * 2, x, create_graph=True, strict=True),
            RuntimeError,
            "does not depend on input 0",
        ),
        (lambda x: hessian(lambda x: x.sum(), x, strict=True), RuntimeError, "only linearly"),
        (
            lambda x: jacobian(cr.sin, x, strict=True, strategy="forward-mode"),
            RuntimeError,
            "needs the strategy",
        ),
    ],
)
def test_errors(call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        call(t64([1.0, 2.0]))


# ---------------------------------------------------------------- the NaN watch


@pytest.mark.smoke
def test_a_nan_in_backward_names_op_and_line() -> None:
    x = t64([0.0, 1.0], requires_grad=True)
    with detect_anomaly():
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        y = x.sqrt()
        with pytest.raises(RuntimeError) as caught:
            (y * 0).sum().backward()
    text = str(caught.value)
    assert text.startswith("SqrtBackward: the backward pass made nan in gradient 0")
    assert f'test_functional.py", line {line}, in test_a_nan' in text
    assert text.endswith("y = x.sqrt()")


def test_a_nan_in_forward() -> None:
    x = cr.tensor([-1.0, 1.0], requires_grad=True)
    with detect_anomaly(), pytest.raises(RuntimeError, match=r"LogBackward: the forward .*\n.*\n"):
        x.log()
    with detect_anomaly(check_nan=False):
        y = x.log()
    assert y[0].isnan()
    with detect_anomaly():
        assert (cr.tensor([-1.0]).log()).isnan().all()  # not taped


def test_a_nan_written_in_place() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        y = x * 1
        with pytest.raises(RuntimeError, match="forward pass made nan"):
            y.sub_(3.0).log_()


def test_the_line_is_the_users() -> None:
    """Inside modules of the package, the line that called them."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            return self.fc(x).sqrt()

    net = Net()
    with cr.no_grad():
        net.fc.weight.fill_(-1.0)
    with detect_anomaly(), pytest.raises(RuntimeError, match=r"self.fc\(x\).sqrt\(\)"):
        net(cr.ones(1, 2))
    with detect_anomaly(check_nan=False):
        out = net.fc(cr.ones(1, 2))
    assert "net.fc(cr.ones(1, 2))" in out.grad_fn.metadata["traceback_"][0]


def test_other_errors_of_backward_are_located() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        y = x.exp()
        z = y * y
        y.detach().zero_()
        with pytest.raises(RuntimeError, match=r"changed in place.*\n.*called here:\n.*\n.*z = y"):
            z.sum().backward()


def test_a_graph_made_before_tells_to_turn_it_on() -> None:
    x = t64([0.0], requires_grad=True)
    y = x.sqrt() * 0
    with detect_anomaly(), pytest.raises(RuntimeError, match="Turn anomaly detection on"):
        y.sum().backward()


def test_a_nan_in_double_backward_names_the_first_line() -> None:
    x = t64([0.0], requires_grad=True)
    with detect_anomaly():
        y = x.abs() ** 1.5
        (g,) = cr.autograd.grad(y.sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match=r"in the gradient of \w+, called here:\n.*\n.*1.5"):
            (g * 0).sum().backward()


def test_function_is_watched() -> None:
    class Bad(cr.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * float("nan")

    x = t64([1.0], requires_grad=True)
    with (
        detect_anomaly(),
        pytest.raises(RuntimeError, match=r"BadBackward: .*gradient 0(.|\n)*app"),
    ):
        Bad.apply(x).sum().backward()


def test_the_switch() -> None:
    assert not cr.is_anomaly_enabled()
    with set_detect_anomaly(True, check_nan=False):
        assert cr.is_anomaly_enabled()
        assert not cr.is_anomaly_check_nan_enabled()
        with detect_anomaly():
            assert cr.is_anomaly_check_nan_enabled()
        assert not cr.is_anomaly_check_nan_enabled()
        with set_detect_anomaly(False):
            assert not cr.is_anomaly_enabled()
    assert not cr.is_anomaly_enabled()
    set_detect_anomaly(True)
    assert cr.is_anomaly_enabled()
    set_detect_anomaly(False)

    @detect_anomaly()
    def watched() -> bool:
        return bool(cr.is_anomaly_enabled())

    assert watched()
    assert not cr.is_anomaly_enabled()


def test_results_are_the_same_under_watch() -> None:
    x = t64([0.3, 1.2], requires_grad=True)
    plain = hessian(lambda x: (x.sin() * x.sum()).sum(), x)
    with detect_anomaly():
        assert hessian(lambda x: (x.sin() * x.sum()).sum(), x).equal(plain)


# ---------------------------------------------------------------- graph


def test_nodes() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp().sum()
    assert isinstance(y.grad_fn, graph.Node)
    assert y.grad_fn.name() == "SumBackward"
    assert y.grad_fn.metadata == {}
    assert y.grad_fn.next_functions[0][0].name() == "ExpBackward"
    edge = graph.get_gradient_edge(x)
    assert edge.node == y.grad_fn.next_functions[0][0].next_functions[0][0]
    with pytest.raises(RuntimeError, match="does not require"):
        graph.get_gradient_edge(x.detach())


def test_absent_names_say_what_to_use() -> None:
    with pytest.raises(AttributeError, match=r"func.jvp"):
        _ = cr.autograd.forward_ad
    with pytest.raises(AttributeError, match="every tensor is on the CPU"):
        _ = graph.save_on_cpu
