"""Unsupervised learning: an RBM fills in the lower half of digits; the score is pixels right.

A restricted Boltzmann machine learns which pixels have ink together, without labels. It is shown
the upper half of a new image and dreams the rest: Gibbs sampling with the upper half held.
"""

import sys
from pathlib import Path

from problem import main
from sklearn.datasets import load_digits

import chainrule as cr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lectures"))
from rbm import RBM

BOUND = 0.8  # the mean image: 0.78


def score(small):
    cr.manual_seed(0)
    images = load_digits().data
    ink = (cr.tensor(images, dtype=cr.float32) > 7).to(cr.float32)
    ink = ink[cr.randperm(len(ink))]
    seen, new = ink[:1400], ink[1400:]
    machine = RBM(64, 64)
    machine.learn(seen, 15 if small else 20, lr=0.1)

    upper = cr.arange(64) < 32
    dream = cr.where(upper, new, seen.mean(0))
    total = cr.zeros_like(new)
    with cr.no_grad():
        for sweep in range(60):
            guess = machine.visible(cr.bernoulli(machine.hidden(dream)))
            dream = cr.where(upper, new, cr.bernoulli(guess))
            total += guess * (sweep >= 10)
    lower = (total / 50 > 0.5) == (new > 0.5)
    return lower[:, 32:].to(cr.float32).mean().item()


if __name__ == "__main__":
    main(score, BOUND)
