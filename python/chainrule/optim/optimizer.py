"""Optimizer: parameter groups, per-parameter state, and their save format."""

from __future__ import annotations

import copy
import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import chainrule as cr
from chainrule import Tensor
from chainrule._tensor import RemovableHandle, add_hook

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]

_is_none = functools.partial(operator.is_, None)

Params: TypeAlias = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
HookTable: TypeAlias = dict[int, Callable[..., Any]]

# Hooks of all optimizers, by kind ("step_pre", "step_post").
_everyones_hooks: defaultdict[str, HookTable] = defaultdict(dict)


def _hooks_of(tables: dict[str, HookTable], kind: str) -> list[Callable[..., Any]]:
    return list(tables.get(kind, {}).values())


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step with the hooks around it; steps further up in a class run none again."""

    @functools.wraps(step)
    def with_hooks(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if not (self._hooks or _everyones_hooks) or type(self).step is not with_hooks:
            return step(self, *args, **kwargs)
        for table in (_everyones_hooks, self._hooks):
            for hook in _hooks_of(table, "step_pre"):
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        raise RuntimeError(
                            f"{type(self).__name__}: a step pre-hook returned {changed!r}; "
                            "expected None or the pair (args, kwargs)"
                        )
                    args, kwargs = changed
        result = step(self, *args, **kwargs)
        for table in (self._hooks, _everyones_hooks):
            for hook in _hooks_of(table, "step_post"):
                hook(self, args, kwargs)
        return result

    return with_hooks


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer.

    Args:
        hook: returns None, or new ``(args, kwargs)`` of the step.

    Returns:
        A handle; ``handle.remove()`` takes the hook away.
    """
    return add_hook(_everyones_hooks["step_pre"], hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer.

    Args:
        hook: its result is ignored.

    Returns:
        A handle; ``handle.remove()`` takes the hook away.
    """
    return add_hook(_everyones_hooks["step_post"], hook)


class Optimizer:
    """Base class of all optimizers: holds what is trained and updates it in ``step``.

    A subclass gives ``defaults`` and defines :meth:`_update`, which updates one group by one fused
    call into the core.

    Args:
        params: the tensors to train, or pairs of name and tensor (``model.named_parameters()``),
            or dicts (parameter groups) with a key ``"params"`` and options of their own.
        defaults: options of the groups that do not set them.

    Attributes:
        param_groups: one dict per group: ``"params"`` and the options; changing an option (such
            as ``"lr"``) takes effect at the next step.
        state: per parameter, a dict of what the algorithm remembers.

    Raises:
        ValueError: there is no parameter, one is given twice, is not a leaf, or an option is out
            of range.
        TypeError: ``params`` is a single tensor, or holds something else than tensors.
    """

    param_groups: list[dict[str, Any]]
    state: defaultdict[Tensor, dict[str, Any]]

    # Entries of the state that are one number each: the step count first.
    _scalars: tuple[str, ...] = ("step",)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = _hooked(vars(cls)["step"])  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: params is a single tensor; expected an iterable of "
                "tensors or of dicts, such as [tensor] or model.parameters()"
            )
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._hooks: defaultdict[str, HookTable] = defaultdict(dict)
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: got an empty list of parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: all but the hooks, as in torch."""
        return {key: value for key, value in vars(self).items() if key != "_hooks"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._hooks = defaultdict(dict)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add tensors to train, for example layers that are unfrozen later.

        Args:
            param_group: ``"params"`` (a tensor or an iterable of them, or of pairs of name and
                tensor) and options; the defaults hold for options that are not there.

        Raises:
            ValueError: a tensor is given twice or is not a leaf, or an option is out of range.
            TypeError: not a dict, or holds something else than tensors.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(
                f"{name}: a parameter group is a dict (got {type(param_group).__name__})"
            )
        if "params" not in param_group:
            raise ValueError(
                f"{name}: a parameter group has no 'params' (got the keys {list(param_group)})"
            )
        given = param_group["params"]
        if isinstance(given, set):
            raise TypeError(f"{name}: a set of parameters has no fixed order; expected a list")
        params: list[Any] = [given] if isinstance(given, Tensor) else list(given)
        group = {**self.defaults, **param_group, "params": params}
        named = [isinstance(param, tuple) for param in params]
        if (any(named) and not all(named)) or any(
            bool(params) and any(named) != ("param_names" in other) for other in self.param_groups
        ):
            raise ValueError(f"{name}: some parameters have names and others not; name all or none")
        if any(named):
            group["param_names"] = [param[0] for param in params]
            group["params"] = params = [param[1] for param in params]
        self._check_options(group)
        taken = {id(p) for other in self.param_groups for p in other["params"]}
        for position, param in enumerate(params):
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"{name}: parameter {position} is a {type(param).__name__}; expected a Tensor"
                )
            if id(param) in taken:
                raise ValueError(
                    f"{name}: parameter {position} of shape {tuple(param.shape)} is given twice"
                )
            taken.add(id(param))
            if not param.is_leaf:
                raise ValueError(
                    f"{name}: parameter {position} of shape {tuple(param.shape)} is the result of "
                    "an operation; expected a leaf"
                )
            if not param.is_floating_point():
                raise ValueError(
                    f"{name}: parameter {position} has dtype {param.dtype}; "
                    "expected a floating dtype"
                )
        self.param_groups.append(group)

    def _check_options(self, group: dict[str, Any]) -> None:
        """Raise ValueError when an option of a group is out of range."""

    def _gather(
        self, params: list[Tensor], *names: str, **start: float
    ) -> tuple[list[Tensor], list[Tensor]]:
        """List state tensors and scalars, kind after kind as the fused steps take them.

        What is missing, in a parameter's first step, begins at the number in ``start``, or zero.
        """
        states = list(map(self.state.__getitem__, params))
        try:
            tensors: list[Tensor] = []
            for name in names:
                tensors.extend(map(operator.itemgetter(name), states))
            scalars: list[Tensor] = []
            for name in self._scalars:
                scalars.extend(map(operator.itemgetter(name), states))
            return tensors, scalars
        except KeyError:
            for param, state in zip(params, states, strict=True):
                for name in self._scalars:
                    if name not in state:
                        state[name] = new_scalar(start.get(name, 0.0))
                for name in names:
                    if name not in state:
                        state[name] = cr.full_like(param, start.get(name, 0.0)).detach()
        return self._gather(params, *names)

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        """Update the given parameters of a group, all of which have a gradient."""
        raise NotImplementedError(f"{type(self).__name__}: _update is not defined")

    @_hooked
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; those without one are left alone.

        Args:
            closure: recomputes the loss and its gradients before the update.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with cr.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params: list[Tensor] = group["params"]
            grads = [param.grad for param in params]
            if any(map(_is_none, grads)):
                params = [p for p, grad in zip(params, grads, strict=True) if grad is not None]
                grads = [grad for grad in grads if grad is not None]
            if params:
                self._update(group, params, grads)  # type: ignore[arg-type]
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: drop them; False keeps the tensors and fills them with zeros.
        """
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none or param.grad is None:
                    param.grad = None
                elif param.grad.requires_grad:  # of a backward with create_graph
                    param.grad = cr.zeros_like(param.grad)
                else:
                    param.grad.zero_()

    # ---------------------------------------------------------------- hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step.

        Args:
            hook: returns None, or new ``(args, kwargs)`` of the step.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.

        Example:
            >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=0.1)
            >>> steps = []
            >>> with optimizer.register_step_pre_hook(lambda *_: steps.append("step")):
            ...     optimizer.step()
            >>> steps
            ['step']
        """
        return add_hook(self._hooks["step_pre"], hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step.

        Args:
            hook: its result is ignored.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._hooks["step_post"], hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict`` collects the state.

        Args:
            hook: its result is ignored.
            prepend: run it before the hooks already there.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._hooks["state_dict_pre"], hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` on what ``state_dict`` is about to return.

        Args:
            hook: changes it in place, or returns another one.
            prepend: run it before the hooks already there.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._hooks["state_dict_post"], hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before ``load_state_dict`` reads it.

        Args:
            hook: gets a shallow copy; changes it in place, or returns another one.
            prepend: run it before the hooks already there.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._hooks["load_pre"], hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict``.

        Args:
            hook: its result is ignored.
            prepend: run it before the hooks already there.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._hooks["load_post"], hook, prepend)

    # ---------------------------------------------------------------- saving

    def state_dict(self) -> dict[str, Any]:
        """Return the state in torch's layout: ``state`` by parameter number, and ``param_groups``.

        Tensors are shared with the optimizer, not copied.
        """
        for hook in _hooks_of(self._hooks, "state_dict_pre"):
            hook(self)
        number: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                number[id(param)] = len(number)
            numbers = [number[id(param)] for param in group["params"]]
            groups.append({**group, "params": numbers})
        state = {number[id(p)]: values for p, values in self.state.items() if id(p) in number}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in _hooks_of(self._hooks, "state_dict_post"):
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned, from torch too; tensors are copied.

        Args:
            state_dict: the state; its values may be anything ``chainrule.as_tensor`` takes.

        Raises:
            ValueError: the groups differ in their number or sizes, or a state tensor does not
                have its parameter's shape.
        """
        state_dict = dict(state_dict)
        for hook in _hooks_of(self._hooks, "load_pre"):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups, saved_groups = self.param_groups, state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        saved_sizes = [len(group["params"]) for group in saved_groups]
        if sizes != saved_sizes:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: the saved groups have {saved_sizes} "
                f"parameters and this optimizer's have {sizes}"
            )
        params = {
            number: param
            for saved, group in zip(saved_groups, groups, strict=True)
            for number, param in zip(saved["params"], group["params"], strict=True)
        }
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if number in params:
                state[params[number]] = {
                    key: self._restore(params[number], number, key, value)
                    for key, value in values.items()
                }
        self.state = state
        # Options that the saved groups do not know, of an older version, take their defaults.
        self.param_groups = [
            {
                **self.defaults,
                **{key: group[key] for key in group if key == "param_names"},
                **copy.deepcopy({k: v for k, v in saved.items() if k != "params"}),
                "params": group["params"],
            }
            for saved, group in zip(saved_groups, groups, strict=True)
        ]
        for hook in _hooks_of(self._hooks, "load_post"):
            hook(self)

    def _restore(self, param: Tensor, number: int, key: str, value: Any) -> Any:
        """Return a saved value as this optimizer keeps it: a copy, in the parameter's dtype."""
        if key in self._scalars:
            scalar = cr.as_tensor(value).detach().clone()
            return scalar if scalar.is_floating_point() else scalar.to(cr.get_default_dtype())
        if value is None or isinstance(value, (int, float, str)):
            return value
        tensor = cr.as_tensor(value).detach().to(param.dtype).clone()
        if tuple(tensor.shape) != tuple(param.shape):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: {key!r} of parameter {number} has shape "
                f"{tuple(tensor.shape)}; expected the parameter's, {tuple(param.shape)}"
            )
        return tensor

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines += ["", f"Parameter Group {number}"] if number else [f"Parameter Group {number}"]
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def new_scalar(value: float) -> Tensor:
    """Return a number of the state, such as a step count."""
    return cr.full((), value, dtype=cr.get_default_dtype())


def check_range(name: str, option: str, value: Any, low: float, high: float = float("inf")) -> None:
    """Raise ValueError unless ``low <= value < high``; a tensor has one element."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{name}: {option} is one number (got shape {tuple(value.shape)})")
    if not low <= value < high:
        limits = f"at least {low}" + (f" and below {high}" if high != float("inf") else "")
        raise ValueError(f"{name}: {option} is {limits} (got {value})")


def check_ported(name: str, **options: Any) -> None:
    """Raise ValueError for options of torch that would change the result here."""
    if options.get("differentiable"):
        raise ValueError(
            f"{name}: differentiable=True is not offered; write the update with tensor "
            "operations to differentiate through it"
        )
