// Rows of embeddings: sums of rows of a table in bags, and their gradients.
//
// Three rows closed under differentiation, with x the indices and b(i) the bag of entry i:
//   _embedding_bag       out[b] = sum of f[i] W[x[i]] over the entries of b
//   _embedding_bag_grad  out[r] = sum of f[i] g[b(i)] over the entries with x[i] = r
//   _embedding_bag_dot   out[i] = g[b(i)] . W[x[i]]
// No array of the entries' rows is made. Entries equal to `padding` count for nothing.
#include <algorithm>
#include <cstring>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/embedding.kernel.h"
#include "ops/index.h"

namespace cr {
namespace {

template <class T>
const EmbeddingKernels<T>& kernels() {
  if constexpr (sizeof(T) == 4) {
    return embedding_table().f32;
  } else {
    return embedding_table().f64;
  }
}

template <class T>
const T* data_or_null(const Tensor& x) {
  return x ? x.data<T>() : nullptr;
}

// The entries of all bags, checked: indices below `rows`, padding as -1; bag b has the entries
// [starts[b], starts[b + 1]).
struct Bags {
  Tensor index, starts;
  int64_t count;

  Bags(const Tensor& input, const Tensor& offsets, int64_t rows, int64_t padding)
      : index(checked_indices("embedding_bag", input, rows, 0, false)),
        starts(Tensor::empty(offsets.shape(), DType::kInt64)),
        count(offsets.numel() - 1) {
    copy_into(starts, offsets);
    const int64_t* start = starts.data<int64_t>();
    const int64_t n = input.numel();
    CR_CHECK(start[0] == 0, "embedding_bag: offsets begin with 0 (got ", start[0], ")");
    for (int64_t b = 0; b < count; ++b) {
      CR_CHECK(start[b] <= start[b + 1], "embedding_bag: offsets do not go back (got ",
               start[b + 1], " after ", start[b], ")");
    }
    CR_CHECK(start[count] <= n, "embedding_bag: the last offset is ", start[count],
             "; expected at most ", n, ", the length of input");
    int64_t* values = index.data<int64_t>();
    std::replace(values, values + n, padding, int64_t{-1});
  }

  int64_t entries() const { return starts.data<int64_t>()[count]; }

  // The bag of every entry.
  Tensor of_entries() const {
    Tensor bags = Tensor::empty({entries()}, DType::kInt64);
    const int64_t* start = starts.data<int64_t>();
    for (int64_t b = 0; b < count; ++b) {
      std::fill(bags.data<int64_t>() + start[b], bags.data<int64_t>() + start[b + 1], b);
    }
    return bags;
  }
};

void check_table(const Tensor& table, const Tensor& input, const Tensor& offsets) {
  CR_CHECK_TYPE(is_floating(table.dtype()), "embedding_bag", ": needs a floating-point table (got ",
                table.dtype(), ")");
  check_index_type("embedding_bag", input);
  check_index_type("embedding_bag", offsets);
  CR_CHECK(table.rank() == 2 && input.rank() == 1 && offsets.rank() == 1 && offsets.numel() > 0,
           "embedding_bag", ": got a table of shape ", table.shape(), ", input ", input.shape(),
           " and offsets ", offsets.shape(), "; expected (V, D), (n,) and (B + 1,)");
}

void check_factors(const Call& call, const Tensor& factors, const Tensor& input,
                   const Tensor& table) {
  if (!factors) return;
  CR_CHECK(factors.shape() == input.shape(), call.name(), ": the factors have shape ",
           factors.shape(), "; expected ", input.shape());
  CR_CHECK_TYPE(factors.dtype() == table.dtype(), call.name(), ": the factors are ",
                factors.dtype(), "; expected ", table.dtype());
}

double row_nanoseconds(int64_t width) { return 3 + 0.1 * static_cast<double>(width); }

// Calls f(bag, first entry, entries) for every bag.
template <class F>
void for_each_bag(const Bags& bags, int64_t width, F&& f) {
  const int64_t* start = bags.starts.data<int64_t>();
  const double mean =
      static_cast<double>(bags.entries()) / static_cast<double>(std::max<int64_t>(bags.count, 1));
  parallel(bags.count, grain_for(5 + mean * row_nanoseconds(width)),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t b = begin; b < end; ++b) f(b, start[b], start[b + 1] - start[b]);
           });
}

// table = 0, then table[index[i]] += factors[i] * source[rows[i]], in the order of the entries;
// columns are shared out.
template <class T>
void add_to_zeros(const Tensor& table, const int64_t* index, const T* factors, const T* source,
                  const int64_t* rows, int64_t entries) {
  T* to = table.data<T>();
  parallel(table.numel(), 1 << 18, [&](int64_t begin, int64_t end, int) {
    std::memset(to + begin, 0, static_cast<size_t>(end - begin) * sizeof(T));
  });
  if (table.numel() == 0) return;
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  const int64_t width = table.numel() / table.size(0);
  const int64_t grain = grain_for(0.15 * static_cast<double>(entries));
  parallel(width, (grain + 4 * kLine - 1) / (4 * kLine) * (4 * kLine),
           [&](int64_t begin, int64_t end, int) {
             kernels<T>().add(source, rows, index, factors, entries, width, begin, end, to);
           });
}

const Row sum_rows_row =
    Row("_sum_rows(Tensor input, Tensor index, int rows)")
        .doc("Zeros of ``rows`` rows, to which ``input[i]`` is added at row ``index[i]``.")
        .infer([](Call& call) {
          const Tensor &input = call.in[0], &index = call.in[1];
          check_index_type(call.name(), index);
          CR_CHECK_TYPE(is_floating(input.dtype()), call.name(),
                        ": needs a floating-point tensor (got ", input.dtype(), ")");
          CR_CHECK(input.rank() >= 1 && index.rank() <= 1 && index.numel() == input.size(0),
                   call.name(), ": got input of shape ", input.shape(), " and ", index.numel(),
                   " indices; expected as many as rows");
          call.contiguous = true;
          Dims shape = input.shape();
          shape[0] = call.attrs.i(0);
          checked_numel(shape);
          call.set_output(0, shape, input.dtype());
        })
        .launch([](Call& call) {
          const Tensor& input = call.in[0];
          const Tensor index = checked_indices(call.name(), call.in[1], call.attrs.i(0), 0, false);
          dispatch_floating(input.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            add_to_zeros<T>(call.out[0], index.data<int64_t>(), nullptr, input.data<T>(), nullptr,
                            index.numel());
          });
        })
        .saves("index")
        .vjp([](Vjp& v) {
          v.set(0,
                [&] { return OP(reshape)(OP(index_select)(v.grad(), 0, v.in(1)), v.in_shape(0)); });
        });

const Row embedding_bag_row =
    Row("_embedding_bag(Tensor weight, Tensor input, Tensor offsets, Tensor? factors, int padding)")
        .doc("Sums of rows of ``weight`` in bags; entries are multiplied by their factors.")
        .infer([](Call& call) {
          const Tensor& weight = call.in[0];
          check_table(weight, call.in[1], call.in[2]);
          check_factors(call, call.in[3], call.in[1], weight);
          call.contiguous = true;
          call.set_output(0, {call.in[2].numel() - 1, weight.size(1)}, weight.dtype());
        })
        .launch([](Call& call) {
          const Tensor &weight = call.in[0], &out = call.out[0];
          const int64_t width = weight.size(1);
          const Bags bags(call.in[1], call.in[2], weight.size(0), call.attrs.i(0));
          dispatch_floating(weight.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T* factors = data_or_null<T>(call.in[3]);
            for_each_bag(bags, width, [&](int64_t b, int64_t first, int64_t n) {
              kernels<T>().sum(weight.data<T>(), bags.index.data<int64_t>() + first,
                               factors ? factors + first : nullptr, n, width,
                               out.data<T>() + b * width);
            });
          });
        })
        .saves("weight for factors, input, offsets, factors for weight")
        .vjp([](Vjp& v) {
          const int64_t padding = v.attrs().i(0);
          v.set(0, [&] {
            return OP(_embedding_bag_grad)(v.grad(), v.in(1), v.in(2), v.in(3), padding,
                                           v.in_shape(0)[0]);
          });
          v.set(3, [&] {
            return OP(_embedding_bag_dot)(v.grad(), v.in(0), v.in(1), v.in(2), padding);
          });
        });

const Row embedding_bag_grad_row =
    Row("_embedding_bag_grad(Tensor grad, Tensor input, Tensor offsets, Tensor? factors, int "
        "padding, "
        "int rows)")
        .doc("Zeros of ``rows`` rows, to which each entry adds its factor times its bag's row.")
        .infer([](Call& call) {
          const Tensor& grad = call.in[0];
          check_table(grad, call.in[1], call.in[2]);
          check_factors(call, call.in[3], call.in[1], grad);
          CR_CHECK(grad.size(0) == call.in[2].numel() - 1, call.name(), ": got ", grad.size(0),
                   " rows for ", call.in[2].numel() - 1, " bags");
          call.contiguous = true;
          call.set_output(0, {call.attrs.i(1), grad.size(1)}, grad.dtype());
        })
        .launch([](Call& call) {
          const Tensor& grad = call.in[0];
          const Bags bags(call.in[1], call.in[2], call.attrs.i(1), call.attrs.i(0));
          const Tensor rows = bags.of_entries();
          dispatch_floating(grad.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            add_to_zeros<T>(call.out[0], bags.index.data<int64_t>(), data_or_null<T>(call.in[3]),
                            grad.data<T>(), rows.data<int64_t>(), bags.entries());
          });
        })
        .saves("grad for factors, input, offsets, factors for grad")
        .vjp([](Vjp& v) {
          const int64_t padding = v.attrs().i(0);
          v.set(0,
                [&] { return OP(_embedding_bag)(v.grad(), v.in(1), v.in(2), v.in(3), padding); });
          v.set(3, [&] {
            return OP(_embedding_bag_dot)(v.in(0), v.grad(), v.in(1), v.in(2), padding);
          });
        });

const Row embedding_bag_dot_row =
    Row("_embedding_bag_dot(Tensor grad, Tensor weight, Tensor input, Tensor offsets, int padding)")
        .doc("For each entry, its bag's row of ``grad`` times its own row of ``weight``.")
        .infer([](Call& call) {
          const Tensor &grad = call.in[0], &weight = call.in[1];
          check_table(weight, call.in[2], call.in[3]);
          const Dims expected{call.in[3].numel() - 1, weight.size(1)};
          CR_CHECK(grad.shape() == expected, call.name(), ": got gradients of shape ", grad.shape(),
                   "; expected ", expected);
          call.contiguous = true;
          call.set_output(0, call.in[2].shape(), weight.dtype());
        })
        .launch([](Call& call) {
          const Tensor &grad = call.in[0], &weight = call.in[1], &out = call.out[0];
          const int64_t width = weight.size(1);
          const Bags bags(call.in[2], call.in[3], weight.size(0), call.attrs.i(0));
          const int64_t* index = bags.index.data<int64_t>();
          dispatch_floating(weight.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            std::fill(out.data<T>() + bags.entries(), out.data<T>() + out.numel(), T(0));
            for_each_bag(bags, width, [&](int64_t b, int64_t first, int64_t n) {
              for (int64_t i = first; i < first + n; ++i) {
                out.data<T>()[i] =
                    index[i] < 0 ? T(0)
                                 : kernels<T>().dot(grad.data<T>() + b * width,
                                                    weight.data<T>() + index[i] * width, width);
              }
            });
          });
        })
        .saves("grad for weight, weight for grad, input, offsets")
        .vjp([](Vjp& v) {
          const int64_t padding = v.attrs().i(0);
          v.set(0,
                [&] { return OP(_embedding_bag)(v.in(1), v.in(2), v.in(3), v.grad(), padding); });
          v.set(1, [&] {
            return OP(_embedding_bag_grad)(v.in(0), v.in(2), v.in(3), v.grad(), padding,
                                           v.in_shape(1)[0]);
          });
        });

const Row embedding_bag_max_row =
    Row("_embedding_bag_max(Tensor weight, Tensor input, Tensor offsets, int padding) -> "
        "(Tensor out, Tensor picked)")
        .doc(
            "Largest elements of rows of ``weight`` in bags, and the rows they are from; a bag of "
            "nothing has zeros, from row -1.")
        .infer([](Call& call) {
          const Tensor& weight = call.in[0];
          check_table(weight, call.in[1], call.in[2]);
          call.contiguous = true;
          call.outputs = 2;
          const Dims shape{call.in[2].numel() - 1, weight.size(1)};
          call.set_output(0, shape, weight.dtype());
          call.set_output(1, shape, DType::kInt64);
        })
        .launch([](Call& call) {
          const Tensor& weight = call.in[0];
          const int64_t width = weight.size(1);
          const Bags bags(call.in[1], call.in[2], weight.size(0), call.attrs.i(0));
          dispatch_floating(weight.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            for_each_bag(bags, width, [&](int64_t b, int64_t first, int64_t n) {
              kernels<T>().max(weight.data<T>(), bags.index.data<int64_t>() + first, n, width,
                               call.out[0].data<T>() + b * width,
                               call.out[1].data<int64_t>() + b * width);
            });
          });
        })
        .saves("picked")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const Tensor picked = v.out(1), none = OP(lt)(picked, int64_t{0});
            return OP(scatter_add)(v.zeros_like_input(0), 0, OP(where)(none, int64_t{0}, picked),
                                   OP(where)(none, 0.0, v.grad()));
          });
        });

}  // namespace
}  // namespace cr
