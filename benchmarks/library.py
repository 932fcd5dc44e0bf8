"""The libraries under test, behind one small interface.

chainrule and torch share torch's names, so one class serves both. A library is loaded only inside
its own worker process; nothing here imports one at module level except NumPy.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SUBJECT = "chainrule"


class Unsupported(Exception):
    """The library has no such feature; its cell in the table stays empty."""


class Library:
    """One library in one process.

    ``style`` says which expression of a problem the library understands: ``"torch"``,
    ``"numpy"`` or ``"jax"``.
    """

    style: str

    def __init__(self, name: str) -> None:
        self.name = name
        self.module: Any = None

    def load(self, threads: int) -> None:
        """Import the library and bind it to `threads` threads."""
        self.module = importlib.import_module(module_of(self.name))

    def compiled(self, function: Any, options: Mapping[str, Any] | None = None) -> Any:
        """A function or module as the library's compiler makes it, where it has one."""
        return function

    def names(self) -> dict[str, Any]:
        """Names that every expression may use."""
        return {"np": np, "lib": self.module}

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        """The library's own copy of `array`."""
        raise NotImplementedError

    def array(self, value: Any) -> np.ndarray:
        """`value` as a NumPy array."""
        return np.asarray(value)

    def arrays(self, value: Any) -> list[np.ndarray]:
        """Flatten an answer (a tensor or nested tuples and lists of them) to NumPy arrays."""
        if isinstance(value, (tuple, list)):
            return [array for part in value for array in self.arrays(part)]
        return [self.array(value)]

    def facts(self) -> dict[str, str]:
        """What the report says about this library."""
        facts = {"version": str(self.module.__version__)}
        if self.name == SUBJECT:
            facts["isa"] = self.module.config.isa()
            facts["threading"] = self.module.config.threading_backend()
        return facts


class TorchStyle(Library):
    """chainrule and torch."""

    style = "torch"

    def load(self, threads: int) -> None:
        super().load(threads)
        self.module.set_num_threads(threads)
        self.functional = self.module.nn.functional

    def names(self) -> dict[str, Any]:
        return super().names() | {"nn": self.module.nn, "F": self.functional}

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        tensor = self.module.tensor(array)
        return tensor.requires_grad_() if requires_grad else tensor

    def array(self, value: Any) -> np.ndarray:
        return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


class TorchCompile(TorchStyle):
    """torch with the networks and optimizer steps compiled by ``torch.compile``."""

    def names(self) -> dict[str, Any]:
        self.module.compiler.reset()  # each problem starts with an empty cache of compiled code
        return super().names()

    def compiled(self, function: Any, options: Mapping[str, Any] | None = None) -> Any:
        return self.module.compile(function, dynamic=False, options=options)


class NumPy(Library):
    """NumPy; its BLAS takes the thread count from the environment."""

    style = "numpy"

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        if requires_grad:
            raise Unsupported("NumPy records no gradient")
        return array.copy()


class Jax(Library):
    """JAX, every expression compiled by ``jax.jit``.

    XLA has no documented switch for its thread count, so the process is confined to as many CPUs
    before the import; its pool has a thread for each CPU that it may use.
    """

    style = "jax"

    def load(self, threads: int) -> None:
        os.environ["JAX_PLATFORMS"] = "cpu"
        os.environ["JAX_ENABLE_X64"] = "1"  # or float64 problems silently run in float32
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        super().load(threads)

    def names(self) -> dict[str, Any]:
        jax = self.module

        def value_and_vjp(function: Any, *inputs: Any) -> Callable[[Any], tuple[Any, Any]]:
            value, pull = jax.vjp(function, *inputs)
            return lambda gradient: (value, pull(gradient))

        return super().names() | {
            "jax": jax,
            "jnp": jax.numpy,
            "lax": jax.lax,
            "jnn": jax.nn,
            "value_and_vjp": value_and_vjp,
        }

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        return self.module.numpy.array(array)


LIBRARIES: dict[str, Callable[[str], Library]] = {
    SUBJECT: TorchStyle,
    "numpy": NumPy,
    "torch": TorchStyle,
    "torch.compile": TorchCompile,
    "jax": Jax,
}


def module_of(name: str) -> str:
    """The module that library `name` is found in."""
    return name.split(".")[0]


def installed(name: str) -> bool:
    """Whether library `name` can be found, without importing it."""
    return importlib.util.find_spec(module_of(name)) is not None


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that bind every runtime a library may bring to `threads` threads."""
    runtimes = ("CHAINRULE", "OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")
    return {f"{runtime}_NUM_THREADS": str(threads) for runtime in runtimes}
