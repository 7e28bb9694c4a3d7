/* import_fuzz.c: bytes as a model file; what is imported has to print, and what is inspected to be told. */
#include "fuzz.h"

#include <stdlib.h>

static void import(Context *cx, const uint8_t *data, size_t size) {
  Options opt = {.input = "fuzz", .max_memory = cx->max_memory};
  Graph *g = import_bytes(cx, &opt, data, size, NULL);
  Buffer text = {0};
  text_print(g, &text);
  if (fuzz_print) fwrite(text.data, 1, text.size, stdout);
  buffer_free(&text);
}

static void inspect_and_print(Context *cx, const uint8_t *data, size_t size) {
  Report r = {.cx = cx, .model = inspect_bytes(cx, data, size)};
  char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  r.model.file = "fuzz";
  print_model(&r, f);
  json_report(&r, f);
  fclose(f);
  if (fuzz_print) fwrite(text, 1, n, stdout);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_run(import, data, size);
  fuzz_run(inspect_and_print, data, size);
  return 0;
}
