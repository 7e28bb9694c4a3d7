/* bytes.c: memmove and memcmp for runs that may be empty. */
#include "base.h"

#include <string.h>

void move_bytes(void *to, const void *from, size_t n) {
  if (n) memmove(to, from, n);
}

bool same_bytes(const void *a, const void *b, size_t n) { return n == 0 || memcmp(a, b, n) == 0; }
