/* shape.c: shapes, which are numbers of dimensions and multiples of the batch symbol. */
#include "graph.h"

#include <string.h>

bool shape_equal(const Shape *a, const Shape *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->d[i] != b->d[i]) return false;
  return true;
}

int64_t shape_count(const Shape *s) {
  int64_t n = 1;
  bool fits = true;
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] == 0) return 0;
    fits = fits && mul_size(n, s->d[i] < 0 ? -s->d[i] : s->d[i], &n);
  }
  return fits ? n : INT64_MAX;
}

bool shape_is_symbolic(const Shape *s) {
  for (int i = 0; i < s->rank; i++)
    if (s->d[i] < 0) return true;
  return false;
}

Shape shape_of(int rank, ...) {
  assert(rank <= MAX_RANK);
  Shape s = {.rank = rank};
  va_list args;
  va_start(args, rank);
  for (int i = 0; i < rank; i++) s.d[i] = va_arg(args, int64_t);
  va_end(args);
  return s;
}

char *shape_text(Context *cx, const Shape *s) {
  char text[MAX_RANK * 24 + 3] = "[", *p = text + 1;
  for (int i = 0; i < s->rank; i++) {
    if (i) *p++ = ',';
    if (s->d[i] >= 0) p += sprintf(p, "%lld", (long long)s->d[i]);
    else if (s->d[i] == -1) *p++ = 'N';
    else p += sprintf(p, "%lldN", -(long long)s->d[i]);
  }
  strcpy(p, "]");
  return copy_text(cx, s->rank < 0 ? "?" : text);
}

int64_t shape_extent(const Shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] == INT64_MIN) return SIZE_OVERFLOW;
    if (s->d[i] != 0) n = size_mul(n, s->d[i] < 0 ? -s->d[i] : s->d[i]);
  }
  return n;
}
