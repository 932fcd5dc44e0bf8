"""Networks as scikit-learn estimators, for pipelines, grid searches and cross-validation.

`MLPClassifier` and `MLPRegressor` take scikit-learn's parameters and have what its own lack:
dropout, batch normalization, any activation, any optimizer, class weights, early stopping that
restores the best weights. `NeuralNetClassifier` and `NeuralNetRegressor` wrap a module of yours.

This package is the only place that imports scikit-learn (``pip install 'chainrule[sklearn]'``).
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise ImportError(
        "chainrule.sklearn: needs scikit-learn, which is not installed; "
        "run: pip install 'chainrule[sklearn]'"
    ) from None

from .mlp import MLPClassifier, MLPRegressor
from .neural_net import NeuralNetClassifier, NeuralNetRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NeuralNetClassifier", "NeuralNetRegressor"]
