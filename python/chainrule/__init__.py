"""Deep learning on CPUs: tensors, gradients of any order and neural networks in a few megabytes.

Names and meanings follow torch:

    >>> import chainrule as cr
    >>> x = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import (
    _core,
    _devices,
    _dtypes,
    _exchange,
    _facts,
    _functions,
    _layout,
    _limits,
    _matrices,
    _placing,
    _products,
    _replacing,
    _shapes,
    _sorting,
    _statistics,
    autograd,
    random,
)
from . import _tensor as _tensor  # attaches the methods written in Python
from ._core import *  # noqa: F403
from ._devices import *  # noqa: F403
from ._dtypes import *  # noqa: F403
from ._exchange import *  # noqa: F403
from ._facts import *  # noqa: F403
from ._functions import *  # noqa: F403
from ._layout import *  # noqa: F403
from ._limits import *  # noqa: F403
from ._matrices import *  # noqa: F403
from ._placing import *  # noqa: F403
from ._printing import set_printoptions
from ._products import *  # noqa: F403
from ._replacing import *  # noqa: F403
from ._shapes import *  # noqa: F403
from ._sorting import *  # noqa: F403
from ._statistics import *  # noqa: F403
from .autograd.mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)

if TYPE_CHECKING:
    from . import (
        accelerator,
        array_api,
        backends,
        config,
        cuda,
        data,
        datasets,
        distributions,
        func,
        io,
        linalg,
        metrics,
        model_selection,
        models,
        nn,
        optim,
        plots,
        testing,
        train,
        utils,
    )
    from .func import vmap
    from .io import load, load_file, save, save_file

__all__ = [
    "Generator", "accelerator", "array_api", "autograd", "backends", "bernoulli", "config", "cuda",
    "data", "datasets", "default_generator", "distributions", "enable_grad", "func",
    "get_rng_state", "inference_mode", "initial_seed", "io", "linalg", "load",
    "load_file", "manual_seed", "metrics", "model_selection", "models",
    "multinomial", "nn", "no_grad", "normal", "optim", "plots", "poisson", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "random", "randperm", "save", "save_file",
    "seed", "set_grad_enabled", "set_printoptions", "set_rng_state", "testing", "train", "utils",
    "vmap",
]  # fmt: skip
__all__ += _core.__all__
__all__ += _devices.__all__
__all__ += _dtypes.__all__
__all__ += _exchange.__all__
__all__ += _facts.__all__
__all__ += _functions.__all__
__all__ += _layout.__all__
__all__ += _limits.__all__
__all__ += _matrices.__all__
__all__ += _placing.__all__
__all__ += _products.__all__
__all__ += _replacing.__all__
__all__ += _shapes.__all__
__all__ += _sorting.__all__
__all__ += _statistics.__all__

__version__: str = _core._version()

# Loaded when first used, so that `import chainrule` stays a matter of milliseconds.
_LAZY_MODULES = (
    "accelerator", "array_api", "backends", "config", "cuda", "data", "datasets",
    "distributions", "func", "io",
    "linalg", "metrics", "model_selection", "models", "nn", "optim", "plots", "sklearn", "testing",
    "train", "utils",
)  # fmt: skip
_LAZY_NAMES = {
    "load": "io",
    "save": "io",
    "load_file": "io",
    "save_file": "io",
    "vmap": "func",
    "are_deterministic_algorithms_enabled": "config",
    "compile": "config",
    "use_deterministic_algorithms": "config",
    # Functions of networks that torch has at the top too, with the same arguments.
    **dict.fromkeys(
        (
            "adaptive_avg_pool1d", "alpha_dropout", "avg_pool1d", "bilinear", "celu",
            "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
            "conv_transpose2d", "conv_transpose3d", "cosine_similarity", "dropout", "group_norm",
            "hardshrink", "layer_norm", "max_pool1d", "max_pool1d_with_indices", "max_pool2d",
            "max_pool3d", "pairwise_distance", "pixel_shuffle", "pixel_unshuffle",
            "prelu", "rms_norm", "rrelu", "selu", "threshold",
        ),
        "nn.functional",
    ),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LAZY_MODULES:
        return import_module(f".{name}", __name__)
    if name in _LAZY_NAMES:
        return getattr(import_module(f".{_LAZY_NAMES[name]}", __name__), name)
    from ._absent import missing

    raise missing("", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES})


def _register_backends() -> None:
    from . import _einops

    _einops.register()


_register_backends()
