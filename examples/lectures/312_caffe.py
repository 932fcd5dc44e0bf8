"""Caffe's way: a solver's text file says how LeNet is trained, here with the step policy."""

from collections.abc import Iterator

from caffe_solver import LENET_SOLVER, Solver, lenet
from finding import Finding, main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import Tensor, nn


def digits() -> tuple[Tensor, Tensor]:
    """The bundled digits, enlarged to LeNet's 28 x 28, in random order."""
    images, labels = load_digits(return_X_y=True)
    order = cr.randperm(len(labels))
    x = cr.tensor(images, dtype=cr.float32)[order].reshape(-1, 1, 8, 8) / 16
    large = nn.functional.interpolate(x, size=(28, 28), mode="bilinear")
    return large, cr.tensor(labels)[order]


def updates_differ(lr_policy: str) -> float:
    """Ten updates of Caffe's solver against torch's SGD with StepLR, at worst."""
    weights = []
    for rule in ("Caffe", "torch"):
        cr.manual_seed(1)
        net = nn.Linear(5, 3, dtype=cr.float64)
        text = f"""
            base_lr: 0.1
            lr_policy: "{lr_policy}"
            stepsize: 5
            momentum: 0.9
            weight_decay: 0.005"""
        solver = Solver(text, net)
        optimizer = cr.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.005)
        schedule = cr.optim.lr_scheduler.StepLR(optimizer, 5 if lr_policy == "step" else 100)
        for _ in range(10):
            net.zero_grad()
            (net(cr.randn(8, 5, dtype=cr.float64)) ** 2).mean().backward()
            if rule == "Caffe":
                solver.apply_update()
            else:
                optimizer.step()
                schedule.step()
        weights.append(net.weight.detach())
    return (weights[0] - weights[1]).abs().max().item()


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.12: Caffe."""
    cr.manual_seed(0)
    x, y = digits()
    net = lenet()
    text = LENET_SOLVER
    if small:
        text = text.replace("max_iter: 200", "max_iter: 100").replace("size: 100", "size: 60")
    solver = Solver(text, net)
    batches = ((x[i], y[i]) for _ in iter(int, 1) for i in [cr.randint(0, 1400, (32,))])
    log: list[str] = []
    solver.solve(batches, nn.functional.cross_entropy, log.append)
    if not small:
        print("\n".join(log))

    count = sum(p.numel() for p in net.parameters())
    yield Finding("3.12", "Caffe: the parameters of its LeNet", 431080, count)
    step, last = solver.param.stepsize, solver.param.max_iter
    yield Finding("3.12", "Caffe: iterations solved", last, solver.iteration)
    rates = [solver.param.rate(i) for i in (0, step - 1, step, 2 * step)]
    yield Finding(
        "3.12",
        "Caffe: the rate at first, before a step, after it, after the next",
        "base_lr gamma^(floor(iter / stepsize))",
        rates,
        [0.01, 0.01, 0.001, 0.0001],
        within=1e-15,
    )
    with cr.no_grad():
        right = (net(x[1400:]).argmax(1) == y[1400:]).to(cr.float32).mean().item()
    yield Finding(
        "3.12", "Caffe: LeNet's accuracy on 397 new digits", "learns", right, at_least=0.8
    )
    yield Finding(
        "3.12",
        "Caffe: at one rate its updates less torch's SGD",
        0.0,
        updates_differ("fixed"),
        within=1e-15,
    )
    yield Finding(
        "3.12",
        "Caffe: once the rate falls they part, for Caffe's momentum holds the old rate",
        True,
        updates_differ("step") > 1e-3,
    )


if __name__ == "__main__":
    main(findings)
