"""Sequences of different lengths in one batch: padded, or packed without the padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import chainrule as cr
from chainrule import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """The steps of a batch of sequences without padding: made by the ``pack`` functions.

    Sequences are sorted by length, the longest first, and their steps stand together: step 0 of
    all, step 1 of those that have one, and so on.

    Args:
        data: ``(sum of lengths, *)``, the steps.
        batch_sizes: int64, how many sequences reach each step.
        sorted_indices: int64, the place in the batch of each sorted sequence; None when the batch
            was sorted.
        unsorted_indices: the inverse of ``sorted_indices``, computed when left out.

    Example:
        >>> from chainrule.nn.utils.rnn import pack_sequence
        >>> pack_sequence([cr.tensor([1, 2, 3]), cr.tensor([4])])[:2]
        (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            raise ValueError("PackedSequence: batch_sizes is missing; use pack_padded_sequence")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __repr__(self) -> str:
        return (
            f"PackedSequence(data={self.data!r}, batch_sizes={self.batch_sizes!r}, "
            f"sorted_indices={self.sorted_indices!r}, unsorted_indices={self.unsorted_indices!r})"
        )

    def _with(self, data: Tensor) -> PackedSequence:
        """Return the same packing of other data."""
        if data is self.data:
            return self
        return PackedSequence(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data as ``Tensor.to`` does.

        Returns:
            The converted sequence; ``self`` where nothing changes.
        """
        return self._with(self.data.to(*args, **kwargs))

    def float(self) -> PackedSequence:
        """Convert the data to float32."""
        return self.to(cr.float32)

    def double(self) -> PackedSequence:
        """Convert the data to float64."""
        return self.to(cr.float64)

    def long(self) -> PackedSequence:
        """Convert the data to int64."""
        return self.to(cr.int64)

    def int(self) -> PackedSequence:
        """Convert the data to int32."""
        return self.to(cr.int32)

    def cpu(self) -> PackedSequence:
        """Return ``self``: all memory is the processor's."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes ``permutation``; None for None.

    Example:
        >>> cr.nn.utils.rnn.invert_permutation(cr.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    return None if permutation is None else cr.from_numpy(np.argsort(permutation.numpy()))


# ---------------------------------------------------------------- lengths


def _lengths(op: str, lengths: Any, batch: int, steps: int) -> np.ndarray:
    """Return ``lengths`` as an int64 array that fits the batch."""
    array = lengths.detach().numpy() if isinstance(lengths, Tensor) else np.asarray(lengths)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{op}: lengths are integers (got dtype {array.dtype})")
    if array.shape != (batch,):
        raise ValueError(
            f"{op}: got lengths of shape {array.shape}; expected one per sample, ({batch},)"
        )
    for bad, what in ((array < 1, "1 or more"), (array > steps, f"at most the {steps} steps")):
        if bad.any():
            sample = int(np.argmax(bad))
            raise ValueError(
                f"{op}: lengths[{sample}] is {array[sample]}; expected {what} of the input"
                if what.startswith("at most")
                else f"{op}: lengths[{sample}] is {array[sample]}; expected {what}"
            )
    return array.astype(np.int64)


class _Places(NamedTuple):
    """Where the steps of a packed batch stand in the padded one."""

    batch_sizes: np.ndarray
    rows: np.ndarray  # of the padded batch as a matrix


def _places(order: np.ndarray, batch_sizes: np.ndarray, steps: int, batch_first: bool) -> _Places:
    """Return the places of packed steps; ``order`` is the sample of each sorted sequence."""
    t, k = np.nonzero(np.arange(len(order)) < batch_sizes[:, None])
    rows = order[k] * steps + t if batch_first else t * len(order) + order[k]
    return _Places(batch_sizes, rows)


def _sizes(lengths: np.ndarray) -> np.ndarray:
    """Return how many sequences reach each step."""
    longest = int(lengths.max(initial=0))
    return np.asarray((lengths > np.arange(longest)[:, None]).sum(1))


def _batch_and_steps(op: str, input: Tensor, batch_first: bool) -> tuple[int, int]:
    if input.ndim < 2:
        raise ValueError(
            f"{op}: got input of shape {tuple(input.shape)}; expected "
            + ("(batch, steps, ...)" if batch_first else "(steps, batch, ...)")
        )
    first, second = input.shape[:2]
    return (first, second) if batch_first else (second, first)


# ---------------------------------------------------------------- packed


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch of sequences.

    Args:
        input: ``(steps, batch, *)``, or ``(batch, steps, *)`` with ``batch_first``.
        lengths: of each sequence; a list, an array or an int64 tensor.
        batch_first: whether the batch is the first dimension of ``input``.
        enforce_sorted: whether lengths that do not decrease are an error; otherwise the sequences
            are sorted, and unsorted again by ``pad_packed_sequence``.

    Returns:
        The packed sequence.

    Raises:
        ValueError: lengths below 1, beyond the steps, of the wrong number, or not sorted.
        TypeError: lengths that are no integers.

    Example:
        >>> from chainrule.nn.utils.rnn import pack_padded_sequence
        >>> padded = cr.tensor([[1., 2., 3.], [4., 5., 0.]])
        >>> pack_padded_sequence(padded, [3, 2], batch_first=True).data
        tensor([1., 4., 2., 5., 3.])
    """
    op = "pack_padded_sequence"
    batch, steps = _batch_and_steps(op, input, batch_first)
    array = _lengths(op, lengths, batch, steps)
    order = np.argsort(-array, kind="stable")
    if enforce_sorted and (np.diff(array) > 0).any():
        raise ValueError(
            f"{op}: lengths are not in decreasing order (got {array.tolist()}); "
            "pass enforce_sorted=False to have them sorted"
        )
    if batch == 0:
        raise ValueError(f"{op}: got an empty batch; expected at least one sequence")
    places = _places(order, _sizes(array), steps, batch_first)
    rows = input.reshape(batch * steps, *input.shape[2:])
    return PackedSequence(
        rows.index_select(0, cr.from_numpy(places.rows)),
        cr.from_numpy(places.batch_sizes),
        None if enforce_sorted else cr.from_numpy(order),
    )


def _order(sequence: PackedSequence, batch: int) -> np.ndarray:
    indices = sequence.sorted_indices
    return np.arange(batch) if indices is None else indices.numpy()


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo ``pack_padded_sequence``.

    Args:
        sequence: the packed sequence.
        batch_first: whether the batch comes first in the result.
        padding_value: of the elements beyond a sequence's end.
        total_length: the steps of the result; None for the longest sequence's.

    Returns:
        The padded batch, ``(steps, batch, *)`` or ``(batch, steps, *)``, and the lengths (int64),
        in the order in which the sequences were before they were sorted.

    Raises:
        ValueError: ``total_length`` is shorter than the longest sequence.

    Example:
        >>> from chainrule.nn.utils.rnn import pack_sequence, pad_packed_sequence
        >>> packed = pack_sequence([cr.tensor([1.]), cr.tensor([2., 3.])], enforce_sorted=False)
        >>> pad_packed_sequence(packed, batch_first=True)
        (tensor([[1., 0.],
                [2., 3.]]), tensor([1, 2]))
    """
    sizes = sequence.batch_sizes.numpy()
    longest, batch = len(sizes), int(sizes[0])
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ValueError(
            f"pad_packed_sequence: total_length is {total_length}; expected at least the longest "
            f"sequence's {longest}"
        )
    order = _order(sequence, batch)
    places = _places(order, sizes, steps, batch_first)
    data = sequence.data
    shape = (batch, steps) if batch_first else (steps, batch)
    padding = cr.full((batch * steps, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = padding.index_put([cr.from_numpy(places.rows)], data)
    lengths = np.empty(batch, np.int64)
    lengths[order] = (np.arange(batch) < sizes[:, None]).sum(0)
    return padded.reshape(*shape, *data.shape[1:]), cr.from_numpy(lengths)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences.

    Args:
        sequences: tensors ``(length, *)`` that differ in length only.
        enforce_sorted: whether lengths that do not decrease are an error.

    Returns:
        The packed sequence.

    Raises:
        ValueError: no sequences, an empty one, or lengths that are not sorted.

    Example:
        >>> cr.nn.utils.rnn.pack_sequence([cr.tensor([1, 2]), cr.tensor([3])]).batch_sizes
        tensor([2, 1])
    """
    lengths = [len(sequence) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of a packed batch, in the order in which they were packed.

    Example:
        >>> from chainrule.nn.utils.rnn import pack_sequence, unpack_sequence
        >>> unpack_sequence(pack_sequence([cr.tensor([1, 2]), cr.tensor([3])]))
        [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


# ---------------------------------------------------------------- padded


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Join sequences of different lengths into one batch.

    Args:
        sequences: tensors ``(length, *)`` that differ in length only.
        batch_first: whether the batch comes first in the result.
        padding_value: of the elements beyond a sequence's end.
        padding_side: ``"right"`` pads at the end, ``"left"`` at the start.

    Returns:
        Tensor of shape ``(longest, batch, *)``, or ``(batch, longest, *)`` with ``batch_first``.

    Raises:
        ValueError: no sequences, shapes that differ beyond the length, or an unknown side.

    Example:
        >>> from chainrule.nn.utils.rnn import pad_sequence
        >>> pad_sequence([cr.tensor([1, 2]), cr.tensor([3])], batch_first=True)
        tensor([[1, 2],
                [3, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"pad_sequence: padding_side is 'left' or 'right' (got {padding_side!r})")
    sequences = list(sequences)
    if not sequences:
        raise ValueError("pad_sequence: got no sequences; expected at least one")
    rest = tuple(sequences[0].shape[1:])
    for i, sequence in enumerate(sequences):
        if sequence.ndim == 0 or tuple(sequence.shape[1:]) != rest:
            raise ValueError(
                f"pad_sequence: sequence {i} has shape {tuple(sequence.shape)}; expected "
                f"(length, {', '.join(map(str, rest))}) as sequence 0"
            )
    longest = max(len(sequence) for sequence in sequences)

    def padded(sequence: Tensor) -> Tensor:
        border = [0] * (2 * len(rest)) + [0, longest - len(sequence)]
        if padding_side == "left":
            border[-2:] = border[:-3:-1]
        return cr.nn.functional.pad(sequence, border, value=padding_value)

    return cr.stack([padded(sequence) for sequence in sequences], 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """Cut a padded batch into its sequences.

    Args:
        padded_sequences: ``(steps, batch, *)``, or ``(batch, steps, *)`` with ``batch_first``.
        lengths: of each sequence.
        batch_first: whether the batch is the first dimension.

    Returns:
        A view ``(length, *)`` for each sequence.

    Raises:
        ValueError: lengths below 1, beyond the steps or of the wrong number.

    Example:
        >>> from chainrule.nn.utils.rnn import unpad_sequence
        >>> unpad_sequence(cr.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
        [tensor([1, 2]), tensor([3])]
    """
    batch, steps = _batch_and_steps("unpad_sequence", padded_sequences, batch_first)
    array = _lengths("unpad_sequence", lengths, batch, steps)
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(rows, array, strict=True)]
