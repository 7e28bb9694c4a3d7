/* import_fuzz.c: bytes as a model file; what is imported has to print. */
#include "fuzz.h"

static void import(Context *cx, const uint8_t *data, size_t size) {
  Options opt = {.input = "fuzz", .max_memory = cx->max_memory};
  Graph *g = import_bytes(cx, &opt, data, size, NULL);
  Buffer text = {0};
  text_print(g, &text);
  if (fuzz_print) fwrite(text.data, 1, text.size, stdout);
  buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_run(import, data, size);
  return 0;
}
