"""A network solves the heat equation without data: its loss is how much it breaks the law.

A rod, hot in the middle, with cold ends: ``u_t = a u_xx`` with ``u(x, 0) = sin(pi x)``. The second
derivative in space comes from differentiating the gradient once more (Raissi et al., 2019).
"""

import math
import sys

import chainrule as cr
from chainrule import nn, optim
from chainrule.autograd import grad

A = 1 / math.pi**2  # then the solution is exp(-t) sin(pi x)


class Rod(nn.Module):
    """The temperature; what is known of it is built in, and the network adds the rest."""

    def __init__(self, width=24):
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, x, t):
        free = self.network(cr.cat([x, t], 1))
        return (math.pi * x).sin() + t * x * (1 - x) * free  # right at t = 0, x = 0 and x = 1


def residual(model, x, t):
    """Return u_t - a u_xx, zero where the law holds."""
    x, t = x.requires_grad_(), t.requires_grad_()
    u = model(x, t)
    u_x, u_t = grad(u.sum(), (x, t), create_graph=True)
    (u_xx,) = grad(u_x.sum(), x, create_graph=True)
    return u_t - A * u_xx


def run(small=False):
    """Return the largest error against the exact solution."""
    cr.manual_seed(0)
    model = Rod().double()
    points = cr.rand(200 if small else 1000, 2, dtype=cr.float64)  # places and times
    optimizer = optim.LBFGS(model.parameters(), max_iter=20, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = residual(model, points[:, :1], points[:, 1:]).square().mean()
        loss.backward()
        return loss

    rounds = 5 if small else 25
    for i in range(rounds):
        loss = optimizer.step(closure)
        print(f"after {20 * i:3} steps the law is broken by {loss.item() ** 0.5:.1e}")

    x, t = cr.meshgrid(
        cr.linspace(0, 1, 51, dtype=cr.float64),
        cr.linspace(0, 1, 51, dtype=cr.float64),
        indexing="ij",
    )
    with cr.no_grad():
        u = model(x.reshape(-1, 1), t.reshape(-1, 1)).reshape(51, 51)
    error = (u - (-t).exp() * (math.pi * x).sin()).abs().max().item()
    print(f"largest error against exp(-t) sin(pi x): {error:.1e}")
    return error


if __name__ == "__main__":
    run(small="--small" in sys.argv)
