// The pointwise part of recurrent cells, one vector of hidden units at a time. Products are done by
// then: gates[.] holds sums, rows are hot in the nearest caches.
#include "ops/recurrent.kernel.h"

#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

// How a vector of hidden units meets memory: whole, or the last few.
template <class T>
struct Whole {
  Vec<T> get(const T* p) const { return load(p); }
  void put(T* p, Vec<T> v) const { store(p, v); }
};
template <class T>
struct Part {
  int lanes;
  Vec<T> get(const T* p) const { return load_partial(p, lanes); }
  void put(T* p, Vec<T> v) const { store_partial(p, v, lanes); }
};

// Calls f(row, unit, memory) for every vector of the range.
template <class T, class Range, class F>
CR_INLINE void over_units(const Range& range, F&& f) {
  for (int64_t row = 0; row < range.rows; ++row) {
    int64_t unit = range.begin;
    for (; unit + kLanes<T> <= range.end; unit += kLanes<T>) f(row, unit, Whole<T>{});
    if (unit < range.end) f(row, unit, Part<T>{static_cast<int>(range.end - unit)});
  }
}

// ---------------------------------------------------------------- activations

// Shorter than those of vmath.h by a third, at up to 3 ulp and without care for the sign of zero.

template <class T>
CR_INLINE Vec<T> gate(Vec<T> x) {  // sigmoid
  return T(1) / (exp(-x) + T(1));
}

template <class T>
CR_INLINE Vec<T> squash(Vec<T> x) {  // tanh by (e^2x - 1) / (e^2x + 1), the numerator as expm1
  constexpr T kOne = sizeof(T) == 4 ? 10 : 20;  // tanh is 1 from there on
  const Vec<T> a = limit(x, -kOne, kOne);
  const ExpReduced<Vec<T>> e = reduce_exp(a + a);
  const Vec<T> power = power_of_two<Vec<T>>(e.n);
  const Vec<T> t = expm1_poly(e.r) * power + (power - T(1));
  return t / (t + T(2));
}

// ---------------------------------------------------------------- plain cells

template <class T>
void tanh_step(const CellStep<T>& s) {
  over_units<T>(s, [&](int64_t row, int64_t unit, auto memory) {
    T* h = s.h + row * s.hidden + unit;
    memory.put(h, squash<T>(memory.get(h)));
  });
}

template <class T>
void relu_step(const CellStep<T>& s) {
  over_units<T>(s, [&](int64_t row, int64_t unit, auto memory) {
    T* h = s.h + row * s.hidden + unit;
    const Vec<T> x = memory.get(h);
    memory.put(h, x < T(0) ? Vec<T>{} : x);  // NaN passes
  });
}

// What reaches h: from outside and from later steps.
template <class T, class Memory>
CR_INLINE Vec<T> arriving(const CellGrad<T>& g, int64_t at, Memory memory) {
  const Vec<T> carried = memory.get(g.grad_h + at);
  return g.grad_out ? memory.get(g.grad_out + at) + carried : carried;
}

template <class T>
void tanh_grad(const CellGrad<T>& g) {
  over_units<T>(g, [&](int64_t row, int64_t unit, auto memory) {
    const int64_t at = row * g.hidden + unit;
    const Vec<T> h = memory.get(g.h + at);
    memory.put(g.grad_gates + at, arriving(g, at, memory) * (T(1) - h * h));
  });
}

template <class T>
void relu_grad(const CellGrad<T>& g) {
  over_units<T>(g, [&](int64_t row, int64_t unit, auto memory) {
    const int64_t at = row * g.hidden + unit;
    const Vec<T> dh = arriving(g, at, memory);
    memory.put(g.grad_gates + at, memory.get(g.h + at) <= T(0) ? Vec<T>{} : dh);
  });
}

// ---------------------------------------------------------------- LSTM

template <class T>
void lstm_step(const CellStep<T>& s) {
  over_units<T>(s, [&](int64_t row, int64_t unit, auto memory) {
    const int64_t at = row * s.hidden + unit;
    T* gates = s.gates + row * s.gate_width + unit;
    const Vec<T> i = gate<T>(memory.get(gates));
    const Vec<T> f = gate<T>(memory.get(gates + s.hidden));
    const Vec<T> g = squash<T>(memory.get(gates + 2 * s.hidden));
    const Vec<T> o = gate<T>(memory.get(gates + 3 * s.hidden));
    const Vec<T> c = f * memory.get(s.c_before + at) + i * g;
    memory.put(gates, i);
    memory.put(gates + s.hidden, f);
    memory.put(gates + 2 * s.hidden, g);
    memory.put(gates + 3 * s.hidden, o);
    memory.put(s.c + at, c);
    memory.put(s.h + at, o * squash<T>(c));
  });
}

template <class T>
void lstm_grad(const CellGrad<T>& d) {
  over_units<T>(d, [&](int64_t row, int64_t unit, auto memory) {
    const int64_t at = row * d.hidden + unit, n = d.hidden;
    const T* gates = d.gates + row * d.gate_width + unit;
    T* out = d.grad_gates + row * d.gate_width + unit;
    const Vec<T> i = memory.get(gates), f = memory.get(gates + n), g = memory.get(gates + 2 * n),
                 o = memory.get(gates + 3 * n), t = squash<T>(memory.get(d.c + at));
    const Vec<T> dh = arriving(d, at, memory);
    const Vec<T> dc = memory.get(d.grad_c + at) + dh * o * (T(1) - t * t);
    memory.put(out, dc * g * (i * (T(1) - i)));
    memory.put(out + n, dc * memory.get(d.c_before + at) * (f * (T(1) - f)));
    memory.put(out + 2 * n, dc * i * (T(1) - g * g));
    memory.put(out + 3 * n, dh * t * (o * (T(1) - o)));
    memory.put(d.grad_c + at, dc * f);
  });
}

// ---------------------------------------------------------------- GRU

template <class T>
void gru_step(const CellStep<T>& s) {
  over_units<T>(s, [&](int64_t row, int64_t unit, auto memory) {
    const int64_t at = row * s.hidden + unit;
    T* gates = s.gates + row * s.gate_width + unit;
    const Vec<T> r = gate<T>(memory.get(gates));
    const Vec<T> z = gate<T>(memory.get(gates + s.hidden));
    const Vec<T> n =
        squash<T>(memory.get(gates + 2 * s.hidden) + r * memory.get(gates + 3 * s.hidden));
    memory.put(gates, r);
    memory.put(gates + s.hidden, z);
    memory.put(gates + 2 * s.hidden, n);
    memory.put(s.h + at, n + z * (memory.get(s.h_before + at) - n));
  });
}

template <class T>
void gru_grad(const CellGrad<T>& d) {
  over_units<T>(d, [&](int64_t row, int64_t unit, auto memory) {
    const int64_t at = row * d.hidden + unit, k = d.hidden;
    const T* gates = d.gates + row * d.gate_width + unit;
    T* out = d.grad_gates + row * d.gate_width + unit;
    const Vec<T> r = memory.get(gates), z = memory.get(gates + k), n = memory.get(gates + 2 * k),
                 recurrent = memory.get(gates + 3 * k);
    const Vec<T> dh = arriving(d, at, memory);
    const Vec<T> dn = dh * (T(1) - z) * (T(1) - n * n);
    memory.put(out, dn);
    memory.put(out + k, dn * recurrent * (r * (T(1) - r)));
    memory.put(out + 2 * k, dh * (memory.get(d.h_before + at) - n) * (z * (T(1) - z)));
    memory.put(out + 3 * k, dn * r);
    memory.put(d.grad_h + at, dh * z);
  });
}

template <class T>
constexpr RecurrentKernels<T> kKernels = {{tanh_step<T>, relu_step<T>, lstm_step<T>, gru_step<T>},
                                          {tanh_grad<T>, relu_grad<T>, lstm_grad<T>, gru_grad<T>}};

}  // namespace

extern constexpr RecurrentTable recurrent_table = {kKernels<float>, kKernels<double>};

}  // namespace CR_ISA
}  // namespace cr
