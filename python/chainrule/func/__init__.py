"""Functions that make functions: derivatives, batches and modules without state.

    >>> import chainrule as cr
    >>> from chainrule.func import grad, vmap
    >>> vmap(grad(grad(cr.sin)))(cr.tensor([0.0, 1.0]))
    tensor([-0.0000, -0.8415])

They nest in any order. The tape underneath is the one of ``backward``: a result has a gradient
history exactly when something outside of the transformed function that requires a gradient had a
part in it.
"""

from __future__ import annotations

from ..nn.utils.stateless import functional_call
from .batching import vmap
from .gradients import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
)
from .modules import stack_module_state

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]
