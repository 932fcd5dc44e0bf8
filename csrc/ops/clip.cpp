// Rows of gradient clipping: the norm of many tensors joined into one vector, and their scaling or
// clamping in place, each one call over all of them. Kernels: clip.kernel.cpp.
#include <cmath>

#include "ops/clip.kernel.h"
#include "ops/tensor_lists.h"

namespace cr {
namespace {

// The tensors of a call; those that are not contiguous, as copies.
class Joined {
 public:
  explicit Joined(const Call& call) : pieces_(static_cast<size_t>(call.attrs.i(0))) {
    for (int i = 0; i < call.attrs.i(0); ++i) {
      const Tensor& x = call.in[i];
      tensors_.push_back(x.contiguous() ? x : contiguous_copy(x));
      pieces_.add(x.numel());
    }
  }
  const Pieces& pieces() const { return pieces_; }

  // Calls f(data, n, is float64, chunk) for each piece.
  template <class F>
  void run(F f) const {
    pieces_.run([&](int i, int64_t begin, int64_t end, int64_t chunk) {
      const DType dtype = tensors_[i].dtype();
      char* const data = static_cast<char*>(tensors_[i].data()) + begin * itemsize(dtype);
      f(data, end - begin, dtype == DType::kFloat64, chunk);
    });
  }

  void write_back(const Call& call) const {
    for (int i = 0; i < call.attrs.i(0); ++i) {
      call.in[i].storage()->bump_version();
      if (!call.in[i].contiguous()) copy_into(call.in[i], tensors_[i]);
    }
  }

 private:
  std::vector<Tensor> tensors_;
  Pieces pieces_;
};

void check_gradients(Call& call) {
  call.outputs = 0;
  for (int i = 0; i < call.attrs.i(0); ++i) {
    check_floating(call.name(), "gradient", i, call.in[i]);
    check_writable(call.name(), "gradient", i, call.in[i]);
  }
}

const Row total_norm_row =
    Row("_get_total_norm(Tensor[] tensors, float p)")
        .doc("Norm of order 1, 2 or inf of all tensors joined into one vector.")
        .infer([](Call& call) {
          DType dtype = DType::kFloat32;
          for (int i = 0; i < call.attrs.i(0); ++i) {
            check_floating("get_total_norm", "tensor", i, call.in[i]);
            if (call.in[i].dtype() == DType::kFloat64) dtype = DType::kFloat64;
          }
          const double p = call.attrs.f(1);
          CR_CHECK(p == 1 || p == 2 || (std::isinf(p) && p > 0), "get_total_norm: the order is ", p,
                   "; expected 1, 2 or inf");
          call.set_output(0, {}, dtype);
        })
        .launch([](Call& call) {
          const double p = call.attrs.f(1);
          const ClipTable& table = clip_table();
          const auto& part = p == 1 ? table.magnitudes : p == 2 ? table.squares : table.largest;
          const auto join = [&](double a, double b) {
            return p <= 2 ? a + b : a >= b || a != a ? a : b;  // NaN stays
          };
          const Joined joined(call);
          std::vector<double> parts(static_cast<size_t>(joined.pieces().chunks()));
          joined.run([&](const char* data, int64_t n, bool wide, int64_t chunk) {
            parts[chunk] = join(parts[chunk], part[wide](data, n));
          });
          double total = 0;
          for (const double value : parts) total = join(total, value);
          if (p == 2) total = std::sqrt(total);
          dispatch_floating(call.out[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            *call.out[0].data<T>() = static_cast<T>(total);
          });
        });

const Row scale_row =
    Row("_clip_grad_norm_(Tensor[] grads, float max_norm, float total_norm) -> ()")
        .doc("Multiplies all gradients by ``max_norm / (total_norm + 1e-6)`` if that is below 1.")
        .mutates()
        .infer(check_gradients)
        .launch([](Call& call) {
          const double factor = call.attrs.f(1) / (call.attrs.f(2) + 1e-6);
          if (factor >= 1) return;  // a NaN goes on
          const Joined joined(call);
          joined.run([&](char* data, int64_t n, bool wide, int64_t) {
            clip_table().scale[wide](data, n, factor);
          });
          joined.write_back(call);
        });

const Row clamp_row = Row("_clip_grad_value_(Tensor[] grads, float bound) -> ()")
                          .doc("Brings all elements of the gradients into [-bound, bound].")
                          .mutates()
                          .infer(check_gradients)
                          .launch([](Call& call) {
                            const Joined joined(call);
                            joined.run([&](char* data, int64_t n, bool wide, int64_t) {
                              clip_table().clamp[wide](data, n, call.attrs.f(1));
                            });
                            joined.write_back(call);
                          });

}  // namespace
}  // namespace cr
