"""A restricted Boltzmann machine, and a deep net that begins from a stack of them (2006)."""

from itertools import pairwise

import chainrule as cr
from chainrule import Tensor, nn


class RBM(nn.Module):
    """Visible units v and hidden units h, joined by one matrix; Hinton (2002).

    p(h = 1 | v) = sigma(v W^T + c) and p(v = 1 | h) = sigma(h W + b). The weight and the hidden
    bias are those of an `nn.Linear`, so that a trained machine is a layer of a network.
    """

    def __init__(self, visible: int, hidden: int) -> None:
        super().__init__()
        self.layer = nn.Linear(visible, hidden)
        nn.init.normal_(self.layer.weight, std=0.01)
        nn.init.zeros_(self.layer.bias)
        self.visible_bias = nn.Parameter(cr.zeros(visible))

    def hidden(self, v: Tensor) -> Tensor:
        """p(h = 1 | v)."""
        return cr.sigmoid(self.layer(v))

    def visible(self, h: Tensor) -> Tensor:
        """p(v = 1 | h)."""
        return cr.sigmoid(h @ self.layer.weight + self.visible_bias)

    def reconstruct(self, v: Tensor) -> Tensor:
        """What one step to the hidden units and back makes of v."""
        return self.visible(self.hidden(v))

    @cr.no_grad()
    def contrastive_divergence(self, v: Tensor) -> list[Tensor]:
        """CD-1: minus (the data's correlations less the reconstruction's), per parameter."""
        h = self.hidden(v)
        v1 = self.visible(cr.bernoulli(h))
        h1 = self.hidden(v1)
        n = len(v)
        return [(v1 - v).mean(0), (h1.T @ v1 - h.T @ v) / n, (h1 - h).mean(0)]

    def learn(self, data: Tensor, epochs: int, *, lr: float = 0.5, batch_size: int = 32) -> None:
        """Descend by contrastive divergence, with momentum."""
        parameters = [self.visible_bias, self.layer.weight, self.layer.bias]
        optimizer = cr.optim.SGD(parameters, lr=lr, momentum=0.5)
        for _ in range(epochs):
            for batch in data[cr.randperm(len(data))].split(batch_size):
                steps = self.contrastive_divergence(batch)
                for parameter, step in zip(parameters, steps, strict=True):
                    parameter.grad = step
                optimizer.step()


def pretrain(sizes: list[int], data: Tensor, epochs: int, *, lr: float = 0.5) -> list[RBM]:
    """A machine for each pair of sizes; each learns from the hidden units of the one before."""
    machines = []
    for visible, hidden in pairwise(sizes):
        machine = RBM(visible, hidden)
        machine.learn(data, epochs, lr=lr)
        with cr.no_grad():
            data = machine.hidden(data)
        machines.append(machine)
    return machines


def network(machines: list[RBM], outputs: int) -> nn.Sequential:
    """The machines' layers, each with its sigmoid, and a new layer for the classes on top."""
    net = nn.Sequential()
    for machine in machines:
        net.append(machine.layer)
        net.append(nn.Sigmoid())
    net.append(nn.Linear(machines[-1].layer.out_features, outputs))
    return net
