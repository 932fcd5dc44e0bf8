"""Hooks of a Module: where they are kept, how they are removed, how a hooked call runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chainrule import Tensor
from chainrule.autograd import Function

if TYPE_CHECKING:
    from .module import Module


class Hooks:
    """The hooks of one module, by kind, in the order they run."""

    def __init__(self) -> None:
        self.forward_pre: dict[int, tuple[Callable[..., Any], bool]] = {}
        self.forward: dict[int, tuple[Callable[..., Any], bool, bool]] = {}
        self.backward_pre: dict[int, Callable[..., Any]] = {}
        self.backward: dict[int, Callable[..., Any]] = {}
        self.state_dict_pre: dict[int, Callable[..., Any]] = {}
        self.state_dict: dict[int, Callable[..., Any]] = {}
        self.load_pre: dict[int, Callable[..., Any]] = {}
        self.load_post: dict[int, Callable[..., Any]] = {}


def call_with_hooks(
    module: Module, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run pre-hooks, ``forward`` and hooks, with the backward hooks tied in around ``forward``."""
    if not (hooks.forward_pre or hooks.forward or hooks.backward_pre or hooks.backward):
        return module.forward(*args, **kwargs)  # all are removed, or not for calls
    for hook, with_kwargs in list(hooks.forward_pre.values()):
        if with_kwargs:
            result = hook(module, args, kwargs)
            if result is not None:
                args, kwargs = result
        else:
            result = hook(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)

    backward = None
    if hooks.backward or hooks.backward_pre:
        backward = _BackwardCall(
            module, list(hooks.backward_pre.values()), list(hooks.backward.values())
        )
        args = backward.watch_inputs(args)

    def run(hook: Callable[..., Any], with_kwargs: bool) -> Any:
        return hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)

    output: Any = None
    pending = list(hooks.forward.values())
    try:
        output = module.forward(*args, **kwargs)
        while pending:
            hook, with_kwargs, _ = pending.pop(0)
            result = run(hook, with_kwargs)
            if result is not None:
                output = result
    except BaseException:
        for hook, with_kwargs, always_call in pending:
            if always_call:
                run(hook, with_kwargs)
        raise
    return output if backward is None else backward.watch_outputs(output)


class _Boundary(Function):
    """The identity on any number of tensors, whose backward passes the gradients through a call."""

    @staticmethod
    def forward(ctx: Any, on_gradients: Callable[..., Any], *tensors: Tensor) -> Any:
        ctx.on_gradients = on_gradients
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        return (None, *ctx.on_gradients(gradients))


class _BackwardCall:
    """One call of a module with backward hooks: joins its output and its input gradients."""

    def __init__(
        self, module: Module, pre_hooks: list[Callable[..., Any]], hooks: list[Callable[..., Any]]
    ) -> None:
        self.module = module
        self.pre_hooks = pre_hooks
        self.hooks = hooks
        self.grad_output: tuple[Any, ...] = ()
        self.inputs = 0
        self.watches_inputs = False

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = len(args)
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            return args
        self.watches_inputs = True
        return _through_boundary(args, self._input_gradients)

    def watch_outputs(self, output: Any) -> Any:
        if isinstance(output, Tensor):
            return _through_boundary((output,), self._output_gradients)[0]
        if isinstance(output, (tuple, list)):
            watched = _through_boundary(tuple(output), self._output_gradients)
            if hasattr(output, "_fields"):  # a named tuple takes its fields one by one
                return type(output)(*watched)
            return type(output)(watched)
        return output

    def _output_gradients(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.pre_hooks:
            result = hook(self.module, gradients)
            if result is not None:
                gradients = result if isinstance(result, tuple) else (result,)
        self.grad_output = gradients
        if not self.watches_inputs:  # no input needs a gradient: nothing will follow
            for hook in self.hooks:
                hook(self.module, (None,) * self.inputs, gradients)
        return gradients

    def _input_gradients(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.hooks:
            result = hook(self.module, gradients, self.grad_output)
            if result is not None:
                gradients = result if isinstance(result, tuple) else (result,)
        return gradients


def _through_boundary(values: tuple[Any, ...], on_gradients: Callable[..., Any]) -> tuple[Any, ...]:
    """Send the tensors among the values through one boundary node, the rest around it."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]

    def spread(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        # The hooks see one entry per value, None where it is not a tensor.
        full: list[Any] = [None] * len(values)
        for place, gradient in zip(places, gradients, strict=True):
            full[place] = gradient
        changed = on_gradients(tuple(full))
        return tuple(changed[place] for place in places)

    result = list(values)
    passed = _Boundary.apply(spread, *(values[place] for place in places))
    for place, tensor in zip(places, passed, strict=True):
        result[place] = tensor
    return tuple(result)
