"""Lesson 8: a CSV file of your own, through a scikit-learn pipeline.

`python 08_own_csv.py FILE.csv COLUMN` learns to say COLUMN from the others; without arguments the
file is made up."""

import csv
import math
import os
import sys
import tempfile

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import chainrule as cr
from chainrule.sklearn import MLPClassifier


def make_up(path: str, rows: int = 600) -> None:
    """Write a table of flats, with holes; whether one is let follows from the rest."""
    rng = np.random.default_rng(0)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rooms", "rent", "district", "let"])
        for _ in range(rows):
            rooms, place = rng.integers(1, 6), rng.choice(["harbour", "park", "station"])
            rent = round(300 * rooms + 200 * (place == "park") + rng.normal(0, 150))
            let = "yes" if rent < 300 * rooms + 200 * (place != "station") else "no"
            writer.writerow([rooms, "" if rng.random() < 0.05 else rent, place, let])


def is_number(path: str, name: str) -> bool:
    try:
        cr.io.read_csv(path, columns=[name], missing=math.nan)
    except ValueError:
        return False
    return True


path, wanted = ([arg for arg in sys.argv[1:] if not arg.startswith("--")] + ["", ""])[:2]
if not path:
    path, wanted = os.path.join(tempfile.mkdtemp(), "flats.csv"), "let"
    make_up(path)
with open(path, newline="", encoding="utf-8-sig") as file:
    names = [name.strip() for name in next(csv.reader(file))]
if wanted not in names:
    sys.exit(f"no column {wanted!r} in {path}; expected one of {names}")
words = [name for name in names if name == wanted or not is_number(path, name)]
table = cr.io.read_csv(path, categories=words, missing=math.nan)
inputs = [name for name in names if name != wanted]
numbers = [i for i, name in enumerate(inputs) if name not in words]
X = table.columns(inputs)
y = np.array(table.categories[wanted])[table.columns(wanted).astype(int)]
print(f"{len(X)} rows; {wanted!r} is one of {table.categories[wanted]}")
print(f"missing numbers: {np.isnan(X).sum()}; the median of the column stands for each")

columns = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    (OneHotEncoder(handle_unknown="ignore"), [i for i in range(len(inputs)) if i not in numbers]),
    sparse_threshold=0,
)
network = MLPClassifier((32,), dropout=0.1, learning_rate_init=0.01, tol=1e-3, random_state=0)
model = make_pipeline(columns, network)
train_X, test_X, train_y, test_y = train_test_split(X, y, random_state=0, stratify=y)
model.fit(train_X, train_y)
print(f"right on rows it has not seen: {model.score(test_X, test_y):.1%}")
