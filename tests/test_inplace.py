"""Writing in place under the tape: versions, what formulas still need, views and their bases."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr


def leaf(*values: float) -> Any:
    return cr.tensor(values if len(values) != 1 else values[0], requires_grad=True)


# ---------------------------------------------------------------- versions


@pytest.mark.smoke
def test_changed_saved_tensor_names_the_op() -> None:
    x = leaf(1.0, 2.0)
    a = x.exp()
    b = a * a
    a.add_(1.0)
    with pytest.raises(RuntimeError, match=r"^mul: .*changed in place.*version 1.*version 0"):
        b.sum().backward()


def test_change_through_a_view_is_noticed() -> None:
    x = leaf(1.0, 2.0)
    a = x * 1
    b = a * a
    a[0] = 5.0
    with pytest.raises(RuntimeError, match=r"^mul: .*changed in place"):
        b.sum().backward()


def test_change_through_detach_is_noticed() -> None:
    x = leaf(1.0, 2.0)
    a = x * 1
    b = a * a
    a.detach().zero_()
    with pytest.raises(RuntimeError, match=r"^mul: .*changed in place"):
        b.sum().backward()


def test_change_of_what_is_not_saved_is_harmless() -> None:
    x = leaf(1.0, 2.0)
    a = x * 1
    b = a + 1
    a.zero_()
    b.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_saved_output_changed() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.mul_(2.0)
    with pytest.raises(RuntimeError, match="exp"):
        y.sum().backward()


# ---------------------------------------------------------------- in place, through views


def test_inplace_chain() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    y.mul_(3.0).add_(1.0)
    y *= 2
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_inplace_with_a_tensor_that_wants_a_gradient() -> None:
    buffer = cr.zeros(2)
    x = leaf(1.0, 2.0)
    buffer.add_(x * 3)
    assert buffer.requires_grad
    buffer.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_inplace_where_the_old_value_is_needed() -> None:
    x, w = leaf(2.0, 3.0), leaf(5.0, 7.0)
    y = x * 1
    y.mul_(w).log_()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1 / 2, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(w.grad.numpy(), [1 / 5, 1 / 7], rtol=1e-6)


def test_inplace_with_itself() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 1
    y.mul_(y)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    x.grad = None
    y = x * 1
    y[1:].mul_(y[:-1])  # x0, x0 x1, x1 x2
    assert y.tolist() == [1.0, 2.0, 6.0]
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 4.0, 2.0]


def test_as_strided_needs_contiguous_memory_for_its_gradient() -> None:
    x = cr.arange(6.0).reshape(2, 3).requires_grad_()
    assert (x * 1).t().detach().as_strided((2, 2), (1, 2), 1).tolist() == [[1.0, 3.0], [2.0, 4.0]]
    with pytest.raises(RuntimeError, match=r"as_strided: .*contiguous\(\)"):
        (x * 1).t().as_strided((2, 2), (1, 2), 1)


def test_bases_in_any_order_of_dimensions() -> None:
    memory = np.arange(24.0).reshape(2, 3, 4)
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)):
        base, w = cr.from_numpy(memory.transpose(order).copy("K")), leaf(2.0)
        expected = memory.transpose(order).copy()
        view = base[1:]
        view.mul_(w)
        base[:, 0].mul_(3.0)
        expected[:, 0] *= 3
        (base * base.detach()).sum().backward()
        total = expected.copy()
        total[1:] *= 2
        np.testing.assert_allclose(base.detach().numpy(), total)
        np.testing.assert_allclose(view.detach().numpy(), total[1:])
        assert w.grad.item() == pytest.approx(float((total * expected)[1:].sum()), rel=1e-6)


def test_bases_with_gaps_are_refused() -> None:
    base, w = cr.from_numpy(np.arange(12.0).reshape(3, 4)[:, ::2]), leaf(2.0)
    with pytest.raises(RuntimeError, match=r"mul_: .*gaps.*contiguous\(\)"):
        base[1:].mul_(w)
    view = base[1:]
    base.mul_(w)
    with pytest.raises(RuntimeError, match=r"view: .*gaps.*contiguous\(\)"):
        view.sum()


# ---------------------------------------------------------------- in-place forms of views


def test_views_in_place() -> None:
    x = cr.arange(6.0).reshape(2, 3).clone()
    memory = x.data_ptr()
    assert x.t_() is x
    assert (x.shape, x.stride()) == ((3, 2), (1, 3))
    assert x.unsqueeze_(0).shape == (1, 3, 2)
    assert x.transpose_(0, 2).shape == (2, 3, 1)
    assert x.squeeze_().shape == (2, 3)
    assert x.squeeze_(0).shape == (2, 3)
    assert x.swapaxes_(0, 1).swapdims_(0, 1).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert x.as_strided_((2, 2), (1, 1), 1).tolist() == [[1.0, 2.0], [2.0, 3.0]]
    assert x.data_ptr() == memory + 4
    vector = cr.arange(3)
    assert vector.t_() is vector
    assert vector.tolist() == [0, 1, 2]


def test_gradient_of_views_in_place() -> None:
    x = cr.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 2
    y.t_()
    y[0].mul_(10.0)
    y.unsqueeze_(1)
    weights = cr.arange(1.0, 7.0).reshape(3, 1, 2)
    (g,) = cr.autograd.grad((y * weights).sum(), x)
    assert g.tolist() == [[20.0, 6.0, 10.0], [40.0, 8.0, 12.0]]


def test_a_view_turned_in_place_still_writes_to_its_base() -> None:
    x = cr.arange(6.0).reshape(2, 3).requires_grad_()
    base = x * 1
    part = base[:, 1:]
    part.t_()
    part[0].mul_(5.0)  # column 1 of the base
    base.sum().backward()
    assert x.grad.tolist() == [[1.0, 5.0, 1.0], [1.0, 5.0, 1.0]]


def test_a_leaf_is_turned_under_no_grad_only() -> None:
    x = cr.zeros(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="t_: a leaf"):
        x.t_()
    with cr.no_grad():
        x.t_()
    (x * cr.ones(3, 2)).sum().backward()
    assert x.grad.shape == (3, 2)
    y = x * 1
    with cr.no_grad(), pytest.raises(RuntimeError, match=r"t_: under no_grad\(\)"):
        y.t_()


def test_a_saved_tensor_that_was_turned_is_noticed() -> None:
    x = cr.ones(2, 3, requires_grad=True)
    y = x * 2
    z = y * y
    y.t_()
    with pytest.raises(RuntimeError, match=r"^mul: .*changed in place"):
        z.sum().backward()


def test_write_into_a_view_reaches_the_base() -> None:
    x = leaf(1.0, 2.0, 3.0)
    base = x * 1
    base[1:].mul_(10.0)
    assert base.tolist() == [1.0, 20.0, 30.0]
    (base * cr.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 20.0, 30.0]


def test_write_into_the_base_reaches_a_view() -> None:
    x = leaf(1.0, 2.0, 3.0)
    base = x * 1
    view = base[1:]
    base.mul_(10.0)
    view.sum().backward()
    assert x.grad.tolist() == [0.0, 10.0, 10.0]


def test_write_into_a_view_of_a_view() -> None:
    x = cr.arange(12.0).reshape(3, 4).requires_grad_()
    base = x * 1
    base.t()[1].mul_(5.0)
    base.sum().backward()
    expected = np.ones((3, 4))
    expected[:, 1] = 5.0
    assert x.grad.tolist() == expected.tolist()


def test_assigning_a_tensor_into_a_slice() -> None:
    x, y = leaf(1.0, 2.0, 3.0), leaf(5.0)
    base = x * 1
    base[0] = y * 2
    (base * cr.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 10.0, 100.0]
    assert y.grad.item() == 2.0


def test_view_of_a_leaf_is_protected() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf"):
        x[0] = 5.0
    with pytest.raises(RuntimeError, match="leaf"):
        x[:1].mul_(2.0)
    with pytest.raises(RuntimeError, match="leaf"):
        x.zero_()
    assert x.tolist() == [1.0, 2.0]


def test_no_grad_updates_keep_the_leaf() -> None:
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    with cr.no_grad():
        x -= 0.5 * x.grad
    assert x.tolist() == [0.0, 0.0]
    assert x.is_leaf
    assert x.requires_grad


def test_view_of_expanded_memory_is_not_written() -> None:
    x = cr.zeros(1).expand(4)
    with pytest.raises(RuntimeError, match="share one memory"):
        x.add_(cr.arange(4.0))
