"""Training: fit, evaluate and predict around the plain loop, and what happens along the way."""

from .callback import Callback, ClipGradNorm, CSVLog, EarlyStopping, LRSchedule, NaNStop
from .checkpoint import Checkpoint
from .evaluation import evaluate, predict
from .history import History
from .loop import Run, fit
from .tensorboard import SummaryWriter, TensorBoard

__all__ = [
    "CSVLog",
    "Callback",
    "Checkpoint",
    "ClipGradNorm",
    "EarlyStopping",
    "History",
    "LRSchedule",
    "NaNStop",
    "Run",
    "SummaryWriter",
    "TensorBoard",
    "evaluate",
    "fit",
    "predict",
]
