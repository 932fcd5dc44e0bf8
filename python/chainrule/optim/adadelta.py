"""Adadelta."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _adadelta_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    r"""Adadelta: steps scaled by running means of squared gradients and updates (Zeiler, 2012).

    With the gradient g (plus ``weight_decay * p``)::

        v = rho * v + (1 - rho) * g^2
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d^2
        p = p - lr * d

    Args:
        params: the tensors to train, or parameter groups.
        lr: factor of the step.
        rho: decay rate of the running means.
        eps: added below the roots.
        weight_decay: factor of the parameter that is added to its gradient.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        differentiable: accepted for ported scripts; only False.

    Raises:
        ValueError: a negative ``lr``, ``eps`` or ``weight_decay``, or ``rho`` outside [0, 1].

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.Adadelta([w], lr=10.0)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9684
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "capturable": capturable,
                "differentiable": differentiable,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        for option in ("lr", "eps", "weight_decay"):
            check_range("Adadelta", option, group[option], 0.0)
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Adadelta: rho is between 0 and 1 (got {group['rho']})")
        check_ported("Adadelta", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, steps = self._gather(params, "square_avg", "acc_delta")
        _adadelta_step_(
            params,
            grads,
            state,
            steps,
            group["lr"],
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
