"""RMSprop."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _rmsprop_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""RMSprop: steps scaled by a running mean of the squared gradient (Hinton, 2012).

    With the gradient g (plus ``weight_decay * p``)::

        v = alpha * v + (1 - alpha) * g^2
        p = p - lr * g / (sqrt(v) + eps)

    ``centered`` subtracts the square of a running mean of g from v (Graves, 2013); with momentum,
    ``b = momentum * b + g / (sqrt(v) + eps)`` and ``p = p - lr * b``.

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        alpha: decay rate of the running mean.
        eps: added to the denominator.
        weight_decay: factor of the parameter that is added to its gradient.
        momentum: the share of the last direction that is kept.
        centered: divide by an estimate of the variance instead of the mean square.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        differentiable: accepted for ported scripts; only False.

    Raises:
        ValueError: a negative ``lr``, ``alpha``, ``eps``, ``weight_decay`` or ``momentum``.

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.RMSprop([w], lr=0.01)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "capturable": capturable,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        for option in ("lr", "alpha", "eps", "weight_decay", "momentum"):
            check_range("RMSprop", option, group[option], 0.0)
        check_ported("RMSprop", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        names = ["square_avg"]
        if group["centered"]:
            names.append("grad_avg")
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        state, steps = self._gather(params, *names)
        _rmsprop_step_(
            params,
            grads,
            state,
            steps,
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["centered"],
            group["maximize"],
        )
