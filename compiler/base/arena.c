/* arena.c: the memory of a compilation, and texts in it. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

/* Chunks of small pieces, and a block of its own for every large one. */

enum { ALIGN = 64, CHUNK = 1 << 18, LARGE = CHUNK / 4 };

typedef struct Block {
  struct Block *next;
} Block;

typedef struct Ending {
  void (*end)(void *);
  void *of;
  struct Ending *before;
} Ending;

struct Arena {
  Block *blocks;
  Ending *endings;  /* the last first */
  char *free, *end; /* the rest of the current chunk */
  int64_t used, limit;
};

Arena *arena_new(int64_t limit) {
  Arena *a = calloc(1, sizeof *a);
  if (!a) out_of_memory();
  a->limit = limit;
  return a;
}

void arena_free(Arena *a) {
  if (!a) return;
  for (const Ending *e = a->endings; e; e = e->before) e->end(e->of);
  for (Block *b = a->blocks, *next; b; b = next) {
    next = b->next;
    free(b);
  }
  free(a);
}

int64_t arena_used(const Arena *a) {
  return a->used;
}

int64_t arena_left(const Arena *a) {
  return a->limit - a->used;
}

/* calloc, because it takes large blocks from the kernel zeroed and untouched. NULL: none left. */
static char *block_new(Arena *a, size_t size) {
  Block *b = calloc(1, sizeof(Block) + ALIGN + size);
  if (!b) return NULL;
  b->next = a->blocks;
  a->blocks = b;
  uintptr_t p = (uintptr_t)(b + 1);
  return (char *)((p + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
}

static char *arena_take(Arena *a, size_t size) {
  if (size >= LARGE) return block_new(a, size);
  if ((size_t)(a->end - a->free) < size) {
    char *chunk = block_new(a, CHUNK);
    if (!chunk) return NULL;
    a->free = chunk;
    a->end = chunk + CHUNK;
  }
  char *p = a->free;
  a->free += size;
  return p;
}

static _Noreturn void fail_memory(Context *cx) {
  double limit = (double)cx->arena->limit;
  if (limit >= 1 << 30) fail(cx, "needs more than the memory limit of %.6g GiB", limit / (1 << 30));
  fail(cx, "needs more than the memory limit of %.6g MiB", limit / (1 << 20));
}

void *alloc(Context *cx, size_t size) {
  Arena *a = cx->arena;
  if (size == 0) size = 1;
  if (size > PTRDIFF_MAX - ALIGN) fail_memory(cx);
  size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
  if ((int64_t)size > a->limit - a->used) fail_memory(cx);
  char *p = arena_take(a, size);
  if (!p) fail(cx, "out of memory");
  a->used += (int64_t)size;
  return p;
}

void *alloc_n(Context *cx, size_t n, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes)) fail_memory(cx);
  return alloc(cx, bytes);
}

char *printable_text(Context *cx, const char *s) {
  char *copy = alloc_n(cx, strlen(s) + 1, 4), *out = copy;
  for (int n; *s; s += n ? n : 1) {
    n = printable_length(s);
    if (n) move_bytes(out, s, (size_t)n);
    else snprintf(out, 5, "\\x%02x", (unsigned char)*s);
    out += n ? n : 4;
  }
  return copy;
}

void *alloc_extended(Context *cx, const void *array, int n, size_t size) {
  void *p = alloc_n(cx, (size_t)n + 1, size);
  move_bytes(p, array, (size_t)n * size);
  return p;
}

void *alloc_grown(Context *cx, void *array, int n, size_t size) {
  bool is_full = (n & (n - 1)) == 0; /* a power of two, or nothing */
  if (!is_full) return array;
  void *p = alloc_n(cx, 2 * (size_t)n + 1, size);
  move_bytes(p, array, (size_t)n * size);
  return p;
}

/* ---- text in the arena ---- */

char *copy_bytes_as_text(Context *cx, const void *s, size_t n) {
  char *p = alloc_n(cx, n + 1, 1);
  move_bytes(p, s, n);
  return p;
}

void arena_at_end(Context *cx, void (*end)(void *), void *of) {
  Ending *e = alloc(cx, sizeof *e);
  *e = (Ending){.end = end, .of = of, .before = cx->arena->endings};
  cx->arena->endings = e;
}

char *copy_text(Context *cx, const char *s) {
  return copy_bytes_as_text(cx, s, strlen(s));
}

size_t text_length(const char *fmt, va_list args) {
  assert(fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  if (n < 0) out_of_memory(); /* the formats are ours, and long numbers take some */
  return (size_t)n;
}

char *format_text(Context *cx, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  size_t n = text_length(fmt, args);
  va_end(args);
  char *p = alloc(cx, n + 1);
  va_start(args, fmt);
  vsnprintf(p, n + 1, fmt, args);
  va_end(args);
  return p;
}
