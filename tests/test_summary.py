"""utils.summary: shapes, parameters and multiply-adds, as numbers, text and HTML."""

from xml.etree import ElementTree

import pytest

import chainrule as cr
from chainrule import nn
from chainrule.utils import summary


def line(result, name):
    [layer] = [layer for layer in result.layers if layer.name == name]
    return layer


@pytest.mark.parametrize(
    ("module", "shapes", "multiply_adds"),
    [
        (nn.Linear(3, 5), [(2, 7, 3)], 2 * 7 * 3 * 5),
        (nn.Linear(3, 5), [(3,)], 3 * 5),
        (nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], 2 * 5 * (3 * 4 + 4)),
        (nn.Conv1d(4, 6, 3), [(2, 4, 9)], 2 * 6 * 7 * 4 * 3),
        (nn.Conv2d(4, 6, 3, groups=2, stride=2), [(2, 4, 9, 9)], 2 * 6 * 16 * 2 * 9),
        (nn.Conv3d(2, 3, (1, 2, 3)), [(1, 2, 4, 4, 4)], 3 * 4 * 3 * 2 * 2 * 6),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), [(2, 4, 5, 5)], 2 * 4 * 25 * 6 * 9),
        (nn.RNN(3, 4), [(5, 2, 3)], 5 * 2 * 4 * (3 + 4)),
        (nn.GRU(3, 4, num_layers=2), [(5, 2, 3)], 5 * 2 * 3 * 4 * (3 + 4 + 4 + 4)),
        (nn.LSTM(3, 4, bidirectional=True), [(5, 2, 3)], 2 * 5 * 2 * 4 * 4 * (3 + 4)),
        (nn.LSTM(3, 4, proj_size=2), [(5, 2, 3)], 5 * 2 * (16 * (3 + 2) + 2 * 4)),
        (nn.LSTMCell(3, 4), [(2, 3)], 2 * 4 * 4 * (3 + 4)),
        (
            nn.MultiheadAttention(8, 2, kdim=3, vdim=5),
            [(6, 2, 8), (7, 2, 3), (7, 2, 5)],
            2 * (2 * 6 * 8 * 8 + 7 * 8 * (3 + 5) + 2 * 6 * 7 * 8),
        ),
        (nn.MultiheadAttention(8, 2), [(6, 8)] * 3, 4 * 6 * 8 * 8 + 2 * 6 * 6 * 8),
        (nn.BatchNorm1d(3), [(2, 3)], 0),
        (nn.ReLU(), [(2, 3)], 0),
        (nn.Linear(3, 5), [(0, 3)], 0),
    ],
)
def test_multiply_adds(module, shapes, multiply_adds):
    result = summary(module, shapes)
    assert result.multiply_adds == multiply_adds
    assert result.parameters == sum(p.numel() for p in module.parameters())


class Net(nn.Module):
    """A layer called twice, a shared weight, a frozen one, a layer never called."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.body[0].weight
        self.spare = nn.Linear(4, 9)
        self.body[0].bias.requires_grad_(False)

    def forward(self, x, scale=1.0):
        x = self.body(self.body(x))
        return {"a": self.tied(x) * scale, "rest": [x, None]}


def test_calls_shared_frozen_and_spare_layers():
    net = Net()
    result = summary(net, (2, 4))
    assert (result.parameters, result.trainable) == (20 + 8 + 45, 16 + 8 + 45)
    assert result.multiply_adds == 2 * 32 + 32
    twice = line(result, "body.0")
    assert (twice.calls, twice.shapes, twice.multiply_adds) == (2, [(2, 4)], 64)
    assert line(result, "tied").parameters == 0
    assert (line(result, "spare").calls, line(result, "spare").shapes) == (0, [])
    assert line(result, "").shapes == [(2, 4), (2, 4)]
    text = repr(result)
    assert "  body (Sequential), 2 calls" in text
    assert "73 parameters (69 trainable, 4 frozen), 96 multiply-adds" in text


def test_the_model_is_left_as_it_was():
    net = Net()
    net.body[2].eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    random = cr.get_rng_state()
    summary(net, (2, 4))
    with pytest.raises(ValueError, match=r"body\.0 \(Linear\)"):
        summary(net, (2, 5))
    assert [module.training for module in net.modules()] == modes
    assert all((state[name] == value).all() for name, value in net.state_dict().items())
    assert (cr.get_rng_state() == random).all()
    calls = summary(net, (2, 4)).layers[0].calls
    net(cr.zeros(2, 4))
    assert calls == 1  # and no hook is left to count more


def test_forms_of_input():
    net = Net()
    expected = repr(summary(net, [2, 4]))
    x = cr.zeros(2, 4)
    for given in (x, (x,), [x], (x, 2.0), {"x": x, "scale": 3.0}):
        assert repr(summary(net, input=given)) == expected
    words = summary(nn.Embedding(5, 3), (2, 7), dtype=cr.int64)
    assert words.layers[0].shapes == [(2, 7, 3)]
    assert summary(nn.Linear(2, 3).double(), (1, 2)).layers[0].shapes == [(1, 3)]
    packed = nn.utils.rnn.pack_sequence([cr.zeros(3, 2), cr.zeros(1, 2)])
    assert summary(nn.RNN(2, 4), input=packed).multiply_adds == 4 * 4 * (2 + 4)


def test_without_input_only_parameters():
    result = summary(Net())
    assert (result.parameters, result.multiply_adds, result.counted) == (73, 0, False)
    assert "Output shape" not in repr(result)
    assert repr(result).endswith("73 parameters (69 trainable, 4 frozen)")


@pytest.mark.parametrize("depth", [0, 1, 2, None])
def test_depth_keeps_the_totals(depth):
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 1))
    whole, part = summary(net, (5, 2)), summary(net, (5, 2), depth=depth)
    assert max(layer.depth for layer in part.layers) == (2 if depth is None else depth)
    assert (part.parameters, part.multiply_adds) == (whole.parameters, whole.multiply_adds)
    if depth == 1:
        assert [layer.parameters for layer in part.layers] == [0, 9, 4]


def test_html_is_a_table_of_the_same_cells():
    class Odd(nn.Linear):
        def _get_name(self):
            return "<b>"

    result = summary(nn.Sequential(Odd(2, 3), nn.ReLU()), (1, 2))
    table = ElementTree.fromstring(result._repr_html_())
    cells = [[cell.text or "" for cell in row] for row in table.iter("tr")]
    assert cells == [
        ["Layer", "Output shape", "Parameters", "Multiply-adds"],
        ["Sequential", "(1, 3)", "", ""],
        ["0 (Odd)", "(1, 3)", "9", "6"],
        ["1 (ReLU)", "(1, 3)", "", ""],
        ["9 parameters, 6 multiply-adds"],
    ]


def test_mistakes_are_named():
    net = nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"summary: model is an nn\.Module \(got Tensor\)"):
        summary(cr.zeros(2), (1, 2))
    with pytest.raises(ValueError, match="exclude each other"):
        summary(net, (1, 2), input=cr.zeros(1, 2))
    for size in ("12", [(1, 2), 3], 2.5, [1.5, 2]):
        with pytest.raises(TypeError, match="input_size is a shape or a list of shapes"):
            summary(net, size)
    with pytest.raises(ValueError, match=r"depth counts from 0.*got -1"):
        summary(net, (1, 2), depth=-1)
