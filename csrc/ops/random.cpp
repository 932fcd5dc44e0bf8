// Rows that draw random numbers.
//
// The generator's state is an int64 tensor (seed, position in blocks) that the launch advances, so
// that a recorded step draws anew when replayed. Element i comes from block position + i / 4 (or
// i / 2 for 64-bit numbers): any thread can make any part.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/generator.h"
#include "ops/pointwise.h"
#include "ops/random.kernel.h"

namespace cr {
namespace {

constexpr int64_t kGrain = 32768;  // a multiple of a block's four numbers

// Calls f(block, first element) for every group of `per_block` elements of n, in parallel.
template <class F>
void for_each_block(const Tensor& state, int64_t n, int64_t per_block, F&& f) {
  const int64_t blocks = ceil_div(n, per_block);
  const Stream stream = take(state, blocks);
  parallel(blocks, grain_for(10), [&](int64_t begin, int64_t end, int) {
    PhiloxBlock some[64];
    for (int64_t i = begin; i < end; i += 64) {
      const int64_t count = std::min<int64_t>(64, end - i);
      random_table().blocks(some, count, stream.position + static_cast<uint64_t>(i), stream.seed);
      for (int64_t k = 0; k < count; ++k) f(some[k], (i + k) * per_block);
    }
  });
}

uint64_t wide(const PhiloxBlock& block, int half) {
  return uint64_t{block.x[2 * half + 1]} << 32 | block.x[2 * half];
}

void infer_draw(Call& call, int dtype_attr) {
  check_state(call.name(), call.in[0]);
  call.set_output(0, call.attrs.ints(0), call.attrs.dtype(dtype_attr));
  checked_numel(call.attrs.ints(0));
}

void infer_floating(Call& call) {
  infer_draw(call, 3);
  CR_CHECK_TYPE(is_floating(call.out_meta[0].dtype), call.name(),
                ": needs a floating-point dtype (got ", call.out_meta[0].dtype, ")");
}

// The launch of a row that fills its output from two parameters.
void launch_draw(Call& call, const DrawKernel* kernels) {
  const Tensor& out = call.out[0];
  const int64_t n = out.numel(), size = itemsize(out.dtype()), per_block = 16 / size;
  const Stream stream = take(call.in[0], ceil_div(n, per_block));
  const DrawKernel kernel = kernels[out.dtype() == DType::kFloat64];
  parallel(n, kGrain, [&](int64_t begin, int64_t end, int) {
    const Draw from{stream.seed, stream.position + static_cast<uint64_t>(begin / per_block)};
    kernel(out.data() + begin * size, end - begin, from, call.attrs.f(1), call.attrs.f(2));
  });
}

const Row uniform_row =
    Row("_uniform(Tensor state, int[] size, float low, float high, dtype dtype)")
        .doc("Uniform numbers in [low, high).")
        .infer(infer_floating)
        .launch([](Call& call) { launch_draw(call, random_table().uniform); });

const Row normal_row = Row("_normal(Tensor state, int[] size, float mean, float std, dtype dtype)")
                           .doc("Normal numbers, by Box and Muller's method.")
                           .infer(infer_floating)
                           .launch([](Call& call) { launch_draw(call, random_table().normal); });

const Row randint_row =
    Row("_randint(Tensor state, int[] size, int low, int high, dtype dtype)")
        .doc("Integers in [low, high), from 64 random bits by multiplication (bias below 2**-32).")
        .infer([](Call& call) { infer_draw(call, 3); })
        .launch([](Call& call) {
          const int64_t low = call.attrs.i(1), n = call.out[0].numel();
          const uint64_t range =
              static_cast<uint64_t>(call.attrs.i(2)) - static_cast<uint64_t>(low);
          dispatch(call.out[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            T* out = call.out[0].data<T>();
            for_each_block(call.in[0], n, 2, [&](const PhiloxBlock& block, int64_t first) {
              for (int k = 0; k < 2 && first + k < n; ++k) {
                const uint64_t scaled = static_cast<uint64_t>(
                    static_cast<unsigned __int128>(wide(block, k)) * range >> 64);
                out[first + k] =
                    static_cast<T>(static_cast<int64_t>(static_cast<uint64_t>(low) + scaled));
              }
            });
          });
        });

const Row randperm_row =
    Row("_randperm(Tensor state, int n)")
        .doc("The numbers 0 to n - 1 in random order (Fisher and Yates).")
        .infer([](Call& call) {
          check_state(call.name(), call.in[0]);
          CR_CHECK(call.attrs.i(0) >= 0, "randperm: n must be 0 or more (got ", call.attrs.i(0),
                   ")");
          call.set_output(0, {call.attrs.i(0)}, DType::kInt64);
        })
        .launch([](Call& call) {
          const int64_t n = call.attrs.i(0);
          int64_t* out = call.out[0].data<int64_t>();
          std::iota(out, out + n, int64_t{0});
          const Stream stream = take(call.in[0], (n + 1) / 2);
          PhiloxBlock block{};
          for (int64_t i = 0; i + 1 < n; ++i) {
            if (i % 2 == 0)
              block = philox(stream.position + static_cast<uint64_t>(i / 2), 0, stream.seed);
            const uint64_t left = static_cast<uint64_t>(n - i);
            const uint64_t pick = static_cast<uint64_t>(
                static_cast<unsigned __int128>(wide(block, static_cast<int>(i % 2))) * left >> 64);
            std::swap(out[i], out[i + static_cast<int64_t>(pick)]);
          }
        });

// ---------------------------------------------------------------- dropout

// Keeps each element with probability 1 - p and scales it by 1 / (1 - p). Which elements were kept
// is not stored: it follows from the state the generator had, the second output.
void drop(const Tensor& x, Stream stream, double p, const Tensor& out) {
  const bool wide = x.dtype() == DType::kFloat64;
  const int64_t size = itemsize(x.dtype());
  const double below = p < 1 ? p : 0;
  const Drop whole{
      {stream.seed, stream.position}, static_cast<uint32_t>(below * 4294967296.0), 1 / (1 - below)};
  parallel(x.numel(), kGrain, [&](int64_t begin, int64_t end, int) {
    char* const to = static_cast<char*>(out.data()) + begin * size;
    if (p == 1) {  // no 32-bit threshold is above all numbers
      std::memset(to, 0, static_cast<size_t>((end - begin) * size));
      return;
    }
    Drop part = whole;
    part.position += static_cast<uint64_t>(begin / 4);
    random_table().drop[wide](static_cast<const char*>(x.data()) + begin * size, to, end - begin,
                              part);
  });
}

const Row dropout_kernel_row =
    Row("_dropout(Tensor input, Tensor state, float p) -> (Tensor out, Tensor start)")
        .doc("Kernel row of ``dropout``; ``start`` is the generator's state before the draw.")
        .infer([](Call& call) {
          CR_CHECK(call.attrs.f(0) >= 0 && call.attrs.f(0) <= 1,
                   "dropout: p must lie in [0, 1] (got ", call.attrs.f(0), ")");
          CR_CHECK_TYPE(is_floating(call.in[0].dtype()),
                        "dropout: needs a floating-point tensor (got ", call.in[0].dtype(), ")");
          call.contiguous = true;
          call.outputs = 2;
          call.out_meta[0] = call.in[0].meta();
          call.set_output(1, {2}, DType::kInt64);
        })
        .launch([](Call& call) {
          const Tensor &x = call.in[0], &start = call.out[1];
          copy_into(start, call.in[1]);
          drop(x, take(call.in[1], (x.numel() + 3) / 4), call.attrs.f(0), call.out[0]);
        })
        .saves("start")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_dropout_grad)(v.grad(), v.out(1), v.attrs().f(0)); });
        });

const Row dropout_grad_row =
    Row("_dropout_grad(Tensor grad, Tensor start, float p)")
        .doc("``grad`` where ``dropout`` kept the element, scaled alike.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.out_meta[0] = call.in[0].meta();
        })
        .launch([](Call& call) {
          drop(call.in[0], stream_of(call.in[1]), call.attrs.f(0), call.out[0]);
        })
        .saves("start")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_dropout_grad)(v.grad(), v.in(1), v.attrs().f(0)); });
        });

}  // namespace
}  // namespace cr
