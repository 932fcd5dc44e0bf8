"""Layers over space beyond convolution and pooling of images, forward alone and with gradients."""

from __future__ import annotations

import math

from benchmarks.problem import Expression, Problem


def transposed(
    image: tuple[int, int, int, int], filters: int, kernel: int, stride: int, padding: int = 0
) -> list[Problem]:
    """Both problems of a transposed convolution: the last layers of a generator."""
    n, c, height, width = image
    out = tuple((size - 1) * stride - 2 * padding + kernel for size in (height, width))
    how = f"stride={stride}, padding={padding}"
    # The input gradient of the convolution from the output's shape to the image's.
    back = f"ref.conv2d_grads(np.zeros({(n, filters, *out)}), w, x, {how})"
    line = f"F.conv_transpose2d(x, w, b, {how})"
    inputs = {"x": image, "w": (c, filters, kernel, kernel), "b": (filters,)}
    flops = 2.0 * n * c * height * width * filters * kernel**2
    name = f"conv_transpose2d {'x'.join(map(str, image))} to {filters} k{kernel} s{stride}"
    return [
        Expression(
            group="spatial",
            name=name,
            inputs=inputs,
            torch=line,
            exact=f"{back}[0] + b[:, None, None]",
            flops=flops,
            tolerance=2e-4,
            quick=True,
        ),
        Expression(
            group="spatial",
            name=f"{name} forward + backward",
            inputs=inputs | {"g": (n, filters, *out)},
            grads=("x", "w", "b"),
            torch=f"lib.autograd.grad({line}, (x, w, b), g)",
            exact=f"(ref.conv2d(g, w, np.zeros({c}), {how}), ref.conv2d_grads(g, w, x, {how})[1],"
            " g.sum((0, 2, 3)))",
            flops=3 * flops,
            tolerance=1e-3,
        ),
    ]


def volume(
    shape: tuple[int, int, int, int, int], filters: int, kernel: int, padding: int
) -> list[Problem]:
    """Both problems of a convolution over volumes."""
    n, c, *size = shape
    out = tuple(extent + 2 * padding - kernel + 1 for extent in size)
    line = f"F.conv3d(x, w, b, padding={padding})"
    jax = (
        f"lax.conv_general_dilated(x, w, (1, 1, 1), [({padding}, {padding})] * 3)"
        " + b[:, None, None, None]"
    )
    inputs = {"x": shape, "w": (filters, c, kernel, kernel, kernel), "b": (filters,)}
    flops = 2.0 * n * filters * out[0] * out[1] * out[2] * c * kernel**3
    name = f"conv3d {'x'.join(map(str, shape))} to {filters} k{kernel}"
    return [
        Expression(
            group="spatial",
            name=name,
            inputs=inputs,
            torch=line,
            jax=jax,
            exact=f"ref.conv3d(x, w, b, {padding})",
            flops=flops,
            tolerance=2e-4,
            quick=True,
        ),
        Expression(
            group="spatial",
            name=f"{name} forward + backward",
            inputs=inputs | {"g": (n, filters, *out)},
            grads=("x", "w", "b"),
            torch=f"lib.autograd.grad({line}, (x, w, b), g)",
            jax=f"value_and_vjp(lambda x, w, b: {jax}, x, w, b)(g)",
            exact=f"ref.conv3d_grads(x, w, g, {padding})",
            flops=3 * flops,
            tolerance=1e-3,
        ),
    ]


def moved(
    name: str, shape: tuple[int, ...], out: tuple[int, ...], line: str, exact: str, back: str
) -> list[Problem]:
    """Both problems of a layer whose cost is its memory traffic."""
    traffic = 4.0 * (math.prod(shape) + math.prod(out))
    return [
        Expression(
            group="spatial",
            name=f"{name} of {'x'.join(map(str, shape))}",
            inputs={"x": shape},
            torch=line,
            exact=exact,
            bytes=traffic,
            quick=True,
        ),
        Expression(
            group="spatial",
            name=f"{name} of {'x'.join(map(str, shape))} forward + backward",
            inputs={"x": shape, "g": out},
            grads=("x",),
            torch=f"lib.autograd.grad({line}, x, g)",
            exact=back,
            bytes=2 * traffic,
        ),
    ]


IMAGES = (8, 64, 32, 32)
FINE = (8, 64, 64, 64)
SHUFFLED = (8, 16, 64, 64)

PROBLEMS = [
    *transposed((8, 64, 16, 16), 32, 4, 2, 1),
    *transposed((8, 128, 8, 8), 64, 2, 2),
    *volume((2, 16, 16, 28, 28), 32, 3, 1),
    *volume((2, 64, 8, 8, 8), 64, 3, 1),
    *moved(
        "interpolate nearest 2x",
        IMAGES,
        FINE,
        "F.interpolate(x, scale_factor=2)",
        "x.repeat(2, 2).repeat(2, 3)",
        "g.reshape(8, 64, 32, 2, 32, 2).sum((3, 5))",
    ),
    *moved(
        "interpolate bilinear 2x",
        IMAGES,
        FINE,
        "F.interpolate(x, scale_factor=2, mode='bilinear')",
        "ref.linear_matrix(32, 64) @ x @ ref.linear_matrix(32, 64).T",
        "ref.linear_matrix(32, 64).T @ g @ ref.linear_matrix(32, 64)",
    ),
    *moved(
        "pixel_shuffle 2",
        IMAGES,
        SHUFFLED,
        "F.pixel_shuffle(x, 2)",
        "x.reshape(8, 16, 2, 2, 32, 32).transpose(0, 1, 4, 2, 5, 3).reshape(8, 16, 64, 64)",
        "g.reshape(8, 16, 32, 2, 32, 2).transpose(0, 1, 3, 5, 2, 4).reshape(8, 64, 32, 32)",
    ),
]
