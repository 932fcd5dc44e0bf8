"""The programs behind the `chainrule` command: train a digit recogniser, use it, show a build."""
