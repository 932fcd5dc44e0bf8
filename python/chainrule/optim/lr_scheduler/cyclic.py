"""Schedulers that go up and down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, check_optimizer, function_state, per_group, set_lr

__all__ = ["CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


def _line(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


def _check_momentum(name: str, optimizer: Optimizer) -> None:
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError(
            f"{name}: {type(optimizer).__name__} has no momentum; expected cycle_momentum=False"
        )


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


class CosineAnnealingWarmRestarts(LRScheduler):
    """Let the learning rate fall along half a cosine, again and again (Loshchilov, Hutter 2017).

    ``eta_min + (base - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``, T_cur being the epochs since
    the last restart and T_i the epochs from there to the next.

    Args:
        optimizer: whose learning rates are changed.
        T_0: epochs until the first restart.
        T_mult: every next period is this many times as long.
        eta_min: the least rate.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: ``T_0`` or ``T_mult`` is not a positive integer.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> lrs = []
        >>> for _ in range(4):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for option, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"CosineAnnealingWarmRestarts: {option} is a positive integer (got {value!r})"
                )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``T_cur``."""
        return [_cosine(base, self.eta_min, self.T_cur / self.T_i) for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go to the next epoch and set its learning rates.

        Args:
            epoch: go to this one instead; a fraction to change the rate with every batch, as
                ``step(epoch + batch / batches)``.

        Raises:
            ValueError: ``epoch`` is negative.
        """
        if epoch is None and self._step_count:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = self.last_epoch + 1 if epoch is None else epoch
            self._seek(epoch)
        self._step_count += 1
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _seek(self, epoch: float) -> None:
        if epoch < 0:
            raise ValueError(
                f"CosineAnnealingWarmRestarts.step: epoch is not negative (got {epoch})"
            )
        self.T_i = self.T_0
        if self.T_mult == 1:
            epoch %= self.T_0
        while epoch >= self.T_i:
            epoch -= self.T_i
            self.T_i *= self.T_mult
        self.T_cur = epoch


_CYCLES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
    """Move the learning rate between two bounds along a triangle (Smith, 2017).

    Args:
        optimizer: whose learning rates are changed.
        base_lr: the lower bound, where it starts; or a list, one per group.
        max_lr: the upper bound; or a list, one per group.
        step_size_up: steps of the rising half of a cycle.
        step_size_down: steps of the falling half; None for as many.
        mode: ``"triangular"``: all cycles alike; ``"triangular2"``: each half as high as the one
            before; ``"exp_range"``: scaled by ``gamma ** steps``.
        gamma: of ``"exp_range"``.
        scale_fn: takes a number and returns the scale of the height; ``mode`` is then ignored.
        scale_mode: ``scale_fn`` takes the number of the ``"cycle"`` (from 1 on) or of
            ``"iterations"``.
        cycle_momentum: move the momentum (of Adam: the first beta) the other way round.
        base_momentum: its lower bound; or a list.
        max_momentum: its upper bound, where it starts; or a list.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: an unknown mode, lists that are not one per group, or an optimizer without
            momentum when ``cycle_momentum``.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.CyclicLR(optimizer, 0.0, 1.0, step_size_up=2)
        >>> lrs = []
        >>> for _ in range(5):
        ...     lrs += scheduler.get_last_lr()
        ...     scheduler.step()
        >>> lrs
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("CyclicLR", optimizer)
        if scale_fn is None and mode not in _CYCLES:
            raise ValueError(f"CyclicLR: mode is one of {_CYCLES} (got {mode!r})")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(
                f"CyclicLR: scale_mode is 'cycle' or 'iterations' (got {scale_mode!r})"
            )
        base_lrs = per_group("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = per_group("CyclicLR", "max_lr", max_lr, optimizer)
        self.step_size_up = step_size_up
        self.step_size_down = step_size_up if step_size_down is None else step_size_down
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        self.scale_mode = "iterations" if scale_fn is None and mode == "exp_range" else scale_mode
        self.cycle_momentum = cycle_momentum
        lows = per_group("CyclicLR", "base_momentum", base_momentum, optimizer)
        highs = per_group("CyclicLR", "max_momentum", max_momentum, optimizer)
        if cycle_momentum:
            _check_momentum("CyclicLR", optimizer)
        if last_epoch == -1:
            for number, group in enumerate(optimizer.param_groups):
                group["initial_lr"] = base_lrs[number]
                set_lr(group, base_lrs[number])
                if cycle_momentum:
                    group.update(base_momentum=lows[number], max_momentum=highs[number])
        super().__init__(optimizer, last_epoch)

    def _scale(self, cycle: int) -> float:
        number = cycle if self.scale_mode == "cycle" else self.last_epoch
        if self.scale_fn is not None:
            return self.scale_fn(number)
        if self.mode == "triangular":
            return 1.0
        return float(0.5 ** (number - 1) if self.mode == "triangular2" else self.gamma**number)

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``last_epoch``, and set the momenta."""
        period = self.step_size_up + self.step_size_down
        cycles, place = divmod(self.last_epoch, period)
        if place <= self.step_size_up:
            height = place / self.step_size_up
        else:
            height = (period - place) / self.step_size_down
        height *= self._scale(cycles + 1)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                low, high = group["base_momentum"], group["max_momentum"]
                _set_momentum(group, high - (high - low) * height)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [base + (top - base) * height for base, top in pairs]

    def state_dict(self) -> dict[str, Any]:
        """Return the state; of ``scale_fn`` only the attributes of a callable object are kept."""
        state = super().state_dict()
        function = self.scale_fn
        return {**state, "scale_fn": None if function is None else function_state(function)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned; ``scale_fn`` stays the one given here.

        Args:
            state_dict: the state.
        """
        state = dict(state_dict)
        attributes = state.pop("scale_fn")
        if attributes is not None and self.scale_fn is not None:
            self.scale_fn.__dict__.update(attributes)
        super().load_state_dict(state)


class OneCycleLR(LRScheduler):
    """Move the learning rate up to a maximum and down to almost nothing, once (Smith, 2019).

    It goes from ``max_lr / div_factor`` to ``max_lr`` and on to ``max_lr / div_factor /
    final_div_factor``; call ``step`` after every batch.

    Args:
        optimizer: whose learning rates are changed.
        max_lr: the highest rate; or a list, one per group.
        total_steps: steps of the cycle; None for ``epochs * steps_per_epoch``.
        epochs: epochs of the training.
        steps_per_epoch: batches of an epoch.
        pct_start: the share of the steps in which the rate rises.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: move the momentum (of Adam: the first beta) the other way round.
        base_momentum: its lower bound; or a list.
        max_momentum: its upper bound, where it starts; or a list.
        div_factor: the highest rate over the first.
        final_div_factor: the first rate over the last.
        three_phase: fall to the first rate in as many steps as the rate rose, then on to the last.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: the number of steps is not given or not positive, ``pct_start`` is outside
            [0, 1], an unknown ``anneal_strategy``, lists that are not one per group, an optimizer
            without momentum when ``cycle_momentum``; from ``step``: it was called too often.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.lr_scheduler.OneCycleLR(
        ...     optimizer, 1.0, total_steps=5, pct_start=0.6, div_factor=2.0, final_div_factor=2.0
        ... )
        >>> lrs = []
        >>> for _ in range(4):
        ...     scheduler.step()
        ...     lrs.append(round(scheduler.get_last_lr()[0], 4))
        >>> lrs
        [0.75, 1.0, 0.625, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("OneCycleLR", optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    "OneCycleLR: the length is unknown; "
                    "expected total_steps, or epochs and steps_per_epoch"
                )
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0:
            raise ValueError(f"OneCycleLR: the number of steps is positive (got {total_steps})")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start is between 0 and 1 (got {pct_start})")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"OneCycleLR: anneal_strategy is 'cos' or 'linear' (got {anneal_strategy!r})"
            )
        self.total_steps = total_steps
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        # Where a phase ends, and between which entries of a group the rate and momentum move.
        rise = pct_start * total_steps - 1
        self._phases: list[tuple[float, str, str, str, str]]
        self._phases = [(rise, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        fall = ("max_lr", "initial_lr" if three_phase else "min_lr")
        end = 2 * rise if three_phase else total_steps - 1
        self._phases.append((end, *fall, "base_momentum", "max_momentum"))
        if three_phase:
            last = (total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")
            self._phases.append(last)
        max_lrs = per_group("OneCycleLR", "max_lr", max_lr, optimizer)
        if cycle_momentum:
            _check_momentum("OneCycleLR", optimizer)
        lows = per_group("OneCycleLR", "base_momentum", base_momentum, optimizer)
        highs = per_group("OneCycleLR", "max_momentum", max_momentum, optimizer)
        if last_epoch == -1:
            for number, group in enumerate(optimizer.param_groups):
                first = max_lrs[number] / div_factor
                group.update(
                    initial_lr=first, max_lr=max_lrs[number], min_lr=first / final_div_factor
                )
                if cycle_momentum:
                    group.update(base_momentum=lows[number], max_momentum=highs[number])
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates at ``last_epoch``, and set the momenta."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR.step: called {step} times; expected at most {self.total_steps}, "
                "the length of the cycle"
            )
        start = 0.0
        for number, (end, *_) in enumerate(self._phases):
            if step <= end or number == len(self._phases) - 1:
                break
            start = end
        _, first_lr, last_lr, first_momentum, last_momentum = self._phases[number]
        part = (step - start) / (end - start)
        anneal = _cosine if self.anneal_strategy == "cos" else _line
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                _set_momentum(group, anneal(group[first_momentum], group[last_momentum], part))
        return [anneal(group[first_lr], group[last_lr], part) for group in groups]
