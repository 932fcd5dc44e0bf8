"""Evolution of a network's structure: the fittest survive and have slightly different children.

In a module of its own, for the processes of a pool import it by name.
"""

import functools
import random
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import Tensor, nn

ACTIVATIONS = {"Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh, "ReLU": nn.ReLU, "Identity": nn.Identity}
WIDTHS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Structure:
    """How many hidden layers, how many neurons in each, and their activation."""

    depth: int
    width: int
    activation: str

    def net(self, inputs: int, outputs: int) -> nn.Sequential:
        """A network of this structure, its weights at random."""
        net = nn.Sequential()
        for _ in range(self.depth):
            net.append(nn.Linear(inputs, self.width))
            net.append(ACTIVATIONS[self.activation]())
            inputs = self.width
        net.append(nn.Linear(inputs, outputs))
        return net

    def child(self, rng: random.Random) -> "Structure":
        """This structure with one of its three traits changed."""
        trait = rng.choice(["depth", "width", "activation"])
        if trait == "depth":
            return replace(self, depth=max(0, min(3, self.depth + rng.choice([-1, 1]))))
        if trait == "width":
            place = WIDTHS.index(self.width) + rng.choice([-1, 1])
            return replace(self, width=WIDTHS[max(0, min(len(WIDTHS) - 1, place))])
        return replace(self, activation=rng.choice(list(ACTIVATIONS)))


def xor_data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four examples, to learn and to be judged by."""
    x = cr.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = cr.tensor([0, 1, 1, 0])
    return x, y, x, y


@functools.cache
def digits_data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Six hundred images to learn, three hundred others to be judged by."""
    images, labels = load_digits(return_X_y=True)
    order = cr.randperm(len(labels), generator=cr.Generator().manual_seed(0))
    x, y = cr.tensor(images, dtype=cr.float32)[order] / 16, cr.tensor(labels)[order]
    return x[:600], y[:600], x[600:900], y[600:900]


# Data, outputs, steps of training.
TASKS = {"XOR": (xor_data, 2, 120), "digits": (digits_data, 10, 80)}


def fitness(structure: Structure, task: str, seed: int) -> float:
    """The accuracy after a short training."""
    cr.set_num_threads(1)  # the pool has a process for each core
    cr.manual_seed(seed)
    data, outputs, steps = TASKS[task]
    x, y, test_x, test_y = data()
    net = structure.net(x.shape[1], outputs)
    optimizer = cr.optim.Adam(net.parameters(), lr=0.05 if task == "XOR" else 0.01)
    for _ in range(steps):
        batch = cr.randperm(len(y))[:64]
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
        optimizer.step()
    with cr.no_grad():
        return (net(test_x).argmax(1) == test_y).to(cr.float32).mean().item()


def evolve(
    first: Structure,
    task: str,
    pool: Executor,
    *,
    population: int,
    generations: int,
    seed: int = 0,
    say: Callable[[str], object] = lambda line: None,
) -> tuple[Structure, list[float]]:
    """The fittest structure, and the best fitness of each generation.

    All begin as the first structure; the better half of each generation lives on and has children.
    """
    rng = random.Random(seed)
    living = [first] * population
    best: list[float] = []
    known: dict[Structure, float] = {}
    for generation in range(generations):
        new = sorted({s for s in living if s not in known}, key=str)
        scores = pool.map(fitness, new, [task] * len(new), [seed] * len(new))
        known.update(zip(new, scores, strict=True))
        living = sorted(living, key=lambda s: known[s], reverse=True)
        best.append(known[living[0]])
        say(f"generation {generation}: {best[-1]:.3f} {living[0]}")
        half = living[: population // 2]
        # Children first: of equals the younger lives on, so that traits without effect drift.
        living = [parent.child(rng) for parent in half] + half
    return max(known, key=lambda s: known[s]), best
