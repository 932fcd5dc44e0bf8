"""The two entries to the backward pass."""

from __future__ import annotations

from collections.abc import Sequence

from .._core import Tensor, _backward

Tensors = Tensor | Sequence[Tensor]


def _as_list(value: Tensors | None) -> list[Tensor]:
    if value is None:
        return []
    return [value] if isinstance(value, Tensor) else list(value)


def _grad_list(
    grads: Tensor | Sequence[Tensor | None] | None, roots: list[Tensor], op: str
) -> list[Tensor | None]:
    if grads is None:
        return [None] * len(roots)
    listed: list[Tensor | None] = [grads] if isinstance(grads, Tensor) else list(grads)
    if len(listed) != len(roots):
        raise RuntimeError(f"{op}: got {len(listed)} gradients for {len(roots)} tensors")
    return listed


def backward(
    tensors: Tensors,
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves they depend on.

    Args:
        tensors: roots, each of one element unless its gradient is given.
        grad_tensors: gradients of the roots, of their shapes; None stands for 1.
        retain_graph: keep what the graph saved, so that backward can run again.
            Default: the value of ``create_graph``.
        create_graph: tape the backward pass itself, for higher derivatives.
        inputs: accumulate only into these leaves.

    Raises:
        RuntimeError: when a root has no history or several elements and no gradient, when the
            graph was freed, or when a saved tensor was changed in place.

    Example:
        >>> x = cr.tensor(3.0, requires_grad=True)
        >>> cr.autograd.backward(x * x)
        >>> x.grad
        tensor(6.)
    """
    roots = _as_list(tensors)
    wanted = _as_list(inputs)
    if inputs is not None and not wanted:
        raise RuntimeError("backward: inputs must not be empty")
    retain = create_graph if retain_graph is None else retain_graph
    grads = _grad_list(grad_tensors, roots, "backward")
    _backward(roots, grads, wanted, retain, create_graph, True)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradients of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    Args:
        outputs: roots, each of one element unless its gradient is given.
        inputs: tensors that require a gradient, leaves or not.
        grad_outputs: gradients of the outputs; None stands for 1.
        retain_graph: keep the graph for another pass. Default: the value of ``create_graph``.
        create_graph: tape the backward pass, so that the result can be differentiated.
        only_inputs: must be True; torch keeps it for old scripts.
        allow_unused: give None for inputs that the outputs do not depend on, instead of raising.
        is_grads_batched: must be False; :func:`chainrule.func.vmap` takes batches.
        materialize_grads: give zeros instead of None.

    Returns:
        One gradient per input, of its shape and dtype.

    Raises:
        RuntimeError: as :func:`backward`, and for an unused input.

    Example:
        >>> x = cr.tensor(2.0, requires_grad=True)
        >>> (g,) = cr.autograd.grad(x**3, x, create_graph=True)
        >>> cr.autograd.grad(g, x)
        (tensor(12.),)
    """
    if not only_inputs or is_grads_batched:
        raise ValueError(
            "grad: only_inputs=False and is_grads_batched=True are not supported; use backward() "
            "for all leaves, func.vmap of func.vjp for batches"
        )
    roots, wanted = _as_list(outputs), _as_list(inputs)
    if not wanted:
        raise RuntimeError("grad: inputs must not be empty")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads needs allow_unused to be True or left out")
    retain = create_graph if retain_graph is None else retain_graph
    grads = _grad_list(grad_outputs, roots, "grad")
    results = _backward(roots, grads, wanted, retain, create_graph, False)
    for i, result in enumerate(results):
        if result is not None:
            continue
        if materialize_grads:
            results[i] = wanted[i].new_zeros(wanted[i].shape)
        elif not allow_unused:
            raise RuntimeError(
                f"grad: input {i} (shape {wanted[i].shape}) was not used to compute the outputs; "
                "pass allow_unused=True to get None for it"
            )
    return tuple(results)
