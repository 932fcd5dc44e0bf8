"""Minimax polynomial coefficients of csrc/simd/vmath_tables.h (Remez exchange; needs mpmath).

python tools/minimax.py | clang-format > csrc/simd/vmath_tables.h
"""

import struct

from mpmath import mp, mpf

mp.dps = 60


def remez(f, weight, lo, hi, degree, rounds=12):
    """Coefficients c (ascending) minimising max |weight(x) * (sum c_i x^i - f(x))| on [lo, hi]."""
    lo, hi = mpf(lo), mpf(hi)
    n = degree + 2
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / n) for i in range(n)]
    grid_size = 16 * n
    grid = [
        (lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * i / grid_size) for i in range(grid_size + 1)
    ]
    values = [(f(x), weight(x)) for x in grid]
    coefficients = worst = None
    for _ in range(rounds):
        # weight(x) (p(x) - f(x)) = +-e at the nodes; one where the weight vanishes is moved aside.
        nodes = [x if weight(x) > mpf("1e-9") else x + (hi - lo) / (5 * n) for x in nodes]
        rows = [[weight(x) * x**j for j in range(n - 1)] + [(-1) ** i] for i, x in enumerate(nodes)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([weight(x) * f(x) for x in nodes]))
        coefficients = list(solution[: n - 1])
        error = [
            w * (mp.polyval(coefficients[::-1], x) - y)
            for x, (y, w) in zip(grid, values, strict=True)
        ]
        worst = max(abs(e) for e in error)
        if worst <= abs(solution[n - 1]) * mpf("1.01"):
            break
        # One extremum per run of equal sign.
        extrema, best = [], 0
        for i in range(1, len(grid)):
            if mp.sign(error[i]) * mp.sign(error[best]) < 0:
                extrema.append(best)
                best = i
            elif abs(error[i]) > abs(error[best]):
                best = i
        extrema.append(best)
        while len(extrema) > n:
            drop = 0 if abs(error[extrema[0]]) < abs(error[extrema[-1]]) else -1
            extrema.pop(drop)
        if len(extrema) < n:
            break
        nodes = [grid[i] for i in extrema]
    return coefficients, worst


def odd(function):
    """f(x) = x + x z P(z), z = x^2, to a relative error: the target P(z) and its weight."""

    def target(z):
        x = mp.sqrt(z)
        return (
            (function(x) / x - 1) / z
            if z > mpf(10) ** -20
            else mp.taylor(lambda t: function(t), 0, 3)[3]
        )

    return target, lambda z: z * mp.sqrt(z) / function(mp.sqrt(z)) if z > 0 else mpf(0)


def small(series, exact, z):
    """Where the closed form cancels, its Taylor series."""
    return series(z) if abs(z) < mpf(10) ** -8 else exact(z)


def exp_target(r):
    return small(
        lambda t: mpf(1) / 2 + t / 6 + t * t / 24 + t**3 / 120,
        lambda t: (mp.exp(t) - 1 - t) / t**2,
        r,
    )


def log_target(z):
    return small(
        lambda t: mpf(2) / 3 + 2 * t / 5 + 2 * t * t / 7,
        lambda t: (2 * mp.atanh(mp.sqrt(t)) / mp.sqrt(t) - 2) / t,
        z,
    )


def log_tail_target(z):
    return small(
        lambda t: mpf(2) / 5 + 2 * t / 7 + 2 * t * t / 9,
        lambda t: ((2 * mp.atanh(mp.sqrt(t)) / mp.sqrt(t) - 2) / t - mpf(2) / 3) / t,
        z,
    )


def cos_target(z):
    return small(
        lambda t: mpf(1) / 24 - t / 720, lambda t: (mp.cos(mp.sqrt(t)) - 1 + t / 2) / t**2, z
    )


def erf_target(z):
    return small(
        lambda t: 2 / mp.sqrt(mp.pi) * (1 - t / 3) - 1,
        lambda t: mp.erf(mp.sqrt(t)) / mp.sqrt(t) - 1,
        z,
    )


def erfcx(x):
    # The asymptotic form would lose digits; exp(x^2) erfc(x) in 60 digits does not.
    return mp.exp(x * x) * mp.erfc(x)


ERFC_SCALE = mpf("1.450439453125")  # short, and over sqrt(2) very close to a float
ERFC_K = 2 * ERFC_SCALE


def erfcx_target(q):
    """P(q) in erfcx(x) = t P(q), t = k / (k + x), q = 2 t - 1."""
    t = (q + 1) / 2
    x = ERFC_K / t - ERFC_K
    return erfcx(x) / t


# Pieces of y = 1 + 1.4504 x, the halves (or quarters) of the octaves from [1, 2) to [8, 16): as
# many as a vector has lanes, so that a coefficient is one permutation.


def as_float(x):
    return mpf(struct.unpack("f", struct.pack("f", x))[0])


def octave_pieces(lanes):
    """Index (the lowest bits of y's exponent, the highest of its mantissa), start and width."""
    per_octave = lanes // 4
    for i in range(lanes):
        octave, part = divmod(i, per_octave)
        width = mpf(2) ** octave / per_octave
        yield ((127 + octave) * per_octave + part) % lanes, mpf(2) ** octave + part * width, width


def by_power(pieces):
    return [list(row) for row in zip(*(pieces[i] for i in sorted(pieces)), strict=True)]


def erfcx_pieces(lanes, degree):
    """Per power of t = y - (the middle of its piece), all pieces' coefficients, and the error."""
    pieces, worst = {}, mpf(0)
    for index, low, width in octave_pieces(lanes):
        high = min(low + width, 1 + ERFC_SCALE * mpf("10.3"))
        middle = low + width / 2

        def target(t, middle=middle):
            return erfcx((middle + t - 1) / ERFC_SCALE)

        pieces[index], error = remez(
            target, lambda t, f=target: 1 / f(t), low - middle, high - middle, degree
        )
        worst = max(worst, error)
    return by_power(pieces), worst


def odd_pieces(f, scale, one, lanes, degree):
    """The same for an odd function that is 1 from `one` on; t is the distance from a piece's start.

    The first piece has no constant term, y = 1 + scale x.
    """
    pieces, worst = {}, mpf(0)
    scale = as_float(scale)
    for index, low, width in octave_pieces(lanes):
        high = min(low + width, 1 + scale * mpf(one))

        def value(t, low=low):
            return f((low - 1 + t) / scale)

        def slope(t):
            return value(t, 1) / t if t > mpf(10) ** -20 else mp.diff(f, 0) / scale

        first = low == 1
        target = slope if first else value
        coefficients, error = remez(
            target, lambda t, f=target: 1 / f(t), 0, high - low, degree - first
        )
        pieces[index] = [mpf(0), *coefficients] if first else coefficients
        worst = max(worst, error)
    return by_power(pieces), worst


def exp_pieces(lanes):
    """2^(i / lanes) as floats, less i where the exponent's lowest bits are that far up."""
    step = (1 << 23) // lanes
    rows = []
    for i in range(lanes):
        (bits,) = struct.unpack("I", struct.pack("f", float(mpf(2) ** (mpf(i) / lanes))))
        rows += struct.unpack("f", struct.pack("I", bits - i * step))
    return rows


def normal_tail_pieces(degree):
    """The same for P(X > a), X normal, with t = a - 3/16 i for the nearest of 32 i."""
    pieces, worst = [], mpf(0)
    half = mpf(3) / 32
    for i in range(32):

        def target(t, middle=2 * half * i):
            return mp.ncdf(-(middle + t))

        coefficients, error = remez(
            target, lambda t, f=target: 1 / f(t), -half if i else 0, half, degree
        )
        pieces.append(coefficients)
        worst = max(worst, error)
    return [[piece[k] for piece in pieces] for k in range(degree + 1)], worst


def log1p_target(r):
    return small(
        lambda t: -mpf(1) / 2 + t / 3 - t * t / 4 + t**3 / 5, lambda t: (mp.log1p(t) - t) / t**2, r
    )


def log_pieces(lows, highs, is_float):
    """Per piece of m the constant c ~ 1/m, of few that is whose logarithm is closest to a number.

    The pieces that touch 1 have c = 1, so that log(m) stays accurate beside its zero.
    """
    inverses, logs = [], []
    bits = 24 if is_float else 53
    for low, high in zip(lows, highs, strict=True):
        if low <= 1 <= high:
            inverses.append(mpf(1))
            logs.append(mpf(0))
            continue
        best = mpf(1)
        first = mp.ldexp(mp.nint(mp.ldexp(2 / (low + high), 12)), -12)
        for i in range(-600, 600):
            c = first + mp.ldexp(i, -22)
            log = -mp.log(c)
            ulp = mp.ldexp(1, int(mp.floor(mp.log(abs(log), 2))) + 1 - bits)
            error = abs(log / ulp - mp.nint(log / ulp))
            if error < best:
                best, inverse, rounded = error, c, mp.nint(log / ulp) * ulp
        inverses.append(inverse)
        logs.append(rounded)
    return inverses, logs


def log_pieces_16(is_float):
    """By the highest 4 bits of the mantissa of m, 3/4 <= m < 3/2."""
    lows = [1 + mpf(i) / 16 for i in range(8)] + [(1 + mpf(i) / 16) / 2 for i in range(8, 16)]
    highs = [low + mpf(1) / (16 if low >= 1 else 32) for low in lows]
    return log_pieces(lows, highs, is_float)


def log_pieces_8():
    """By steps of 1/8 of the mantissa from 23/32 to 23/16."""
    edges = [(23 + mpf(2) * i) / 32 for i in range(5)] + [(17 + mpf(2) * i) / 16 for i in range(4)]
    return log_pieces(edges[:-1], edges[1:], True)


def exp2_pieces():
    return [mpf(2) ** (mpf(i) / 16) for i in range(16)]


def erfinv_from_w(w):
    """erfinv(y) / y as a function of w = -log(1 - y^2)."""
    y = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(y) / y if w > 0 else mp.sqrt(mp.pi) / 2


def erfinv_tail(s):
    w = s * s
    one_minus = mp.exp(-w) / (1 + mp.sqrt(1 - mp.exp(-w)))  # 1 - y
    # Newton on log(erfc(x)) = log(1 - y), which is concave: no overshoot.
    x = mp.sqrt(w)
    for _ in range(30):
        tail = mp.erfc(x)
        x += mp.log(tail / one_minus) * tail * mp.sqrt(mp.pi) / 2 * mp.exp(x * x)
    return x / (1 - one_minus)


def digamma_target(x):
    root = mp.findroot(mp.digamma, mpf("1.4616321449683623"))
    return mp.digamma(x) / (x - root) if abs(x - root) > mpf(10) ** -15 else mp.psi(1, x)


def ratio_target(f):
    """f(x) / x, where f(x) ~ x."""
    return lambda x: f(x) / x if abs(x) > mpf(10) ** -20 else mpf(1)


HALF_LN2 = mp.log(2) / 2 * mpf("1.0002")
QUARTER_PI2 = (mp.pi / 4 * mpf("1.0001")) ** 2
LOG_Z = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.0001")


def q_of(x):
    return 2 * ERFC_K / (ERFC_K + mpf(x)) - 1


TABLES = [
    # name, meaning, target, weight, lo, hi, (degree in float, in double)
    (
        "kExp",
        "exp(r) = 1 + r + r^2 P(r), |r| <= ln2/2",
        exp_target,
        lambda r: r * r / mp.exp(r),
        -HALF_LN2,
        HALF_LN2,
        (4, 9),
    ),
    *(
        (
            f"kExpNear{lanes}",
            f"exp(r) = 1 + r P(r), |r| <= ln2/{2 * lanes}",
            ratio_target(mp.expm1),
            lambda r: abs(r) / mp.exp(r),
            -HALF_LN2 / lanes,
            HALF_LN2 / lanes,
            (degree, None),
        )
        for lanes, degree in ((8, 3), (16, 2))
    ),
    (
        "kLog1p",
        "log(1+x) = x P(x), 0 <= x <= 1",
        ratio_target(mp.log1p),
        lambda x: 1 / ratio_target(mp.log1p)(x),
        0,
        1,
        (9, 20),
    ),
    (
        "kExpSixteenth",
        "exp(r) = 1 + r + r^2 P(r), |r| <= ln2/32",
        exp_target,
        lambda r: r * r / mp.exp(r),
        -HALF_LN2 / 16,
        HALF_LN2 / 16,
        (None, 4),
    ),
    (
        "kLogPiece",
        "log(1+r) = r + r^2 P(r), -1/17 <= r <= 1/16 (double: -1/32)",
        log1p_target,
        lambda r: r * r / mp.log1p(r) if r else mpf(0),
        (-mpf(1) / 17, -mpf(1) / 31.5),
        mpf(1) / 16,
        (3, 9),
    ),
    (
        "kLog",
        "log(1+f) = f - f^2/2 + s (f^2/2 + z P(z)), s = f/(2+f), z = s^2",
        log_target,
        lambda z: z / 2,
        0,
        LOG_Z,
        (2, 6),
    ),
    (
        "kLogTail",
        "2 atanh(s) = 2 s + 2/3 s^3 + s^5 P(z), z = s^2",
        log_tail_target,
        lambda z: z * z / 2,
        0,
        LOG_Z,
        (3, 7),
    ),
    ("kSin", "sin(r) = r + r z P(z), z = r^2, |r| <= pi/4", *odd(mp.sin), 0, QUARTER_PI2, (2, 5)),
    (
        "kCos",
        "cos(r) = 1 - z/2 + z^2 P(z)",
        cos_target,
        lambda z: z * z / mp.cos(mp.sqrt(z)),
        0,
        QUARTER_PI2,
        (2, 5),
    ),
    ("kAsin", "asin(x) = x + x z P(z), z = x^2 <= 1/4", *odd(mp.asin), 0, 0.25, (4, 12)),
    ("kAtan", "atan(x) = x + x z P(z), z = x^2 <= 1", *odd(mp.atan), 0, 1, (8, 19)),
    ("kSinh", "sinh(x) = x + x z P(z), z = x^2 <= 1", *odd(mp.sinh), 0, 1, (3, 6)),
    (
        "kErf",
        "erf(x) = x + x P(z), z = x^2 <= 1",
        erf_target,
        lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)) if z > 0 else mp.sqrt(mp.pi) / 2,
        0,
        1,
        (6, 11),
    ),
    (
        "kErfcx",
        "exp(x^2) erfc(x) = t P(2 t - 1), t = k / (k + x), k = 2.9009, x <= 10.2 or 27.3",
        erfcx_target,
        lambda q: 1 / erfcx_target(q),
        (q_of(10.2), q_of(27.3)),
        1,
        (9, 22),
    ),
    (
        "kErfinvCentre",
        "erfinv(y) ~ y P(w), w = -log(1 - y^2) < 5",
        erfinv_from_w,
        lambda w: 1 / erfinv_from_w(w),
        0,
        5,
        (4, 8),
    ),
    (
        "kErfinvTail",
        "erfinv(y) ~ y P(sqrt(w) - 4), 5 <= w < 36.1",
        lambda u: erfinv_tail(u + 4),
        lambda u: 1 / erfinv_tail(u + 4),
        mp.sqrt(5) - 4,
        2.05,
        (5, 11),
    ),
    (
        "kDigamma",
        "digamma(x) = (x - root) P(x - 3/2), 1 <= x <= 2",
        lambda u: digamma_target(u + 1.5),
        lambda u: 1 / digamma_target(u + 1.5),
        -0.5,
        0.5,
        (None, 22),
    ),
]

HEADER = """\
// Polynomial coefficients of vmath.h, lowest power first; the bound after each name is the
// approximation's relative error. Written by tools/minimax.py (Remez exchange in 60 digits): do not
// edit by hand.
#pragma once

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
struct Coef;
"""

FOOTER = """
}  // namespace
}  // namespace CR_ISA
}  // namespace cr"""


def literal(value, is_float):
    if not is_float:
        return repr(float(value))
    text = f"{struct.unpack('f', struct.pack('f', float(value)))[0]:.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


def print_row(meaning, name, row, is_float):
    kind = "float" if is_float else "double"
    if meaning:
        print(f"  // {meaning}")
    print(f"  static constexpr {kind} {name}[] = {{")
    print(",".join(literal(c, is_float) for c in row) + "};")


def print_logs(size, inverses, logs, is_float):
    print_row("c ~ 1/m by the piece of m, and -log(c).", f"kLogInverse{size}", inverses, is_float)
    print_row("", f"kLogOfInverse{size}", logs, is_float)


def print_pieces(name, meaning, rows, error):
    pieces = len(rows[0])
    print(f"  // {meaning} in {pieces} pieces: 2^{float(mp.log(error, 2)):.1f}.")
    print(f"  static constexpr float {name}[][{pieces}] = {{")
    print(",".join("{" + ",".join(literal(c, True) for c in row) + "}" for row in rows) + "};")


def main():
    print(HEADER)
    for is_float in (True, False):
        print(f"template <>\nstruct Coef<{'float' if is_float else 'double'}> {{")
        for name, meaning, target, weight, lo, hi, degrees in TABLES:
            degree = degrees[0 if is_float else 1]
            if degree is None:
                continue
            low = lo[0 if is_float else 1] if isinstance(lo, tuple) else lo
            coefficients, error = remez(target, weight, low, hi, degree)
            print(f"  // {meaning}: 2^{float(mp.log(error, 2)):.1f}.")
            print(f"  static constexpr {'float' if is_float else 'double'} {name}[] = {{")
            print("      " + ", ".join(literal(c, is_float) for c in coefficients) + "};")
        print_logs(16, *log_pieces_16(is_float), is_float)
        if not is_float:
            print_row("2^(i/16).", "kExp2Sixteenth", exp2_pieces(), is_float)
        if is_float:
            print_logs(8, *log_pieces_8(), is_float)
            print_pieces("kErfcxPieces8", "exp(x^2) erfc(x)", *erfcx_pieces(8, 8))
            print_pieces("kErfcxPieces16", "exp(x^2) erfc(x)", *erfcx_pieces(16, 6))
            for lanes, short, long in ((8, 7, 8), (16, 5, 6)):
                tanh, erf = (
                    (mp.tanh, 1.6, 9.3, lanes, short),
                    (mp.erf, 3.610813, 4.05, lanes, long),
                )
                print_pieces(f"kTanhPieces{lanes}", "tanh(x)", *odd_pieces(*tanh))
                print_pieces(f"kErfPieces{lanes}", "erf(x)", *odd_pieces(*erf))
                print(f"  // 2^(i/{lanes}), of whose bits i 2^23/{lanes} is taken.")
                print(f"  static constexpr float kExpPieces{lanes}[] = {{")
                print(", ".join(literal(c, True) for c in exp_pieces(lanes)) + "};")
            print_pieces("kNormalTail", "P(X > a), a < 5.9,", *normal_tail_pieces(6))
        print("};\n")
    print(FOOTER.strip())


if __name__ == "__main__":
    main()
