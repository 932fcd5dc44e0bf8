// Attention of a block of queries, key tile by key tile: softmax with a running maximum and sum
// (Milakov and Gimelshein 2018), so that no row of weights is ever whole; the backward pass makes
// the weights again from the saved log-sum-exp (Dao et al., FlashAttention, 2022).
//
// Everything is transposed: scores are (keys, queries), results (features, queries). The lanes of a
// vector are then queries: maxima, sums and rescaling go straight down the tile, and keys and
// values are only read one number at a time, as the left operand of the register tile, where they
// lie, whatever their strides. Only the queries of a block are packed.
#include "ops/attention.kernel.h"

#include "ops/gemm_micro.h"
#include "ops/matmul.kernel.h"
#include "ops/random.kernel.h"
#include "simd/transpose.h"
#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kBlockQueries = 64, kKeyTile = 120;
constexpr int kUnroll = 4;

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

template <class T>
CR_INLINE const GemmKernels& gemm() {
  return matmul_table.gemm[sizeof(T) == 8];
}

template <class T>
CR_INLINE int64_t whole_vectors(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

// C (+)= A B with B in packed strips: (depth x cols), cols the true count.
template <class T>
CR_INLINE void times_packed(const StridedMatrix<T>& a, int64_t rows, int64_t depth, const T* strips,
                            int64_t cols, T* c, int64_t c_row, bool accumulate) {
  const T* edge = strips + cols / kTileCols<T> * kTileCols<T> * depth;
  gemm<T>().multiply({{rows, cols, depth, a.data, a.row, a.col, strips, kTileCols<T>, 1, c, c_row,
                       accumulate, nullptr, nullptr},
                      depth * kTileCols<T>,
                      edge});
}

// C += A B with B a tile of `width` columns: whole strips of them, or a single narrower one.
template <class T>
CR_INLINE void add_times_tile(const StridedMatrix<T>& a, int64_t rows, int64_t depth, const T* tile,
                              int64_t width, T* c) {
  gemm<T>().multiply(
      {{rows, width, depth, a.data, a.row, a.col, tile, width, 1, c, width, true, nullptr, nullptr},
       kTileCols<T>,
       tile});
}

template <class T>
CR_INLINE void pack(T* strips, const StridedMatrix<T>& b, int64_t depth, int64_t cols) {
  gemm<T>().pack(strips, b.data, b.row, b.col, depth, cols);
}

template <class T>
CR_INLINE StridedMatrix<T> transposed(const StridedMatrix<T>& x) {
  return {x.data, x.col, x.row};
}

template <class T>
CR_INLINE StridedMatrix<T> from_row(const StridedMatrix<T>& x, int64_t row) {
  return {x.data + row * x.row, x.row, x.col};
}

template <class T>
CR_INLINE void multiply_by(T* x, int64_t n, T factor) {
  const Vec<T> f = splat(factor);
  for (int64_t i = 0; i < n; i += kLanes<T>) store(x + i, load(x + i) * f);
}

// to[j][i] = from[i][j] * factor[j] for a (rows, width) array and its first `cols` columns.
template <class T>
CR_INLINE void write_transposed(const T* from, int64_t rows, int64_t width, int64_t cols,
                                const T* factor, const RowMatrix<T>& to) {
  for (int64_t j = 0; j < cols; j += kLanes<T>) {
    const Vec<T> f = load(factor + j);
    const int n = cols - j < kLanes<T> ? static_cast<int>(cols - j) : kLanes<T>;
    for (int64_t i = 0; i < rows; i += kLanes<T>) {
      const int m = rows - i < kLanes<T> ? static_cast<int>(rows - i) : kLanes<T>;
      Vec<T> v[kLanes<T>];
#pragma GCC unroll 16
      for (int u = 0; u < kLanes<T>; ++u) {
        v[u] = u < m ? load(from + (i + u) * width + j) * f : Vec<T>{};
      }
      transpose<T>(v);
#pragma GCC unroll 16
      for (int u = 0; u < kLanes<T>; ++u) {
        if (u >= n) break;
        T* p = to.data + (j + u) * to.row + i;
        m == kLanes<T> ? store(p, v[u]) : store_partial(p, v[u], m);
      }
    }
  }
}

// ---------------------------------------------------------------- scores

// What of the keys a block sees, cut into even tiles.
struct Tiles {
  int64_t first, keys, count;

  template <class T>
  explicit Tiles(const AttentionBlock<T>& block) : first(block.first_key) {
    int64_t last = block.last_key;
    const int64_t seen = block.first_query + block.queries;
    if (block.causal && seen < last) last = seen;
    keys = last > first ? last - first : 0;
    count = (keys + kKeyTile - 1) / kKeyTile;
  }
  int64_t begin(int64_t tile) const { return first + tile * keys / count; }
};

// The mask comes in strips of queries, the scores lie across them.
template <class T>
CR_INLINE void add_mask(const AttentionBlock<T>& block, int64_t key, int64_t count, int64_t width) {
  const StridedMatrix<T> mask = {block.mask.data + key * block.mask.col, block.mask.row,
                                 block.mask.col};
  T* strip = block.scratch.mask;
  pack(strip, transposed(mask), count, block.queries);
  for (int64_t begin = 0; begin < width; begin += kTileCols<T>) {
    const int64_t cols = width - begin < kTileCols<T> ? width - begin : kTileCols<T>;
    for (int64_t k = 0; k < count; ++k, strip += cols) {
      T* row = block.scratch.scores + k * width + begin;
      for (int64_t j = 0; j < cols; j += kLanes<T>) {
        store(row + j, load(row + j) + load(strip + j));
      }
    }
  }
}

template <class T>
CR_INLINE void hide_future(const AttentionBlock<T>& block, int64_t key, int64_t count,
                           int64_t width) {
  for (int64_t k = key <= block.first_query ? block.first_query + 1 - key : 0; k < count; ++k) {
    const int64_t early = key + k - block.first_query;  // queries before the key
    T* row = block.scratch.scores + k * width;
    for (int64_t j = 0; j < early && j < width; ++j) row[j] = -kInfinity<T>;
  }
}

template <class T>
CR_INLINE void make_scores(const AttentionBlock<T>& block, int64_t key, int64_t count,
                           int64_t width) {
  times_packed(from_row(block.key, key), count, block.features, block.scratch.query, width,
               block.scratch.scores, width, false);
  if (block.mask.data) add_mask(block, key, count, width);
  if (block.causal) hide_future(block, key, count, width);
}

// keep[k][j]: 0 where the weight of key + k for query j is dropped, else 1 / (1 - p).
template <class T>
void draw_kept(const AttentionBlock<T>& block, int64_t key, int64_t count, int64_t width) {
  const AttentionDropout& dropout = block.dropout;
  const T kept = dropout.p < 1 ? static_cast<T>(1 / (1 - dropout.p)) : T(0);
  const uint64_t threshold = static_cast<uint64_t>(dropout.p * 4294967296.0);
  PhiloxBlock random[kKeyTile / 4 + 2];
  for (int64_t j = 0; j < width; ++j) {
    const int64_t first = block.first_weight + j * block.all_keys + key;
    const int64_t blocks = (first + count + 3) / 4 - first / 4;
    random_table.blocks(random, blocks, dropout.position + static_cast<uint64_t>(first / 4),
                        dropout.seed);
    const uint32_t* numbers = random[0].x + first % 4;
    T* column = block.scratch.keep + j;
    for (int64_t k = 0; k < count; ++k) {
      column[k * width] = numbers[k] >= threshold ? kept : T(0);
    }
  }
}

template <class T>
CR_INLINE void multiply_tiles(T* x, const T* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes<T>) store(x + i, load(x + i) * load(y + i));
}

// ---------------------------------------------------------------- forward

// Calls f(row, slot) for every row; neighbours get different slots, to accumulate side by side.
template <class F>
CR_INLINE void unrolled(int64_t rows, F&& f) {
  int64_t i = 0;
  for (; i + kUnroll <= rows; i += kUnroll) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) f(i + u, u);
  }
  for (; i < rows; ++i) f(i, 0);
}

// Turns a tile of scores into exponentials relative to the running maximum, adds them to the
// running sum and scales what was accumulated to the new maximum.
template <class T>
CR_INLINE void softmax_step(const AttentionBlock<T>& block, int64_t count, int64_t width,
                            bool first) {
  T* largest = block.scratch.state;
  T* total = largest + width;
  for (int64_t j = 0; j < width; j += kLanes<T>) {
    T* scores = block.scratch.scores + j;
    const Vec<T> before = load(largest + j);
    Vec<T> best[kUnroll] = {before, before, before, before};
    unrolled(count, [&](int64_t k, int u) __attribute__((always_inline)) {
      best[u] = max_or_b(load(scores + k * width), best[u]);
    });
    const Vec<T> now = max_or_b(max_or_b(best[0], best[1]), max_or_b(best[2], best[3]));
    const Vec<T> shift = now == -kInfinity<T> ? Vec<T>{} : now;  // nothing seen yet
    Vec<T> sum[kUnroll] = {};
    unrolled(count, [&](int64_t k, int u) __attribute__((always_inline)) {
      const Vec<T> e = exp_nonpositive(load(scores + k * width) - shift);
      store(scores + k * width, e);
      sum[u] += e;
    });
    const Vec<T> new_sum = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    if (first) {
      store(total + j, new_sum);
    } else {
      const Vec<T> factor = exp_nonpositive(before - shift);
      store(total + j, load(total + j) * factor + new_sum);
      if (any(now > before)) {
        T* accumulated = block.scratch.accumulated + j;
        for (int64_t e = 0; e < block.value_features; ++e, accumulated += width) {
          store(accumulated, load(accumulated) * factor);
        }
      }
    }
    store(largest + j, now);
  }
}

// A few queries, as in generating one token after another: their vectors would be mostly empty, so
// keys are the lanes here, and scores are dot products of rows.
constexpr int64_t kFewQueries = 3, kFewRow = (kKeyTile + 15) / 16 * 16;

template <class T>
CR_INLINE bool few(const AttentionBlock<T>& block) {
  return block.queries <= kFewQueries && block.key.col == 1 && block.value.col == 1 &&
         block.dropout.p == 0;
}

// The same step for one query: returns what the sums so far are to be scaled with.
template <class T>
CR_INLINE T softmax_row(T* scores, int64_t count, T& largest, T& total) {
  for (int64_t k = count; k % kLanes<T> != 0; ++k) scores[k] = -kInfinity<T>;
  Vec<T> best = splat(largest);
  for (int64_t k = 0; k < count; k += kLanes<T>) best = max_or_b(load(scores + k), best);
  T now = best[0];
  for (int lane = 1; lane < kLanes<T>; ++lane) now = best[lane] > now ? best[lane] : now;
  const T shift = now == -kInfinity<T> ? T(0) : now;
  Vec<T> sums = {};
  for (int64_t k = 0; k < count; k += kLanes<T>) {
    const Vec<T> e = exp_nonpositive(load(scores + k) - shift);
    store(scores + k, e);
    sums += e;
  }
  const T factor = exp_nonpositive(splat(largest - shift))[0];
  total *= factor;
  for (int lane = 0; lane < kLanes<T>; ++lane) total += sums[lane];
  largest = now;
  return factor;
}

template <class T>
void forward_few(const AttentionBlock<T>& block) {
  const AttentionScratch<T>& scratch = block.scratch;
  const int64_t features = block.features, values = block.value_features;
  T largest[kFewQueries], total[kFewQueries];
  for (int64_t q = 0; q < block.queries; ++q) {
    largest[q] = -kInfinity<T>;
    total[q] = 0;
    for (int64_t e = 0; e < features; ++e) {
      scratch.query[q * features + e] =
          block.query.data[q * block.query.row + e * block.query.col] * block.scale;
    }
  }
  memset(scratch.accumulated, 0, static_cast<size_t>(block.queries * values) * sizeof(T));
  const Tiles tiles(block);
  for (int64_t tile = 0; tile < tiles.count; ++tile) {
    const int64_t key = tiles.begin(tile), count = tiles.begin(tile + 1) - key;
    gemm<T>().dots({block.queries, count, features, scratch.query, features, 1,
                    from_row(block.key, key).data, 1, block.key.row, scratch.scores, kFewRow, false,
                    nullptr, nullptr});
    for (int64_t q = 0; q < block.queries; ++q) {
      T* scores = scratch.scores + q * kFewRow;
      const T* mask = block.mask.data + q * block.mask.row + key * block.mask.col;
      for (int64_t k = 0; block.mask.data && k < count; ++k) scores[k] += mask[k * block.mask.col];
      const int64_t seen = block.causal ? block.first_query + q + 1 - key : count;
      for (int64_t k = seen > 0 ? seen : 0; k < count; ++k) scores[k] = -kInfinity<T>;
      const T factor = softmax_row(scores, count, largest[q], total[q]);
      for (int64_t e = 0; e < values; ++e) scratch.accumulated[q * values + e] *= factor;
    }
    gemm<T>().thin({block.queries, values, count, scratch.scores, kFewRow, 1,
                    from_row(block.value, key).data, block.value.row, 1, scratch.accumulated,
                    values, true, nullptr, nullptr});
  }
  for (int64_t q = 0; q < block.queries; ++q) {
    const bool none = total[q] == T(0);
    block.log_sum[q] = none ? kInfinity<T> : largest[q] + log(splat(total[q]))[0];
    const T scale = none ? T(0) : T(1) / total[q];
    for (int64_t e = 0; e < values; ++e) {
      block.out.data[q * block.out.row + e] = scratch.accumulated[q * values + e] * scale;
    }
  }
}

template <class T>
void forward(const AttentionBlock<T>& block) {
  if (few(block)) return forward_few(block);
  const AttentionScratch<T>& scratch = block.scratch;
  const int64_t width = whole_vectors<T>(block.queries);
  pack(scratch.query, transposed(block.query), block.features, block.queries);
  multiply_by(scratch.query, block.features * width, block.scale);
  T* largest = scratch.state;
  T* total = largest + width;
  for (int64_t j = 0; j < width; ++j) {
    largest[j] = -kInfinity<T>;
    total[j] = 0;
  }
  memset(scratch.accumulated, 0, static_cast<size_t>(block.value_features * width) * sizeof(T));

  const Tiles tiles(block);
  for (int64_t tile = 0; tile < tiles.count; ++tile) {
    const int64_t key = tiles.begin(tile), count = tiles.begin(tile + 1) - key;
    make_scores(block, key, count, width);
    softmax_step(block, count, width, tile == 0);
    if (block.dropout.p > 0) {
      draw_kept(block, key, count, width);
      multiply_tiles(scratch.scores, scratch.keep, count * width);
    }
    add_times_tile(transposed(from_row(block.value, key)), block.value_features, count,
                   scratch.scores, width, scratch.accumulated);
  }

  // Queries that see no key have a result of zeros.
  for (int64_t j = 0; j < width; j += kLanes<T>) {
    const Vec<T> sum = load(total + j), none = splat(kInfinity<T>);
    const Vec<T> log_sum = sum == T(0) ? none : load(largest + j) + log(sum);
    const int64_t left = block.queries - j;
    left >= kLanes<T> ? store(block.log_sum + j, log_sum)
                      : store_partial(block.log_sum + j, log_sum, static_cast<int>(left));
    store(total + j, sum == T(0) ? Vec<T>{} : T(1) / sum);
  }
  write_transposed(scratch.accumulated, block.value_features, width, block.queries, total,
                   block.out);
}

// ---------------------------------------------------------------- backward

// weights = exp(scores - log_sum), score_grad = weights * (weight_grad - delta), in place.
template <class T>
CR_INLINE void weights_again(const AttentionBlock<T>& block, int64_t count, int64_t width) {
  T* scores = block.scratch.scores;
  const T* log_sum = block.scratch.state;
  for (int64_t k = 0; k < count; ++k) {
    for (int64_t j = 0; j < width; j += kLanes<T>) {
      T* p = scores + k * width + j;
      store(p, exp_nonpositive(load(p) - load(log_sum + j)));
    }
  }
}

template <class T>
CR_INLINE void grad_of_scores(const AttentionBlock<T>& block, int64_t count, int64_t width) {
  const T* delta = block.scratch.state + width;
  for (int64_t k = 0; k < count; ++k) {
    for (int64_t j = 0; j < width; j += kLanes<T>) {
      const int64_t i = k * width + j;
      T* p = block.scratch.score_grad + i;
      store(p, load(block.scratch.scores + i) * (load(p) - load(delta + j)));
    }
  }
}

// The log-sums, and delta = sum(grad * out) of each query (which is sum(weights * weight_grad)).
template <class T>
CR_INLINE void load_state(const AttentionBlock<T>& block, int64_t width) {
  T* log_sum = block.scratch.state;
  T* delta = log_sum + width;
  const int64_t n = block.value_features * width;
  const StridedMatrix<T> out = {block.out.data, block.out.row, 1};
  pack(block.scratch.out, transposed(out), block.value_features, block.queries);
  multiply_tiles(block.scratch.out, block.scratch.grad, n);
  for (int64_t j = 0; j < width; ++j) log_sum[j] = j < block.queries ? block.log_sum[j] : T(0);
  for (int64_t begin = 0; begin < width; begin += kTileCols<T>) {
    const int64_t cols = width - begin < kTileCols<T> ? width - begin : kTileCols<T>;
    const T* strip = block.scratch.out + begin * block.value_features;
    for (int64_t j = 0; j < cols; j += kLanes<T>) {
      Vec<T> sum = {};
      for (int64_t e = 0; e < block.value_features; ++e) sum += load(strip + e * cols + j);
      store(delta + begin + j, sum);
    }
  }
}

template <class T>
void backward(const AttentionBlock<T>& block) {
  const AttentionScratch<T>& scratch = block.scratch;
  const int64_t width = whole_vectors<T>(block.queries), features = block.features;
  pack(scratch.query, transposed(block.query), features, block.queries);
  multiply_by(scratch.query, features * width, block.scale);
  pack(scratch.query_rows, block.query, block.queries, features);
  multiply_by(scratch.query_rows, block.queries * whole_vectors<T>(features), block.scale);
  pack(scratch.grad, transposed(block.grad), block.value_features, block.queries);
  pack(scratch.grad_rows, block.grad, block.queries, block.value_features);
  load_state(block, width);
  memset(scratch.accumulated, 0, static_cast<size_t>(features * width) * sizeof(T));

  const Tiles tiles(block);
  for (int64_t tile = 0; tile < tiles.count; ++tile) {
    const int64_t key = tiles.begin(tile), count = tiles.begin(tile + 1) - key;
    make_scores(block, key, count, width);
    weights_again(block, count, width);
    times_packed(from_row(block.value, key), count, block.value_features, scratch.grad, width,
                 scratch.score_grad, width, false);
    StridedMatrix<T> weights = {scratch.scores, width, 1};
    if (block.dropout.p > 0) {
      draw_kept(block, key, count, width);
      multiply_tiles(scratch.score_grad, scratch.keep, count * width);
      multiply_tiles(scratch.keep, scratch.scores, count * width);
      weights.data = scratch.keep;
    }
    times_packed(weights, count, block.queries, scratch.grad_rows, block.value_features,
                 block.value_grad.data + key * block.value_grad.row, block.value_grad.row, true);
    grad_of_scores(block, count, width);
    const StridedMatrix<T> score_grad = {scratch.score_grad, width, 1};
    times_packed(score_grad, count, block.queries, scratch.query_rows, features,
                 block.key_grad.data + key * block.key_grad.row, block.key_grad.row, true);
    add_times_tile(transposed(from_row(block.key, key)), features, count, scratch.score_grad, width,
                   scratch.accumulated);
  }
  T* factor = scratch.state;
  for (int64_t j = 0; j < width; ++j) factor[j] = block.scale;
  write_transposed(scratch.accumulated, features, width, block.queries, factor, block.query_grad);
}

template <class T>
constexpr AttentionKernels<T> attention_kernels() {
  return {kBlockQueries, kTileCols<T>, kLanes<T>, kKeyTile, forward<T>, backward<T>};
}

}  // namespace

extern const AttentionTable attention_table;
const AttentionTable attention_table = {attention_kernels<float>(), attention_kernels<double>()};

}  // namespace CR_ISA
}  // namespace cr
