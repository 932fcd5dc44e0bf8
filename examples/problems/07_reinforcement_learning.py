"""Reinforcement learning: balance a pole by REINFORCE; the score is the share of 200 steps held.

Thirty-two carts at once (Barto, Sutton and Anderson, 1983), simulated in NumPy.
"""

import numpy as np
from problem import main

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.6
CARTS, STEPS = 32, 200


def move(state, action):
    """One fiftieth of a second: place, speed, angle and its speed under a push of 10 N."""
    _, v, angle, spin = state.T
    push = (np.where(action, 10.0, -10.0) + 0.05 * spin**2 * np.sin(angle)) / 1.1
    turn = 9.8 * np.sin(angle) - np.cos(angle) * push
    turn /= 0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
    pull = push - 0.05 * turn * np.cos(angle) / 1.1
    return state + 0.02 * np.stack([v, pull, spin, turn], 1)


def play(policy, rng):
    """Log-probabilities of the actions and which carts stood, both (steps, carts)."""
    state = rng.uniform(-0.05, 0.05, (CARTS, 4))
    up, logs, standing = np.ones(CARTS, bool), [], []
    while up.any() and len(logs) < STEPS:
        log = nn.functional.log_softmax(policy(cr.tensor(state, dtype=cr.float32)), 1)
        action = cr.multinomial(log.detach().exp(), 1)
        logs.append(log.gather(1, action)[:, 0])
        standing.append(up)
        state = move(state, action[:, 0].numpy())
        up = up & (abs(state[:, 0]) < 2.4) & (abs(state[:, 2]) < 0.2095)
    return cr.stack(logs), cr.tensor(np.stack(standing), dtype=cr.float32)


def score(small):
    cr.manual_seed(0)
    rng = np.random.default_rng(0)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = optim.Adam(policy.parameters(), lr=0.02)
    for _ in range(25 if small else 60):
        logs, standing = play(policy, rng)
        left = standing.flip(0).cumsum(0).flip(0)  # steps still to come: the return
        usual = (left * standing).sum(1, keepdim=True) / standing.sum(1, keepdim=True)
        loss = -(logs * (left - usual) * standing).sum() / standing.sum() / 20
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with cr.no_grad():
        return play(policy, rng)[1].sum(0).mean().item() / STEPS


if __name__ == "__main__":
    main(score, BOUND)
