"""ASGD."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _asgd_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["ASGD"]


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent (Polyak and Juditsky, 1992).

    With the gradient g (plus ``weight_decay * p``) and the step number t, starting with r = lr::

        p = p - r * (g + lambd * p)
        ax = p up to step t0, from then on the mean of all p since
        r = lr / (1 + lambd * lr * t)^alpha

    The averages are ``optimizer.state[p]["ax"]``.

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        lambd: decay of the parameter and of the learning rate.
        alpha: power of the learning rate's decay.
        t0: the step at which averaging starts.
        weight_decay: factor of the parameter that is added to its gradient.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        differentiable: accepted for ported scripts; only False.
        capturable: accepted for ported scripts; step counts are tensors in any case.

    Raises:
        ValueError: a negative ``lr`` or ``weight_decay``.

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.ASGD([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.8
    """

    _scalars = ("step", "eta", "mu")

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        for option in ("lr", "weight_decay"):
            check_range("ASGD", option, group[option], 0.0)
        check_ported("ASGD", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, counts = self._gather(params, "ax", eta=float(group["lr"]), mu=1.0)
        _asgd_step_(
            params,
            grads,
            state,
            counts,
            group["lr"],
            group["lambd"],
            group["alpha"],
            group["t0"],
            group["weight_decay"],
            group["maximize"],
        )
