"""Write python/chainrule/_core.pyi from the op rows and the attached Tensor methods.

Run after adding an op or a method: ``python tools/make_stub.py``. With ``--check`` nothing is
written and the exit status says whether the committed stub is current (a test does this).
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import chainrule as cr
from chainrule import _core, _functions, _tensor

STUB = Path(__file__).resolve().parents[1] / "python" / "chainrule" / "_core.pyi"

HEADER = """\
# Written by tools/make_stub.py from the op rows; do not edit.
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import _devices
from ._functions import ValuesIndices
from ._statistics import MinMax
from ._tensor import RemovableHandle

Number = float | int | bool
Ints = int | Sequence[int]

class dtype:
    @property
    def name(self) -> str: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def is_floating_point(self) -> bool: ...
    @property
    def is_complex(self) -> bool: ...
    @property
    def is_signed(self) -> bool: ...

_dtype = dtype
"""

# Attributes and methods of the C type, which carries no annotations.
ATTRIBUTES = {
    "shape": "tuple[int, ...]", "dtype": "dtype", "ndim": "int", "itemsize": "int", "nbytes": "int",
    "_version": "int", "is_leaf": "bool", "T": "Tensor", "mT": "Tensor",
}  # fmt: skip
WRITABLE = {"requires_grad": "bool", "grad": "Tensor | None", "data": "Tensor"}
METHODS = {
    "__init__": "(self, data: Any = ...) -> None",
    "item": "(self) -> Any", "size": "(self, dim: int = ...) -> Any",
    "stride": "(self, dim: int = ...) -> Any", "dim": "(self) -> int",
    "ndimension": "(self) -> int",
    "numel": "(self) -> int", "nelement": "(self) -> int", "element_size": "(self) -> int",
    "data_ptr": "(self) -> int", "is_contiguous": "(self) -> bool",
    "storage_offset": "(self) -> int", "detach": "(self) -> Tensor",
    "is_floating_point": "(self) -> bool", "__len__": "(self) -> int",
    "__getitem__": "(self, key: Any) -> Tensor",
    "__setitem__": "(self, key: Any, value: Any) -> None", "__bool__": "(self) -> bool",
    "__float__": "(self) -> float", "__int__": "(self) -> int", "__index__": "(self) -> int",
    "__hash__": "(self) -> int", "__eq__": "(self, other: Any) -> Tensor",
    "__ne__": "(self, other: Any) -> Tensor",
}  # fmt: skip
BINARY = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
]
COMPARE = ["lt", "le", "gt", "ge"]
UNARY = ["neg", "pos", "abs", "invert"]
IGNORE = "  # type: ignore[override]"

TYPES = {
    "Tensor": "Tensor", "Operand": "Tensor | Number", "Tensor[]": "Sequence[Tensor | None]",
    "bool": "bool", "int": "int", "float": "float", "int[]": "Ints", "dtype": "Any",
}  # fmt: skip


def annotation(arg: dict[str, Any]) -> str:
    if arg["type"] == "choice":
        text = "str | None"
    else:
        text = TYPES[arg["type"]]
    if (arg["optional"] or arg["default"] == "None") and "None" not in text and text != "Any":
        text += " | None"
    return text


def parameters(row: dict[str, Any], method: bool) -> str:
    parts = []
    star = False
    for i, arg in enumerate(row["args"]):
        if method and i == 0:
            parts.append("self")
            continue
        if arg["keyword_only"] and not star:
            parts.append("*")
            star = True
        if arg["variadic"] and arg["default"] is None:
            parts.append(f"*{arg['name']}: Any")
            star = True
            continue
        default = " = ..." if arg["default"] is not None else ""
        parts.append(f"{arg['name']}: {annotation(arg)}{default}")
    names = [a["name"] for a in row["args"]]
    creates = (
        names
        and names[-1] == "dtype"
        and (row["args"][0]["type"] in ("int[]",) or row["name"].endswith("_like"))
    )
    if creates:
        parts += ["device: Any = ...", "requires_grad: bool = ..."]
    return ", ".join(parts)


def result(row: dict[str, Any]) -> str:
    n = len(row["outputs"])
    return "Tensor" if n == 1 else "None" if n == 0 else "tuple[" + ", ".join(["Tensor"] * n) + "]"


def function_lines(row: dict[str, Any], method: bool) -> list[str]:
    indent = "    " if method else ""
    lines = []
    if not method or row["method"]:
        lines.append(f"{indent}def {row['name']}({parameters(row, method)}) -> {result(row)}: ...")
    if row["inplace"]:
        lines.append(f"{indent}def {row['name']}_({parameters(row, method)}) -> Tensor: ...")
    return lines


def python_method(name: str, function: Any, replace_first: bool) -> str:
    signature = inspect.signature(function)
    parts = []
    star = False
    for i, p in enumerate(signature.parameters.values()):
        text = "self" if i == 0 else p.name
        if p.kind is p.VAR_POSITIONAL:
            text, star = "*" + text, True
        elif p.kind is p.VAR_KEYWORD:
            text = "**" + text
        elif p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        if i and p.annotation is not p.empty:
            text += f": {clean(p.annotation)}"
        if p.default is not p.empty:
            text += " = ..."
        parts.append(text)
    returned = clean(signature.return_annotation)
    return f"    def {name}({', '.join(parts)}) -> {returned}: ..."


def clean(text: Any) -> str:
    """The text of an annotation as the stub can have it."""
    if text is inspect.Signature.empty:
        return "Any"
    return str(text).replace("Generator | None", "Any")


def qualify(stub: str) -> str:
    """The stub's own names include int, float, bool and dtype: annotations name the builtins."""
    place = r"(?:(?<=: )|(?<=-> )|(?<=\| )|(?<=\[)|(?<= = ))"
    stub = re.sub(place + r"(int|float|bool|str|dict|type)\b(?!\()", r"builtins.\1", stub)
    return re.sub(r"((?:def \w+\(self.*-> |: ))dtype\b", r"\1_dtype", stub)


def tensor_class(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["class Tensor:"]
    for name, kind in ATTRIBUTES.items():
        lines += ["    @property", f"    def {name}(self) -> {kind}: ..."]
    lines += [f"    {name}: {kind}" for name, kind in WRITABLE.items()]
    seen = set(ATTRIBUTES) | set(WRITABLE)

    def add(name: str, text: str) -> None:
        if name not in seen:
            seen.add(name)
            lines.append(text)

    for name, text in METHODS.items():
        add(name, f"    def {name}{text}: ..." + (IGNORE if name in ("__eq__", "__ne__") else ""))
    for name in BINARY:
        for form in (f"__{name}__", f"__r{name}__", f"__i{name}__"):
            add(form, f"    def {form}(self, other: Any) -> Tensor: ...")
    for name in COMPARE:
        add(f"__{name}__", f"    def __{name}__(self, other: Any) -> Tensor: ...")
    for name in UNARY:
        add(f"__{name}__", f"    def __{name}__(self) -> Tensor: ...")
    for name, member in vars(_tensor._TensorMethods).items():
        if isinstance(member, property):
            if name not in seen:
                returned = clean(inspect.signature(member.fget).return_annotation)
                add(name, f"    @property\n    def {name}(self) -> {returned}: ...")
        elif inspect.isfunction(member):
            add(name, python_method(name, member, True))
        elif name == "__array_priority__":
            add(name, f"    {name}: int")
    listed = [(module, module.METHODS) for module in _tensor._METHOD_MODULES]
    for module, names in ((_functions, _tensor._AS_METHODS), *listed):
        for name in names:
            add(name, python_method(name, getattr(module, name), True))
    for name in _tensor._CONVERSIONS:
        add(name, f"    def {name}(self) -> Tensor: ...")
    for row in rows:
        for line in function_lines(row, method=True):
            add(line.split("(")[0].split()[-1], line)
    for alias in _tensor._ALIASES:
        for name in (alias, alias + "_"):
            if hasattr(cr.Tensor, name):
                add(name, f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ...")
    return lines


def make_stub() -> str:
    rows = sorted(_core.ops(), key=lambda row: row["name"])
    lines = [HEADER]
    lines += [f"{n}: dtype" for n in _core.__all__ if isinstance(getattr(_core, n), _core.dtype)]
    lines += ["", *tensor_class(rows), ""]
    names = set()
    for row in rows:
        lines += function_lines(row, method=False)
        names |= {row["name"], row["name"] + "_"}
    for name in sorted(vars(_core)):
        member = getattr(_core, name)
        other = name not in names and not name.startswith("__") and callable(member)
        if other and not inspect.isclass(member):
            lines.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
        elif other and name not in ("Tensor", "dtype"):
            lines.append(f"class {name}:\n    def __getattr__(self, name: str) -> Any: ...")
            if hasattr(member, "__enter__"):
                lines.append("    def __enter__(self) -> None: ...")
                lines.append("    def __exit__(self, *exception: object) -> None: ...")
    exported = ", ".join(repr(n) for n in sorted(_core.__all__))
    lines += ["", f"__all__ = [{exported}]", ""]
    return qualify("\n".join(lines))


def main() -> int:
    stub = make_stub()
    if "--check" in sys.argv:
        return 0 if STUB.exists() and STUB.read_text() == stub else 1
    STUB.write_text(stub)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
