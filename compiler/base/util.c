/* util.c: the arena, messages that end a compilation, time, growing buffers. */
#include "resnetcc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the arena: chunks of small pieces, and a block of its own for every large one ---- */

enum { ALIGN = 64, CHUNK = 1 << 18, LARGE = CHUNK / 4 };

typedef struct Block {
  struct Block *next;
} Block;

struct Arena {
  Block *blocks;
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

/* ---- text in the arena ---- */

char *copy_bytes_as_text(Context *cx, const void *s, size_t n) {
  char *p = alloc_n(cx, n + 1, 1);
  if (n) memcpy(p, s, n);
  return p;
}

char *copy_text(Context *cx, const char *s) {
  return copy_bytes_as_text(cx, s, strlen(s));
}

static PRINTF(1, 0) size_t formatted_length(const char *fmt, va_list args) {
  assert(fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  if (n < 0) out_of_memory(); /* the formats are ours, and long numbers take some */
  return (size_t)n;
}

char *format_text(Context *cx, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  size_t n = formatted_length(fmt, args);
  va_end(args);
  char *p = alloc(cx, n + 1);
  va_start(args, fmt);
  vsnprintf(p, n + 1, fmt, args);
  va_end(args);
  return p;
}

/* ---- messages ---- */

enum { MESSAGE_MAX = 380 /* of 400 with "resnetcc: error: " and the line's end */, NAME_MAX_SHOWN = 120, FILE_MAX_SHOWN = 160 };

/* Length of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7); 0: none, or a control character,
 * which a terminal would obey. */
static int printable_length(const unsigned char *s) {
  if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7f;
  int n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
  for (int i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if (s[0] == 0xc2 && s[1] < 0xa0) return 0;
  if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
  if (s[0] == 0xed && s[1] > 0x9f) return 0;
  if (s[0] == 0xf0 && s[1] < 0x90) return 0;
  if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
  return n;
}

/* Adds s to the message in cx->error, escaped, at most `max` bytes of it. */
static void message_add(Context *cx, const char *s, size_t max) {
  char *out = cx->error + strlen(cx->error);
  size_t room = MESSAGE_MAX - (size_t)(out - cx->error);
  if (max < room) room = max;
  const unsigned char *p = (const unsigned char *)s;
  while (*p) {
    int n = printable_length(p);
    size_t need = n ? (size_t)n : 4;
    if (need + 3 > room) { /* 3: the dots */
      strcpy(out, "...");
      return;
    }
    if (n) memcpy(out, p, need);
    else snprintf(out, 5, "\\x%02x", *p);
    out += need;
    room -= need;
    p += n ? n : 1;
  }
  *out = '\0';
}

static void message_begin(Context *cx) {
  cx->error[0] = '\0';
  if (!cx->file) return;
  message_add(cx, cx->file, FILE_MAX_SHOWN);
  message_add(cx, ": ", MESSAGE_MAX);
}

static _Noreturn void message_end(Context *cx, const char *fmt, va_list args) {
  char reason[2 * MESSAGE_MAX];
  vsnprintf(reason, sizeof reason, fmt, args);
  message_add(cx, reason, MESSAGE_MAX);
  longjmp(cx->unwind, 1);
}

_Noreturn void fail(Context *cx, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  message_begin(cx);
  message_end(cx, fmt, args);
}

_Noreturn void fail_at(Graph *g, const Node *n, const char *fmt, ...) {
  Context *cx = g->cx;
  va_list args;
  va_start(args, fmt);
  message_begin(cx);
  message_add(cx, "node \"", MESSAGE_MAX);
  message_add(cx, n->name, NAME_MAX_SHOWN);
  message_add(cx, "\" (", MESSAGE_MAX);
  message_add(cx, op_info[n->op].name, MESSAGE_MAX);
  message_add(cx, "): ", MESSAGE_MAX);
  message_end(cx, fmt, args);
}

/* ---- time ---- */

double wall_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- buffers ---- */

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
  if (n) memcpy(b->data + b->size, data, n);
  b->size += n;
  b->data[b->size] = '\0';
}

void buffer_printf(Buffer *b, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  size_t n = formatted_length(fmt, args);
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
