"""Lesson 7: stop a training, save it, and continue as if nothing had happened."""

import os
import tempfile

import chainrule as cr
from chainrule import nn, optim

cr.manual_seed(0)
x = cr.linspace(-3, 3, 200).unsqueeze(1)
target = cr.sin(x) + 0.1 * cr.randn(200, 1)


def fresh() -> tuple[nn.Module, optim.Optimizer]:
    cr.manual_seed(1)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    return model, optim.Adam(model.parameters(), lr=0.01)


def train(model: nn.Module, optimizer: optim.Optimizer, steps: int) -> float:
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(nn.functional.mse_loss(model(x), target))


model, optimizer = fresh()
straight = train(model, optimizer, 200)

# A checkpoint is plain data: tensors, numbers and names. The file is a safetensors file, holds no
# code, and takes the place of an older one only when it is complete.
path = os.path.join(tempfile.mkdtemp(), "checkpoint.safetensors")
model, optimizer = fresh()
train(model, optimizer, 100)
cr.save({"step": 100, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
print("saved", os.path.getsize(path), "bytes")

model, optimizer = fresh()
checkpoint = cr.load(path)
model.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
resumed = train(model, optimizer, 200 - checkpoint["step"])

print("loss without a break", straight, "and with one", resumed)
assert straight == resumed  # to the last bit

# A model alone is a flat dict of tensors, which other libraries read as well.
cr.save_file(model.state_dict(), path, {"task": "fit a sine"})
for name, tensor in cr.load_file(path).items():
    print(name, tuple(tensor.shape))
