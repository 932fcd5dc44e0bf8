"""Two networks play against each other until one draws points like those of the two moons.

The generator makes points out of noise; the critic says which points are real; each learns from
the other (Goodfellow et al., 2014).
"""

import sys

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F

NOISE = 4


def network(inputs, outputs, width=64):
    return nn.Sequential(
        nn.Linear(inputs, width), nn.LeakyReLU(0.2),
        nn.Linear(width, width), nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )  # fmt: skip


def distance(points, others):
    """The energy distance of two samples: zero if and only if they have the same distribution."""
    across = cr.cdist(points, others).mean()
    within = cr.cdist(points, points).mean() + cr.cdist(others, others).mean()
    return (2 * across - within).item()


def run(small=False):
    """Return how far the points are from the moons in the end, as a share of the beginning."""
    cr.manual_seed(0)
    real, _ = cr.datasets.moons(2000, noise=0.05)
    generator, critic = network(NOISE, 2), network(2, 1)
    make = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    judge = optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))

    def draw(count):
        return generator(cr.randn(count, NOISE))

    with cr.no_grad():
        before = distance(draw(500), real[:500])
    steps = 600 if small else 4000
    for step in range(steps):
        batch = real[cr.randint(0, len(real), (128,))]
        fake = draw(128)

        # The critic: real points up, made ones down; softplus(-z) is -log(sigmoid(z)).
        loss = F.softplus(-critic(batch)).mean() + F.softplus(critic(fake.detach())).mean()
        judge.zero_grad()
        loss.backward()
        judge.step()

        # The generator: the critic shall take its points for real.
        fooled = F.softplus(-critic(fake)).mean()
        make.zero_grad()
        fooled.backward()
        make.step()
        if step % (steps // 4) == 0:
            print(f"step {step:4}  critic {loss.item():.3f}  generator {fooled.item():.3f}")

    with cr.no_grad():
        points = draw(500)
    after = distance(points, real[:500])
    near = (cr.cdist(points, real).amin(1) < 0.15).float().mean().item()
    reached = (cr.cdist(real, points).amin(1) < 0.15).float().mean().item()
    print(f"energy distance from {before:.3f} to {after:.3f}")
    print(f"{near:.0%} of the points lie at the moons, and {reached:.0%} of the moons have points")
    return after / before


if __name__ == "__main__":
    run(small="--small" in sys.argv)
