"""Activations within products, convolutions and batch norm: the bits of the two ops one by one."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import test_conv
import test_matmul

import chainrule as cr
from chainrule import func, nn
from chainrule.autograd import gradcheck, gradgradcheck, profiler
from chainrule.nn import functional as F

BY_RESULT = {  # their gradients need the result only: fused with and without gradients
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
}
ALL: dict[str, Callable[..., cr.Tensor]] = BY_RESULT | {
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
}


def draw(*shape: int, dtype: str = "float32", grad: bool = False) -> cr.Tensor:
    values = np.random.default_rng([7, *shape]).standard_normal(shape) * 3
    return cr.tensor(values.astype(dtype), requires_grad=grad)


def check(fused: cr.Tensor, composed: cr.Tensor, inputs: tuple[cr.Tensor, ...] = ()) -> None:
    """The same bits (NaN and -0 included), and those of the gradients for `inputs`."""
    assert fused.dtype == composed.dtype
    assert tuple(fused.shape) == tuple(composed.shape)
    pairs = [(fused, composed)]
    if inputs:
        g = draw(*fused.shape).to(fused.dtype)
        pairs += zip(
            cr.autograd.grad(fused, inputs, g), cr.autograd.grad(composed, inputs, g), strict=True
        )
    for one, other in pairs:
        wide = (one.detach().double().numpy(), other.detach().double().numpy())
        np.testing.assert_array_equal(*wide)
        np.testing.assert_array_equal(*map(np.signbit, wide))


def ops_of(run: Callable[[], Any]) -> list[str]:
    """The names of the ops that a call runs."""
    with profiler.profile() as profile:
        run()
    return [row.key for row in profile.key_averages()]


# ---------------------------------------------------------------- linear


@pytest.mark.smoke
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ALL)
def test_linear(name: str, dtype: str, grad: bool) -> None:
    for x_shape, outputs in (((33, 70), 50), ((2, 3, 7), 1), ((5,), 4), ((1, 9), 40), ((0, 3), 2)):
        x = draw(*x_shape).to(getattr(cr, dtype)).requires_grad_(grad)
        w = draw(outputs, x_shape[-1]).to(x.dtype).requires_grad_(grad)
        b = draw(outputs).to(x.dtype).requires_grad_(grad)
        check(
            F.linear(x, w, b, activation=name), ALL[name](F.linear(x, w, b)), (x, w, b)[: 3 * grad]
        )


@pytest.mark.parametrize("algorithm", ["deep", "dots", "thin", "direct", "packed", "naive"])
def test_every_algorithm_of_products(algorithm: str) -> None:
    sizes = [(3, 5, 9000), (4, 40, 70), (130, 67, 19), (300, 1100, 1300), (1, 33, 40), (70, 1, 33)]
    ran = 0
    for (rows, cols, depth), dtype, bias in product(sizes, ("float32", "float64"), (False, True)):
        if algorithm == "naive" and rows * cols * depth > 10**6:
            continue
        x, w = draw(rows, depth, dtype=dtype), draw(depth, cols, dtype=dtype).mT
        b = draw(cols, dtype=dtype) if bias else None
        for name in ("relu", "gelu"):
            with test_matmul.forced(algorithm):
                try:
                    composed = ALL[name](F.linear(x, w, b))
                except ValueError:  # this one declines
                    continue
                check(F.linear(x, w, b, activation=name), composed)
            ran += 1
    assert ran >= 4


def test_empty_sums_and_integers() -> None:
    w, b = cr.zeros(3, 0), cr.tensor([-1.0, 0.0, 2.0])
    assert F.linear(cr.zeros(2, 0), w, b, activation="relu").tolist() == [[0.0, 0.0, 2.0]] * 2
    one = cr.tensor([[-2, 3]])
    check(F.linear(one, one, activation="relu"), F.relu(F.linear(one, one)))
    check(F.linear(one, -one, activation="tanh"), F.tanh(F.linear(one, -one)))


def test_batches_of_small_products() -> None:
    """Matrices that do not lie behind one another go one by one."""
    for rows, cols, depth in ((4, 5, 6), (1, 7, 9), (30, 1, 3), (3, 17, 19)):
        x = draw(2, depth, 3, rows).permute(0, 2, 3, 1)
        for b in (None, draw(cols)):
            for name in ("relu", "sigmoid"):
                fused = F.linear(x, draw(cols, depth), b, activation=name)
                check(fused, ALL[name](F.linear(x, draw(cols, depth), b)))


def test_special_values() -> None:
    x = cr.tensor([[float("nan")], [float("inf")], [-float("inf")], [-0.0], [-1e-45], [1e-40]])
    for name, function in ALL.items():
        check(F.linear(x, cr.ones(19, 1), activation=name), function(F.linear(x, cr.ones(19, 1))))
    image = x.expand(6, 40).reshape(1, 6, 5, 8)
    stats, minus = (cr.zeros(6), cr.ones(6)), -cr.ones(6)
    check(
        F.batch_norm(image, *stats, minus, activation="relu"),
        F.relu(F.batch_norm(image, *stats, minus)),
    )
    for algorithm in ("winograd4", "winograd2", "images", "implicit_gemm", "reference"):
        with test_conv.forced("forward", algorithm):
            plain = F.conv2d(image, cr.ones(3, 6, 3, 3), padding=1)
            check(F.conv2d(image, cr.ones(3, 6, 3, 3), padding=1, activation="relu"), plain.relu())


# ---------------------------------------------------------------- convolution


@pytest.mark.parametrize(
    "algorithm",
    ["winograd4", "winograd2"] + [name for way, name in test_conv.ALGORITHMS if way == "forward"],
)
def test_every_algorithm_of_convolutions(algorithm: str) -> None:
    ran = 0
    for (key, (_, w_shape, *how)), dtype in product(
        test_conv.GEOMETRY.items(), ("float32", "float64")
    ):
        x, w, _ = map(cr.tensor, test_conv.draw(key, dtype))
        b = draw(w_shape[0], dtype=dtype)
        convolve = F.conv2d if len(w_shape) == 4 else F.conv3d
        with test_conv.forced("forward", algorithm):
            try:
                plain = convolve(x, w, b, *how)
            except RuntimeError:  # this one declines
                continue
            for name in ("relu", "silu"):
                check(convolve(x, w, b, *how, activation=name), ALL[name](plain))
        ran += 1
    assert ran >= 3


@pytest.mark.parametrize("shape", [(37, 5, 43, 50), (3, 20, 80, 90), (1, 8, 14, 14)])
def test_bands_and_strips_of_winograd(shape: tuple[int, ...]) -> None:
    x, w, b = draw(*shape), draw(33, shape[1], 3, 3), draw(33)
    for algorithm in ("winograd4", "winograd2"):
        with test_conv.forced("forward", algorithm):
            check(F.conv2d(x, w, b, activation="relu"), F.relu(F.conv2d(x, w, b)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_gradients_of_convolutions(name: str, spatial: int) -> None:
    convolve = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    for batch in ((2,), (), (0,)):
        x = draw(*batch, 3, *[6] * spatial, grad=True)
        w, b = draw(4, 3, *[3] * spatial, grad=True), draw(4, grad=True)
        fused = convolve(x, w, b, padding="same", activation=name)
        check(fused, ALL[name](convolve(x, w, b, padding="same")), (x, w, b))


# ---------------------------------------------------------------- batch norm


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("training", [False, True])
def test_batch_norm(name: str, training: bool) -> None:
    shapes = [(7, 70), (4, 3, 5), (6, 20, 3, 3), (3, 33, 9, 7), (2, 18, 30, 31), (40, 5, 4, 5)]
    for shape, grad in product(shapes, (False, True)):
        x, (w, b) = draw(*shape, grad=grad), (draw(shape[1], grad=grad) for _ in range(2))
        results, running = [], []
        for activation in (name, None):
            stats = cr.zeros(shape[1]), cr.ones(shape[1])
            out = F.batch_norm(x, *stats, w, b, training, 0.3, activation=activation)
            results.append(out if activation else ALL[name](out))
            running.append(stats)
        check(*results, (x, w, b)[: 3 * grad])
        for one, other in zip(*running, strict=True):
            check(one, other)


# ---------------------------------------------------------------- any order


@pytest.mark.parametrize("name", ALL)
def test_second_order(name: str) -> None:
    x, w, b = (draw(*s, dtype="float64", grad=True) for s in ((3, 4), (5, 4), (5,)))
    check_all(lambda x, w, b: F.linear(x / 3, w, b, activation=name), (x, w, b))
    x, w = (draw(*s, dtype="float64", grad=True) for s in ((2, 2, 4, 4), (3, 2, 2, 2)))
    check_all(lambda x, w: F.conv2d(x / 3, w, activation=name), (x, w))
    x, w, b = (draw(*s, dtype="float64", grad=True) for s in ((4, 3, 5), (3,), (3,)))
    for training in (False, True):
        mean, var = cr.zeros(3, dtype=cr.float64), cr.ones(3, dtype=cr.float64)
        check_all(
            lambda x, w, b, t=training, mean=mean, var=var: F.batch_norm(
                x, mean, var, w, b, t, 0.0, activation=name
            ),
            (x, w, b),
        )


def check_all(function: Callable[..., cr.Tensor], inputs: tuple[cr.Tensor, ...]) -> None:
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_what_is_fused() -> None:
    x, w = draw(4, 3), draw(5, 3, grad=True)
    assert "relu" not in ops_of(lambda: F.linear(x, w, activation="relu"))
    assert "gelu" in ops_of(lambda: F.linear(x, w, activation="gelu"))
    with cr.no_grad():
        assert "gelu" not in ops_of(lambda: F.linear(x, w, activation="gelu"))
    assert "LinearActivated" in repr(F.linear(x, w, activation="relu"))


def test_the_result_must_not_change_before_backward() -> None:
    w = draw(5, 3, grad=True)
    out = F.linear(draw(4, 3), w, activation="relu")
    with pytest.raises(RuntimeError, match=r"linear_activated: .*changed in place"):
        (out.mul_(2.0)).sum().backward()
    F.linear(draw(4, 3), w).mul_(2.0).sum().backward()  # nobody keeps it without an activation


def test_errors() -> None:
    x, w = cr.zeros(2, 3), cr.zeros(4, 3)
    for call in (
        lambda: F.linear(x, w, activation="swish"),
        lambda: F.conv1d(x, w[..., None], activation="swish"),
        lambda: F.batch_norm(x, None, None, training=True, activation="swish"),
    ):
        with pytest.raises(ValueError, match=r"activation must be one of 'none', 'relu'.*'swish'"):
            call()
    with pytest.raises(ValueError, match=r"^linear: input and weight differ in features"):
        F.linear(x, w[:, :2], activation="relu")
    with pytest.raises(ValueError, match=r"^conv1d: the input has 2 channels"):
        F.conv1d(x, w[..., None], activation="relu")
    with pytest.raises(TypeError):
        F.linear(x, w, None, "relu")  # by keyword only


# ---------------------------------------------------------------- Sequential


class Doubling(nn.Linear):
    def forward(self, input: cr.Tensor) -> cr.Tensor:
        return super().forward(input) * 2.0


class Shifted(nn.ReLU):
    def forward(self, input: cr.Tensor) -> cr.Tensor:
        return super().forward(input) + 1.0


def one_by_one(net: nn.Sequential, x: cr.Tensor) -> cr.Tensor:
    for module in net:
        x = module(x)
    return x


MODULES = {
    "relu": nn.ReLU(),
    "relu in place": nn.ReLU(inplace=True),
    "relu6": nn.ReLU6(),
    "leaky_relu": nn.LeakyReLU(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "softplus": nn.Softplus(),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardswish": nn.Hardswish(inplace=True),
}


@pytest.mark.parametrize("key", MODULES)
def test_sequential(key: str) -> None:
    after = MODULES[key]
    conv = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), after)
    deep = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), after, nn.Flatten(), nn.Linear(64, 5), after
    )
    for net in (conv, deep):
        x = draw(6, 2, 6, 6, grad=True)
        fused, composed = net(x), one_by_one(net, x)
        check(fused, composed, (x, *net.parameters()))
        with cr.no_grad():
            net.eval()
            check(net(x), one_by_one(net, x))
            name = key.split()[0]
            assert not {name, name + "_", "hardtanh"} & set(ops_of(lambda n=net, x=x: n(x)))


def test_running_statistics() -> None:
    nets = [nn.Sequential(nn.BatchNorm1d(3), nn.ReLU()) for _ in range(2)]
    x = draw(8, 3)
    check(nets[0](x), one_by_one(nets[1], x))
    for one, other in zip(nets[0].buffers(), nets[1].buffers(), strict=True):
        check(one, other)


def unlike() -> Iterator[tuple[str, nn.Sequential]]:
    yield "another slope", nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2))
    yield "another alpha", nn.Sequential(nn.Linear(3, 4), nn.ELU(0.5))
    yield "another gelu", nn.Sequential(nn.Linear(3, 4), nn.GELU("tanh"))
    yield "another beta", nn.Sequential(nn.Linear(3, 4), nn.Softplus(2.0))
    yield "layer subclass", nn.Sequential(Doubling(3, 4), nn.ReLU())
    yield "activation subclass", nn.Sequential(nn.Linear(3, 4), Shifted())
    yield "parametrized", nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 4)), nn.ReLU())
    yield "two activations", nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.ReLU(), nn.Tanh())
    yield "only activations", nn.Sequential(nn.ReLU(), nn.Tanh())
    yield "only layers", nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    yield "nothing", nn.Sequential()


@pytest.mark.parametrize("key", [key for key, _ in unlike()])
def test_sequential_of_what_is_not_alike(key: str) -> None:
    net, x = dict(unlike())[key], draw(5, 3)
    check(net(x), one_by_one(net, x))


def test_hooks_and_replaced_forwards_are_called() -> None:
    x = draw(5, 3)
    for place in (0, 1):
        net, seen = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), list[str]()
        handle = net[place].register_forward_hook(lambda *_, seen=seen: seen.append("called"))
        check(net(x), one_by_one(net, x))
        assert len(seen) == 2
        handle.remove()
        check(net(x), one_by_one(net, x))
        assert len(seen) == 2
        net = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        before = net[place].forward
        net[place].forward = lambda x, before=before: before(x) + 1.0
        check(net(x), one_by_one(net, x))
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    gradients = []
    net[1].register_full_backward_hook(lambda _, grad_in, grad_out: gradients.append(grad_out))
    net(x).sum().backward()
    assert len(gradients) == 1


def test_sequential_stays_what_it_was() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert repr(net[:2]).splitlines()[2] == "  (1): ReLU()"
    with pytest.raises(ValueError, match=r"^0 \(Linear\): linear: input and weight differ"):
        net(cr.zeros(2, 5))
    x, params = draw(5, 3), {name: p.detach() * 2.0 for name, p in net.named_parameters()}
    called = func.functional_call(net, params, (x,))
    net.load_state_dict(params)
    check(called, one_by_one(net, x))
    # Single rows are other products, whose sums may have another order.
    np.testing.assert_allclose(
        func.vmap(net)(x).detach().numpy(), net(x).detach().numpy(), rtol=1e-5, atol=1e-6
    )
    net[1] = nn.Tanh()
    check(net(x), one_by_one(net, x))
    net[0].train(False)
    net[0] = nn.utils.weight_norm(net[0])
    check(net(x), one_by_one(net, x))
