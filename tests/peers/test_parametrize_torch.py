"""Parametrized and normalized weights against torch's, by state dict and by training."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")

LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "linear": (lambda n: n.Linear(5, 3), (4, 5)),
    "square": (lambda n: n.Linear(4, 4), (4, 4)),
    "conv": (lambda n: n.Conv2d(3, 4, 2), (2, 3, 5, 5)),
    "transposed": (lambda n: n.ConvTranspose1d(3, 4, 2), (2, 3, 5)),
}
FORMS: dict[str, Any] = {
    "weight_norm": lambda u, m: u.parametrizations.weight_norm(m),
    "weight_norm_1": lambda u, m: u.parametrizations.weight_norm(m, dim=1),
    "weight_norm_all": lambda u, m: u.parametrizations.weight_norm(m, dim=None),
    "spectral_norm": lambda u, m: u.parametrizations.spectral_norm(m, n_power_iterations=2),
    "old_weight_norm": lambda u, m: u.weight_norm(m),
    "old_spectral_norm": lambda u, m: u.spectral_norm(m),
    "matrix_exp": lambda u, m: u.parametrizations.orthogonal(m, orthogonal_map="matrix_exp"),
    "cayley": lambda u, m: u.parametrizations.orthogonal(m, orthogonal_map="cayley"),
    "householder": lambda u, m: u.parametrizations.orthogonal(m, orthogonal_map="householder"),
    "orthogonal": lambda u, m: u.parametrizations.orthogonal(m),
    "plain": lambda u, m: u.parametrizations.orthogonal(
        m, orthogonal_map="householder", use_trivialization=False
    ),
}
CASES = [
    (layer, form)
    for layer in LAYERS
    for form in FORMS
    if layer in ("linear", "square")
    or form not in ("matrix_exp", "cayley", "householder", "orthogonal", "plain")
]


@pytest.mark.parametrize(("layer", "form"), CASES)
def test_three_steps_agree(layer: str, form: str) -> None:
    make, shape = LAYERS[layer]
    theirs = FORMS[form](torch.nn.utils, make(torch.nn).double())
    ours = FORMS[form](nn.utils, make(nn).double())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal(shape)
    a = cr.optim.SGD(ours.parameters(), lr=0.1)
    b = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(3):
        mine, other = ours(cr.tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=1e-9, atol=1e-10
        )
        for opt, out in ((a, mine), (b, other)):
            opt.zero_grad()
            (out**2).mean().backward()
            opt.step()
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(
            ours.state_dict()[key].numpy(), value.numpy(), rtol=1e-8, atol=1e-9, err_msg=key
        )
