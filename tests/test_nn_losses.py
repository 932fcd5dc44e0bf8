"""Further losses and distances against NumPy float64."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

REDUCTIONS = {"none": lambda x: x, "sum": np.sum, "mean": np.mean}


def double(array, requires_grad=False):
    return cr.tensor(np.asarray(array, np.float64), requires_grad=requires_grad)


def stirling(t):
    many = np.maximum(t, 1)
    return np.where(t > 1, many * np.log(many) - many + np.log(2 * np.pi * many) / 2, 0)


def distance(x, y, p=2.0, eps=1e-6):
    return np.linalg.norm(x - y + eps, p, axis=-1)


def cosine(x, y):
    return (x * y).sum(-1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)


def triplet(a, p, n, margin=1.0, order=2.0, swap=False):
    far = distance(a, n, order)
    if swap:
        far = np.minimum(far, distance(p, n, order))
    return np.maximum(distance(a, p, order) - far + margin, 0)


SIGNS = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, -1]], np.float64)

# Name: (function, formula, options, how many of the arguments are free, the last argument).
CASES = {
    "poisson": (F.poisson_nll_loss, lambda x, t: np.exp(x) - t * x, {}, 2, None),
    "poisson_full": (
        F.poisson_nll_loss,
        lambda x, t: x - t * np.log(x + 0.5) + stirling(t),
        {"log_input": False, "full": True, "eps": 0.5},
        2,
        None,
    ),
    "gaussian": (
        F.gaussian_nll_loss,
        lambda x, t, v: (np.log(v) + (x - t) ** 2 / v) / 2,
        {},
        3,
        None,
    ),
    "gaussian_full": (
        F.gaussian_nll_loss,
        lambda x, t, v: (np.log(v) + (x - t) ** 2 / v + np.log(2 * np.pi)) / 2,
        {"full": True},
        3,
        None,
    ),
    "hinge": (
        F.hinge_embedding_loss,
        lambda x, t: np.where(t == 1, x, np.maximum(1.5 - x, 0)),
        {"margin": 1.5},
        1,
        SIGNS,
    ),
    "ranking": (
        F.margin_ranking_loss,
        lambda x, y, t: np.maximum(0.5 - t * (x - y), 0),
        {"margin": 0.5},
        2,
        SIGNS,
    ),
    "soft_margin": (F.soft_margin_loss, lambda x, t: np.log1p(np.exp(-t * x)), {}, 1, SIGNS),
    "cosine": (
        F.cosine_embedding_loss,
        lambda x, y, t: np.where(t == 1, 1 - cosine(x, y), np.maximum(cosine(x, y) - 0.2, 0)),
        {"margin": 0.2},
        2,
        SIGNS[:, 0],
    ),
    "triplet": (F.triplet_margin_loss, triplet, {}, 3, None),
    "triplet_swap": (
        F.triplet_margin_loss,
        lambda a, p, n: triplet(a, p, n, 0.7, 3.0, True),
        {"margin": 0.7, "p": 3.0, "swap": True},
        3,
        None,
    ),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", CASES)
def test_loss(name, reduction):
    function, formula, options, free, last = CASES[name]
    arrays = list(np.random.default_rng(0).uniform(0.2, 2.5, (free, 4, 3)))
    rest = [] if last is None else [last]
    loss = function(*map(double, arrays + rest), reduction=reduction, **options)
    expected = REDUCTIONS[reduction](formula(*arrays, *rest))
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-11, atol=1e-12)

    def call(*free):
        return function(*free, *map(double, rest), reduction=reduction, **options)

    leaves = tuple(double(a, True) for a in arrays)
    assert gradcheck(call, leaves)
    assert gradgradcheck(call, leaves)


SHAPES = {
    "poisson_nll_loss": 2, "gaussian_nll_loss": 3, "hinge_embedding_loss": 2,
    "margin_ranking_loss": 3, "soft_margin_loss": 2, "triplet_margin_loss": 3,
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_losses_never_broadcast(name):
    function, count = getattr(F, name), SHAPES[name]
    for wrong in (cr.ones(4), cr.ones(1, 1), cr.ones(1, 4)):
        for place in range(count):
            args = [cr.ones(4, 1) for _ in range(count)]
            args[place] = wrong
            if name == "gaussian_nll_loss" and place == 2 and wrong.shape != (1, 4):
                continue  # the variances may lack the last dimension, or have a single size 1
            with pytest.raises(ValueError, match=rf"{name}: .*\(got \("):
                function(*args)
    args = [cr.ones(4, 1) for _ in range(count)]
    with pytest.raises(ValueError, match=r"reduction must be one of .* \(got 'avg'\)"):
        function(*args, reduction="avg")
    if name != "gaussian_nll_loss":
        with pytest.raises(TypeError, match=r"must be a Tensor \(got float\)"):
            function(*args[:-1], 0.5)


def test_shapes_of_cosine_embedding():
    x = cr.ones(4, 3)
    for target in (cr.ones(4, 1), cr.ones(1), cr.ones(3), cr.ones(())):
        with pytest.raises(ValueError, match=r"expected \(N, D\) and \(N,\)"):
            F.cosine_embedding_loss(x, x, target)
    with pytest.raises(ValueError, match="input1 and input2 differ in shape"):
        F.cosine_embedding_loss(x, cr.ones(1, 3), cr.ones(4))
    one = F.cosine_embedding_loss(x[0], x[1], cr.tensor(-1))
    assert tuple(one.shape) == ()
    np.testing.assert_allclose(one.item(), 1, rtol=1e-6)


def test_gaussian_variances():
    x, t = np.random.default_rng(0).standard_normal((2, 4, 3))
    v = np.array([0.5, 1.0, 2.0, 4.0])
    expected = (np.log(v) + (x - t).T ** 2 / v).T / 2
    for var in (double(v), double(v[:, None]), double(np.repeat(v[:, None], 3, 1))):
        loss = F.gaussian_nll_loss(double(x), double(t), var, reduction="none")
        np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-13)
    # One variance per column.
    loss = F.gaussian_nll_loss(double(x), double(t), double(v[None, :3]), reduction="none")
    np.testing.assert_allclose(loss.numpy(), (np.log(v[:3]) + (x - t) ** 2 / v[:3]) / 2, rtol=1e-13)
    loss = F.gaussian_nll_loss(double(x), double(t), 2.0, reduction="none")
    np.testing.assert_allclose(loss.numpy(), (np.log(2) + (x - t) ** 2 / 2) / 2, rtol=1e-13)
    # Below eps the variance counts as eps, and its gradient goes on.
    small = double([0.0], True)
    F.gaussian_nll_loss(double([1.0]), double([1.0]), small, eps=0.25).backward()
    assert small.grad.tolist() == [2.0]
    with pytest.raises(ValueError, match="negative numbers"):
        F.gaussian_nll_loss(double([1.0]), double([1.0]), double([-1.0]))
    with pytest.raises(ValueError, match="eps is above 0"):
        F.gaussian_nll_loss(double([1.0]), double([1.0]), 1.0, eps=0.0)


def test_edges():
    """Where the exponential overflows, and where two vectors are equal or zero."""
    x = double([-1e4, 1e4], True)
    loss = F.soft_margin_loss(x, cr.tensor([1, 1]), reduction="none")
    assert loss.tolist() == [1e4, 0]
    loss.sum().backward()
    assert x.grad.tolist() == [-1, 0]
    x = double(np.ones((2, 3)), True)
    F.pairwise_distance(x, x.detach()).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / np.sqrt(3), rtol=1e-9)
    x = double(np.zeros((1, 3)), True)
    similarity = F.cosine_similarity(x, double([[0.0, 3.0, 4.0]]), eps=0.5)
    assert similarity.item() == 0
    similarity.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0, 1.2, 1.6]], rtol=1e-14)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
def test_distances(p):
    x, y = np.random.default_rng(0).standard_normal((2, 4, 3))
    for keepdim in (False, True):
        out = F.pairwise_distance(double(x), double(y), p, 0.01, keepdim)
        assert tuple(out.shape) == ((4, 1) if keepdim else (4,))
        np.testing.assert_allclose(out.numpy().ravel(), distance(x, y, p, 0.01), rtol=1e-13)
    assert gradcheck(lambda x, y: F.pairwise_distance(x, y, p), (double(x, True), double(y, True)))
    table = F.pairwise_distance(double(x[:, None]), double(y[None]), p)
    np.testing.assert_allclose(table.numpy(), distance(x[:, None], y[None], p), rtol=1e-13)


def test_similarities():
    x, y = np.random.default_rng(0).standard_normal((2, 4, 3))
    np.testing.assert_allclose(
        F.cosine_similarity(double(x), double(y)).numpy(), cosine(x, y), rtol=1e-13
    )
    np.testing.assert_allclose(
        F.cosine_similarity(double(x), double(y), dim=0).numpy(), cosine(x.T, y.T), rtol=1e-13
    )
    table = F.cosine_similarity(double(x[:, None]), double(y[None]), -1)
    np.testing.assert_allclose(table.numpy(), cosine(x[:, None], y[None]), rtol=1e-13)
    assert gradcheck(F.cosine_similarity, (double(x, True), double(y, True)))
    assert gradgradcheck(F.cosine_similarity, (double(x, True), double(y, True)))
    broadcast = F.cosine_similarity(double(x), double(y[0]))
    np.testing.assert_allclose(broadcast.numpy(), cosine(x, y[:1]), rtol=1e-13)
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(2, 3\)"):
        F.cosine_similarity(double(x), double(y[:2]))
    for wrong in (y[0], y[:2]):
        with pytest.raises(ValueError, match=r"differ in shape \(got \(4, 3\) and \("):
            F.pairwise_distance(double(x), double(wrong))


MODULES = [
    (nn.PoissonNLLLoss, F.poisson_nll_loss, 2, {"log_input": False, "full": True, "eps": 0.1}),
    (nn.GaussianNLLLoss, F.gaussian_nll_loss, 3, {"full": True, "eps": 0.9}),
    (nn.HingeEmbeddingLoss, F.hinge_embedding_loss, 2, {"margin": 3.0}),
    (nn.MarginRankingLoss, F.margin_ranking_loss, 3, {"margin": 3.0}),
    (nn.SoftMarginLoss, F.soft_margin_loss, 2, {}),
    (nn.TripletMarginLoss, F.triplet_margin_loss, 3, {"margin": 3.0, "p": 1.0, "swap": True}),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("module", "function", "count", "options"), MODULES)
def test_modules_hand_on_their_options(module, function, count, options, reduction):
    args = [double(a) for a in np.random.default_rng(0).uniform(0.2, 2.5, (count, 4, 3))]
    layer = module(reduction=reduction, **options)
    assert repr(layer) == f"{module.__name__}()"
    expected = function(*args, reduction=reduction, **options)
    np.testing.assert_array_equal(layer(*args).numpy(), expected.numpy())


def test_other_modules():
    x, y = (double(a) for a in np.random.default_rng(0).standard_normal((2, 4, 3)))
    target = cr.tensor([1, -1, 1, -1])
    loss = nn.CosineEmbeddingLoss(0.1, reduction="sum")(x, y, target)
    assert loss.item() == F.cosine_embedding_loss(x, y, target, 0.1, reduction="sum").item()
    assert nn.PairwiseDistance(1.0, 0.1, True)(x, y).tolist() == (
        F.pairwise_distance(x, y, 1.0, 0.1, True).tolist()
    )
    assert nn.CosineSimilarity(0, 2.0)(x, y).tolist() == F.cosine_similarity(x, y, 0, 2.0).tolist()
    for build in (nn.TripletMarginLoss, lambda m: F.triplet_margin_loss(x, x, x, m)):
        with pytest.raises(ValueError, match="margin is above 0"):
            build(0.0)
