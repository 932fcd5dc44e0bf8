"""Convolution layers of real networks, forward alone and with all three gradients."""

from __future__ import annotations

from benchmarks.problem import Expression, Problem


def layer(
    network: str,
    image: tuple[int, int, int, int],
    filters: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    quick: bool = False,
) -> list[Problem]:
    """Both problems of one layer on an image of shape (N, C, H, W)."""
    n, c, height, width = image
    out = [(size + 2 * padding - kernel) // stride + 1 for size in (height, width)]
    how = f"stride={stride}, padding={padding}, groups={groups}"
    jax = (
        f"lax.conv_general_dilated(x, w, ({stride}, {stride}), [({padding}, {padding})] * 2,"
        f" feature_group_count={groups}) + b[:, None, None]"
    )
    inputs = {
        "x": image,
        "w": (filters, c // groups, kernel, kernel),
        "b": (filters,),
        "g": (n, filters, *out),
    }
    flops = 2.0 * n * filters * out[0] * out[1] * (c // groups) * kernel**2
    size = f"{n}x{c}x{height}x{width} to {filters} k{kernel}"
    size += f" s{stride}" if stride > 1 else ""
    size += f" g{groups}" if groups > 1 else ""
    return [
        Expression(
            group="conv",
            name=f"{network} {size}",
            inputs={name: inputs[name] for name in "xwb"},
            torch=f"F.conv2d(x, w, b, {how})",
            jax=jax,
            exact=f"ref.conv2d(x, w, b, {how})",
            flops=flops,
            tolerance=2e-4,
            quick=quick,
        ),
        Expression(
            group="conv-backward",
            name=f"{network} {size}",
            inputs=inputs,
            grads=("x", "w", "b"),
            torch=f"lib.autograd.grad(F.conv2d(x, w, b, {how}), (x, w, b), g)",
            jax=f"value_and_vjp(lambda x, w, b: {jax}, x, w, b)(g)",
            exact=f"ref.conv2d_grads(x, w, g, {how})",
            flops=3 * flops,
            tolerance=1e-3,
            quick=quick,
        ),
    ]


LAYERS = [
    layer("digits", (32, 1, 8, 8), 16, 3, padding=1, quick=True),
    layer("digits", (32, 16, 8, 8), 32, 3, padding=1),
    layer("LeNet-5", (64, 1, 28, 28), 6, 5, padding=2, quick=True),
    layer("LeNet-5", (64, 6, 14, 14), 16, 5, quick=True),
    layer("LeNet-5", (64, 16, 5, 5), 120, 5),
    layer("MNIST CNN", (64, 1, 28, 28), 32, 3),
    layer("MNIST CNN", (64, 32, 26, 26), 64, 3, quick=True),
    layer("VGG", (32, 3, 32, 32), 64, 3, padding=1),
    layer("VGG", (32, 64, 16, 16), 128, 3, padding=1),
    layer("VGG", (32, 128, 8, 8), 256, 3, padding=1),
    layer("ResNet-20", (32, 16, 32, 32), 16, 3, padding=1, quick=True),
    layer("ResNet-20", (32, 16, 32, 32), 32, 3, stride=2, padding=1),
    layer("ResNet-20", (32, 64, 8, 8), 64, 3, padding=1),
    layer("ResNet-18", (8, 64, 56, 56), 128, 3, stride=2, padding=1),
    layer("GoogLeNet", (8, 16, 28, 28), 32, 5, padding=2),
    layer("GoogLeNet", (1, 32, 14, 14), 128, 5, padding=2),
    layer("ResNet-50 stem", (1, 3, 224, 224), 64, 7, stride=2, padding=3),
    layer("ResNet-50", (1, 256, 56, 56), 64, 1),
    layer("ResNet-50", (1, 64, 56, 56), 64, 3, padding=1),
    layer("ResNet-50", (8, 1024, 14, 14), 256, 1),
    layer("MobileNet depthwise", (1, 32, 112, 112), 32, 3, padding=1, groups=32),
    layer("MobileNet pointwise", (1, 32, 112, 112), 64, 1),
    layer("MobileNet pointwise", (8, 960, 7, 7), 160, 1),
    layer("MobileNet squeeze", (8, 960, 1, 1), 240, 1),
]
PROBLEMS = [problem for problems in LAYERS for problem in problems]
