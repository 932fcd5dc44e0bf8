"""A picture drawn anew in the manner of another: pixels are what the gradient changes.

What is where is in the maps of a convolution; the manner is in how its maps go together, wherever
they do (the Gram matrix; Gatys et al., 2015). Filters need no training to see edges and stripes:
here they are drawn at random (Ustyuzhaninov et al., 2016). `neural_style.py OUT.png` writes what
comes out; the pictures are made by formula.
"""

import sys

import chainrule as cr
from chainrule import nn, optim

SIZE = 48


def ring():
    """The content: a bright ring on dark ground, (1, 3, SIZE, SIZE) in [0, 1]."""
    y, x = cr.meshgrid(cr.linspace(-1, 1, SIZE), cr.linspace(-1, 1, SIZE), indexing="ij")
    inside = ((x.square() + y.square()).sqrt() - 0.55).abs() < 0.2
    return cr.where(inside, 0.8, 0.2).expand(1, 3, -1, -1).clone()


def stripes():
    """The style: slanting stripes of orange and blue."""
    y, x = cr.meshgrid(cr.arange(SIZE).float(), cr.arange(SIZE).float(), indexing="ij")
    wave = ((x + y) * 0.9).sin() * 0.5 + 0.5
    return cr.stack([wave, 0.5 * wave + 0.2, 1 - wave]).unsqueeze(0)


class Eyes(nn.Module):
    """Random filters of three sizes, side by side."""

    def __init__(self, maps=24):
        super().__init__()
        self.filters = nn.ModuleList(
            [nn.Conv2d(3, maps, size, padding=size // 2) for size in (3, 5, 9)]
        )
        self.requires_grad_(False)

    def forward(self, picture):
        return cr.cat([layer(picture - 0.5).relu() for layer in self.filters], 1)


def gram(maps):
    """How much each two maps have in common, wherever it is."""
    flat = maps.flatten(2)
    return flat @ flat.mT / flat.shape[2]


def run(small=False, path=None):
    """Return what is left of the distance in style."""
    cr.manual_seed(0)
    eyes, content = Eyes(), ring()
    seen, manner = eyes(content), gram(eyes(stripes()))
    picture = content.clone().requires_grad_()
    optimizer = optim.Adam([picture], lr=0.03)
    steps = 100 if small else 400
    for step in range(steps):
        maps = eyes(picture)
        style = (gram(maps) - manner).square().sum() / manner.square().sum()
        place = (maps - seen).square().sum() / seen.square().sum()
        optimizer.zero_grad()
        (style + 0.1 * place).backward()
        optimizer.step()
        with cr.no_grad():
            picture.clamp_(0, 1)
        if step == 0:
            first = style.item()
        if step % (steps // 4) == 0 or step == steps - 1:
            print(f"step {step:3}  style {style.item():.4f}  content {place.item():.3f}")

    bright = content[0, 0] > 0.5
    drawn = picture.detach()[0].mean(0)
    print(f"the ring is still brighter by {(drawn[bright].mean() - drawn[~bright].mean()):.2f}")
    if path is not None:
        import matplotlib.image

        matplotlib.image.imsave(path, picture.detach()[0].permute(1, 2, 0).contiguous().numpy())
    return style.item() / first


if __name__ == "__main__":
    paths = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    run(small="--small" in sys.argv, path=paths[0] if paths else None)
