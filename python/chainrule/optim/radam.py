"""RAdam."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _radam_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["RAdam"]


class RAdam(Optimizer):
    r"""Rectified Adam: Adam's step once its mean square can be trusted (Liu et al., 2020).

    With :class:`Adam`'s running means m and v and R = 2 / (1 - beta2) - 1::

        r = R - 2 * t * beta2^t / (1 - beta2^t)
        if r > 5:
            c = sqrt((r - 4) * (r - 2) * R / ((R - 4) * (R - 2) * r))
            p = p - lr * c * m / (1 - beta1^t) * sqrt(1 - beta2^t) / (sqrt(v) + eps)
        else:
            p = p - lr * m / (1 - beta1^t)

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the denominator.
        weight_decay: factor of the parameter that is added to its gradient.
        decoupled_weight_decay: shrink the parameter itself, as :class:`AdamW`.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        differentiable: accepted for ported scripts; only False.

    Raises:
        ValueError: a negative ``lr``, ``eps`` or ``weight_decay``, or betas outside [0, 1).

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.RAdam([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.8
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
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
                "decoupled_weight_decay": decoupled_weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "capturable": capturable,
                "differentiable": differentiable,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        for option in ("lr", "eps", "weight_decay"):
            check_range("RAdam", option, group[option], 0.0)
        for beta in group["betas"]:
            check_range("RAdam", "each of betas", beta, 0.0, 1.0)
        check_ported("RAdam", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, steps = self._gather(params, "exp_avg", "exp_avg_sq")
        beta1, beta2 = group["betas"]
        _radam_step_(
            params,
            grads,
            state,
            steps,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
