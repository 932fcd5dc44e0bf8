"""Classification: which digit is it? A multi-layer perceptron; the score is held-out accuracy."""

from problem import main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import nn, optim, train

BOUND = 0.93


def score(small):
    cr.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = cr.tensor(images, dtype=cr.float32) / 16, cr.tensor(labels)
    order = cr.randperm(len(y))
    seen, new = order[:1400], order[1400:]
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    epochs = 5 if small else 30
    train.fit(
        model, (x[seen], y[seen]), nn.CrossEntropyLoss(), optimizer, epochs=epochs, progress=False
    )
    guesses = train.predict(model, x[new]).argmax(1)
    return cr.metrics.accuracy_score(y[new], guesses)


if __name__ == "__main__":
    main(score, BOUND)
