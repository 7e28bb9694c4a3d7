/* rates: measures what a row of compiler/lower/cost.c needs to know of this CPU and prints it, under the name argv[1]. Its last
 * columns, what code of a layer's shape and the ends of a tile cost, are not measured: times of layers (--tune) tell them.
 *
 * The kernel is that of direct convolution: a tile of pixels by two blocks of channels in registers, whose every step loads two
 * vectors of weights and broadcasts a number of each pixel. What memory costs is what the kernel takes longer than out of L1 while
 * weights or inputs come from elsewhere: of L2 half its size; beyond it weights out of more than caches hold, as those of a network
 * are, and inputs out of a few times L2, as a layer before leaves them. The best of several rounds counts; the machine should have
 * nothing else to do. */
#include "clock.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 20, STEPS = 1 << 17 /* of a round, at least */, BLOCKS = 2, DEPTH = 64 /* steps of a call */ };
enum { BEYOND_L2 = 8, NETWORK = 1 << 27 /* bytes */, MOST_PIXELS = 14, AHEAD = 4096 /* bytes */ };

/* A call of a kernel: weights w as [step][block][lane], inputs x as [lanes of steps][pixel][lane]. */
typedef void Kernel(const float *w, const float *x, float *y);

/* With `fetch` the weights that come AHEAD are prefetched. */
#define KERNEL(function, isa, Vector, PIXELS, fetch)                                                                         \
  __attribute__((target(isa), noinline)) static void function(const float *w, const float *x, float *y) {                    \
    enum { LANES = sizeof(Vector) / sizeof(float) };                                                                         \
    Vector sum[PIXELS][BLOCKS] = {0};                                                                                        \
    for (int first = 0; first < DEPTH; first += LANES, x += PIXELS * LANES) {                                                \
      for (int k = 0; k < LANES; k++, w += BLOCKS * LANES) {                                                                 \
        Vector b0 = *(const Vector *)w, b1 = *(const Vector *)(w + LANES);                                                   \
        if (fetch) for (size_t i = 0; i < BLOCKS * sizeof b0; i += 64) __builtin_prefetch((const char *)w + AHEAD + i);      \
        _Pragma("GCC unroll 16") for (int p = 0; p < PIXELS; p++) {                                                          \
          Vector a = x[p * LANES + k] - (Vector){0};                                                                         \
          sum[p][0] += a * b0;                                                                                               \
          sum[p][1] += a * b1;                                                                                               \
        }                                                                                                                    \
      }                                                                                                                      \
    }                                                                                                                        \
    _Pragma("GCC unroll 16") for (int p = 0; p < PIXELS; p++) {                                                              \
      *(Vector *)(y + 2 * p * LANES) = sum[p][0];                                                                            \
      *(Vector *)(y + (2 * p + 1) * LANES) = sum[p][1];                                                                      \
    }                                                                                                                        \
  }

/* As many multiply-adds as DEPTH steps of the tile have, without a load. */
#define CHAINS(function, isa, Vector, PIXELS)                                                                                \
  __attribute__((target(isa), noinline)) static void function(const float *w, const float *x, float *y) {                    \
    Vector sum[PIXELS * BLOCKS] = {0}, a = (Vector){0} + w[0], b = (Vector){0} + x[0];                                       \
    for (int k = 0; k < DEPTH; k++)                                                                                          \
      _Pragma("GCC unroll 28") for (int i = 0; i < PIXELS * BLOCKS; i++) {                                                   \
        sum[i] += a * b;                                                                                                     \
        __asm__ volatile("" : "+v"(sum[i]));                                                                                 \
      }                                                                                                                      \
    *(Vector *)y = sum[0];                                                                                                   \
  }

/* Loads the weights of DEPTH steps, and nothing else that takes as long. */
#define STREAM(function, isa, Vector)                                                                                        \
  __attribute__((target(isa), noinline)) static void function(const float *w, const float *x, float *y) {                    \
    enum { LANES = sizeof(Vector) / sizeof(float), CHAINS = 8 };                                                             \
    Vector sum[CHAINS] = {0};                                                                                                \
    for (int k = 0; k < DEPTH * BLOCKS; k += CHAINS)                                                                         \
      _Pragma("GCC unroll 8") for (int i = 0; i < CHAINS; i++) sum[i] += *(const Vector *)(w + (k + i) * LANES);             \
    for (int i = 0; i < CHAINS; i++) *(Vector *)(y + i * LANES) = sum[i] + x[0];                                             \
  }

#define KERNELS(lanes, isa, Vector, PIXELS)                                                                                  \
  CHAINS(chains_##lanes, isa, Vector, PIXELS)                                                                                \
  KERNEL(tile_##lanes, isa, Vector, PIXELS, 0)                                                                               \
  KERNEL(pixel_##lanes, isa, Vector, 1, 1)                                                                                   \
  STREAM(stream_##lanes, isa, Vector)
KERNELS(16, "avx512f,avx512vl,fma,prefer-vector-width=512", Vector512, 14)
KERNELS(8, "avx2,fma", Vector256, 6)

static const struct Machine { int lanes, pixels; Kernel *chains, *tile, *pixel, *stream; } machines[] = {
  {16, 14, chains_16, tile_16, pixel_16, stream_16}, {8, 6, chains_8, tile_8, pixel_8, stream_8}};

/* Additions that wait for each other take a cycle each. */
static double clock_ghz(void) {
  double best = 0;
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t x = 1;
    double start = seconds();
    for (int k = 0; k < STEPS; k++) __asm__ volatile(".rept 8\n\tadd %0, %0\n\t.endr" : "+r"(x));
    double ghz = 8. * STEPS / (seconds() - start) * 1e-9;
    best = ghz > best ? ghz : best;
  }
  return best;
}

typedef struct Place { const float *at; size_t bytes; } Place;

/* Nanoseconds of a step, over calls that go through the bytes of both places in turn, w and x at a time. */
static double step_ns(Kernel *run, Place w, size_t w_each, Place x, size_t x_each) {
  static _Alignas(64) float y[MOST_PIXELS * BLOCKS * 16];
  size_t most = w.bytes / w_each > x.bytes / x_each ? w.bytes / w_each : x.bytes / x_each;
  size_t calls = most > STEPS / DEPTH ? most : STEPS / DEPTH;
  double best = 1e9;
  for (int round = 0; round < ROUNDS; round++) {
    double start = seconds();
    for (size_t i = 0, a = 0, b = 0; i < calls; i++) {
      run(w.at + a / sizeof(float), x.at + b / sizeof(float), y);
      a = a + 2 * w_each > w.bytes ? 0 : a + w_each;
      b = b + 2 * x_each > x.bytes ? 0 : b + x_each;
    }
    double ns = (seconds() - start) * 1e9 / (double)(calls * DEPTH);
    best = ns < best ? ns : best;
  }
  return best;
}

/* Bytes that cost a cycle more; what is hardly more counts as 1000. */
static double rate(double bytes, double cycles) { return cycles * 1000 < bytes ? 1000 : bytes / cycles; }

/* What a step of the kernel takes, out of L1, with weights or inputs from L2, and with them from beyond it. */
static void print_row(const char *name, const struct Machine *m, const float *memory, size_t l2) {
  size_t w = BLOCKS * (size_t)m->lanes * sizeof(float) * DEPTH, x = (size_t)m->pixels * DEPTH * sizeof(float);
  const float *inputs = memory + NETWORK / sizeof(float);
  Place near_w = {memory, w}, near_x = {inputs, x}, all_w = {memory, NETWORK - AHEAD};
  double ghz = clock_ghz(), sums = m->pixels * BLOCKS, each_w = (double)w / DEPTH, each_x = (double)x / DEPTH;
  double fma = step_ns(m->chains, near_w, w, near_x, x) * ghz / sums;
  double tile = step_ns(m->tile, near_w, w, near_x, x) * ghz, load = (tile / fma - sums) / (m->pixels + BLOCKS);
  double w2 = step_ns(m->tile, (Place){memory, l2 / 2}, w, near_x, x) * ghz - tile;
  double x2 = step_ns(m->tile, near_w, w, (Place){inputs, l2 / 2}, x) * ghz - tile;
  double x3 = step_ns(m->tile, near_w, w, (Place){inputs, BEYOND_L2 * l2}, x) * ghz - tile;
  double w3 = step_ns(m->tile, all_w, w, near_x, x) * ghz - tile;
  double ahead = step_ns(m->pixel, all_w, w, near_x, x) * ghz;
  double most = step_ns(m->stream, (Place){memory, l2 / 2}, w, near_x, x) * ghz;
  printf("  {\"%s\", %d, true, %.1f, %.2f, %.2f, %.0f, %.0f, %.0f, %.1f, %.1f, %.1f, 0, 12, 0},\n", name, m->lanes, ghz, fma,
         load > 0 ? load : 0, rate(each_w, w2), rate(each_x, x2), each_w / most, rate(each_x, x3), rate(each_w, w3), each_w / ahead);
}

static const struct Machine *machine(void) {
  if (__builtin_cpu_supports("avx512vl")) return &machines[0];
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &machines[1] : NULL;
}

int main(int argc, char **argv) {
  const struct Machine *m = machine();
  if (argc != 2 || !m) {
    fprintf(stderr, argc != 2 ? "usage: rates CPU\n" : "rates: this CPU has neither AVX-512 nor AVX2 with FMA\n");
    return EXIT_FAILURE;
  }
  long known = sysconf(_SC_LEVEL2_CACHE_SIZE);
  size_t l2 = known > 0 ? (size_t)known : 1 << 19, bytes = NETWORK + BEYOND_L2 * l2;
  float *memory = aligned_alloc(64, bytes);
  if (!memory) return EXIT_FAILURE;
  for (size_t i = 0; i < bytes / sizeof(float); i++) memory[i] = 1e-3f;
  print_row(argv[1], m, memory, l2);
  free(memory);
  return EXIT_SUCCESS;
}
