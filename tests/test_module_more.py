"""Further abilities of Module: extra state, versions, hooks that always run, advice in errors."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


class Counter(nn.Module):
    """Counts its calls; the count is saved with the weights."""

    _version = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(cr.ones(2))
        self.count = 0

    def forward(self, x: Any) -> Any:
        self.count += 1
        return x * self.weight

    def get_extra_state(self) -> Any:
        return {"count": self.count}

    def set_extra_state(self, state: Any) -> None:
        self.count = state["count"]


def test_extra_state_travels_with_the_weights() -> None:
    a, b = nn.Sequential(Counter()), nn.Sequential(Counter())
    a(cr.ones(2))
    a(cr.ones(2))
    state = a.state_dict()
    assert list(state) == ["0.weight", "0._extra_state"]
    assert str(b.load_state_dict(state)) == "<All keys matched successfully>"
    assert b[0].count == 2
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match=r"missing key '0._extra_state'"):
        b.load_state_dict(state)
    assert b.load_state_dict(state, strict=False).missing_keys == ["0._extra_state"]
    with pytest.raises(NotImplementedError, match="get_extra_state is not defined"):
        nn.Linear(1, 1).get_extra_state()
    with pytest.raises(NotImplementedError, match="set_extra_state is not defined"):
        nn.Linear(1, 1).set_extra_state(None)


def test_versions_reach_the_hooks() -> None:
    net = nn.Sequential(Counter(), nn.Linear(2, 1))
    seen: list[Any] = []
    net[0].register_load_state_dict_pre_hook(
        lambda m, state, prefix, meta, *rest: seen.append(meta)
    )
    state = net.state_dict()
    assert state._metadata == {"": {"version": 1}, "0": {"version": 3}, "1": {"version": 1}}
    net.load_state_dict(state)
    net.load_state_dict(dict(state))
    assert seen == [{"version": 3}, {}]


def test_a_subclass_may_save_more() -> None:
    class Old(nn.Linear):
        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "scale"] = cr.ones(())

    assert list(nn.Sequential(Old(1, 1)).state_dict()) == ["0.weight", "0.bias", "0.scale"]


def test_hooks_that_always_run() -> None:
    calls: list[Any] = []
    layer = nn.Linear(2, 1)
    layer.register_forward_hook(lambda m, a, out: calls.append("plain"))
    layer.register_forward_hook(lambda m, a, out: calls.append(out is None), always_call=True)
    layer.register_forward_hook(
        lambda m, a, k, out: calls.append(k), with_kwargs=True, always_call=True
    )
    layer(cr.zeros(1, 2))
    assert calls == ["plain", False, {}]
    calls.clear()
    with pytest.raises(ValueError, match="Linear"):
        layer(cr.zeros(1, 3))
    assert calls == [True, {}]


def test_a_hook_that_fails_runs_once() -> None:
    calls: list[str] = []

    def failing(*_: Any) -> None:
        calls.append("failing")
        raise RuntimeError("hook")

    layer = nn.Linear(1, 1)
    layer.register_forward_hook(failing, always_call=True)
    layer.register_forward_hook(lambda *_: calls.append("later"), always_call=True)
    with pytest.raises(RuntimeError, match="hook"):
        layer(cr.zeros(1, 1))
    assert calls == ["failing", "later"]


def test_set_submodule() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    net.set_submodule("0.1", nn.Tanh())
    assert isinstance(net[0][1], nn.Tanh)
    net.set_submodule("0.2", nn.Linear(3, 1))
    assert net(cr.zeros(1, 2)).shape == (1, 1)
    with pytest.raises(AttributeError, match=r"no module at '0\.7'"):
        net.set_submodule("0.7", nn.ReLU(), strict=True)
    with pytest.raises(AttributeError, match=r"no module at '5'"):
        net.set_submodule("5.0", nn.ReLU())
    with pytest.raises(ValueError, match="path is empty"):
        net.set_submodule("", nn.ReLU())
    with pytest.raises(ValueError, match="expected a Module"):
        net.set_submodule("0", cr.zeros(1))  # type: ignore[arg-type]


def test_conversions() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weight = net[0].weight
    net.half()
    assert net[0].weight is weight
    assert weight.dtype is cr.float16
    assert net[1].num_batches_tracked.dtype is cr.int64
    assert net.bfloat16()[1].running_mean.dtype is cr.bfloat16
    assert net.type(cr.float64)[1].num_batches_tracked.dtype is cr.float64
    before = weight.data_ptr()
    assert net.to_empty(device="cpu") is net
    assert weight.shape == (3, 2)
    assert weight.data_ptr() != before
    inner = net[0].weight.data_ptr()
    net.to_empty(recurse=False)
    assert net[0].weight.data_ptr() == inner
    assert net.compile(mode="max-autotune") is None


def test_share_memory() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weight, values = net[0].weight, net[0].weight.tolist()
    assert net.share_memory() is net
    assert net[0].weight is weight
    assert weight.tolist() == values
    assert all(t.is_shared() for t in (*net.parameters(), *net.buffers()))
    net(cr.ones(4, 2)).sum().backward()
    assert weight.grad is not None


WIDTHS: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "linear": (lambda: nn.Linear(9, 2), (4, 8), "in_features=8 would fit this input (it is 9)"),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3), (2, 5, 8), "in_channels=5 would fit"),
    "conv2d": (lambda: nn.Conv2d(3, 4, 3), (5, 8, 8), "in_channels=5 would fit"),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 3), (2, 5, 8, 8), "in_channels=5 would fit"),
    "batch": (lambda: nn.BatchNorm2d(3), (2, 5, 8, 8), "num_features=5 would fit"),
    "instance": (lambda: nn.InstanceNorm1d(3, affine=True), (5, 8), "num_features=5 would fit"),
    "group": (lambda: nn.GroupNorm(3, 6), (2, 9, 8), "num_channels=9 would fit"),
    "layer": (lambda: nn.LayerNorm((2, 3)), (4, 2, 5), "normalized_shape=(2, 5) would fit"),
    "rms": (lambda: nn.RMSNorm(3), (4, 5), "normalized_shape=(5,) would fit"),
    "prelu": (lambda: nn.PReLU(3), (4, 5), "num_parameters=5 would fit"),
    "bilinear": (lambda: nn.Bilinear(2, 3, 4), (4, 5), "in1_features=5 would fit"),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_a_wrong_width_names_the_argument_to_change(name: str) -> None:
    make, shape, advice = WIDTHS[name]
    net = nn.Sequential()
    net.add_module("head", nn.ModuleDict({"last": make()}))
    head, x = net.head["last"], cr.zeros(shape)
    net.head.forward = lambda *args: head(*args)
    with pytest.raises(ValueError) as caught:
        net(x) if name != "bilinear" else net.head(x, x)
    message = str(caught.value)
    assert message.startswith("head.last (" if name != "bilinear" else "last (")
    assert advice in message


def test_other_errors_get_no_advice_on_widths() -> None:
    with pytest.raises(ValueError) as caught:
        nn.Conv2d(3, 4, 9)(cr.zeros(1, 3, 5, 5))
    assert "would fit" not in str(caught.value)


def test_state_is_copied_and_pickled() -> None:
    net = nn.Sequential(Counter())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin[0].weight.detach().numpy(), [1, 1])
        assert list(twin.state_dict()) == list(net.state_dict())
