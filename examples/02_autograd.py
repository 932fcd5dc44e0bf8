"""Lesson 2: the chain rule, first by hand, then by machine, then twice."""

import chainrule as cr

# A neuron with one weight: guess = tanh(w * x + b), and a loss that wants the guess to be 1.
x = cr.tensor(2.0)
w = cr.tensor(0.3, requires_grad=True)
b = cr.tensor(-0.1, requires_grad=True)
z = w * x + b
guess = z.tanh()
loss = (guess - 1) ** 2

# By hand: dloss/dw = dloss/dguess * dguess/dz * dz/dw.
with cr.no_grad():
    dloss_dguess = 2 * (guess - 1)
    dguess_dz = 1 - guess**2
    by_hand = dloss_dguess * dguess_dz * x

# By machine: every operation has remembered its inputs, and backward() walks the chain.
loss.backward()
assert w.grad is not None
assert b.grad is not None
print("by hand", by_hand.item(), "by machine", w.grad.item())
assert cr.allclose(w.grad, by_hand)
assert cr.allclose(b.grad, by_hand / x)

# Gradients add up until they are cleared, so that a loss may come in pieces.
((w * x + b).tanh() - 1).square().backward()
assert cr.allclose(w.grad, 2 * by_hand)
w.grad = None

# A walk downhill: each step moves against the gradient.
for step in range(5):
    loss = ((w * x + b).tanh() - 1).square()
    (slope,) = cr.autograd.grad(loss, w)
    with cr.no_grad():
        w -= 0.5 * slope
    print(f"step {step}  loss {loss.item():.4f}  w {w.item():.4f}")

# The gradient is made of operations too: with create_graph it can be differentiated again.
t = cr.tensor(2.0, requires_grad=True)
derivative = t**4
for order, expected in enumerate([4 * 2.0**3, 12 * 2.0**2, 24 * 2.0, 24.0], start=1):
    (derivative,) = cr.autograd.grad(derivative, t, create_graph=True)
    print(f"derivative {order} of t^4 at 2: {derivative.item()}")
    assert derivative.item() == expected
