/* clock.h: what the programs that measure this CPU share: the clock, and vectors of floats. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H
#include <time.h>

typedef float Vector512 __attribute__((vector_size(64)));
typedef float Vector256 __attribute__((vector_size(32)));

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
#endif
