"""Data sets: small ones by formula, the standard ones, and pictures in folders.

>>> x, y = cr.datasets.moons(200, noise=0.1)
>>> data = cr.data.TensorDataset(x, y)
>>> len(data)
200
"""

from .folder import ImageFolder
from .standard import cifar10, cifar100, fashion_mnist, mnist
from .synthetic import adding_problem, blobs, circles, moons, sine, spirals, xor

__all__ = [
    "ImageFolder",
    "adding_problem",
    "blobs",
    "cifar10",
    "cifar100",
    "circles",
    "fashion_mnist",
    "mnist",
    "moons",
    "sine",
    "spirals",
    "xor",
]
