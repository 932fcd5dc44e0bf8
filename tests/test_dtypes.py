"""The element types beyond the eight that kernels know: 16-bit floats and wide unsigned integers.

Rows of the table (tests/opspec) are tested with unsigned integers like with any other; here stand
promotion in full, conversions bit by bit, and what computing in float32 means for 16-bit floats.
"""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
from opspec import FLOATS, OPS, PROMOTION, Op, draw, outputs

import chainrule as cr

NAMES = sorted({name for pair in PROMOTION for name in pair})
HALVES = [cr.float16, cr.bfloat16]
EXPONENTS = {"float16": (-24, 16), "bfloat16": (-126, 128)}


def of(name: str) -> cr.dtype:
    return getattr(cr, name)


# ---------------------------------------------------------------- promotion


@pytest.mark.smoke
def test_promotion_of_all_pairs() -> None:
    assert len(NAMES) == 13
    for a, b in itertools.product(NAMES, repeat=2):
        if (a, b) in PROMOTION:
            assert cr.promote_types(of(a), of(b)) is of(PROMOTION[a, b]), (a, b)
            assert cr.result_type(cr.ones(2, dtype=of(a)), cr.ones(3, dtype=of(b))) is of(
                PROMOTION[a, b]
            )
        else:
            assert "uint64" in (a, b)
            with pytest.raises(TypeError, match="no common integer type"):
                cr.promote_types(of(a), of(b))


@pytest.mark.parametrize("a", NAMES)
def test_numbers_promote_by_category(a: str) -> None:
    x = cr.ones(2, dtype=of(a))
    floating = x.is_floating_point()
    assert (x * True).dtype is x.dtype
    assert (x + 2).dtype is (cr.int64 if a == "bool" else x.dtype)
    assert (x + 0.5).dtype is (x.dtype if floating else cr.float32)
    assert (x / 2).dtype is (x.dtype if floating else cr.float32)
    for b in NAMES:  # a 0-d tensor counts only by its category
        zero_dim = cr.ones((), dtype=of(b))
        lower = _category(b) <= _category(a)
        assert cr.result_type(x, zero_dim) is (x.dtype if lower else of(b)), b


def _category(name: str) -> int:
    return 0 if name == "bool" else 2 if of(name).is_floating_point else 1


def test_can_cast_never_goes_down_a_category() -> None:
    for a, b in itertools.product(NAMES, repeat=2):
        assert cr.can_cast(of(a), of(b)) == (_category(a) <= _category(b))


def test_integers_beyond_int64() -> None:
    x = cr.tensor([0, 2**64 - 1])
    assert x.dtype is cr.uint64
    assert x.tolist() == [0, 2**64 - 1]
    assert x[1].item() == 2**64 - 1
    assert (x + 1).tolist() == [1, 0]
    assert (x > 2**63).tolist() == [False, True]
    assert cr.tensor([2**63, 0.5]).tolist() == [2.0**63, 0.5]
    assert (cr.zeros(1) + 2**63).item() == 2.0**63
    assert cr.full((1,), 2**63, dtype=cr.uint64).item() == 2**63
    assert x.sum().item() == 2**64 - 1
    assert x.sum().dtype is cr.uint64
    assert cr.tensor([3, 4], dtype=cr.uint16).sum().dtype is cr.int64
    with pytest.raises(ValueError, match="does not fit int64"):
        cr.zeros(1, dtype=cr.int64) + 2**63
    with pytest.raises(ValueError, match="no integer dtype holds"):
        cr.tensor([-1, 2**63])
    with pytest.raises(ValueError, match="does not fit in 64 bits"):
        cr.tensor([2**64])


# ---------------------------------------------------------------- conversions


def _all_bits(dtype: cr.dtype) -> tuple[cr.Tensor, np.ndarray]:
    """Every value of a 16-bit dtype, and what it is in float64."""
    bits = np.arange(2**16, dtype=np.uint16)
    x = cr.from_numpy(bits.copy()).view(dtype)
    if dtype is cr.float16:
        with np.errstate(invalid="ignore"):  # NumPy warns of signalling NaN on some processors
            return x, bits.view(np.float16).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return x, (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True) and (np.signbit(a) == np.signbit(b)).all())


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("wide", [cr.float32, cr.float64], ids=str)
def test_every_value_survives_widening(dtype: cr.dtype, wide: cr.dtype) -> None:
    x, expected = _all_bits(dtype)
    widened = x.to(wide)
    normal = np.abs(expected) >= 2.0**-126  # subnormal numbers of float32 may be flushed to zero
    keep = normal | (expected == 0) | np.isnan(expected)
    if wide is cr.float32:
        keep[:] = True
    with np.errstate(invalid="ignore"):
        assert _same(widened.numpy().astype(np.float64)[keep], expected[keep])
    back = widened.to(dtype).view(cr.uint16).numpy()
    numbers = keep & ~np.isnan(expected)
    assert np.array_equal(back[numbers], np.arange(2**16)[numbers])
    assert np.isnan(widened.to(dtype).float().numpy()[np.isnan(expected)]).all()


def _nearest(values: np.ndarray, dtype: cr.dtype) -> np.ndarray:
    """Reference by search: the neighbour in the sorted list of values, ties to even bits."""
    _, table = _all_bits(dtype)
    positive = table[:0x8000]
    top = np.flatnonzero(np.isinf(positive))[0]
    # What would come after the largest number stands for infinity.
    grid = np.append(positive[:top], 2 * positive[top - 1] - positive[top - 2])
    size = np.abs(values)
    low = np.clip(np.searchsorted(grid, size, side="right") - 1, 0, top - 1)
    below, above = size - grid[low], grid[low + 1] - size
    up = (above < below) | ((above == below) & (low % 2 == 1))
    chosen = np.where(size >= grid[top], top, low + up)
    with np.errstate(invalid="ignore"):
        return np.copysign(np.where(chosen == top, np.inf, grid[chosen]), values)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_rounding_is_to_nearest_even(dtype: cr.dtype) -> None:
    """Values, the ties between them, and numbers a little off the ties, from both float types."""
    _, table = _all_bits(dtype)
    grid = np.unique(np.abs(table[np.isfinite(table)]))
    grid = grid[(grid == 0) | (grid >= 2.0**-126)]
    ties = (grid[1:] + grid[:-1]) / 2
    # Off by less than float32 sees: rounding twice would show.
    off = np.concatenate([ties * (1 + 2.0**-40), ties * (1 - 2.0**-40)])
    beyond = np.array([grid[-1] * 1.001, grid[-1] * 1.01, 1e38 if dtype is cr.float16 else 3.5e38])
    wide = np.concatenate([grid, ties, off, beyond])
    wide = np.concatenate([wide, -wide])
    wide = wide[(wide == 0) | (np.abs(wide) >= 2.0**-126)]
    got = cr.tensor(wide).to(dtype).double().numpy()
    assert _same(got, _nearest(wide, dtype))
    narrow = wide[np.abs(wide) < 3.4e38].astype(np.float32)
    assert _same(
        cr.tensor(narrow).to(dtype).double().numpy(), _nearest(narrow.astype(np.float64), dtype)
    )
    for special in (np.inf, -np.inf, np.nan, -0.0):
        assert _same(
            cr.tensor([special], dtype=cr.float64).to(dtype).double().numpy(), np.array([special])
        )


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("source", [n for n in NAMES if "int" in n or n == "bool"])
def test_integers_become_halves(dtype: cr.dtype, source: str) -> None:
    rng = np.random.default_rng(0)
    if source == "bool":
        values = np.array([True, False])
    else:
        limits = np.iinfo(source)
        values = rng.integers(limits.min, limits.max, 4000, dtype=source, endpoint=True)
        values = np.concatenate([values, values >> (limits.bits // 2), [limits.min, limits.max]])
    exact = values.astype(np.longdouble)
    expected = _nearest(exact, dtype) if source != "bool" else exact
    assert np.array_equal(cr.tensor(values).to(dtype).double().numpy(), expected)


def test_a_wide_integer_is_rounded_once() -> None:
    tie = 2**60 + 2**52  # between two neighbours of bfloat16
    for value, expected in ((tie, 2**60), (tie + 1, 2**60 + 2**53), (-tie - 1, -(2**60) - 2**53)):
        assert cr.tensor([value]).to(cr.bfloat16).item() == expected
    assert cr.tensor([tie + 1], dtype=cr.uint64).bfloat16().item() == 2**60 + 2**53


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("target", [n for n in NAMES if "int" in n or n == "bool"])
def test_halves_become_integers(dtype: cr.dtype, target: str) -> None:
    x, values = _all_bits(dtype)
    assert np.array_equal(x.to(of(target)).numpy(), x.float().to(of(target)).numpy())
    if target != "bool":
        inside = np.abs(values) < 100
        inside &= values >= 0 if target.startswith("u") else True
        assert np.array_equal(x.to(of(target)).numpy()[inside], np.trunc(values[inside]))


@pytest.mark.parametrize("target", ["uint16", "uint32", "uint64"])
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_floats_saturate_in_unsigned_integers(source: str, target: str) -> None:
    top = 2 ** np.iinfo(target).bits
    inside = [0.0, 0.9, 1.5, 2.0**15 + 0.5, float(np.nextafter(np.dtype(source).type(top), 0))]
    x = np.array([*inside, float(top), 1e30, np.inf, -1.0, -np.inf, np.nan], source)
    got = cr.tensor(x).to(of(target)).tolist()
    assert got[:5] == [int(v) for v in x[:5]]
    assert got[5:] == [top - 1, top - 1, top - 1, 0, 0, 0]


def test_integers_of_all_widths_wrap() -> None:
    values = np.array([0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**63 - 1, -1])
    integers = [n for n in NAMES if "int" in n]
    for a, b in itertools.product(integers, repeat=2):
        x = values.astype(a)
        assert np.array_equal(cr.tensor(x).to(of(b)).numpy(), x.astype(b)), (a, b)


# ---------------------------------------------------------------- 16-bit floats compute in float32


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("op", [pytest.param(o, id=o.name) for o in OPS if "f" in o.dtypes])
def test_rows_compute_in_float32(op: Op, dtype: cr.dtype) -> None:
    """Results are float32's, rounded: once for a row, at each step for a composite."""
    for case in op.cases:
        drawn = draw(op, case, "float32")

        def half(array: np.ndarray) -> cr.Tensor:
            return cr.tensor(array).to(dtype)

        def widened(array: np.ndarray) -> cr.Tensor:
            return half(array).float()

        args, kwargs = drawn.map(half, free_only=True)
        wide_args, wide_kwargs = drawn.map(widened, free_only=True)
        args, kwargs, wide_args, wide_kwargs = (
            _tensors(value) for value in (args, kwargs, wide_args, wide_kwargs)
        )
        got = outputs(op.fn(*args, **kwargs))
        wanted = outputs(op.fn(*wide_args, **wide_kwargs))
        for result, reference in zip(got, wanted, strict=True):
            floating = reference.is_floating_point() and reference.dtype is cr.float32
            assert result.dtype is (dtype if floating else reference.dtype)
            assert result.shape == reference.shape
            assert _close(result.double().numpy(), reference.double().numpy(), dtype), op.name


def _tensors(value):
    """Arrays that do not follow the dtype (indices, masks) as tensors."""
    if isinstance(value, np.ndarray):
        return cr.tensor(value)
    if isinstance(value, dict):
        return {k: _tensors(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_tensors(v) for v in value]
    return value


def _close(got: np.ndarray, wanted: np.ndarray, dtype: cr.dtype) -> bool:
    eps = cr.finfo(dtype).eps
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)
    atol = 2 * eps * max(scale, cr.finfo(dtype).tiny)
    return bool(np.allclose(got, wanted, rtol=2 * eps, atol=atol, equal_nan=True))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_one_rounding_for_one_row(dtype: cr.dtype) -> None:
    rng = np.random.default_rng(1)
    a, b = (cr.tensor(rng.normal(size=(7, 5)).astype(np.float32)).to(dtype) for _ in range(2))
    for f in (
        lambda x, y: x + y, lambda x, y: x / y, lambda x, y: x @ y.T, lambda x, y: x.exp(),
        lambda x, y: x.sum(0), lambda x, y: x.mean(), lambda x, y: x.softmax(1),
        lambda x, y: cr.maximum(x, y), lambda x, y: cr.cat([x, y]), lambda x, y: x.cumsum(1),
    ):  # fmt: skip
        got, wanted = f(a, b), f(a.float(), b.float()).to(dtype)
        assert got.dtype is dtype
        assert np.array_equal(got.view(cr.int16).numpy(), wanted.view(cr.int16).numpy())


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_gradients(dtype: cr.dtype) -> None:
    x = cr.tensor([1.0, -2.0, 3.0], dtype=dtype, requires_grad=True)
    w = cr.tensor([0.5, 0.25, -1.0], requires_grad=True)
    loss = (x * x * w).sum()  # float32: the wider operand decides
    assert loss.dtype is cr.float32
    loss.backward()
    assert x.grad.dtype is dtype
    assert x.grad.tolist() == [1.0, -1.0, -6.0]
    assert w.grad.dtype is cr.float32
    assert w.grad.tolist() == [1.0, 4.0, 9.0]
    (first,) = cr.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = cr.autograd.grad(first.sum(), x)
    assert second.dtype is dtype
    assert second.tolist() == [6.0, -12.0, 18.0]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_writes_in_place(dtype: cr.dtype) -> None:
    x = cr.zeros(2, 3, dtype=dtype)
    row, address = x[0], x.data_ptr()
    x += 1.5
    x[1] = cr.tensor([1.0, 2.0, 3.0])
    x[:, 2].mul_(2)
    x[cr.tensor([0]), cr.tensor([1])] = 9
    x[x > 8] = -1
    assert x.dtype is dtype
    assert x.data_ptr() == address
    assert x.tolist() == [[1.5, -1.0, 3.0], [1.0, 2.0, 6.0]]
    assert row.tolist() == [1.5, -1.0, 3.0]
    wide = cr.ones(3)
    wide += row
    assert wide.dtype is cr.float32
    assert wide.tolist() == [2.5, 0.0, 4.0]
    with pytest.raises(TypeError, match="cannot be stored"):
        cr.ones(3, dtype=cr.int64).add_(row)
    with pytest.raises(ValueError, match="does not fit"):
        row.add_(cr.ones(2, 3))
    leaf = cr.ones(3, dtype=dtype, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^add_: .*leaf"):
        leaf.add_(1)
    y = leaf * 2
    saved = y * y  # keeps float32 copies of y, which the write leaves alone
    y.add_(1)
    (saved.sum() + y.sum()).backward()
    assert leaf.grad.tolist() == [10.0] * 3


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_a_model_trains(dtype: cr.dtype) -> None:
    cr.manual_seed(0)
    model = cr.nn.Sequential(cr.nn.Linear(4, 8), cr.nn.ReLU(), cr.nn.Linear(8, 1))
    model.to(dtype)
    x = cr.randn(32, 4, dtype=dtype)
    y = x.sum(1, keepdim=True)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    losses = []
    for _ in range(30):
        loss = cr.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.dtype is dtype for p in model.parameters())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_what_a_row_writes_into_its_inputs_arrives(dtype: cr.dtype) -> None:
    """Running statistics and optimizer state, which rows update in their arguments."""
    cr.manual_seed(0)
    norm, reference = cr.nn.BatchNorm1d(3).to(dtype), cr.nn.BatchNorm1d(3)
    x = cr.randn(8, 3, dtype=dtype)
    norm(x)
    reference(x.float())
    for name in ("running_mean", "running_var"):
        got, wanted = getattr(norm, name), getattr(reference, name)
        assert got.dtype is dtype
        assert got.tolist() == pytest.approx(wanted.tolist(), rel=2 * cr.finfo(dtype).eps)
    p = cr.ones(4, dtype=dtype, requires_grad=True)
    optimizer = cr.optim.Adam([p], lr=0.5)
    p.grad = cr.ones(4, dtype=dtype)
    before = p._version
    optimizer.step()
    assert p.tolist() == [0.5] * 4
    assert p._version > before
    assert optimizer.state[p]["exp_avg"].tolist() == cr.tensor([0.1] * 4).to(dtype).tolist()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "bool"])
def test_functions_that_ask_numpy(name: str) -> None:
    x = cr.tensor([3, 1, 2, 1, 3], dtype=of(name))
    assert x.sort().values.tolist() == [1, 1, 2, 3, 3]
    unique, counts = cr.unique(x, return_counts=True)
    assert unique.dtype is x.dtype
    assert unique.tolist() == [1, 2, 3]
    assert counts.tolist() == [2, 1, 2]
    assert x.median().item() == 2
    assert x.topk(2).values.dtype is x.dtype
    assert cr.isin(x, cr.tensor([1], dtype=of(name))).sum().item() == 2
    assert cr.searchsorted(unique, x).tolist() == [2, 0, 1, 0, 2]
    if not x.is_floating_point():
        assert cr.bincount(x).tolist() == [0, 2, 1, 2]


# ---------------------------------------------------------------- making and reading


@pytest.mark.parametrize("name", NAMES)
def test_creation_and_copies(name: str) -> None:
    dtype = of(name)
    assert cr.zeros(2, dtype=dtype).tolist() == [0, 0]
    assert cr.ones(2, dtype=dtype).tolist() == [1, 1]
    assert cr.full((2,), 1, dtype=dtype).tolist() == [1, 1]
    assert cr.empty(2, dtype=dtype).dtype is dtype
    assert cr.eye(2, dtype=dtype).tolist() == [[1, 0], [0, 1]]
    if name != "bool":
        assert cr.arange(5, dtype=dtype).tolist() == [0, 1, 2, 3, 4]
        assert cr.linspace(0, 4, 5, dtype=dtype).tolist() == [0, 1, 2, 3, 4]
        assert cr.randint(3, 4, (2,), dtype=dtype).tolist() == [3, 3]
    x = cr.tensor([[1, 0, 1], [0, 1, 1]], dtype=dtype)
    assert x.dtype is dtype
    assert x.itemsize == dtype.itemsize
    copies = [
        x.clone(), x.t().contiguous().t(), x[[0, 1]], x[:, [2, 1, 0]].flip(1),
        cr.cat([x[:1], x[1:]]), cr.where(x == x, x, 0 if name != "bool" else x),
        x.index_select(0, cr.tensor([0, 1])), x.expand(2, 2, 3)[1], cr.stack([x, x])[0],
        copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x)),
        x.gather(1, cr.tensor([[0, 1, 2]] * 2)), cr.zeros_like(x).copy_(x),
    ]  # fmt: skip
    for y in copies:
        assert y.dtype is dtype
        assert y.tolist() == x.tolist()
    assert x.max().item() == 1
    assert x.argmax().item() == 0
    assert x.any().item()
    assert x.sum().item() == 4
    assert (x != 0).sum().item() == 4
    assert f"dtype=chainrule.{name}" in repr(x) or name in ("bool", "int64", "float32")
    assert getattr(x, _METHODS.get(name, "clone"))().dtype is dtype


_METHODS = {"float16": "half", "bfloat16": "bfloat16", "float32": "float", "float64": "double",
            "bool": "bool", "uint8": "byte", "int8": "char", "int16": "short", "int32": "int",
            "int64": "long"}  # fmt: skip


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_random_numbers(dtype: cr.dtype) -> None:
    cr.manual_seed(3)
    drawn = cr.rand(100, dtype=dtype), cr.randn(100, dtype=dtype)
    cr.manual_seed(3)
    wide = cr.rand(100), cr.randn(100)
    for a, b in zip(drawn, wide, strict=True):
        assert a.dtype is dtype
        assert a.tolist() == b.to(dtype).tolist()
    x = cr.empty(1000, dtype=dtype)
    assert 0.3 < x.uniform_().float().mean().item() < 0.7
    assert abs(x.normal_(2.0, 0.5).float().mean().item() - 2.0) < 0.2
    assert cr.bernoulli(cr.full((9,), 1.0, dtype=dtype)).tolist() == [1.0] * 9


@pytest.mark.smoke
def test_names_and_properties() -> None:
    assert cr.half is cr.float16
    for name in NAMES:
        dtype = of(name)
        assert cr.tensor([1], dtype=name).dtype is dtype
        assert dtype.is_signed == (name != "bool" and not name.startswith("u"))
        assert dtype.is_floating_point == ("float" in name)
        assert pickle.loads(pickle.dumps(dtype)) is dtype
        if name != "bfloat16":
            assert dtype.itemsize == np.dtype(name).itemsize
            assert cr.zeros(1, dtype=np.dtype(name)).dtype is dtype
            array = np.ones(2, name)
            assert cr.from_numpy(array).dtype is dtype
            assert cr.from_numpy(array).numpy().dtype == array.dtype
    for dtype in HALVES:
        with pytest.raises(TypeError, match="float32 or float64"):
            cr.set_default_dtype(dtype)


def test_constants() -> None:
    assert (cr.pi, cr.e, cr.inf) == (math.pi, math.e, math.inf)
    assert math.isnan(cr.nan)
    assert cr.arange(3)[:, cr.newaxis].shape == (3, 1)


@pytest.mark.parametrize("name", ["float16", *FLOATS])
def test_finfo_agrees_with_numpy(name: str) -> None:
    ours, theirs = cr.finfo(of(name)), np.finfo(name)
    for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal"):
        assert getattr(ours, field) == pytest.approx(float(getattr(theirs, field)), rel=1e-12)
    assert ours.dtype is of(name)
    assert "eps=" in repr(ours)


def test_finfo_of_bfloat16() -> None:
    info = cr.finfo(cr.bfloat16)
    _, values = _all_bits(cr.bfloat16)
    assert info.max == values[np.isfinite(values)].max()
    assert info.tiny == cr.finfo(cr.float32).tiny
    one = cr.tensor(1.0).bfloat16().view(cr.int16)
    assert (one + 1).view(cr.bfloat16).item() == 1 + info.eps
    with pytest.raises(TypeError, match="use iinfo"):
        cr.finfo(cr.int32)


@pytest.mark.parametrize("name", [n for n in NAMES if "int" in n])
def test_iinfo_agrees_with_numpy(name: str) -> None:
    ours, theirs = cr.iinfo(of(name)), np.iinfo(name)
    assert (ours.min, ours.max, ours.bits) == (theirs.min, theirs.max, theirs.bits)
    assert cr.iinfo(cr.zeros(1, dtype=of(name))).max == theirs.max
    with pytest.raises(TypeError, match="integer dtype"):
        cr.iinfo(cr.bool)


def test_bfloat16_and_numpy() -> None:
    x = cr.tensor([1.0, 2.5], dtype=cr.bfloat16)
    with pytest.raises(TypeError, match=r"\.float\(\)\.numpy\(\)"):
        x.numpy()
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.0, 2.5], ml_dtypes.bfloat16)
    y = cr.from_numpy(array)
    assert y.dtype is cr.bfloat16
    assert y.tolist() == [1.0, 2.5]
    y[0] = 3
    assert array[0] == 3
    assert cr.zeros(1, dtype=ml_dtypes.bfloat16).dtype is cr.bfloat16


# ---------------------------------------------------------------- view(dtype)


@pytest.mark.parametrize("a", [n for n in NAMES if n != "bool"])
@pytest.mark.parametrize("b", [n for n in NAMES if n != "bool"])
def test_view_as_another_dtype(a: str, b: str) -> None:
    raw = np.arange(48, dtype=np.uint8).reshape(3, 16)
    x, y = (cr.from_numpy(raw.copy()).view(of(n)) for n in (a, b))
    seen = x.view(of(b))
    assert seen.dtype is of(b)
    assert seen.shape == y.shape
    assert seen.data_ptr() == x.data_ptr()
    assert np.array_equal(seen.view(cr.uint8).numpy(), raw)
    seen.view(cr.uint8).zero_()
    assert x.sum().item() == 0


def test_view_of_strided_memory() -> None:
    x = cr.arange(24, dtype=cr.int32).reshape(4, 6)
    part = x[1:3, 2:6]
    assert part.view(cr.int16).shape == (2, 8)
    assert part.view(cr.int64).tolist() == part.numpy().copy().view(np.int64).tolist()
    assert x.t().view(cr.float32).shape == (6, 4)
    assert x.view(dtype=cr.uint32).dtype is cr.uint32
    assert cr.tensor(1.0).view(cr.int32).item() == 0x3F800000
    assert x.view(cr.int32).is_contiguous()
    for bad, dtype in ((x.t(), cr.int16), (x[:, 1:3], cr.int64), (x[:, :5], cr.int64),
                       (cr.tensor(1), cr.int8)):  # fmt: skip
        with pytest.raises(ValueError, match="view"):
            bad.view(dtype)
    with pytest.raises(TypeError, match="need not be bools"):
        cr.zeros(2, dtype=cr.uint8).view(cr.bool)


def test_view_as_another_dtype_has_no_gradient() -> None:
    x = cr.ones(2, requires_grad=True)
    assert not x.view(cr.int32).requires_grad
    assert x.view(cr.float32).requires_grad
    y = x * 2
    y.detach().view(cr.int32).zero_()
    assert y.tolist() == [0.0, 0.0]
