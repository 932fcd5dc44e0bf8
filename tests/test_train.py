"""fit, evaluate and predict, their callbacks, history and progress."""

import csv
import io
import math
import os
import pty
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule import data, metrics, nn, optim, train
from chainrule.nn import functional as F
from chainrule.train.tensorboard import crc32c


def problem(rows=64):
    """Inputs, targets, and a fresh network that can learn them."""
    cr.manual_seed(1)
    x = cr.randn(rows, 3)
    y = (x.sum(dim=1) > 0).to(cr.int64)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))
    return x, y, net


def weights(net):
    return {key: value.numpy().copy() for key, value in net.state_dict().items()}


def same_weights(a, b):
    return all(np.array_equal(value, b[key]) for key, value in a.items())


# ---------------------------------------------------------------- the loop


def test_fit_is_the_plain_loop():
    x, y, net = problem()
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=10, shuffle=True)
    cr.manual_seed(2)
    losses = []
    for _ in range(3):
        net.train()
        total = 0.0
        for inputs, target in loader:
            loss = F.cross_entropy(net(inputs), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(target)
        losses.append(total / len(y))
    plain = weights(net)

    for form in (loader, (x, y), data.TensorDataset(x, y), (x.numpy(), y.numpy())):
        _, _, net = problem()
        cr.manual_seed(2)
        history = train.fit(
            net, form, F.cross_entropy, optim.Adam(net.parameters(), lr=0.01), epochs=3,
            batch_size=10, progress=False,
        )  # fmt: skip
        assert history["loss"] == losses
        assert same_weights(plain, weights(net))
        assert not any(module.training for module in net.modules())


def test_it_learns_and_says_so():
    x, y, net = problem()
    history = train.fit(
        net, (x[:48], y[:48]), F.cross_entropy, optim.Adam(net.parameters(), lr=0.05), epochs=20,
        validation=(x[48:], y[48:]), metrics=["accuracy", F.cross_entropy], progress=False,
    )  # fmt: skip
    assert list(history) == [
        "loss", "accuracy", "cross_entropy", "val_loss", "val_accuracy", "val_cross_entropy",
    ]  # fmt: skip
    assert history["loss"] == pytest.approx(history["cross_entropy"], rel=1e-12)
    assert history["val_accuracy"][-1] > 0.8 > history["val_accuracy"][0]
    found = train.evaluate(net, (x[48:], y[48:]), F.cross_entropy, "accuracy", batch_size=5)
    assert found["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-5)
    assert found["accuracy"] == history["val_accuracy"][-1]
    guesses = train.predict(net, x[48:]).argmax(dim=1)
    assert metrics.accuracy_score(y[48:], guesses) == found["accuracy"]


class Two(nn.Module):
    """Two inputs, two outputs."""

    def forward(self, a, b):
        return a + b, a - b


def test_predict_takes_inputs_with_and_without_targets():
    x, y, net = problem()
    out = train.predict(net, x, batch_size=7)
    assert not out.requires_grad
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=9)
    for form in (loader, (x, y), data.TensorDataset(x), x.numpy()):
        assert cr.equal(train.predict(net, form, batch_size=7), out)
    plus, minus = train.predict(Two(), x, x, batch_size=10)
    assert cr.equal(plus, 2 * x)
    assert cr.equal(minus, 0 * x)
    assert net.training


def test_evaluation_puts_every_module_back():
    _, _, net = problem()
    net[2].eval()
    train.evaluate(net, (cr.zeros(2, 3), cr.zeros(2, dtype=cr.int64)), F.cross_entropy)
    assert [module.training for module in net] == [True, True, False, True]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": (cr.zeros(0, 3), cr.zeros(0))}, ValueError, "fit: the data has no rows"),
        ({"data": (cr.zeros(2, 3), cr.zeros(3))}, ValueError, "fit: .* first dimensions"),
        ({"data": 3}, TypeError, "fit: data is a int; expected a tuple"),
        ({"data": [cr.zeros(2, 3)]}, TypeError, r"fit: a batch is a Tensor; expected .*\(inputs"),
        ({"data": []}, ValueError, "gave no batch in epoch 1"),
        ({"data": iter([(cr.zeros(2, 3), cr.zeros(2, dtype=cr.int64))])}, ValueError,
         "no batch in epoch 2 any more"),
        ({"epochs": -1}, ValueError, "epochs is an int of at least 0"),
        ({"callbacks": [3]}, TypeError, "3 is no callback"),
        ({"callbacks": [train.NaNStop]}, TypeError, "is no callback; expected an object"),
        ({"metrics": "acc"}, ValueError, "fit: no metric is named 'acc'"),
        ({"progress": "rich"}, ValueError, "fit: progress is"),
        ({"resume": True}, ValueError, "fit: resume=True needs a Checkpoint"),
        ({"callbacks": [train.EarlyStopping()]}, KeyError, "no 'val_loss'.*give fit validation"),
        ({"callbacks": [train.EarlyStopping("f")], "metrics": {"f": lambda o, t: 1}}, ValueError,
         "whether more or less of 'f' is better"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(change, error, message):
    x, y, net = problem(8)
    options = {"data": (x, y), "epochs": 2, "progress": False, **change}
    with pytest.raises(error, match=message):
        train.fit(net, options.pop("data"), F.cross_entropy, optim.SGD(net.parameters()), **options)


def test_a_label_seen_only_in_validation_is_named():
    x, y, net = problem(8)
    with pytest.raises(IndexError, match=r"cross_entropy: label [78] .* is out of range"):
        train.fit(net, (x, y), F.cross_entropy, optim.SGD(net.parameters()), progress=False,
                  validation=(x, y + 7))  # fmt: skip


def test_an_optimizer_that_needs_a_closure_is_refused():
    x, y, net = problem(8)
    with pytest.raises(TypeError, match="fit: LBFGS computes the loss several times"):
        train.fit(net, (x, y), F.cross_entropy, optim.LBFGS(net.parameters()))


def test_a_stream_is_read_in_its_order():
    class Stream(data.IterableDataset):
        def __iter__(self):
            for number in range(10):
                yield cr.ones(3) * number, 0

    _, _, net = problem(1)
    seen = []
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0][:, 0].tolist()))
    train.fit(net, Stream(), F.cross_entropy, optim.SGD(net.parameters()), batch_size=4,
              progress=False)  # fmt: skip
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert train.predict(net, Stream(), batch_size=3).shape == (10, 2)


def test_one_row_is_enough():
    x, y, net = problem(1)
    history = train.fit(net, (x, y), F.cross_entropy, optim.SGD(net.parameters()), epochs=2,
                        validation=(x, y), metrics="accuracy", progress=False)  # fmt: skip
    assert history.epochs == 2


# ---------------------------------------------------------------- callbacks


def run(callbacks, epochs=5, lr=0.1, **options):
    x, y, net = problem(16)
    optimizer = optim.SGD(net.parameters(), lr=lr)
    options = {"progress": False, "validation": (x, y), "batch_size": 8, **options}
    callbacks = callbacks(optimizer) if callable(callbacks) else callbacks
    history = train.fit(
        net, (x, y), F.cross_entropy, optimizer, epochs=epochs, callbacks=callbacks, **options
    )
    return net, history


class Record(train.Callback):
    """Writes down what is called."""

    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda run: self.calls.append((name, run.epoch, run.batch))
        return object.__getattribute__(self, name)

    def on_backward(self, run): ...
    def on_batch_end(self, run): ...


def test_callbacks_are_called_in_order():
    record, functions = Record(), []
    run([record, lambda run: functions.append(run.logs["loss"])], epochs=1)
    assert record.calls == [
        ("on_fit_begin", 0, 0), ("on_epoch_begin", 1, 0),
        ("on_backward", 1, 0), ("on_batch_end", 1, 1),
        ("on_backward", 1, 1), ("on_batch_end", 1, 2),
        ("on_epoch_end", 1, 0), ("on_fit_end", 1, 0),
    ]  # fmt: skip
    assert len(functions) == 1


def test_early_stopping_restores_the_best_weights():
    script = iter([3.0, 1.0, math.nan, 2.0, 1.0, 0.5])
    seen = []

    def pretend(run):
        run.logs["score"] = next(script)
        seen.append(weights(run.model))

    stop = train.EarlyStopping("score", patience=2, mode="min")
    net, history = run([pretend, stop], epochs=6)
    assert history.epochs == 5
    assert (stop.best, stop.best_epoch) == (1.0, 2)
    assert history.stopped == "no better 'score' for 3 epochs"
    assert same_weights(weights(net), seen[1])
    assert not same_weights(seen[1], seen[4])


def test_early_stopping_knows_what_is_better():
    stop = train.EarlyStopping("val_accuracy", patience=0, min_delta=2.0)
    _, history = run([stop], metrics="accuracy")
    assert history.epochs == 2
    _, history = run([train.EarlyStopping("loss", patience=3, restore_best=False)], epochs=4)
    assert history.epochs == 4
    with pytest.raises(ValueError, match="patience is at least 0"):
        train.EarlyStopping(patience=-1)
    with pytest.raises(ValueError, match="mode is"):
        train.EarlyStopping(mode="best")


def test_nan_stops_before_the_step():
    x, y, net = problem(4)
    before = weights(net)
    x[0, 0] = math.nan
    history = train.fit(net, (x, y), F.cross_entropy, optim.SGD(net.parameters()), epochs=3,
                        callbacks=[train.NaNStop()], progress=False)  # fmt: skip
    assert history.stopped == "the loss is nan in epoch 1, batch 1"
    assert history.epochs == 0
    assert same_weights(before, weights(net))


def test_gradients_are_clipped():
    norms = []

    class Norm(train.Callback):
        def on_backward(self, run):
            norms.append(nn.utils.get_total_norm([p.grad for p in run.model.parameters()]).item())

    run([train.ClipGradNorm(0.01), Norm()], epochs=1)
    assert norms == pytest.approx([0.01, 0.01], rel=1e-3)


def test_schedules():
    schedulers = optim.lr_scheduler
    _, history = run(lambda o: [train.LRSchedule(schedulers.StepLR(o, 2))])
    assert history["lr"] == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])
    _, history = run(lambda o: [train.LRSchedule(schedulers.StepLR(o, 1), every="step")], epochs=2)
    assert history["lr"] == pytest.approx([0.01, 0.0001])
    plateau = lambda o: [  # noqa: E731
        train.LRSchedule(
            schedulers.ReduceLROnPlateau(o, patience=0, threshold=9, threshold_mode="abs"),
            monitor="loss",
        )
    ]
    _, history = run(plateau, epochs=4)
    assert history["lr"] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    with pytest.raises(TypeError, match="scheduler is a float"):
        train.LRSchedule(0.1)


def test_csv_log(tmp_path):
    path = tmp_path / "log.csv"
    log = train.CSVLog(path)
    _, history = run(lambda o: [log, train.LRSchedule(optim.lr_scheduler.StepLR(o, 1))])
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    for column in history:
        assert [float(row[column]) for row in rows] == history[column]
    assert path.read_text() == history.to_csv()

    late = lambda run: run.epoch > 1 and run.logs.update(extra=1.0)  # noqa: E731
    _, history = run([late, log], epochs=2)
    assert path.read_text() == history.to_csv()


def test_a_log_that_cannot_be_written_costs_nothing(tmp_path):
    with pytest.warns(RuntimeWarning, match="CSVLog: .*the training goes on"):
        _, history = run([train.CSVLog(tmp_path / "missing" / "log.csv")], epochs=2)
    assert history.epochs == 2


# ---------------------------------------------------------------- history


ROWS = [{"loss": 3.0, "val_loss": 2.5}, {"loss": 1.5, "val_loss": 1.25}, {"loss": 1.0}]


def test_history_is_a_table(tmp_path):
    history = train.History([dict(row) for row in ROWS])
    assert history["loss"] == [3.0, 1.5, 1.0]
    assert math.isnan(history["val_loss"][2])
    assert (history.epochs, len(history), list(history)) == (3, 2, ["loss", "val_loss"])
    assert (history.best_epoch(), history.best_epoch("loss", "max")) == (2, 1)
    assert history.to_dict()["loss"] == history["loss"]
    path = tmp_path / "history.csv"
    text = history.to_csv(path)
    assert text == path.read_text() == "epoch,loss,val_loss\n1,3.0,2.5\n2,1.5,1.25\n3,1.0,\n"
    assert repr(history) == "History(3 epochs: loss=1)"
    assert repr(train.History()) == "History(0 epochs)"
    with pytest.raises(KeyError, match="no column 'acc'"):
        history["acc"]
    with pytest.raises(ValueError, match="mode is"):
        history.best_epoch("loss", "best")


def test_history_in_a_notebook():
    history = train.History([dict(row) for row in ROWS])
    history.stopped = "a < b"
    page = history._repr_html_()
    assert page.count("<tr>") == 4
    assert page.count("<polyline") == 2
    assert "a &lt; b" in page
    assert "<svg" not in train.History([{"loss": 1.0}])._repr_html_()
    assert "<table>" in train.History()._repr_html_()


def test_history_draws_what_it_holds():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    history = train.History([{**row, "accuracy": 0.5} for row in ROWS])
    figure = history.plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    loss, held_out = figure.axes[0].lines
    np.testing.assert_array_equal(loss.get_xydata(), [[1, 3.0], [2, 1.5], [3, 1.0]])
    np.testing.assert_array_equal(held_out.get_ydata(), history["val_loss"])
    own, axes = pyplot.subplots()
    assert history.plot(axes) is own
    assert len(axes.lines) == 3
    pyplot.close("all")


def test_a_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"History.plot: .*pip install 'chainrule\[train\]'"):
        train.History([{"loss": 1.0}]).plot()


# ---------------------------------------------------------------- progress

PROGRAM = """
import chainrule as cr
from chainrule import nn, optim, train
net = nn.Linear(2, 1)
x = cr.zeros(8, 2)
history = train.fit(net, (x, x[:, :1]), nn.MSELoss(), optim.SGD(net.parameters()), epochs=3,
                    batch_size=2, metrics="mae")
open("done", "w").write(str(history.epochs))
"""


def test_a_log_file_gets_one_line_per_epoch(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60)  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1/3  loss ")
    assert "mae" in lines[2]


def test_a_terminal_gets_a_bar(tmp_path):
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path, stdout=follower)
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        text += part
    assert process.wait(timeout=60) == 0
    os.close(leader)
    assert b"\r" in text
    assert b"12/12" in text
    assert b"epoch 3/3" in text
    assert text.count(b"\n") == 1


@pytest.mark.parametrize("mode", ["pipe", "terminal"])
def test_nothing_is_lost_when_the_output_is_closed(tmp_path, mode):
    reader, writer = os.pipe() if mode == "pipe" else pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path, stdout=writer,
                               stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    os.close(writer)
    os.close(reader)
    process.communicate(timeout=60)
    assert (tmp_path / "done").read_text() == "3"


def test_without_tqdm_a_terminal_gets_lines(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    run([], epochs=2, progress="bar")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_notebook_gets_a_bar(monkeypatch, capsys):
    class Shell:
        config = "IPKernelApp"

    class Notebook:
        get_ipython = staticmethod(Shell)

    from chainrule.train.progress import _is_interactive

    assert not _is_interactive()
    monkeypatch.setitem(sys.modules, "IPython", Notebook)
    assert _is_interactive()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run([], epochs=2, progress=None)
    assert "epoch 2/2" in capsys.readouterr().out


def test_silence(capsys):
    run([train.EarlyStopping("loss", patience=0, min_delta=9.0)], progress=False)
    assert capsys.readouterr() == ("", "")
    run([train.EarlyStopping("loss", patience=0, min_delta=9.0)], progress="lines")
    assert capsys.readouterr().out.splitlines()[-1] == "stopped: no better 'loss' for 1 epoch"


# ---------------------------------------------------------------- TensorBoard


def read_varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """The fields of a protobuf message, by number."""
    found, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def read_events(directory):
    """(tag, step, content) of each summary in the only file; every checksum is checked."""
    (path,) = directory.iterdir()
    data, events = path.read_bytes(), []
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        body = data[12 : 12 + size]
        for part, crc in ((data[:8], data[8:12]), (body, data[12 + size : 16 + size])):
            plain = crc32c(part)
            mask = ((plain >> 15) | (plain << 17)) + 0xA282EAD8
            assert crc == struct.pack("<I", mask & 0xFFFFFFFF)
        data = data[16 + size :]
        event = fields(body)
        for summary in event.get(5, []):
            (value,) = map(fields, fields(summary)[1])
            events.append((value[1][0].decode(), event.get(2, [0])[0], value))
    return events


def test_the_checksum_is_castagnolis():
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_events_hold_what_was_written(tmp_path):
    values = np.array([0.0, 1.0, 1.0, 4.0, math.nan])
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    with train.SummaryWriter(tmp_path) as writer:
        writer.add_scalar("a/b", cr.tensor([0.5], requires_grad=True), 300)
        writer.add_histogram("h", values, 2, bins=4)
        writer.add_image("i", picture, 3, dataformats="HWC")
        writer.add_image("i", cr.ones(1, 2, 2), 4)
    scalar, histogram, image, white = read_events(tmp_path)
    assert scalar[:2] == ("a/b", 300)
    assert struct.unpack("<f", scalar[2][2][0]) == (0.5,)
    (numbers,) = map(fields, histogram[2][5])
    assert [struct.unpack("<d", numbers[k][0])[0] for k in (1, 2, 3, 4, 5)] == [0, 4, 4, 6, 18]
    np.testing.assert_array_equal(np.frombuffer(numbers[6][0]), [1, 2, 3, 4])
    np.testing.assert_array_equal(np.frombuffer(numbers[7][0]), [1, 2, 0, 1])
    (content,) = map(fields, image[2][4])
    assert [content[k][0] for k in (1, 2, 3)] == [2, 4, 3]
    with Image.open(io.BytesIO(content[4][0])) as read:
        np.testing.assert_array_equal(np.asarray(read), picture)
    with Image.open(io.BytesIO(fields(white[2][4][0])[4][0])) as read:
        assert np.asarray(read).tolist() == [[255, 255], [255, 255]]


def test_a_training_is_logged(tmp_path):
    _, history = run([train.TensorBoard(tmp_path, histograms=2, steps=3)], metrics="accuracy")
    events = read_events(tmp_path)
    tags = [tag for tag, _, _ in events]
    curve = [struct.unpack("<f", v[2][0])[0] for tag, _, v in events if tag == "loss/val"]
    np.testing.assert_allclose(curve, history["val_loss"], rtol=1e-6)
    assert [step for tag, step, _ in events if tag == "accuracy/train"] == [1, 2, 3, 4, 5]
    assert [step for tag, step, _ in events if tag == "step/loss"] == [3, 6, 9]
    assert tags.count("parameters/0.weight") == tags.count("gradients/3.bias") == 2


def test_events_that_cannot_be_written_cost_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match="TensorBoard: .*the training goes on"):
        _, history = run([train.TensorBoard(tmp_path / "file")], epochs=2)
    assert history.epochs == 2


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda w: w.add_scalar("x", "text"), TypeError, "add_scalar: got values of dtype"),
        (lambda w: w.add_histogram("x", []), ValueError, "'x' holds no finite number"),
        (lambda w: w.add_image("x", np.zeros((2, 3))), ValueError, "got shape"),
        (lambda w: w.add_image("x", np.zeros((2, 3, 3))), ValueError, "expected 1, 3 or 4"),
    ],
)
def test_bad_summaries_get_a_sentence(tmp_path, write, error, message):
    with train.SummaryWriter(tmp_path) as writer, pytest.raises(error, match=message):
        write(writer)
