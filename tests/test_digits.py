"""The command line: train, predict, describe; and what it says to bad input."""

import gzip
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.__main__ import main
from chainrule.apps._digits_data import Part, load_digits, stratified_split, vary
from chainrule.apps._digits_model import build_network, load_recogniser
from chainrule.apps.digits import evaluate, train
from chainrule.io import load_metadata


def sklearn_digits():
    from sklearn.datasets import load_digits  # seconds, which the smoke tests should not wait for

    return load_digits()


def run(capsys, *args):
    """Run a command in this process; its exit code, output and errors."""
    try:
        code = main([str(arg) for arg in args])
    except SystemExit as stop:  # argparse
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def train_digits(capsys, directory, *args):
    model, report = directory / "model.safetensors", directory / "report.png"
    code, out, err = run(capsys, "digits", "--out", model, "--report", report, *args)
    assert (code, err) == (0, "")
    return model, report, out


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of eight epochs, its report and what the command printed."""
    directory = tmp_path_factory.mktemp("digits")
    command = [sys.executable, "-m", "chainrule", "digits", "--epochs", "8"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    model, report = directory / "digits-model.safetensors", directory / "digits-report.png"
    return model, report, done.stdout


# ---------------------------------------------------------------- training


def test_a_short_training_already_reads(trained):
    out = trained[2]
    assert "1078 images to train on, 360 to validate, 359 to test; 30634 parameters" in out
    assert (
        len(re.findall(r"^epoch \d, loss \d\.\d{4}, validation accuracy", out, re.MULTILINE)) == 8
    )
    accuracy, right = re.search(
        r"^test accuracy ([\d.]+)% \((\d+) of 359\)", out, re.MULTILINE
    ).groups()
    assert float(accuracy) == pytest.approx(100 * int(right) / 359, abs=0.005)
    assert float(accuracy) > 90


def test_the_report_is_a_picture(trained):
    with Image.open(trained[1]) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_the_model_describes_itself_and_keeps_its_accuracy(trained):
    model, _, out = trained
    metadata = load_metadata(model)
    assert metadata["input"] == "float32 (N, 1, 8, 8), paper 0, ink 1"
    digits = load_digits(None, np.random.default_rng(0))
    _, probabilities = evaluate(load_recogniser(str(model)).network, digits.test)
    accuracy = np.mean(probabilities.argmax(axis=1) == digits.test.labels)
    assert metadata["test_accuracy"] == f"{accuracy:.4f}"
    assert f"test accuracy {accuracy:.2%}" in out


def test_any_number_of_threads_gives_the_same_bits(capsys, tmp_path):
    weights = []
    for threads in (1, 2):
        model, _, _ = train_digits(capsys, tmp_path, "--epochs", 1, "--threads", threads)
        weights.append(model.read_bytes())
    assert weights[0] == weights[1]


def test_quiet_prints_one_line(capsys, tmp_path):
    _, _, out = train_digits(capsys, tmp_path, "--epochs", 1, "--quiet", "--seed", 3)
    assert re.fullmatch(r"test accuracy .* epoch 1 of 1, trained in [\d.]+ s\n", out)


class Recorder:
    """In place of the progress bar."""

    disable = True

    def __init__(self):
        self.updates = 0

    def update(self):
        self.updates += 1


def test_early_stopping_restores_the_best_weights():
    rng = np.random.default_rng(0)
    digits = load_digits(None, rng)
    few = Part(digits.train.images[::4], digits.train.labels[::4])
    cr.manual_seed(0)
    network, progress, lines = build_network(8), Recorder(), []
    history = train(
        network,
        few,
        digits.validation,
        epochs=40,
        batch_size=16,
        lr=0.02,  # too large: the loss must rise now and then
        patience=2,
        rng=rng,
        progress=progress,
        log=lines.append,
    )
    epochs = len(history.train_loss)
    assert epochs == history.best_epoch + 3 < 40
    assert len(lines) == epochs
    assert progress.updates == epochs * -(-len(few.labels) // 16)
    loss, _ = evaluate(network, digits.validation)
    assert loss == min(history.validation_loss)


def test_mnist_files_train_too(capsys, tmp_path):
    data = sklearn_digits()
    images = np.kron(data.images * 15.9, np.ones((2, 2))).astype("uint8")  # 16x16
    parts = {"train": slice(0, 1200), "t10k": slice(1200, None)}
    for name, part in parts.items():
        count = len(images[part])
        header = struct.pack(">4B3I", 0, 0, 8, 3, count, 16, 16)
        pictures = gzip.compress(header + images[part].tobytes())
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(pictures)
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + data.target[part].astype("u1").tobytes()
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    model, _, out = train_digits(
        capsys, tmp_path, "--mnist", tmp_path, "--epochs", 2, "--batch-size", 32
    )
    assert "MNIST: 1100 images to train on, 100 to validate, 597 to test" in out
    assert float(re.search(r"test accuracy ([\d.]+)%", out)[1]) > 60
    assert load_recogniser(str(model)).size == 16


def write_csv(path, images, labels=None):
    """Pictures with values 0 to 255 in the form of Kaggle's Digit Recognizer."""
    names = [f"pixel{k}" for k in range(images[0].size)]
    rows = images.reshape(len(images), -1).astype(int)
    if labels is not None:
        names, rows = ["label", *names], np.column_stack([labels, rows])
    np.savetxt(path, rows, fmt="%d", delimiter=",", header=",".join(names), comments="")


def test_csv_files_train_and_a_submission_is_written(capsys, tmp_path):
    data = sklearn_digits()
    images, train, test = data.images * 15.9, tmp_path / "train.csv", tmp_path / "test.csv"
    write_csv(train, images[:1200], data.target[:1200])
    write_csv(test, images[1200:])
    submission = tmp_path / "mine.csv"
    options = ["--epochs", 6, "--batch-size", 32, "--test", test, "--submission", submission]
    model, _, out = train_digits(capsys, tmp_path, "--csv", train, *options)
    assert "train.csv: 1000 images to train on, 100 to validate, 100 to test" in out
    assert f"submission: {submission}" in out
    lines = submission.read_text().splitlines()
    assert lines[0] == "ImageId,Label"
    numbers, answers = np.array([line.split(",") for line in lines[1:]], dtype=int).T
    np.testing.assert_array_equal(numbers, np.arange(1, 598))
    assert np.mean(answers == data.target[1200:]) > 0.85
    network = load_recogniser(str(model)).network
    last = cr.from_numpy((np.floor(images[-1]) / 255).astype("float32"))
    assert network(last[None, None]).argmax().item() == answers[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,p\n1,0", "has 1 pixels a row; expected squares of 8x8 or more"),
        ("label,{pixels}\n1,{dark}\n1,{empty}", "line 3, column 'p9' is missing"),
        ("label,{pixels}\nseven,{dark}", "line 2, column 'label' holds 'seven', which is no num"),
        ("label,{pixels}\n7,{dark},3", "line 2 has 66 cells; expected 65"),
        ("label,{pixels}\n10,{dark}", "a label is 10; expected 0 to 9"),
        ("label,{pixels}\n1.5,{dark}", "a label is 1.5; expected a digit"),
        ("label,{pixels}\n1,{dark}\n2,{bright}", "a pixel is 256; expected 0 to 255"),
        ("label,{pixels}\n", "has no rows; expected a picture in each"),
        ("{pixels}\n{dark}", "has no column 'label'; expected the digit of each picture"),
        ("label,{pixels}\n1,{dark}", "1 pictures are too few to set some aside"),
        ("", "the file is empty"),
    ],
)
def test_a_csv_file_with_a_fault_gives_a_sentence(capsys, tmp_path, text, message):
    cells = {"pixels": [f"p{k}" for k in range(64)], "dark": ["0"] * 64, "bright": ["256"] * 64}
    cells["empty"] = ["0"] * 9 + [""] + ["0"] * 54
    (tmp_path / "x.csv").write_text(text.format(**{k: ",".join(v) for k, v in cells.items()}))
    code, _, err = run(capsys, "digits", "--csv", tmp_path / "x.csv")
    assert code == 2
    assert re.search(f"^chainrule digits: .*x.csv.*{message}", err)


def test_pictures_to_tell_must_fit(capsys, tmp_path):
    write_csv(tmp_path / "wide.csv", np.zeros((3, 9, 9)))
    outputs = ["--out", tmp_path / "m", "--report", tmp_path / "r.png"]
    code, _, err = run(capsys, "digits", "--test", tmp_path / "wide.csv", *outputs)
    assert code == 2
    assert re.search(r"wide.csv' holds pictures of \(9, 9\); expected \(8, 8\)", err)
    options = ["--test", "t.csv", "--submission", tmp_path / "m"]
    code, _, err = run(capsys, "digits", *options, *outputs)
    assert (code, "model and submission are the same file" in err) == (2, True)
    code, _, err = run(capsys, "digits", "--csv", "t.csv", "--report", "./t.csv")
    assert (code, "csv and report are the same file" in err) == (2, True)


def test_splits_are_disjoint_complete_and_stratified():
    labels = np.repeat(np.arange(10), [100, 50, 10, 200, 40, 30, 20, 60, 70, 80])
    parts = stratified_split(labels, (60, 20, 20), np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        np.testing.assert_array_equal(np.bincount(labels[part]), share * np.bincount(labels))


class Still:
    """A random generator that always draws the middle."""

    def uniform(self, low, high, size):
        return np.full(size, (low + high) / 2)


def test_variation_is_small_and_none_at_its_centre():
    images = (sklearn_digits().images[:50] / 16).astype("float32")
    np.testing.assert_allclose(vary(images, Still()), images, atol=1e-6)
    varied = vary(images, np.random.default_rng(0))
    assert varied.shape == images.shape
    assert varied.dtype == images.dtype
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert 0.01 < np.abs(varied - images).mean() < 0.15


# ---------------------------------------------------------------- prediction


def scan(digit, scale, paper, ink):
    """A digit as a scanner might deliver it: enlarged, off centre, on paper of any shade."""
    shape = np.kron(digit / 16, np.ones((scale, scale)))
    page = np.zeros((12 * scale, 15 * scale))
    page[scale : 9 * scale, 5 * scale : 13 * scale] = shape
    return Image.fromarray((paper + page * (ink - paper)).astype("uint8"))


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (200, 90), (40, 120)])
def test_predict_reads_pictures_of_any_shade_and_size(trained, capsys, tmp_path, paper, ink):
    data = sklearn_digits()
    paths = []
    for i in range(100, 200):  # the first ten alone are hard ones: 7 to 9 of them are read
        paths.append(tmp_path / f"{data.target[i]}-{i}.png")
        scan(data.images[i], 3 + i % 7, paper, ink).save(paths[-1])
    code, out, err = run(capsys, "predict", trained[0], *paths)
    assert (code, err) == (0, "")
    answers = re.findall(r"(\d)-\d+\.png: (\d)$", out, re.MULTILINE)
    assert len(answers) == 100
    assert sum(label == answer for label, answer in answers) >= 85
    shares = [float(share) for share in re.findall(r"^  \d +([\d.]+)%", out, re.MULTILINE)]
    assert len(shares) == 1000
    assert sum(shares) == pytest.approx(10_000, abs=50)


def test_predict_reads_colour_transparency_and_16_bits(trained, capsys, tmp_path):
    digit = sklearn_digits().images[0]  # a zero
    grey = np.asarray(scan(digit, 6, 0, 255))
    clear = np.zeros((*grey.shape, 4), "uint8")
    clear[..., 3] = grey
    pictures = {
        "clear.png": Image.fromarray(clear),  # black ink on nothing
        "palette.gif": Image.fromarray(grey).convert("P"),
        "deep.png": Image.fromarray(grey.astype("uint16") * 257),
        "colour.png": Image.merge("RGB", [Image.fromarray(255 - grey // k) for k in (1, 2, 3)]),
        "exact.png": Image.fromarray((digit * 15.9).astype("uint8")),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    code, out, err = run(capsys, "predict", trained[0], *(tmp_path / name for name in pictures))
    assert (code, err) == (0, "")
    assert re.findall(r": (\d)$", out, re.MULTILINE) == ["0"] * len(pictures)


# ---------------------------------------------------------------- errors


@pytest.mark.smoke
def test_info_describes_the_build(capsys):
    code, out, err = run(capsys, "info")
    assert (code, err) == (0, "")
    rows = {line[:16].rstrip(): line[17:] for line in out.splitlines()}
    assert rows["version"] == cr.__version__
    assert rows["instruction set"] in ("baseline", "v3", "v4")
    assert rows["threads"].startswith(f"{cr.get_num_threads()} (")
    assert rows["numpy"] == np.__version__
    assert all(rows.values())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "the following arguments are required: command"),
        (["digit"], "invalid choice: 'digit'"),
        (["digits", "--epochs", "0"], "argument --epochs: invalid positive integer value: '0'"),
        (["digits", "--batch-size", "2.5"], "invalid positive integer value: '2.5'"),
        (["digits", "--lr", "nan"], "argument --lr: invalid positive number value: 'nan'"),
        (["digits", "--seed", "-1"], "argument --seed: invalid integer from 0 value: '-1'"),
        (["digits", "--threads", "99999"], "set_num_threads: got 99999; expected 1 to"),
        (["digits", "--out", "{}/no/m"], "the directory of '.*/no/m' does not exist"),
        (["digits", "--report", "{}"], "is a directory; expected a file to write"),
        (["digits", "--out", "{}/x", "--report", "{}/x"], "model and report are the same file"),
        (["digits", "--mnist", "{}"], "has no train-images-idx3-ubyte or train-images"),
        (["digits", "--lr", "1e30", "--quiet"], "the loss is (nan|inf) after epoch 1; lower --lr"),
        (["predict", "{}/none", "{}/none.png"], "'.*/none': No such file or directory"),
        (["predict", "{}/noise", "{}/noise"], "'.*/noise': the header length is"),
        (["predict", "{}/other", "{}/noise"], "'.*/other' is not a model of `chainrule digits`"),
        (["predict", "{}/huge", "{}/noise"], "'.*/huge' is not a model of `chainrule digits`"),
        (["predict", "{}/wrong", "{}/noise"], "'.*/wrong' does not fit the network"),
        (["predict", "MODEL", "{}/none.png"], "cannot read '.*none.png' as a picture"),
        (["predict", "MODEL", "{}/noise"], "cannot read '.*noise' as a picture"),
        (["predict", "MODEL", "{}/cut.png"], "cannot read '.*cut.png' as a picture"),
        (["predict", "MODEL", "{}/blank.png"], "'.*blank.png' is blank; expected a digit"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(trained, capsys, tmp_path, args, message):
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    header = {"application": "chainrule digits", "margin": "0"}
    cr.save_file({"w": cr.ones(1)}, tmp_path / "other")
    cr.save_file({"w": cr.ones(1)}, tmp_path / "huge", {**header, "image_size": "9" * 9})
    cr.save_file({"w": cr.ones(1)}, tmp_path / "wrong", {**header, "image_size": "8"})
    Image.new("L", (20, 20), 255).save(tmp_path / "blank.png")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype="uint8")
    Image.fromarray(noise).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:700])
    args = [str(trained[0]) if a == "MODEL" else a.format(tmp_path) for a in args]
    code, _, err = run(capsys, *args)
    assert code == 2
    assert re.search(message, err)
    assert re.match("chainrule|usage: chainrule", err)
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_may_stop_early(trained):
    image = trained[1]
    command = [sys.executable, "-m", "chainrule", "predict", trained[0], *[image] * 300]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("module", "package", "args"),
    [
        ("sklearn.datasets", "scikit-learn", ["digits"]),
        ("matplotlib.figure", "matplotlib", ["digits"]),
        ("tqdm", "tqdm", ["digits"]),
        ("PIL.Image", "pillow", ["predict", "m", "p"]),
    ],
)
def test_a_missing_extra_is_named(capsys, monkeypatch, tmp_path, module, package, args):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    code, _, err = run(capsys, *args)
    assert code == 2
    assert f"this needs {package}, which is not installed" in err
    assert "pip install 'chainrule[examples]'" in err


def test_a_failed_save_keeps_the_old_model(trained, capsys, tmp_path, monkeypatch):
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"the old one")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    code, _, err = run(
        capsys, "digits", "--epochs", 1, "--out", model, "--report", tmp_path / "report.png"
    )
    assert code == 2
    assert "No space left on device" in err
    assert model.read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == [model.name]
