/* cases.h: repeatable random numbers for tests that go through many shapes. */
#ifndef CASES_H
#define CASES_H

#include <stdint.h>

/* In [lo, hi]; the multiplier is from Steele and Vigna, Computationally easy, spectrally good multipliers,
 * 2022. */
static inline int pick(uint64_t *state, int lo, int hi) {
  *state = *state * UINT64_C(0xd1342543de82ef95) + 1;
  return lo + (int)((*state >> 33) % (uint64_t)(hi - lo + 1));
}

#endif
