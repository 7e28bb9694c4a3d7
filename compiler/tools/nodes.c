/* nodes.c: --per-node: which layer of a compiled model is the first whose result is not what the evaluator says. */
#include "tools.h"

#include <string.h>

/* A result of a layer, which is an output as well. */
typedef struct Shown {
  const Node *node;
  const Value *value;
} Shown;

typedef struct Layers {
  Graph *g;
  Shown *shown;
  int n;
} Layers;

static bool has_elements(const Value *v) { return v && type_size(v->type) > 0 && shape_count(&v->shape) > 0; }

/* One image's graph after the passes that know no target. */
static Layers layers_of(Context *cx, const ToolOptions *opt, bool symbolic) {
  Options *one = alloc(cx, sizeof *one);
  *one = opt->compile;
  one->emit = EMIT_OBJ;
  one->weights = WEIGHTS_EMBED;
  if (symbolic) one->batch = 1;
  Layers l = {.g = import_model(cx, one)};
  front_run(l.g, NULL, NULL);
  l.g->name = "layers";
  l.shown = alloc_n(cx, (size_t)l.g->n_value + 1, sizeof *l.shown);
  Value **value = alloc_n(cx, (size_t)l.g->n_value + 1, sizeof *value);
  for (int i = 0; i < l.g->n_node; i++) {
    const Node *n = l.g->node[i];
    for (int k = 0; k < n->n_out; k++) {
      if (!has_elements(n->out[k])) continue;
      value[l.n] = n->out[k];
      l.shown[l.n++] = (Shown){n, n->out[k]};
    }
  }
  outputs_add(l.g, value, l.n);
  return l;
}

static const void **expected_of(Graph *g, const void *const *in) {
  void **out = alloc_n(g->cx, (size_t)g->n_output + 1, sizeof *out);
  for (int i = 0; i < g->n_output; i++) out[i] = alloc(g->cx, value_bytes(g->output[i]) + 1);
  if (!reference_run(g->cx, g, in, out)) fail_as(g->cx, g->cx);
  return (const void **)out;
}

/* Runs the layers' object once. */
static const Tensor *run_layers(Build *b, const void *const *in) {
  Context *cx = b->graph->cx;
  Object object;
  object_emit(b, &object);
  Jit *jit = jit_open(cx, b->graph->name, &object);
  Callable model = callable_of(jit_model(jit), NULL);
  Instance *r = instance_open(cx, &model, 1, 1);
  int error = instance_run(r, in);
  const Tensor *out = instance_outputs(r);
  instance_close(r);
  jit_close(jit);
  if (error) fail(cx, "--per-node: %s", rcc_strerror(error));
  return out;
}

void report_nodes(Report *r, const ToolOptions *opt, const Graph *model, const DataSet *s) {
  Context *cx = r->cx;
  Layers l = layers_of(cx, opt, model->symbolic);
  const void **in = alloc_n(cx, (size_t)s->n_in + 1, sizeof *in);
  for (int i = 0; i < s->n_in; i++) in[i] = s->in[i].data; /* of a batch the first image */
  const void **want = expected_of(l.g, in);
  Build *b = build_new(l.g, l.g->opt, target_new(cx, l.g->opt));
  build_run(b, NULL, NULL);
  const Tensor *got = run_layers(b, in);
  r->node = alloc_n(cx, (size_t)l.n + 1, sizeof *r->node);
  for (int i = 0; i < l.n; i++) {
    int k = l.shown[i].value->output;
    Tensor expected = got[k];
    expected.data = want[k];
    ReportNode *n = &r->node[r->n_node++];
    *n = (ReportNode){.node = l.shown[i].node->name, .op = op_info[l.shown[i].node->op].name,
                      .algorithm = algorithm_of(l.shown[i].node),
                      .output = compare_output(&got[k], &expected, r->rtol)};
    n->output.name = l.shown[i].value->name;
  }
}
