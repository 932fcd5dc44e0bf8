"""Lesson 6: a network that solves y'' = -y by differentiating itself twice.

No data: the loss is how far the network is from obeying the equation. The answer is sin(t).
After Lagaris, Likas & Fotiadis, Artificial neural networks for solving ordinary and partial
differential equations (1998).
"""

import sys

import chainrule as cr
from chainrule import nn, optim

steps = 150 if "--small" in sys.argv else 1500
cr.manual_seed(0)
network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = optim.Adam(network.parameters(), lr=5e-3)
t = cr.linspace(0, 3, 64).unsqueeze(1).requires_grad_()


def y(t: cr.Tensor) -> cr.Tensor:
    """A guess with y(0) = 0 and y'(0) = 1 built in, whatever the network says."""
    correction: cr.Tensor = network(t)
    return t + t**2 * correction


def derivative(value: cr.Tensor) -> cr.Tensor:
    """dvalue/dt at every t at once; the graph is kept, so that it can be differentiated again."""
    (slope,) = cr.autograd.grad(value.sum(), t, create_graph=True)
    return slope


for step in range(steps):
    value = y(t)
    loss = (derivative(derivative(value)) + value).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % (steps // 5) == 0:
        print(f"step {step:4}  loss {loss.item():.6f}")

with cr.no_grad():
    error = (y(t) - cr.sin(t)).abs().max().item()
print(f"largest error against sin(t) on [0, 3]: {error:.5f}")
assert error < 0.1
