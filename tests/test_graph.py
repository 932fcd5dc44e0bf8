"""utils.graph: what autograd recorded, as nodes and edges, as DOT and as a picture; the layout."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.utils import graph
from chainrule.utils._layers import place

SVG = "{http://www.w3.org/2000/svg}"


def leaf(*shape):
    return cr.ones(*shape, requires_grad=True)


def named(result):
    """The edges as labels."""
    return sorted((result.nodes[a].label, result.nodes[b].label) for a, b in result.edges)


def test_nodes_edges_and_shapes():
    w, b = leaf(3, 4), leaf(4)
    result = graph((cr.ones(2, 3) @ w + b).sum(), {"w": w, "b": b, "unused": leaf(1)})
    assert [(n.kind, n.label, n.shape) for n in result.nodes] == [
        ("output", "output", "()"),
        ("call", "Sum", "()"),
        ("call", "Add", "(2, 4)"),
        ("call", "Matmul", "(2, 4)"),
        ("leaf", "b", "(4,)"),
        ("leaf", "w", "(3, 4)"),
    ]
    chain = [("Add", "Sum"), ("Matmul", "Add"), ("Sum", "output"), ("b", "Add"), ("w", "Matmul")]
    assert named(result) == chain
    assert repr(result) == "Graph(2 leaves, 3 calls, 1 outputs, 5 edges)"


def test_a_tensor_read_twice_is_one_node_with_two_edges():
    x = leaf(2)
    assert named(graph(x * x, {"x": x})) == [("Mul", "output"), ("x", "Mul"), ("x", "Mul")]


def test_several_outputs_share_what_they_share():
    x = leaf(2, 4)
    loss = nn.functional.cross_entropy(x.exp(), cr.tensor([0, 1]))
    result = graph([loss, loss * 2, x], {"x": x})
    assert named(result) == [
        ("CrossEntropy", "Mul"), ("CrossEntropy", "output"), ("Exp", "CrossEntropy"),
        ("Mul", "output"), ("x", "Exp"), ("x", "output"),
    ]  # fmt: skip
    [call] = [node for node in result.nodes if node.label == "CrossEntropy"]
    assert call.shape == "()"  # not that of what it keeps for its gradient


def test_names_from_a_module_and_after_backward():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net[0].bias.requires_grad_(False)
    loss = net(cr.ones(1, 2)).sum()
    before = graph(loss, net)
    loss.backward()
    assert [n.label for n in before.nodes if n.kind == "leaf"] == [
        "1.weight", "1.bias", "0.weight",
    ]  # fmt: skip
    assert graph(loss, net).nodes == before.nodes
    assert [n.label for n in graph(loss).nodes if n.kind == "leaf"] == ["leaf"] * 3
    assert net[0].weight.grad is not None
    with cr.no_grad():
        assert graph(loss, net).nodes == before.nodes


def test_own_functions_and_second_derivatives():
    class Twice(cr.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    x = leaf(2)
    assert ("x", "Twice") in named(graph(Twice.apply(x), {"x": x}))
    (slope,) = cr.autograd.grad((x**3).sum(), [x], create_graph=True)
    assert "x" in [node.label for node in graph(slope, {"x": x}).nodes]


def test_a_long_graph_needs_no_recursion_and_is_not_drawn_unasked():
    x = leaf(1)
    y = x
    for _ in range(3000):
        y = y + 1
    result = graph(y)
    assert len(result.nodes) == 3002
    assert result._repr_svg_() is None
    assert result.to_svg().count("<rect") == 3002


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"graph: the tensor has no history"):
        graph(cr.ones(2))
    with pytest.raises(ValueError, match="graph: got no tensor"):
        graph([])
    with pytest.raises(TypeError, match=r"graph: expected tensors \(got float\)"):
        graph([leaf(1), 1.0])


# ---------------------------------------------------------------- pictures


def residual():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4))
    hidden = net[0](cr.ones(2, 3))
    return graph((net[2](hidden.relu()) + hidden).sum(), net)


def test_dot_lists_every_node_and_edge():
    result = residual()
    text = result.to_dot()
    labels = re.findall(r'^  n(\d+) \[label="(.*)\\n(.*)", fillcolor="#\w+"\]$', text, re.M)
    assert labels == [(str(i), n.label, n.shape) for i, n in enumerate(result.nodes)]
    arrows = re.findall(r"^  n(\d+) -> n(\d+)$", text, re.M)
    assert [(int(a), int(b)) for a, b in arrows] == result.edges
    assert len(text.splitlines()) == 3 + len(labels) + len(arrows)


def test_the_picture_shows_every_node_and_edge():
    result = residual()
    picture = ElementTree.fromstring(result._repr_svg_())
    boxes = [{k: float(r.get(k)) for k in ("x", "y", "width", "height")}
             for r in picture.iter(f"{SVG}rect")]  # fmt: skip
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert texts == [text for node in result.nodes for text in (node.label, node.shape)]
    width, height = float(picture.get("width")), float(picture.get("height"))
    for box in boxes:
        assert 0 <= box["x"] < box["x"] + box["width"] <= width + 0.5
        assert 0 <= box["y"] < box["y"] + box["height"] <= height + 0.5
    for a, b in itertools.combinations(boxes, 2):
        apart = abs(a["y"] - b["y"]) >= a["height"] or (
            a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
        )
        assert apart
    paths = [p.get("d") for p in picture.iter(f"{SVG}path") if p.get("marker-end")]
    assert len(paths) == len(result.edges)
    for path, (tail, head) in zip(paths, result.edges, strict=True):  # from box to box, down
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path)]
        centre = [boxes[i]["x"] + boxes[i]["width"] / 2 for i in (tail, head)]
        ends = [boxes[tail]["y"] + boxes[tail]["height"], boxes[head]["y"]]
        np.testing.assert_allclose(numbers[:2], [centre[0], ends[0]], atol=0.2)
        np.testing.assert_allclose(numbers[-2:], [centre[1], ends[1]], atol=0.2)
        assert ends[0] < ends[1]


def test_odd_names_are_escaped():
    x = leaf(2)
    name = 'a"<b>\\&\n'
    result = graph(x.exp(), {name: x})
    texts = [t.text for t in ElementTree.fromstring(result.to_svg()).iter(f"{SVG}text")]
    assert name in texts
    assert r'[label="a\"<b>\\&\n\n(2,)"' in result.to_dot()


# ---------------------------------------------------------------- layout


@pytest.mark.parametrize("seed", range(20))
def test_layers_gaps_and_paths(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    widths = rng.uniform(5, 100, count)
    pairs = rng.integers(0, count, (2 * count, 2))
    edges = [(int(a), int(b)) for a, b in pairs if a < b]
    layout = place(widths, edges, 10)
    for (tail, head), path in zip(edges, layout.paths, strict=True):
        assert [level for _, level in path] == list(
            range(layout.layer[tail], layout.layer[head] + 1)
        )
        assert path[0][0] == layout.x[tail]
        assert path[-1][0] == layout.x[head]
    for a, b in itertools.combinations(range(count), 2):
        if layout.layer[a] == layout.layer[b]:
            distance = abs(layout.x[a] - layout.x[b])
            assert distance >= (widths[a] + widths[b]) / 2 + 10 - 1e-9
    assert min(layout.layer) == 0


def test_a_tree_has_no_crossings_and_parents_stand_in_the_middle():
    """Fifteen nodes in a random order; every path keeps the order of its neighbours."""
    order = np.random.default_rng(1).permutation(15)
    edges = [(int(order[i]), int(order[(i - 1) // 2])) for i in range(1, 15)]
    layout = place([20.0] * 15, edges, 10)
    for (a, b), (c, d) in itertools.combinations(edges, 2):
        if layout.layer[a] == layout.layer[c]:
            assert (layout.x[a] - layout.x[c]) * (layout.x[b] - layout.x[d]) >= 0
    for i in range(7):
        sons = [layout.x[order[2 * i + 1]], layout.x[order[2 * i + 2]]]
        assert layout.x[order[i]] == pytest.approx(np.mean(sons), abs=0.5)


def test_a_chain_is_straight():
    layout = place([30.0, 80.0, 10.0], [(0, 1), (1, 2)], 10)
    assert layout.x == pytest.approx([layout.x[0]] * 3)
    assert layout.layer == [0, 1, 2]
