"""Line search: a step length along a direction that fulfils the strong Wolfe conditions.

Bracketing and zoom with cubic interpolation, after Nocedal and Wright, "Numerical Optimization",
algorithms 3.5 and 3.6, with the safeguards of Schmidt's minFunc.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from chainrule import Tensor


class Point(NamedTuple):
    """A place on the line: its step length, the loss, the gradient and its slope along the line."""

    t: float
    loss: float
    grad: Tensor
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    largest: float,
    tolerance_change: float,
    max_iterations: int,
    c1: float = 1e-4,
    c2: float = 0.9,
) -> tuple[Point, int]:
    """Search from ``start`` downhill; returns the point found and the number of evaluations.

    The loss falls by at least ``c1`` times what the slope at the start promises, and the slope to
    at most ``c2`` times its size there.

    Args:
        evaluate: the point at a step length.
        start: the point at step length 0, whose slope is negative.
        t: the first step length to try.
        largest: the largest absolute element of the direction.
        tolerance_change: a bracket that moves no parameter further than this is not divided.
        max_iterations: how often to evaluate after the first time, at most.
        c1: share of the promised decrease.
        c2: share of the slope.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    # Go further until a minimum lies between the last two points.
    previous, point = start, evaluate(t)
    iterations = 0
    while iterations < max_iterations:
        if too_high(point) or (iterations > 1 and point.loss >= previous.loss):
            break
        if flat(point):
            return point, iterations + 1
        if point.slope >= 0:
            break
        bounds = point.t + 0.01 * (point.t - previous.t), 10 * point.t
        following = evaluate(cubic_minimum(previous, point, *bounds))
        previous, point = point, following
        iterations += 1
    else:
        previous = start

    # Divide the bracket, keeping the lower end.
    ends = [previous, point]
    low = 0 if previous.loss <= point.loss else 1
    stuck = False  # close to an end twice in a row
    while iterations < max_iterations:
        near, far = min(ends[0].t, ends[1].t), max(ends[0].t, ends[1].t)
        if (far - near) * largest < tolerance_change:
            break
        t = cubic_minimum(ends[0], ends[1], near, far)
        margin = 0.1 * (far - near)
        if min(far - t, t - near) < margin:
            if stuck or t >= far or t <= near:
                t = far - margin if abs(t - far) < abs(t - near) else near + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False

        point = evaluate(t)
        iterations += 1
        if too_high(point) or point.loss >= ends[low].loss:
            ends[1 - low] = point
            low = 0 if ends[0].loss <= ends[1].loss else 1
            continue
        done = flat(point)
        if not done and point.slope * (ends[1 - low].t - ends[low].t) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = point
        if done:
            break
    return ends[low], iterations + 1


def cubic_minimum(a: Point, b: Point, lowest: float, highest: float) -> float:
    """Return where the cubic through two points and their slopes is smallest, within bounds.

    The middle of the bounds where the cubic has no minimum (Nocedal and Wright, equation 3.59).
    """
    if a.t > b.t:
        a, b = b, a
    if a.t < b.t:
        middle = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
        square = middle * middle - a.slope * b.slope
        if square >= 0:
            root = math.sqrt(square)
            divisor = b.slope - a.slope + 2 * root
            if divisor != 0:
                t = b.t - (b.t - a.t) * (b.slope + root - middle) / divisor
                return min(max(t, lowest), highest)
    return (lowest + highest) / 2
