"""LRScheduler: what all schedulers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from chainrule import Tensor

from ..optimizer import Optimizer

__all__ = ["LRScheduler"]

_T = TypeVar("_T")


class LRScheduler:
    """Base class of schedulers: counts steps and writes the learning rate of every group.

    A subclass defines :meth:`get_lr`, and its constructor ends with this one, which takes the
    first step (to epoch 0).

    Args:
        optimizer: whose learning rates are changed.
        last_epoch: the number of the last epoch; -1 to start. To go on from another one the groups
            must have the key ``"initial_lr"``, which a scheduler put there.

    Attributes:
        base_lrs: the learning rates at the start, one per group.
        last_epoch: how many steps were taken.

    Raises:
        TypeError: ``optimizer`` is not an Optimizer.
        KeyError: ``last_epoch`` is given and a group has no ``"initial_lr"``.

    Example:
        >>> class Halved(cr.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [lr * 0.5**self.last_epoch for lr in self.base_lrs]
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=0.8)
        >>> scheduler = Halved(optimizer)
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.4]
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(type(self).__name__, optimizer)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: parameter group {number} has no 'initial_lr', which "
                    f"is needed to go on from last_epoch={last_epoch}; load the optimizer's state"
                )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._last_lr: list[float] = []
        self.step()

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``last_epoch``, one per group; ``step`` calls it."""
        raise NotImplementedError(f"{type(self).__name__}: get_lr is not defined")

    def _closed_form(self) -> list[float]:
        """Return the learning rates at ``last_epoch`` whatever the present ones are."""
        return self.get_lr()

    def get_last_lr(self) -> list[float]:
        """Return the learning rates that the last step set, one per group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and set its learning rates.

        Args:
            epoch: go to this one instead.
        """
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set(self.get_lr() if epoch is None else self._closed_form())

    def _lrs(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _set(self, lrs: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            set_lr(group, lr)
        self._last_lr = list(lrs)

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state: everything but the optimizer, whose state is its own."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned; load the optimizer's state as well.

        Args:
            state_dict: the state.
        """
        self.__dict__.update(state_dict)


def set_lr(group: dict[str, Any], lr: float) -> None:
    """Set a group's learning rate; one that is a tensor is written to."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def check_optimizer(name: str, optimizer: Any) -> None:
    """Raise TypeError unless it is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: needs an Optimizer (got {type(optimizer).__name__})")


def per_group(name: str, option: str, value: _T | Sequence[_T], optimizer: Optimizer) -> list[_T]:
    """Return one value per group: a list as it is, anything else repeated."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count  # type: ignore[list-item]
    if len(value) != count:
        raise ValueError(
            f"{name}: {option} has {len(value)} values (got {value!r}); "
            f"expected {count}, one per parameter group"
        )
    return list(value)


def function_state(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Return what can be saved of a function: the attributes of a callable object, else nothing."""
    if isinstance(function, type(function_state)):
        return None
    return dict(getattr(function, "__dict__", {}))
