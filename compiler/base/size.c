/* size.c: the one place where numbers that come from a model are multiplied and added. */
#include "base.h"

bool mul_size(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }

bool add_size(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }

int64_t size_mul(int64_t a, int64_t b) {
  int64_t r;
  assert(a >= 0 && b >= 0);
  return mul_size(a, b, &r) ? r : SIZE_OVERFLOW;
}

int64_t size_add(int64_t a, int64_t b) {
  int64_t r;
  assert(a >= 0 && b >= 0);
  return add_size(a, b, &r) ? r : SIZE_OVERFLOW;
}

int64_t size_ceiling(int64_t n, int64_t by) {
  assert(n >= 0 && by > 0);
  return n / by + (n % by != 0);
}

int64_t size_round_up(int64_t n, int64_t to) { return size_mul(size_ceiling(n, to), to); }

int64_t size_min(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t size_max(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t size_clamp(int64_t n, int64_t lo, int64_t hi) { return n < lo ? lo : n > hi ? hi : n; }

int64_t size_common_divisor(int64_t a, int64_t b) {
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
