"""Scripts written for GPUs choose the CPU and go on."""

import copy
import pickle

import pytest

import chainrule as cr
import chainrule.backends.cudnn as cudnn
from chainrule import nn


def test_the_usual_lines_choose_the_cpu():
    device = cr.device("cuda:0" if cr.cuda.is_available() else "cpu")
    if cr.backends.mps.is_available() or cr.accelerator.is_available():
        raise AssertionError("there is only the CPU")
    net = nn.Linear(2, 1, device=device).to(device)
    x = cr.zeros(3, 2, device=device).to(device, dtype=cr.float64).to(device=device)
    assert net.to(cr.float64)(x).device == device
    assert x.device.type == "cpu"
    assert x.device.index is None
    with cr.device("cpu"):
        assert cr.tensor(x.tolist(), device=x.device).equal(x)


def test_a_device_is_the_string_cpu():
    device = cr.device("cpu", 0)
    assert device == cr.device("cpu:0") == cr.device(device) == "cpu"
    assert {device: 1}["cpu"] == 1
    assert (str(device), f"{device}", repr(device)) == ("cpu", "cpu", "device(type='cpu')")
    for twin in (copy.deepcopy(device), pickle.loads(pickle.dumps(device))):
        assert type(twin) is cr.device
        assert twin == device


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "meta"])
def test_other_devices_are_refused(name):
    with pytest.raises(RuntimeError, match=f"on the CPU only .*'{name}'"):
        cr.device(name)


def test_seeds_and_switches_of_gpus_change_nothing():
    cr.manual_seed(1)
    expected = cr.rand(2)
    cr.manual_seed(1)
    cr.cuda.manual_seed(5)
    cr.cuda.manual_seed_all(5)
    cr.cuda.empty_cache()
    cr.cuda.synchronize()
    cudnn.deterministic, cudnn.benchmark = True, False
    cr.backends.cuda.matmul.allow_tf32 = True
    assert cr.rand(2).equal(expected)
    assert cr.cuda.device_count() == cr.accelerator.device_count() == 0
    assert cr.accelerator.current_accelerator() is None
    assert not (cudnn.is_available())
    assert not (cr.backends.cuda.is_built())
    assert not (cr.backends.mps.is_built())
    with pytest.raises(AttributeError, match=r"'Stream'.*ask cuda\.is_available\(\) first"):
        cr.cuda.Stream  # noqa: B018
