"""Operations with a gradient written in Python."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._core import Tensor, _attach_function, is_grad_enabled
from .mode import no_grad


class FunctionCtx:
    """What ``forward`` leaves for ``backward``; any attribute may be set on it."""

    def __init__(self, function: type[Function], needs_input_grad: tuple[bool, ...]) -> None:
        self._function = function
        self._to_save: tuple[Tensor | None, ...] = ()
        self._saved: tuple[Tensor | None, ...] | None = None
        self._materialize_grads = True
        self._outputs: list[bool] = []  # whether each result of forward is a tensor
        self._non_differentiable: tuple[Tensor, ...] = ()
        self.needs_input_grad = needs_input_grad

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors; an in-place change before backward is noticed."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward: expected tensors (got {type(tensor).__name__}); "
                    "set other values as attributes of ctx"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors given to :meth:`save_for_backward`; only inside ``backward``."""
        if self._saved is None:
            raise RuntimeError("saved_tensors: available inside backward only")
        return self._saved

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Refuse: what ``forward`` writes into an argument cannot be taped."""
        raise NotImplementedError(
            f"{self._function.__name__}: mark_dirty is not supported; return a new tensor, or "
            "write in place with chainrule's own operations, outside of a Function"
        )

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Declare outputs that no gradient flows through."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients reach ``backward`` as zeros (default) or as None."""
        self._materialize_grads = value

    def _run_backward(
        self, saved: tuple[Tensor | None, ...], grads: tuple[Tensor | None, ...]
    ) -> list[Tensor | None]:
        self._saved = saved
        arrived = iter(grads)
        try:
            result = self._function.backward(
                self, *(next(arrived) if is_tensor else None for is_tensor in self._outputs)
            )
        finally:
            self._saved = None
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        expected = len(self.needs_input_grad)
        if len(results) > expected and all(r is None for r in results[expected:]):
            results = results[:expected]
        if len(results) != expected:
            raise RuntimeError(
                f"{self._function.__name__}: backward returned {len(results)} gradients; "
                f"expected one per argument of forward ({expected}), None where there is none"
            )
        return results


class Function:
    """Base of operations that define their own gradient.

    A subclass gives ``forward(ctx, *args)`` and ``backward(ctx, *grads)``, which returns one
    gradient per argument of forward (None for those that have none), and is called by
    ``apply(*args)``. A backward made of chainrule operations has derivatives of every order.
    With ``setup_context(ctx, inputs, output)`` defined, it is ``forward(*args)``.

    Example:
        >>> class Cube(cr.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x**3
        ...
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return grad * 3 * x**2
        >>> x = cr.tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor(12.)
    """

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the result from the arguments."""
        raise NotImplementedError("Function: forward must be defined")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what ``backward`` needs of the arguments and the result of ``forward``."""
        raise NotImplementedError("Function: setup_context is not defined")

    @staticmethod
    def backward(ctx: Any, *grads: Any, **kwargs: Any) -> Any:
        """Compute the gradients of the arguments from those of the results."""
        raise NotImplementedError("Function: backward must be defined")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run ``forward`` and put the call on the tape."""
        needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        ctx = FunctionCtx(cls, needs)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                result = cls.forward(ctx, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
        if not (is_grad_enabled() and any(needs)):
            return result
        single = isinstance(result, Tensor)
        outputs = [result] if single else list(result)
        ctx._outputs = [isinstance(o, Tensor) for o in outputs]
        tensors = [o for o in outputs if isinstance(o, Tensor)]
        constants = {id(t) for t in ctx._non_differentiable}
        attached = iter(
            _attach_function(
                ctx,
                cls.__name__,
                [a if isinstance(a, Tensor) else None for a in args],
                tensors,
                list(ctx._to_save),
                [id(t) not in constants for t in tensors],
            )
        )
        outputs = [next(attached) if isinstance(o, Tensor) else o for o in outputs]
        return outputs[0] if single else tuple(outputs)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a ``backward`` that is not made of chainrule operations: it has no second derivative.

    Example:
        >>> class Double(cr.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...
        ...     @staticmethod
        ...     @cr.autograd.function.once_differentiable
        ...     def backward(ctx, grad):
        ...         return cr.tensor(grad.numpy() * 2)
        >>> x = cr.tensor([1.0], requires_grad=True)
        >>> Double.apply(x).backward()
        >>> x.grad
        tensor([2.])
    """

    @functools.wraps(backward)
    def run(ctx: Any, *grads: Tensor | None) -> Any:
        with no_grad():
            results = backward(ctx, *grads)
        taped = [g for g in grads if g is not None and g.requires_grad]
        if not (is_grad_enabled() and taped):
            return results
        many = results if isinstance(results, tuple) else (results,)
        return tuple(
            _Once.apply(result, *taped) if isinstance(result, Tensor) else result for result in many
        )

    return run


class _Once(Function):
    """A gradient that says that it has none itself."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, *grads: Tensor) -> Tensor:
        return result.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        raise RuntimeError("a second derivative of a backward marked with @once_differentiable")
