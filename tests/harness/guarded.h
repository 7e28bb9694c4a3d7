/* guarded.h: memory between two pages without access, to which a run has no business to go. */
#ifndef GUARDED_H
#define GUARDED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Guarded {
  char *data;            /* `size` bytes */
  char *base;            /* the pages between the two */
  size_t size, mapped;
} Guarded;

/* At the end of the pages, or as near to it as the alignment lets them lie; or at their start. All bytes are 0xff, a NaN as
 * float, at first. */
Guarded guarded_new(size_t size, size_t align, bool at_end);
void guarded_protect(const Guarded *m); /* it can only be read from now on */
bool guarded_intact(const Guarded *m);  /* are the bytes beside the data what they were? */
void guarded_free(Guarded *m);

#endif
