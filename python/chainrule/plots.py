"""Pictures of data, networks and trainings, drawn with matplotlib (``chainrule[train]``).

Every function draws into ``ax``, a matplotlib Axes, or into a new figure, and returns the Axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import Tensor, metrics, nn
from chainrule.train import History
from chainrule.train.evaluation import evaluating

__all__ = [
    "activations",
    "confusion_matrix",
    "decision_boundary",
    "filters",
    "gradient_norms",
    "learning_curves",
    "mistakes",
]

Array = npt.NDArray[Any]


# ---------------------------------------------------------------- data


def decision_boundary(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    ax: Any = None,
    resolution: int = 200,
    threshold: float = 0.0,
) -> Any:
    """Draw which class a model gives each point of the plane, and the samples on top.

    Args:
        model: an ``nn.Module`` or a function from ``(N, 2)`` to scores ``(N, C)``, of which the
            largest wins, or to one score ``(N,)`` or ``(N, 1)``, which parts two classes; or an
            estimator with ``predict``.
        X: samples, ``(N, 2)``; the picture reaches a tenth beyond them.
        y: their labels, ``(N,)``; class indices unless ``model`` is an estimator.
        ax: where to draw.
        resolution: points of the grid along each axis.
        threshold: of a single score: 0 for logits, 0.5 for probabilities.

    Returns:
        The Axes: a mesh of classes, and a scatter of the samples.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: samples that are no points of the plane, or labels that do not fit them.

    Example:
        >>> X, y = cr.tensor([[0.0, 0.0], [1.0, 1.0]]), cr.tensor([0, 1])
        >>> ax = cr.plots.decision_boundary(lambda x: x.sum(dim=1) - 1, X, y)
        >>> len(ax.collections)
        2
    """
    points = _array(X)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"decision_boundary: X has shape {points.shape}; expected (N, 2)")
    labels = None if y is None else _array(y)
    if labels is not None and labels.shape != (len(points),):
        raise ValueError(
            f"decision_boundary: y has shape {labels.shape}; expected ({len(points)},) to fit X"
        )
    low, high = points.min(axis=0), points.max(axis=0)
    border = np.where(high > low, (high - low) / 10, 1.0)
    x, y_ = (
        np.linspace(a - b, c + b, resolution) for a, c, b in zip(low, high, border, strict=True)
    )
    grid = np.stack(np.meshgrid(x, y_), axis=-1).reshape(-1, 2)
    grid = grid.astype(points.dtype if points.dtype.kind == "f" else np.float32)
    answers = _classes(model, grid, threshold)
    if len(answers) != len(grid):
        raise ValueError(
            f"decision_boundary: the model gave {len(answers)} answers for {len(grid)} points"
        )
    known = np.unique(answers if labels is None else np.concatenate([answers, labels]))
    ax = _axes(ax, (5, 4))
    style = {"cmap": "tab10" if len(known) <= 10 else "turbo", "vmin": 0}
    style["vmax"] = 9 if len(known) <= 10 else len(known) - 1
    mesh = np.searchsorted(known, answers).reshape(resolution, resolution)
    ax.pcolormesh(x, y_, mesh, alpha=0.3, shading="nearest", linewidth=0, **style)
    if labels is not None:
        colours = np.searchsorted(known, labels)
        ax.scatter(*points.T, c=colours, s=14, edgecolors="white", linewidths=0.4, **style)
    return ax


def _classes(model: Any, grid: Array, threshold: float) -> Array:
    if hasattr(model, "predict") and not isinstance(model, nn.Module):
        return np.asarray(model.predict(grid))
    with evaluating(model) if isinstance(model, nn.Module) else cr.no_grad():
        scores = _array(model(cr.from_numpy(grid)))
    if scores.ndim == 2 and scores.shape[1] > 1:
        return np.asarray(scores.argmax(axis=1))
    return np.asarray(scores.reshape(-1) > threshold, np.int64)


def mistakes(
    images: Any, y_true: Any, y_pred: Any, *, ax: Any = None, count: int = 25, columns: int = 5
) -> Any:
    """Draw images that were classified wrongly, each with its label and what it was taken for.

    Args:
        images: ``(N, H, W)``, ``(N, 1, H, W)`` or ``(N, 3, H, W)``.
        y_true: labels, ``(N,)``.
        y_pred: predicted labels, ``(N,)``; or scores, ``(N, C)``, and the mistakes come in the
            order of the largest score beyond that of the label.
        ax: where to draw.
        count: how many at most.
        columns: images in a row.

    Returns:
        The Axes; its title says how many were wrong.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: shapes that do not fit, or a count below 1.

    Example:
        >>> ax = cr.plots.mistakes(cr.zeros(3, 8, 8), [0, 1, 2], [0, 2, 2])
        >>> ax.get_title(), [text.get_text() for text in ax.texts]
        ('1 of 3 wrong', ['1 as 2'])
    """
    pictures, truth, guess = _array(images), _array(y_true), _array(y_pred)
    if pictures.ndim == 3:
        pictures = pictures[:, None]
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(
            f"mistakes: images have shape {_array(images).shape}; "
            "expected (N, H, W), (N, 1, H, W) or (N, 3, H, W)"
        )
    if not (truth.shape == (len(pictures),) == guess.shape[:1] and guess.ndim in (1, 2)):
        raise ValueError(
            f"mistakes: {len(pictures)} images, y_true of shape {truth.shape} and y_pred of shape "
            f"{guess.shape} do not fit; expected (N,) and (N,) or (N, C)"
        )
    _check_positive("mistakes", count=count, columns=columns)
    if guess.ndim == 2:
        lead = guess.max(axis=1) - guess[np.arange(len(truth)), truth]
        guess = guess.argmax(axis=1)
        order = np.argsort(-lead, kind="stable")
    else:
        order = np.arange(len(truth))
    wrong = order[truth[order] != guess[order]]
    shown = wrong[:count]
    columns = min(columns, max(1, len(shown)))
    ax = _axes(ax, (1.3 * columns, 1.4 * max(1, -(-len(shown) // columns))))
    ax.set_title(f"{len(wrong)} of {len(truth)} wrong")
    ax.set_axis_off()
    if len(shown):
        height, width = pictures.shape[2:]
        caption = math.ceil(0.3 * height)  # room above each image
        _tile(ax, pictures[shown], columns, (caption, max(1, width // 8)), cmap="gray_r")
        for i, k in enumerate(shown):
            row, column = divmod(i, columns)
            left = column * (width + max(1, width // 8)) + max(1, width // 8)
            ax.text(
                left + width / 2 - 0.5,
                row * (height + caption) + caption - 0.7,
                f"{truth[k]} as {guess[k]}",
                ha="center",
                va="bottom",
                fontsize=8,
            )
    return ax


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, normalize: str | None = None, ax: Any = None
) -> Any:
    """Draw how many samples of each class (row) were taken for each class (column).

    Args:
        y_true: labels, ``(N,)``.
        y_pred: predicted labels, ``(N,)``.
        labels: the classes in their order; those that occur when None.
        normalize: as in :func:`chainrule.metrics.confusion_matrix`.
        ax: where to draw.

    Returns:
        The Axes: an image and a number in each cell that is not zero.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: see :func:`chainrule.metrics.confusion_matrix`.

    Example:
        >>> ax = cr.plots.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1])
        >>> [text.get_text() for text in ax.texts]
        ['1', '1', '2']
    """
    counts = metrics.confusion_matrix(y_true, y_pred, labels=labels, normalize=normalize)
    if labels is None:
        names = np.unique(np.concatenate([_array(y_true), _array(y_pred)]))
    else:
        names = _array(labels)
    ax = _axes(ax, (1.8 + 0.42 * len(names), 1.5 + 0.42 * len(names)))
    shade = np.sqrt(counts / max(counts.max(), 1e-300))  # the root keeps single mistakes visible
    ax.imshow(shade, cmap="Blues", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(counts):
        if number:
            text = f"{number:.2g}" if counts.dtype.kind == "f" else str(number)
            colour = "white" if shade[row, column] > 0.6 else "black"
            ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    ticks = range(len(names))
    ax.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    ax.set(xlabel="predicted", ylabel="true")
    return ax


# ---------------------------------------------------------------- networks


def filters(weight: Any, *, ax: Any = None, columns: int | None = None) -> Any:
    """Draw the filters of a convolution, or the weights of a layer on images, as pictures.

    Args:
        weight: a module with a ``weight``, or the tensor: ``(out, in, kH, kW)`` or
            ``(out, H, W)``. Filters on three channels are drawn in colour, each stretched to its
            own range; others in shades of red (below zero) and blue, one picture for each channel.
        ax: where to draw.
        columns: pictures in a row; a square by default, the channels of one filter if it has
            several pictures.

    Returns:
        The Axes with one image.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the weight has no such shape.

    Example:
        >>> ax = cr.plots.filters(nn.Conv2d(1, 6, 3))
        >>> ax.images[0].get_array().shape  # 2 rows of 3 pictures, with lines between them
        (9, 13)
    """
    values = _array(getattr(weight, "weight", weight))
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4 or not values.size:
        raise ValueError(f"filters: weight has shape {values.shape}; expected (out, in, kH, kW)")
    style: dict[str, Any] = {}
    if values.shape[1] == 3:
        low, high = (f(values, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        values = (values - low) / np.where(high > low, high - low, 1)
    else:
        if columns is None and values.shape[1] > 1:
            columns = values.shape[1]
        largest = float(np.abs(values).max())
        style = {"cmap": "RdBu", "vmin": -largest, "vmax": largest}
        values = values.reshape(-1, 1, *values.shape[2:])
    return _mosaic("filters", values, ax, columns, style)


def activations(
    model: nn.Module, layer: str | nn.Module, x: Any, *, ax: Any = None, columns: int | None = None
) -> Any:
    """Draw what a layer answers to one sample.

    Args:
        model: the network; it runs in evaluation mode and is left as it was.
        layer: a module of it, or its name as in ``named_modules``.
        x: the sample, with a batch dimension of 1.
        ax: where to draw.
        columns: pictures in a row; a square by default.

    Returns:
        The Axes: one picture per channel for an answer ``(1, C, H, W)``, bars for ``(1, F)``.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the layer is not part of the pass, or its answer has another shape.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
        >>> ax = cr.plots.activations(net, "3", cr.ones(1, 1, 8, 8))
        >>> len(ax.patches)
        10
    """
    module = model.get_submodule(layer) if isinstance(layer, str) else layer
    answers: list[Any] = []
    hook = module.register_forward_hook(lambda _, args, output: answers.append(output))
    with evaluating(model), hook:
        model(x)
    if not answers:
        raise ValueError(f"activations: the pass does not call the layer {layer!r}")
    if not isinstance(answers[-1], Tensor):
        raise ValueError(
            f"activations: the layer answers with a {type(answers[-1]).__name__}; expected a tensor"
        )
    values = _array(answers[-1])
    if values.ndim not in (2, 4) or len(values) != 1:
        raise ValueError(
            f"activations: the layer answers with shape {values.shape}; "
            "expected (1, C, H, W) or (1, F)"
        )
    if values.ndim == 2:
        ax = _axes(ax, (5, 3))
        ax.bar(np.arange(values.shape[1]), values[0])
        ax.set(xlabel="unit", ylabel="activation")
        return ax
    largest = float(np.abs(values).max()) or 1.0
    style: dict[str, Any] = {"cmap": "RdBu", "vmin": -largest, "vmax": largest}
    if values.min() >= 0:
        style = {"cmap": "gray_r", "vmin": 0.0, "vmax": largest}
    return _mosaic("activations", values[0][:, None], ax, columns, style)


def gradient_norms(model: nn.Module, *, ax: Any = None) -> Any:
    """Draw the Euclidean norm of each layer's gradient, the first layer at the top.

    Call it after ``backward``; bars that shrink towards the top are a gradient that vanishes.

    Args:
        model: the network.
        ax: where to draw.

    Returns:
        The Axes: a bar for each module that has parameters with gradients of its own, on a
        logarithmic axis.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: no parameter has a gradient.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        >>> net(cr.ones(1, 2)).sum().backward()
        >>> ax = cr.plots.gradient_norms(net)
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['0 (Linear)', '2 (Linear)']
    """
    norms = {}
    for name, module in model.named_modules():
        gradients = [p.grad for p in module.parameters(recurse=False) if p.grad is not None]
        if gradients:
            label = f"{name} ({type(module).__name__})" if name else type(module).__name__
            norms[label] = nn.utils.get_total_norm(gradients).item()
    if not norms:
        raise ValueError("gradient_norms: no parameter has a gradient; call backward() first")
    ax = _axes(ax, (5, 1 + 0.3 * len(norms)))
    places = range(len(norms))
    ax.barh(places, list(norms.values()))
    ax.set(yticks=places, yticklabels=list(norms), xlabel="norm of the gradient")
    if any(norms.values()):
        ax.set_xscale("log")
    ax.invert_yaxis()
    return ax


# ---------------------------------------------------------------- trainings


def learning_curves(
    history: Mapping[str, Sequence[float]],
    columns: Sequence[str] = ("loss", "val_loss"),
    *,
    ax: Any = None,
) -> Any:
    """Draw columns of a history over the epochs, and where the validation loss was least.

    :meth:`History.plot` draws all columns, each quantity in its own Axes.

    Args:
        history: a :class:`chainrule.train.History`, or a dict of lists by name.
        columns: the names; those that the history does not have are left out.
        ax: where to draw.

    Returns:
        The Axes: a line for each column, and a dot on the best epoch of ``val_loss``.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the history has none of the columns.

    Example:
        >>> ax = cr.plots.learning_curves({"loss": [0.9, 0.5, 0.2], "val_loss": [1.0, 0.7, 0.8]})
        >>> [line.get_label() for line in ax.lines]
        ['loss', 'val_loss', 'best, epoch 2']
    """
    shown = {name: history[name] for name in columns if name in history}
    if not shown:
        raise ValueError(
            f"learning_curves: the history has none of {list(columns)} (got {list(history)})"
        )
    ax = _axes(ax, (5, 3.5))
    epochs = max(map(len, shown.values()))
    rows = [{name: v[i] for name, v in shown.items() if i < len(v)} for i in range(epochs)]
    part = History(rows)
    part.plot(ax)
    if not np.isnan(part.get("val_loss", [math.nan])).all():
        best = part.best_epoch("val_loss")
        ax.plot([best], [part["val_loss"][best - 1]], "o", label=f"best, epoch {best}")
        ax.legend(frameon=False)
    return ax


# ---------------------------------------------------------------- drawing


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "plots: needs matplotlib, which is not installed; run: pip install 'chainrule[train]'"
        ) from None
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def _mosaic(name: str, pictures: Array, ax: Any, columns: int | None, style: dict[str, Any]) -> Any:
    if columns is None:
        columns = math.ceil(math.sqrt(len(pictures)))
    _check_positive(name, columns=columns)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    scale = 6 / max(columns, rows, 6)
    ax = _axes(ax, (scale * columns, scale * rows))
    ax.set_axis_off()
    _tile(ax, pictures, columns, (1, 1), **style)
    return ax


def _tile(ax: Any, pictures: Array, columns: int, gaps: tuple[int, int], **style: Any) -> None:
    """Draw pictures ``(K, 1 or 3, H, W)`` as one image, with gaps before each row and column."""
    count, channels, height, width = pictures.shape
    (down, right), rows = gaps, -(-count // columns)
    shape = (rows * (height + down) + 1, columns * (width + right) + right, channels)
    if channels == 3:
        sheet = np.ones(shape)
    else:
        sheet = np.full(shape, np.nan)  # drawn as nothing
    for k, picture in enumerate(pictures):
        top = (k // columns) * (height + down) + down
        left = (k % columns) * (width + right) + right
        sheet[top : top + height, left : left + width] = picture.transpose(1, 2, 0)
    ax.imshow(np.clip(sheet, 0, 1) if channels == 3 else sheet[..., 0], **style)


# ---------------------------------------------------------------- helpers


def _array(value: Any) -> Array:
    return value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _check_positive(name: str, **values: int) -> None:
    for key, value in values.items():
        if value < 1:
            raise ValueError(f"{name}: {key} is positive (got {value})")
