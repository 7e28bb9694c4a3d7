/* buffer.c: workspace memory. */
#include "resnetcc_rt.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

/* `size` as whole lines, or whole huge pages from one of them on; 0: overflow. */
static size_t rounded(size_t size, size_t unit) {
  if (size > SIZE_MAX - unit) return 0;
  return size ? (size + unit - 1) / unit * unit : unit;
}

void *rcc_workspace_alloc(size_t size) {
  size_t unit = size < HUGE_PAGE ? LINE : HUGE_PAGE, n = rounded(size, unit);
  void *p = n ? aligned_alloc(unit, n) : NULL;
  /* Only advice: on small pages the memory is as good, and a run 1 to 3 % slower. */
  if (p && unit == HUGE_PAGE) madvise(p, n, MADV_HUGEPAGE);
  return p;
}

/* The size is for systems whose pages are given back by size; malloc's knows it. */
void rcc_workspace_free(void *workspace, size_t size) {
  (void)size;
  free(workspace);
}
