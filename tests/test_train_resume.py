"""Checkpoints: a training that was broken off and continued equals one that was not."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule import data, nn, optim, train
from chainrule.nn import functional as F

ROWS, BATCH = 50, 8  # seven batches an epoch, the last one smaller


class Noise(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = cr.Generator().manual_seed(3)

    def forward(self, x):
        return x + 0.1 * cr.rand(*x.shape, generator=self.generator) if self.training else x


class Jitter(data.Dataset):
    """Samples varied by Python's, NumPy's global and an own generator."""

    def __init__(self, x, y):
        self.x, self.y = x, y
        self.rng = np.random.default_rng(4)
        self.old = np.random.RandomState(5)
        self.python = random.Random(6)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        shift = random.random() + np.random.rand() + self.rng.random()
        shift += self.old.rand() + self.python.random()
        return self.x[index] + 0.01 * shift, self.y[index]


class BreakOff(train.Callback):
    """End the process's work at a step, as a crash would."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, run):
        if run.step == self.step:
            raise InterruptedError


SCHEDULERS = {
    "step": lambda o: optim.lr_scheduler.MultiStepLR(o, [1, 2], gamma=0.5),
    "plateau": lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "cycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.05, total_steps=40, cycle_momentum=False),
}


def training(path, *, jitter=False, scheduler="step", optimizer=optim.Adam, steps=5, break_at=0,
             epochs=4, resume=False, log=None):  # fmt: skip
    """Train from scratch or from a checkpoint; the weights and history, or None if broken off."""
    cr.manual_seed(0)
    random.seed(1)
    np.random.seed(2)
    x = cr.randn(ROWS, 4)
    y = (x[:, 0] > 0).to(cr.int64)
    net = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), Noise(), nn.Linear(8, 2)
    )
    opt = optimizer(net.parameters(), lr=0.02)
    form = (x, y)
    if jitter:
        form = data.DataLoader(
            Jitter(x, y), BATCH, shuffle=True, generator=cr.Generator().manual_seed(7)
        )
    if resume and path.exists():  # whatever was drawn meanwhile must not matter
        cr.rand(9), random.random(), np.random.rand(5)
    callbacks = [
        BreakOff(break_at),
        train.EarlyStopping(patience=9),
        train.Checkpoint(path, every_steps=steps),
        train.LRSchedule(SCHEDULERS[scheduler](opt), "step" if scheduler == "cycle" else "epoch"),
    ]
    if log:
        callbacks.append(train.CSVLog(log))
    try:
        history = train.fit(
            net, form, F.cross_entropy, opt, epochs=epochs, validation=(x, y), batch_size=BATCH,
            metrics=["accuracy", "roc_auc"], callbacks=callbacks, progress=False, resume=resume,
        )  # fmt: skip
    except InterruptedError:
        return None
    state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    after = cr.rand(1).item(), random.random(), np.random.rand()
    return state, history.rows, after


def assert_same(a, b):
    for key, value in a[0].items():
        np.testing.assert_array_equal(value, b[0][key], err_msg=key)
    assert a[1] == b[1]
    assert a[2] == b[2]


@pytest.mark.parametrize("break_at", [6, 14, 27])  # saved in the middle and at the end
@pytest.mark.parametrize("jitter", [False, True])
def test_resumed_is_uninterrupted(tmp_path, break_at, jitter):
    path = tmp_path / "run.safetensors"
    whole = training(tmp_path / "other", jitter=jitter)
    assert training(path, jitter=jitter, break_at=break_at) is None
    assert_same(whole, training(path, jitter=jitter, resume=path))


@pytest.mark.parametrize(
    ("optimizer", "scheduler"), [("SGD", "plateau"), ("AdamW", "cycle"), ("RMSprop", "step")]
)
def test_optimizers_and_schedulers_resume(tmp_path, scheduler, optimizer):
    options = {"scheduler": scheduler, "optimizer": getattr(optim, optimizer), "epochs": 3}
    path = tmp_path / "run.safetensors"
    whole = training(tmp_path / "other", **options)
    assert training(path, **options, break_at=12) is None
    assert_same(whole, training(path, **options, resume=True))


def test_resume_true_starts_where_there_is_nothing_yet(tmp_path):
    path = tmp_path / "run.safetensors"
    first = training(path, resume=True, epochs=2)
    assert len(first[1]) == 2
    again = training(path, resume=True, epochs=2)  # all epochs are done
    assert_same(first, again)
    more = training(path, resume=True, epochs=4)
    assert_same(training(tmp_path / "other"), more)


def test_the_log_goes_on(tmp_path):
    path, log = tmp_path / "run.safetensors", tmp_path / "log.csv"
    whole = training(tmp_path / "other", log=tmp_path / "whole.csv", steps=100)
    training(path, break_at=23, log=log, steps=100)
    training(path, resume=path, log=log, steps=100)
    assert log.read_text() == (tmp_path / "whole.csv").read_text()
    assert len(whole[1]) == 4


def test_a_stopped_training_stays_stopped(tmp_path):
    path = tmp_path / "run.safetensors"

    def go(**options):
        cr.manual_seed(0)
        net = nn.Linear(1, 1)
        x = cr.randn(8, 1)
        callbacks = [train.EarlyStopping("loss", patience=1, min_delta=9), train.Checkpoint(path)]
        history = train.fit(net, (x, x), nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1),
                            epochs=9, callbacks=callbacks, progress=False, **options)  # fmt: skip
        return net.weight.item(), history.rows, history.stopped

    first = go()
    assert first[2] == "no better 'loss' for 2 epochs"
    assert go(resume=True) == first


# ---------------------------------------------------------------- which checkpoints


def simple(callbacks, model=None, resume=False, **options):
    cr.manual_seed(0)
    net = model or nn.Linear(2, 1)
    x = cr.randn(6, 2)
    options = {"epochs": 3, "batch_size": 3, "progress": False, **options}
    return net, train.fit(net, (x, x[:, :1]), nn.MSELoss(), optim.Adam(net.parameters()),
                          callbacks=callbacks, resume=resume, **options)  # fmt: skip


def test_when_it_saves(tmp_path):
    simple([train.Checkpoint(tmp_path / "{epoch}-{step}", every_epochs=2, every_steps=3)])
    assert sorted(os.listdir(tmp_path)) == ["2-3", "2-4", "3-6"]
    with pytest.raises(ValueError, match="every_steps=0"):
        train.Checkpoint("x", every_steps=0)


def test_only_the_best(tmp_path):
    script = iter([2.0, 3.0, 1.0])
    score = lambda run: run.logs.update(score=next(script))  # noqa: E731
    simple([train.Checkpoint(tmp_path / "{epoch}", monitor="score", mode="min"), score])
    assert sorted(os.listdir(tmp_path)) == ["1", "3"]


def test_the_weights_alone(tmp_path):
    path = tmp_path / "run.safetensors"
    net, _ = simple([train.Checkpoint(path)])
    fresh = nn.Linear(2, 1)
    fresh.load_state_dict(cr.load(path)["model"])
    assert cr.equal(fresh.weight, net.weight)


# ---------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": nn.Linear(2, 1, bias=False)}, "does not fit Linear"),
        ({"model": nn.Sequential(nn.Linear(2, 1))}, "missing key '0.weight'"),
        ({"callbacks": []}, r"saved with the callbacks \['Checkpoint'\] \(got \[\]\)"),
        ({"metrics": "mae"}, r"saved with the metrics \[\] \(got \['mae'\]\)"),
    ],
)
def test_a_checkpoint_of_another_training(tmp_path, change, message):
    path = tmp_path / "run.safetensors"
    simple([train.Checkpoint(path)])
    options = {"callbacks": [train.Checkpoint(path)], "model": nn.Linear(2, 1), **change}
    before = [p.detach().numpy().copy() for p in options["model"].parameters()]
    with pytest.raises(ValueError, match=f"is of another training: .*(\n.*)*{message}"):
        simple(**options, resume=path)
    for old, new in zip(before, options["model"].parameters(), strict=True):
        np.testing.assert_array_equal(old, new.detach().numpy())


def test_files_that_are_no_checkpoints(tmp_path):
    path = tmp_path / "weights.safetensors"
    cr.save(nn.Linear(2, 1).state_dict(), path)
    with pytest.raises(ValueError, match="is no checkpoint of a training"):
        simple([], resume=path)
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match="load: "):
        simple([], resume=path)
    with pytest.raises(FileNotFoundError):
        simple([], resume=tmp_path / "missing")


def test_other_data_is_noticed(tmp_path):
    path = tmp_path / "run.safetensors"
    simple([train.Checkpoint(path, every_epochs=0, every_steps=2)], batch_size=2, epochs=1)
    with pytest.raises(ValueError, match="has had 2 batches of this epoch and the data gives 1"):
        simple([train.Checkpoint(path)], resume=path, batch_size=6)


def test_a_run_without_checkpoints_is_not_saved():
    failures = []

    def save(run):
        with pytest.raises(ValueError, match="give fit a Checkpoint"):
            run.state_dict()
        failures.append(run.epoch)

    simple([save])
    assert failures == [1, 2, 3]


# ---------------------------------------------------------------- the outside world


def program(text):
    """A program that trains for ever unless something ends it."""
    return textwrap.dedent(text) + textwrap.dedent("""
        import chainrule as cr
        from chainrule import nn, optim, train
        cr.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        x = cr.randn(400, 2)
        def ready(run):
            if run.epoch == 2:
                print("ready", flush=True)
        history = train.fit(net, (x, x[:, :1]), nn.MSELoss(), optim.Adam(net.parameters()),
                            epochs=EPOCHS, batch_size=4, progress=False, resume=RESUME,
                            callbacks=[ready, train.Checkpoint("run"), train.CSVLog("log.csv")])
        history.to_csv("history.csv")
        weights = [p.tolist() for p in net.parameters()]
        print(history.epochs, history.stopped, weights, flush=True)
    """)


def start(tmp_path, epochs, resume=False, prologue=""):
    text = prologue + program(f"EPOCHS, RESUME = {epochs}, {resume}")
    return subprocess.Popen([sys.executable, "-c", text], cwd=tmp_path, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_cleanly_after_the_step(tmp_path, name):
    process = start(tmp_path, 10**6)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert err == ""
    saved = cr.load(tmp_path / "run")
    epochs = len(saved["history"])
    log = (tmp_path / "log.csv").read_text()
    assert len(log.splitlines()) == epochs + 1
    if name == "SIGINT":  # the program goes on behind fit
        assert process.returncode == 0
        assert out.startswith(f"{epochs} interrupted (Ctrl-C) ")
        assert (tmp_path / "history.csv").read_text() == log
    else:  # who asked the process to end gets its way
        assert process.returncode == -getattr(signal, name)
        return

    # From where it was, in mid-epoch, to the same end as without the break.
    more = str(epochs + 2)
    resumed, _ = start(tmp_path, more, True).communicate(timeout=60)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    whole, _ = start(fresh, more).communicate(timeout=60)
    assert resumed.splitlines()[-1] == whole.splitlines()[-1]
    assert whole.splitlines()[-1].startswith(f"{more} None [")


def test_a_second_interrupt_is_not_held_back(tmp_path):
    slow = "import time\nclass Slow:\n    pass\n"
    text = slow + textwrap.dedent("""
        import chainrule as cr
        from chainrule import nn, optim, train
        net = nn.Linear(1, 1)
        def batches():
            yield cr.ones(1, 1), cr.ones(1, 1)
            print("ready", flush=True)
            time.sleep(60)
        train.fit(net, batches(), nn.MSELoss(), optim.SGD(net.parameters()), progress=False)
    """)
    process = subprocess.Popen([sys.executable, "-c", text], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    for _ in range(2):
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err


def test_handlers_are_put_back_and_others_left_alone():
    seen = []
    own = lambda number, frame: seen.append(number)  # noqa: E731
    before = signal.signal(signal.SIGINT, own)
    try:
        simple([lambda run: os.kill(os.getpid(), signal.SIGINT)], epochs=2)
        assert seen == [signal.SIGINT] * 2
    finally:
        signal.signal(signal.SIGINT, before)
    _, history = simple([lambda run: os.kill(os.getpid(), signal.SIGINT)], epochs=2)
    assert history.stopped == "interrupted (Ctrl-C)"
    assert history.epochs == 1
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        simple([lambda run: os.kill(os.getpid(), signal.SIGINT)], handle_signals=False)


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path):
    """The file size limit makes the write itself fail in the second epoch."""
    text = textwrap.dedent("""
        import resource, warnings
        import chainrule as cr
        from chainrule import nn, optim, train
        net = nn.Linear(100, 100)
        x = cr.randn(4, 100)
        def fill(run):
            if run.epoch == 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        class Fill(train.Callback):
            rank = 3
            def on_epoch_end(self, run):
                fill(run)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = train.fit(net, (x, x), nn.MSELoss(), optim.Adam(net.parameters()), epochs=3,
                                callbacks=[train.Checkpoint("run"), Fill()], progress=False)
        print(history.epochs, len(caught), caught[0].message)
    """)
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60)  # fmt: skip
    assert done.stdout.startswith("3 2 Checkpoint: 'run' could not be written (File too large); ")
    assert os.listdir(tmp_path) == ["run"]
    assert len(cr.load(tmp_path / "run")["history"]) == 1
