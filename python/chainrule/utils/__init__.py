"""Paths that torch users expect: ``chainrule.utils.data``."""

from .. import data

__all__ = ["data"]
