/* sets.c: sets that are joined (Tarjan, "Efficiency of a good but not linear set union algorithm", 1975). */
#include "base.h"

int *sets_new(Context *cx, int n) {
  int *up = alloc_n(cx, (size_t)n + 1, sizeof *up);
  for (int i = 0; i < n; i++) up[i] = i;
  return up;
}

int set_of(int *up, int i) {
  for (; up[i] != i; i = up[i]) up[i] = up[up[i]];
  return i;
}

void set_join(int *up, int i, int with) {
  up[set_of(up, i)] = set_of(up, with);
}
