"""Right answers in plain NumPy: convolution, pooling, recurrence, losses, networks; gradients.

Written for clearness and run in float64, these check every library. The network classes carry
torch's constructor arguments, so that one text such as ``Linear(2, 16), ReLU(), Linear(16, 1)``
builds the same network here and there. In float32 they are also the NumPy peer: what somebody
writes who has NumPy alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

Array = np.ndarray
Params = list[Array]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Array) -> Array:
    """x times the normal distribution function."""
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def gelu_grad(x: Array) -> Array:
    """Derivative of `gelu`."""
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return 0.5 * (1 + _erf(x / math.sqrt(2))) + x * density


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def log_softmax(x: Array) -> Array:
    """Logarithm of the softmax over the last dim."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(x: Array) -> Array:
    """Softmax over the last dim."""
    return np.exp(log_softmax(x))


def cross_entropy(x: Array, labels: Array) -> Array:
    """Mean cross-entropy of logits (N, C) against class numbers (N,)."""
    return -log_softmax(x)[np.arange(len(labels)), labels].mean()


def cross_entropy_grad(x: Array, labels: Array) -> Array:
    """Gradient of `cross_entropy` for the logits."""
    gradient = softmax(x)
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient / len(labels)


def ctc(x: Array, labels: Array) -> tuple[Array, Array]:
    """Sum of the CTC losses of scores (T, N, C), and its gradient; the last class is the blank."""
    steps, batch, classes = x.shape
    states = np.full((batch, 2 * labels.shape[1] + 1), classes - 1)
    states[:, 1::2] = labels
    skip = np.zeros(states.shape, bool)
    skip[:, 3::2] = labels[:, 1:] != labels[:, :-1]
    emitted = np.take_along_axis(log_softmax(x), np.broadcast_to(states, (steps, *states.shape)), 2)
    alpha, beta = np.full(emitted.shape, -np.inf), np.full(emitted.shape, -np.inf)
    alpha[0, :, :2] = emitted[0, :, :2]
    for t in range(1, steps):
        before = np.pad(alpha[t - 1], ((0, 0), (2, 0)), constant_values=-np.inf)
        over = np.where(skip, before[:, :-2], -np.inf)
        alpha[t] = np.logaddexp(np.logaddexp(before[:, 2:], before[:, 1:-1]), over) + emitted[t]
    beta[-1, :, -2:] = 0
    for t in range(steps - 2, -1, -1):
        after = np.pad(beta[t + 1] + emitted[t + 1], ((0, 0), (0, 2)), constant_values=-np.inf)
        over = np.where(np.pad(skip, ((0, 0), (0, 2)))[:, 2:], after[:, 2:], -np.inf)
        beta[t] = np.logaddexp(np.logaddexp(after[:, :-2], after[:, 1:-1]), over)
    total = np.logaddexp(alpha[-1, :, -1], alpha[-1, :, -2])
    share = np.exp(alpha + beta - total[:, None])
    gradient = softmax(x)
    for s in range(states.shape[1]):
        gradient[:, np.arange(batch), states[:, s]] -= share[:, :, s]
    return -total.sum(), gradient


def _attention_weights(q: Array, k: Array, causal: bool) -> Array:
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    return softmax(scores)


def attention(q: Array, k: Array, v: Array, causal: bool) -> Array:
    """Scaled dot-product attention."""
    return _attention_weights(q, k, causal) @ v


def attention_grads(
    q: Array, k: Array, v: Array, g: Array, causal: bool
) -> tuple[Array, Array, Array]:
    """Gradients of `attention`."""
    weights = _attention_weights(q, k, causal)
    slope = g @ v.swapaxes(-1, -2)
    slope = weights * (slope - (weights * slope).sum(-1, keepdims=True)) / math.sqrt(q.shape[-1])
    return slope @ k, slope.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ g


def embedding_grad(numbers: Array, g: Array, rows: int) -> Array:
    """Gradient of the table of an embedding."""
    table = np.zeros((rows, g.shape[-1]))
    np.add.at(table, numbers, g.reshape(numbers.size, -1))
    return table


def embedding_bag_grad(numbers: Array, w: Array, g: Array, mode: str) -> Array:
    """Gradient of the table of bags of embeddings, (batch, length) of them."""
    spread = np.repeat(g[:, None], numbers.shape[1], 1)
    if mode == "mean":
        spread = spread / numbers.shape[1]
    if mode == "max":
        first = w[numbers].argmax(1)[:, None]
        spread = np.where(np.arange(numbers.shape[1])[:, None] == first, spread, 0)
    return embedding_grad(numbers.reshape(-1), spread, len(w))


def _normal(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    scale = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + 1e-5)
    return (x - x.mean(axis=axes, keepdims=True)) * scale, scale


def group_normal(x: Array, groups: int) -> Array:
    """Numbers of mean 0 and variance 1 in each group of channels."""
    parts = x.reshape(len(x), groups, -1)
    return _normal(parts, (2,))[0].reshape(x.shape)


def norm_grads(x: Array, w: Array, g: Array, kind: str) -> tuple[Array, Array, Array]:
    """Gradients of a batch, layer or group norm (of 8 groups) for x, weight and bias."""
    layer = kind == "layer"
    others = tuple(range(x.ndim - 1)) if layer else (0, *range(2, x.ndim))
    if kind == "group":
        x_parts, axes = x.reshape(len(x), 8, -1), (2,)
    else:
        x_parts, axes = x, ((x.ndim - 1,) if layer else others)
    normal, scale = _normal(x_parts, axes)
    full = normal.reshape(x.shape)
    slope = (g * (w if layer else w.reshape(-1, *[1] * (x.ndim - 2)))).reshape(x_parts.shape)
    along = normal * (slope * normal).mean(axis=axes, keepdims=True)
    x_grad = scale * (slope - slope.mean(axis=axes, keepdims=True) - along)
    return x_grad.reshape(x.shape), (g * full).sum(axis=others), g.sum(axis=others)


def mse(x: Array, target: Array) -> Array:
    """Mean squared error."""
    return ((x - target) ** 2).mean()


def mse_grad(x: Array, target: Array) -> Array:
    """Gradient of `mse` for the prediction."""
    return 2 * (x - target) / x.size


def _taps(
    kernel: Sequence[int], out: Sequence[int], stride: int
) -> Iterator[tuple[int, int, slice, slice]]:
    """For each kernel position (r, s) the slices of the padded image that meet it."""
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            rows = slice(r, r + stride * (out[0] - 1) + 1, stride)
            columns = slice(s, s + stride * (out[1] - 1) + 1, stride)
            yield r, s, rows, columns


def _pad(x: Array, padding: int, value: float = 0.0) -> Array:
    width = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return np.pad(x, width, constant_values=value)


def _out(size: Sequence[int], kernel: Sequence[int], stride: int, padding: int) -> tuple[int, int]:
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, kernel, strict=True))
    return rows, columns


def conv2d(
    x: Array, w: Array, b: Array, stride: int = 1, padding: int = 0, groups: int = 1
) -> Array:
    """Convolution of (N, C, H, W) with (K, C/groups, R, S), one matrix product per kernel tap."""
    n, c, k = x.shape[0], x.shape[1], w.shape[0]
    out = _out(x.shape[2:], w.shape[2:], stride, padding)
    image = _pad(x, padding)
    weight = w.reshape(groups, k // groups, c // groups, *w.shape[2:])
    y = np.zeros((n, groups, k // groups, out[0] * out[1]), x.dtype)
    for r, s, rows, columns in _taps(w.shape[2:], out, stride):
        patch = image[:, :, rows, columns].reshape(n, groups, c // groups, -1)
        y += weight[..., r, s] @ patch
    return y.reshape(n, k, *out) + b[:, None, None]


def conv2d_grads(
    x: Array, w: Array, g: Array, stride: int = 1, padding: int = 0, groups: int = 1
) -> tuple[Array, Array, Array]:
    """Gradients of `conv2d` for x, w and b, given the output's gradient g."""
    n, c, k = x.shape[0], x.shape[1], w.shape[0]
    image = _pad(x, padding)
    image_grad = np.zeros_like(image)
    weight = w.reshape(groups, k // groups, c // groups, *w.shape[2:])
    weight_grad = np.zeros_like(weight)
    y_grad = g.reshape(n, groups, k // groups, -1)
    for r, s, rows, columns in _taps(w.shape[2:], g.shape[2:], stride):
        patch = image[:, :, rows, columns].reshape(n, groups, c // groups, -1)
        weight_grad[..., r, s] = (y_grad @ patch.swapaxes(-1, -2)).sum(axis=0)
        part = weight[..., r, s].swapaxes(-1, -2) @ y_grad
        image_grad[:, :, rows, columns] += part.reshape(n, c, *g.shape[2:])
    height, width = x.shape[2:]
    x_grad = image_grad[:, :, padding : padding + height, padding : padding + width]
    return x_grad, weight_grad.reshape(w.shape), g.sum(axis=(0, 2, 3))


def _depth(x: Array, padding: int) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (0, 0), (0, 0)))


def conv3d(x: Array, w: Array, b: Array, padding: int = 0) -> Array:
    """Convolution of (N, C, D, H, W) with (K, C, Q, R, S), one `conv2d` per tap in depth."""
    volume, taps = _depth(x, padding), w.shape[2]
    zero = np.zeros_like(b)
    planes = [
        sum(conv2d(volume[:, :, z + q], w[:, :, q], zero, padding=padding) for q in range(taps))
        for z in range(volume.shape[2] - taps + 1)
    ]
    return np.stack(planes, 2) + b[:, None, None, None]


def conv3d_grads(x: Array, w: Array, g: Array, padding: int = 0) -> tuple[Array, Array, Array]:
    """Gradients of `conv3d` for x, w and b, given the output's gradient g."""
    volume = _depth(x, padding)
    volume_grad, weight_grad = np.zeros_like(volume), np.zeros_like(w)
    for z in range(g.shape[2]):
        for q in range(w.shape[2]):
            parts = conv2d_grads(volume[:, :, z + q], w[:, :, q], g[:, :, z], padding=padding)
            volume_grad[:, :, z + q] += parts[0]
            weight_grad[:, :, q] += parts[1]
    depth = x.shape[2]
    return volume_grad[:, :, padding : padding + depth], weight_grad, g.sum(axis=(0, 2, 3, 4))


def linear_matrix(n: int, m: int) -> Array:
    """Linear interpolation from n to m > n elements, pixels being squares: an (m, n) matrix."""
    at = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    return np.maximum(1 - np.abs(at[:, None] - np.arange(n)), 0)


def max_pool2d(x: Array, kernel: int, stride: int | None = None, padding: int = 0) -> Array:
    """Largest entry of each window."""
    stride = stride or kernel
    window = (kernel, kernel)
    out = _out(x.shape[2:], window, stride, padding)
    image = _pad(x, padding, -np.inf)
    y = np.full((*x.shape[:2], *out), -np.inf, x.dtype)
    for _, _, rows, columns in _taps(window, out, stride):
        np.maximum(y, image[:, :, rows, columns], out=y)
    return y


def max_pool2d_grad(
    x: Array, g: Array, kernel: int, stride: int | None = None, padding: int = 0
) -> Array:
    """Gradient of `max_pool2d`: each window's goes to its first largest entry."""
    stride = stride or kernel
    window = (kernel, kernel)
    image = _pad(x, padding, -np.inf)
    y = max_pool2d(x, kernel, stride, padding)
    image_grad = np.zeros_like(image)
    left = np.ones(y.shape, bool)
    for _, _, rows, columns in _taps(window, g.shape[2:], stride):
        first = left & (image[:, :, rows, columns] == y)
        image_grad[:, :, rows, columns] += np.where(first, g, 0)
        left &= ~first
    height, width = x.shape[2:]
    return image_grad[:, :, padding : padding + height, padding : padding + width]


def avg_pool2d(x: Array, kernel: int, stride: int | None = None, padding: int = 0) -> Array:
    """Mean of each window, padding counted as zeros."""
    stride = stride or kernel
    window = (kernel, kernel)
    out = _out(x.shape[2:], window, stride, padding)
    image = _pad(x, padding)
    y = np.zeros((*x.shape[:2], *out), x.dtype)
    for _, _, rows, columns in _taps(window, out, stride):
        y += image[:, :, rows, columns]
    return y / kernel**2


def avg_pool2d_grad(
    x: Array, g: Array, kernel: int, stride: int | None = None, padding: int = 0
) -> Array:
    """Gradient of `avg_pool2d`."""
    stride = stride or kernel
    image_grad = np.zeros_like(_pad(x, padding))
    for _, _, rows, columns in _taps((kernel, kernel), g.shape[2:], stride):
        image_grad[:, :, rows, columns] += g / kernel**2
    height, width = x.shape[2:]
    return image_grad[:, :, padding : padding + height, padding : padding + width]


def _rnn(kind: str, x: Array, weights: Params) -> tuple[Array, list[tuple[Array, ...]]]:
    """One layer by torch's equations, from zero states: all h, and what their gradients need."""
    w, u, b, d = weights
    h = c = np.zeros((x.shape[1], u.shape[1]))
    states, kept = [], []
    for a in x @ w.T + b:
        before, c_before, r = h, c, h @ u.T + d
        if kind == "RNN":
            h = np.tanh(a + r)
            kept.append((before, h))
        elif kind == "LSTM":
            i, f, g, o = np.split(a + r, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * c + i * g
            h = o * np.tanh(c)
            kept.append((before, c_before, i, f, g, o, np.tanh(c)))
        else:
            (ar, az, an), (rr, rz, rn) = np.split(a, 3, axis=1), np.split(r, 3, axis=1)
            reset, z = sigmoid(ar + rr), sigmoid(az + rz)
            n = np.tanh(an + reset * rn)
            h = n + z * (before - n)
            kept.append((before, reset, z, n, rn))
        states.append(h)
    return np.stack(states), kept


def _rnn_grad(kind: str, x: Array, weights: Params, grad: Array) -> tuple[Array, Params]:
    """Gradients of one layer: of x, and of the weights and biases."""
    w, u = weights[:2]
    kept = _rnn(kind, x, weights)[1]
    dh = dc = np.zeros(grad.shape[1:])
    dx, total = np.empty(x.shape), [np.zeros(p.shape) for p in weights]
    for t in reversed(range(len(x))):
        dh = dh + grad[t]
        h, *values = kept[t]
        direct: Array | float = 0.0
        if kind == "RNN":
            da = dr = dh * (1 - values[0] ** 2)
        elif kind == "LSTM":
            c, i, f, g, o, tanh_c = values
            dc = dc + dh * o * (1 - tanh_c**2)
            parts = (dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g))
            da = dr = np.concatenate((*parts, dh * tanh_c * o * (1 - o)), 1)
            dc = dc * f
        else:
            reset, z, n, rn = values
            dn = dh * (1 - z) * (1 - n * n)
            gates = (dn * rn * reset * (1 - reset), dh * (h - n) * z * (1 - z))
            da, dr = np.concatenate((*gates, dn), 1), np.concatenate((*gates, dn * reset), 1)
            direct = dh * z
        dx[t], dh = da @ w, dr @ u + direct
        for into, part in zip(total, (da.T @ x[t], dr.T @ h, da.sum(0), dr.sum(0)), strict=True):
            into += part
    return dx, total


def recurrent(kind: str, x: Array, weights: Params, layers: int = 1, both: bool = False) -> Array:
    """The outputs of RNN, LSTM or GRU; `weights` in the order of torch's parameters."""
    left = iter(weights)
    for _ in range(layers):
        steps = (1, -1) if both else (1,)
        outs = [_rnn(kind, x[::s], [next(left) for _ in range(4)])[0][::s] for s in steps]
        x = np.concatenate(outs, -1)
    return x


def recurrent_grads(
    kind: str, x: Array, weights: Params, grad: Array, layers: int = 1, both: bool = False
) -> Params:
    """Gradients of `recurrent` for the weights."""
    steps = (1, -1) if both else (1,)
    own = len(weights) - 4 * len(steps)  # where the last layer's begin
    below = recurrent(kind, x, weights[:own], layers - 1, both)
    grads: Params = []
    down = np.zeros(below.shape)
    for k, (s, g) in enumerate(zip(steps, np.split(grad, len(steps), -1), strict=True)):
        layer = weights[own + 4 * k : own + 4 * k + 4]
        dx, parts = _rnn_grad(kind, below[::s], layer, g[::s])
        down += dx[::s]
        grads += parts
    if layers == 1:
        return grads
    return recurrent_grads(kind, x, weights[:own], down, layers - 1, both) + grads


class Layer:
    """A layer with torch's constructor; `shapes` are those of torch's parameters, in order."""

    shapes: tuple[tuple[int, ...], ...] = ()

    def initial(self, rng: np.random.Generator) -> Params:
        """First parameters: uniform within 1/sqrt(fan in)."""
        bound = 1 / math.sqrt(math.prod(self.shapes[0][1:])) if self.shapes else 0
        return [rng.uniform(-bound, bound, shape) for shape in self.shapes]

    def forward(self, params: Params, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        """Gradients for x and for the parameters."""
        raise NotImplementedError

    def flops(self, shape: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        """Multiply-adds of the forward pass times two, and the output shape."""
        y = self.forward([np.zeros(s, np.float32) for s in self.shapes], np.zeros(shape))
        return 0.0, y.shape


class Linear(Layer):
    def __init__(self, inputs: int, outputs: int) -> None:
        self.shapes = ((outputs, inputs), (outputs,))

    def forward(self, params: Params, x: Array) -> Array:
        return x @ params[0].T + params[1]

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        return g @ params[0], [g.T @ x, g.sum(axis=0)]

    def flops(self, shape: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        outputs, inputs = self.shapes[0]
        return 2.0 * shape[0] * inputs * outputs, (shape[0], outputs)


class ReLU(Layer):
    def forward(self, params: Params, x: Array) -> Array:
        return np.maximum(x, 0)

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        return g * (x > 0), []


class Flatten(Layer):
    def forward(self, params: Params, x: Array) -> Array:
        return x.reshape(len(x), -1)

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        return g.reshape(x.shape), []


class Conv2d(Layer):
    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        self.shapes = ((outputs, inputs, kernel, kernel), (outputs,))[: 1 + bias]
        self.stride, self.padding = stride, padding

    def forward(self, params: Params, x: Array) -> Array:
        bias = params[1] if len(params) > 1 else np.zeros(len(params[0]), x.dtype)
        return conv2d(x, params[0], bias, self.stride, self.padding)

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        x_grad, *grads = conv2d_grads(x, params[0], g, self.stride, self.padding)
        return x_grad, grads[: len(params)]

    def flops(self, shape: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        outputs, inputs, kernel, _ = self.shapes[0]
        size = _out(shape[2:], (kernel, kernel), self.stride, self.padding)
        out = (shape[0], outputs, *size)
        return 2.0 * math.prod(out) * inputs * kernel**2, out


class BatchNorm2d(Layer):
    """In training: the batch's own mean and variance."""

    def __init__(self, channels: int) -> None:
        self.shapes = ((channels,), (channels,))

    def initial(self, rng: np.random.Generator) -> Params:
        return [rng.uniform(0.9, 1.1, self.shapes[0]), rng.uniform(-0.1, 0.1, self.shapes[1])]

    def _normal(self, x: Array) -> tuple[Array, Array]:
        scale = 1 / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
        return (x - x.mean(axis=(0, 2, 3), keepdims=True)) * scale, scale

    def forward(self, params: Params, x: Array) -> Array:
        return self._normal(x)[0] * params[0][:, None, None] + params[1][:, None, None]

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        normal, scale = self._normal(x)
        grads = [(g * normal).sum(axis=(0, 2, 3)), g.sum(axis=(0, 2, 3))]
        g = g * params[0][:, None, None]
        along = normal * (g * normal).mean(axis=(0, 2, 3), keepdims=True)
        return scale * (g - g.mean(axis=(0, 2, 3), keepdims=True) - along), grads


class MaxPool2d(Layer):
    def __init__(self, kernel: int) -> None:
        self.kernel = kernel

    def forward(self, params: Params, x: Array) -> Array:
        return max_pool2d(x, self.kernel)

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        return max_pool2d_grad(x, g, self.kernel), []


class AvgPool2d(Layer):
    def __init__(self, kernel: int) -> None:
        self.kernel = kernel

    def forward(self, params: Params, x: Array) -> Array:
        return avg_pool2d(x, self.kernel)

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        return avg_pool2d_grad(x, g, self.kernel), []


class Sequential(Layer):
    """Layers in a chain, their parameters one after the other."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        self.shapes = tuple(shape for layer in layers for shape in layer.shapes)

    def initial(self, rng: np.random.Generator) -> Params:
        return [param for layer in self.layers for param in layer.initial(rng)]

    def split(self, params: Params) -> list[Params]:
        """The parameters of each layer."""
        rest = iter(params)
        return [[next(rest) for _ in layer.shapes] for layer in self.layers]

    def forward(self, params: Params, x: Array) -> Array:
        for layer, own in zip(self.layers, self.split(params), strict=True):
            x = layer.forward(own, x)
        return x

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        steps = []
        for layer, own in zip(self.layers, self.split(params), strict=True):
            steps.append((layer, own, x))
            x = layer.forward(own, x)
        grads: Params = []
        for layer, own, value in reversed(steps):
            g, parts = layer.backward(own, value, g)
            grads = parts + grads
        return g, grads

    def flops(self, shape: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        total = 0.0
        for layer in self.layers:
            count, shape = layer.flops(shape)
            total += count
        return total, shape


class Residual(Layer):
    """relu(body(x) + shortcut(x)); an empty shortcut is x itself (He et al. 2016)."""

    def __init__(self, body: list[Layer], shortcut: list[Layer]) -> None:
        self.body, self.shortcut = Sequential(*body), Sequential(*shortcut)
        self.shapes = self.body.shapes + self.shortcut.shapes

    def initial(self, rng: np.random.Generator) -> Params:
        return self.body.initial(rng) + self.shortcut.initial(rng)

    def _parts(self, params: Params) -> tuple[Params, Params]:
        return params[: len(self.body.shapes)], params[len(self.body.shapes) :]

    def _sum(self, params: Params, x: Array) -> Array:
        body, shortcut = self._parts(params)
        return self.body.forward(body, x) + self.shortcut.forward(shortcut, x)

    def forward(self, params: Params, x: Array) -> Array:
        return np.maximum(self._sum(params, x), 0)

    def backward(self, params: Params, x: Array, g: Array) -> tuple[Array, Params]:
        body, shortcut = self._parts(params)
        g = g * (self._sum(params, x) > 0)
        through_body, body_grads = self.body.backward(body, x, g)
        through_shortcut, shortcut_grads = self.shortcut.backward(shortcut, x, g)
        return through_body + through_shortcut, body_grads + shortcut_grads

    def flops(self, shape: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        count, out = self.body.flops(shape)
        return count + self.shortcut.flops(shape)[0], out


LAYERS = {
    layer.__name__: layer
    for layer in (Linear, ReLU, Flatten, Conv2d, BatchNorm2d, MaxPool2d, AvgPool2d, Residual)
}
LOSSES = {"mse_loss": (mse, mse_grad), "cross_entropy": (cross_entropy, cross_entropy_grad)}


def chain(layers: str) -> Sequential:
    """The layers of a text such as ``Linear(2, 16), ReLU()``."""
    return Sequential(*eval(f"[{layers}]", dict(LAYERS)))


class Network:
    """A chain of layers with parameters `flat`, in torch's order; a loss and its training step."""

    def __init__(self, layers: str, params: Params) -> None:
        self.chain = chain(layers)
        self.flat = params

    def __call__(self, x: Array) -> Array:
        return self.chain.forward(self.flat, x)

    def gradients(self, x: Array, target: Array, loss: str) -> Params:
        """Gradients of the loss for all parameters."""
        return self.chain.backward(self.flat, x, LOSSES[loss][1](self(x), target))[1]


class SGD:
    """Plain stochastic gradient descent, in place."""

    def __init__(self, params: Params, lr: float) -> None:
        self.params, self.lr = params, lr

    def step(self, grads: Params) -> None:
        for param, grad in zip(self.params, grads, strict=True):
            param -= self.lr * grad


class Adam:
    """Adam with torch's defaults, in place."""

    def __init__(self, params: Params, lr: float) -> None:
        self.params, self.lr, self.count = params, lr, 0
        self.mean = [np.zeros_like(param) for param in params]
        self.square = [np.zeros_like(param) for param in params]

    def step(self, grads: Params) -> None:
        self.count += 1
        unbias1, unbias2 = 1 - 0.9**self.count, 1 - 0.999**self.count
        for param, grad, mean, square in zip(
            self.params, grads, self.mean, self.square, strict=True
        ):
            mean += 0.1 * (grad - mean)
            square += 0.001 * (grad * grad - square)
            param -= self.lr / unbias1 * mean / (np.sqrt(square / unbias2) + 1e-8)


OPTIMIZERS: dict[str, type[SGD] | type[Adam]] = {"SGD": SGD, "Adam": Adam}
