"""Schedulers that multiply the learning rate by a function of the epoch."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, check_optimizer, function_state, per_group

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "StepLR",
]


class _FunctionLR(LRScheduler):
    """Schedulers with a function per group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        name = type(self).__name__
        check_optimizer(name, optimizer)
        self.lr_lambdas = per_group(name, "lr_lambda", lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state; of functions only the attributes of callable objects are kept."""
        state = super().state_dict()
        return {**state, "lr_lambdas": [function_state(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned; functions stay those given here.

        Args:
            state_dict: the state.
        """
        state = dict(state_dict)
        for function, attributes in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if attributes is not None:
                function.__dict__.update(attributes)
        super().load_state_dict(state)


class LambdaLR(_FunctionLR):
    """Set the learning rate to its initial value times a function of the epoch.

    Args:
        optimizer: whose learning rates are changed.
        lr_lambda: takes the epoch and returns a factor; or a list of them, one per group.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: a list of another length than the groups'.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``last_epoch``."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]


class MultiplicativeLR(_FunctionLR):
    """Multiply the learning rate by a function of the epoch, from epoch 1 on.

    Args:
        optimizer: whose learning rates are changed.
        lr_lambda: takes the epoch and returns a factor; or a list of them, one per group.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: a list of another length than the groups'.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
        >>> for _ in range(2):
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``last_epoch``."""
        if self.last_epoch <= 0:
            return self._lrs()
        pairs = zip(self._lrs(), self.lr_lambdas, strict=True)
        return [lr * function(self.last_epoch) for lr, function in pairs]


class _FactorLR(LRScheduler):
    """Schedulers of the form ``floor + (base - floor) * factor(epoch)``.

    A step multiplies the present rate by the quotient of two factors, so that what others (chained
    schedulers, the user) do to it stays.
    """

    _floor = 0.0

    def _factor(self, epoch: int) -> float:
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``last_epoch``, from the present ones."""
        now = self._factor(self.last_epoch)
        before = self._factor(self.last_epoch - 1) if self.last_epoch > 0 else 1.0
        if now == before:
            return self._lrs()
        floor = self._floor
        if before == 0:
            pairs = zip(self._lrs(), self.base_lrs, strict=True)
            return [lr + (base - floor) * now for lr, base in pairs]
        return [floor + (lr - floor) * (now / before) for lr in self._lrs()]

    def _closed_form(self) -> list[float]:
        factor = self._factor(self.last_epoch)
        return [self._floor + (base - self._floor) * factor for base in self.base_lrs]


class StepLR(_FactorLR):
    """Multiply the learning rate by ``gamma`` every ``step_size`` epochs.

    Args:
        optimizer: whose learning rates are changed.
        step_size: epochs from one change to the next.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: ``step_size`` is not positive.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> lrs = []
        >>> for _ in range(5):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if step_size <= 0:
            raise ValueError(f"StepLR: step_size is positive (got {step_size})")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class MultiStepLR(_FactorLR):
    """Multiply the learning rate by ``gamma`` at each of the given epochs.

    Args:
        optimizer: whose learning rates are changed.
        milestones: the epochs; one that is given twice counts twice.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
        >>> lrs = []
        >>> for _ in range(4):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        passed = bisect.bisect_right(sorted(Counter(self.milestones).elements()), epoch)
        return float(self.gamma**passed)


class ConstantLR(_FactorLR):
    """Multiply the learning rate by ``factor`` for the first ``total_iters`` epochs.

    Args:
        optimizer: whose learning rates are changed.
        factor: the factor, in [0, 1].
        total_iters: from this epoch on the rate is the initial one.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: ``factor`` is outside [0, 1].

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> lrs = []
        >>> for _ in range(3):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [0.5, 0.5, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor is between 0 and 1 (got {factor})")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.factor if epoch < self.total_iters else 1.0


class LinearLR(_FactorLR):
    """Move a factor of the learning rate from ``start_factor`` to ``end_factor`` in equal steps.

    Args:
        optimizer: whose learning rates are changed.
        start_factor: the factor at epoch 0, in (0, 1].
        end_factor: the factor from epoch ``total_iters`` on, in [0, 1].
        total_iters: how many steps it takes.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: a factor is out of range.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        >>> lrs = []
        >>> for _ in range(4):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(
                f"LinearLR: start_factor is above 0 and at most 1 (got {start_factor})"
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor is between 0 and 1 (got {end_factor})")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        if epoch >= self.total_iters:
            return self.end_factor
        part = epoch / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * part


class ExponentialLR(_FactorLR):
    """Multiply the learning rate by ``gamma`` every epoch.

    Args:
        optimizer: whose learning rates are changed.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> for _ in range(3):
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)


class PolynomialLR(_FactorLR):
    """Let the learning rate fall to 0 as ``(1 - epoch / total_iters) ** power``.

    Args:
        optimizer: whose learning rates are changed.
        total_iters: the epoch at which the rate is 0, and stays so.
        power: the exponent; 1 is a straight line.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2, power=2.0)
        >>> lrs = []
        >>> for _ in range(4):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [1.0, 0.25, 0.0, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return float((1 - min(epoch, self.total_iters) / self.total_iters) ** self.power)


class CosineAnnealingLR(_FactorLR):
    """Let the learning rate fall to ``eta_min`` along half a cosine (Loshchilov and Hutter, 2017).

    ``eta_min + (base - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``; beyond ``T_max`` it rises
    again.

    Args:
        optimizer: whose learning rates are changed.
        T_max: the epoch at which the rate is ``eta_min``.
        eta_min: the least rate.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: ``T_max`` is not positive.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        >>> for _ in range(2):
        ...     scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 4)
        0.5
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_max <= 0:
            raise ValueError(f"CosineAnnealingLR: T_max is positive (got {T_max})")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    @property
    def _floor(self) -> float:  # type: ignore[override]
        return self.eta_min

    def _factor(self, epoch: int) -> float:
        # The remainder makes the factor exactly 0 at odd multiples of T_max.
        return (1 + math.cos(math.pi * (epoch % (2 * self.T_max)) / self.T_max)) / 2
