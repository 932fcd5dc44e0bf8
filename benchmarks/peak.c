/* Fused multiply-adds as fast as this processor can issue them: sixteen independent chains of the
   widest vectors hide a latency of up to eight cycles on two units. */
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

/* Every loop over the chains is unrolled, or they live in memory; they start from different and
   unknown numbers, or the compiler merges them into one. */
#define CHAINS _Pragma("GCC unroll 16") for (int j = 0; j < 16; j++)

#define PEAK(name, type)                                                      \
  typedef type name##_vector __attribute__((vector_size(BYTES)));             \
  double name(long rounds) {                                                  \
    volatile type half = 0.5, one = 1;                                        \
    name##_vector sum[16], b = half - (name##_vector){0},                     \
                           c = one - (name##_vector){0};                      \
    CHAINS sum[j] = b * (type)j;                                              \
    struct timespec start, stop;                                              \
    clock_gettime(CLOCK_MONOTONIC, &start);                                   \
    for (long i = 0; i < rounds; i++) CHAINS sum[j] = sum[j] * b + c;         \
    clock_gettime(CLOCK_MONOTONIC, &stop);                                    \
    name##_vector total = c;                                                  \
    CHAINS total += sum[j];                                                   \
    one = total[0];                                                           \
    double seconds =                                                          \
        (stop.tv_sec - start.tv_sec) + 1e-9 * (stop.tv_nsec - start.tv_nsec); \
    return 2.0 * 16 * (BYTES / sizeof(type)) * rounds / seconds;              \
  }

PEAK(peak_float32, float)
PEAK(peak_float64, double)
