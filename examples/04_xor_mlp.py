"""Lesson 4: a network of two layers learns XOR, which one layer cannot."""

import chainrule as cr
from chainrule import nn, optim

cr.manual_seed(0)
inputs = cr.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = cr.tensor([[0.0], [1.0], [1.0], [0.0]])


class Mlp(nn.Module):
    """Layers are attributes; forward() says how they are joined."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2, hidden)
        self.output = nn.Linear(hidden, 1)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return self.output(cr.tanh(self.hidden(x)))


model = Mlp(hidden=8)
print(model)
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.05)

# The five lines of every training: guess, compare, forget, blame, step.
for step in range(300):
    logits = model(inputs)
    loss = criterion(logits, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:3}  loss {loss.item():.4f}")

with cr.no_grad():
    answers = model(inputs).sigmoid()
for row, answer in zip(inputs.tolist(), answers.flatten().tolist(), strict=True):
    print(row, f"-> {answer:.3f}")
assert cr.equal(answers.round(), targets)
