"""What notebooks show: tensors with statistics and a heat map, modules as trees."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

import chainrule as cr
from chainrule import nn


def parsed(value: Any) -> ElementTree.Element:
    return ElementTree.fromstring(value._repr_html_())


def text_of(value: Any) -> str:
    return " ".join("".join(f"{part} " for part in parsed(value).itertext()).split())


def fills(value: Any) -> list[str]:
    return re.findall(r'fill="(#\w+)"', value._repr_html_())


@pytest.mark.smoke
def test_tensor() -> None:
    x = cr.tensor([[-2.0, 0.0], [1.0, 4.0]], requires_grad=True)
    text = text_of(x)
    assert text.startswith("Tensor shape (2, 2), chainrule.float32, requires_grad min -2 max 4")
    assert "mean 0.75" in text
    assert "zeros 1" in text
    assert "grad_fn MulBackward" in text_of(x * 2)
    colours = fills(x)
    assert len(colours) == 4
    assert colours[1] == "#f7f7f7"  # zero is white
    assert colours[3] == "#b2182b"  # the largest in size is full
    red, _, blue = (int(colours[0][i : i + 2], 16) for i in (1, 3, 5))
    assert blue > red  # negative


def test_special_values() -> None:
    x = cr.tensor([float("nan"), float("inf"), float("-inf"), 1.0, -1.0])
    assert re.search(r"min -1 max 1 mean 0 std 1 nan 1 inf 2$", text_of(x))
    nan, up, down, one, minus = fills(x)
    assert nan == "#999"
    assert (up, down) == (one, minus)
    only = cr.full((3,), float("nan"))
    assert "min" not in text_of(only)
    assert fills(only) == ["#999"] * 3


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int64", "float16", "bfloat16", "float64"]
)
def test_dtypes(dtype: str) -> None:
    x = cr.tensor([[0, 1], [1, 1]], dtype=getattr(cr, dtype))
    assert f"chainrule.{dtype} min 0 max 1 mean 0.75" in text_of(x)
    assert fills(x) == ["#f7f7f7", *["#b2182b"] * 3]


def test_shapes() -> None:
    assert len(fills(cr.arange(5))) == 5
    assert len(fills(cr.ones(2, 3, 4))) == 12
    assert "[0, 0, :, :]" in text_of(cr.ones(2, 2, 3, 4))
    assert len(fills(cr.ones(500, 1000))) == 32 * 64
    assert len(fills(cr.ones(3, 4).T)) == 12
    assert "tensor(2.)" in text_of(cr.tensor(2.0))
    assert "size=(0, 3)" in text_of(cr.ones(0, 3))
    assert set(fills(cr.zeros(3))) == {"#f7f7f7"}
    # The first and the last place are among the sampled ones.
    x = cr.zeros(200)
    x[0], x[-1] = -1.0, 1.0
    assert (fills(x)[0], fills(x)[-1]) == ("#2166ac", "#b2182b")


def test_parameter() -> None:
    assert text_of(nn.Parameter(cr.ones(2))).startswith("Parameter shape (2,)")


def test_module() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2, bias=False)))
    net[0].weight.requires_grad_(False)
    text = text_of(net)
    assert text.startswith("Sequential 21 parameters")
    assert "0 Linear (in_features=4, out_features=3, bias=True) 15 parameters" in text
    assert "1 ReLU 2 Sequential 6 parameters" in text
    assert text.endswith("21 parameters, 9 trainable, 84 bytes; training mode")
    assert len(parsed(net).findall(".//li")) == 4
    shared = nn.Sequential(net[0], net[0])
    assert text_of(shared).endswith("15 parameters, 3 trainable, 60 bytes; training mode")
    assert text_of(nn.ReLU().eval()) == "ReLU 0 parameters, 0 trainable, 0 bytes; evaluation mode"


def test_text_is_escaped() -> None:
    class Odd(nn.Module):
        def extra_repr(self) -> str:
            return "<script>"

    assert "&lt;script&gt;" in Odd()._repr_html_()
