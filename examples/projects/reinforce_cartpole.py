"""REINFORCE: a network learns to balance a pole on a cart from nothing but how long it stands.

Actions that were followed by more reward than usual are made more probable (Williams, 1992). Many
carts run side by side, so that a step of all of them is one call of the network.
"""

import sys

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F


def step_carts(state, right):
    """Move carts on by 0.02 s; position, speed, angle and turning speed are the columns.

    The equations and constants are those of Barto, Sutton and Anderson (1983).
    """
    _, v, angle, w = state.T
    push = np.where(right, 10.0, -10.0)
    sin, cos = np.sin(angle), np.cos(angle)
    pulled = (push + 0.05 * w**2 * sin) / 1.1  # a pole of 0.1 kg and 1 m on a cart of 1 kg
    turning = (9.8 * sin - cos * pulled) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    speeding = pulled - 0.05 * turning * cos / 1.1
    state = state + 0.02 * np.stack([v, speeding, w, turning], 1)
    standing = (np.abs(state[:, 0]) < 2.4) & (np.abs(state[:, 2]) < np.radians(12))
    return state, standing


def play(policy, carts, steps, rng):
    """Return states, actions, and whether the pole stood before them, each (steps, carts, ...)."""
    state = rng.uniform(-0.05, 0.05, (carts, 4))
    standing = np.ones(carts, bool)
    states, actions, alive = [], [], []
    while standing.any() and len(states) < steps:
        with cr.no_grad():
            chances = policy(cr.tensor(state, dtype=cr.float32)).softmax(1).numpy()
        right = rng.random(carts) < chances[:, 1]
        states.append(state)
        actions.append(right)
        alive.append(standing)
        state, stands = step_carts(state, right)
        standing = standing & stands
    return np.array(states), np.array(actions), np.array(alive)


def run(small=False):
    """Return how many steps the pole stands at the end, on average."""
    cr.manual_seed(0)
    rng = np.random.default_rng(0)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = optim.Adam(policy.parameters(), lr=0.02)
    rounds, steps = (40, 200) if small else (100, 500)
    for i in range(rounds):
        states, actions, alive = play(policy, 24, steps, rng)
        # The reward still to come, one for each step, the later the less it counts.
        returns = np.zeros(alive.shape)
        coming = np.zeros(alive.shape[1])
        for t in reversed(range(len(alive))):
            returns[t] = coming = alive[t] + 0.98 * coming * alive[t]
        usual = returns[alive].mean()
        advantage = cr.tensor((returns[alive] - usual) / returns[alive].std(), dtype=cr.float32)
        # cross_entropy is minus the logarithm of the chosen action's probability.
        logits = policy(cr.tensor(states[alive], dtype=cr.float32))
        surprise = F.cross_entropy(logits, cr.tensor(actions[alive]).long(), reduction="none")
        optimizer.zero_grad()
        (surprise * advantage).mean().backward()
        optimizer.step()
        if i % (rounds // 5) == 0:
            print(f"round {i:3}: the pole stands for {alive.sum(0).mean():5.1f} steps")
    stood = float(play(policy, 100, steps, rng)[2].sum(0).mean())
    print(f"in the end:  {stood:.1f} of {steps}")
    return stood


if __name__ == "__main__":
    run(small="--small" in sys.argv)
