"""The tape: accumulation, orders of derivative, modes, hooks, functions, versions, deep graphs."""

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import chainrule as cr


def leaf(*values: float) -> Any:
    return cr.tensor(values if len(values) != 1 else values[0], requires_grad=True)


class Cube(cr.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


# ---------------------------------------------------------------- backward


@pytest.mark.smoke
def test_backward_accumulates() -> None:
    x = leaf(1.0, 2.0, 3.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    (3 * x).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0, 9.0]
    x.grad = None
    (3 * x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]


def test_accumulation_does_not_write_into_a_shared_gradient() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).sum().backward()
    x.grad.mul_(10.0)
    assert y.grad.tolist() == [1.0, 1.0]
    kept = y.grad
    (2 * y).sum().backward()
    assert y.grad is kept, "a second backward adds in place"
    assert kept.tolist() == [3.0, 3.0]


def test_every_use_of_a_tensor_counts() -> None:
    x = leaf(2.0)
    y = x * x + x * 3 - x / 2
    y.backward()
    assert x.grad.item() == pytest.approx(2 * 2.0 + 3 - 0.5)


def test_diamond() -> None:
    x = leaf(0.5)
    a = x.exp()
    b, c = a * 2, a * 3
    (b * c).backward()
    assert x.grad.item() == pytest.approx(12 * np.exp(1.0), rel=1e-6)


def test_backward_with_a_gradient() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    y.backward(cr.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]


def test_backward_to_chosen_inputs() -> None:
    x, y = leaf(2.0), leaf(3.0)
    (x * y).backward(inputs=[x])
    assert x.grad.item() == 3.0
    assert y.grad is None


def test_autograd_backward_of_several_roots() -> None:
    x = leaf(2.0)
    cr.autograd.backward([x * 2, x * x])
    assert x.grad.item() == 6.0


def test_tensors_that_want_no_gradient_get_none() -> None:
    x, c = leaf(1.0), cr.tensor(2.0)
    (x * c).backward()
    assert c.grad is None
    assert not (c * 2).requires_grad
    assert (x * c).requires_grad


def test_gradient_has_the_shape_and_dtype_of_the_tensor() -> None:
    x = cr.ones(3, 1, dtype=cr.float64, requires_grad=True)
    y = cr.ones(4, dtype=cr.float32, requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.shape, x.grad.dtype) == ((3, 1), cr.float64)
    assert (y.grad.shape, y.grad.dtype) == ((4,), cr.float32)
    assert x.grad.flatten().tolist() == [4.0] * 3
    assert y.grad.tolist() == [3.0] * 4


def test_grad_fn_names_the_op_and_leaves_have_none() -> None:
    x = leaf(1.0)
    assert x.is_leaf
    assert x.grad_fn is None
    y = x.exp()
    assert not y.is_leaf
    assert "exp" in repr(y.grad_fn).lower()
    assert cr.tensor(1.0).is_leaf


# ---------------------------------------------------------------- graphs that live or die


def test_freed_graph() -> None:
    x = leaf(1.0, 2.0)
    y = (x.exp() * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"freed.*retain_graph=True"):
        y.backward()


def test_retain_graph() -> None:
    x = leaf(1.0, 2.0)
    y = (x.exp() * x).sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward()
    assert x.grad.tolist() == (2 * first).tolist()


def test_backward_frees_what_was_saved() -> None:
    x = leaf(1.0, 2.0)
    array = np.ones(2, np.float32)
    alive = weakref.ref(array)
    y = (x * cr.from_numpy(array)).sum()
    del array
    gc.collect()
    assert alive() is not None, "saved for backward"
    y.backward()
    gc.collect()
    assert alive() is None
    assert y.grad_fn is not None


def test_dropping_the_result_frees_the_graph() -> None:
    x = leaf(1.0, 2.0)
    array = np.ones(2, np.float32)
    alive = weakref.ref(array)
    y = x * cr.from_numpy(array)
    del array
    gc.collect()
    assert alive() is not None, "saved for backward"
    del y
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("binary", [False, True])
def test_deep_chain(binary: bool) -> None:
    """100,000 ops run backward and are freed without recursion, used or not."""
    for backward in (True, False):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y + x if binary else y * 1.0
        if backward:
            y.backward()
            assert x.grad.item() == (100_001.0 if binary else 1.0)
        del y


def test_deep_chain_of_second_order() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = y * 1.0
    (g,) = cr.autograd.grad(y * y, x, create_graph=True)
    (h,) = cr.autograd.grad(g, x)
    assert h.item() == 2.0


# ---------------------------------------------------------------- any order


@pytest.mark.smoke
def test_third_derivative() -> None:
    x = cr.tensor(1.5, dtype=cr.float64, requires_grad=True)
    fourth = (4 * 1.5**3, 12 * 1.5**2, 24 * 1.5, 24.0, 0.0)
    for power, derivatives in ((4, fourth), (3, (3 * 1.5**2, 9.0, 6.0, 0.0))):
        y = x**power
        for expected in derivatives:
            (y,) = cr.autograd.grad(y, x, create_graph=True)
            assert y.item() == pytest.approx(expected, rel=1e-12)


def test_fourth_derivative_of_a_transcendental() -> None:
    x = cr.tensor(0.7, dtype=cr.float64, requires_grad=True)
    y = x.sin() * x.exp()
    for _ in range(4):
        (y,) = cr.autograd.grad(y, x, create_graph=True)
    assert y.item() == pytest.approx(-4 * np.sin(0.7) * np.exp(0.7), rel=1e-12)


def test_create_graph_in_backward() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    slope, x.grad = x.grad, None
    slope.backward()
    assert x.grad.item() == 12.0


def test_gradient_penalty() -> None:
    """The gradient of a function of gradients, with respect to other leaves."""
    w = cr.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=cr.float64, requires_grad=True)
    x = cr.tensor([0.5, -0.5], dtype=cr.float64, requires_grad=True)
    y = ((w @ x).tanh()).sum()
    (g,) = cr.autograd.grad(y, x, create_graph=True)
    (g * g).sum().backward()

    def penalty(values: np.ndarray) -> float:
        slope = values.T @ (1 - np.tanh(values @ [0.5, -0.5]) ** 2)
        return float(slope @ slope)

    base, eps = w.detach().numpy(), 1e-6
    for at in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[at] = eps
        numeric = (penalty(base + step) - penalty(base - step)) / (2 * eps)
        assert w.grad[at].item() == pytest.approx(numeric, rel=1e-6)


# ---------------------------------------------------------------- autograd.grad


@pytest.mark.smoke
def test_grad_returns_and_leaves_grad_alone() -> None:
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = cr.autograd.grad(x * y, [x, y])
    assert (gx.item(), gy.item()) == (3.0, 2.0)
    assert x.grad is None
    assert not gx.requires_grad


def test_grad_of_an_intermediate() -> None:
    x = leaf(2.0)
    a = x * 3
    (g,) = cr.autograd.grad(a * a, a)
    assert g.item() == 12.0


def test_grad_with_grad_outputs() -> None:
    x = leaf(1.0, 2.0)
    (g,) = cr.autograd.grad(x * x, x, grad_outputs=cr.tensor([1.0, 10.0]))
    assert g.tolist() == [2.0, 40.0]
    (g,) = cr.autograd.grad([x * x, x.sum()], [x], grad_outputs=[cr.ones(2), None])
    assert g.tolist() == [3.0, 5.0]


def test_unused_inputs() -> None:
    x, unused = leaf(2.0), leaf(1.0)
    y = x * x
    with pytest.raises(RuntimeError, match="allow_unused"):
        cr.autograd.grad(y, [x, unused], retain_graph=True)
    gx, gu = cr.autograd.grad(y, [x, unused], allow_unused=True)
    assert gx.item() == 4.0
    assert gu is None


def test_grad_of_a_constant_is_refused() -> None:
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        cr.autograd.grad(cr.tensor(1.0), leaf(1.0))
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        cr.tensor(1.0).backward()
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="require"):
        cr.autograd.grad(x * 2, cr.tensor(1.0))


def test_root_must_be_a_scalar() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="one-element"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="one-element"):
        cr.autograd.grad(x * 2, x)
    cr.tensor([[1.0]], requires_grad=True).exp().backward()


def test_gradient_of_the_wrong_shape() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises((RuntimeError, ValueError), match=r"\(2,\)|\(3,\)"):
        (x * 2).backward(cr.ones(3))


# ---------------------------------------------------------------- modes


@pytest.mark.smoke
def test_no_grad() -> None:
    x = leaf(1.0)
    with cr.no_grad():
        assert not cr.is_grad_enabled()
        y = x * 2
        with cr.enable_grad():
            z = x * 2
    assert cr.is_grad_enabled()
    assert not y.requires_grad
    assert y.grad_fn is None
    assert z.requires_grad


def test_modes_as_decorators() -> None:
    x = leaf(1.0)

    @cr.no_grad()
    def off(v: Any) -> Any:
        """Doubles."""
        return v * 2

    @cr.enable_grad()
    def on(v: Any) -> Any:
        return v * 2

    @cr.inference_mode()
    def inference(v: Any) -> Any:
        return v * 2

    assert off.__name__ == "off"
    assert off.__doc__ == "Doubles."
    assert not off(x).requires_grad
    assert not inference(x).requires_grad
    with cr.no_grad():
        assert on(x).requires_grad
    assert off(off(x)).item() == 4.0


@pytest.mark.parametrize("mode", [cr.no_grad, cr.enable_grad, cr.inference_mode])
def test_a_mode_decorates_without_parentheses(mode: Any) -> None:
    @mode
    def enabled() -> bool:
        return cr.is_grad_enabled()

    with cr.set_grad_enabled(mode is not cr.enable_grad):
        assert enabled() is (mode is cr.enable_grad)
        assert cr.is_grad_enabled() is not enabled()


def test_a_switch_refuses_arguments() -> None:
    with pytest.raises(TypeError, match="takes no arguments but the function it decorates"):
        cr.no_grad(1, 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes no arguments but the function it decorates"):
        cr.enable_grad(mode=True)  # type: ignore[call-arg]


def test_a_mode_is_restored_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), cr.no_grad():
        _ = 1 / 0
    assert cr.is_grad_enabled()


def test_set_grad_enabled() -> None:
    x = leaf(1.0)
    with cr.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    cr.set_grad_enabled(False)
    assert not cr.is_grad_enabled()
    cr.set_grad_enabled(True)
    assert cr.is_grad_enabled()


def test_inference_mode() -> None:
    x = leaf(1.0)
    with cr.inference_mode():
        assert cr.is_inference_mode_enabled()
        y = x * 2
        assert y.is_inference()
    assert not cr.is_inference_mode_enabled()
    with pytest.raises(RuntimeError, match="inference"):
        x * y
    with cr.inference_mode(False):
        assert (x * 2).requires_grad


def test_modes_belong_to_a_thread() -> None:
    seen: list[bool] = []
    with cr.no_grad():
        thread = threading.Thread(target=lambda: seen.append(cr.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# ---------------------------------------------------------------- requires_grad, detach


def test_integers_cannot_require_a_gradient() -> None:
    with pytest.raises(RuntimeError, match="floating"):
        cr.tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match="floating"):
        cr.tensor([1, 2]).requires_grad_()
    with pytest.raises(RuntimeError, match="floating"):
        cr.tensor([True]).requires_grad = True


def test_only_leaves_change_requires_grad() -> None:
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match=r"leaf"):
        y.requires_grad = False
    x = leaf(1.0)
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_detach_shares_memory_and_cuts_the_tape() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    d = y.detach()
    assert not d.requires_grad
    assert d.data_ptr() == y.data_ptr()
    (y * d).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_detach_in_place() -> None:
    y = leaf(1.0) * 2
    assert y.detach_() is y
    assert not y.requires_grad
    assert y.is_leaf


def test_clone_passes_the_gradient() -> None:
    x = leaf(1.0, 2.0)
    c = x.clone()
    assert c.data_ptr() != x.data_ptr()
    (c * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_casts_pass_the_gradient() -> None:
    x = leaf(1.0, 2.0)
    (x.double() * 3).sum().backward()
    assert x.grad.dtype == cr.float32
    assert x.grad.tolist() == [3.0, 3.0]
    assert not x.long().requires_grad


# ---------------------------------------------------------------- hooks


@pytest.mark.smoke
def test_hooks_see_change_and_leave() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    seen: list[list[float]] = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0, 1.0]]
    assert x.grad.tolist() == [30.0, 30.0]
    handle.remove()
    y.sum().backward()
    assert len(seen) == 1
    assert x.grad.tolist() == [60.0, 60.0]


def test_hook_on_a_leaf() -> None:
    x = leaf(1.0, 2.0)
    handle = x.register_hook(lambda g: -g)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [-3.0, -3.0]
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_hook_sees_the_whole_gradient_once() -> None:
    x = leaf(1.0)
    y = x * 2
    seen: list[float] = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4).backward()
    assert seen == [7.0]


def test_hook_that_fails_reaches_the_caller() -> None:
    y = leaf(1.0) * 2

    def fail(g: Any) -> None:
        raise KeyError("from the hook")

    y.register_hook(fail)
    with pytest.raises(KeyError, match="from the hook"):
        y.backward()


def test_hook_needs_a_gradient() -> None:
    with pytest.raises(RuntimeError, match="require"):
        cr.tensor(1.0).register_hook(lambda g: g)


def test_retain_grad() -> None:
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    (y * y).backward()
    assert y.grad.item() == 12.0
    assert x.grad.item() == 36.0
    with pytest.raises(RuntimeError, match="require"):
        cr.tensor(1.0).retain_grad()


def test_grad_can_be_assigned() -> None:
    x = leaf(1.0, 2.0)
    x.grad = cr.ones(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    with pytest.raises((RuntimeError, ValueError)):
        x.grad = cr.ones(3)
    with pytest.raises(TypeError):
        x.grad = 1.0


# ---------------------------------------------------------------- conventions at kinks


def test_ties() -> None:
    x = leaf(1.0, 3.0, 3.0)
    x.amax().backward()
    assert x.grad.tolist() == [0.0, 0.5, 0.5]
    x.grad = None
    x.max(dim=0)[0].backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]
    a, b = leaf(1.0, 2.0), leaf(1.0, 3.0)
    cr.maximum(a, b).sum().backward()
    assert a.grad.tolist() == [0.5, 0.0]
    assert b.grad.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.relu(), [0.0, 0.0, 1.0]),
        (lambda x: x.abs(), [-1.0, 0.0, 1.0]),
        (lambda x: x.clamp(0.0, 1.0), [0.0, 1.0, 1.0]),
        (lambda x: x.sign(), [0.0, 0.0, 0.0]),
        (lambda x: cr.nn.functional.leaky_relu(x, 0.1), [0.1, 0.1, 1.0]),
        (lambda x: (x * x).sum().sqrt(), [-(0.5**0.5), 0.0, 0.5**0.5]),
    ],
)
def test_kinks(function: Any, expected: list[float]) -> None:
    x = leaf(-1.0, 0.0, 1.0)
    function(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


def test_norm_at_zero() -> None:
    x = leaf(0.0, 0.0)
    x.norm().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_where_does_not_leak_nan() -> None:
    x = leaf(-1.0, 4.0)
    y = cr.where(x > 0, x.clamp(min=1e-3).sqrt(), 0.0)
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_zeros_of_prod() -> None:
    x = leaf(2.0, 0.0, 3.0)
    x.prod().backward()
    assert x.grad.tolist() == [0.0, 6.0, 0.0]


# ---------------------------------------------------------------- threads


def test_graphs_built_in_several_threads() -> None:
    x = leaf(1.0, 2.0)
    parts: list[Any] = [None] * 8

    def build(k: int) -> None:
        parts[k] = (x * float(k)).sum()

    threads = [threading.Thread(target=build, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    sum(parts[1:], parts[0]).backward()
    assert x.grad.tolist() == [28.0, 28.0]


def test_backward_in_several_threads() -> None:
    """Private leaves: no interference. A shared leaf: every contribution arrives."""
    shared = leaf(1.0)
    wrong: list[Any] = []

    def work(k: int) -> None:
        mine = leaf(float(k))
        for _ in range(50):
            (mine * mine + shared).backward()
        if mine.grad.item() != 100.0 * k:
            wrong.append((k, mine.grad.item()))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert shared.grad.item() == 400.0


# ---------------------------------------------------------------- memory


def test_memory_comes_back() -> None:
    """Graphs of every kind leave no buffer behind."""
    n = 1 << 16

    def step() -> None:
        x = cr.ones(n, requires_grad=True)
        y = x * 1
        y[1:].mul_(y[:-1])
        y.register_hook(lambda g: g * 2)
        z = (y.exp() * Cube.apply(y)).mean()
        z.retain_grad()
        (g,) = cr.autograd.grad(z, x, create_graph=True)
        (g * g).sum().backward()
        with pytest.raises(RuntimeError, match="freed"):
            z.backward()
        (x * 2)[::2].sum()  # a graph that is never used

    step()
    gc.collect()
    before = cr.memory_stats()["allocated"]
    for _ in range(5):
        step()
    gc.collect()
    assert cr.memory_stats()["allocated"] == before


def test_numbers_in_formulas_have_full_precision():
    """1 - 0.1 and 1/3 - 1 were once taken in the default dtype, float32."""
    x = cr.tensor([2.0], dtype=cr.float64, requires_grad=True)
    (x ** (1 / 3)).backward()
    assert x.grad.item() == pytest.approx((1 / 3) * 2 ** (1 / 3 - 1), rel=1e-15)
    x = cr.tensor([2.0], dtype=cr.float64, requires_grad=True)
    cr.lerp(x, cr.ones(1, dtype=cr.float64), 0.1).backward()
    assert x.grad.item() == pytest.approx(0.9, rel=1e-15)
