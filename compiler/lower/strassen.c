/* strassen.c: the sizes of Strassen's algorithm; emit/conv_strassen.c has the algorithm. */
#include "lower.h"

int64_t strassen_line(const ConvPlan *p, const Shape *y) {
  return p->order == OC_FLAT ? (y->d[2] * y->d[3] + 1) / 2 : y->d[3];
}

int64_t strassen_pairs(const ConvPlan *p, const Shape *y) {
  return p->order == OC_FLAT ? y->d[0] : (y->d[0] * y->d[2] + 1) / 2;
}

/* Where all is one group, the sums of inputs are shared. */
void strassen_memory(ConvPlan *p, const Shape *y, int lanes) {
  int64_t pixels = size_mul(p->group_pairs, strassen_line(p, y)), half = p->icg / 2, sums = size_mul(pixels, STRASSEN_SUMS * half * 4);
  bool one_group = strassen_pairs(p, y) <= p->group_pairs;
  p->shared = one_group ? sums : 0;
  int64_t kept = size_mul(size_add(size_mul(STRASSEN_KEPT, pixels), STRASSEN_BUFFERS * half), p->nb * lanes * 4);
  p->scratch = size_add(kept, one_group ? 0 : sums);
}
