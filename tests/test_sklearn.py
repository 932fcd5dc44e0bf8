"""The scikit-learn estimators: its own checks, its tools, and what ours add."""

import copy
import os
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import chainrule as cr
from chainrule import nn, optim, train
from chainrule.sklearn import (
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    NeuralNetRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def net(n_features, n_outputs, hidden=32, dropout=0.0):
    return nn.Sequential(
        nn.Linear(n_features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_outputs)
    )


@pytest.fixture(scope="module")
def classes():
    X, y = make_classification(120, 8, n_informative=6, n_classes=3, class_sep=2.0, random_state=0)
    return X, np.array(["ant", "bee", "cat"])[y]


@pytest.fixture(scope="module")
def numbers():
    X, y = make_regression(100, 5, noise=0.1, random_state=0)
    return X, y / y.std()


# ---------------------------------------------------------------- scikit-learn's checks

# The rounding of float32 (6e-8) is more than the check allows (1e-7 relative, after training).
ROUNDING = {
    "check_sample_weight_equivalence_on_dense_data": "float32 rounds coarser than 1e-7 allows"
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(max_iter=100),
        MLPClassifier(max_iter=100, dtype="float64"),
        MLPRegressor(max_iter=100),
        MLPRegressor(max_iter=100, dtype="float64"),
        NeuralNetClassifier(net, max_epochs=100, lr=0.01, dtype="float64"),
        NeuralNetRegressor(net, max_epochs=100, lr=0.01, dtype="float64"),
    ],
    ids=lambda estimator: f"{type(estimator).__name__}-{estimator.dtype}",
)
def test_check_estimator(estimator):
    expected = ROUNDING if estimator.dtype == "float32" else {}
    results = check_estimator(estimator, on_skip=None, expected_failed_checks=expected)
    assert sum(result["status"] == "passed" for result in results) > 50
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(expected)


# ---------------------------------------------------------------- its tools


def test_pipeline_and_cross_validation(classes):
    X, y = classes
    model = make_pipeline(
        StandardScaler(), MLPClassifier((32,), learning_rate_init=0.01, random_state=0)
    )
    assert cross_val_score(model, X, y, cv=3).mean() > 0.8
    assert cross_val_score(model, X, y, cv=3, scoring="roc_auc_ovr").mean() > 0.9


def test_grid_search_in_two_processes_and_what_follows(classes):
    X, y = classes
    search = GridSearchCV(
        NeuralNetClassifier(net, module__hidden=4, max_epochs=30, lr=0.02, random_state=0),
        {"module__hidden": [4, 32], "optimizer__weight_decay": [0.0, 0.1]},
        cv=2,
        n_jobs=2,
    ).fit(X, y)
    assert search.best_params_["module__hidden"] == 32
    assert search.best_estimator_.module_[0].out_features == 32
    expected = search.predict_proba(X)
    for twin in (copy.deepcopy(search), pickle.loads(pickle.dumps(search))):
        np.testing.assert_array_equal(twin.predict_proba(X), expected)
    serial = search.set_params(n_jobs=1).fit(X, y)
    np.testing.assert_array_equal(serial.predict_proba(X), expected)


@pytest.mark.parametrize("make", [
    lambda: MLPClassifier(max_iter=20, dropout=0.3, batch_norm=True, random_state=3),
    lambda: NeuralNetClassifier(net, module__dropout=0.3, max_epochs=20, random_state=3),
])  # fmt: skip
def test_clone_joblib_and_repeatability(classes, make, tmp_path):
    X, y = classes
    state = cr.get_rng_state()
    model = make().fit(X, y)
    assert cr.equal(cr.get_rng_state(), state)  # others' random numbers are left alone
    expected = model.predict_proba(X)
    cr.rand(3)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), expected)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    # A stored model learns on exactly as the one in memory.
    for estimator in (model, loaded):
        estimator.partial_fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert not np.array_equal(model.predict_proba(X), expected)


# ---------------------------------------------------------------- what it learns


def test_digits():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(batch_size=32, max_iter=20, random_state=0).fit(X[:1400] / 16, y[:1400])
    assert model.score(X[1400:] / 16, y[1400:]) > 0.9
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X),
                               rtol=1e-4, atol=1e-7)  # fmt: skip
    hidden = np.maximum(X[:5] / 16 @ model.coefs_[0] + model.intercepts_[0], 0)
    logits = hidden @ model.coefs_[1] + model.intercepts_[1]
    assert (model.classes_[logits.argmax(1)] == model.predict(X[:5] / 16)).all()


@pytest.mark.parametrize("solver", ["sgd", "Adam", "adamw", "rmsprop", optim.Adagrad])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "leaky_relu", nn.ELU(0.5), nn.PReLU])
def test_any_activation_and_optimizer(classes, solver, activation):
    X, y = classes
    model = MLPClassifier((16, 16), activation, solver=solver, learning_rate_init=0.02,
                          max_iter=40, random_state=0).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.85
    assert model.n_layers_ == 4


def test_dropout_and_batch_norm_are_in_the_network():
    model = MLPClassifier((8, 6), dropout=0.25, batch_norm=True, max_iter=2, batch_size=16)
    model.fit(np.eye(17), np.arange(17) % 2)  # a last batch of one row has no variance
    kinds = [type(layer).__name__ for layer in model.module_]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2 + ["Linear"]
    assert model.module_[3].p == 0.25


def test_early_stopping_restores_the_best(classes):
    X, y = classes
    model = MLPClassifier((64,), early_stopping=True, validation_fraction=0.25, random_state=0,
                          learning_rate_init=0.05, n_iter_no_change=5).fit(X, y)  # fmt: skip
    assert model.n_iter_ < 200
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert "val_score" in model.history_
    assert model.best_loss_ is None


def test_the_schedules(numbers):
    X, y = numbers
    rates = {}
    for name in ("invscaling", "cosine", "adaptive", lambda o: optim.lr_scheduler.StepLR(o, 3)):
        model = MLPRegressor(learning_rate=name, solver="sgd", learning_rate_init=0.01,
                             max_iter=60, n_iter_no_change=2, tol=1.0, random_state=0)  # fmt: skip
        rates[name if isinstance(name, str) else "own"] = model.fit(X, y).history_["lr"]
    assert rates["invscaling"][:2] == pytest.approx([0.01, 0.01 * 101**-0.5])
    assert rates["cosine"][1] == pytest.approx(0.01 * (1 + np.cos(np.pi / 60)) / 2)
    assert rates["adaptive"][-1] < 1e-5 < rates["adaptive"][0]
    assert rates["own"][3] == pytest.approx(0.001)


def test_weights_of_classes_and_rows(classes):
    X, y = classes
    rare = np.where(y == "ant", "ant", "other")
    noisy = X + 3 * np.random.default_rng(0).standard_normal(X.shape)
    options = {"max_iter": 30, "random_state": 0, "learning_rate_init": 0.01}
    found = {}
    for weight in (None, "balanced", {"ant": 20.0, "other": 1.0}):
        guesses = MLPClassifier(class_weight=weight, **options).fit(noisy, rare).predict(noisy)
        found[str(weight)] = np.mean(guesses == "ant")
    assert found["None"] < found["balanced"] < found[str({"ant": 20.0, "other": 1.0})]

    weight = (y != "bee").astype(float)
    by_weight = MLPClassifier(dtype="float64", **options).fit(X, y, weight)
    rows = by_weight.predict(X) != "bee"
    assert rows[y == "cat"].all()
    assert by_weight.loss_ < MLPClassifier(dtype="float64", **options).fit(X, y).loss_


def test_warm_start_goes_on(classes):
    X, y = classes
    model = MLPClassifier(max_iter=3, warm_start=True, random_state=0).fit(X, y)
    first, network = model.loss_, model.module_
    assert model.fit(X, y).loss_ < first
    assert model.module_ is network
    with pytest.raises(ValueError, match="with warm_start the classes are those of the first fit"):
        model.fit(X[:50], np.arange(50) % 2)


def test_partial_fit_goes_through_parts(classes):
    X, y = classes
    model = MLPClassifier(learning_rate_init=0.02, random_state=0)
    for _ in range(10):
        for part in np.array_split(np.arange(len(X)), 4):
            model.partial_fit(X[part], y[part], classes=["ant", "bee", "cat"])
    assert model.n_iter_ == 40
    assert model.score(X, y) > 0.8


def test_several_targets(numbers):
    X, y = numbers
    both = np.stack([y, -2 * y], axis=1)
    for model in (
        MLPRegressor(learning_rate_init=0.02, random_state=0),
        NeuralNetRegressor(net, lr=0.02, max_epochs=100, random_state=0),
    ):
        assert model.fit(X, both).predict(X).shape == (100, 2)
        assert model.score(X, both) > 0.95
        assert model.fit(X, y).predict(X).shape == (100,)


def test_a_module_of_ones_own_on_images():
    images, labels = load_digits(return_X_y=True)
    images = (images[:300] / 16).reshape(-1, 1, 8, 8)
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                           nn.Linear(72, 10))  # fmt: skip
    before = module[0].weight.detach().numpy().copy()
    model = NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss(label_smoothing=0.1), optimizer="adamw", lr=0.01,
        optimizer__weight_decay=0.01, batch_size=16, max_epochs=8, random_state=0,
        scheduler=lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 8),
        callbacks=[train.ClipGradNorm(1.0)],
    ).fit(images, labels[:300], np.ones(300))  # fmt: skip
    assert model.score(images, labels[:300]) > 0.9
    assert model.history_["lr"][0] == 0.01
    np.testing.assert_array_equal(module[0].weight.detach().numpy(), before)  # it was copied


def test_a_criterion_of_ones_own(numbers):
    X, y = numbers
    model = NeuralNetRegressor(net, criterion=nn.SmoothL1Loss, lr=0.02, max_epochs=60,
                               random_state=0)  # fmt: skip
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.fit(X, y, np.ones(100)).score(X, y) > 0.9

    class Bare(nn.Module):
        def forward(self, output, target):
            return (output - target).abs().mean()

    model.set_params(criterion=Bare())
    assert model.fit(X, y).score(X, y) > 0.9
    with pytest.raises(ValueError, match="weights need a criterion with reduction"):
        model.fit(X, y, np.ones(100))


def test_verbose_shows_progress(classes, capsys):
    X, y = classes
    MLPClassifier(max_iter=2, verbose=True).fit(X, y)
    assert "epoch 2/2" in capsys.readouterr().out


# ---------------------------------------------------------------- bad input


def test_convergence_is_judged(classes):
    with pytest.warns(ConvergenceWarning, match="max_iter=1 epochs"):
        MLPClassifier(max_iter=1).fit(*classes)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (MLPClassifier(dropout=1.0), "dropout is at least 0 and below 1"),
        (MLPClassifier((10, 0)), "hidden_layer_sizes is positive ints"),
        (MLPClassifier(activation="rely"), "no activation 'rely'"),
        (MLPClassifier(solver="adamm"), "no optimizer 'adamm'"),
        (MLPClassifier(solver="lbfgs"), "solver='lbfgs' needs all rows in every step"),
        (MLPClassifier(learning_rate="fast"), "learning_rate is one of"),
        (MLPClassifier(dtype="int"), "dtype is 'float32' or 'float64'"),
        (MLPClassifier(early_stopping=True, validation_fraction=2), "validation_fraction is"),
        (MLPClassifier(solver="sgd", learning_rate_init=1e30), "the loss is .*lower the learning"),
        (NeuralNetClassifier(net, max_epochs=0), "max_epochs is at least 1"),
        (NeuralNetClassifier(nn.Linear(8, 3), module__x=1), "need a class or function as module"),
        (NeuralNetClassifier(nn.Linear(8, 2)), "is out of range; expected 0 to 1"),
    ],
)
def test_bad_parameters_get_a_sentence(classes, estimator, message):
    with pytest.raises((ValueError, IndexError), match=message):
        estimator.fit(*classes)


def test_bad_modules_get_a_sentence(classes):
    for module, message in ((3, "module is a int"), (lambda: 3, "module returned a int")):
        with pytest.raises(TypeError, match=message):
            NeuralNetClassifier(module).fit(*classes)
    with pytest.raises(TypeError, match="no parameter 'lrr'"):
        NeuralNetClassifier(net, lrr=0.1).fit(*classes)
    with pytest.raises(TypeError, match="returns a int; expected one of"):
        NeuralNetClassifier(net, scheduler=lambda o: 3).fit(*classes)


def test_bad_data_gets_a_sentence(classes):
    X, y = classes
    with pytest.raises(ValueError, match="the data has one class, \\['ant'\\]"):
        MLPClassifier().fit(X, np.full(len(X), "ant"))
    with pytest.raises(ValueError, match="one class"):
        MLPClassifier().fit(X[:1], y[:1])
    holes = X.copy()
    holes[3, 2] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        MLPClassifier().fit(holes, y)
    with pytest.raises(ValueError, match="could not convert string"):
        MLPClassifier().fit([*X.astype(str).tolist()[:-1], ["text"] * 8], y)
    model = MLPClassifier(max_iter=2).fit(X, y)
    assert model.score(X, np.full(len(X), "dog")) == 0  # a label seen only in the test
    with pytest.raises(ValueError, match=r"y contains \['dog'\], which are not among the classes"):
        model.partial_fit(X[:2], ["ant", "dog"])
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 8"):
        model.predict(X[:, :3])
    assert MLPRegressor(max_iter=3).fit(X[:1], [2.0]).predict(X[:1]).shape == (1,)


def test_without_scikit_learn():
    program = "import sys; sys.modules['sklearn'] = None; import chainrule.sklearn"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env={**os.environ}, timeout=60)  # fmt: skip
    assert "ImportError: chainrule.sklearn: needs scikit-learn, which is not inst" in done.stderr
    program = "import sys, chainrule.train, chainrule.metrics; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.stdout == "False\n", done.stderr


def test_interrupting_a_search_interrupts_it(classes, monkeypatch):
    def stop(self, X):
        raise KeyboardInterrupt

    monkeypatch.setattr(nn.Sequential, "forward", stop)
    with pytest.raises(KeyboardInterrupt), warnings.catch_warnings():
        MLPClassifier().fit(*classes)
