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

__all__ = ["Optimizer"]

_is_none = functools.partial(operator.is_, None)

Params: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]]


class Optimizer:
    """Base class of all optimizers: holds what is trained and updates it in ``step``.

    A subclass gives ``defaults`` and defines :meth:`_update`, which updates one group by one fused
    call into the core.

    Args:
        params: the tensors to train, or dicts (parameter groups) with a key ``"params"`` and
            options of their own.
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

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: params is a single tensor; expected an iterable of "
                "tensors or of dicts, such as [tensor] or model.parameters()"
            )
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{type(self).__name__}: got an empty list of parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add tensors to train, for example layers that are unfrozen later.

        Args:
            param_group: ``"params"`` (a tensor or an iterable of them) and options; the defaults
                hold for options that are not there.

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
        params = [given] if isinstance(given, Tensor) else list(given)
        group = {**self.defaults, **param_group, "params": params}
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

    def _gather(self, params: list[Tensor], *names: str) -> tuple[list[Tensor], list[Tensor]]:
        """List state tensors, kind after kind as the fused steps take them, and step counts.

        What is missing, in a parameter's first step, starts at zero.
        """
        states = list(map(self.state.__getitem__, params))
        try:
            tensors: list[Tensor] = []
            for name in names:
                tensors.extend(map(operator.itemgetter(name), states))
            return tensors, list(map(operator.itemgetter("step"), states))
        except KeyError:
            for param, state in zip(params, states, strict=True):
                if "step" not in state:
                    state["step"] = new_step()
                for name in names:
                    if name not in state:
                        state[name] = cr.zeros_like(param)
        return self._gather(params, *names)

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        """Update the given parameters of a group, all of which have a gradient."""
        raise NotImplementedError(f"{type(self).__name__}: _update is not defined")

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
                else:
                    param.grad = cr.zeros_like(param.grad)

    def state_dict(self) -> dict[str, Any]:
        """Return the state in torch's layout: ``state`` by parameter number, and ``param_groups``.

        Tensors are shared with the optimizer, not copied.
        """
        number: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                number[id(param)] = len(number)
            numbers = [number[id(param)] for param in group["params"]]
            groups.append({**group, "params": numbers})
        state = {number[id(p)]: values for p, values in self.state.items() if id(p) in number}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned, from torch too; tensors are copied.

        Args:
            state_dict: the state; its values may be anything ``chainrule.as_tensor`` takes.

        Raises:
            ValueError: the groups differ in their number or sizes, or a state tensor does not
                have its parameter's shape.
        """
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
        self.param_groups = [
            {
                **copy.deepcopy({k: v for k, v in saved.items() if k != "params"}),
                "params": group["params"],
            }
            for saved, group in zip(saved_groups, groups, strict=True)
        ]

    def _restore(self, param: Tensor, number: int, key: str, value: Any) -> Any:
        """Return a saved value as this optimizer keeps it: a copy, in the parameter's dtype."""
        if value is None or isinstance(value, (int, float, str)):
            return value
        if key == "step":
            return cr.as_tensor(value).clone()
        tensor = cr.as_tensor(value).to(param.dtype).clone()
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


def new_step() -> Tensor:
    """Return a step counter at zero."""
    return cr.zeros((), dtype=cr.get_default_dtype())


def check_range(name: str, option: str, value: Any, low: float, high: float = float("inf")) -> None:
    """Raise ValueError unless ``low <= value < high``."""
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
