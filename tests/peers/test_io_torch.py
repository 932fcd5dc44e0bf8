"""Files that torch.save wrote, read without torch's help."""

import io
from collections import Counter, OrderedDict

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
          "float16", "bfloat16", "float32", "float64"]  # fmt: skip
WEIGHT = torch.arange(24.0).reshape(4, 6)


def trained():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Linear(2, 2)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, amsgrad=True)
    net(torch.randn(2, 3, 8, 4)).square().sum().backward()
    optimizer.step()
    return net, optimizer


NET, OPTIMIZER = trained()
OBJECTS = {
    "state_dict": NET.state_dict(),
    "optimizer": OPTIMIZER.state_dict(),
    "checkpoint": {"epoch": 3, "model": NET.state_dict(), "loss": [0.5, 0.25], "name": "é"},
    "dtypes": {dtype: torch.tensor([0, 1, 1, 0, 1]).to(getattr(torch, dtype)) for dtype in DTYPES},
    "views": [WEIGHT, WEIGHT.t(), WEIGHT[1:, ::2], WEIGHT.expand(2, 4, 6), WEIGHT[0, 0],
              WEIGHT[2:2], torch.empty(0), torch.empty(0, 3)],
    "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "parameters": [torch.nn.Parameter(torch.ones(3)), torch.ones(2, requires_grad=True),
                   torch.nn.Parameter(torch.ones(3), requires_grad=False), *NET.parameters()],
    "plain": {"a": [1, -(2**70), 2.5, None, True, b"xyz\xff", 1 + 2j], 1: {3}, (1, "x"): (),
              "c": Counter("aab"), "o": OrderedDict(a=1), "b": bytearray(b"\x80")},
    "facts": [torch.Size([2, 3]), torch.device("cuda:1"), torch.bfloat16],
    "a tensor": torch.arange(3),
}  # fmt: skip


def saved(obj, new=True, protocol=2):
    file = io.BytesIO()
    torch.save(obj, file, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    file.seek(0)
    return file


def assert_same(got, expected):
    if isinstance(expected, torch.Tensor):
        assert isinstance(got, nn.Parameter) == isinstance(expected, torch.nn.Parameter)
        assert f"torch.{got.dtype.name}" == str(expected.dtype)
        assert got.shape == tuple(expected.shape)
        assert got.stride() == expected.stride()
        assert got.storage_offset() == expected.storage_offset()
        assert got.requires_grad == expected.requires_grad
        assert got.tolist() == expected.tolist()
    elif isinstance(expected, (torch.Size, torch.device, torch.dtype)):
        assert str(getattr(got, "name", got)) == str(expected).replace("torch.", "").replace(
            "Size([2, 3])", "(2, 3)"
        )
    elif isinstance(expected, dict):
        assert type(got) is type(expected)
        assert list(got) == list(expected)
        assert getattr(got, "_metadata", None) == getattr(expected, "_metadata", None)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(got) is type(expected)
        for a, b in zip(got, expected, strict=True):
            assert_same(a, b)
    else:
        assert type(got) is type(expected)
        assert got == expected


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_comes_back_as_it_was(tmp_path, name, new, protocol):
    if name == "dtypes" and not new:
        pytest.skip("torch's older format has no wide unsigned integers")
    file = saved(OBJECTS[name], new, protocol)
    assert_same(cr.load(file), OBJECTS[name])
    (tmp_path / "x.pth").write_bytes(file.getvalue())
    assert_same(cr.load(tmp_path / "x.pth"), OBJECTS[name])


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_tied_weights_stay_tied(new):
    net = torch.nn.Module()
    net.encoder, net.decoder = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False)
    net.decoder.weight = net.encoder.weight
    got = cr.load(saved(net.state_dict(), new))
    got["encoder.weight"].zero_()
    assert not got["decoder.weight"].any()


def test_the_outputs_are_those_of_torch():
    mine = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Linear(2, 2))
    mine.load_state_dict(cr.load(saved(NET.state_dict())))
    x = torch.randn(2, 3, 8, 4)
    with torch.no_grad():
        np.testing.assert_allclose(
            mine.eval()(cr.tensor(x)).detach().numpy(), NET.eval()(x).numpy(), rtol=1e-4, atol=1e-5
        )
    NET.train()


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_an_optimizer_resumes(new):
    net, optimizer = trained()
    mine = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Linear(2, 2))
    resumed = cr.optim.Adam(mine.parameters(), lr=1.0)
    state = cr.load(saved({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, new))
    mine.load_state_dict(state["net"])
    resumed.load_state_dict(state["optimizer"])
    for theirs, ours in zip(net.parameters(), mine.parameters(), strict=True):
        theirs.grad = torch.full_like(theirs, 0.5)
        ours.grad = cr.full_like(ours, 0.5)
    optimizer.step()
    resumed.step()
    for theirs, ours in zip(net.parameters(), mine.parameters(), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NET, "a whole module was saved"),
        (lambda: torch.ones(2, dtype=torch.complex64), "a torch.ComplexFloatStorage, which chain"),
        (lambda: torch.ones(2).to(torch.float8_e5m2), "a torch.float8_e5m2, which chainrule"),
        (lambda: torch.ones(2).to_sparse(), "names torch._utils._rebuild_sparse_tensor"),
        (lambda: {"best": np.float64(3)}, "names numpy.*scalar, and only tensors"),
        (lambda: torch.optim.Adam(NET.parameters()), "names torch.optim.adam.Adam"),
    ],
)
@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_plain_data_is_refused(make, message, new):
    with pytest.raises(ValueError, match=f"load: the BytesIO: .*{message}"):
        cr.load(saved(make(), new))


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "x.pt"))
    with pytest.raises(ValueError, match="a TorchScript program; save its state_dict"):
        cr.load(tmp_path / "x.pt")
