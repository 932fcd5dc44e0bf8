"""A reader of pickles that runs nothing.

A pickle is a program for a small stack machine, and Python's own machine calls whatever the program
names. This one builds containers, strings and numbers; what the program wants to name or call is
looked up by the caller, who returns data or a `Rebuild` for what is allowed and raises for the
rest. Instructions are decoded by the standard library's `pickletools`. Memory stays in proportion
to the file: no more is read than it has left, an instruction adds at most what it carries, and what
calls copy is counted.
"""

from __future__ import annotations

import io
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Sized
from typing import Any, BinaryIO, NamedTuple


class Rebuild(NamedTuple):
    """A function that a pickle may call."""

    name: str
    call: Callable[..., Any]


def read_pickle(
    file: BinaryIO, find: Callable[[str, str], Any], resolve: Callable[[Any], Any] | None = None
) -> Any:
    """Read one pickle, up to and including its last byte.

    Args:
        file: where the pickle starts.
        find: gives what a module and a name stand for, or raises ValueError.
        resolve: gives the object of a persistent id, or raises ValueError.

    Raises:
        ValueError: the pickle is damaged, or asks for something that is not allowed.
    """
    machine = _Machine(find, resolve or _no_persistent_ids)
    try:
        start = file.tell()
        remainder: Any = _Remainder(file)  # all of a file that genops asks for
        for opcode, argument, position in pickletools.genops(remainder):
            machine.step(opcode.name, argument)
            if machine.copied > _MAX_COPIES * ((position or 0) - start + 1):
                raise ValueError("the pickle in it copies its contents over and over")
    # The warning is about an unknown escape in a string, where warnings are errors.
    except (IndexError, KeyError, TypeError, OverflowError, DeprecationWarning):
        raise ValueError("the pickle in it is damaged") from None
    return machine.result()


class _Remainder:
    """A file that is asked for no more than it has left: it may reserve what it is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._read, self.readline, self.tell = file.read, file.readline, file.tell
        start = file.tell()
        self._end = file.seek(0, io.SEEK_END)
        file.seek(start)

    def read(self, size: int) -> bytes:
        if size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, self._end - self.tell())
        return self._read(size)


def _no_persistent_ids(_: Any) -> Any:
    raise ValueError("the pickle refers to objects outside of itself")


_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_STRINGS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_LITERALS = frozenset([*_NUMBERS, *_STRINGS, *_BYTES])
_PYTHON2_STRINGS = frozenset(["STRING", "BINSTRING", "SHORT_BINSTRING"])
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NEW: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MAX_COPIES = 8  # items that calls may copy per byte of the pickle
_SIMPLE = (str, int, float, bool, bytes, type(None))


class _Machine:
    def __init__(self, find: Callable[[str, str], Any], resolve: Callable[[Any], Any]) -> None:
        self._find = find
        self._resolve = resolve
        self._stack: list[Any] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, Any] = {}
        self.copied = 0

    def result(self) -> Any:
        if len(self._stack) != 1:
            raise ValueError("the pickle in it is damaged: it ends too early or too late")
        return self._stack[0]

    def step(self, name: str, argument: Any) -> None:
        """Execute one instruction."""
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _NEW:
            stack.append(_NEW[name]())
        elif name in _PYTHON2_STRINGS:  # decoded as latin-1, which loses nothing
            stack.append(argument.encode("latin-1").decode("utf-8"))
        elif name in _TUPLES:
            stack.append(tuple(self._take(_TUPLES[name])))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name not in ("PROTO", "FRAME", "STOP"):
            handler = getattr(self, f"_{name.lower()}", None)
            if handler is None:
                raise ValueError(f"the pickle instruction {name} is not allowed")
            handler(*(() if argument is None else (argument,)))

    # ---- the stack

    def _take(self, count: int) -> list[Any]:
        if count > len(self._stack) - (self._marks[-1] if self._marks else 0):
            raise IndexError
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        height = self._marks.pop()
        items = self._stack[height:]
        del self._stack[height:]
        return items

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _pop(self) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._take(1)

    def _pop_mark(self) -> None:
        self._pop_to_mark()

    def _dup(self) -> None:
        self._stack.append(self._stack[-1])

    # ---- containers

    def _tuple(self) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _list(self) -> None:
        self._stack.append(self._pop_to_mark())

    def _dict(self) -> None:
        items = self._pop_to_mark()
        self._stack.append({})
        self._fill(items)

    def _frozenset(self) -> None:
        self._stack.append(frozenset(map(plain_key, self._pop_to_mark())))

    def _append(self) -> None:
        items = self._take(1)
        self._top(list).extend(items)

    def _appends(self) -> None:
        items = self._pop_to_mark()
        self._top(list).extend(items)

    def _setitem(self) -> None:
        self._fill(self._take(2))

    def _setitems(self) -> None:
        self._fill(self._pop_to_mark())

    def _additems(self) -> None:
        items = self._pop_to_mark()
        self._top(set).update(map(plain_key, items))

    def _fill(self, items: list[Any]) -> None:
        target = self._top(dict)
        for i in range(0, len(items), 2):
            target[plain_key(items[i])] = items[i + 1]

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise TypeError
        return self._stack[-1]

    # ---- names, calls, references to the outside

    def _global(self, argument: str) -> None:
        module, name = argument.split(" ", 1)
        self._stack.append(self._find(module, name))

    def _stack_global(self) -> None:
        module, name = self._take(2)
        if type(module) is not str or type(name) is not str:
            raise TypeError
        self._stack.append(self._find(module, name))

    def _reduce(self) -> None:
        function, arguments = self._take(2)
        if type(function) is not Rebuild or type(arguments) is not tuple:
            raise TypeError
        self.copied += sum(len(item) for item in arguments if isinstance(item, Sized))
        try:
            self._stack.append(function.call(*arguments))
        except TypeError:
            raise ValueError(f"{function.name} is given arguments that it does not take") from None

    _newobj = _reduce

    def _build(self) -> None:
        """Give an object its attributes: only those that torch keeps on state dicts."""
        [state] = self._take(1)
        target = self._stack[-1]
        if (
            type(target) is not OrderedDict
            or type(state) is not dict
            or not all(name == "_metadata" and isinstance(state[name], dict) for name in state)
        ):
            raise ValueError(
                f"a {type(target).__name__} with attributes is not allowed; expected plain data"
            )
        target.__dict__.update(state)

    def _persid(self, argument: str) -> None:
        self._stack.append(self._resolve(argument))

    def _binpersid(self) -> None:
        [argument] = self._take(1)
        self._stack.append(self._resolve(argument))


def plain_key(value: Any) -> Any:
    """Check a key; nested ones could take forever, or all of C's stack, to hash."""
    items = value if type(value) is tuple else (value,)
    if not all(type(item) in _SIMPLE for item in items):
        raise ValueError(f"a {type(value).__name__} as key is not allowed; expected plain keys")
    return value
