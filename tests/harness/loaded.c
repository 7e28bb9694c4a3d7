/* loaded.c: see loaded.h. */
#include "loaded.h"

#include "emulated.h"
#include <cmocka.h>

Build *build_of(Graph *g, const Target *t) {
  front_run(g, NULL, NULL);
  Build *b = build_new(g, g->opt, t ? t : target_new(g->cx, g->opt));
  build_run(b, NULL, NULL);
  return b;
}

Loaded load_graph(Graph *g, const Target *t) {
  Loaded l = {0};
  bool emulated = emulated_cpu() != NULL;
  object_emit(build_of(g, emulated ? emulated_target(g->cx, g->opt) : t), &l.object);
  if (emulated) {
    l.model = emulated_model(g, &l.object);
    return l;
  }
  l.jit = jit_open(g->cx, g->name, &l.object);
  l.model = jit_model(l.jit);
  return l;
}

void unload(Loaded *l) {
  if (l->jit) jit_close(l->jit);
}

void run_graph_once(Graph *g, const void *const *in, void *const *out) {
  Loaded l = load_graph(g, NULL);
  size_t size = l.model->workspace_size(1, 1);
  void *work = rcc_workspace_alloc(size);
  assert_int_equal(l.model->run(in, out, 1, work, size, NULL), RCC_OK);
  rcc_workspace_free(work, size);
  unload(&l);
}

void run_backwards(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker), void *arg,
                   int32_t count) {
  for (int32_t i = count - 1; i >= 0; i--) task(arg, i, i % self->threads);
}

void free_intact(Guarded *m) {
  assert_true(guarded_intact(m));
  guarded_free(m);
}
