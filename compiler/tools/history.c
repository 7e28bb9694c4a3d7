/* history.c: what became of each node of a model, and in which pass. */
#include "tools.h"

#include <string.h>

struct History {
  Context *cx;
  Graph *model;        /* as imported, a copy that no pass changes but the first */
  const Pass **gone;   /* by number of its nodes: after which pass there was no node of that name; NULL: it is still there */
};

History *history_new(const Graph *g) {
  History *h = alloc(g->cx, sizeof *h);
  *h = (History){.cx = g->cx, .model = graph_copy(g->cx, g)};
  pass_shape(h->model);
  h->gone = alloc_n(g->cx, (size_t)h->model->n_node + 1, sizeof *h->gone);
  return h;
}

void history_pass(History *h, const Graph *g, const Pass *p) {
  Map there = {0};
  for (int i = 0; i < g->n_node; i++) {
    if (!g->node[i]->dead) map_put(h->cx, &there, g->node[i]->name, g->node[i]);
  }
  for (int i = 0; i < h->model->n_node; i++) {
    if (!h->gone[i] && !map_get(&there, h->model->node[i]->name)) h->gone[i] = p;
  }
}

/* ==== which layer computes what a node of the model did ==== */

/* By the names of layers and of what they make. */
static Map layers_by_name(const Report *r) {
  Map at = {0};
  for (int i = r->n_layer - 1; i >= 0; i--) {
    ReportLayer *l = &r->layer[i];
    for (int k = 0; k < l->n_output; k++) map_put(r->cx, &at, l->output[k], l);
  }
  for (int i = r->n_layer - 1; i >= 0; i--) map_put(r->cx, &at, r->layer[i].node, &r->layer[i]);
  return at;
}

static ReportLayer *layer_of(const Map *by_name, const Map *by_value, const Node *n) {
  ReportLayer *l = map_get(by_name, n->name);
  for (int i = 0; i < n->n_out && !l; i++) l = n->out[i] ? map_get(by_name, n->out[i]->name) : NULL;
  for (int i = 0; i < n->n_in && !l; i++) l = n->in[i] ? map_get(by_value, n->in[i]->name) : NULL;
  return l;
}

static const char *fate_of(Context *cx, const Report *r, const ReportLayer *l, const Pass *gone, bool constant) {
  if (constant) return "known when compiled";
  if (!l) return gone ? format_text(cx, "left out: %s", gone->what) : "not run";
  const char *part = format_text(cx, "layer %d", (int)(l - r->layer));
  return gone ? format_text(cx, "part of %s: %s", part, gone->what) : part;
}

void report_history(Report *r, const History *h) {
  Context *cx = r->cx;
  Graph *g = h->model;
  Map by_name = layers_by_name(r), by_value = {0};
  r->imported = alloc_n(cx, (size_t)g->n_node + 1, sizeof *r->imported);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    bool constant = true;
    for (int k = 0; k < n->n_out; k++) constant &= !n->out[k] || follows_from_constants(g, n->out[k]);
    const ReportLayer *l = constant ? NULL : layer_of(&by_name, &by_value, n);
    ReportImported *o = &r->imported[r->n_imported++];
    *o = (ReportImported){.node = n->name, .op = op_info[n->op].name, .layer = l ? (int)(l - r->layer) : -1,
                          .pass = h->gone[i] ? h->gone[i]->name : NULL, .what = "",
                          .fate = fate_of(cx, r, l, h->gone[i], constant)};
    o->input = value_names(cx, n->in, n->n_in, &o->n_input);
    o->output = value_names(cx, n->out, n->n_out, &o->n_output);
    for (int k = n->n_out - 1; k >= 0; k--) {
      if (n->out[k]) o->what = shape_text(cx, &n->out[k]->shape);
      if (n->out[k] && l) map_put(cx, &by_value, n->out[k]->name, (void *)(uintptr_t)l);
    }
  }
}
