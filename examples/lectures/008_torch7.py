"""The talk's Torch7 code, line by line, over chainrule tensors (torch7.py beside this file).

l = nn.Linear(2, 1); l.weight[1] = torch.Tensor{1, 5}; l.bias[1] = 3
crit = nn.MSECriterion()
res = l:forward(x); crit:forward(res, targets)
"""

from collections.abc import Iterator

import torch7
from finding import Finding, main

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}


def far(one: cr.Tensor, other: cr.Tensor) -> float:
    """The greatest difference."""
    return (one - other).abs().max().item()


def against_autograd() -> list[float]:
    """How far gradInput and every parameter's gradient of a deep net are from backward()'s."""
    net = torch7.Sequential()
    for module in (torch7.Tanh(), torch7.Sigmoid(), torch7.ReLU(), torch7.LogSoftMax()):
        net.add(torch7.Linear(5, 5)).add(module)
    x, classes = cr.randn(7, 5, **DOUBLE), cr.randint(1, 6, (7,))
    criterion = torch7.ClassNLLCriterion()
    cost = criterion.forward(net.forward(x), classes)
    net.zeroGradParameters()
    net.backward(x, criterion.backward(net.output, classes))

    ours = nn.Sequential()
    for activation in (nn.Tanh(), nn.Sigmoid(), nn.ReLU(), nn.LogSoftmax(1)):
        ours.append(nn.Linear(5, 5, **DOUBLE)).append(activation)
    nn.utils.vector_to_parameters(
        cr.cat([weight.flatten() for weight, _ in net.parameters()]), ours.parameters()
    )
    x.requires_grad_()
    loss = F.nll_loss(ours(x), classes - 1)
    loss.backward()
    pairs = zip(net.parameters(), ours.parameters(), strict=True)
    return [
        abs(cost - loss.item()),
        far(net.gradInput, x.grad),
        max(far(gradient, parameter.grad) for (_, gradient), parameter in pairs),
    ]


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.8."""
    l = torch7.Linear(2, 1)
    l.weight[0] = cr.tensor([1.0, 5.0])
    l.bias[0] = 3.0
    x, targets = cr.tensor([2.0, 3.0], **DOUBLE), cr.tensor([10.0], **DOUBLE)
    crit = torch7.MSECriterion()

    res = l.forward(x)
    yield Finding(
        "0.8",
        "print(l:forward(x))",
        " 20 / [torch.DoubleTensor of size 1]",
        torch7.show(res).replace("\n", " / "),
    )
    slip = "the formula writes criterion(y, y'), the code passes (y', y)"
    yield Finding("0.8", "crit:forward(res, targets)", 100.0, crit.forward(res, targets))
    flipped = torch7.MSECriterion()
    flipped.forward(targets, res)
    yield Finding(
        "0.8",
        "crit:backward as the code and as the formula orders its arguments",
        "criterion(y, y')",
        [crit.backward(res, targets).item(), flipped.backward(targets, res).item()],
        [20.0, -20.0],
        slip=slip,
    )
    l.zeroGradParameters()
    l.backward(x, crit.gradInput)
    yield Finding("0.8", "l.gradWeight", [40.0, 60.0], l.gradWeight[0].tolist())
    yield Finding(
        "0.8",
        "l.gradBias, l.gradInput",
        [20.0, 20, 100],
        [l.gradBias.item(), *l.gradInput.tolist()],
    )
    l.updateParameters(0.01)
    yield Finding(
        "0.8",
        "l.weight, l.bias after updateParameters(0.01)",
        [0.6, 4.4, 2.8],
        [*l.weight[0].tolist(), l.bias.item()],
        within=1e-15,
    )

    net = torch7.Sequential().add(torch7.Linear(2, 1)).add(torch7.Sigmoid())
    yield Finding("0.8", "net:get(1) is the first module", True, net.get(1) is net.modules[0])
    cr.manual_seed(0)
    yield Finding(
        "0.8",
        "eight modules by their own backward, classes from 1: cost, gradInput, gradients less "
        "autograd's",
        [0.0] * 3,
        against_autograd(),
        within=1e-15,
    )
    dropout, ones = torch7.Dropout(0.5), cr.ones(1000, **DOUBLE)
    share = (dropout.forward(ones) == 0).double().mean().item()
    dropout.evaluate()
    yield Finding(
        "0.8", "Dropout zeroes half while training", 0.5, share, within=0.05
    )  # three deviations of 1000 throws
    yield Finding("0.8", "and nothing in evaluate()", 1000.0, dropout.forward(ones).sum().item())


if __name__ == "__main__":
    main(findings)
