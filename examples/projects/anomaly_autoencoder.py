"""Faults of a machine that nobody has labelled: what an autoencoder cannot rebuild is unusual.

It learns to squeeze healthy vibrations through four numbers. What it has never seen does not fit
through, and the error of the rebuilt curve is the alarm.
"""

import math
import sys

import chainrule as cr
from chainrule import nn, optim

SAMPLES = 64


def healthy(count):
    """Vibrations of one frequency with its overtone, of any phase and strength."""
    time = cr.linspace(0, 2 * math.pi, SAMPLES)
    phase = 2 * math.pi * cr.rand(count, 1)
    strength = 0.7 + 0.6 * cr.rand(count, 1)
    curve = (2 * time + phase).sin() + 0.4 * (4 * time + 2 * phase).sin()
    return strength * curve + 0.1 * cr.randn(count, SAMPLES)


def faulty(count):
    """A third knocks once, a third rattles, a third runs too fast."""
    curves = healthy(count)
    time = cr.linspace(0, 2 * math.pi, SAMPLES)
    third = count // 3
    knock = cr.randint(0, SAMPLES, (third, 1)) == cr.arange(SAMPLES)
    curves[:third] += 0.7 * knock
    curves[third : 2 * third] += 0.1 * (11 * time).sin()
    curves[2 * third :] = (3 * time + 2 * math.pi * cr.rand(count - 2 * third, 1)).sin()
    return curves


def run(small=False):
    """Return the area under the ROC curve of the alarm."""
    cr.manual_seed(0)
    curves = healthy(1000 if small else 4000)
    model = nn.Sequential(
        nn.Linear(SAMPLES, 32), nn.Tanh(), nn.Linear(32, 4),
        nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, SAMPLES),
    )  # fmt: skip
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    history = cr.train.fit(
        model,
        (curves, curves),
        nn.MSELoss(),
        optimizer,
        epochs=40,
        validation=(held := healthy(300), held),
        callbacks=[cr.train.EarlyStopping(patience=8)],
        progress=False,
    )
    print(f"{history.epochs} epochs; error on healthy curves {history['val_loss'][-1]:.3f}")

    curves = cr.cat([healthy(300), faulty(300)])
    fault = cr.arange(600) >= 300
    alarm = (cr.train.predict(model, curves) - curves).square().mean(1)
    auc = cr.metrics.roc_auc_score(fault, alarm)
    limit = alarm[:300].quantile(0.99)
    print(f"area under the ROC curve: {auc:.3f}")
    found = (alarm[300:] > limit).float().mean().item()
    print(f"with one false alarm in a hundred, {found:.0%} of the faults are found")
    return auc


if __name__ == "__main__":
    run(small="--small" in sys.argv)
