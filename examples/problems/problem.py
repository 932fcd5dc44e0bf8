"""What every script of this folder ends with: print its score, fail where it misses the bound."""

import argparse
from collections.abc import Callable


def main(score: Callable[[bool], float], bound: float) -> None:
    """Run a script; the exit code is 1 where the score is below the bound."""
    parser = argparse.ArgumentParser(description=score.__globals__["__doc__"].splitlines()[0])
    parser.add_argument("--small", action="store_true", help="less training, the same bound")
    found = score(parser.parse_args().small)
    print(f"score {found:.3f}, at least {bound}")
    raise SystemExit(0 if found >= bound else 1)
