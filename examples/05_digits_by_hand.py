"""Lesson 5: read handwritten digits with nothing but tensors: no layers, no optimizer.

`chainrule digits` does the same job better, with the comforts of chainrule.nn.
"""

import math
import sys

from sklearn.datasets import load_digits

import chainrule as cr

epochs = 5 if "--small" in sys.argv else 30
cr.manual_seed(0)
images, labels = load_digits(return_X_y=True)
images = cr.tensor(images, dtype=cr.float32) / 16  # (1797, 64), ink from 0 to 1
labels = cr.tensor(labels)
order = cr.randperm(len(labels))
train, test = order[:1437], order[1437:]

# Two layers of weights: 64 pixels to 32 features to 10 digits.
w1 = (cr.randn(64, 32) * math.sqrt(2 / 64)).requires_grad_()
b1 = cr.zeros(32, requires_grad=True)
w2 = (cr.randn(32, 10) * math.sqrt(1 / 32)).requires_grad_()
b2 = cr.zeros(10, requires_grad=True)
parameters = [w1, b1, w2, b2]


def network(x: cr.Tensor) -> cr.Tensor:
    return cr.relu(x @ w1 + b1) @ w2 + b2


def cross_entropy(logits: cr.Tensor, target: cr.Tensor) -> cr.Tensor:
    """Minus the log of the probability that the right digit gets."""
    log_probabilities = logits - cr.logsumexp(logits, dim=1, keepdim=True)
    return -log_probabilities.gather(1, target.unsqueeze(1)).mean()


def accuracy(indices: cr.Tensor) -> float:
    with cr.no_grad():
        guesses = network(images[indices]).argmax(dim=1)
    return float((guesses == labels[indices]).to(cr.float32).mean())


for epoch in range(epochs):
    losses = []
    shuffled = train[cr.randperm(len(train))]
    for batch in shuffled.split(32):
        loss = cross_entropy(network(images[batch]), labels[batch])
        gradients = cr.autograd.grad(loss, parameters)
        with cr.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= 0.2 * gradient
        losses.append(loss.item())
    mean = sum(losses) / len(losses)
    print(f"epoch {epoch + 1:2}  loss {mean:.4f}  train {accuracy(train):.2%}")

print(f"test {accuracy(test):.2%}")
assert accuracy(test) > 0.9
