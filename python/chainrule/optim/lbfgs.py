"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chainrule as cr
from chainrule import Tensor

from ._line_search import Point, strong_wolfe
from .optimizer import Optimizer, Params, check_range

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    r"""Limited-memory BFGS: a quasi-Newton method (Nocedal, 1980; Liu and Nocedal, 1989).

    The direction is the gradient times an approximation of the inverse Hessian, built from the
    last ``history_size`` changes of the parameters and of the gradient. Made for the loss of the
    whole training set, which ``step`` evaluates many times through its closure::

        >>> x = cr.nn.Parameter(cr.tensor([-1.5, 2.0]))
        >>> optimizer = cr.optim.LBFGS([x], max_iter=50, line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        ...     loss.backward()
        ...     return loss
        >>> _ = optimizer.step(closure)
        >>> x.detach().round()
        tensor([1., 1.])

    Args:
        params: the tensors to train; one group only.
        lr: the step length, or the first one the line search tries.
        max_iter: iterations per ``step``, at most.
        max_eval: evaluations of the closure per ``step``, at most; None for 5/4 of ``max_iter``.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where neither the loss nor any parameter changes more.
        history_size: how many changes are remembered.
        line_search_fn: None (steps of length ``lr``) or ``"strong_wolfe"``.

    Raises:
        ValueError: a negative ``lr``, more than one parameter group, or another line search.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        check_range("LBFGS", "lr", group["lr"], 0.0)
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                f"LBFGS: line_search_fn is None or 'strong_wolfe' (got {group['line_search_fn']!r})"
            )
        if self.param_groups:
            raise ValueError("LBFGS: there is one parameter group only")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Run up to ``max_iter`` iterations.

        Args:
            closure: clears the gradients, computes the loss, calls ``backward`` and returns the
                loss.

        Returns:
            The loss before the first iteration, as the closure returned it.

        Raises:
            TypeError: there is no closure.
        """
        if closure is None:
            raise TypeError("LBFGS.step: needs a closure that recomputes the loss and gradients")
        group = self.param_groups[0]
        lr, max_iter, max_eval = float(group["lr"]), group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        # One state for all parameters, at the first one's place as in torch.
        state = self.state[group["params"][0]]
        for counter in ("func_evals", "n_iter"):
            state.setdefault(counter, 0)
        with cr.no_grad():
            first_loss = self._evaluate(closure)
            loss, grad = float(first_loss), self._flat_grad()
            evaluations = 1
            state["func_evals"] += 1
            if _largest(grad) <= tolerance_grad:
                return first_loss

            for iteration in range(1, max_iter + 1):
                state["n_iter"] += 1
                direction = self._direction(state, grad, group["history_size"])
                state["prev_flat_grad"], state["prev_loss"] = grad, loss
                t = lr
                if state["n_iter"] == 1:
                    t *= min(1.0, 1.0 / float(grad.abs().sum()))
                state["d"], state["t"] = direction, t
                slope = float(grad.dot(direction))
                if slope > -tolerance_change:
                    break

                used = 0
                origin = [param.clone() for param in group["params"]]
                if group["line_search_fn"] == "strong_wolfe":

                    def evaluate(
                        t: float, origin: list[Tensor] = origin, direction: Tensor = direction
                    ) -> Point:
                        self._move(origin, direction, t)
                        loss, grad = float(self._evaluate(closure)), self._flat_grad()
                        return Point(t, loss, grad, float(grad.dot(direction)))

                    found, used = strong_wolfe(
                        evaluate,
                        Point(0.0, loss, grad, slope),
                        t,
                        _largest(direction),
                        tolerance_change,
                        max_eval - evaluations,
                    )
                    state["t"], t, loss, grad = found.t, found.t, found.loss, found.grad
                    self._move(origin, direction, t)
                else:
                    self._move(origin, direction, t)
                    if iteration < max_iter:  # the next call begins with an evaluation anyway
                        loss, grad = float(self._evaluate(closure)), self._flat_grad()
                        used = 1
                evaluations += used
                state["func_evals"] += used
                if (
                    evaluations >= max_eval
                    or _largest(grad) <= tolerance_grad
                    or _largest(direction) * abs(t) <= tolerance_change
                    or abs(loss - state["prev_loss"]) < tolerance_change
                ):
                    break
        return first_loss

    def _direction(self, state: dict[str, Any], grad: Tensor, history_size: int) -> Tensor:
        """Remember the last step and return the next direction, by the two-loop recursion."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -grad
        # As torch names them: changes of the gradient, of the parameters, and 1 / their product.
        changes, steps, scales = state["old_dirs"], state["old_stps"], state["ro"]
        change, step = grad - state["prev_flat_grad"], state["d"] * state["t"]
        product = float(change.dot(step))
        if product > 1e-10:
            if len(changes) == history_size:
                for history in (changes, steps, scales):
                    del history[0]
            changes.append(change)
            steps.append(step)
            scales.append(1.0 / product)
            state["H_diag"] = product / float(change.dot(change))
        direction = -grad
        shares: list[float] = [0.0] * len(changes)
        for i in reversed(range(len(changes))):
            shares[i] = float(steps[i].dot(direction)) * scales[i]
            direction.add_(changes[i], alpha=-shares[i])
        direction.mul_(state["H_diag"])
        for i in range(len(changes)):
            share = float(changes[i].dot(direction)) * scales[i]
            direction.add_(steps[i], alpha=shares[i] - share)
        return direction

    @staticmethod
    def _evaluate(closure: Callable[[], Any]) -> Any:
        with cr.enable_grad():
            return closure()

    def _flat_grad(self) -> Tensor:
        return cr.cat(
            [
                (cr.zeros_like(param) if param.grad is None else param.grad).detach().reshape(-1)
                for param in self.param_groups[0]["params"]
            ]
        )

    def _move(self, origin: list[Tensor], direction: Tensor, t: float) -> None:
        """Set the parameters to ``origin + t * direction``."""
        start = 0
        for param, old in zip(self.param_groups[0]["params"], origin, strict=True):
            end = start + param.numel()
            param.copy_(old).add_(direction[start:end].reshape(param.shape), alpha=t)
            start = end

    def _restore(self, param: Tensor, number: int, key: str, value: Any) -> Any:
        """Return a saved value as this optimizer keeps it: numbers as floats, vectors as copies."""
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, (list, tuple)):
            return [self._restore(param, number, key, each) for each in value]
        tensor = cr.as_tensor(value).detach()
        if tensor.ndim == 0:
            return tensor.item()
        size = sum(each.numel() for each in self.param_groups[0]["params"])
        if tuple(tensor.shape) != (size,):
            raise ValueError(
                f"LBFGS.load_state_dict: {key!r} has shape {tuple(tensor.shape)}; expected "
                f"({size},), the number of all parameters"
            )
        return tensor.to(param.dtype).clone()


def _largest(vector: Tensor) -> float:
    return float(vector.abs().max()) if vector.numel() else 0.0
