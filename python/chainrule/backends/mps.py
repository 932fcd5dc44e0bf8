"""torch.backends.mps: nothing of it is here."""


def is_available() -> bool:
    """Whether there is such a GPU: never."""
    return False


def is_built() -> bool:
    """Whether such GPUs are supported: no."""
    return False
