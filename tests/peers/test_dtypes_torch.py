"""Dtypes and shared memory against torch, where it is installed."""

import itertools
import threading
import weakref

import numpy as np
import pytest
from opspec import PROMOTION

import chainrule as cr
from chainrule.utils import dlpack

torch = pytest.importorskip("torch")

NAMES = sorted({name for pair in PROMOTION for name in pair})
WIDE_UNSIGNED = {"uint16", "uint32", "uint64"}
HALVES = ["float16", "bfloat16"]


def both(name):
    return getattr(cr, name), getattr(torch, name)


def test_promotion_is_torchs_where_torch_has_an_answer():
    answered = 0
    for a, b in itertools.product(NAMES, repeat=2):
        (ours_a, theirs_a), (ours_b, theirs_b) = both(a), both(b)
        try:
            theirs = torch.promote_types(theirs_a, theirs_b)
        except RuntimeError:
            assert {a, b} & WIDE_UNSIGNED
            assert a != b
            continue
        answered += 1
        assert f"torch.{cr.promote_types(ours_a, ours_b).name}" == str(theirs), (a, b)
    assert answered >= 13 * 13 - 48


def test_result_types_are_torchs():
    def forms(name, library):
        dtype = getattr(library, name)
        return [library.ones(2, dtype=dtype), library.ones((), dtype=dtype)]

    numbers = [True, 2, 1.5]
    usual = [n for n in NAMES if n not in WIDE_UNSIGNED]
    for a, b in itertools.product(usual, repeat=2):
        pairs = zip(
            itertools.product(forms(a, cr), forms(b, cr)),
            itertools.product(forms(a, torch), forms(b, torch)),
            strict=True,
        )
        for ours, theirs in pairs:
            assert f"torch.{cr.result_type(*ours).name}" == str(torch.result_type(*theirs)), (a, b)
    for a, number in itertools.product(NAMES, numbers):
        for ours, theirs in zip(forms(a, cr), forms(a, torch), strict=True):
            wanted = torch.result_type(theirs, number)
            assert f"torch.{cr.result_type(ours, number).name}" == str(wanted), (a, number)


def test_can_cast_is_torchs():
    for a, b in itertools.product(NAMES, repeat=2):
        (ours_a, theirs_a), (ours_b, theirs_b) = both(a), both(b)
        assert cr.can_cast(ours_a, ours_b) == torch.can_cast(theirs_a, theirs_b), (a, b)


@pytest.mark.parametrize("name", HALVES)
def test_rounding_from_float32_is_torchs(name):
    ours, theirs = both(name)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 500_000, dtype=np.uint64).astype(np.uint32)
    x = bits.view(np.float32)
    x = x[np.isfinite(x) & (np.abs(x) >= 2.0**-126)]
    got = cr.tensor(x).to(ours).view(cr.int16).numpy()
    assert np.array_equal(got, torch.tensor(x).to(theirs).view(torch.int16).numpy())


OPS = [
    ("exp", 1), ("log1p", 1), ("tanh", 1), ("sigmoid", 1), ("sqrt", 1), ("reciprocal", 1),
    ("add", 2), ("mul", 2), ("div", 2), ("atan2", 2), ("maximum", 2), ("sum", 1), ("mean", 1),
    ("prod", 1), ("amax", 1), ("std", 1), ("matmul", 2), ("relu", 1), ("square", 1),
]  # fmt: skip


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize(("op", "arity"), OPS)
def test_values_and_gradients_are_torchs_within_a_rounding(op, arity, name):
    ours, theirs = both(name)
    rng = np.random.default_rng(1)
    arrays = [rng.uniform(0.1, 1.2, (4, 4)).astype(np.float32) for _ in range(arity)]
    mine = [cr.tensor(a).to(ours).requires_grad_() for a in arrays]
    peer = [torch.tensor(a).to(theirs).requires_grad_() for a in arrays]
    got, wanted = getattr(cr, op)(*mine), getattr(torch, op)(*peer)
    assert got.dtype is ours
    assert wanted.dtype is theirs
    got.sum().backward()
    wanted.sum().backward()
    eps = cr.finfo(ours).eps
    pairs = [(got, wanted), *zip((x.grad for x in mine), (x.grad for x in peer), strict=True)]
    for a, b in pairs:
        a, b = a.detach().float().numpy(), b.detach().float().numpy()
        # torch rounds some of its intermediate results too
        np.testing.assert_allclose(a, b, rtol=4 * eps, atol=4 * eps * np.abs(b).max())


def test_finfo_and_iinfo_are_torchs():
    for name in ("float16", "bfloat16", "float32", "float64"):
        ours, theirs = (library.finfo(getattr(library, name)) for library in (cr, torch))
        for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
        assert repr(ours) == repr(theirs)
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        ours, theirs = (library.iinfo(getattr(library, name)) for library in (cr, torch))
        assert (ours.min, ours.max, ours.bits) == (theirs.min, theirs.max, theirs.bits)


def test_views_as_other_dtypes_are_torchs():
    raw = np.arange(64, dtype=np.uint8).reshape(4, 16)
    for a, b in itertools.product([n for n in NAMES if n != "bool"], repeat=2):
        (ours_a, theirs_a), (ours_b, theirs_b) = both(a), both(b)
        got = cr.tensor(raw).view(ours_a)[1:3].view(ours_b)
        wanted = torch.tensor(raw).view(theirs_a)[1:3].view(theirs_b)
        assert got.shape == tuple(wanted.shape)
        assert got.stride() == wanted.stride()
        assert got.view(cr.uint8).tolist() == wanted.view(torch.uint8).tolist()


# ---------------------------------------------------------------- shared memory


@pytest.mark.parametrize("name", NAMES)
def test_dlpack_both_ways(name):
    ours, theirs = both(name)
    x = cr.tensor([[1, 0, 1], [0, 1, 1]], dtype=ours)
    there = torch.from_dlpack(x)
    assert there.dtype is theirs
    assert there.data_ptr() == x.data_ptr()
    assert there.tolist() == x.tolist()
    there[0, 0] = 0
    assert x[0, 0].item() == 0
    back = cr.from_dlpack(there.t())
    assert back.dtype is ours
    assert back.stride() == (1, 3)
    assert back.data_ptr() == x.data_ptr()
    legacy = torch.utils.dlpack.from_dlpack(dlpack.to_dlpack(x))
    assert legacy.data_ptr() == x.data_ptr()
    assert dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(legacy)).data_ptr() == x.data_ptr()
    assert cr.from_dlpack(there, copy=True).data_ptr() != x.data_ptr()
    assert torch.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()
    assert cr.asarray(there).data_ptr() == x.data_ptr()


def test_memory_of_torch_lives_as_long_as_its_borrowers():
    owner = torch.arange(1000.0)
    alive = weakref.ref(owner)
    borrowed = cr.from_dlpack(owner)
    del owner
    assert borrowed.sum().item() == 499500
    box = [borrowed]
    del borrowed
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    assert alive() is None


def test_gradients_do_not_cross():
    with pytest.raises((BufferError, RuntimeError), match="grad"):
        torch.from_dlpack(cr.ones(2, requires_grad=True))
    with pytest.raises((BufferError, RuntimeError), match="grad"):
        cr.from_dlpack(torch.ones(2, requires_grad=True))


def test_tensors_are_made_from_torch_tensors():
    assert cr.tensor(torch.ones(2, dtype=torch.bfloat16)).dtype is cr.bfloat16
    assert cr.tensor(torch.arange(3)).tolist() == [0, 1, 2]
    assert torch.tensor(cr.ones(2)).tolist() == [1, 1]
    assert torch.as_tensor(cr.ones(2)).dtype is torch.float32
