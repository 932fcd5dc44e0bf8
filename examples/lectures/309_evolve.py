"""How many layers, how many neurons? Evolution finds a structure; a designed one is the CNN.

The lecture's FAQ: by trial and intuition, by evolutionary networks, or by design. A population of
networks varies in depth, width and activation; each is trained a little, in a pool of processes.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from evolution import Structure, digits_data, evolve, fitness
from finding import Finding, main

import chainrule as cr
from chainrule import nn


def designed() -> nn.Sequential:
    """A designed structure: neurons that share their weights and see one place, a CNN."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.9."""
    say = (lambda line: None) if small else print
    spawn = multiprocessing.get_context("spawn")  # a fork would copy a running thread pool
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        best, scores = evolve(
            Structure(0, 1, "Identity"), "XOR", pool, population=12, generations=6, say=say
        )
        yield Finding(
            "3.9",
            "XOR, first generation: networks without a hidden layer reach 1",
            False,
            scores[0] == 1,
        )
        yield Finding("3.9", "XOR, last generation: the best accuracy", 1.0, scores[-1])
        yield Finding(
            "3.9",
            "evolution found a hidden layer and an activation that is not linear",
            True,
            best.depth >= 1 and best.activation != "Identity" and best.width >= 2,
        )
        again = pool.submit(fitness, best, "XOR", 0).result()
        yield Finding("3.9", "the fittest structure trained once more: accuracy", 1.0, again)
        rounds = 6 if small else 12
        best, scores = evolve(
            Structure(1, 2, "Sigmoid"), "digits", pool, population=10, generations=rounds, say=say
        )
    yield Finding(
        "3.9",
        "digits, from two hidden neurons on: evolution raises the accuracy by over 0.2, never down",
        True,
        scores == sorted(scores) and scores[-1] > scores[0] + 0.2,
    )
    yield Finding(
        "3.9", "digits: the best accuracy", "found automatically", scores[-1], at_least=0.8
    )

    x, y, test_x, test_y = digits_data()
    cr.manual_seed(0)
    cnn = designed()
    optimizer = cr.optim.Adam(cnn.parameters(), lr=0.01)
    for _ in range(160):
        batch = cr.randperm(len(y))[:64]
        optimizer.zero_grad()
        nn.functional.cross_entropy(cnn(x[batch]), y[batch]).backward()
        optimizer.step()
    right = (cnn(test_x).argmax(1) == test_y).to(cr.float32).mean().item()
    yield Finding("3.9", "digits: the designed CNN's accuracy", "designed", right, at_least=0.9)
    weights = [
        sum(p.numel() for p in net.parameters())
        for net in (cnn, Structure(1, 32, "ReLU").net(64, 10))
    ]
    yield Finding(
        "3.9",
        "parameters: of the CNN, of a net with 32 hidden neurons",
        "not given",
        weights,
        [1370, 2410],
    )


if __name__ == "__main__":
    main(findings)
