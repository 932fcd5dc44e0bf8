"""chainrule.testing.assert_close."""

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.testing import assert_close


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (cr.tensor([1.0]), cr.tensor([1.0 + 5e-6])),
        (cr.tensor([1.0], dtype=cr.float64), cr.tensor([1.0 + 5e-8], dtype=cr.float64)),
        (cr.tensor([1, 2]), cr.tensor([1, 2])),
        (1.0, 1.0 + 1e-8),
        ([cr.ones(2), 3], (cr.ones(2), 3)),
        ({"a": cr.ones(2)}, {"a": cr.ones(2)}),
        (np.ones(2, np.float32), cr.ones(2)),
        (cr.tensor([float("inf")]), cr.tensor([float("inf")])),
    ],
)
def test_close(actual: Any, expected: Any) -> None:
    assert_close(actual, expected)


def test_message_counts_and_locates() -> None:
    actual = cr.tensor([[1.0, 2.0], [3.0, 4.0]])
    expected = cr.tensor([[1.0, 2.0], [3.0, 8.0]])
    message = (
        "Tensor-likes are not close!\n\n"
        "Mismatched elements: 1 / 4 (25.0%)\n"
        "Greatest absolute difference: 4.0 at index (1, 1) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 0.5 at index (1, 1) (up to 1.3e-06 allowed)"
    )
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}$"):
        assert_close(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "match"),
    [
        (1.0, 2.0, r"(?s)Scalars are not close!.*Expected 2\.0 but got 1\.0\..*Absolute.*1\.0"),
        (cr.tensor([1, 2]), cr.tensor([1, 3]), "Tensor-likes are not equal!"),
        (cr.ones(2), cr.ones(3), r"'shape' do not match: \(2,\) != \(3,\)"),
        (
            cr.ones(2),
            cr.ones(2, dtype=cr.float64),
            r"'dtype' do not match: chainrule\.float32 != chainrule\.float64",
        ),
        (cr.tensor([float("nan")]), cr.tensor([float("nan")]), "not close"),
        ([1, 2], [1, 2, 3], "length of the sequences mismatch: 2 != 3"),
        ([1, [2, 3]], [1, [2, 4]], r"(?s)Scalars.*occurred for item \[1\]\[1\]"),
        ({"a": 1}, {"b": 1}, r"(?s)Missing keys.*\['b'\].*Additional keys.*\['a'\]"),
        ({"a": cr.ones(1)}, {"a": cr.zeros(1)}, r"item \['a'\]"),
        (cr.ones(1), 1.0, "None of the pairs"),
        (cr.ones(2), cr.tensor([1.0, float("inf")]), "1 / 2"),
    ],
)
def test_not_close(actual: Any, expected: Any, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        assert_close(actual, expected)


def test_options() -> None:
    nan = cr.tensor([float("nan")])
    assert_close(nan, nan, equal_nan=True)
    assert_close(cr.ones(2), cr.ones(2, dtype=cr.float64), check_dtype=False)
    assert_close(cr.ones(2), cr.full((2,), 1.5), rtol=0, atol=0.5)
    assert_close(cr.full((2,), 1.5), cr.ones(2), rtol=0.5, atol=0)
    with pytest.raises(AssertionError, match="stride"):
        assert_close(cr.ones(2, 3), cr.ones(3, 2).t(), check_stride=True)
    with pytest.raises(AssertionError, match=r"^mine$"):
        assert_close(1.0, 2.0, msg="mine")
    with pytest.raises(ValueError, match="both"):
        assert_close(1.0, 1.0, rtol=1e-3)
    assert_close(cr.ones(2, requires_grad=True), cr.ones(2))
