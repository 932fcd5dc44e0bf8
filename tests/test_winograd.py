"""Winograd convolution: right for every geometry, its error bounded, its choice switchable."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from opspec import conv as reference

import chainrule as cr
from chainrule import _core
from chainrule.nn import functional as F

U = 2.0**-24  # half a unit in the last place of 1
BOUND = {2: 8, 4: 45}  # times u and the largest sum |x||w| of a tile: docs/design.md
DIRECTIONS = ("forward", "input_grad", "weight_grad")

# input, output channels, padding (before and after each dimension)
GEOMETRY: dict[str, tuple[Any, ...]] = {
    "whole tiles": ((2, 16, 8, 8), 16, (1, 1, 1, 1)),
    "parts of tiles": ((3, 5, 7, 9), 7, (0, 0, 0, 0)),
    "sides of their own": ((1, 40, 21, 30), 37, (2, 1, 0, 3)),
    "padding above the kernel": ((5, 17, 4, 4), 33, (5, 1, 1, 4)),
    "one pixel": ((2, 70, 3, 3), 20, (0, 0, 0, 0)),
    "many images": ((40, 3, 5, 6), 2, (1, 1, 1, 1)),
    "bands": ((1, 6, 70, 33), 18, (1, 1, 1, 1)),
    "strips": ((1, 33, 5, 500), 34, (1, 1, 1, 1)),
    "one channel": ((2, 1, 9, 9), 1, (1, 1, 1, 1)),
    "rounds of tiles": ((3, 60, 60, 12), 65, (1, 1, 1, 1)),
}


@contextmanager
def forced(name: str, directions: tuple[str, ...] = DIRECTIONS) -> Iterator[None]:
    for direction in directions:
        _core._force_conv_algorithm(direction, name)
    try:
        yield
    finally:
        for direction in directions:
            _core._force_conv_algorithm(direction, "")


@contextmanager
def largest_tile(tile: int) -> Iterator[None]:
    before = cr.config.conv_winograd()
    cr.config.set_conv_winograd(tile)
    try:
        yield
    finally:
        cr.config.set_conv_winograd(before)


def draw(key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return input, weight and output gradient of a geometry."""
    x_shape, rows, (top, bottom, left, right) = GEOMETRY[key]
    n, c, h, w = x_shape
    rng = np.random.default_rng(len(key))
    shapes = (x_shape, (rows, c, 3, 3), (n, rows, h + top + bottom - 2, w + left + right - 2))
    return tuple(rng.standard_normal(shape).astype("float32") for shape in shapes)


def run(direction: str, x: Any, w: Any, g: Any, bias: Any, padding: Any) -> np.ndarray:
    """Call the row of a direction."""
    size = x.shape[2:]
    x, w, g, bias = (cr.tensor(a) for a in (x, w, g, bias))
    how = ((1, 1), padding, (1, 1), 1)
    if direction == "forward":
        return _core._conv(x, w, bias, *how).numpy()
    if direction == "input_grad":
        return _core._conv_input_grad(g, w, bias, size, *how).numpy()
    return _core._conv_weight_grad(x, g, (3, 3), *how).numpy()


def exact(direction: str, x: Any, w: Any, g: Any, padding: Any) -> np.ndarray:
    x, w, g = (np.float64(a) for a in (x, w, g))
    if direction == "forward":
        return reference.conv(x, w, None, (1, 1), padding, (1, 1), 1)
    return reference.conv_grads(x, w, g, (1, 1), padding, (1, 1), 1)[direction == "weight_grad"]


def largest_of_tile(size: np.ndarray, tile: int) -> np.ndarray:
    """Replace each pixel by the largest of its tile."""
    n, c, h, w = size.shape
    padded = np.pad(size, ((0, 0), (0, 0), (0, -h % tile), (0, -w % tile)))
    blocks = padded.reshape(n, c, -(-h // tile), tile, -(-w // tile), tile)
    most = np.broadcast_to(blocks.max(axis=(3, 5), keepdims=True), blocks.shape)
    return most.reshape(padded.shape)[:, :, :h, :w]


def errors(direction: str, tile: int, arrays: Any, padding: Any) -> np.ndarray:
    """Return the error of each element in units of u and its tile's largest sum |x||w|."""
    x, w, g = arrays
    channels = {"forward": w.shape[0], "input_grad": w.shape[1], "weight_grad": 1}[direction]
    bias = np.linspace(-1, 1, channels).astype("float32")
    got = run(direction, x, w, g, bias, padding)
    value = exact(direction, x, w, g, padding)
    size = exact(direction, np.abs(x), np.abs(w), np.abs(g), padding)
    if direction == "weight_grad":
        tile = 3  # the taps of a filter
    else:
        value += bias[:, None, None]
        size += np.abs(bias[:, None, None])
    assert got.shape == value.shape
    return np.abs(got - value) / (U * largest_of_tile(size, tile) + np.finfo("float32").tiny)


@pytest.mark.smoke
@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_geometry(direction: str, tile: int) -> None:
    with forced(f"winograd{tile}"):
        for key in GEOMETRY:
            assert errors(direction, tile, draw(key), GEOMETRY[key][2]).max() < BOUND[tile], key
            assert _core._last_conv_algorithm(direction) == f"winograd{tile}"


IMAGES = {
    "normal": lambda rng, x: x,
    "rectified": lambda rng, x: np.maximum(x, 0),
    "far from zero": lambda rng, x: x + 10,
    "checkerboard": lambda rng, x: (np.indices(x.shape[2:]).sum(0) % 2 * 2 - 1) + x / 100,
    "outliers": lambda rng, x: np.where(rng.random(x.shape) < 0.01, 1e4 * x, x),
}


@pytest.mark.parametrize("channels", [16, 64, 160])
@pytest.mark.parametrize("image", IMAGES)
def test_error_against_direct_sums(image: str, channels: int) -> None:
    """F(2x2) loses about as much as a direct sum, F(4x4) up to four to five times as much."""
    rng = np.random.default_rng(channels)
    x = IMAGES[image](rng, rng.standard_normal((2, channels, 16, 16))).astype("float32")
    w = rng.standard_normal((24, channels, 3, 3)).astype("float32")
    arrays = (x, w, rng.standard_normal((2, 24, 16, 16)).astype("float32"))
    for direction, other in (("forward", "implicit_gemm"), ("weight_grad", "outer_products")):
        with forced(other, (direction,)):
            direct = errors(direction, 4, arrays, (1, 1, 1, 1))
        for tile, worst, mean in ((2, 2, 1.3), (4, 5, 4)):
            with forced(f"winograd{tile}"):
                error = errors(direction, 4, arrays, (1, 1, 1, 1))
            assert error.max() < worst * direct.max(), direction
            assert np.sqrt(np.mean(error**2)) < mean * np.sqrt(np.mean(direct**2)), direction


def test_choice() -> None:
    """Chosen by size, dtype, kernel and setting."""

    def chosen(
        size: tuple[int, ...] = (8, 32, 16, 16), rows: int = 32, dtype: str = "float32", **how: Any
    ) -> str:
        kernel = how.pop("kernel", 3)
        shape = (rows, size[1] // how.get("groups", 1), kernel, kernel)
        weight = cr.zeros(shape, dtype=dtype, requires_grad=True)
        x = cr.zeros(size, dtype=dtype, requires_grad=True)
        F.conv2d(x, weight, **how).sum().backward()
        names = {_core._last_conv_algorithm(d) for d in DIRECTIONS}
        return names.pop() if len(names) == 1 else "others"

    with largest_tile(4):
        assert chosen() == chosen(padding=1) == "winograd4"
        # A tile of 4x4 would be wasted on an image of 2x2.
        assert chosen((16, 128, 2, 2), 128, padding=1) == "winograd2"
        for other in (
            chosen(dtype="float64"),
            chosen(stride=2),
            chosen(dilation=2),
            chosen(groups=2),
            chosen(kernel=5),
            chosen((8, 4, 16, 16), 4),
        ):
            assert "winograd" not in other
        with largest_tile(2):
            assert chosen() == "winograd2"
        with largest_tile(0):
            assert "winograd" not in chosen()


def test_setting_is_checked() -> None:
    with pytest.raises(ValueError, match=r"expected 0 \(off\), 2 or 4 \(got 3\)"):
        cr.config.set_conv_winograd(3)
    with forced("winograd4"), pytest.raises(RuntimeError, match="'winograd4' does not"):
        F.conv2d(cr.ones(1, 1, 4, 4), cr.ones(1, 1, 2, 2))


@pytest.mark.parametrize(("value", "tile"), [("0", 0), ("2", 2), ("4", 4), ("6", 4), ("two", 4)])
def test_environment(value: str, tile: int) -> None:
    env = os.environ | {"CHAINRULE_CONV_WINOGRAD": value}
    show = "import chainrule as cr; print(cr.config.conv_winograd())"
    done = subprocess.run(
        [sys.executable, "-c", show], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tile)
    assert ("ignored; expected 0, 2 or 4" in done.stderr) == (value != str(tile))


@pytest.mark.parametrize(("channels", "rows"), [(40, 50), (12, 16)])
@pytest.mark.parametrize("tile", [2, 4])
def test_any_number_of_threads_gives_the_same_bits(tile: int, channels: int, rows: int) -> None:
    threads = cr.get_num_threads()
    rng = np.random.default_rng(1)
    shapes = ((5, channels, 33, 30), (rows, channels, 3, 3), (5, rows, 33, 30))
    x, w, g = (rng.standard_normal(shape).astype("float32") for shape in shapes)
    bias = {
        name: np.ones(rows if name == "forward" else channels, "float32") for name in DIRECTIONS
    }
    try:
        with forced(f"winograd{tile}"):
            for direction in DIRECTIONS:
                results = []
                for n in (1, 2, 3, 4):
                    cr.set_num_threads(n)
                    results.append(run(direction, x, w, g, bias[direction], (1, 1, 1, 1)))
                assert all(np.array_equal(results[0], other) for other in results)
    finally:
        cr.set_num_threads(threads)


@pytest.mark.parametrize("level", ["baseline", "v3", "v4"])
def test_every_instruction_set(level: str) -> None:
    """The variable caps the level: a machine without it runs its best once more."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            __file__,
            "-k",
            "geometry",
        ],
        env=os.environ | {"CHAINRULE_ISA": level},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_workspace_does_not_grow_with_the_batch(direction: str) -> None:
    peaks = []
    with forced("winograd4"):
        for n in (256, 512):
            x, w = cr.zeros(n, 64, 8, 8), cr.zeros(64, 64, 3, 3)
            how = ((1, 1), (1, 1, 1, 1), (1, 1), 1)
            before = cr.memory_stats()["allocated"]
            cr.reset_peak_memory()
            if direction == "forward":
                y = _core._conv(x, w, None, *how)
            elif direction == "input_grad":
                y = _core._conv_input_grad(x, w, None, (8, 8), *how)
            else:
                y = _core._conv_weight_grad(x, x, (3, 3), *how)
            peaks.append(cr.memory_stats()["peak"] - before - 4 * y.numel())
    assert 0 < peaks[1] < 1.25 * peaks[0]  # blocks have four sizes per power of two
