"""autograd.Function, and gradcheck which needs one that lies."""

import gc
import weakref
from typing import Any

import pytest

import chainrule as cr
from chainrule.autograd import Function, gradcheck, gradgradcheck
from chainrule.autograd.function import once_differentiable


def leaf(*values: float) -> Any:
    return cr.tensor(values if len(values) != 1 else values[0], requires_grad=True)


# ---------------------------------------------------------------- Function


class Cube(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


@pytest.mark.smoke
def test_function() -> None:
    x = leaf(1.0, 2.0)
    y = Cube.apply(x)
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_function_is_differentiated_again() -> None:
    x = cr.tensor([0.5, 1.5], dtype=cr.float64, requires_grad=True)
    assert gradcheck(Cube.apply, (x,))
    assert gradgradcheck(Cube.apply, (x,))


def test_function_with_constants_and_several_outputs() -> None:
    class Scaled(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, factor: float, y: Any) -> Any:
            ctx.factor = factor
            ctx.wants = ctx.needs_input_grad
            return x * factor, y + 1, "text"

        @staticmethod
        def backward(ctx: Any, gx: Any, gy: Any, _: Any) -> Any:
            assert ctx.needs_input_grad == (True, False, False)
            return gx * ctx.factor, None, None

    x, y = leaf(1.0, 2.0), cr.tensor([3.0, 4.0])
    a, b, c = Scaled.apply(x, 5.0, y)
    assert c == "text"
    (a.sum() + b.sum()).backward()
    assert x.grad.tolist() == [5.0, 5.0]
    assert y.grad is None


def test_function_output_that_is_not_used_gets_zeros() -> None:
    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            assert b.tolist() == [0.0, 0.0]
            return a * 2 + b * 3

    x = leaf(1.0, 2.0)
    Two.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_function_is_freed_once_used() -> None:
    x = leaf(1.0)
    y = Cube.apply(x)
    y.backward()
    with pytest.raises(RuntimeError, match=r"^Cube: .*freed"):
        y.backward()


def test_function_forward_is_not_taped() -> None:
    modes: list[bool] = []

    class Peek(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            modes.append(cr.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            modes.append(cr.is_grad_enabled())
            return g * 7

    x = leaf(1.0)
    Peek.apply(x).backward()
    assert x.grad.item() == 7.0, "the gradient is what backward says"
    assert modes == [False, False]


def test_function_with_wrong_gradients() -> None:
    class Short(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    class Misshapen(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return cr.ones(5)

    with pytest.raises(RuntimeError, match=r"Short.*gradients"):
        Short.apply(leaf(1.0), leaf(2.0)).backward()
    with pytest.raises(RuntimeError, match="Misshapen"):
        Misshapen.apply(leaf(1.0, 2.0)).sum().backward()


def test_function_checks_versions() -> None:
    x = leaf(1.0, 2.0)
    a = x * 1
    y = Cube.apply(a)
    a.add_(1.0)
    with pytest.raises(RuntimeError, match=r"^Cube: .*changed in place"):
        y.sum().backward()


def test_error_in_backward_reaches_the_caller() -> None:
    class Fails(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            raise KeyError("from backward")

    with pytest.raises(KeyError, match="from backward"):
        Fails.apply(leaf(1.0)).backward()


class Affine(Function):
    """The newer form: forward without a context, which setup_context fills."""

    @staticmethod
    def forward(x: Any, w: Any, shift: float | None) -> Any:
        return x * w + (shift or 0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, w, ctx.shift = inputs
        ctx.save_for_backward(x, w, output)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w, output = ctx.saved_tensors
        assert output.equal(x * w + (ctx.shift or 0))
        return (g * w if ctx.needs_input_grad[0] else None), g * x, None


def test_setup_context_fills_the_context_of_a_forward_without_one() -> None:
    x, w = (cr.rand(3, dtype=cr.float64).requires_grad_() for _ in range(2))
    assert gradcheck(lambda x, w: Affine.apply(x, w, 2.0), (x, w))
    assert gradgradcheck(lambda x, w: Affine.apply(x, w, None), (x, w))
    with cr.no_grad():
        assert not Affine.apply(x, w, 1.0).requires_grad


class Outside(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Any) -> Any:
        assert not cr.is_grad_enabled()
        return g * 2


def test_once_differentiable_refuses_a_second_derivative() -> None:
    x = leaf(1.0, 2.0)
    Outside.apply(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    (g,) = cr.autograd.grad((Outside.apply(x) ** 2).sum(), x, create_graph=True)
    assert g.requires_grad
    with pytest.raises(RuntimeError, match="second derivative of a backward marked with @once_d"):
        g.sum().backward()


def test_mark_dirty_is_refused() -> None:
    class Doubled(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)

    with pytest.raises(NotImplementedError, match="Doubled: mark_dirty is not supported; return"):
        Doubled.apply(leaf(1.0))


def test_grad_takes_the_arguments_of_torch() -> None:
    x = leaf(3.0)
    (g,) = cr.autograd.grad(x * x, x, None, None, True, True, None, False, False)
    assert g.item() == 6.0
    for wrong in ({"only_inputs": False}, {"is_grads_batched": True}):
        with pytest.raises(ValueError, match="grad: only_inputs=False and is_grads_batched=True"):
            cr.autograd.grad(x * x, x, **wrong)


def test_function_is_freed() -> None:
    x = leaf(1.0)
    marks: list[Any] = []

    class Mark:
        pass

    class Holds(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark = Mark()
            marks.append(weakref.ref(ctx.mark))
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    y = Holds.apply(x)
    assert marks[0]() is not None
    del y
    gc.collect()
    assert marks[0]() is None


# ---------------------------------------------------------------- gradcheck itself


class Wrong(Function):
    """x**2 whose gradient is wrong for the second element only."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * x * g * cr.tensor([1.0, 1.5, 1.0], dtype=x.dtype)


@pytest.mark.parametrize("fast", [False, True])
def test_gradcheck_names_the_wrong_entry(fast: bool) -> None:
    x = cr.tensor([1.0, 2.0, 3.0], dtype=cr.float64, requires_grad=True)
    message = r"1 of 9 .*d output\[1\] / d input\[1\], 6 by backward and 4"
    with pytest.raises(RuntimeError, match=message):
        gradcheck(Wrong.apply, (x,), fast_mode=fast)
    assert not gradcheck(Wrong.apply, (x,), raise_exception=False, fast_mode=fast)
    assert gradcheck(cr.exp, x, fast_mode=fast)


def test_gradgradcheck_notices_what_order_one_does_not() -> None:
    class Constant(Function):
        """The right gradient, but cut off from the tape."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * ctx.saved_tensors[0].detach() * g

    x = cr.tensor([1.0, 2.0], dtype=cr.float64, requires_grad=True)
    assert gradcheck(Constant.apply, (x,))
    with pytest.raises(RuntimeError, match="input 0"):
        gradgradcheck(Constant.apply, (x,))
    assert not gradgradcheck(Constant.apply, (x,), raise_exception=False, fast_mode=True)


def test_gradcheck_notices_a_missing_gradient() -> None:
    x = cr.tensor([1.0, 2.0], dtype=cr.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        gradcheck(lambda v: v.detach() * 2, (x,))


def test_gradcheck_refuses_what_it_cannot_check() -> None:
    with pytest.raises(ValueError, match="no input requires a gradient"):
        gradcheck(cr.exp, (cr.ones(2, dtype=cr.float64),))
    with pytest.raises(ValueError, match="float32"):
        gradcheck(cr.exp, (leaf(1.0, 2.0),))
