"""Module and its kin: registration, state, modes, hooks, text, errors."""

import copy
import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


class Block(nn.Module):
    """A module with every kind of member."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.scale = nn.Parameter(cr.ones(2))
        self.register_buffer("mean", cr.zeros(2))
        self.register_buffer("cache", cr.ones(1), persistent=False)
        self.register_parameter("absent", None)

    def forward(self, x):
        return self.fc(x) * self.scale - self.mean


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(Block() for _ in range(2))})

    def forward(self, x):
        return self.encoder["layers"][1](x)


# -------------------------------------------------------------------- registration


def test_members_are_found_by_path_and_in_order():
    net = Deep()
    assert [name for name, _ in net.named_parameters()][:3] == [
        "encoder.layers.0.scale",
        "encoder.layers.0.fc.weight",
        "encoder.layers.0.fc.bias",
    ]
    assert [name for name, _ in net.named_buffers()] == [
        f"encoder.layers.{i}.{name}" for i in range(2) for name in ("mean", "cache")
    ]
    assert [name for name, _ in net.named_modules()] == [
        "",
        "encoder",
        "encoder.layers",
        "encoder.layers.0",
        "encoder.layers.0.fc",
        "encoder.layers.1",
        "encoder.layers.1.fc",
    ]
    assert [name for name, _ in net.named_children()] == ["encoder"]
    assert net.get_submodule("encoder.layers.1.fc") is net.encoder["layers"][1].fc
    assert net.get_parameter("encoder.layers.0.scale") is net.encoder["layers"][0].scale
    assert net.get_buffer("encoder.layers.0.mean") is net.encoder["layers"][0].mean
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == []


def test_shared_members_count_once():
    net = nn.Module()
    net.a = nn.Linear(2, 2)
    net.b = net.a
    net.c = nn.Linear(2, 2)
    net.c.weight = net.a.weight
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias", "c.bias"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 6
    assert list(net.children()) == [net.a, net.c]
    # The state holds every name, so that a model without sharing can read it.
    assert sorted(net.state_dict()) == sorted(f"{m}.{p}" for m in "abc" for p in ("weight", "bias"))


def test_assignment_moves_names_between_tables():
    net = nn.Module()
    net.x = nn.Parameter(cr.zeros(1))
    assert list(net.state_dict()) == ["x"]
    net.x = nn.Linear(1, 1)
    assert list(net.state_dict()) == ["x.weight", "x.bias"]
    assert list(net.parameters(recurse=False)) == []
    with pytest.raises(TypeError, match="cannot assign int as module 'x'"):
        net.x = 3
    net.x = None
    assert list(net.modules()) == [net]
    del net.x
    net.x = 3
    assert net.x == 3
    net.w = nn.Parameter(cr.zeros(1))
    with pytest.raises(TypeError, match="cannot assign Tensor as parameter 'w'"):
        net.w = cr.zeros(1)
    net.w = None
    assert list(net.parameters()) == []
    net.register_buffer("b", cr.zeros(1))
    net.b = cr.ones(1)
    assert net.state_dict()["b"].item() == 1
    with pytest.raises(TypeError, match="as buffer 'b'"):
        net.b = "text"


def test_registration_refuses_bad_names():
    net = Block()
    for name, error in (("", KeyError), ("a.b", KeyError), ("fc", KeyError), (3, TypeError)):
        with pytest.raises(error):
            net.register_buffer(name, cr.zeros(1))
    with pytest.raises(TypeError, match="expected Parameter or None"):
        net.register_parameter("w", cr.zeros(1))
    with pytest.raises(TypeError, match="expected Module or None"):
        net.add_module("m", cr.zeros(1))
    with pytest.raises(AttributeError, match="the nearest is 'fc'"):
        net.get_submodule("fcc")
    with pytest.raises(AttributeError, match=r"the nearest is 'fc\.weight'"):
        net.get_parameter("fc.weigth")


def test_forgotten_super_init():
    class Forgot(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) first"):
        Forgot()
    with pytest.raises(NotImplementedError, match="Module: forward is not defined"):
        nn.Module()()


# -------------------------------------------------------------------- state


def test_state_dict_round_trip():
    a, b = Deep(), Deep()
    with cr.no_grad():
        a.encoder["layers"][0].mean.fill_(5.0)
    assert list(a.state_dict())[:4] == [
        "encoder.layers.0.scale",
        "encoder.layers.0.mean",
        "encoder.layers.0.fc.weight",
        "encoder.layers.0.fc.bias",
    ]
    result = b.load_state_dict(a.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    x = cr.rand(4, 3)
    assert cr.equal(a(x), b(x))
    for key, value in b.state_dict().items():
        assert cr.equal(value, a.state_dict()[key])
        assert not value.requires_grad
    # The state shares memory with the module, and not with the one it was loaded into.
    a.state_dict()["encoder.layers.0.scale"].fill_(7.0)
    assert a.encoder["layers"][0].scale[0].item() == 7
    assert b.encoder["layers"][0].scale[0].item() == 1


def test_load_state_dict_takes_arrays_and_casts():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": np.array([3.0])})
    assert layer(cr.tensor([[10.0, 100.0]])).item() == 213
    assert layer.weight.dtype == cr.float32


def test_load_state_dict_assign_takes_the_tensors_themselves():
    layer = nn.Linear(2, 1)
    layer.bias.requires_grad_(False)
    weight = cr.ones(1, 2, dtype=cr.float64)
    layer.load_state_dict({"weight": weight, "bias": cr.zeros(1)}, assign=True)
    assert layer.weight.dtype == cr.float64
    assert layer.weight.data_ptr() == weight.data_ptr()
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad


def test_load_state_dict_says_what_does_not_fit_and_changes_nothing():
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.Linear(3, 1)))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = {key: value + 1 for key, value in net.state_dict().items()}
    state["frist.weight"] = state.pop("first.weight")
    state["second.weight"] = cr.zeros(1, 4)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    assert "does not fit Sequential" in message
    assert "missing key 'first.weight' (the nearest is 'frist.weight')" in message
    assert "unexpected key 'frist.weight' (the nearest is 'first.weight')" in message
    assert "'second.weight' has shape (1, 4) in the state dict and (1, 3) in the module" in message
    for key, value in net.state_dict().items():
        assert cr.equal(value, before[key])

    state["second.weight"] = before["second.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["first.weight"]
    assert result.unexpected_keys == ["frist.weight"]
    assert cr.equal(net.first.bias, before["first.bias"] + 1)

    with pytest.raises(TypeError, match="expected a dict"):
        net.load_state_dict([1])
    with pytest.raises(TypeError, match=r"value of 'first\.bias' is a str"):
        net.load_state_dict({"first.bias": "text"}, strict=False)


def test_state_dict_hooks():
    net = nn.Linear(1, 1)
    net.register_state_dict_post_hook(
        lambda module, state, prefix, _: state.update({prefix + "w": state.pop(prefix + "weight")})
    )
    wrapped = nn.Sequential(net)
    assert list(wrapped.state_dict()) == ["0.bias", "0.w"]

    def rename(module, state, prefix, *rest):
        state[prefix + "weight"] = state.pop(prefix + "w")

    seen = []
    net.register_load_state_dict_pre_hook(rename)
    net.register_load_state_dict_post_hook(lambda module, keys: seen.append(keys))
    wrapped.load_state_dict({"0.w": cr.full((1, 1), 2.0), "0.bias": cr.zeros(1)})
    assert net.weight.item() == 2
    assert seen[0].missing_keys == []


def test_deepcopy_and_pickle_keep_values_and_structure():
    net = Deep()
    net.tied = net.encoder["layers"][0].fc
    net.eval()
    x = cr.rand(2, 3)
    file = io.BytesIO()
    pickle.dump(net, file)
    file.seek(0)
    for twin in (copy.deepcopy(net), pickle.load(file)):
        assert repr(twin) == repr(net)
        assert cr.equal(twin(x), net(x))
        assert twin.tied is twin.encoder["layers"][0].fc
        assert twin.tied._parameters["weight"] is twin.tied.weight
        assert not twin.training
        assert [type(p) for p in twin.parameters()] == [type(p) for p in net.parameters()]
        with cr.no_grad():
            twin.tied.weight.zero_()
        assert net.tied.weight.abs().sum().item() > 0
        assert twin.encoder["layers"][0].fc.weight.abs().sum().item() == 0


def test_parameter_deepcopy_keeps_grad():
    p = nn.Parameter(cr.ones(2), requires_grad=True)
    (p * 3).sum().backward()
    twin = copy.deepcopy(p)
    assert isinstance(twin, nn.Parameter)
    assert twin.grad.tolist() == [3, 3]
    assert twin.grad.data_ptr() != p.grad.data_ptr()
    shared = copy.deepcopy([p, p])
    assert shared[0] is shared[1]
    with pytest.raises(TypeError, match="expected a Tensor"):
        nn.Parameter([1.0])


# -------------------------------------------------------------------- modes and conversion


def test_train_eval_requires_grad_zero_grad_apply():
    net = Deep()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.train()
    assert all(module.training for module in net.modules())
    with pytest.raises(ValueError, match="bool"):
        net.train("yes")

    net(cr.ones(1, 3)).sum().backward()
    last = net.encoder["layers"][1].fc
    assert last.weight.grad is not None
    net.zero_grad(set_to_none=False)
    assert last.weight.grad.abs().sum().item() == 0
    net.zero_grad()
    assert last.weight.grad is None

    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    order = []
    net.apply(lambda module: order.append(type(module).__name__))
    assert order == ["Linear", "Block", "Linear", "Block", "ModuleList", "ModuleDict", "Deep"]


def test_conversion_keeps_parameter_identity():
    net = Block()
    net.register_buffer("count", cr.tensor([1, 2]))
    net(cr.ones(1, 3)).sum().backward()
    parameters = list(net.parameters())
    assert net.double() is net
    for parameter, before in zip(net.parameters(), parameters, strict=True):
        assert parameter is before
        assert parameter.dtype == cr.float64
        assert parameter.is_leaf
        assert parameter.requires_grad
        assert parameter.grad.dtype == cr.float64
    assert net.mean.dtype == cr.float64
    assert net.count.dtype == cr.int64
    assert net(cr.ones(1, 3, dtype=cr.float64)).dtype == cr.float64
    assert net.float().fc.weight.dtype == cr.float32
    assert net.to("cpu") is net
    assert net.to(cr.zeros(1, dtype=cr.float64)).fc.weight.dtype == cr.float64
    assert net.to(dtype=cr.float32).cpu().fc.weight.dtype == cr.float32
    with pytest.raises(TypeError, match="floating point"):
        net.to(cr.int64)
    for move in (lambda: net.to("cuda"), net.cuda):
        with pytest.raises(RuntimeError, match="CPU only"):
            move()


# -------------------------------------------------------------------- hooks


def test_forward_hooks_see_and_change():
    layer = nn.Identity()
    calls = []
    first = layer.register_forward_pre_hook(lambda m, args: calls.append("pre") or (args[0] * 2,))
    layer.register_forward_pre_hook(lambda m, args: calls.append("early"), prepend=True)
    layer.register_forward_hook(lambda m, args, out: calls.append(args[0].item()))
    layer.register_forward_hook(lambda m, args, out: out + 1)
    assert layer(cr.tensor(3.0)).item() == 7
    assert calls == ["early", "pre", 6.0]
    first.remove()
    first.remove()
    assert layer(cr.tensor(3.0)).item() == 4


def test_forward_hooks_with_keywords():
    class Add(nn.Module):
        def forward(self, a, *, b):
            return a + b

    layer = Add()
    layer.register_forward_pre_hook(lambda m, a, k: (a, {"b": k["b"] * 10}), with_kwargs=True)
    layer.register_forward_hook(lambda m, a, k, out: out + k["b"], with_kwargs=True)
    assert layer(cr.tensor(1.0), b=cr.tensor(2.0)).item() == 41
    with layer.register_forward_hook(lambda m, a, out: None, prepend=True):
        assert layer(cr.tensor(1.0), b=cr.tensor(2.0)).item() == 41


def test_full_backward_hooks():
    layer = nn.Linear(2, 2, bias=False)
    layer.load_state_dict({"weight": cr.tensor([[1.0, 2.0], [3.0, 4.0]])})
    seen = []
    handle = layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = cr.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    (grad_input,), (grad_output,) = seen[0]
    assert grad_input.tolist() == [[4, 6]]
    assert grad_output.tolist() == [[1, 1]]
    assert x.grad.tolist() == [[4, 6]]
    assert layer.weight.grad.tolist() == [[1, 1], [1, 1]]

    # Without a gradient for the input the hook still runs.
    layer(cr.ones(1, 2)).sum().backward()
    assert seen[1][0] == (None,)
    handle.remove()

    x.grad = None
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,))
    layer(x).sum().backward()
    assert x.grad.tolist() == [[41, 61]]


def test_backward_hook_of_several_inputs_and_outputs():
    class Swap(nn.Module):
        def forward(self, a, label, b):
            return b * 2, a * 3

    layer, seen = Swap(), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = (cr.tensor([v], requires_grad=True) for v in (1.0, 2.0))
    first, second = layer(a, "text", b)
    (first * 5 + second).sum().backward()
    grad_input, grad_output = seen[0]
    assert [g if g is None else g.item() for g in grad_input] == [3, None, 10]
    assert [g.item() for g in grad_output] == [5, 1]
    assert (a.grad.item(), b.grad.item()) == (3, 10)


# -------------------------------------------------------------------- errors


def test_errors_name_the_path_of_the_module():
    net = Deep()
    with pytest.raises(ValueError, match=r"^encoder\.layers\.1\.fc \(Linear\): ") as caught:
        net(cr.zeros(1, 5))
    assert "(1, 5)" in str(caught.value)
    assert "(2, 3)" in str(caught.value)
    with pytest.raises(ValueError, match=r"^Linear: "):
        nn.Linear(2, 2)(cr.zeros(1, 3))

    class Fails(nn.Module):
        def forward(self, error):
            raise error

    class Own(ValueError):
        pass

    outer = nn.Sequential(OrderedDict(bad=Fails()))
    with pytest.raises(IndexError, match=r"^bad \(Fails\): text$"):
        outer(IndexError("text"))
    # Errors of other types, or without a plain message, pass as they are.
    for error in (Own("text"), KeyError("text"), ValueError("a", "b"), ValueError()):
        arguments = error.args
        with pytest.raises(type(error)) as caught:
            outer(error)
        assert caught.value.args == arguments


# -------------------------------------------------------------------- containers


def test_sequential_is_a_list_of_modules():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    net = nn.Sequential(a, b)
    assert net.append(c) is net
    assert list(net) == [a, b, c]
    assert (net[0], net[-1], len(net)) == (a, c, 3)
    assert list(net[1:]) == [b, c]
    assert isinstance(net[1:], nn.Sequential)
    assert net.pop(1) is b
    assert list(net._modules) == ["0", "1"]
    net.insert(1, b)
    net.insert(-3, c)
    assert list(net) == [c, a, b, c]
    assert b in net
    assert list(net + nn.Sequential(a)) == [c, a, b, c, a]
    net += [b]
    del net[0]
    del net[1:3]
    assert list(net) == [a, b]
    net[1] = c
    assert list(net) == [a, c]
    net.extend([b, b])
    assert len(net) == 4
    for index in (4, -5):
        with pytest.raises(IndexError, match="out of range for 4 modules"):
            net[index]
    with pytest.raises(IndexError, match="out of range"):
        net.insert(9, a)
    named = nn.Sequential(OrderedDict(x=a, y=b))
    assert named.x is a
    assert list(named[1:]._modules) == ["y"]
    with pytest.raises(TypeError, match="expected Module or None"):
        nn.Sequential(a, "text")


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])
    layers.insert(1, nn.Tanh())
    assert [type(m).__name__ for m in layers] == ["Linear", "Tanh", "ReLU"]
    assert len(layers[:2]) == 2
    assert list(layers.state_dict()) == ["0.weight", "0.bias"]

    heads = nn.ModuleDict([("a", nn.Linear(1, 1))])
    heads["b"] = nn.ReLU()
    heads.update({"c": nn.Tanh()})
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"]
    assert [type(m).__name__ for m in heads.values()] == ["Linear", "ReLU", "Tanh"]
    assert dict(heads.items())["b"] is heads["b"]
    assert "b" in heads
    removed = heads.pop("b")
    assert isinstance(removed, nn.ReLU)
    assert list(heads) == ["a", "c"]
    del heads["c"]
    with pytest.raises(KeyError):
        heads["c"]
    with pytest.raises(KeyError, match="already exists"):
        heads["keys"] = nn.ReLU()
    heads.clear()
    assert len(heads) == 0


def test_parameter_list_and_dict():
    weights = nn.ParameterList([cr.zeros(2), "text"])
    weights.append(nn.Parameter(cr.ones(1)))
    weights += [cr.ones(3)]
    assert [name for name, _ in weights.named_parameters()] == ["0", "2", "3"]
    assert weights[1] == "text"
    assert isinstance(weights[-1], nn.Parameter)
    weights[1] = cr.zeros(1)
    assert len(list(weights.parameters())) == len(weights) == 4
    assert len(weights[1:3]) == 2
    with pytest.raises(IndexError, match="out of range"):
        weights[4]

    scales = nn.ParameterDict({"a": cr.zeros(2)})
    scales["b"] = None
    scales.update([("c", cr.ones(1))])
    assert list(scales) == list(scales.keys()) == ["a", "b", "c"]
    assert [name for name, _ in scales.named_parameters()] == ["a", "c"]
    assert scales["b"] is None
    assert len(scales.values()) == len(scales.items()) == 3
    del scales["a"]
    assert "a" not in scales
    with pytest.raises(KeyError):
        scales["a"]
    with pytest.raises(KeyError, match="already exists"):
        scales["items"] = cr.zeros(1)


# -------------------------------------------------------------------- text

REPRS = [
    (lambda: nn.Linear(2, 3), "Linear(in_features=2, out_features=3, bias=True)"),
    (lambda: nn.Linear(2, 3, bias=False), "Linear(in_features=2, out_features=3, bias=False)"),
    (lambda: nn.Identity(3, k=2), "Identity()"),
    (lambda: nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
    (lambda: nn.Unflatten(1, (2, 3)), "Unflatten(dim=1, unflattened_size=(2, 3))"),
    (lambda: nn.Dropout(0.1), "Dropout(p=0.1, inplace=False)"),
    (
        lambda: nn.Conv2d(1, 2, 3, padding="same", padding_mode="circular", bias=False, dilation=2),
        "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=same, dilation=(2, 2), "
        "bias=False, padding_mode=circular)",
    ),
    (
        lambda: nn.Conv2d(2, 4, (3, 1), stride=2, groups=2),
        "Conv2d(2, 4, kernel_size=(3, 1), stride=(2, 2), groups=2)",
    ),
    (
        lambda: nn.Conv2d(2, 2, 3, padding="valid"),
        "Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1), padding=valid)",
    ),
    (
        lambda: nn.Conv1d(2, 2, 3, padding=1),
        "Conv1d(2, 2, kernel_size=(3,), stride=(1,), padding=(1,))",
    ),
    (
        lambda: nn.MaxPool2d(2),
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
    ),
    (
        lambda: nn.MaxPool2d((2, 3), stride=1, padding=1, ceil_mode=True),
        "MaxPool2d(kernel_size=(2, 3), stride=1, padding=1, dilation=1, ceil_mode=True)",
    ),
    (
        lambda: nn.MaxPool1d(3),
        "MaxPool1d(kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=False)",
    ),
    (lambda: nn.AvgPool1d(2), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"),
    (lambda: nn.AvgPool2d((2, 1)), "AvgPool2d(kernel_size=(2, 1), stride=(2, 1), padding=0)"),
    (lambda: nn.AdaptiveAvgPool2d((1, None)), "AdaptiveAvgPool2d(output_size=(1, None))"),
    (lambda: nn.AdaptiveMaxPool1d(3), "AdaptiveMaxPool1d(output_size=3)"),
    (lambda: nn.ReLU(), "ReLU()"),
    (lambda: nn.ReLU(True), "ReLU(inplace=True)"),
    (lambda: nn.LeakyReLU(inplace=True), "LeakyReLU(negative_slope=0.01, inplace=True)"),
    (lambda: nn.ELU(), "ELU(alpha=1.0)"),
    (lambda: nn.GELU("tanh"), "GELU(approximate='tanh')"),
    (lambda: nn.SiLU(True), "SiLU(inplace=True)"),
    (lambda: nn.Mish(), "Mish()"),
    (lambda: nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
    (lambda: nn.LogSigmoid(), "LogSigmoid()"),
    (lambda: nn.Softmax(-1), "Softmax(dim=-1)"),
    (lambda: nn.LogSoftmax(), "LogSoftmax(dim=None)"),
    (lambda: nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
    (lambda: nn.Sequential(), "Sequential()"),
    (lambda: nn.ModuleList(), "ModuleList()"),
    (lambda: nn.ModuleDict(), "ModuleDict()"),
    (lambda: nn.ParameterList(), "ParameterList()"),
    (
        lambda: nn.ParameterList([cr.zeros(2, 3), 3]),
        "ParameterList(\n"
        "    (0): Parameter containing: [chainrule.float32 of size 2x3]\n"
        "    (1): Object of type: int\n"
        ")",
    ),
    (
        lambda: nn.Sequential(
            nn.Linear(2, 3),
            nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh()), nn.ReLU()]),
            nn.ModuleDict({"a": nn.Dropout()}),
        ),
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): ModuleList(\n"
        "    (0-1): 2 x ReLU()\n"
        "    (2): Sequential(\n"
        "      (0): Tanh()\n"
        "    )\n"
        "    (3): ReLU()\n"
        "  )\n"
        "  (2): ModuleDict(\n"
        "    (a): Dropout(p=0.5, inplace=False)\n"
        "  )\n"
        ")",
    ),
]


@pytest.mark.smoke
@pytest.mark.parametrize(("make", "text"), REPRS, ids=[text.split("(")[0] for _, text in REPRS])
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_extra_lines_and_children():
    net = Block()
    net.extra_repr = lambda: "one\ntwo"
    assert repr(net) == (
        "Block(\n  one\n  two\n  (fc): Linear(in_features=3, out_features=2, bias=True)\n)"
    )
    assert repr(nn.Parameter(cr.ones(1))) == (
        "Parameter containing:\ntensor([1.], requires_grad=True)"
    )


# -------------------------------------------------------------------- training


@pytest.mark.smoke
def test_mlp_learns_xor():
    cr.manual_seed(0)
    x = cr.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = cr.tensor([[0.0], [1.0], [1.0], [0.0]])
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = cr.optim.Adam(net.parameters(), lr=0.05)
    loss_fn = nn.BCEWithLogitsLoss()
    for _ in range(300):
        optimizer.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
    assert ((net(x) > 0) == (y > 0.5)).all().item()
