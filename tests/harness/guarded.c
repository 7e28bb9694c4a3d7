/* guarded.c: see guarded.h. */
#include "guarded.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILL = 0xff };

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

Guarded guarded_new(size_t size, size_t align, bool at_end) {
  size_t page = page_size(), inside = (size + page - 1) / page * page + page;
  char *p = mmap(NULL, inside + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) abort();
  Guarded m = {.data = p + page, .base = p + page, .size = size, .mapped = inside};
  memset(m.base, FILL, inside);
  if (mprotect(p, page, PROT_NONE) || mprotect(m.base + inside, page, PROT_NONE)) abort();
  if (!at_end) return m;
  m.data = m.base + inside - size;
  m.data -= (uintptr_t)m.data % align;
  return m;
}

void guarded_protect(const Guarded *m) {
  if (mprotect(m->base, m->mapped, PROT_READ)) abort();
}

bool guarded_intact(const Guarded *m) {
  for (const char *p = m->base; p < m->base + m->mapped; p++) {
    bool beside = p < m->data || p >= m->data + m->size;
    if (beside && (unsigned char)*p != FILL) return false;
  }
  return true;
}

void guarded_free(Guarded *m) { munmap(m->base - page_size(), m->mapped + 2 * page_size()); }
