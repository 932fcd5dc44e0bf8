"""Memory shared with JAX, where it is installed."""

import numpy as np
import pytest

import chainrule as cr

jax = pytest.importorskip("jax")


@pytest.mark.parametrize("name", ["bool", "uint8", "uint16", "uint32", "int8", "int16", "int32",
                                  "float16", "bfloat16", "float32"])  # fmt: skip
def test_dlpack_both_ways(name):
    dtype = getattr(cr, name)
    x = cr.tensor([[1, 0, 1], [0, 1, 1]], dtype=dtype)
    there = jax.numpy.from_dlpack(x)
    assert there.dtype.name == name
    assert there.tolist() == x.tolist()
    back = cr.from_dlpack(there)
    assert back.dtype is dtype
    assert back.tolist() == x.tolist()
    assert cr.from_dlpack(there, copy=True).tolist() == x.tolist()
    assert cr.asarray(there).dtype is dtype
    assert cr.tensor(there).tolist() == x.tolist()


def test_jax_reads_a_tensor_as_an_array():
    x = cr.arange(6.0).reshape(2, 3)
    assert np.array_equal(jax.numpy.asarray(x), x.numpy())
