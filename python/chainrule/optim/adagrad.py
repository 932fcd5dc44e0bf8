"""Adagrad."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule import Tensor
from chainrule._core import _adagrad_step_

from .optimizer import Optimizer, Params, check_ported, check_range, new_scalar

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    r"""Adagrad: steps scaled by the sum of all squared gradients so far (Duchi et al., 2011).

    With the gradient g (plus ``weight_decay * p``) and the step number t::

        s = s + g^2
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        lr_decay: how fast the learning rate falls.
        weight_decay: factor of the parameter that is added to its gradient.
        initial_accumulator_value: s at the start.
        eps: added to the denominator.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        differentiable: accepted for ported scripts; only False.
        fused: accepted for ported scripts; one fused call does it all.

    Raises:
        ValueError: a negative ``lr``, ``lr_decay``, ``weight_decay``,
            ``initial_accumulator_value`` or ``eps``.

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.Adagrad([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "fused": fused,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        for option in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            check_range("Adagrad", option, group[option], 0.0)
        check_ported("Adagrad", differentiable=group["differentiable"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add tensors to train; their sums start at once, as in torch.

        Args:
            param_group: see :meth:`Optimizer.add_param_group`.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for param in group["params"]:
            self.state[param] = {
                "step": new_scalar(0.0),
                "sum": cr.full_like(param, group["initial_accumulator_value"]),
            }

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, steps = self._gather(params, "sum")
        _adagrad_step_(
            params,
            grads,
            state,
            steps,
            group["lr"],
            group["lr_decay"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
