"""libdnn's way: three programs and text files, dnn-init (RBM), dnn-train and dnn-predict."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from finding import Finding, main
from sklearn.datasets import load_digits

import chainrule as cr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import dnn_cli


def write_libsvm(path: str, images: cr.Tensor, labels: cr.Tensor) -> None:
    """One line per image: the label, then index:value for every pixel with ink."""
    with open(path, "w", encoding="utf-8") as file:
        for image, label in zip(images.tolist(), labels.tolist(), strict=True):
            cells = [f"{k}:{value:g}" for k, value in enumerate(image, 1) if value]
            file.write(f"{label} {' '.join(cells)}\n")


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.12: libdnn."""
    cr.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    order = cr.randperm(len(labels))
    x, y = cr.tensor(images)[order], cr.tensor(labels)[order]
    nodes = "64-64" if small else "256-256"
    said = StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(said), redirect_stderr(said):
        train, test, first, model, labels = (
            f"{folder}/{name}" for name in ("train", "test", "init.net", "model.net", "labels")
        )
        write_libsvm(train, x[:1400], y[:1400])
        write_libsvm(test, x[1400:], y[1400:])
        codes = [
            dnn_cli.main(["init", train, "--nodes", nodes, "--output", first]),
            dnn_cli.main(["train", train, first, "--output", model]),
            dnn_cli.main(["predict", test, model, "--output", labels]),
        ]
        lines = Path(labels).read_text(encoding="utf-8").split()
    if not small:
        print(said.getvalue(), end="")
    yield Finding("3.12", "libdnn: init, train and predict end well", [0, 0, 0], codes)
    right = (cr.tensor([int(line) for line in lines]) == y[1400:]).to(cr.float32).mean().item()
    yield Finding(
        "3.12", f"libdnn: accuracy of --nodes {nodes} on new digits", "learns", right,
        at_least=0.85,
    )  # fmt: skip


if __name__ == "__main__":
    main(findings)
