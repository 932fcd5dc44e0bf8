"""Tomorrow's demand for electricity: an LSTM reads two days of hours and says the next one.

A forecast is worth something if it beats the simplest rules: "as at this hour yesterday", and "as
an hour ago".
"""

import math
import sys

import chainrule as cr
from chainrule import nn, optim

WINDOW = 48


def make_series(days):
    """Hourly demand: a daily and a weekly cycle, weather that drifts slowly, and noise."""
    hour = cr.arange(24 * days).float()
    daily = (2 * math.pi * hour / 24).sin()
    weekly = cr.where(hour // 24 % 7 < 5, 1.0, 0.4)
    weather = cr.randn(24 * days).cumsum(0) * 0.03
    return weekly * (1 + daily) + weather + 0.05 * cr.randn(24 * days)


class Forecaster(nn.Module):
    """The last state of an LSTM says by how much the next value differs from the last one."""

    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 1)

    def forward(self, window):
        states, _ = self.lstm(window.unsqueeze(2))
        return window[:, -1:] + self.output(states[:, -1])


def run(small=False):
    """Return the error as a share of that of the better simple rule."""
    cr.manual_seed(0)
    series = make_series(days=90 if small else 365)
    series = (series - series.mean()) / series.std()
    split = int(0.8 * len(series))  # the past to learn from, the future to be judged by
    train = cr.data.WindowDataset(series[:split], WINDOW)
    test = cr.data.WindowDataset(series[split:], WINDOW)
    model = Forecaster()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loss = nn.MSELoss()
    cr.train.fit(
        model,
        train,
        loss,
        optimizer,
        epochs=4 if small else 15,
        callbacks=[cr.train.ClipGradNorm(1.0)],
        progress=False,
    )
    error = cr.train.evaluate(model, test, loss, metrics="rmse")["rmse"]
    future = series[split:]
    day = cr.metrics.root_mean_squared_error(future[24:], future[:-24])
    hour = cr.metrics.root_mean_squared_error(future[1:], future[:-1])
    print(f"{len(train)} windows to learn from, {len(test)} to be judged by")
    print(f"error of 'as at this hour yesterday': {day:.3f}")
    print(f"error of 'as an hour ago':            {hour:.3f}")
    print(f"error of the LSTM:                    {error:.3f}")
    return error / min(day, hour)


if __name__ == "__main__":
    run(small="--small" in sys.argv)
