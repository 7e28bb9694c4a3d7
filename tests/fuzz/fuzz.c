/* fuzz.c: see fuzz.h. */
#include "fuzz.h"

bool fuzz_print;

void fuzz_run(void (*run)(Context *cx, const uint8_t *data, size_t size), const uint8_t *data, size_t size) {
  Context cx = {.file = "fuzz", .max_memory = INT64_C(256) << 20};
  cx.arena = arena_new(cx.max_memory);
  if (setjmp(cx.unwind) == 0) run(&cx, data, size);
  else if (fuzz_print) printf("%s\n", cx.error);
  arena_free(cx.arena);
}
