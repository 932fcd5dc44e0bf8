"""Adamax."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _adamax_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["Adamax"]


class Adamax(Optimizer):
    r"""Adamax: Adam with a decaying maximum in place of the mean square (Kingma and Ba, 2014).

    With the gradient g (plus ``weight_decay * p``) and the step number t::

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        p = p - lr / (1 - beta1^t) * m / u

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        betas: decay rates of the mean and of the maximum.
        eps: added to the gradient's magnitude.
        weight_decay: factor of the parameter that is added to its gradient.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        differentiable: accepted for ported scripts; only False.

    Raises:
        ValueError: a negative ``lr``, ``eps`` or ``weight_decay``, or betas outside [0, 1).

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.Adamax([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
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
                "betas": betas,
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
            check_range("Adamax", option, group[option], 0.0)
        for beta in group["betas"]:
            check_range("Adamax", "each of betas", beta, 0.0, 1.0)
        check_ported("Adamax", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, steps = self._gather(params, "exp_avg", "exp_inf")
        beta1, beta2 = group["betas"]
        _adamax_step_(
            params,
            grads,
            state,
            steps,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
