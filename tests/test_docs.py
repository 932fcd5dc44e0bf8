"""Every public name is documented, and the examples in the documentation run as printed."""

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F


def _modules() -> Iterator[ModuleType]:
    """The package's public modules."""
    yield cr
    for info in pkgutil.walk_packages(cr.__path__, "chainrule."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield importlib.import_module(info.name)


def _is_ours(value: Any) -> bool:
    return callable(value) and str(getattr(value, "__module__", "")).startswith("chainrule")


def _public() -> dict[str, Any]:
    """Functions and classes by qualified name, and the public methods of the classes."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for module in _modules():
        for name in getattr(module, "__all__", None) or dir(module):
            value = getattr(module, name)
            if name.startswith("_") or not _is_ours(value) or id(value) in seen:
                continue
            seen.add(id(value))
            found[f"{module.__name__}.{name}"] = value
            if inspect.isclass(value):
                for key, member in vars(value).items():
                    if not key.startswith("_") and (callable(member) or _has_getter(member)):
                        found[f"{module.__name__}.{name}.{key}"] = member
    return found


def _has_getter(member: Any) -> bool:
    return isinstance(member, (property, classmethod, staticmethod)) or inspect.isgetsetdescriptor(
        member
    )


PUBLIC = _public()


def _inherits_doc(name: str) -> bool:
    """Whether a method redefines one that is documented further up (``forward`` is)."""
    owner_name, _, method = name.rpartition(".")
    owner = PUBLIC.get(owner_name)
    return inspect.isclass(owner) and any(
        getattr(base.__dict__.get(method), "__doc__", None) for base in owner.__mro__[1:]
    )


@pytest.mark.smoke
def test_everything_public_is_documented() -> None:
    assert len(PUBLIC) > 300
    bare = [
        name
        for name, value in PUBLIC.items()
        if not (getattr(value, "__doc__", None) or "").strip() and not _inherits_doc(name)
    ]
    assert bare == []


def _with_examples() -> list[Any]:
    texts = {name: getattr(value, "__doc__", None) or "" for name, value in PUBLIC.items()}
    texts |= {module.__name__: module.__doc__ or "" for module in _modules()}
    return [pytest.param(n, text, id=n) for n, text in texts.items() if ">>>" in text]


@pytest.mark.parametrize(("name", "text"), _with_examples())
def test_examples_run_as_printed(
    name: str, text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"cr": cr, "np": np, "nn": nn, "optim": optim, "F": F}
    example = doctest.DocTestParser().get_doctest(inspect.cleandoc(text), names, name, None, None)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=failures.append)
    assert not failures, "".join(failures)
