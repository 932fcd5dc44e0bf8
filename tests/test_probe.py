"""The probe of the processor's multiply-add peak."""

import math

import pytest

import chainrule as cr
from chainrule import _core


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
def test_the_peak_is_a_rate(dtype: cr.dtype) -> None:
    peak = _core.fma_peak(dtype)
    assert math.isfinite(peak)
    assert peak > 0.1  # GFLOP/s: any processor of the last twenty years


def test_only_floats_have_a_peak() -> None:
    with pytest.raises(TypeError, match="fma_peak: got int32; expected float32 or float64"):
        _core.fma_peak(cr.int32)
