"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule import Tensor
from chainrule._core import _sgd_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum on request.

    With the gradient g (plus ``weight_decay * p``)::

        v = momentum * v + (1 - dampening) * g      (v = g in the first step)
        p = p - lr * v                              (nesterov: p - lr * (g + momentum * v))

    Args:
        params: the tensors to train, or parameter groups.
        lr: learning rate.
        momentum: the share of the last direction that is kept.
        dampening: the share of the gradient that is left out of the direction.
        weight_decay: factor of the parameter that is added to its gradient.
        nesterov: look one momentum step ahead (Sutskever et al., 2013).
        maximize: go up the gradient instead of down.
        foreach: accepted for ported scripts; one fused call does it all.
        differentiable: accepted for ported scripts; only False.
        fused: accepted for ported scripts; one fused call does it all.

    Raises:
        ValueError: a negative ``lr``, ``momentum`` or ``weight_decay``, or ``nesterov`` without
            momentum or with dampening.

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.SGD([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.8
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                "foreach": foreach,
                "differentiable": differentiable,
                "fused": fused,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        check_range("SGD", "lr", group["lr"], 0.0)
        check_range("SGD", "momentum", group["momentum"], 0.0)
        check_range("SGD", "weight_decay", group["weight_decay"], 0.0)
        check_ported("SGD", differentiable=group["differentiable"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs momentum above 0 and no dampening "
                f"(got momentum={group['momentum']}, dampening={group['dampening']})"
            )

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        momentum, dampening = group["momentum"], group["dampening"]
        options = (group["lr"], momentum)
        rest = (group["weight_decay"], group["nesterov"], group["maximize"])
        if momentum == 0:
            _sgd_step_(params, grads, [], *options, dampening, *rest)
            return
        states = list(map(self.state.__getitem__, params))
        # The first direction is the gradient itself: from zero, without dampening.
        fresh = [i for i, state in enumerate(states) if state.get("momentum_buffer") is None]
        for i in fresh:
            states[i]["momentum_buffer"] = cr.zeros_like(params[i])
        buffers = [state["momentum_buffer"] for state in states]
        if fresh and dampening != 0:
            _sgd_step_(
                [params[i] for i in fresh],
                [grads[i] for i in fresh],
                [buffers[i] for i in fresh],
                *options,
                0.0,
                *rest,
            )
            old = sorted(set(range(len(params))) - set(fresh))
            params, grads = [params[i] for i in old], [grads[i] for i in old]
            buffers = [buffers[i] for i in old]
        if params:
            _sgd_step_(params, grads, buffers, *options, dampening, *rest)
