/* entry_fixture.h: a model with two inputs and two outputs, ready to run, for the tests of the object's interface. */
#ifndef ENTRY_FIXTURE_H
#define ENTRY_FIXTURE_H

#include "fixture.h"
#include "loaded.h"

static Context *cx;
static Options options;

static inline int setup(void **state) {
  (void)state;
  cx = context_new();
  options = (Options){.name = "net", .input = "net.onnx", .max_memory = 1 << 30};
  return 0;
}

static inline int teardown(void **state) {
  (void)state;
  context_free(cx);
  return 0;
}

/* Two inputs and two outputs of several types; convolutions, so that there is a workspace; the batch in any
 * place of `batch`. */
static inline const char *two_of_each(const char *batch) {
  return format_text(cx, "graph net\ninput image f32 [%s,3,6,5]\ninput index i64 [%s,4]\n"
                         "const w f32 [20,3,3,3] = random 1 -0.5 0.5\n"
                         "const v f32 [20,20,1,1] = random 2 -0.5 0.5\n"
                         "const three i64 [] = {3}\n"
                         "a = Conv(image, w) pads=[1,1,1,1]\nb = Relu(a)\nc = Conv(b, v)\nd = Add(c, b)\n"
                         "k = Add(index, three)\noutput d\noutput k\n", batch, batch);
}

enum { IMAGE = 3 * 6 * 5, INDEX = 4, D = 20 * 6 * 5, MOST = 5 };

typedef struct Ready {
  Loaded loaded;
  const rcc_model *m;
  char *work;            /* for four threads */
  size_t size;
} Ready;

static inline Ready load_model(const char *text) {
  Graph *g = text_parse(cx, &options, text);
  g->name = "net";
  Ready l = {.loaded = load_graph(g, NULL)};
  l.m = l.loaded.model;
  l.size = l.m->workspace_size(1, 4);
  l.work = rcc_workspace_alloc(l.size ? l.size : 64);
  return l;
}

static inline void unload_model(Ready *l) {
  rcc_workspace_free(l->work, l->size ? l->size : 64);
  unload(&l->loaded);
}

#endif
