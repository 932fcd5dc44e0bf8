"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _adam_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam: steps scaled by running means of the gradient and its square (Kingma and Ba, 2014).

    With the gradient g (plus ``weight_decay * p``) and the step number t::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        p = p - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the denominator.
        weight_decay: factor of the parameter that is added to its gradient.
        amsgrad: divide by the largest v so far (Reddi et al., 2018).
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        differentiable: accepted for ported scripts; only False.
        fused: accepted for ported scripts; one fused call does it all.
        decoupled_weight_decay: shrink the parameter itself, as :class:`AdamW`.

    Raises:
        ValueError: a negative ``lr``, ``eps`` or ``weight_decay``, or betas outside [0, 1).

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.Adam([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
                "fused": fused,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        name = type(self).__name__
        check_range(name, "lr", group["lr"], 0.0)
        check_range(name, "eps", group["eps"], 0.0)
        check_range(name, "weight_decay", group["weight_decay"], 0.0)
        for beta in group["betas"]:
            check_range(name, "each of betas", beta, 0.0, 1.0)
        check_ported(name, differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        names = ["exp_avg", "exp_avg_sq"]
        if group["amsgrad"]:
            names.append("max_exp_avg_sq")
        state, steps = self._gather(params, *names)
        beta1, beta2 = group["betas"]
        _adam_step_(
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


class AdamW(Adam):
    r"""Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    The parameter itself shrinks, ``p = p * (1 - lr * weight_decay)``, before :class:`Adam`'s step
    with the bare gradient.

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the denominator.
        weight_decay: how much the parameter shrinks, times ``lr``.
        amsgrad: divide by the largest v so far (Reddi et al., 2018).
        maximize: go up the gradient instead of down.
        foreach: accepted for ported scripts; one fused call does it all.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        differentiable: accepted for ported scripts; only False.
        fused: accepted for ported scripts; one fused call does it all.

    Raises:
        ValueError: a negative ``lr``, ``eps`` or ``weight_decay``, or betas outside [0, 1).

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.AdamW([w], lr=0.1, weight_decay=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.89
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
