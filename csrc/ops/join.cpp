// Rows that join, repeat, mirror or pad tensors.
#include "autograd/node.h"
#include "ops/pointwise.h"

namespace cr {
namespace {

// An empty vector joins with tensors of any shape, to which it adds nothing.
bool is_nothing(const Tensor& part) { return part.shape() == Dims{0}; }

const Tensor& first_part(const TensorList& parts) {
  for (const Tensor& part : parts) {
    if (!is_nothing(part)) return part;
  }
  return parts[0];
}

const Row cat_row =
    Row("cat(Tensor[] tensors, int dim=0)")
        .doc(
            R"(Join tensors along an existing dimension. Dtypes are promoted; empty vectors are left out.

Raises:
    ValueError: when sizes differ in another dimension.

Example:
    >>> cr.cat([cr.tensor([1, 2]), cr.tensor([3])])
    tensor([1, 2, 3])
)")
        .function_only()
        .moves()
        .infer([](Call& call) {
          CR_CHECK(call.in.size() > 0, "cat: needs at least one tensor");
          const Tensor& first = first_part(call.in);
          const int dim = normalize_dim("cat", call.attrs.i(1), first.rank());
          CR_CHECK(first.rank() > 0, "cat: 0-d tensors cannot be joined; use stack");
          Dims shape = first.shape();
          shape[dim] = 0;
          for (int i = 0; i < call.in.size(); ++i) {
            const Dims& other = call.in[i].shape();
            if (is_nothing(call.in[i])) continue;
            bool fits = other.size() == shape.size();
            for (int d = 0; fits && d < shape.size(); ++d)
              fits = d == dim || other[d] == first.shape()[d];
            CR_CHECK(fits, "cat: tensor ", i, " has shape ", other, ", the first ", first.shape(),
                     "; sizes may differ in dimension ", dim, " only");
            shape[dim] += other[dim];
          }
          call.compute = result_type(call.in);
          call.set_output(0, shape, call.compute);
        })
        .launch([](Call& call) {
          const Tensor& out = call.out[0];
          const int dim = normalize_dim("cat", call.attrs.i(1), out.rank());
          int64_t offset = 0;
          for (const Tensor& part : call.in) {
            if (is_nothing(part)) continue;
            copy_into(out.alias(part.shape(), out.strides(), offset * out.strides()[dim]), part);
            offset += part.shape()[dim];
          }
        })
        .vjp([](Vjp& v) {
          const int64_t dim = v.attrs().i(1);
          const int axis = normalize_dim("cat", dim, v.out_shape().size());
          int64_t start = 0;
          for (int i = 0; i < v.inputs(); ++i) {
            if (v.in_shape(i) == Dims{0}) {
              v.set(i, [&] { return v.zeros_like_input(i); });
              continue;
            }
            const int64_t end = start + v.in_shape(i)[axis];
            v.set(i, [&] { return OP(slice)(v.grad(), axis, start, end); });
            start = end;
          }
        });

const Row stack_row =
    Row("stack(Tensor[] tensors, int dim=0)")
        .doc(R"(Join tensors of one shape along a new dimension.

Raises:
    ValueError: when there is no tensor or the shapes differ.
    IndexError: when there is no such place for a dimension.

Example:
    >>> cr.stack([cr.tensor([1, 2]), cr.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
)")
        .function_only()
        .compose([](const TensorList& in, const Attrs& attrs) {
          CR_CHECK(in.size() > 0, "stack: needs at least one tensor");
          const int64_t rank = in[0].rank(), dim = attrs.i(1);
          CR_CHECK_INDEX(dim >= -rank - 1 && dim <= rank, "stack: dimension out of range (got ",
                         dim, " for tensors with ", rank, " dimensions); expected ", -rank - 1,
                         " to ", rank);
          TensorList parts;
          for (int i = 0; i < in.size(); ++i) {
            CR_CHECK(in[i].shape() == in[0].shape(), "stack: shapes must be equal (got ",
                     in[0].shape(), " at 0, ", in[i].shape(), " at ", i, ")");
            parts.push_back(OP(unsqueeze)(in[i], dim));
          }
          return OP(cat)(parts, dim);
        });

const Row flip_row =
    Row("flip(Tensor input, int... dims)")
        .doc(R"(Reverse the order of elements along dimensions (a copy).

Example:
    >>> cr.flip(cr.arange(3), (0,))
    tensor([2, 1, 0])
)")
        .moves()
        .infer([](Call& call) {
          call.out_meta[0] = call.in[0].meta();
          normalize_dims("flip", call.attrs.ints(0), call.in[0].rank());
        })
        .launch([](Call& call) {
          const Tensor& x = call.in[0];
          if (x.numel() == 0) return;
          Dims strides = x.strides();
          int64_t offset = 0;
          if (!call.attrs.ints(0).empty()) {
            for (int64_t dim : normalize_dims("flip", call.attrs.ints(0), x.rank())) {
              const int d = static_cast<int>(dim);
              offset += (x.shape()[d] - 1) * strides[d];
              strides[d] = -strides[d];
            }
          }
          copy_into(call.out[0], x.alias(x.shape(), strides, offset));
        })
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(flip)(v.grad(), v.attrs().ints(0)); }); });

const Row repeat_row =
    Row("repeat(Tensor input, int... repeats)")
        .doc(R"(Copy with each dimension repeated; extra repeats come as leading dimensions.

Example:
    >>> cr.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const Dims repeats = attrs.ints(0);
          const int shift = repeats.size() - x.rank();
          CR_CHECK(shift >= 0, "repeat: got ", repeats.size(), " repeats for a tensor with ",
                   x.rank(), " dimensions");
          CR_CHECK(2 * repeats.size() <= kMaxRank, "repeat: too many dimensions (got ",
                   repeats.size(), ")");
          Dims parts, expanded, result;
          for (int i = 0; i < repeats.size(); ++i) {
            const int64_t size = i < shift ? 1 : x.shape()[i - shift];
            CR_CHECK(repeats[i] >= 0, "repeat: negative count in ", repeats);
            parts.push_back(1);
            parts.push_back(size);
            expanded.push_back(repeats[i]);
            expanded.push_back(size);
            int64_t repeated;
            CR_CHECK(!__builtin_mul_overflow(repeats[i], size, &repeated), "repeat: ", repeats,
                     " repeats of shape ", x.shape(), " do not fit in memory");
            result.push_back(repeated);
          }
          const Tensor spread = OP(expand)(OP(reshape)(x, parts), expanded);
          return OP(reshape)(OP(clone)(spread), result);
        });

// ---------------------------------------------------------------- padding

// Sizes of a padding list (last dimension first, pairs) applied to a shape.
Dims padded_shape(const Dims& shape, const Dims& pad) {
  CR_CHECK(pad.size() % 2 == 0 && pad.size() / 2 <= shape.size(), "pad: needs pairs for at most ",
           shape.size(), " dimensions (got ", pad, ")");
  Dims result = shape;
  for (int i = 0; i < pad.size() / 2; ++i) {
    int64_t& size = result[shape.size() - 1 - i];
    int64_t growth;
    const bool overflows = __builtin_add_overflow(pad[2 * i], pad[2 * i + 1], &growth) ||
                           __builtin_add_overflow(size, growth, &size);
    CR_CHECK(!overflows, "pad: padding ", pad, " is too large");
    CR_CHECK(size >= 0, "pad: padding ", pad, " leaves a negative size of shape ", shape);
  }
  return result;
}

const Row constant_pad_row =
    Row("_constant_pad(Tensor input, int[] pad, float value=0)")
        .doc("Kernel row of ``pad`` with a constant; negative padding crops.")
        .moves()
        .infer([](Call& call) {
          call.set_output(0, padded_shape(call.in[0].shape(), call.attrs.ints(0)),
                          call.in[0].dtype());
        })
        .launch([](Call& call) {
          const Tensor &x = call.in[0], &out = call.out[0];
          const Dims pad = call.attrs.ints(0);
          copy_into(out, Tensor::scalar(call.attrs.f(1), out.dtype()));
          // The part of the input that stays, and where it goes.
          Dims shape = x.shape();
          int64_t from = 0, to = 0;
          for (int i = 0; i < pad.size() / 2; ++i) {
            const int d = x.rank() - 1 - i;
            const int64_t before = pad[2 * i], after = pad[2 * i + 1];
            from += std::max<int64_t>(-before, 0) * x.strides()[d];
            to += std::max<int64_t>(before, 0) * out.strides()[d];
            shape[d] += std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
            if (shape[d] <= 0) return;
          }
          copy_into(out.alias(shape, out.strides(), to), x.alias(shape, x.strides(), from));
        })
        .vjp([](Vjp& v) {
          Dims crop = v.attrs().ints(0);
          for (int64_t& size : crop) size = -size;
          v.set(0, [&] { return OP(_constant_pad)(v.grad(), crop, 0.0); });
        });

// Indices along one dimension for the modes that repeat elements of the input.
Tensor pad_indices(int64_t mode, int64_t size, int64_t before, int64_t after) {
  Tensor index = Tensor::empty({before + size + after}, DType::kInt64);
  int64_t* out = index.data<int64_t>();
  for (int64_t i = -before; i < size + after; ++i) {
    int64_t at = i;
    if (mode == 1) at = i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;  // reflect
    if (mode == 2) at = std::min(std::max<int64_t>(i, 0), size - 1);      // replicate
    if (mode == 3) at = (i + size) % size;                                // circular
    *out++ = at;
  }
  return index;
}

const Row pad_row =
    Row("pad(Tensor input, int[] pad, {constant|reflect|replicate|circular} mode='constant', "
        "float? value=None)")
        .doc(R"(Pad dimensions, the last one first: ``(left, right, top, bottom, ...)``.

Negative padding crops. Modes: "constant" (``value``, default 0), "reflect",
"replicate", "circular".

Raises:
    ValueError: for odd lists, too much padding for the mode, or negative resulting sizes.

Example:
    >>> F.pad(cr.tensor([1., 2.]), (1, 1))
    tensor([0., 1., 2., 0.])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const Dims pad = attrs.ints(0);
          const int64_t mode = attrs.i(1);
          padded_shape(x.shape(), pad);
          if (mode == 0) return OP(_constant_pad)(x, pad, attrs.none(2) ? 0.0 : attrs.f(2));
          CR_CHECK(attrs.none(2) || attrs.f(2) == 0, "pad: value is for the constant mode");
          Tensor result = x;
          for (int i = 0; i < pad.size() / 2; ++i) {
            const int d = x.rank() - 1 - i;
            int64_t size = x.shape()[d], before = pad[2 * i], after = pad[2 * i + 1];
            if (before == 0 && after == 0) continue;
            if (mode == 3 && (before < 0 || after < 0)) {  // what is cropped does not come round
              const int64_t start = std::max<int64_t>(-before, 0),
                            end = size + std::min<int64_t>(after, 0);
              CR_CHECK(start < end, "pad: padding (", before, ", ", after,
                       ") leaves nothing of dimension ", d, " of size ", size, " to repeat");
              result = OP(slice)(result, d, start, end);
              size = end - start;
              before = std::max<int64_t>(before, 0);
              after = std::max<int64_t>(after, 0);
            }
            const int64_t limit = mode == 1 ? size - 1 : mode == 3 ? size : int64_t{1} << 40;
            CR_CHECK(size > 0 && before <= limit && after <= limit, "pad: padding (", before, ", ",
                     after, ") is too much for dimension ", d, " of size ", size,
                     " in this mode; at most ", limit);
            result = OP(index_select)(result, d, pad_indices(mode, size, before, after));
          }
          return result.is(x) ? OP(clone)(x) : result;
        });

}  // namespace
}  // namespace cr
