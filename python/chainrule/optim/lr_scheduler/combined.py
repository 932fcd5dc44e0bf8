"""Schedulers made of schedulers."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .plateau import ReduceLROnPlateau
from .scheduler import LRScheduler, check_optimizer, set_lr

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """Schedulers of one optimizer."""

    _schedulers: list[LRScheduler]

    def _take(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        name = type(self).__name__
        if not schedulers:
            raise ValueError(f"{name}: expected at least one scheduler")
        self.optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        check_optimizer(name, self.optimizer)
        for number, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name}: ReduceLROnPlateau needs a measure and cannot be combined"
                )
            if scheduler.optimizer is not self.optimizer:
                raise ValueError(f"{name}: scheduler {number} belongs to another optimizer")
        self._schedulers = list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with those of the schedulers."""
        state = super().state_dict()
        return {**state, "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned.

        Args:
            state_dict: the state.
        """
        state = dict(state_dict)
        for scheduler, inner in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(inner)
        super().load_state_dict(state)


class SequentialLR(_Combined):
    """Use one scheduler after another; each counts from 0 when its turn comes.

    Args:
        optimizer: the optimizer of all schedulers.
        schedulers: the schedulers, in order.
        milestones: the epochs at which the second, third ... begin.
        last_epoch: the number of the last epoch.

    Raises:
        ValueError: there is no scheduler, one belongs to another optimizer or is a
            :class:`ReduceLROnPlateau`, or the milestones are not one fewer than the schedulers.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> warm_up = cr.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        >>> decay = cr.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> scheduler = cr.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], [2])
        >>> lrs = []
        >>> for _ in range(5):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        self._take(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers have {len(schedulers) - 1} milestones "
                f"between them (got {list(milestones)})"
            )
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        # The constructors of all schedulers have taken a step and set the rates: undo that, and
        # begin with the first.
        for group in self.optimizer.param_groups:
            set_lr(group, group["initial_lr"])
        for scheduler in self._schedulers:
            scheduler.last_epoch -= 1
        self._schedulers[0].step()
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch: a step of the scheduler whose turn it is.

        Args:
            epoch: only None.

        Raises:
            ValueError: ``epoch`` is given.
        """
        _no_epoch(self, epoch)
        self.last_epoch += 1
        number = bisect.bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        begins = number > 0 and self._milestones[number - 1] == self.last_epoch
        scheduler.step(0 if begins else None)
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Combined):
    """Use several schedulers at once: each step is a step of all of them, in order.

    Args:
        schedulers: the schedulers; those that multiply the present rate (not :class:`LambdaLR`)
            work together.
        optimizer: the optimizer of all; None for that of the first.

    Raises:
        ValueError: there is no scheduler, or one belongs to another optimizer or is a
            :class:`ReduceLROnPlateau`.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> constant = cr.optim.lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2)
        >>> decay = cr.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> scheduler = cr.optim.lr_scheduler.ChainedScheduler([constant, decay])
        >>> lrs = []
        >>> for _ in range(3):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [0.5, 0.25, 0.25]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        self._take(schedulers, optimizer)
        self._last_lr = self._lrs()

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch: a step of every scheduler.

        Args:
            epoch: only None.

        Raises:
            ValueError: ``epoch`` is given.
        """
        _no_epoch(self, epoch)
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._lrs()


def _no_epoch(scheduler: LRScheduler, epoch: int | None) -> None:
    if epoch is not None:
        raise ValueError(
            f"{type(scheduler).__name__}.step: takes no epoch (got {epoch}); step is called once "
            "per epoch"
        )
