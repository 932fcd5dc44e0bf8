"""The digit recogniser project, as the command ``chainrule digits`` trains it.

With ``--csv train.csv`` it learns from the files of Kaggle's Digit Recognizer, and with ``--test
test.csv`` writes a submission. Here scikit-learn's digits are written in that form.
"""

import contextlib
import csv
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from finding import Finding, main

import chainrule as cr
from chainrule.__main__ import main as chainrule

HELD_OUT = 297


def bundled() -> tuple[cr.Tensor, cr.Tensor]:
    """Pictures (1797, 64) with ink from 0 to 255, and the digits they show."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (cr.tensor(data.data) * 255 / 16).round().long(), cr.tensor(data.target)


def write(path: Path, pictures: cr.Tensor, labels: cr.Tensor | None = None) -> None:
    """A file in Kaggle's form: label,pixel0,pixel1,... or without the label."""
    names = [f"pixel{k}" for k in range(pictures.shape[1])]
    if labels is not None:
        names, pictures = ["label", *names], cr.cat([labels[:, None], pictures], 1)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *pictures.tolist()])


def submission(pictures: cr.Tensor, labels: cr.Tensor, epochs: int) -> list[list[str]]:
    """The lines of the submission for the last pictures, after learning from the others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "train.csv", pictures[:-HELD_OUT], labels[:-HELD_OUT])
        write(folder / "test.csv", pictures[-HELD_OUT:])
        command = ["digits", "--csv", f"{folder}/train.csv", "--test", f"{folder}/test.csv"]
        command += ["--out", f"{folder}/model", "--report", f"{folder}/report.png", "--quiet"]
        command += ["--submission", f"{folder}/s.csv", "--epochs", str(epochs)]
        with contextlib.redirect_stdout(io.StringIO()):
            code = chainrule([*command, "--batch-size", "32"])
        assert code == 0
        with open(folder / "s.csv", newline="") as file:
            return list(csv.reader(file))


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.12."""
    pictures, labels = bundled()
    (head, *rows) = submission(pictures, labels, epochs=10 if small else 30)
    yield Finding("0.12", "the submission's head", "ImageId,Label", ",".join(head))
    yield Finding(
        "0.12",
        "its pictures: the first, the last",
        [1, HELD_OUT],
        [int(rows[0][0]), int(rows[-1][0])],
    )
    answers = cr.tensor([int(row[1]) for row in rows])
    yield Finding(
        "0.12",
        "over 90 % of the digits it was not shown are right",
        True,
        cr.metrics.accuracy_score(labels[-HELD_OUT:], answers) > 0.9,
    )


if __name__ == "__main__":
    main(findings)
