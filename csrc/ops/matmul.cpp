// Rows of the matrix products. {matmul} is closed under differentiation; linear is matmul with the
// weight as layers store it and the bias added in the kernel's epilogue. Strided and transposed
// operands are read in place.
#include <cmath>

#include "autograd/node.h"
#include "ops/gemm.h"

namespace cr {
namespace {

// ---------------------------------------------------------------- operands as matrices

// An operand as a batch of matrices.
struct Matrices {
  Dims batch, batch_strides;
  int64_t rows, cols, row_stride, col_stride;
};

// A vector is a row when it stands on the left, a column when it stands on the right.
Matrices matrices(const Tensor& x, bool left) {
  const int rank = x.rank();
  if (rank == 1) {
    const int64_t n = x.size(0), stride = x.strides()[0];
    return left ? Matrices{{}, {}, 1, n, 0, stride} : Matrices{{}, {}, n, 1, stride, 0};
  }
  return {Dims(x.shape().begin(), x.shape().end() - 2),
          Dims(x.strides().begin(), x.strides().end() - 2),
          x.size(-2),
          x.size(-1),
          x.strides()[rank - 2],
          x.strides()[rank - 1]};
}

// Strides of `m` over the broadcast batch: 0 where a matrix is used again.
Dims expanded_strides(const Matrices& m, const Dims& batch) {
  Dims strides = Dims::filled(batch.size(), 0);
  const int offset = batch.size() - m.batch.size();
  for (int d = 0; d < m.batch.size(); ++d) {
    if (m.batch[d] != 1) strides[offset + d] = m.batch_strides[d];
  }
  return strides;
}

// The problem of a batch of products into contiguous memory; `out` may be null while planning.
Gemm gemm_of(const Tensor& a, const Tensor& b, const Matrices& left, const Matrices& right,
             const Dims& batch, void* out) {
  Dims result = batch;
  result.push_back(left.rows);
  result.push_back(right.cols);
  checked_numel(result);
  Gemm gemm(a.dtype(),
            {left.rows, right.cols, left.cols, a.data(), left.row_stride, left.col_stride, b.data(),
             right.row_stride, right.col_stride, out, right.cols, false, nullptr, nullptr});
  gemm.batch = gemm.c_batch = batch;
  gemm.a_batch = expanded_strides(left, batch);
  gemm.b_batch = expanded_strides(right, batch);
  Product& p = gemm.product;
  int64_t step = p.rows * p.cols;
  for (int d = batch.size() - 1; d >= 0; --d) {
    gemm.c_batch[d] = step;
    step *= batch[d];
  }
  // One right operand for all: matrices that follow each other are one taller matrix.
  while (gemm.batch.size() > 0 && gemm.b_batch.back() == 0 &&
         (p.rows == 1 || gemm.batch.back() == 1 || gemm.a_batch.back() == p.rows * p.a_row)) {
    if (p.rows == 1) p.a_row = gemm.a_batch.back();
    p.rows *= gemm.batch.back();
    for (Dims* dims : {&gemm.batch, &gemm.a_batch, &gemm.b_batch, &gemm.c_batch}) dims->pop_back();
  }
  return gemm;
}

// ---------------------------------------------------------------- matmul

void check_operands(const char* op, const Tensor& a, const Tensor& b) {
  CR_CHECK(a.rank() >= 1 && b.rank() >= 1, op, ": got shapes ", a.shape(), " and ", b.shape(),
           "; expected at least 1 dimension each; use * for scalars");
  CR_CHECK_TYPE(a.dtype() == b.dtype(), op, ": operands differ in dtype (got ", a.dtype(), " and ",
                b.dtype(), "); expected the same; use .to(dtype)");
  CR_CHECK_TYPE(a.dtype() != DType::kBool, op,
                ": got dtype bool; expected integers or floats; use .to(dtype)");
}

Dims broadcast_batches(const char* op, const Tensor& a, const Tensor& b, const Dims& left,
                       const Dims& right) {
  const int common = std::min(left.size(), right.size());
  for (int d = 1; d <= common; ++d) {
    const int64_t x = left[left.size() - d], y = right[right.size() - d];
    CR_CHECK(x == y || x == 1 || y == 1, op, ": batch sizes ", left, " and ", right,
             " do not broadcast (got ", a.shape(), " and ", b.shape(),
             "); expected equal sizes or 1");
  }
  return broadcast_shapes(op, left, right);
}

Gemm matmul_gemm(const Call& call, void* out, Dims* shape = nullptr) {
  const Tensor &a = call.in[0], &b = call.in[1];
  check_operands(call.name(), a, b);
  const Matrices left = matrices(a, true), right = matrices(b, false);
  CR_CHECK(left.cols == right.rows, call.name(), ": inner sizes differ (got ", a.shape(), " and ",
           b.shape(), "); expected other.shape[", b.rank() == 1 ? "0" : "-2", "] == ", left.cols);
  const Dims batch = broadcast_batches(call.name(), a, b, left.batch, right.batch);
  if (shape) {
    *shape = batch;
    if (a.rank() > 1) shape->push_back(left.rows);
    if (b.rank() > 1) shape->push_back(right.cols);
  }
  return gemm_of(a, b, left, right, batch, out);
}

Tensor transposed(const Tensor& x) { return OP(transpose)(x, -2, -1); }
Tensor as_row(const Tensor& x) { return OP(unsqueeze)(x, -2); }
Tensor as_column(const Tensor& x) { return OP(unsqueeze)(x, -1); }
// All leading dimensions as one.
Tensor as_matrix(const Tensor& x) {
  if (x.rank() == 2) return x;
  int64_t rows = 1;
  for (int d = 0; d + 1 < x.rank(); ++d) rows *= x.shape()[d];
  return OP(reshape)(x, Dims{rows, x.size(-1)});
}

// Where an operand was broadcast the formulas give a gradient per copy; the engine sums them.
void matmul_vjp(Vjp& v) {
  const int left = v.in_shape(0).size(), right = v.in_shape(1).size();
  const Tensor grad = v.grad();
  if (left == 1 && right == 1) {
    v.set(0, [&] { return grad * v.in(1); });
    v.set(1, [&] { return grad * v.in(0); });
  } else if (left == 1) {
    v.set(0, [&] { return OP(matmul)(as_row(grad), transposed(v.in(1))); });
    v.set(1, [&] { return OP(matmul)(as_column(v.in(0)), as_row(grad)); });
  } else if (right == 1) {
    v.set(0, [&] { return OP(matmul)(as_column(grad), as_row(v.in(1))); });
    v.set(1,
          [&] { return OP(squeeze)(OP(matmul)(transposed(v.in(0)), as_column(grad)), Dims{-1}); });
  } else {
    v.set(0, [&] { return OP(matmul)(grad, transposed(v.in(1))); });
    v.set(1, [&] {  // one right operand for all: one long sum instead of a sum of products
      const Tensor a = v.in(0);
      return right == 2 ? OP(matmul)(transposed(as_matrix(a)), as_matrix(grad))
                        : OP(matmul)(transposed(a), grad);
    });
  }
}

void run_gemm(Call& call, const Gemm& gemm) {
  gemm_run(gemm, call.workspace, call.workspace_bytes);
}

const Row matmul_row =
    Row("matmul(Tensor input, Tensor other)")
        .doc(R"(Multiply matrices: ``out[..., i, j] = sum_k input[..., i, k] * other[..., k, j]``.

Leading dimensions are batches and broadcast. A vector stands for a row on the left and for a column
on the right, and its dimension is dropped from the result; two vectors give their dot product.

Args:
    input: Tensor of shape (..., M, K) or (K,); any dtype but bool.
    other: Tensor of shape (..., K, N) or (K,); the same dtype.

Returns:
    Tensor of shape (..., M, N), without the dimensions that vectors do not have. Integers wrap
    around on overflow.

Raises:
    ValueError: when the inner sizes differ or the batches do not broadcast.
    TypeError: when the dtypes differ or are bool.

Gradient: ``grad @ other.mT`` and ``input.mT @ grad``, summed over broadcast batches.

Example:
    >>> a = cr.tensor([[1., 2.], [3., 4.]])
    >>> a @ cr.tensor([[1., 0.], [1., 1.]])
    tensor([[3., 2.],
            [7., 4.]])
    >>> cr.matmul(a, cr.tensor([1., 1.]))
    tensor([3., 7.])
)")
        .infer([](Call& call) {
          Dims shape;
          const Gemm gemm = matmul_gemm(call, nullptr, &shape);
          call.set_output(0, shape, gemm.dtype);
          call.workspace_bytes = gemm_workspace(gemm);
        })
        .launch([](Call& call) { run_gemm(call, matmul_gemm(call, call.out[0].data())); })
        .saves("other for input, input for other")
        .vjp(matmul_vjp);

// ---------------------------------------------------------------- linear

Gemm linear_gemm(const Call& call, void* out) {
  const Tensor &x = call.in[0], &weight = call.in[1];
  const Tensor& bias = call.in[2];
  check_operands(call.name(), x, weight);
  CR_CHECK(weight.rank() == 2, call.name(), ": got weight of shape ", weight.shape(),
           "; expected (out_features, in_features)");
  CR_CHECK(x.size(-1) == weight.size(1), call.name(), ": input and weight differ in features (got ",
           x.shape(), " and ", weight.shape(), "); expected input.shape[-1] == ", weight.size(1));
  const Matrices left = matrices(x, true), stored = matrices(weight, false);
  const Matrices right{{}, {}, stored.cols, stored.rows, stored.col_stride, stored.row_stride};
  Gemm gemm = gemm_of(x, weight, left, right, left.batch, out);
  if (bias) {
    CR_CHECK(bias.shape() == Dims{weight.size(0)}, call.name(), ": got bias of shape ",
             bias.shape(), "; expected ", Dims{weight.size(0)}, " for weight of shape ",
             weight.shape());
    CR_CHECK_TYPE(bias.dtype() == x.dtype(), call.name(), ": bias differs in dtype (got ",
                  bias.dtype(), "); expected ", x.dtype());
    gemm.product.col_bias = bias.data();
  }
  const int64_t activation = call.attrs.i(0);  // none in a call of the row without one
  if (activation != 0) gemm.activation = fused_activation(activation, gemm.dtype);
  return gemm;
}

void infer_linear(Call& call) {
  const Gemm gemm = linear_gemm(call, nullptr);
  Dims shape = call.in[0].shape();
  shape.back() = call.in[1].size(0);
  call.set_output(0, shape, gemm.dtype);
  call.contiguous = call.in[2] && !call.in[2].contiguous();
  call.workspace_bytes = gemm_workspace(gemm);
}

void linear_vjp(Vjp& v, const Tensor& grad) {
  v.set(0, [&] { return OP(matmul)(grad, v.in(1)); });
  v.set(1, [&] { return OP(matmul)(transposed(as_matrix(grad)), as_matrix(v.in(0))); });
  v.set(2, [&] { return OP(sum)(as_matrix(grad), Dims{0}); });
}

const Row linear_row =
    Row("linear(Tensor input, Tensor weight, Tensor? bias=None, *, " CR_ACTIVATION ")")
        .doc(
            R"(Apply a linear layer: ``out = input @ weight.T + bias``, in one pass over the output.

Args:
    input: Tensor of shape (..., in_features).
    weight: Tensor of shape (out_features, in_features), the same dtype.
    bias: Tensor of shape (out_features,), or None.
    activation: the name of an activation function for the result, in the same pass and to the
        same bits as by itself, with its default arguments.

Returns:
    Tensor of shape (..., out_features).

Raises:
    ValueError: when the shapes do not fit or the activation is unknown.
    TypeError: when the dtypes differ or are bool.

Gradient: ``grad @ weight``, ``grad.T @ input`` and the sum of ``grad`` over all but its last
dimension.

Example:
    >>> import chainrule.nn.functional as F
    >>> F.linear(cr.tensor([[1., 2.]]), cr.tensor([[1., 1.], [0., 1.]]), cr.tensor([0., 10.]))
    tensor([[ 3., 12.]])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          const int64_t activation = attrs.i(0);
          if (activation == 0) return Tensor();
          return fuses_activation(activation, in)
                     ? OP(_linear_activated)(in[0], in[1], in[2], activation)
                     : activated(activation, OP(linear)(in[0], in[1], in[2]));
        })
        .infer(infer_linear)
        .launch([](Call& call) { run_gemm(call, linear_gemm(call, call.out[0].data())); })
        .saves("weight for input, input for weight")
        .vjp([](Vjp& v) { linear_vjp(v, v.grad()); })
        .nn();

const Row linear_activated_row =
    Row("_linear_activated(Tensor input, Tensor weight, Tensor? bias, int activation)")
        .doc("linear, then an activation function (ops/fused_activation.h).")
        .infer(infer_linear)
        .launch([](Call& call) { run_gemm(call, linear_gemm(call, call.out[0].data())); })
        .saves("weight for input, input for weight, out")
        .vjp([](Vjp& v) {
          linear_vjp(v, fused_activation_grad(v.attrs().i(0), v.grad(), v.out()));
        });

// ---------------------------------------------------------------- named ranks

void check_rank(const char* op, const char* what, const Tensor& x, int rank) {
  CR_CHECK(x.rank() == rank, op, ": ", what, " has shape ", x.shape(), "; expected ", rank,
           rank == 1 ? " dimension" : " dimensions", "; use matmul for other ranks");
}

// The product of the last two tensors of `in`, whose ranks are checked.
Tensor product(const char* op, const TensorList& in, int first, int left, int right) {
  check_rank(op, first == 0 ? "input" : "the first factor", in[first], left);
  check_rank(op, first == 0 ? "other" : "the second factor", in[first + 1], right);
  if (left == 3) {
    CR_CHECK(in[first].size(0) == in[first + 1].size(0), op, ": batch sizes differ (got ",
             in[first].shape(), " and ", in[first + 1].shape(),
             "); expected the same; use matmul to broadcast");
  }
  return OP(matmul)(in[first], in[first + 1]);
}

// factor * x in the dtype of x.
Tensor scaled(const char* op, const Tensor& x, double factor) {
  if (factor == 1) return x;
  if (is_floating(x.dtype())) return x * factor;
  CR_CHECK(factor == std::trunc(factor), op, ": got a factor of ", factor,
           "; expected a whole number for dtype ", x.dtype());
  return OP(mul)(x, static_cast<int64_t>(factor));
}

// beta * input + alpha * a @ b; beta == 0 leaves `input` out, NaN and all.
Tensor scaled_sum(const char* op, const TensorList& in, const Attrs& attrs, const Tensor& product) {
  const double beta = attrs.f(0), alpha = attrs.f(1);
  CR_CHECK(broadcastable_to(in[0].shape(), product.shape()), op, ": input of shape ", in[0].shape(),
           " does not broadcast to the product's shape ", product.shape());
  CR_CHECK_TYPE(in[0].dtype() == product.dtype(), op, ": operands differ in dtype (got ",
                in[0].dtype(), " and ", product.dtype(), "); expected the same; use .to(dtype)");
  const Tensor right = scaled(op, product, alpha);
  return beta == 0 ? right : scaled(op, in[0], beta) + right;
}

const Row mm_row =
    Row("mm(Tensor input, Tensor mat2)")
        .doc(R"(Multiply two matrices: (M, K) by (K, N).

Raises:
    ValueError: when an operand is not a matrix or the inner sizes differ.

Example:
    >>> cr.mm(cr.ones(2, 3), cr.ones(3, 1))
    tensor([[3.],
            [3.]])
)")
        .compose([](const TensorList& in, const Attrs&) { return product("mm", in, 0, 2, 2); });

const Row bmm_row =
    Row("bmm(Tensor input, Tensor mat2)")
        .doc(R"(Multiply two batches of matrices: (B, M, K) by (B, K, N).

Raises:
    ValueError: when the ranks, the batch sizes or the inner sizes do not fit.

Example:
    >>> cr.bmm(cr.ones(4, 2, 3), cr.ones(4, 3, 5)).shape
    (4, 2, 5)
)")
        .compose([](const TensorList& in, const Attrs&) { return product("bmm", in, 0, 3, 3); });

const Row mv_row =
    Row("mv(Tensor input, Tensor vec)")
        .doc(R"(Multiply a matrix (M, K) by a vector (K,).

Raises:
    ValueError: when the ranks or the inner sizes do not fit.

Example:
    >>> cr.mv(cr.ones(2, 3), cr.tensor([1., 2., 3.]))
    tensor([6., 6.])
)")
        .compose([](const TensorList& in, const Attrs&) { return product("mv", in, 0, 2, 1); });

const Row dot_row =
    Row("dot(Tensor input, Tensor tensor)")
        .doc(R"(Dot product of two vectors: ``sum_i input[i] * tensor[i]``.

Raises:
    ValueError: when an operand is not a vector or the sizes differ.

Example:
    >>> cr.dot(cr.tensor([1., 2.]), cr.tensor([3., 4.]))
    tensor(11.)
)")
        .compose([](const TensorList& in, const Attrs&) { return product("dot", in, 0, 1, 1); });

const Row outer_row = Row("outer(Tensor input, Tensor vec2)")
                          .doc(R"(Outer product of two vectors: ``out[i, j] = input[i] * vec2[j]``.

Raises:
    ValueError: when an operand is not a vector.

Example:
    >>> cr.outer(cr.tensor([1, 2]), cr.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
)")
                          .compose([](const TensorList& in, const Attrs&) {
                            check_rank("outer", "input", in[0], 1);
                            check_rank("outer", "vec2", in[1], 1);
                            return as_column(in[0]) * in[1];
                          });

const Row addmm_row =
    Row("addmm(Tensor input, Tensor mat1, Tensor mat2, *, float beta=1, float alpha=1)")
        .doc(R"(Add a product of matrices: ``beta * input + alpha * mat1 @ mat2``.

``input`` broadcasts to the shape of the product. With ``beta=0`` it is not read.

Args:
    input: Tensor that broadcasts to (M, N).
    mat1: Tensor of shape (M, K).
    mat2: Tensor of shape (K, N).

Raises:
    ValueError: when the shapes do not fit.

Example:
    >>> cr.addmm(cr.ones(2), cr.ones(3, 4), cr.ones(4, 2), beta=10)
    tensor([[14., 14.],
            [14., 14.],
            [14., 14.]])
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return scaled_sum("addmm", in, attrs, product("addmm", in, 1, 2, 2));
        });

const Row baddbmm_row =
    Row("baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, float beta=1, float alpha=1)")
        .doc(R"(Add a batch of products: ``beta * input + alpha * batch1 @ batch2``.

``input`` broadcasts to the shape of the product. With ``beta=0`` it is not read.

Args:
    input: Tensor that broadcasts to (B, M, N).
    batch1: Tensor of shape (B, M, K).
    batch2: Tensor of shape (B, K, N).

Raises:
    ValueError: when the shapes do not fit.

Example:
    >>> cr.baddbmm(cr.zeros(1), cr.ones(5, 3, 4), cr.ones(5, 4, 2)).shape
    (5, 3, 2)
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return scaled_sum("baddbmm", in, attrs, product("baddbmm", in, 1, 3, 3));
        });

}  // namespace
}  // namespace cr
