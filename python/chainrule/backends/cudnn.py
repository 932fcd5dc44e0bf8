"""torch.backends.cudnn: nothing of it is here, and its switches may be set."""

allow_tf32 = False
benchmark = False
deterministic = True
enabled = False


def is_available() -> bool:
    """Whether cuDNN is here: no."""
    return False
