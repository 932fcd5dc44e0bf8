"""docs/parity.md: current, and every name that must or should be here is."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import chainrule as cr

ROOT = Path(__file__).resolve().parent.parent


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parity", ROOT / "tools/parity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


parity = _tool()


def test_the_page_is_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools/parity.py", "--check"])
    assert done.returncode == 0, "run tools/parity.py"


def test_every_name_that_must_or_should_be_here_is() -> None:
    assert parity.missing() == []


def test_the_lists_of_exceptions_are_not_longer_than_needed() -> None:
    """Names that are here need no exception."""
    listed = parity.names()
    for path in parity.EXCEPTIONS:
        space, name = path.rsplit(".", 1)
        assert listed[space][name] in "MS"
        place = parity.home(space)
        assert not hasattr(place, name), f"{path} is here"


def test_names_are_listed_once() -> None:
    for space, by_priority in json.loads((ROOT / "tools/torch_names.json").read_text()).items():
        found = [name for lines in by_priority.values() for name in " ".join(lines).split()]
        assert len(found) == len(set(found)), space


def test_names_left_out_say_what_to_use() -> None:
    """Each L and N name of torch.Tensor that is not here raises an error with an alternative."""
    x = cr.zeros(1)
    checked = 0
    for name, priority in parity.names()["torch.Tensor"].items():
        if priority in "LN" and not hasattr(x, name):
            with pytest.raises(AttributeError, match=rf"'{name}': .*left out; \w+"):
                getattr(x, name)
            checked += 1
    assert checked > 50
    assert not hasattr(cr.Tensor, "real")
    assert "real" not in dir(x)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stft", "use numpy.fft"),
        ("unsafe_split", "use split$"),
        ("expand_copy", r"use expand\(\.\.\.\)\.clone\(\)"),
        ("FloatTensor", "use tensor"),
        ("sparse_coo_tensor", "no sparse tensors"),
        ("view_as_real", "no complex numbers"),
    ],
)
def test_functions_left_out(name: str, text: str) -> None:
    with pytest.raises(AttributeError, match=f"'chainrule'.*'{name}'.*{text}"):
        getattr(cr, name)


def test_modules_left_out() -> None:
    with pytest.raises(AttributeError, match=r"'chainrule.optim'.*SparseAdam.*use Adam"):
        _ = cr.optim.SparseAdam
    with pytest.raises(AttributeError, match=r"'chainrule.nn'.*LazyLinear.*use Linear"):
        _ = cr.nn.LazyLinear
    with pytest.raises(ImportError, match="DataParallel"):
        from chainrule.nn import DataParallel  # noqa: F401


def test_misspelt_names_are_plain_errors() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'arangee'$"):
        _ = cr.arangee
    with pytest.raises(AttributeError, match=r"has no attribute 'summ'$"):
        cr.zeros(1).summ  # noqa: B018


def test_the_lists_agree_with_torch() -> None:
    pytest.importorskip("torch")
    assert parity.verify() == []
