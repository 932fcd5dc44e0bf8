"""Online learning: examples come once and are forgotten; the score is accuracy on what comes next.

Each batch is first predicted, then learnt by partial_fit. Halfway the world changes: the classes
change places, and the network follows.
"""

import numpy as np
from problem import main

import chainrule as cr
from chainrule.sklearn import MLPClassifier

BOUND = 0.85


def score(small):
    cr.manual_seed(0)
    rng = np.random.default_rng(0)
    model = MLPClassifier(hidden_layer_sizes=(32,), learning_rate_init=0.03, random_state=0)
    batches, right = 160 if small else 300, []
    for k in range(batches):
        x = rng.normal(size=(32, 2)).astype(np.float32)
        y = (x[:, 0] * x[:, 1] > 0) ^ (k >= batches // 2)  # XOR, then its opposite
        if k:
            right.append((model.predict(x) == y).mean())
        model.partial_fit(x, y, classes=[False, True])
    half, settle = batches // 2, batches // 4
    return float(np.mean(right[settle:half] + right[half + settle :]))


if __name__ == "__main__":
    main(score, BOUND)
