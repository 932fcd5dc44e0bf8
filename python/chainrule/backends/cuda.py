"""torch.backends.cuda: nothing of it is here, and its switches may be set."""

from types import SimpleNamespace

matmul = SimpleNamespace(allow_tf32=False)


def is_built() -> bool:
    """Whether GPUs are supported: no."""
    return False
