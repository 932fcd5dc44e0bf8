"""Ops of the registry that another test file covers, and which."""

ELSEWHERE: dict[str, str] = {}
