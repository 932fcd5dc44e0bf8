"""evaluate and predict: a model at work, without gradients, in evaluation mode."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import nn
from ..metrics import Metric, as_metrics
from .batches import as_batches, check_batch

__all__ = ["evaluate", "predict"]

Loss = Callable[[Any, Any], Tensor]


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation mode and, afterwards, every module of it back to its own."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with cr.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def evaluate(
    model: nn.Module,
    data: Any,
    loss: Loss | None = None,
    metrics: Any = None,
    *,
    batch_size: int = 256,
) -> dict[str, float]:
    """Return a model's loss and metrics on data, in evaluation mode and without gradients.

    Args:
        model: called with the inputs of each batch.
        data: as `fit` takes it.
        loss: a function of (output, target) that returns a mean over the batch; None for none.
        metrics: as `fit` takes them.
        batch_size: rows per batch, where the data does not come in batches.

    Returns:
        ``"loss"`` (the mean over all rows) and the metrics by name.

    Raises:
        ValueError: the data is empty.
        TypeError: the data or a metric is not of a form `fit` takes.

    Example:
        >>> x = cr.arange(4.0).unsqueeze(1)
        >>> cr.train.evaluate(nn.Identity(), (x, x + 1), nn.MSELoss(), "mae")
        {'loss': 1.0, 'mae': 1.0}
    """
    batches = as_batches("evaluate", data, model, batch_size, shuffle=False)
    return evaluate_batches(model, batches, loss, as_metrics("evaluate", metrics))


def evaluate_batches(
    model: nn.Module,
    batches: Iterable[Sequence[Any]],
    loss: Loss | None,
    metrics: dict[str, Metric],
) -> dict[str, float]:
    """Do the work of `evaluate`; the metrics are reset before and after."""
    total, rows = 0.0, 0
    for metric in metrics.values():
        metric.reset()
    with evaluating(model):
        for batch in batches:
            if rows == 0:
                check_batch("evaluate", batch)
            size = len(batch[0])
            output, target = model(*batch[:-1]), batch[-1]
            if loss is not None:
                total += loss(output, target).item() * size
            for metric in metrics.values():
                metric.update(output, target)
            rows += size
    if rows == 0:
        raise ValueError("evaluate: the data has no rows; expected at least one")
    result = {} if loss is None else {"loss": total / rows}
    result.update((name, float(metric.compute())) for name, metric in metrics.items())
    for metric in metrics.values():
        metric.reset()
    return result


def predict(model: nn.Module, data: Any, *more: Any, batch_size: int = 256) -> Any:
    """Return a model's outputs for all rows, in evaluation mode and without gradients.

    Args:
        model: called with the inputs of each batch.
        data: the input, a tensor or array; or data as `fit` takes it, the targets of which are
            not looked at.
        *more: further inputs, of a model that takes several.
        batch_size: rows per batch, where the data does not come in batches.

    Returns:
        The outputs, joined along the first dimension: a tensor, or a tuple of tensors if the
        model returns several.

    Raises:
        ValueError: the data is empty.
        TypeError: the data is not of a form `fit` takes.

    Example:
        >>> cr.train.predict(nn.Flatten(), cr.zeros(3, 2, 2)).shape
        (3, 4)
    """
    if more:
        data = (data, *more)
    outputs = []
    with evaluating(model):
        batches: Iterable[Any] = as_batches("predict", data, model, batch_size, shuffle=False)
        for batch in batches:
            if isinstance(batch, Tensor):
                batch = (batch,)
            inputs = batch if len(batch) == 1 or more else batch[:-1]
            outputs.append(model(*inputs))
    if not outputs:
        raise ValueError("predict: the data has no rows; expected at least one")
    if isinstance(outputs[0], Tensor):
        return cr.cat(outputs)
    return tuple(cr.cat(list(part)) for part in zip(*outputs, strict=True))
