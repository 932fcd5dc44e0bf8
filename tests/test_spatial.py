"""Layers over space: what the table of ops and the comparison with torch leave open."""

import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

# ---------------------------------------------------------------- convolutions


def test_transposed_is_the_adjoint() -> None:
    """<conv(x), y> = <x, conv_transpose(y)> with the same weight."""
    x, y = cr.randn(2, 4, 9, 9, dtype=cr.float64), cr.randn(2, 6, 4, 5, dtype=cr.float64)
    w = cr.randn(6, 4, 3, 2, dtype=cr.float64)
    how = (None, 2, (0, 1))
    there = (F.conv2d(x, w, *how) * y).sum()
    back = (x * F.conv_transpose2d(y, w, *how, output_padding=(0, 1))).sum()
    assert there.item() == pytest.approx(back.item())


def test_transposed_output_size() -> None:
    layer = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1)
    x = cr.randn(2, 4, 5, 6)
    assert layer(x).shape == (2, 3, 9, 11)
    assert layer(x, (10, 12)).shape == (2, 3, 10, 12)
    assert layer(x, output_size=(2, 3, 10, 11)).shape == (2, 3, 10, 11)
    assert layer(x[0], (3, 10, 11)).shape == (3, 10, 11)
    for size in ((8, 11), (11, 12), (10,)):
        with pytest.raises(ValueError, match=r"output_size lies between \(9, 11\) and \(10, 12\)"):
            layer(x, size)


def test_bad_convolution_layers() -> None:
    with pytest.raises(ValueError, match="ConvTranspose2d: padding_mode is 'zeros'"):
        nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect")
    with pytest.raises(TypeError, match=r"ConvTranspose1d: padding is an int or 1 .*'same'"):
        nn.ConvTranspose1d(2, 2, 3, padding="same")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ConvTranspose3d: output_padding has 2 values"):
        nn.ConvTranspose3d(2, 2, 3, output_padding=(1, 1))
    with pytest.raises(ValueError, match="Conv3d: groups must be positive and divide"):
        nn.Conv3d(4, 6, 3, groups=4)
    with pytest.raises(ValueError, match="conv3d: padding='same' needs stride 1"):
        F.conv3d(cr.ones(1, 4, 4, 4), cr.ones(1, 1, 2, 2, 2), stride=2, padding="same")


def test_workspace_of_volumes_is_bounded() -> None:
    """Taps in depth are no copies of the whole volume: that would be 27 MiB here."""

    def workspace(batch: int) -> int:
        x, w = cr.randn(batch, 8, 16, 24, 24), cr.randn(8, 8, 3, 3, 3)
        before = cr.memory_stats()["allocated"]
        cr.reset_peak_memory()
        out = F.conv3d(x, w, padding=1)
        return int(cr.memory_stats()["peak"] - before - out.numel() * 4)

    cr.set_num_threads(2)
    assert workspace(2) < 2 << 20
    assert workspace(32) < 2 << 20  # the input has 9 MiB
