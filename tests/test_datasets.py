"""Sets made by formula, pictures in folders, and downloads from a server on this machine."""

import gzip
import hashlib
import http.server
import io
import math
import tarfile
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule import datasets
from chainrule.datasets import standard

# -------------------------------------------------------------------- by formula

CLASSIFIED = [
    lambda n, g: datasets.moons(n, generator=g),
    lambda n, g: datasets.circles(n, generator=g),
    lambda n, g: datasets.spirals(n, arms=3, generator=g),
    lambda n, g: datasets.blobs(n, centers=4, features=2, generator=g),
    lambda n, g: datasets.xor(n, noise=0.1, generator=g),
]


@pytest.mark.parametrize("make", CLASSIFIED)
def test_classified_points(make):
    x, y = make(101, cr.Generator().manual_seed(1))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((101, 2), cr.float32, (101,), cr.int64)
    counts = np.bincount(y.numpy())
    assert counts.max() - counts.min() <= 1 or make is CLASSIFIED[-1]
    again, labels = make(101, cr.Generator().manual_seed(1))
    assert cr.equal(x, again)
    assert cr.equal(y, labels)
    assert not cr.equal(x, make(101, cr.Generator().manual_seed(2))[0])
    assert make(1, None)[0].shape == (1, 2)


def test_the_curves_are_where_they_should_be():
    x, y = (each.numpy() for each in datasets.moons(200, noise=0.0))
    np.testing.assert_allclose(np.hypot(*x[y == 0].T), 1, rtol=1e-6)
    np.testing.assert_allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, rtol=1e-6)
    assert x[y == 0][:, 1].min() > -1e-6
    assert x[y == 1][:, 1].max() < 0.5 + 1e-6
    x, y = (each.numpy() for each in datasets.circles(60, noise=0.0, factor=0.25))
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1, 0.25), rtol=1e-6)
    x, y = (each.numpy().astype(float) for each in datasets.spirals(90, arms=3, noise=0.0))
    radius = np.hypot(*x.T)
    angle = (np.arctan2(x[:, 1], x[:, 0]) - 2 * np.pi * (1.5 * radius + y / 3)) / (2 * np.pi)
    np.testing.assert_allclose(angle, np.round(angle), atol=1e-5)
    centers = cr.tensor([[0.0, 0.0, 9.0], [5.0, 5.0, 5.0]])
    x, y = datasets.blobs(4000, centers=centers, std=0.5)
    for label in (0, 1):
        cloud = x[y == label].numpy()
        np.testing.assert_allclose(cloud.mean(0), centers[label].numpy(), atol=0.06)
        np.testing.assert_allclose(cloud.std(0), 0.5, atol=0.04)


def test_sine_and_adding_problem():
    x, y = datasets.sine(50, noise=0.0)
    assert x.shape == y.shape == (50, 1)
    np.testing.assert_allclose(y.numpy(), np.sin(x.numpy()), atol=1e-6)
    assert x[0].item() == pytest.approx(-math.pi)
    assert datasets.sine(500, noise=0.3)[1].sub(datasets.sine(500, noise=0.0)[1]).std().item() > 0.2
    x, y = datasets.adding_problem(40, 15)
    marks = x[:, :, 1].numpy()
    assert (marks[:, :7].sum(1) == 1).all()
    assert (marks[:, 7:].sum(1) == 1).all()
    np.testing.assert_allclose((x[:, :, 0].numpy() * marks).sum(1), y[:, 0].numpy(), rtol=1e-6)


def test_formulas_refuse():
    for call, message in (
        (lambda: datasets.moons(0), "moons: samples is a positive int"),
        (lambda: datasets.circles(5, noise=-1.0), "circles: noise is at least 0"),
        (lambda: datasets.circles(5, factor=1.0), "factor is at least 0 and below 1"),
        (lambda: datasets.spirals(5, arms=0), "arms is at least 1"),
        (lambda: datasets.blobs(5, centers=0), "centers is at least 1"),
        (lambda: datasets.blobs(5, centers=cr.zeros(3)), r"centers is \(k, features\)"),
        (lambda: datasets.xor(2.5), "xor: samples"),
        (lambda: datasets.adding_problem(5, 1), "length is at least 2"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# -------------------------------------------------------------------- pictures


@pytest.fixture
def pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name, value in (("cats", 255), ("dogs", 51)):
        (tmp_path / name / "deep").mkdir(parents=True)
        for place in ("a.png", "deep/b.PNG"):
            pixels = np.full((4, 6, 3), value, np.uint8)
            pixels[0, 0] = [255, 0, 0]
            image.fromarray(pixels).save(tmp_path / name / place)
    (tmp_path / "cats" / "notes.txt").write_text("no picture")
    return tmp_path


def test_image_folder(pictures):
    data = datasets.ImageFolder(pictures)
    assert data.classes == ["cats", "dogs"]
    assert data.class_to_idx == {"cats": 0, "dogs": 1}
    assert (len(data), data.targets) == (4, [0, 0, 1, 1])
    picture, label = data[2]
    assert (picture.shape, picture.dtype, label) == ((3, 4, 6), cr.float32, 1)
    assert picture[:, 0, 0].tolist() == [1, 0, 0]
    assert picture[:, 3, 5].tolist() == pytest.approx([0.2] * 3)
    grey = datasets.ImageFolder(
        pictures, lambda x: x.mean(), lambda label: -label, mode="L", size=(2, 2)
    )
    assert grey.load(grey.samples[0][0]).shape == (1, 2, 2)
    assert grey[3][1] == -1
    batch, labels = next(iter(cr.data.DataLoader(data, batch_size=4, num_workers=2)))
    assert (batch.shape, labels.tolist()) == ((4, 3, 4, 6), [0, 0, 1, 1])


def test_image_folder_refuses(pictures):
    (pictures / "cats" / "a.png").write_bytes(b"no picture at all")
    with pytest.raises(ValueError, match=r"a.png"):
        datasets.ImageFolder(pictures)[0]
    (pictures / "fish").mkdir()
    with pytest.raises(FileNotFoundError, match=r"class 'fish'.*has no picture"):
        datasets.ImageFolder(pictures)
    with pytest.raises(FileNotFoundError, match="has no sub-directories"):
        datasets.ImageFolder(pictures / "fish")


# -------------------------------------------------------------------- downloads


class Server(http.server.BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012 (filled by the tests)
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        content = self.files.get(self.path)
        self.send_response(404 if content is None else 200)
        cut = self.path.startswith("/cut")
        self.send_header("Content-Length", str(len(content or b"") + 10 * cut))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Server.files, Server.asked = {}, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def md5(content):
    return hashlib.md5(content).hexdigest()


def test_download(server, tmp_path):
    content = bytes(range(256)) * 3000
    Server.files["/a"] = Server.files["/cut"] = content
    path = tmp_path / "new" / "a.bin"
    sums = {"sha256": hashlib.sha256(content).hexdigest(), "md5": md5(content).upper()}
    assert cr.io.download(f"{server}/a", path, **sums) == str(path)
    assert path.read_bytes() == content
    cr.io.download(f"{server}/a", path, **sums)  # it is there: not asked again
    cr.io.download(f"{server}/a", path)
    assert Server.asked == ["/a"]
    path.write_bytes(b"damaged")
    cr.io.download(f"{server}/a", path, **sums)
    assert path.read_bytes() == content

    for address, options, kind, message in (
        (f"{server}/a", {"md5": "0" * 32}, ValueError, "the md5 is .*; expected 000"),
        (f"{server}/a", {"sha256": "f" * 64}, ValueError, "the sha256 is"),
        (f"{server}/cut", {}, (ValueError, OSError), "bytes of|incomplete|IncompleteRead"),
        (f"{server}/none", {}, OSError, "HTTP 404; fetch the file by other means"),
        ("ftp://127.0.0.1/a", {}, ValueError, "expected http:// or https://"),
        ("http://127.0.0.1:9/a", {"timeout": 2}, OSError, "refused|other means"),
    ):
        target = tmp_path / "target"
        with pytest.raises(kind, match=message):
            cr.io.download(address, target, **options)
        assert [each.name for each in tmp_path.iterdir()] == ["new"]  # nothing is left behind


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes())


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_mnist_is_fetched(name, server, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = [
        part
        for n in (6, 3)
        for part in (rng.integers(0, 256, (n, 4, 4), np.uint8), rng.integers(0, 10, n, np.uint8))
    ]
    contents = [idx(array) for array in arrays]
    for file, content in zip(standard._MNIST_FILES, contents, strict=True):
        Server.files[f"/set/{file}"] = content
    source = f"{server}/set/", tuple(map(md5, contents))
    monkeypatch.setattr(standard, name.upper(), source)
    read = getattr(datasets, name)
    with pytest.raises(FileNotFoundError):
        read(tmp_path)
    for _ in range(2):
        for got, array in zip(read(tmp_path, download=True), arrays, strict=True):
            np.testing.assert_array_equal(got, array)
    assert len(Server.asked) == 4


def archive(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("batches/test_batch.bin.link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return buffer.getvalue()


def records(rng, count, labels):
    table = rng.integers(0, 256, (count, len(labels) + 3072), np.uint8)
    for column, classes in enumerate(labels):
        table[:, column] %= classes
    return table


def test_cifar_is_fetched_and_read(server, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    tables = {f"data_batch_{k}.bin": records(rng, 3, [10]) for k in range(1, 6)}
    tables["test_batch.bin"] = records(rng, 2, [10])
    content = archive({f"../batches/{name}": t.tobytes() for name, t in tables.items()})
    Server.files["/c10.tar.gz"] = content
    monkeypatch.setattr(standard, "CIFAR10", (f"{server}/c10.tar.gz", md5(content)))
    data = datasets.cifar10(tmp_path, download=True)
    assert data.train_images.shape == (15, 3, 32, 32)
    expected = np.concatenate([tables[f"data_batch_{k}.bin"] for k in range(1, 6)])
    np.testing.assert_array_equal(data.train_images.reshape(15, -1), expected[:, 1:])
    np.testing.assert_array_equal(data.train_labels, expected[:, 0])
    np.testing.assert_array_equal(data.test_labels, tables["test_batch.bin"][:, 0])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*tables, "c10.tar.gz"}
    datasets.cifar10(tmp_path, download=True)
    assert len(Server.asked) == 1

    folder = tmp_path / "hundred"
    tables = {"train.bin": records(rng, 5, [20, 100]), "test.bin": records(rng, 2, [20, 100])}
    content = archive({f"cifar-100-binary/{name}": t.tobytes() for name, t in tables.items()})
    Server.files["/c100.tar.gz"] = content
    monkeypatch.setattr(standard, "CIFAR100", (f"{server}/c100.tar.gz", md5(content)))
    with pytest.raises(FileNotFoundError, match=r"read_cifar100: .* has no train.bin"):
        datasets.cifar100(folder)
    fine = datasets.cifar100(folder, download=True)
    coarse = datasets.cifar100(folder, labels="coarse")
    np.testing.assert_array_equal(fine.train_labels, tables["train.bin"][:, 1])
    np.testing.assert_array_equal(coarse.train_labels, tables["train.bin"][:, 0])
    np.testing.assert_array_equal(fine.test_images.reshape(2, -1), tables["test.bin"][:, 2:])
    with pytest.raises(ValueError, match="labels is 'fine' or 'coarse'"):
        cr.io.read_cifar100(folder, labels="medium")
    (folder / "train.bin").write_bytes(b"short")
    with pytest.raises(ValueError, match="has 5 bytes; expected records of 3074"):
        cr.io.read_cifar100(folder)
    tables["test.bin"][1, 1] = 100
    (folder / "test.bin").write_bytes(tables["test.bin"].tobytes())
    (folder / "train.bin").write_bytes(tables["train.bin"].tobytes())
    with pytest.raises(ValueError, match="record 1 has label 100; expected below 100"):
        cr.io.read_cifar100(folder)
