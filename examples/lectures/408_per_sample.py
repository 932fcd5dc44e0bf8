"""The gradient of a sum of log p is the sum of the gradients: one sample at a time, and all."""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, func, nn
from chainrule.nn import functional as F


def findings(small: bool) -> Iterator[Finding]:
    """Row 4.8."""
    cr.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 3)).to(cr.float64)
    x, y = cr.randn(10, 4, dtype=cr.float64), cr.randint(0, 3, (10,))
    weights = {name: p.detach() for name, p in net.named_parameters()}

    def log_p(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        """The log-probability of one sample's class."""
        return F.log_softmax(func.functional_call(net, weights, (x,)), -1)[y]

    each = func.vmap(func.grad(log_p), in_dims=(None, 0, 0))(weights, x, y)
    whole = func.grad(
        lambda w: -F.cross_entropy(func.functional_call(net, w, (x,)), y, reduction="sum")
    )
    whole = whole(weights)
    yield Finding(
        "4.8",
        "the gradients of the second layer's weights, one for each sample",
        [10, 3, 8],
        list(each["2.weight"].shape),
    )
    for name in weights:
        yield Finding(
            "4.8",
            f"{name}: the sum of 10 gradients less the gradient of the sum",
            0.0,
            (each[name].sum(0) - whole[name]).abs().max().item(),
            within=1e-14,
        )
    (-F.cross_entropy(net(x), y, reduction="sum")).backward()
    by_backward = max((p.grad - whole[n]).abs().max().item() for n, p in net.named_parameters())
    yield Finding("4.8", "and less backward()'s", 0.0, by_backward, within=1e-14)


if __name__ == "__main__":
    main(findings)
