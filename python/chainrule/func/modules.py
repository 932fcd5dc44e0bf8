"""Several modules of one kind as one set of stacked parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._core import Tensor, stack
from ..nn.modules.module import Module

__all__ = ["stack_module_state"]

State = dict[str, Tensor]


def stack_module_state(models: Sequence[Module] | Iterable[Module]) -> tuple[State, State]:
    """Stack the parameters and the buffers of several modules of one kind, for vmap.

    Args:
        models: modules of the same class, all in training or all in evaluation mode.

    Returns:
        ``(parameters, buffers)``: dicts of tensors with a leading dimension of ``len(models)``.
        They are new leaves; stacked parameters require a gradient where the models' do.

    Raises:
        RuntimeError: no module, modules of different classes or modes, or tensors of which only
            some require a gradient.

    Example:
        >>> models = [nn.Linear(3, 2) for _ in range(5)]
        >>> params, buffers = cr.func.stack_module_state(models)
        >>> params["weight"].shape
        (5, 2, 3)
        >>> def run(params, x):
        ...     return cr.func.functional_call(models[0], params, x)
        >>> cr.func.vmap(run, in_dims=(0, None))(params, cr.ones(4, 3)).shape
        (5, 4, 2)
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: expected at least one module (got none)")
    kinds = sorted({type(model).__name__ for model in models})
    if len({type(model) for model in models}) > 1:
        raise RuntimeError(f"stack_module_state: modules must be of one class (got {kinds})")
    if len({model.training for model in models}) > 1:
        raise RuntimeError(
            "stack_module_state: some modules are in training and some in evaluation mode; call "
            "train() or eval() on all of them"
        )
    return (
        _stacked([dict(model.named_parameters()) for model in models]),
        _stacked([dict(model.named_buffers()) for model in models]),
    )


def _stacked(states: Sequence[State]) -> State:
    found = {}
    for name in states[0]:
        if any(state.keys() != states[0].keys() for state in states):
            raise RuntimeError("stack_module_state: modules have different parameters or buffers")
        tensors = [state[name] for state in states]
        wanted = {tensor.requires_grad for tensor in tensors}
        if len(wanted) > 1:
            raise RuntimeError(
                f"stack_module_state: {name!r} requires a gradient in some modules only"
            )
        found[name] = stack([tensor.detach() for tensor in tensors])
        found[name].requires_grad_(wanted.pop())
    return found
