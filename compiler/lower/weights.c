/* weights.c: weights outside of the object, which are the last input of the model. A run tells them from those of another model,
 * or of another version, by what they begin with. */
#include "lower.h"

#include "resnetcc_rt.h"
#include <string.h>

bool weights_are_input(const Build *b) { return b->options->weights != WEIGHTS_EMBED; }

int64_t weights_input_size(const Build *b) { return (int64_t)sizeof b->weights_head + b->weights_size; }

static void put(uint8_t *to, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(v >> (8 * i));
}

void weights_make_head(Build *b) {
  Sha256 s = sha256_begin();
  uint8_t *head = b->weights_head;
  memset(head, 0, sizeof b->weights_head);
  move_bytes(head, RCC_WEIGHTS_MAGIC, 4);
  put(head + WEIGHTS_VERSION, RCC_WEIGHTS_VERSION, 4);
  put(head + WEIGHTS_SIZE, (uint64_t)weights_input_size(b), 8);
  sha256_add(&s, b->weights, (size_t)b->weights_size);
  sha256_end(&s, head + WEIGHTS_ID);
}

void *weights_joined(const Build *b) {
  uint8_t *all = alloc(b->graph->cx, (size_t)weights_input_size(b));
  memcpy(all, b->weights_head, sizeof b->weights_head);
  move_bytes(all + sizeof b->weights_head, b->weights, (size_t)b->weights_size);
  return all;
}
