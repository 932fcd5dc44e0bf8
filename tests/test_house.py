"""The rules of the house: layers, file sizes, symbols of kernel objects, docs, stub, wheel size."""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule as cr

EXT_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
PACKAGE = Path(cr.__file__).parent
LEVELS = {"baseline": None, "v3": "ymm", "v4": "zmm"}  # the widest registers a level may touch
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def _sources(*patterns: str) -> list[Path]:
    return sorted(p for pattern in patterns for p in CSRC.rglob(pattern))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _includes(path: Path, kind: str) -> list[str]:
    return [name for quote, name in INCLUDE.findall(path.read_text()) if quote == kind]


# ---------------------------------------------------------------- sources


@pytest.mark.smoke
def test_files_are_short() -> None:
    suffixes = {".cpp", ".h", ".c", ".py", ".pyi"}
    lengths = {
        _name(p): len(p.read_text().splitlines())
        for folder in ("csrc", "python", "tests", "benchmarks", "examples", "tools")
        for p in (ROOT / folder).rglob("*")
        if p.suffix in suffixes and p.name != "_core.pyi"  # generated from the registry
    }
    assert len(lengths) > 50
    assert {n: k for n, k in lengths.items() if k > 800} == {}


@pytest.mark.smoke
def test_one_door_to_openmp() -> None:
    pragma = re.compile(r'^\s*#\s*pragma\s+omp\b|_Pragma\s*\(\s*"omp\b', re.MULTILINE)
    found = [_name(p) for p in _sources("*.h", "*.cpp") if pragma.search(p.read_text())]
    assert found == ["csrc/core/team_openmp.cpp"]


@pytest.mark.smoke
def test_layers() -> None:
    """No include runs back up, and only bind knows of Python."""
    below = {
        "simd": {"simd"},
        "core": {"core"},
        "autograd": {"core", "autograd"},
        "ops": {"core", "simd", "autograd", "ops"},
        "graph": {"core", "autograd", "ops", "graph"},
        "bind": {"core", "autograd", "ops", "graph", "bind"},
    }
    wrong = []
    for path in _sources("*.h", "*.cpp"):
        layer = path.relative_to(CSRC).parts[0]
        for name in _includes(path, '"'):
            if name.split("/")[0] not in below[layer]:
                wrong.append(f'{_name(path)}: "{name}"')
        for name in _includes(path, "<"):
            if layer != "bind" and (name.startswith("pybind11") or name == "Python.h"):
                wrong.append(f"{_name(path)}: <{name}>")
    assert wrong == []


@pytest.mark.smoke
def test_headers_are_included_once() -> None:
    assert [_name(p) for p in _sources("*.h") if "#pragma once" not in p.read_text()] == []


@pytest.mark.smoke
def test_kernel_units_include_no_stl() -> None:
    """The units, and the headers of ops and simd they reach, use plain C headers only."""
    allowed = {"cfloat", "climits", "cstddef", "cstdint", "cstring", "immintrin.h", "arm_neon.h"}
    todo = _sources("*.kernel.cpp")
    assert todo
    seen: set[Path] = set()
    wrong = []
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        wrong += [f"{_name(path)}: <{n}>" for n in _includes(path, "<") if n not in allowed]
        for name in _includes(path, '"'):
            if name.split("/")[0] in {"ops", "simd"}:
                todo.append(CSRC / name)
    assert wrong == []


# ---------------------------------------------------------------- objects


def _kernel_objects(level: str) -> list[Path]:
    """The objects of one level in the build tree of this Python that was made last."""
    trees = [
        tree
        for tree in ROOT.glob(f"build/*/CMakeFiles/kernels_{level}.dir")
        if (tree.parents[1] / f"_core{EXT_SUFFIX}").exists()  # not one for another processor
        if tree.parts[-3] != "sanitize"  # the sanitizers add symbols of their own
    ]
    if not trees:
        pytest.skip("no build tree here")
    newest = max(
        trees, key=lambda tree: max((o.stat().st_mtime for o in tree.rglob("*.o")), default=0)
    )
    return sorted(newest.rglob("*.kernel.cpp.o"))


def _run(tool: str, *args: str | Path) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([path, *map(str, args)], capture_output=True, text=True, check=True)
    return done.stdout


def _symbols(path: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Type letter and demangled name of each symbol."""
    for line in _run("nm", "-C", *options, path).splitlines():
        match = re.match(r"[0-9a-f ]*([A-Za-z]) (.+)", line)
        if match:
            yield match[1], match[2]


@pytest.mark.parametrize("level", LEVELS)
def test_kernel_symbols(level: str) -> None:
    """A unit defines only names of its own level, none of them weak, and needs only C functions.

    A weak function built with -mavx2 can be chosen by the linker for the whole library and kill an
    old processor; one that allocates or throws breaks the kernels' contract.
    """
    own = re.compile(rf"(guard variable for |vtable for )?cr::{level}::")
    banned = re.compile(
        r"std::|operator (new|delete)|__cxa_|__gxx_|_Unwind|malloc$|free$|GOMP|pthread"
    )
    wrong = []
    for path in _kernel_objects(level):
        for letter, name in _symbols(path):
            if letter in "WwVvu":
                wrong.append(f"{path.name}: weak {name}")
            elif letter == "U":
                if banned.search(name) or ("::" in name and not own.match(name)):
                    wrong.append(f"{path.name}: needs {name}")
            elif letter.isupper() and not own.match(name):
                wrong.append(f"{path.name}: defines {name}")
    assert wrong == []


@pytest.mark.parametrize("level", LEVELS)
def test_kernel_registers(level: str) -> None:
    """Each level keeps to its registers and, if it has wide ones, uses them.

    None touches MMX: it leaves the x87 stack, and so every long double of the process, unusable.
    """
    found: Counter[str] = Counter()
    for path in _kernel_objects(level):
        found.update(re.findall(r"%([yz]?mm)\d", _run("objdump", "-d", "--no-show-raw-insn", path)))
    assert found["mm"] == 0
    widest = LEVELS[level]
    assert bool(widest and found[widest]) == bool(widest)
    too_wide = {None: ("ymm", "zmm"), "ymm": ("zmm",), "zmm": ()}[widest]
    assert [register for register in too_wide if found[register]] == []


def test_the_library_exports_its_entry_only() -> None:
    """Nothing of ours can be bound to another library's symbol of the same name, or the reverse."""
    # The compiler exports templates of std and the type information of plain function types.
    compiler = re.compile(r"std::|__gnu_cxx::|typeinfo (name )?for ")
    names = [name for _, name in _symbols(Path(cr._core.__file__), "-D", "--defined-only")]
    assert [n for n in names if not compiler.search(n)] == ["PyInit__core"]
    assert [n for n in names if "cr::" in n] == []


def test_the_wheel_is_small() -> None:
    """Zipped as a wheel is, the installed package stays under 4 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in PACKAGE.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(PACKAGE.parent))
    assert len(buffer.getvalue()) < 4_000_000


@pytest.mark.parametrize("cap", [*LEVELS, "avx9"])
def test_the_level_is_capped(cap: str) -> None:
    """CHAINRULE_ISA never raises the level; a misspelt one is reported and does not count."""
    show = "import chainrule as cr; print(cr.config.isa())"
    clean = {key: value for key, value in os.environ.items() if key != "CHAINRULE_ISA"}
    best, capped = (
        subprocess.run(
            [sys.executable, "-c", show], env=env, capture_output=True, text=True, check=True
        )
        for env in (clean, clean | {"CHAINRULE_ISA": cap})
    )
    order = list(LEVELS)
    if cap in order:
        expected = min(order.index(cap), order.index(best.stdout.strip()))
        assert (capped.stdout.strip(), capped.stderr) == (order[expected], "")
    else:
        assert capped.stdout == best.stdout
        assert "CHAINRULE_ISA=avx9 ignored" in capped.stderr


# ---------------------------------------------------------------- op rows


@pytest.mark.smoke
def test_rows_are_documented() -> None:
    """Every row says what it computes; the public ones show it."""
    rows = cr._core.ops()
    assert len(rows) > 200
    assert [row["name"] for row in rows if not row["doc"].strip()] == []
    assert [r["name"] for r in rows if not r["hidden"] and ">>> " not in r["doc"]] == []


@pytest.mark.smoke
def test_the_stub_is_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/make_stub.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, f"run tools/make_stub.py\n{done.stdout}{done.stderr}"
