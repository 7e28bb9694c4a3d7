/* weights.c: whether a file of weights is whole, and belongs to an object. */
#include "tools.h"

#include "resnetcc_rt.h"
#include <string.h>

typedef struct Search {
  char id[2 * SHA256_BYTES + 3]; /* as in a note, with its quotes */
  int models;                    /* whose weights are an input, ... */
  bool found;                    /* ... and these are among them */
} Search;

static void look(void *data, const char *json, size_t n) {
  Search *s = data;
  if (!json_is_object(json, n)) return;
  JsonText id = note_member(&(JsonText){json, json + n}, "weights_sha256");
  if (!id.at) return;
  s->models++;
  size_t length = (size_t)(id.end - id.at);
  s->found |= length == strlen(s->id) && same_bytes(id.at, s->id, length);
}

static uint64_t number_at(const uint8_t *p, int bytes) {
  uint64_t n = 0;
  for (int i = bytes; i-- > 0;) n = n << 8 | p[i];
  return n;
}

/* Of the data, which are what the head says; as text. */
static void check_file(Context *cx, const uint8_t *data, size_t size, Search *s) {
  enum { HEAD = sizeof((Build *)0)->weights_head };
  uint8_t id[SHA256_BYTES];
  if (size < HEAD || !same_bytes(data, RCC_WEIGHTS_MAGIC, 4)) fail(cx, "is no file of weights");
  if (number_at(data + WEIGHTS_VERSION, 4) != RCC_WEIGHTS_VERSION)
    fail(cx, "has weights in a format that this resnetcc does not know");
  if (number_at(data + WEIGHTS_SIZE, 8) != size) {
    fail(cx, "has %zu bytes of weights, not %llu", size, (unsigned long long)number_at(data + WEIGHTS_SIZE, 8));
  }
  Sha256 sum = sha256_begin();
  sha256_add(&sum, data + HEAD, size - HEAD);
  sha256_end(&sum, id);
  if (!same_bytes(id, data + WEIGHTS_ID, SHA256_BYTES)) fail(cx, "its weights are damaged: the SHA-256 is another");
  char *p = s->id;
  p += sprintf(p, "\"");
  for (int i = 0; i < SHA256_BYTES; i++) p += sprintf(p, "%02x", id[i]);
  sprintf(p, "\"");
}

void weights_verify(Context *cx, const char *weights, const char *object) {
  Search s = {.models = 0};
  size_t size;
  cx->file = weights;
  void *data = file_map(cx, weights, &size);
  check_file(cx, data, size, &s);
  file_unmap(data, size);
  cx->file = object;
  data = file_map(cx, object, &size);
  elf_notes(data, size, look, &s);
  file_unmap(data, size);
  if (s.models == 0) fail(cx, "holds no model whose weights are an input");
  if (!s.found) fail(cx, "needs other weights than those of %s", weights);
}
