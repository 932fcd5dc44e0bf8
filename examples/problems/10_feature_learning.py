"""Feature learning: an autoencoder's code serves a classifier; the score is held-out accuracy.

The code of ten numbers is learnt from 1,400 images without a label; a linear classifier on it sees
only 300 labels.
"""

from problem import main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import nn, optim, train

BOUND = 0.8


def fit(model, x, y, loss, epochs, lr):
    optimizer = optim.Adam(model.parameters(), lr=lr)
    train.fit(model, (x, y), loss, optimizer, epochs=epochs, progress=False)


def score(small):
    cr.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = cr.tensor(images, dtype=cr.float32) / 16, cr.tensor(labels)
    order = cr.randperm(len(y))
    seen, labelled, new = order[:1400], order[:300], order[1400:]

    encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    decoder = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64))
    fit(nn.Sequential(encoder, decoder), x[seen], x[seen], nn.MSELoss(), 8 if small else 40, 0.005)

    code = train.predict(encoder, x)
    code = (code - code[seen].mean(0)) / code[seen].std(0)
    classifier = nn.Linear(10, 10)
    fit(classifier, code[labelled], y[labelled], nn.CrossEntropyLoss(), 20, 0.05)
    return cr.metrics.accuracy_score(y[new], train.predict(classifier, code[new]).argmax(1))


if __name__ == "__main__":
    main(score, BOUND)
