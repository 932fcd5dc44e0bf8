"""Three steps of deep learning: a set of functions, the goodness of a function, the best function.

Step 1: a network with parameters theta is a set of functions, one for each theta. Step 2: the total
loss L(theta) = sum of l^n over the examples says how bad each is. Step 3: gradient descent,
theta^1 = theta^0 - eta grad L(theta^0), looks for the best.
"""

from collections.abc import Iterator
from itertools import pairwise

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn.utils import parameters_to_vector, vector_to_parameters

DOUBLE = {"dtype": cr.float64}


def examples(n: int) -> tuple[Tensor, Tensor]:
    """Inputs of two numbers, and a target that is nearly linear in them."""
    x = cr.randn(n, 2, **DOUBLE)
    return x, x @ cr.tensor([1.5, -0.5], **DOUBLE) + 0.25 + 0.1 * cr.randn(n, **DOUBLE)


def gradient(model: nn.Module) -> Tensor:
    """nabla L: the derivatives by every weight and bias, stacked into one vector."""
    return parameters_to_vector([p.grad for p in model.parameters()])


def findings(small: bool) -> Iterator[Finding]:
    """Rows 3.2, 3.10 and 3.11."""
    cr.manual_seed(0)
    x, y = examples(50)

    # Step 1: the structure fixes the set; the parameters choose one function of it.
    model = nn.Linear(2, 1, **DOUBLE)
    values = []
    for theta in ([1.0, 2.0, 0.0], [-1.0, 0.5, 3.0]):
        vector_to_parameters(cr.tensor(theta, **DOUBLE), model.parameters())
        values.append(model(cr.tensor([1.0, -1.0], **DOUBLE)).item())
    yield Finding(
        "3.2", "step 1: f([1, -1]) for two theta of one network", [-1.0, 1.5], values, within=1e-12
    )

    # Step 2: the total loss is the sum over the examples.
    total = nn.MSELoss(reduction="sum")
    each = nn.functional.mse_loss(model(x)[:, 0], y, reduction="none")
    loss = total(model(x)[:, 0], y)
    yield Finding(
        "3.10", "step 2: L less the sum of l^n", 0.0, (loss - each.sum()).item(), within=1e-9
    )
    mean = nn.MSELoss()(model(x)[:, 0], y)
    yield Finding(
        "3.10", "L over the default mean of the losses: the number of examples", 50.0,
        (loss / mean).item(), within=1e-9,
    )  # fmt: skip

    # Step 3: one step by hand is one step of SGD.
    eta = 0.005
    theta0 = parameters_to_vector(model.parameters()).detach().clone()
    optimizer = cr.optim.SGD(model.parameters(), lr=eta)
    loss.backward()
    nabla = gradient(model)
    yield Finding("3.11", "nabla L stacks 2 weights and 1 bias: its length", 3, nabla.numel())
    by_rule = cr.stack([-2 * ((y - model(x)[:, 0]) * x[:, k]).sum() for k in (0, 1)])
    yield Finding(
        "3.11",
        "its first two entries less -2 sum (y - f(x)) x",
        [0.0, 0.0],
        (nabla[:2] - by_rule).tolist(),
        within=1e-9,
    )
    optimizer.step()
    theta1 = parameters_to_vector(model.parameters()).detach()
    yield Finding(
        "3.11",
        "theta^1 of SGD less theta^0 - eta nabla L(theta^0)",
        [0.0] * 3,
        (theta1 - (theta0 - eta * nabla)).tolist(),
        within=1e-15,
    )

    # The best function: L is a bowl here, and its bottom is where the gradient is 0.
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = total(model(x)[:, 0], y)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    yield Finding(
        "3.2",
        "step 3: nabla L at the best function of the set",
        [0.0] * 3,
        gradient(model).tolist(),
        within=1e-9,
    )
    falling = all(b <= a + 1e-12 for a, b in pairwise(losses))
    yield Finding("3.11", "L never rises on the way", True, falling)


if __name__ == "__main__":
    main(findings)
