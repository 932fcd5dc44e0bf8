// Rows that move or convert elements, and tensors made from nothing.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/pointwise.h"
#include "ops/pointwise.kernel.h"

namespace cr {

namespace {

constexpr int64_t kFewLanes = 8, kLongRow = 16;

// Rows of the source become columns of a narrow last dimension, as when pixels are interleaved.
bool interleaves(const Tensor& target, const Tensor& source) {
  const int last = target.rank() - 1;
  return last >= 1 && source.shape() == target.shape() && target.storage() != source.storage() &&
         target.shape()[last] > 1 && target.shape()[last] <= kFewLanes &&
         target.shape()[last - 1] >= kLongRow && source.strides()[last] != 1 &&
         source.strides()[last - 1] == 1;
}

Tensor column(const Tensor& tensor, int64_t i) {
  Dims shape = tensor.shape(), strides = tensor.strides();
  shape.pop_back();
  strides.pop_back();
  return tensor.alias(shape, strides, i * tensor.strides().back());
}

}  // namespace

void copy_into(const Tensor& target, const Tensor& source) {
  if (target.numel() == 0) return;
  if (interleaves(target, source)) {  // whole rows, a column at a time
    const int64_t columns = target.shape().back();
    for (int64_t i = 0; i < columns; ++i) copy_into(column(target, i), column(source, i));
    return;
  }
  const int from = static_cast<int>(source.dtype()), to = static_cast<int>(target.dtype());
  run_block(cast_table().cast[from][to], target, {source}, nullptr, 0.2);
}

Tensor contiguous_copy(const Tensor& tensor) {
  Tensor result = Tensor::empty(tensor.shape(), tensor.dtype());
  copy_into(result, tensor);
  return result;
}

namespace {

const Row to_row =
    Row("to(Tensor input, dtype dtype)")
        .doc(R"(Convert to another dtype; the tensor itself when it has it.

Floats become integers by truncation; any nonzero value becomes True.

Example:
    >>> cr.to(cr.tensor([1.5, -1.5]), cr.int64)
    tensor([ 1, -1])
)")
        .function_only()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return in[0].dtype() == attrs.dtype(0) ? in[0] : Tensor();
        })
        .moves()
        .infer([](Call& call) { call.set_output(0, call.in[0].shape(), call.attrs.dtype(0)); })
        .launch([](Call& call) { copy_into(call.out[0], call.in[0]); })
        .vjp([](Vjp& v) { v.set(0, v.grad()); });

const Row clone_row =
    Row("clone(Tensor input)")
        .doc(R"(Copy into new memory, row-major. The gradient flows to ``input``.

Example:
    >>> cr.clone(cr.tensor([1., 2.]))
    tensor([1., 2.])
)")
        .moves()
        .infer([](Call& call) { call.set_output(0, call.in[0].shape(), call.in[0].dtype()); })
        .launch([](Call& call) { copy_into(call.out[0], call.in[0]); })
        .vjp([](Vjp& v) { v.set(0, v.grad()); });

const Row contiguous_row =
    Row("contiguous(Tensor input)")
        .doc(R"(The tensor itself when its memory is row-major, else a row-major copy.

Example:
    >>> cr.ones(2, 3).t().contiguous().is_contiguous()
    True
)")
        .compose([](const TensorList& in, const Attrs&) {
          return in[0].contiguous() ? in[0] : OP(clone)(in[0]);
        });

// `input` overwritten by `source`: exists for its in-place form, Tensor.copy_.
const Row copy_row =
    Row("copy(Tensor input, Operand source)")
        .doc(R"(Values of ``source``, broadcast and converted to the shape and dtype of ``input``.

Example:
    >>> cr.zeros(2).copy_(cr.tensor([1., 2.]))
    tensor([1., 2.])
)")
        .inplace()
        .strided_output()
        .broadcasts()
        .function_only()
        .moves()
        .infer([](Call& call) {
          const Tensor &input = call.in[0], &source = call.in[1];
          CR_CHECK(broadcastable_to(source.shape(), input.shape()), "copy_: source of shape ",
                   source.shape(), " does not broadcast to ", input.shape());
          call.set_output(0, input.shape(), input.dtype());
        })
        .launch([](Call& call) { copy_into(call.out[0], call.in[1]); })
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.zeros_like_input(0); });
          v.set(1, v.grad());
        });

// ---------------------------------------------------------------- from nothing

DType value_type(const Tensor& value, DType wanted) {
  if (wanted != DType::kUndefined) return wanted;
  return value.impl()->weak && is_floating(value.dtype()) ? default_dtype() : value.dtype();
}

void infer_shape(Call& call) {
  call.set_output(0, call.attrs.ints(0), call.attrs.dtype(1, default_dtype()));
  checked_numel(call.attrs.ints(0));
}

const Row empty_row = Row("empty(int... size, *, dtype? dtype=None)")
                          .doc(R"(Tensor with uninitialised memory.

Example:
    >>> cr.empty(2, 3).shape
    (2, 3)
)")
                          .moves()
                          .infer(infer_shape)
                          .launch([](Call&) {});

const Row zeros_row =
    Row("zeros(int... size, *, dtype? dtype=None)")
        .doc(R"(Tensor filled with 0.

Example:
    >>> cr.zeros(2)
    tensor([0., 0.])
)")
        .moves()
        .infer(infer_shape)
        .launch([](Call& call) {
          char* data = call.out[0].data();
          parallel(call.out[0].nbytes(), 1 << 20, [&](int64_t begin, int64_t end, int) {
            __builtin_memset(data + begin, 0, static_cast<size_t>(end - begin));
          });
        });

const Row ones_row =
    Row("ones(int... size, *, dtype? dtype=None)")
        .doc(R"(Tensor filled with 1.

Example:
    >>> cr.ones(2)
    tensor([1., 1.])
)")
        .compose([](const TensorList&, const Attrs& attrs) {
          return OP(full)(attrs.ints(0), int64_t{1}, attrs.dtype(1, default_dtype()));
        });

// The one number that a fill writes.
void check_fill_value(const char* op, const Tensor& value, DType dtype) {
  CR_CHECK(value.numel() == 1, op, ": the value must be one number (got shape ", value.shape(),
           ")");
  CR_CHECK(!is_integral(dtype) || !is_floating(value.dtype()) || std::isfinite(item_double(value)),
           op, ": ", item_double(value), " has no value in ", dtype);
}

// One number everywhere: a long tensor is written in copies of a block that stays in L1, which the
// C library does at full speed on every processor.
void fill_with(const Tensor& out, const Tensor& value) {
  constexpr int64_t kBlock = 4096;
  const int64_t bytes = out.nbytes();
  if (!out.contiguous() || bytes < kBlock) return copy_into(out, value.alias({}, {}, 0));
  const Tensor one = Tensor::empty({}, out.dtype());
  copy_into(one, value.alias({}, {}, 0));
  char block[kBlock];
  int64_t filled = itemsize(out.dtype());
  std::memcpy(block, one.data(), static_cast<size_t>(filled));
  for (; filled < kBlock; filled *= 2)
    std::memcpy(block + filled, block, static_cast<size_t>(filled));
  char* to = out.data();
  parallel((bytes + kBlock - 1) / kBlock, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin * kBlock; at < std::min(end * kBlock, bytes); at += kBlock) {
      std::memcpy(to + at, block, static_cast<size_t>(std::min(kBlock, bytes - at)));
    }
  });
}

const Row full_row =
    Row("full(int[] size, Operand fill_value, *, dtype? dtype=None)")
        .doc(R"(Tensor filled with one value, whose type it takes when no dtype is given.

Example:
    >>> cr.full((2,), 7)
    tensor([7, 7])
)")
        .moves()
        .infer([](Call& call) {
          const DType dtype = value_type(call.in[0], call.attrs.dtype(1));
          check_fill_value("full", call.in[0], dtype);
          call.set_output(0, call.attrs.ints(0), dtype);
        })
        .launch([](Call& call) { fill_with(call.out[0], call.in[0]); })
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(reshape)(OP(sum)(v.grad()), v.in_shape(0)); });
        });

const Row fill_row = Row("fill(Tensor input, Operand value)")
                         .doc(R"(A tensor of the shape and dtype of ``input`` filled with ``value``.

Example:
    >>> cr.zeros(2).fill_(3)
    tensor([3., 3.])
)")
                         .inplace()
                         .strided_output()
                         .moves()
                         .infer([](Call& call) {
                           check_fill_value("fill", call.in[1], call.in[0].dtype());
                           call.set_output(0, call.in[0].shape(), call.in[0].dtype());
                         })
                         .launch([](Call& call) { fill_with(call.out[0], call.in[1]); })
                         .vjp([](Vjp& v) {
                           v.set(0, [&] { return v.zeros_like_input(0); });
                           v.set(1, [&] { return OP(reshape)(OP(sum)(v.grad()), v.in_shape(1)); });
                         });

#define CR_LIKE(name)                                                              \
  const Row name##_like_row =                                                      \
      Row(#name "_like(Tensor input, *, dtype? dtype=None)")                       \
          .doc("Like ``" #name                                                     \
               "`` with the shape and dtype of ``input``.\n\nExample:\n"           \
               "    >>> cr." #name "_like(cr.tensor([1., 2.])).shape\n    (2,)\n") \
          .function_only()                                                         \
          .compose([](const TensorList& in, const Attrs& attrs) {                  \
            return OP(name)(in[0].shape(), attrs.dtype(0, in[0].dtype()));         \
          });
CR_LIKE(empty)
CR_LIKE(zeros)
CR_LIKE(ones)
#undef CR_LIKE

const Row full_like_row =
    Row("full_like(Tensor input, Operand fill_value, *, dtype? dtype=None)")
        .doc(R"(Filled with one value, with the shape and dtype of ``input``.

Example:
    >>> cr.full_like(cr.tensor([1., 2.]), 5)
    tensor([5., 5.])
)")
        .function_only()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return OP(full)(in[0].shape(), in[1], attrs.dtype(0, in[0].dtype()));
        });

// start + i * step, each element from the formula so that no error accumulates.
const Row arange_row =
    Row("_arange(Operand start, Operand step, int length, dtype dtype)")
        .doc("Kernel row of ``arange``.")
        .moves()
        .infer([](Call& call) { call.set_output(0, {call.attrs.i(0)}, call.attrs.dtype(1)); })
        .launch([](Call& call) {
          const int64_t n = call.attrs.i(0);
          const bool whole = !is_floating(call.in[0].dtype()) && !is_floating(call.in[1].dtype());
          dispatch(call.out[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            T* out = call.out[0].data<T>();
            if (whole) {
              const int64_t start = item_int(call.in[0]), step = item_int(call.in[1]);
              for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(start + i * step);
            } else {
              const double start = item_double(call.in[0]), step = item_double(call.in[1]);
              for (int64_t i = 0; i < n; ++i)
                out[i] = static_cast<T>(start + static_cast<double>(i) * step);
            }
          });
        });

const Row linspace_row =
    Row("_linspace(float start, float end, int steps, dtype dtype)")
        .doc("Kernel row of ``linspace``.")
        .moves()
        .infer([](Call& call) {
          CR_CHECK(call.attrs.i(2) >= 0, "linspace: steps must be 0 or more (got ", call.attrs.i(2),
                   ")");
          call.set_output(0, {call.attrs.i(2)}, call.attrs.dtype(3));
        })
        .launch([](Call& call) {
          const double start = call.attrs.f(0), end = call.attrs.f(1);
          const int64_t n = call.attrs.i(2);
          const double step = n > 1 ? (end - start) / static_cast<double>(n - 1) : 0;
          dispatch(call.out[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            T* out = call.out[0].data<T>();
            // From both ends, so that the last element is exactly `end`.
            for (int64_t i = 0; i < n; ++i) {
              out[i] =
                  static_cast<T>(i < (n + 1) / 2 ? start + step * static_cast<double>(i)
                                                 : end - step * static_cast<double>(n - 1 - i));
            }
          });
        });

}  // namespace
}  // namespace cr
