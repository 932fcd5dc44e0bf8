"""Lesson 1: tensors are numbers in a grid, and views of a grid share its numbers."""

import numpy as np

import chainrule as cr

# A tensor has a shape and a dtype. Python's floats become float32, its integers int64.
a = cr.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print(a.shape, a.dtype, a, sep="\n")

# Arithmetic works element by element. A missing or single dimension is repeated to fit.
row = cr.tensor([10.0, 20.0, 30.0])
column = cr.tensor([[100.0], [200.0]])
print(a + row, a * column, sep="\n")

# `@` multiplies matrices: every row of the left with every column of the right.
print(a @ a.T)

# Reductions fold a dimension away; keepdim leaves it there with size 1.
print(a.sum(), a.mean(dim=0), a.max(dim=1, keepdim=True).values, sep="\n")

# A slice or a reshape is a view: it shows the same memory, so writing to one writes to both.
corner = a[:, :2]
corner *= -1
print(a)

# NumPy shares memory too, in both directions.
array = np.zeros(3, dtype="float32")
shared = cr.from_numpy(array)
shared += 7
print(array, shared.numpy() is not array)

# Masks select, `where` chooses.
print(a[a > 0], cr.where(a > 0, a, 0.0), sep="\n")

# Shapes that do not fit are an error that says so.
try:
    a @ row[:2]
except (ValueError, RuntimeError) as error:
    print("refused:", error)
