"""Metrics with scikit-learn's numbers, as functions of arrays and as classes fed batch by batch.

The functions carry scikit-learn's names and take, as there, ``(y_true, y_pred)``; the classes
stand in a training where a loss stands, and ``update`` takes ``(output, target)`` as a loss does.
"""

from .arrays import UndefinedMetricWarning
from .classification import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    fbeta_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)
from .ranking import log_loss, roc_auc_score, top_k_accuracy_score
from .regression import (
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)
from .streaming import (
    F1,
    MAE,
    MSE,
    R2,
    RMSE,
    ROCAUC,
    Accuracy,
    ConfusionMatrix,
    LogLoss,
    Mean,
    Metric,
    Precision,
    Recall,
    TopKAccuracy,
    as_metrics,
)

__all__ = [
    "F1",
    "MAE",
    "MSE",
    "R2",
    "RMSE",
    "ROCAUC",
    "Accuracy",
    "ConfusionMatrix",
    "LogLoss",
    "Mean",
    "Metric",
    "Precision",
    "Recall",
    "TopKAccuracy",
    "UndefinedMetricWarning",
    "accuracy_score",
    "as_metrics",
    "confusion_matrix",
    "f1_score",
    "fbeta_score",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "precision_recall_fscore_support",
    "precision_score",
    "r2_score",
    "recall_score",
    "roc_auc_score",
    "root_mean_squared_error",
    "top_k_accuracy_score",
]
