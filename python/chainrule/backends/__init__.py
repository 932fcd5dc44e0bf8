"""Switches of torch's backends, for scripts that set them: they change nothing here.

What they ask for holds anyway: results are the same bits in every run.

    >>> cr.backends.cudnn.deterministic = True
    >>> cr.backends.mps.is_available()
    False
"""

from . import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]
