/* text_fuzz.c: bytes as a graph's text; what can be parsed and printed whole can be parsed again, to the same print. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char *print(Context *cx, Graph *g) {
  Buffer text = {0};
  text_print(g, &text);
  const char *copy = copy_bytes_as_text(cx, text.data, text.size);
  buffer_free(&text);
  return copy;
}

static void parse(Context *cx, const uint8_t *data, size_t size) {
  Options opt = {.input = "fuzz", .max_memory = cx->max_memory};
  const char *first = print(cx, text_parse(cx, &opt, copy_bytes_as_text(cx, data, size)));
  if (fuzz_print) fputs(first, stdout);
  if (strstr(first, "...")) return; /* a large constant */
  if (setjmp(cx->unwind)) {
    fprintf(stderr, "what was printed cannot be parsed: %s\n%s", cx->error, first);
    abort();
  }
  const char *second = print(cx, text_parse(cx, &opt, first));
  if (strcmp(first, second) == 0) return;
  fprintf(stderr, "printed first:\n%sthen:\n%s", first, second);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_run(parse, data, size);
  return 0;
}
