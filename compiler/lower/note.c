/* note.c: the text of an object's note. It rests on the model, the target and the options alone, so that objects stay
 * reproducible. */
#include "lower.h"

#include <inttypes.h>
#include <string.h>

static void add_text(Buffer *out, const char *s) { json_add_text(out, s, strlen(s)); }

/* A name of any length, cut to what there is room for. */
static void add_name(Buffer *out, const char *s) {
  enum { MOST = 200 };
  json_add_text(out, s, strnlen(s, MOST));
}

static void add_hash(Buffer *out, const char *name, const uint8_t *hash) {
  if (!hash) return;
  buffer_printf(out, ", \"%s\": \"", name);
  for (int i = 0; i < SHA256_BYTES; i++) buffer_printf(out, "%02x", hash[i]);
  buffer_printf(out, "\"");
}

/* Those of "+a,-b,...", which has every feature, that the code may use. */
static void add_features(Buffer *out, const char *list) {
  const char *between = "";
  buffer_printf(out, ", \"features\": [");
  for (const char *p = list; *p; p += strspn(p, ",")) {
    size_t n = strcspn(p, ",");
    if (*p == '+') {
      buffer_printf(out, "%s\"%.*s\"", between, (int)n - 1, p + 1);
      between = ", ";
    }
    p += n;
  }
  buffer_printf(out, "]");
}

/* ==== options that change the code; --batch and --shape are in the inputs, -mattr in the features ==== */

static void add_option(Buffer *out, bool given, const char *text) {
  if (given) buffer_printf(out, "%s\"%s\"", out->data[out->size - 1] == '[' ? "" : ", ", text);
}

/* What --input and --output say, as often as they were given, as far as there is room; those that are too long by their names. */
static void add_words(Buffer *out, const Options *o) {
  enum { MOST_WORDS = 200, ROOM = 1000 };
  size_t begin = out->size;
  for (int i = 0; i < o->n_words && out->size - begin < ROOM; i++) {
    char text[MOST_WORDS];
    const WordsOption *w = &o->words[i];
    int n = snprintf(text, sizeof text, "%s=%s", w->option, w->text);
    if (out->data[out->size - 1] != '[') buffer_printf(out, ", ");
    add_text(out, n < MOST_WORDS ? text : w->option);
  }
}

static void add_options(Buffer *out, const Build *b) {
  const Options *o = b->options;
  buffer_printf(out, ", \"options\": [");
  add_option(out, o->small, "-Os");
  add_option(out, o->debug, "-g");
  add_option(out, o->strict, "--strict");
  add_option(out, o->flush_denormals, "--flush-denormals");
  add_option(out, o->winograd == WINOGRAD_OFF, "--winograd=off");
  add_option(out, o->winograd == WINOGRAD_2, "--winograd=2");
  add_option(out, o->winograd == WINOGRAD_4, "--winograd=4");
  add_option(out, o->strassen == STRASSEN_OFF, "--strassen=off");
  add_option(out, o->strassen == STRASSEN_ON, "--strassen=on");
  add_option(out, o->nchwc_block == NCHWC_8, "--nchwc-block=8");
  add_option(out, o->nchwc_block == NCHWC_16, "--nchwc-block=16");
  add_option(out, b->times != NULL, "--tune");
  add_words(out, o);
  buffer_printf(out, "]");
}

/* ==== the interface ==== */

static void add_tensor(Buffer *out, const Value *v, const Shape *shape) {
  buffer_printf(out, "{\"name\": ");
  add_name(out, v->name);
  buffer_printf(out, ", \"type\": \"%s\", \"shape\": [", type_name(v->type));
  for (int i = 0; i < shape->rank; i++) {
    if (shape->d[i] < 0) buffer_printf(out, "%s\"N\"", i ? ", " : "");
    else buffer_printf(out, "%s%" PRId64, i ? ", " : "", shape->d[i]);
  }
  buffer_printf(out, "]}");
}

static void add_tensors(Buffer *out, const char *what, Value *const *v, const Shape *shape, int n) {
  buffer_printf(out, ", \"%s\": [", what);
  for (int i = 0; i < n && out->size <= NOTE_MAX; i++) {
    if (i) buffer_printf(out, ", ");
    add_tensor(out, v[i], &shape[i]);
  }
  buffer_printf(out, "]");
}

/* Where the list makes the note too long, their number stands for them. */
static void add_interface(Buffer *out, const Graph *g) {
  enum { ROOM = NOTE_MAX - 1 };
  size_t before = out->size;
  add_tensors(out, "inputs", g->input, g->input_shape, g->n_input);
  add_tensors(out, "outputs", g->output, g->output_shape, g->n_output);
  if (out->size <= ROOM) return;
  out->size = before;
  buffer_printf(out, ", \"inputs\": %d, \"outputs\": %d", g->n_input, g->n_output);
}

void note_print(const Build *b, Buffer *out) {
  const Graph *g = b->graph;
  buffer_printf(out, "{\"name\": ");
  add_name(out, g->name);
  const Version llvm = llvm_version();
  buffer_printf(out, ", \"resnetcc\": \"%s\", \"llvm\": \"%u.%u.%u\"", RESNETCC_VERSION, llvm.major, llvm.minor, llvm.patch);
  add_hash(out, "sha256", g->sha256);
  add_hash(out, "external_sha256", g->external_sha256);
  buffer_printf(out, ", \"target\": ");
  add_name(out, b->target->triple);
  buffer_printf(out, ", \"cpu\": ");
  add_text(out, b->target->cpu);
  add_features(out, feature_string(b->graph->cx, needed_features(b)));
  add_options(out, b);
  buffer_printf(out, ", \"workspace\": %" PRId64 ", \"weights\": %" PRId64, workspace_bytes(b), b->weights_size);
  if (weights_are_input(b)) add_hash(out, "weights_sha256", b->weights_head + WEIGHTS_ID);
  add_interface(out, g);
  buffer_printf(out, "}");
  assert(out->size <= NOTE_MAX);
}
