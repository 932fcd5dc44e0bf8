"""Every module of torch's own module database, built on both sides and compared.

The weights are copied by key, the inputs by value; outputs, buffers and the gradients of inputs and
parameters must agree in float32 and float64, in training and in evaluation mode. `count` says how
many samples do, for docs/parity.md (`python tests/peers/test_module_db.py` prints it).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")  # which torch's database imports

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch, about its own samples


@contextmanager
def _one_thread() -> Iterator[None]:
    """Thousands of tiny products: torch's threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="module")
def _serial() -> Iterator[None]:
    with _one_thread():
        yield


# Rounding: this many times the machine's epsilon of the largest value compared.
EPSILONS = 300

# Modules of the database that are not planned or come later.
LATER = {
    "LinearCrossEntropyLoss",
    *(f"Lazy{kind}{d}d" for kind in ("Conv", "ConvTranspose") for d in (1, 2, 3)),
}


def _database() -> dict[str, Any]:
    from torch.testing._internal.common_modules import module_db

    return {info.module_cls.__name__: info for info in module_db}


DATABASE = _database()


def _samples(info: Any, dtype: Any, training: bool) -> list[Any]:
    torch.manual_seed(0)
    samples: list[Any] = info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=True, training=training
    )
    return samples


# ---------------------------------------------------------------- from torch's values to ours


def _ours(value: Any) -> Any:
    """Return the counterpart of a value of torch: tensors, dtypes, functions, nested ones."""
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return nn.utils.rnn.PackedSequence(*(_ours(part) for part in value))
    if isinstance(value, torch.Tensor):
        tensor = cr.tensor(value.detach().numpy())
        return tensor.requires_grad_(value.requires_grad)
    if isinstance(value, torch.dtype):
        return getattr(cr, str(value).rpartition(".")[2])
    if isinstance(value, (list, tuple)):
        return type(value)(_ours(item) for item in value)
    if isinstance(value, dict):
        return {key: _ours(item) for key, item in value.items()}
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return _layer(value)
    if inspect.isroutine(value) and hasattr(torch.nn.functional, value.__name__):
        return getattr(nn.functional, value.__name__)
    return value


def _layer(theirs: Any) -> Any:
    """Return a layer like the one of torch that TransformerEncoder copies."""
    heads = theirs.self_attn
    return nn.TransformerEncoderLayer(
        heads.embed_dim, heads.num_heads, theirs.linear1.out_features, theirs.dropout.p,
        _ours(theirs.activation), theirs.norm1.eps, heads.batch_first, theirs.norm_first,
        bias=theirs.linear1.bias is not None,
    )  # fmt: skip


def _tensors(value: Any) -> Iterator[Any]:
    """Yield the tensors in a nested value, of either side, in order."""
    if isinstance(value, (torch.Tensor, cr.Tensor)):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _array(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.detach().numpy())


def _compare(what: str, ours: Any, theirs: Any) -> None:
    """Assert that two tensors (or two absent gradients) agree."""
    if ours is None or theirs is None:
        # torch may leave a gradient of zeros undefined, and so may we.
        given = theirs if ours is None else ours
        assert given is None or not _array(given).any(), f"{what}: one side has no gradient"
        return
    a, b = _array(ours), _array(theirs)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, torch has {b.shape}"
    assert a.dtype == b.dtype, f"{what}: {a.dtype}, torch has {b.dtype}"
    if b.dtype.kind != "f":
        np.testing.assert_array_equal(a, b, what)
        return
    finite = np.abs(b[np.isfinite(b)])
    bound = EPSILONS * np.finfo(b.dtype).eps * max(1.0, float(finite.max(initial=0.0)))
    np.testing.assert_allclose(a, b, rtol=0, atol=bound, err_msg=what)


# ---------------------------------------------------------------- one sample


def _build(info: Any, sample: Any, dtype: Any, training: bool) -> tuple[Any, Any]:
    """Build the module on both sides with the same weights and buffers."""
    args, options = sample.constructor_input.args, sample.constructor_input.kwargs
    theirs = info.module_cls(*args, **options).to(dtype).train(training)
    ours = getattr(nn, info.module_cls.__name__)(*_ours(args), **_ours(options))
    ours.to(_ours(dtype)).train(training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def check(info: Any, sample: Any, dtype: Any, training: bool) -> None:
    """Assert that both sides agree on a sample."""
    ours, theirs = _build(info, sample, dtype, training)
    inputs = (sample.forward_input.args, sample.forward_input.kwargs)
    my_inputs = _ours(inputs)
    # Also leaves among the constructor's arguments, such as weights of losses, stay untouched.
    expected = theirs(*inputs[0], **inputs[1])
    out = ours(*my_inputs[0], **my_inputs[1])

    pairs = list(zip(_tensors(out), _tensors(expected), strict=True))
    total, their_total = cr.zeros((), dtype=cr.float64), torch.zeros((), dtype=torch.float64)
    rng = np.random.default_rng(0)
    for i, (mine, other) in enumerate(pairs):
        _compare(f"output {i}", mine, other)
        if other.is_floating_point() and other.requires_grad:
            weights = np.asarray(rng.standard_normal(tuple(other.shape)))
            total = total + (mine.double() * cr.tensor(weights)).sum()
            their_total = their_total + (other.double() * torch.tensor(weights)).sum()
    for (name, mine), (_, other) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        _compare(f"buffer {name}", mine, other)

    if not their_total.requires_grad or not np.isfinite(their_total.item()):
        return
    total.backward()
    their_total.backward()
    for i, (mine, other) in enumerate(zip(_tensors(my_inputs), _tensors(inputs), strict=True)):
        if other.requires_grad and other.is_leaf:
            _compare(f"gradient of input {i}", mine.grad, other.grad)
    params = zip(ours.named_parameters(), theirs.named_parameters(), strict=True)
    for (name, mine), (_, other) in params:
        _compare(f"gradient of {name}", mine.grad, other.grad)


def _runs(info: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield every run of a module: what it is, and a function that raises when it fails."""
    for dtype in (torch.float32, torch.float64):
        for training in (True, False):
            for i, sample in enumerate(_samples(info, dtype, training)):
                mode = "train" if training else "eval"
                yield (
                    f"{dtype} {mode} sample {i} {sample.desc}",
                    lambda s=sample, d=dtype, t=training: check(info, s, d, t),
                )


@_one_thread()
def count() -> dict[str, tuple[int, int]]:
    """Return by module how many samples agree, of how many: samples x dtypes x modes."""
    result = {}
    for name, info in DATABASE.items():
        matched = runs = 0
        for _, run in _runs(info) if hasattr(nn, name) else ():
            runs += 1
            try:
                run()
            except Exception:  # whatever it is, the sample does not agree
                continue
            matched += 1
        # Absent modules have as many samples for either dtype and mode.
        result[name] = (matched, runs or 4 * len(_samples(info, torch.float32, True)))
    return result


def test_the_rest_comes_later() -> None:
    assert {name for name in DATABASE if not hasattr(nn, name)} <= LATER


@pytest.mark.parametrize("name", [name for name in DATABASE if hasattr(nn, name)])
def test_module_agrees(name: str) -> None:
    failures = []
    for title, run in _runs(DATABASE[name]):
        try:
            run()
        except Exception as error:  # collected: one report for all samples
            failures.append(f"{title}: {type(error).__name__}: {error}")
    assert not failures, f"{len(failures)} samples differ:\n" + "\n".join(failures[:10])


if __name__ == "__main__":
    counts = count()
    for name, (matched, runs) in counts.items():
        print(f"{name:28} {matched:5} / {runs}")
    print(f"{sum(m for m, _ in counts.values())} / {sum(n for _, n in counts.values())}")
