"""chainrule.plots: every picture shows the numbers it was given."""

import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics, nn, plots, train

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib draws the pictures")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def sheet(ax):
    """The one image of the Axes, NaN where nothing is drawn."""
    [image] = ax.images
    return np.ma.filled(np.ma.masked_invalid(image.get_array()).astype(float), np.nan)


def colour_of(artist, value):
    return tuple(artist.to_rgba(value))


# ---------------------------------------------------------------- decision boundary

POINTS = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]], "float32")


def halves(ax, resolution):
    """The mesh as an array, and the x of its columns."""
    mesh = ax.collections[0]
    return np.asarray(mesh.get_array()).reshape(resolution, resolution)


@pytest.mark.parametrize(
    ("model", "threshold"),
    [
        (lambda x: x[:, 0] - 2, 0.0),  # a logit
        (lambda x: ((x[:, :1] - 2) * 9).sigmoid(), 0.5),  # a probability
        (lambda x: cr.stack([2 - x[:, 0], x[:, 0] - 2], dim=1), 0.0),  # two scores
    ],
)
def test_the_boundary_is_where_the_model_changes_its_mind(model, threshold):
    ax = plots.decision_boundary(model, POINTS, [0, 0, 1, 1], resolution=50, threshold=threshold)
    x = np.linspace(-0.4, 4.4, 50)
    np.testing.assert_array_equal(halves(ax, 50), np.tile(x > 2, (50, 1)))
    mesh, samples = ax.collections
    np.testing.assert_array_equal(samples.get_offsets(), POINTS)
    np.testing.assert_array_equal(samples.get_array(), [0, 0, 1, 1])
    assert mesh.get_clim() == samples.get_clim()  # one colour for one class
    assert mesh.cmap.name == samples.cmap.name
    assert ax.get_xlim()[0] < -0.39
    assert ax.get_ylim()[1] > 2.19


def test_modules_run_in_evaluation_mode_and_estimators_keep_their_labels():
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.9))
    with cr.no_grad():
        net[0].weight.copy_(cr.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
        net[0].bias.copy_(cr.tensor([2.0, -2.0, -9.0]))
    ax = plots.decision_boundary(net, cr.from_numpy(POINTS), resolution=30)
    np.testing.assert_array_equal(halves(ax, 30)[0], np.linspace(-0.4, 4.4, 30) > 2)
    assert len(ax.collections) == 1
    assert net[1].training

    class Estimator:
        def predict(self, X):
            assert X.dtype == np.float32
            return np.where(X[:, 1] > 1, "up", "down")

    ax = plots.decision_boundary(Estimator(), POINTS, ["down", "up", "left", "up"], resolution=20)
    rows = np.linspace(-0.2, 2.2, 20) > 1
    np.testing.assert_array_equal(halves(ax, 20)[:, 0], np.where(rows, 2, 0))
    np.testing.assert_array_equal(ax.collections[1].get_array(), [0, 2, 1, 2])


# ---------------------------------------------------------------- confusion, mistakes


@pytest.mark.parametrize("normalize", [None, "true"])
def test_the_confusion_matrix_shows_its_numbers(normalize):
    truth, guess = [0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 1, 0]
    ax = plots.confusion_matrix(truth, guess, normalize=normalize)
    counts = metrics.confusion_matrix(truth, guess, normalize=normalize)
    np.testing.assert_allclose(sheet(ax) ** 2 * counts.max(), counts)
    shown = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in ax.texts}
    assert {cell: float(text) for cell, text in shown.items()} == {
        cell: pytest.approx(number) for cell, number in np.ndenumerate(counts) if number
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    named = plots.confusion_matrix(["b", "a"], ["b", "b"], labels=["b", "a"])
    assert [label.get_text() for label in named.get_yticklabels()] == ["b", "a"]
    assert [label.get_text() for label in named.get_xticklabels()] == ["b", "a"]


def test_mistakes_shows_the_wrong_images_with_both_labels():
    images = np.random.default_rng(0).random((10, 8, 8), "float32")
    truth, guess = np.arange(10), np.arange(10)
    guess[[2, 3, 7]] = [5, 0, 1]
    ax = plots.mistakes(images, truth, guess, columns=2)
    assert ax.get_title() == "3 of 10 wrong"
    assert texts(ax) == ["2 as 5", "3 as 0", "7 as 1"]
    drawn = sheet(ax)
    for text, image in zip(ax.texts, images[[2, 3, 7]], strict=True):
        x, y = text.get_position()  # above the middle of its image
        top, left = round(y + 0.7), round(x + 0.5 - 4)
        np.testing.assert_array_equal(drawn[top : top + 8, left : left + 8], image)
    assert np.isfinite(drawn).sum() == 3 * 64
    assert texts(plots.mistakes(images[:, None], truth, guess, count=1)) == ["2 as 5"]


def test_mistakes_by_scores_come_with_the_surest_first():
    scores = cr.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    ax = plots.mistakes(cr.rand(4, 3, 5, 6), cr.tensor([1, 1, 1, 0]), scores)
    assert texts(ax) == ["1 as 0", "0 as 1", "1 as 0"]
    assert ax.get_title() == "3 of 4 wrong"
    assert sheet(ax).shape[2] == 3
    nothing = plots.mistakes(cr.rand(2, 5, 6), [0, 1], [0, 1])
    assert (nothing.get_title(), len(nothing.images)) == ("0 of 2 wrong", 0)


# ---------------------------------------------------------------- networks


def test_filters_are_drawn_one_by_one():
    weight = nn.Conv2d(1, 5, 3)
    ax = plots.filters(weight)
    drawn, values = sheet(ax), weight.weight.detach().numpy()
    assert drawn.shape == (2 * 4 + 1, 3 * 4 + 1)
    for k in range(5):
        top, left = 4 * (k // 3) + 1, 4 * (k % 3) + 1
        np.testing.assert_array_equal(drawn[top : top + 3, left : left + 3], values[k, 0])
    assert np.isfinite(drawn).sum() == 45
    low, high = ax.images[0].get_clim()
    assert high == -low == np.abs(values).max()


def test_filters_of_several_channels():
    many = plots.filters(cr.ones(2, 4, 3, 3))
    assert sheet(many).shape == (9, 17)  # a row for each filter
    values = np.random.default_rng(0).normal(size=(3, 3, 2, 2))
    coloured = plots.filters(values, columns=3)
    drawn = coloured.images[0].get_array()
    assert drawn.shape == (4, 10, 3)
    for k in range(3):
        expected = (values[k] - values[k].min()) / np.ptp(values[k])
        np.testing.assert_allclose(drawn[1:3, 3 * k + 1 : 3 * k + 3], expected.transpose(1, 2, 0))
    dense = nn.Linear(16, 9).weight.reshape(9, 4, 4)
    assert sheet(plots.filters(dense)).shape == (16, 16)


def test_activations_of_maps_and_of_units():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.9), nn.Linear(144, 10)
    )
    x = cr.randn(1, 1, 8, 8)
    maps = net[1](net[0](x)).detach().numpy()[0]
    for layer in ("1", net[1]):
        drawn = sheet(plots.activations(net, layer, x))
        for k in range(4):
            top, left = 7 * (k // 2) + 1, 7 * (k % 2) + 1
            np.testing.assert_array_equal(drawn[top : top + 6, left : left + 6], maps[k])
    bars = plots.activations(net, "4", x).patches
    expected = net.eval()(x).detach().numpy()[0]
    np.testing.assert_allclose([bar.get_height() for bar in bars], expected, rtol=1e-6)


def test_activations_leave_the_mode_and_no_hook():
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    ax = plots.activations(net, "0", cr.ones(1, 2))
    assert net.training
    assert net[1].training
    net(cr.ones(1, 2))
    assert len(ax.patches) == 3


def test_gradient_norms_by_layer():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 1))
    net[2].requires_grad_(False)
    net(cr.ones(4, 2)).sum().backward()
    ax = plots.gradient_norms(net)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["0 (Linear)", "3 (Linear)"]
    expected = [
        np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in net[i].parameters())) for i in (0, 3)
    ]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], expected, rtol=1e-6)
    assert ax.get_xscale() == "log"
    assert ax.yaxis_inverted()


# ---------------------------------------------------------------- trainings


def test_learning_curves_show_the_columns_and_the_best_epoch():
    history = train.History(
        [
            {"loss": 3.0, "val_loss": 2.0, "accuracy": 0.1},
            {"loss": 2.0, "val_loss": 1.0, "accuracy": 0.2},
            {"loss": 1.0, "val_loss": 1.5, "accuracy": 0.3},
        ]
    )
    ax = plots.learning_curves(history)
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines == {
        "loss": [[1, 3], [2, 2], [3, 1]],
        "val_loss": [[1, 2], [2, 1], [3, 1.5]],
        "best, epoch 2": [[2, 1]],
    }
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(lines)
    only = plots.learning_curves(history.to_dict(), ["accuracy", "f1"])
    assert [line.get_label() for line in only.lines] == ["accuracy"]
    broken = plots.learning_curves({"loss": [1.0], "val_loss": [float("nan")]})
    assert [line.get_label() for line in broken.lines] == ["loss", "val_loss"]


# ---------------------------------------------------------------- all of them

CALLS = {
    "decision_boundary": lambda ax: plots.decision_boundary(lambda x: x[:, 0], POINTS, ax=ax),
    "mistakes": lambda ax: plots.mistakes(np.ones((1, 4, 4)), [0], [1], ax=ax),
    "confusion_matrix": lambda ax: plots.confusion_matrix([0, 1], [1, 1], ax=ax),
    "filters": lambda ax: plots.filters(cr.ones(2, 1, 3, 3), ax=ax),
    "activations": lambda ax: plots.activations(nn.ReLU(), "", cr.ones(1, 2, 4, 4), ax=ax),
    "gradient_norms": lambda ax: plots.gradient_norms(_trained(), ax=ax),
    "learning_curves": lambda ax: plots.learning_curves({"loss": [1.0, 0.5]}, ax=ax),
}


def _trained():
    net = nn.Linear(2, 1)
    net(cr.zeros(1, 2)).sum().backward()
    return net


@pytest.mark.parametrize("name", plots.__all__)
def test_each_draws_where_it_is_told_and_returns_that(name):
    figure, axes = pyplot.subplots(1, 2)
    assert CALLS[name](axes[1]) is axes[1]
    assert not axes[0].has_data()
    assert axes[1].has_data()
    figure.canvas.draw()
    assert pyplot.get_fignums() == [figure.number]
    assert CALLS[name](None).figure is not figure


@pytest.mark.parametrize("name", plots.__all__)
def test_without_matplotlib_the_extra_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"needs matplotlib.*pip install 'chainrule\[train\]'"):
        CALLS[name](None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.decision_boundary(abs, np.ones((3, 3))), r"X has shape \(3, 3\)"),
        (lambda: plots.decision_boundary(abs, POINTS, [0, 1]), r"y has shape \(2,\); expected \(4"),
        (lambda: plots.decision_boundary(lambda x: x[:3, 0], POINTS), "gave 3 answers for"),
        (lambda: plots.mistakes(np.ones((2, 2)), [0], [1]), r"images have shape \(2, 2\)"),
        (lambda: plots.mistakes(np.ones((2, 4, 4)), [0], [1, 1]), "2 images, y_true of shape"),
        (lambda: plots.mistakes(np.ones((1, 4, 4)), [0], [1], count=0), "count is positive"),
        (lambda: plots.filters(nn.Linear(2, 3)), r"weight has shape \(3, 2\)"),
        (lambda: plots.filters(cr.ones(1, 1, 2, 2), columns=0), "columns is positive"),
        (lambda: plots.activations(_trained(), "", cr.ones(3, 2)), r"shape \(3, 1\); expected"),
        (lambda: plots.activations(nn.ReLU(), nn.Tanh(), cr.ones(1, 2)), "does not call"),
        (lambda: plots.activations(nn.LSTM(2, 3), "", cr.ones(4, 2)), "answers with a tuple"),
        (lambda: plots.gradient_norms(nn.Linear(2, 3)), "no parameter has a gradient"),
        (lambda: plots.learning_curves({"f1": [1.0]}), r"none of \['loss', 'val_loss'\]"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
