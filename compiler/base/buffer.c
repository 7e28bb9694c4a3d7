/* buffer.c: a growing byte buffer. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

/* Room for n more bytes and a final zero, which keeps data a C string. */
static void buffer_reserve(Buffer *b, size_t n) {
  size_t need = b->size + n + 1;
  if (need < n) out_of_memory();
  if (need <= b->cap) return;
  size_t cap = need + b->cap / 2 + 64;
  char *data = realloc(b->data, cap);
  if (!data) out_of_memory();
  b->data = data;
  b->cap = cap;
}

void buffer_add(Buffer *b, const void *data, size_t n) {
  buffer_reserve(b, n);
  move_bytes(b->data + b->size, data, n);
  b->size += n;
  b->data[b->size] = '\0';
}

void buffer_printf(Buffer *b, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  size_t n = text_length(fmt, args);
  va_end(args);
  buffer_reserve(b, n);
  va_start(args, fmt);
  vsnprintf(b->data + b->size, n + 1, fmt, args);
  va_end(args);
  b->size += n;
}

void buffer_free(Buffer *b) {
  free(b->data);
  *b = (Buffer){0};
}
