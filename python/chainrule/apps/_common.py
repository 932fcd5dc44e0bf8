"""What every command needs: errors for the user, and optional packages."""

from __future__ import annotations

import importlib
from types import ModuleType


class UsageError(Exception):
    """A mistake of the user's; the command prints the sentence and exits with code 2."""


def require(module: str, package: str) -> ModuleType:
    """Import an optional module, or say in one sentence how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"this needs {package}, which is not installed; run: pip install 'chainrule[examples]'"
        ) from None
