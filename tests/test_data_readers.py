"""Readers of CSV and svmlight files, and splitting of data."""

import builtins
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import chainrule as cr
from chainrule.io import read_csv, read_svmlight

FLOWERS = """width, length ,kind
1.5,2,rose
2.5,,aster
-1e3,?,"rose"

"""


@pytest.fixture
def flowers(tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_bytes(b"\xef\xbb\xbf" + FLOWERS.encode())  # with a byte order mark
    return path


def test_csv(flowers):
    table = read_csv(flowers, categories=["kind"], missing=math.nan)
    assert table.names == ["width", "length", "kind"]
    assert table.categories == {"kind": ["aster", "rose"]}
    np.testing.assert_array_equal(
        table.values, [[1.5, 2, 1], [2.5, math.nan, 0], [-1000, math.nan, 1]]
    )
    assert table.columns("kind").tolist() == [1, 0, 1]
    assert table.columns(["kind", "width"]).tolist() == [[1, 1.5], [0, 2.5], [1, -1000]]
    assert read_csv(flowers, columns=["width"]).values.tolist() == [[1.5], [2.5], [-1000]]
    assert read_csv(flowers, columns=["length"], missing=-1).values.ravel().tolist() == [2, -1, -1]
    with pytest.raises(KeyError, match=r"no column 'height'.*expected one of"):
        table.columns("height")


def test_csv_without_header(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("1;2\n3;4\n")
    table = read_csv(path, header=False, delimiter=";")
    assert (table.names, table.values.tolist()) == (["0", "1"], [[1, 2], [3, 4]])
    path.write_text("a,b\n")
    assert read_csv(path).values.shape == (0, 2)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("header", [True, False])
def test_csv_of_numbers_alone_reads_as_cell_by_cell(tmp_path, newline, mark, header):
    lines = ["a, b ,c"] * header + ["1,-2.5,1e3", " 4 ,5,inf", "", "0.1,1_0,7"]
    for rows in (lines, lines[:-1]):  # 1_0 is what float() reads and NumPy's parser does not
        path = tmp_path / "numbers.csv"
        path.write_bytes((mark + newline.join(rows) + newline).encode())
        fast = read_csv(path, header=header)
        slow = read_csv(path, header=header, columns=fast.names)
        assert fast.names == slow.names == (["a", "b", "c"] if header else ["0", "1", "2"])
        assert fast.values.dtype == slow.values.dtype
        np.testing.assert_array_equal(fast.values, slow.values)
        assert fast.values[0].tolist() == [1, -2.5, 1000]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_csv_from_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(path.write_text, "a,b\n1,2\n")
        assert read_csv(path).values.tolist() == [[1, 2]]
        written.result()


BAD = [
    ("a,b\n1,2\n3,abc\n", ValueError, r"line 3, column 'b' holds 'abc', which is no number"),
    ("a,b\n1,\n", ValueError, r"line 2, column 'b' is missing \(got ''\)"),
    ("a,b\n1,NA\n", ValueError, r"line 2, column 'b' is missing \(got 'NA'\)"),
    ("a,b\n1,2\n\n1,2,3\n", ValueError, "line 4 has 3 cells; expected 2"),
    ("a,a\n1,2\n", ValueError, "two columns share a name"),
    ("", ValueError, "the file is empty"),
    ('a,b\n1,"2\n', ValueError, "line 3: unexpected end of data"),
    ("a,b\n1,1_0x\n", ValueError, "which is no number"),
]


@pytest.mark.parametrize(("text", "kind", "message"), BAD)
def test_csv_refuses(text, kind, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(kind, match=message):
        read_csv(path)


def test_csv_refuses_other_bytes(tmp_path, flowers):
    path = tmp_path / "bad.csv"
    path.write_bytes(b"a,b\n1,\xff\xfe\n")
    with pytest.raises(ValueError, match=r"bad.csv"):
        read_csv(path)
    for options in ({"columns": ["x"]}, {"categories": ["x"]}):
        with pytest.raises(KeyError, match="no column 'x'"):
            read_csv(flowers, **options)
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "none.csv")


def test_svmlight(tmp_path):
    path = tmp_path / "small.svm"
    path.write_text("# header\n1 qid:3 1:0.5 4:-2 # first\n\n-1.5 2:1e3\n0\n")
    x, y = read_svmlight(path)
    assert (x.dtype, y.tolist()) == (np.float32, [1, -1.5, 0])
    assert x.tolist() == [[0.5, 0, 0, -2], [0, 1000, 0, 0], [0, 0, 0, 0]]
    assert read_svmlight(path, features=6)[0].shape == (3, 6)
    assert read_svmlight(path, zero_based=True)[0].shape == (3, 5)
    path.write_text("1 0:2 1:3\n")
    assert read_svmlight(path)[0].tolist() == [[2, 3]]
    path.write_text("")
    assert read_svmlight(path)[0].shape == (0, 0)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("1 1:2\nx 1:2\n", {}, "line 2: 'x 1:2'; expected"),
        ("1 1:2:3\n", {}, "line 1: '1 1:2:3'"),
        ("1 a:2\n", {}, "line 1"),
        ("1 7:2\n", {"features": 3}, "line 1: index 7; expected 1 to 3"),
        ("1 -1:2\n", {}, "index -1"),
        ("nan 1:2\n", {}, "line 1: the target is nan"),
        ("1 99999999999:1\n", {}, "too many for a dense array"),
    ],
)
def test_svmlight_refuses(text, options, message, tmp_path):
    path = tmp_path / "bad.svm"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_svmlight(path, **options)


# -------------------------------------------------------------------- splitting


def test_folds():
    pytest.importorskip("sklearn")
    from chainrule import model_selection as ms

    data = cr.data.TensorDataset(cr.arange(12), cr.arange(12) % 3)
    seen = []
    for train, test in ms.folds(ms.KFold(4, shuffle=True, random_state=0), data):
        assert (len(train), len(test)) == (9, 3)
        seen += [row.item() for batch in cr.data.DataLoader(test, 2) for row in batch[0]]
    assert sorted(seen) == list(range(12))
    y = data.tensors[1]
    for train, test in ms.folds(ms.StratifiedKFold(4), data, y):
        assert sorted(data[k][1].item() for k in test.indices) == [0, 1, 2]
        assert set(train.indices) & set(test.indices) == set()
    repeats = ms.RepeatedStratifiedKFold(n_splits=2, n_repeats=3, random_state=0)
    assert len(list(ms.folds(repeats, data, y))) == 6
    groups = cr.arange(12) // 4
    for _, test in ms.folds(ms.GroupKFold(3), data, groups=groups):
        assert len({int(groups[k]) for k in test.indices}) == 1
    for train, test in ms.folds(ms.TimeSeriesSplit(3), data):
        assert max(train.indices) < min(test.indices)
    with pytest.raises(ValueError, match="y has 3 entries for 12 samples"):
        next(ms.folds(ms.StratifiedKFold(2), data, cr.arange(3)))
    assert "KFold" in dir(ms)
    with pytest.raises(AttributeError, match="no attribute 'XFold'"):
        ms.XFold  # noqa: B018


def test_train_test_split():
    pytest.importorskip("sklearn")
    from chainrule.model_selection import train_test_split

    x = cr.randn(20, 3)
    y = cr.arange(20) % 2
    data = cr.data.TensorDataset(x, y)
    parts = train_test_split(x, y, y.numpy(), list(range(20)), data, test_size=0.25, stratify=y)
    lengths = [len(part) for part in parts]
    assert lengths == [15, 5] * 5
    train, places, subset = parts[0], parts[6], parts[8]
    assert isinstance(subset, cr.data.Subset)
    for k, place in enumerate(places):
        assert cr.equal(train[k], x[place])
        assert cr.equal(subset[k][0], x[place])
    assert abs(parts[3].sum().item() - 2.5) <= 0.5
    assert train_test_split(y, shuffle=False, test_size=2)[1].tolist() == [0, 1]
    again = [train_test_split(y, random_state=3)[1].tolist() for _ in range(2)]
    assert again[0] == again[1]
    for arrays in ((), (x, y[:5])):
        with pytest.raises(ValueError, match="samples of one length"):
            train_test_split(*arrays)


def test_without_scikit_learn(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[sklearn\]'"):
        _ = cr.model_selection.KFold
    with pytest.raises(ImportError, match="train_test_split needs scikit-learn"):
        cr.model_selection.train_test_split([1, 2])
