"""Shared by every test: seeds, thread counts and modes are put back as they were."""

import signal
from collections.abc import Iterator

import pytest

import chainrule as cr

# A shell lets its background jobs ignore the interrupt, and the programs that tests start and
# interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _restore_state() -> Iterator[None]:
    cr.manual_seed(0)
    threads = cr.get_num_threads()
    dtype = cr.get_default_dtype()
    yield
    cr.set_num_threads(threads)
    cr.set_default_dtype(dtype)
    assert cr.is_grad_enabled(), "the test left gradients switched off"
