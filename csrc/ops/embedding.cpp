// Rows of embeddings, sums of rows of a table in bags, and their gradients.
//
// Two families closed under differentiation, with x the indices and b(i) the bag of entry i:
//   _embedding           out[i] = W[x[i]]
//   _embedding_grad      out[r] = sum of g[i] over the entries with x[i] = r
//   _embedding_bag       out[b] = sum of f[i] W[x[i]] over the entries of b
//   _embedding_bag_grad  out[r] = sum of f[i] g[b(i)] over the entries with x[i] = r
//   _embedding_bag_dot   out[i] = g[b(i)] . W[x[i]]
// No array of the entries' rows is made. Bags are rows of the input, (B, N), or cut from a vector
// by offsets. Entries equal to `padding` count for nothing; with `mean` each bag has a factor as
// well, one by the number of its other entries.
#include <algorithm>
#include <cstring>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/table.h"
#include "ops/embedding.kernel.h"
#include "ops/index.h"

namespace cr {
namespace {

template <class T>
const EmbeddingKernels<T>& kernels() {
  return part_for<T>(embedding_table());
}

template <class T>
const T* data_or_null(const Tensor& x) {
  return x ? x.data<T>() : nullptr;
}

// The attributes that all rows of bags begin with.
struct BagAttrs {
  int64_t padding;
  bool mean, open;  // open: the last bag goes on to the end of the input, which offsets do not name
  explicit BagAttrs(const Attrs& attrs) : padding(attrs.i(0)), mean(attrs.b(1)), open(attrs.b(2)) {}
};

int64_t count_bags(const Tensor& input, const Tensor& offsets, const Attrs& attrs) {
  return offsets ? offsets.numel() - !BagAttrs(attrs).open : input.size(0);
}

// The entries of all bags, checked: indices below `rows`, padding as -1; bag b has the entries
// [start(b), start(b + 1)).
struct Bags {
  Tensor index, starts;
  int64_t count, each;
  bool mean, padded;

  Bags(const Tensor& input, const Tensor& offsets, int64_t rows, const Attrs& attrs)
      : index(checked_indices("embedding_bag", input, rows, 0, false)),
        count(count_bags(input, offsets, attrs)),
        each(offsets ? 0 : input.size(1)),
        mean(BagAttrs(attrs).mean),
        padded(BagAttrs(attrs).padding >= 0) {
    const int64_t n = input.numel();
    if (offsets) set_starts(offsets, n);
    int64_t* values = index.data<int64_t>();
    if (padded) std::replace(values, values + n, BagAttrs(attrs).padding, int64_t{-1});
  }

  void set_starts(const Tensor& offsets, int64_t n) {
    starts = Tensor::empty({count + 1}, DType::kInt64);
    int64_t* start = starts.data<int64_t>();
    start[count] = n;
    copy_into(starts.alias(offsets.shape(), {1}, 0), offsets);
    CR_CHECK(start[0] == 0 || count == 0, "embedding_bag: offsets begin with 0 (got ", start[0],
             ")");
    for (int64_t b = 0; b < count; ++b) {
      CR_CHECK(start[b] <= start[b + 1], "embedding_bag: offsets do not go back (got ",
               start[b + 1], " after ", start[b], ")");
    }
    CR_CHECK(start[count] <= n, "embedding_bag: the last offset is ", start[count],
             "; expected at most ", n, ", the length of input");
    if (count == 0) start[0] = 0;  // no bags: the input belongs to none
  }

  int64_t start(int64_t b) const {
    return each ? b * each : starts ? starts.data<int64_t>()[b] : 0;
  }
  int64_t entries() const { return start(count); }

  // What the bag's sum is divided by.
  double share(int64_t b) const {
    if (!mean) return 1;
    const int64_t* values = index.data<int64_t>();
    const int64_t first = start(b), end = start(b + 1);
    const int64_t skipped = padded ? std::count(values + first, values + end, int64_t{-1}) : 0;
    return static_cast<double>(std::max<int64_t>(end - first - skipped, 1));
  }

  // The bag of every entry.
  Tensor of_entries() const {
    Tensor bags = Tensor::empty({entries()}, DType::kInt64);
    for (int64_t b = 0; b < count; ++b) {
      std::fill(bags.data<int64_t>() + start(b), bags.data<int64_t>() + start(b + 1), b);
    }
    return bags;
  }

  // Every entry's factor, or one, divided by its bag's share.
  template <class T>
  Tensor shares(const Tensor& factors) const {
    Tensor result = Tensor::empty({entries()}, dtype_of<T>());
    for (int64_t b = 0; b < count; ++b) {
      const T factor = static_cast<T>(1 / share(b));
      for (int64_t i = start(b); i < start(b + 1); ++i) {
        result.data<T>()[i] = factors ? factor * factors.data<T>()[i] : factor;
      }
    }
    return result;
  }
};

void check_table(const Tensor& table, const Tensor& input, const Tensor& offsets, bool open) {
  CR_CHECK_TYPE(is_floating(table.dtype()), "embedding_bag", ": needs a floating-point table (got ",
                table.dtype(), ")");
  check_index_type("embedding_bag", input);
  CR_CHECK(table.rank() == 2 && input.rank() == (offsets ? 1 : 2),
           "embedding_bag: got a table of shape ", table.shape(), " and input ", input.shape(),
           "; expected (V, D), and (B, N), or a vector and offsets");
  if (!offsets) return;
  check_index_type("embedding_bag", offsets);
  CR_CHECK(offsets.rank() == 1 && (offsets.numel() > 0 || open),
           "embedding_bag: got offsets of shape ", offsets.shape(), "; expected (B,) or (B + 1,)");
}

void check_factors(const Call& call, const Tensor& factors, const Tensor& input,
                   const Tensor& table) {
  if (!factors) return;
  CR_CHECK(factors.shape() == input.shape(), call.name(), ": the factors have shape ",
           factors.shape(), "; expected ", input.shape());
  CR_CHECK_TYPE(factors.dtype() == table.dtype(), call.name(), ": the factors are ",
                factors.dtype(), "; expected ", table.dtype());
}

// Several times what a row takes alone, for chunks of a few microseconds as with lookups.
double row_nanoseconds(int64_t width) { return 3 + 0.3 * static_cast<double>(width); }

// Calls f(bag, first entry, entries) for every bag.
template <class F>
void for_each_bag(const Bags& bags, int64_t width, F&& f) {
  const double mean =
      static_cast<double>(bags.entries()) / static_cast<double>(std::max<int64_t>(bags.count, 1));
  parallel(bags.count, grain_for(5 + mean * row_nanoseconds(width)),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t b = begin; b < end; ++b) {
               f(b, bags.start(b), bags.start(b + 1) - bags.start(b));
             }
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

const Row embedding_row =
    Row("_embedding(Tensor weight, Tensor input, int padding)")
        .doc("Rows of ``weight``; those of number ``padding`` get no gradient.")
        .infer([](Call& call) {
          const Tensor &weight = call.in[0], &input = call.in[1];
          CR_CHECK(weight.rank() == 2, "embedding: weight is not a matrix (got shape ",
                   weight.shape(), "); expected (V, D)");
          check_index_type("embedding", input);
          call.contiguous = true;
          Dims shape = input.shape();
          shape.push_back(weight.size(1));
          checked_numel(shape);
          call.set_output(0, shape, weight.dtype());
        })
        .moves()
        .launch([](Call& call) {
          const Tensor& weight = call.in[0];
          const Tensor index = checked_indices("embedding", call.in[1], weight.size(0), 0, false);
          gather_rows(weight, index.data<int64_t>(), index.numel(), call.out[0]);
        })
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(_embedding_grad)(v.grad(), v.in(1), v.attrs().i(0), v.in_shape(0)[0]);
          });
        });

const Row embedding_grad_row =
    Row("_embedding_grad(Tensor grad, Tensor input, int padding, int rows)")
        .doc("Zeros of ``rows`` rows, to which ``grad[i]`` is added at row ``input[i]``.")
        .infer([](Call& call) {
          const Tensor &grad = call.in[0], &input = call.in[1];
          check_index_type(call.name(), input);
          CR_CHECK_TYPE(is_floating(grad.dtype()), call.name(),
                        ": needs a floating-point tensor (got ", grad.dtype(), ")");
          Dims expected = input.shape();
          CR_CHECK(grad.rank() == input.rank() + 1, call.name(), ": got gradients of shape ",
                   grad.shape(), " for input of shape ", input.shape());
          expected.push_back(grad.size(-1));
          CR_CHECK(grad.shape() == expected, call.name(), ": got gradients of shape ", grad.shape(),
                   "; expected ", expected);
          call.contiguous = true;
          call.set_output(0, {call.attrs.i(1), grad.size(-1)}, grad.dtype());
        })
        .launch([](Call& call) {
          Tensor index = checked_indices(call.name(), call.in[1], call.attrs.i(1), 0, false);
          int64_t* values = index.data<int64_t>();
          const int64_t padding = call.attrs.i(0);
          if (padding >= 0) std::replace(values, values + index.numel(), padding, int64_t{-1});
          dispatch_floating(call.in[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            add_to_zeros<T>(call.out[0], values, nullptr, call.in[0].data<T>(), nullptr,
                            index.numel());
          });
        })
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const int64_t padding = v.attrs().i(0);
            const Tensor rows = OP(_embedding)(v.grad(), v.in(1), padding);
            if (padding < 0) return rows;
            return OP(masked_fill)(rows, OP(unsqueeze)(OP(eq)(v.in(1), padding), -1), 0.0);
          });
        });

const Row embedding_bag_row =
    Row("_embedding_bag(Tensor weight, Tensor input, Tensor? offsets, Tensor? factors, "
        "int padding, bool mean, bool open)")
        .doc("Sums of rows of ``weight`` in bags; entries are multiplied by their factors.")
        .infer([](Call& call) {
          const Tensor& weight = call.in[0];
          check_table(weight, call.in[1], call.in[2], BagAttrs(call.attrs).open);
          check_factors(call, call.in[3], call.in[1], weight);
          call.contiguous = true;
          call.set_output(0, {count_bags(call.in[1], call.in[2], call.attrs), weight.size(1)},
                          weight.dtype());
        })
        .launch([](Call& call) {
          const Tensor &weight = call.in[0], &out = call.out[0];
          const int64_t width = weight.size(1);
          const Bags bags(call.in[1], call.in[2], weight.size(0), call.attrs);
          dispatch_floating(weight.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T* factors = data_or_null<T>(call.in[3]);
            for_each_bag(bags, width, [&](int64_t b, int64_t first, int64_t n) {
              kernels<T>().sum(weight.data<T>(), bags.index.data<int64_t>() + first,
                               factors ? factors + first : nullptr, n, width,
                               static_cast<T>(bags.share(b)), out.data<T>() + b * width);
            });
          });
        })
        .saves("weight for factors, input, offsets, factors for weight")
        .vjp([](Vjp& v) {
          const BagAttrs a(v.attrs());
          v.set(0, [&] {
            return OP(_embedding_bag_grad)(v.grad(), v.in(1), v.in(2), v.in(3), a.padding, a.mean,
                                           a.open, v.in_shape(0)[0]);
          });
          v.set(3, [&] {
            return OP(_embedding_bag_dot)(v.grad(), v.in(0), v.in(1), v.in(2), a.padding, a.mean,
                                          a.open);
          });
        });

const Row embedding_bag_grad_row =
    Row("_embedding_bag_grad(Tensor grad, Tensor input, Tensor? offsets, Tensor? factors, "
        "int padding, bool mean, bool open, int rows)")
        .doc("Zeros of ``rows`` rows, to which each entry adds its factor times its bag's row.")
        .infer([](Call& call) {
          const Tensor& grad = call.in[0];
          check_table(grad, call.in[1], call.in[2], BagAttrs(call.attrs).open);
          check_factors(call, call.in[3], call.in[1], grad);
          CR_CHECK(grad.size(0) == count_bags(call.in[1], call.in[2], call.attrs), call.name(),
                   ": got ", grad.size(0), " rows for ",
                   count_bags(call.in[1], call.in[2], call.attrs), " bags");
          call.contiguous = true;
          call.set_output(0, {call.attrs.i(3), grad.size(1)}, grad.dtype());
        })
        .launch([](Call& call) {
          const Tensor& grad = call.in[0];
          const Bags bags(call.in[1], call.in[2], call.attrs.i(3), call.attrs);
          const Tensor rows = bags.of_entries();
          dispatch_floating(grad.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const Tensor factors = bags.mean ? bags.shares<T>(call.in[3]) : call.in[3];
            add_to_zeros<T>(call.out[0], bags.index.data<int64_t>(), data_or_null<T>(factors),
                            grad.data<T>(), rows.data<int64_t>(), bags.entries());
          });
        })
        .saves("grad for factors, input, offsets, factors for grad")
        .vjp([](Vjp& v) {
          const BagAttrs a(v.attrs());
          v.set(0, [&] {
            return OP(_embedding_bag)(v.grad(), v.in(1), v.in(2), v.in(3), a.padding, a.mean,
                                      a.open);
          });
          v.set(3, [&] {
            return OP(_embedding_bag_dot)(v.in(0), v.grad(), v.in(1), v.in(2), a.padding, a.mean,
                                          a.open);
          });
        });

const Row embedding_bag_dot_row =
    Row("_embedding_bag_dot(Tensor grad, Tensor weight, Tensor input, Tensor? offsets, "
        "int padding, bool mean, bool open)")
        .doc("For each entry, its bag's row of ``grad`` times its own row of ``weight``.")
        .infer([](Call& call) {
          const Tensor &grad = call.in[0], &weight = call.in[1];
          check_table(weight, call.in[2], call.in[3], BagAttrs(call.attrs).open);
          const Dims expected{count_bags(call.in[2], call.in[3], call.attrs), weight.size(1)};
          CR_CHECK(grad.shape() == expected, call.name(), ": got gradients of shape ", grad.shape(),
                   "; expected ", expected);
          call.contiguous = true;
          call.set_output(0, call.in[2].shape(), weight.dtype());
        })
        .launch([](Call& call) {
          const Tensor &grad = call.in[0], &weight = call.in[1], &out = call.out[0];
          const int64_t width = weight.size(1);
          const Bags bags(call.in[2], call.in[3], weight.size(0), call.attrs);
          const int64_t* index = bags.index.data<int64_t>();
          dispatch_floating(weight.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            std::fill(out.data<T>() + bags.entries(), out.data<T>() + out.numel(), T(0));
            for_each_bag(bags, width, [&](int64_t b, int64_t first, int64_t n) {
              const T factor = static_cast<T>(1 / bags.share(b));
              for (int64_t i = first; i < first + n; ++i) {
                out.data<T>()[i] =
                    index[i] < 0
                        ? T(0)
                        : factor * kernels<T>().dot(grad.data<T>() + b * width,
                                                    weight.data<T>() + index[i] * width, width);
              }
            });
          });
        })
        .saves("grad for weight, weight for grad, input, offsets")
        .vjp([](Vjp& v) {
          const BagAttrs a(v.attrs());
          v.set(0, [&] {
            return OP(_embedding_bag)(v.in(1), v.in(2), v.in(3), v.grad(), a.padding, a.mean,
                                      a.open);
          });
          v.set(1, [&] {
            return OP(_embedding_bag_grad)(v.in(0), v.in(2), v.in(3), v.grad(), a.padding, a.mean,
                                           a.open, v.in_shape(1)[0]);
          });
        });

const Row embedding_bag_max_row =
    Row("_embedding_bag_max(Tensor weight, Tensor input, Tensor? offsets, int padding, "
        "bool mean, bool open) -> (Tensor out, Tensor picked)")
        .doc(
            "Largest elements of rows of ``weight`` in bags, and the rows they are from; a bag of "
            "nothing has zeros, from row -1.")
        .infer([](Call& call) {
          const Tensor& weight = call.in[0];
          check_table(weight, call.in[1], call.in[2], BagAttrs(call.attrs).open);
          call.contiguous = true;
          call.outputs = 2;
          const Dims shape{count_bags(call.in[1], call.in[2], call.attrs), weight.size(1)};
          call.set_output(0, shape, weight.dtype());
          call.set_output(1, shape, DType::kInt64);
        })
        .launch([](Call& call) {
          const Tensor& weight = call.in[0];
          const int64_t width = weight.size(1);
          const Bags bags(call.in[1], call.in[2], weight.size(0), call.attrs);
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
