"""Estimators of scikit-learn on tensors, by its dispatch to the array API: the results of NumPy."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("sklearn", minversion="1.6")

# In a process of its own: SciPy reads SCIPY_ARRAY_API when it is imported.
SCRIPT = """
import json, warnings
import numpy as np
import chainrule as cr
from sklearn import clone, config_context
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

warnings.simplefilter("ignore")
x = np.random.default_rng(0).standard_normal((60, 5))
y = x @ np.arange(5.0) + 0.1
errors = {}

def apply(estimator, *data):
    fitted = clone(estimator).fit(*data)
    return getattr(fitted, "transform", None) or fitted.predict

def compare(name, function, *data):
    with config_context(array_api_dispatch=True):
        got = function(*map(cr.tensor, data))
    assert isinstance(got, cr.Tensor), name
    errors[name] = float(np.abs(np.abs(got.numpy()) - np.abs(function(*data))).max())

def estimate(estimator, *data):
    compare(repr(estimator), lambda *d: apply(estimator, *d)(d[0]), *data)

for scaler in (MinMaxScaler(), MaxAbsScaler(), Normalizer(), StandardScaler()):
    estimate(scaler, x)
estimate(PCA(n_components=2, svd_solver="full"), x)
estimate(PCA(n_components=2, svd_solver="covariance_eigh"), x)
estimate(Ridge(solver="svd"), x, y)
estimate(LinearDiscriminantAnalysis(), x, (y > 0).astype(np.int64))
compare("euclidean_distances", euclidean_distances, x)
compare("rbf_kernel", rbf_kernel, x)
print(json.dumps(errors))
"""


def test_estimators_compute_on_tensors() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True,
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    assert len(errors) == 10
    assert max(errors.values()) < 1e-12, errors
