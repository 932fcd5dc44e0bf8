"""Anomaly detection: an autoencoder of zeros rebuilds other digits badly; the score is ROC AUC."""

from problem import main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import nn, optim, train

BOUND = 0.95


def score(small):
    cr.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = cr.tensor(images, dtype=cr.float32) / 16, cr.tensor(labels)
    normal = x[y == 0]
    seen, new = normal[:120], cr.cat([normal[120:], x[y != 0]])
    anomalous = cr.arange(len(new)) >= len(normal) - 120

    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 4), nn.Linear(4, 64))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    epochs = 40 if small else 150
    train.fit(model, (seen, seen), nn.MSELoss(), optimizer, epochs=epochs, progress=False)
    error = (train.predict(model, new) - new).square().mean(1)
    return cr.metrics.roc_auc_score(anomalous, error)


if __name__ == "__main__":
    main(score, BOUND)
