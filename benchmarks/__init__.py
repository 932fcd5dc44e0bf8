"""Side-by-side benchmarks of chainrule, NumPy, torch and JAX: ``python -m benchmarks --help``."""
