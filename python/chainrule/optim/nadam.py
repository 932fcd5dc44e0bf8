"""NAdam."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _nadam_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["NAdam"]


class NAdam(Optimizer):
    r"""NAdam: Adam with Nesterov's momentum (Dozat, 2016).

    With the gradient g (plus ``weight_decay * p``), the step number t, a momentum that rises to
    beta1, mu[t] = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)), and M[t] = mu[1] * ... * mu[t]::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        n = (1 - mu[t]) / (1 - M[t]) * g + mu[t + 1] / (1 - M[t + 1]) * m
        p = p - lr * n / (sqrt(v / (1 - beta2^t)) + eps)

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the denominator.
        weight_decay: factor of the parameter that is added to its gradient.
        momentum_decay: how fast the momentum rises.
        decoupled_weight_decay: shrink the parameter itself, as :class:`AdamW`.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        differentiable: accepted for ported scripts; only False.

    Raises:
        ValueError: a negative ``lr``, ``eps``, ``weight_decay`` or ``momentum_decay``, or betas
            outside [0, 1).

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.NAdam([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.8944
    """

    _scalars = ("step", "mu_product")

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "capturable": capturable,
                "differentiable": differentiable,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        for option in ("lr", "eps", "weight_decay", "momentum_decay"):
            check_range("NAdam", option, group[option], 0.0)
        for beta in group["betas"]:
            check_range("NAdam", "each of betas", beta, 0.0, 1.0)
        check_ported("NAdam", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, counts = self._gather(params, "exp_avg", "exp_avg_sq", mu_product=1.0)
        beta1, beta2 = group["betas"]
        _nadam_step_(
            params,
            grads,
            state,
            counts,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["momentum_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
