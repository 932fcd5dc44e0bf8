"""ReduceLROnPlateau."""

from __future__ import annotations

from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, check_optimizer, per_group

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Lower the learning rate when a measure has stopped improving.

    Args:
        optimizer: whose learning rates are changed.
        mode: ``"min"`` if less is better, or ``"max"``.
        factor: what the rate is multiplied by, below 1.
        patience: so many steps in a row without improvement are let pass.
        threshold: what counts as an improvement, see ``threshold_mode``.
        threshold_mode: ``"rel"``: better than ``best * (1 - threshold)`` (``1 + threshold`` for
            ``"max"``); ``"abs"``: than ``best - threshold`` (``+`` for ``"max"``).
        cooldown: steps after a change in which nothing is counted.
        min_lr: the least rate; or a list, one per group.
        eps: a change smaller than this is not made.

    Raises:
        ValueError: an unknown mode, ``factor`` of 1 or more, a list that is not one per group.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        >>> for loss in (3.0, 2.0, 2.0, 2.0):
        ...     scheduler.step(loss)
        >>> scheduler.get_last_lr()
        [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer("ReduceLROnPlateau", optimizer)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor is below 1 (got {factor})")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode is 'min' or 'max' (got {mode!r})")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: threshold_mode is 'rel' or 'abs' (got {threshold_mode!r})"
            )
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.eps = eps
        self.best = float("inf") if mode == "min" else float("-inf")
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self._lrs()

    def get_lr(self) -> list[float]:
        """Raise: these learning rates depend on what ``step`` is told; see ``get_last_lr``."""
        raise NotImplementedError(
            "ReduceLROnPlateau: the rates depend on the measure; call get_last_lr()"
        )

    def is_better(self, a: float, best: float) -> bool:
        """Return whether ``a`` is an improvement on ``best``.

        Args:
            a: a measure.
            best: the best one so far.
        """
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bound = best * (1 + sign * self.threshold)
        else:
            bound = best + sign * self.threshold
        return a < bound if self.mode == "min" else a > bound

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take note of a measure, and lower the learning rates if it is time.

        Args:
            metrics: a number or a tensor of one element.
            epoch: the number of the epoch; None for the next.
        """
        value = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(value, self.best):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            lows = zip(self._lrs(), self.min_lrs, strict=True)
            pairs = [(lr, max(lr * self.factor, low)) for lr, low in lows]
            self._set([new if lr - new > self.eps else lr for lr, new in pairs])
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._lrs()

    @property
    def in_cooldown(self) -> bool:
        """Whether a change was made less than ``cooldown`` steps ago."""
        return self.cooldown_counter > 0
