"""Batch normalization merged into the layer before it."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval
from chainrule.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights


def trained(norm: Any) -> Any:
    """A norm in evaluation mode with statistics and parameters of its own."""
    n = norm.num_features
    with cr.no_grad():
        norm.running_mean.copy_(cr.randn(n))
        norm.running_var.copy_(cr.rand(n) + 0.5)
        if norm.weight is not None:
            norm.weight.copy_(cr.rand(n) + 0.5)
            norm.bias.copy_(cr.randn(n))
    return norm.eval()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution(rank: int, affine: bool, bias: bool) -> None:
    conv = getattr(nn, f"Conv{rank}d")(4, 6, 3, padding=1, groups=2, bias=bias, dtype=cr.float64)
    norm = trained(getattr(nn, f"BatchNorm{rank}d")(6, affine=affine, dtype=cr.float64))
    x = cr.randn(2, 4, *(5,) * rank, dtype=cr.float64)
    fused = fuse_conv_bn_eval(conv.eval(), norm)
    assert fused is not conv
    assert repr(fused) == repr(conv).replace(", bias=False", "")
    np.testing.assert_allclose(
        fused(x).detach().numpy(), norm(conv(x)).detach().numpy(), atol=1e-12
    )


def test_transposed_convolution() -> None:
    conv = nn.ConvTranspose2d(4, 6, 3, stride=2, dtype=cr.float64).eval()
    norm = trained(nn.BatchNorm2d(6, dtype=cr.float64))
    x = cr.randn(2, 4, 5, 5, dtype=cr.float64)
    fused = fuse_conv_bn_eval(conv, norm, transpose=True)
    np.testing.assert_allclose(
        fused(x).detach().numpy(), norm(conv(x)).detach().numpy(), atol=1e-12
    )


@pytest.mark.parametrize("features", [5, 1])
@pytest.mark.parametrize("bias", [False, True])
def test_linear(bias: bool, features: int) -> None:
    linear = nn.Linear(3, 5, bias=bias, dtype=cr.float64).eval()
    norm = trained(nn.BatchNorm1d(features, dtype=cr.float64))
    x = cr.randn(4, 3, dtype=cr.float64)
    y = linear(x)
    wanted = norm(y) if features == 5 else norm(y.reshape(-1, 1)).reshape(4, 5)
    fused = fuse_linear_bn_eval(linear, norm)
    np.testing.assert_allclose(fused(x).detach().numpy(), wanted.detach().numpy(), atol=1e-12)


def test_parameters_stay_what_they_are() -> None:
    conv, norm = nn.Conv2d(3, 4, 1).eval().requires_grad_(False), nn.BatchNorm2d(4).eval()
    fused = fuse_conv_bn_eval(conv, norm)
    assert isinstance(fused.weight, nn.Parameter)
    assert not fused.weight.requires_grad
    assert fuse_conv_bn_eval(nn.Conv2d(3, 4, 1).eval(), norm).weight.requires_grad
    assert list(fused.state_dict()) == ["weight", "bias"]
    half = fuse_conv_bn_eval(nn.Conv2d(3, 4, 1, dtype=cr.float64).eval(), norm)
    assert half.weight.dtype == half.bias.dtype == cr.float64


def test_bad_fusions() -> None:
    conv, norm = nn.Conv2d(3, 4, 1).eval(), nn.BatchNorm2d(4).eval()
    with pytest.raises(ValueError, match="fuse_conv_bn_eval: both layers must be in evaluation"):
        fuse_conv_bn_eval(conv, nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="fuse_conv_bn_eval: both layers must be in evaluation"):
        fuse_conv_bn_eval(nn.Conv2d(3, 4, 1), norm)
    with pytest.raises(ValueError, match="no running statistics"):
        fuse_conv_bn_eval(conv, nn.BatchNorm2d(4, track_running_stats=False).eval())
    with pytest.raises(ValueError, match="4 output channels, the batch norm 5"):
        fuse_conv_bn_eval(conv, nn.BatchNorm2d(5).eval())
    with pytest.raises(ValueError, match=r"must have one group \(got 2\)"):
        fuse_conv_bn_eval(nn.ConvTranspose2d(4, 4, 1, groups=2).eval(), norm, transpose=True)
    with pytest.raises(ValueError, match="fuse_linear_bn_weights: the layer has 4 output"):
        fuse_linear_bn_eval(nn.Linear(3, 4).eval(), nn.BatchNorm1d(5).eval())


def test_weights_alone() -> None:
    one, zero = cr.ones(2), cr.zeros(2)
    w, b = fuse_conv_bn_weights(cr.ones(2, 3, 1), None, one, one * 3, 1.0, None, None)
    np.testing.assert_array_equal(w.detach().numpy(), np.full((2, 3, 1), 0.5))
    np.testing.assert_array_equal(b.detach().numpy(), [-0.5, -0.5])
    w, b = fuse_linear_bn_weights(cr.ones(2, 3), one, zero, one * 3, 1.0, one * 2, one)
    np.testing.assert_array_equal(w.detach().numpy(), np.ones((2, 3)))
    np.testing.assert_array_equal(b.detach().numpy(), [2, 2])
