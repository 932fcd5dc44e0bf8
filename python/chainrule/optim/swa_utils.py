"""Averages of a model's parameters along its training: SWA and EMA, as torch.optim.swa_utils."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import chainrule as cr
from chainrule import Tensor
from chainrule._core import _average_
from chainrule.nn import Module
from chainrule.nn.modules.batchnorm import _BatchNorm

from .lr_scheduler import LRScheduler
from .lr_scheduler.scheduler import per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

AvgFn: TypeAlias = Callable[[Tensor, Tensor, Tensor | int], Tensor]
MultiAvgFn: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def _check_decay(name: str, decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ValueError(f"{name}: decay is between 0 and 1 (got {decay})")


def _move_averages(averages: Sequence[Tensor], values: Sequence[Tensor], weight: float) -> None:
    """Move each average by ``weight`` of the way to its value, all of them in one call."""
    with cr.no_grad():
        fused = [k for k, each in enumerate(averages) if each.dtype in (cr.float32, cr.float64)]
        moved = [averages[k] for k in fused]
        _average_(moved, [values[k].to(averages[k].dtype) for k in fused], [], weight)
        for k in sorted(set(range(len(averages))) - set(fused)):  # counts among the buffers
            averages[k].copy_(averages[k] + weight * (values[k] - averages[k]))


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    """Return a ``multi_avg_fn`` of exponential moving averages.

    ``average = decay * average + (1 - decay) * value``, for all parameters in one call.

    Args:
        decay: the share of the average that stays.

    Raises:
        ValueError: ``decay`` is outside [0, 1].

    Example:
        >>> average, value = cr.tensor([1.0]), cr.tensor([3.0])
        >>> cr.optim.swa_utils.get_ema_multi_avg_fn(0.75)([average], [value], 1)
        >>> average
        tensor([1.5000])
    """
    _check_decay("get_ema_multi_avg_fn", decay)

    def ema_update(
        averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: Tensor | int
    ) -> None:
        _move_averages(averages, values, 1 - decay)

    return ema_update


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """Return a ``multi_avg_fn`` of plain means, for all parameters in one call.

    Example:
        >>> average, value = cr.tensor([1.0]), cr.tensor([4.0])
        >>> cr.optim.swa_utils.get_swa_multi_avg_fn()([average], [value], 2)
        >>> average
        tensor([2.])
    """

    def swa_update(
        averages: Sequence[Tensor], values: Sequence[Tensor], num_averaged: Tensor | int
    ) -> None:
        _move_averages(averages, values, 1 / (int(num_averaged) + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    """Return an ``avg_fn`` of exponential moving averages; see :func:`get_ema_multi_avg_fn`.

    Args:
        decay: the share of the average that stays.

    Raises:
        ValueError: ``decay`` is outside [0, 1].
    """
    _check_decay("get_ema_avg_fn", decay)

    def ema_update(average: Tensor, value: Tensor, num_averaged: Tensor | int) -> Tensor:
        with cr.no_grad():
            return decay * average + (1 - decay) * value

    return ema_update


def get_swa_avg_fn() -> AvgFn:
    """Return an ``avg_fn`` of plain means."""

    def swa_update(average: Tensor, value: Tensor, num_averaged: Tensor | int) -> Tensor:
        with cr.no_grad():
            return average + (value - average) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module[..., Any]):
    """A copy of a model whose parameters are averages over those of the model in training.

    Stochastic weight averaging (Izmailov et al., 2018) by default; exponential moving averages
    with :func:`get_ema_multi_avg_fn`. The first update copies the parameters. Buffers are copied
    at each update; see :func:`update_bn` for the statistics of batch normalization.

    Args:
        model: the model to average; it is copied.
        device: accepted for ported scripts; everything is on the CPU.
        avg_fn: ``avg_fn(average, value, n_averaged)`` returns the new average of one parameter.
        multi_avg_fn: ``multi_avg_fn(averages, values, n_averaged)`` updates lists in place.
        use_buffers: average the buffers too.

    Raises:
        ValueError: both ``avg_fn`` and ``multi_avg_fn`` are given.

    Example:
        >>> model = cr.nn.Linear(1, 1, bias=False)
        >>> averaged = cr.optim.swa_utils.AveragedModel(model)
        >>> for value in (1.0, 3.0):
        ...     _ = cr.nn.init.constant_(model.weight, value)
        ...     averaged.update_parameters(model)
        >>> averaged.module.weight.item()
        2.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module[..., Any],
        device: Any = None,
        avg_fn: AvgFn | None = None,
        multi_avg_fn: MultiAvgFn | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: avg_fn and multi_avg_fn exclude each other")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", cr.tensor(0))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the averaged model's output."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module[..., Any]) -> None:
        """Take the model's present parameters into the averages.

        Args:
            model: the model in training.
        """
        averages = [each.detach() for each in self._averaged(self.module)]
        values = [each.detach() for each in self._averaged(model)]
        with cr.no_grad():
            if int(self.n_averaged) == 0:
                for average, value in zip(averages, values, strict=True):
                    average.copy_(value)
            elif self.avg_fn is not None:
                for average, value in zip(averages, values, strict=True):
                    average.copy_(self.avg_fn(average, value, self.n_averaged))
            elif averages:
                update = self.multi_avg_fn or get_swa_multi_avg_fn()
                update(averages, values, self.n_averaged)
            if not self.use_buffers:
                buffers = zip(self.module.buffers(), model.buffers(), strict=True)
                for average, value in buffers:
                    average.copy_(value)
            self.n_averaged += 1

    def _averaged(self, model: Module[..., Any]) -> Iterable[Tensor]:
        if self.use_buffers:
            return itertools.chain(model.parameters(), model.buffers())
        return model.parameters()


def update_bn(loader: Iterable[Any], model: Module[..., Any], device: Any = None) -> None:
    """Compute the running statistics of batch normalization anew, in one pass over the data.

    Args:
        loader: yields batches: tensors, or lists and tuples whose first element is the input.
        model: the model, for example an :class:`AveragedModel`; training mode is put back.
        device: accepted for ported scripts; everything is on the CPU.

    Example:
        >>> model = cr.nn.Sequential(cr.nn.BatchNorm1d(1))
        >>> cr.optim.swa_utils.update_bn([cr.tensor([[1.0], [3.0]])], model)
        >>> model[0].running_mean
        tensor([2.])
    """
    momenta: dict[_BatchNorm, Any] = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
            module.momentum = None
    if not momenta:
        return
    was_training = model.training
    model.train()
    try:
        with cr.no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Lead each group's learning rate to a fixed one within some epochs, and keep it there.

    Args:
        optimizer: whose learning rates are changed.
        swa_lr: the final learning rate, or one per group.
        anneal_epochs: how many epochs it takes; 0 sets it at the first step.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: the number of the last epoch; -1 to start.

    Raises:
        ValueError: ``anneal_epochs`` is negative, another strategy, or as many ``swa_lr`` as there
            are no groups.

    Example:
        >>> optimizer = cr.optim.SGD([cr.nn.Parameter(cr.ones(1))], lr=1.0)
        >>> scheduler = cr.optim.swa_utils.SWALR(optimizer, 0.5, 2, "linear")
        >>> rates = []
        >>> for _ in range(3):
        ...     scheduler.step()
        ...     rates += scheduler.get_last_lr()
        >>> rates
        [0.75, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: anneal_strategy is 'cos' or 'linear' (got {anneal_strategy!r})"
            )
        if isinstance(anneal_epochs, bool) or not isinstance(anneal_epochs, int):
            raise ValueError(f"SWALR: anneal_epochs is an int (got {anneal_epochs!r})")
        if anneal_epochs < 0:
            raise ValueError(f"SWALR: anneal_epochs is at least 0 (got {anneal_epochs})")
        rates = per_group("SWALR", "swa_lr", swa_lr, optimizer)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How far on the way the given step is, from 0 to 1."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        """Return the learning rates at this step, one per group.

        Where the way began follows from the present rate, which other schedulers may change.
        """
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group, lr in zip(self.optimizer.param_groups, self._lrs(), strict=True):
            final = group["swa_lr"]
            start = final if before == 1 else (lr - before * final) / (1 - before)
            rates.append(final * now + start * (1 - now))
        return rates
