"""Rprop."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor
from chainrule._core import _rprop_step_

from .optimizer import Optimizer, Params, check_ported, check_range

__all__ = ["Rprop"]


class Rprop(Optimizer):
    r"""Resilient propagation, by the gradient's sign alone (Riedmiller and Braun, 1993).

    Every element has its own step size s. It grows while the gradient g keeps its sign and shrinks
    when the sign turns; after a turn the element rests for one step::

        s = clip(s * etas[1], *step_sizes)  where g * g_last > 0
        s = clip(s * etas[0], *step_sizes)  where g * g_last < 0, and g = 0 there
        p = p - sign(g) * s

    Only for gradients of the whole training set: noise between batches turns signs.

    Args:
        params: the tensors to train, or parameter groups.
        lr: the first step size.
        etas: factors that shrink and grow the step size.
        step_sizes: the smallest and the largest step size.
        capturable: accepted for ported scripts; step counts are tensors in any case.
        foreach: accepted for ported scripts; one fused call does it all.
        maximize: go up the gradient instead of down.
        differentiable: accepted for ported scripts; only False.

    Raises:
        ValueError: a negative ``lr``, or etas that are not ``0 < etas[0] < 1 < etas[1]``.

    Example:
        >>> w = cr.nn.Parameter(cr.tensor([1.0]))
        >>> optimizer = cr.optim.Rprop([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": etas,
                "step_sizes": step_sizes,
                "capturable": capturable,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        check_range("Rprop", "lr", group["lr"], 0.0)
        if not 0 < group["etas"][0] < 1 < group["etas"][1]:
            raise ValueError(f"Rprop: etas are 0 < etas[0] < 1 < etas[1] (got {group['etas']})")
        check_ported("Rprop", differentiable=group["differentiable"])

    def _update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        state, steps = self._gather(params, "prev", "step_size", step_size=float(group["lr"]))
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        _rprop_step_(
            params, grads, state, steps, shrink, grow, smallest, largest, group["maximize"]
        )
