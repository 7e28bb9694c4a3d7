/* elf_fuzz.c: bytes as an object, a library or a program: every note that is found lies inside, and its text is walked through. */
#include "fuzz.h"

#include <stdlib.h>

typedef struct Whole {
  const uint8_t *data;
  size_t size;
} Whole;

static void walk(const char *s, size_t n) {
  JsonText t = json_inside(s, n), name, value;
  while (json_next(&t, *s == '{' ? &name : NULL, &value)) {
    if (value.at >= value.end || value.end > s + n) abort();
    if (*value.at == '{' || *value.at == '[') walk(value.at, (size_t)(value.end - value.at));
  }
}

static void look(void *data, const char *json, size_t n) {
  const Whole *w = data;
  const uint8_t *at = (const uint8_t *)json;
  if (at < w->data || at > w->data + w->size || n > (size_t)(w->data + w->size - at)) abort();
  bool valid = json_is_object(json, n);
  if (fuzz_print) printf("%s: %.*s\n", valid ? "a note" : "a damaged note", (int)n, json);
  if (valid) walk(json, n);
}

static void read_notes(Context *cx, const uint8_t *data, size_t size) {
  (void)cx;
  int n = elf_notes(data, size, look, &(Whole){data, size});
  if (fuzz_print) printf("%d notes\n", n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_run(read_notes, data, size);
  return 0;
}
