/* reference.c: a graph evaluated on inputs, some of them random: what a compiled model is held against. */
#include "tools.h"

#include <string.h>

void reference_prepare(Graph *g) {
  pass_shape(g);
  pass_fold(g);
  pass_batch(g);
  verify(g, "batch");
}

/* In an arena of its own, for all values of the graph live at once; only the outputs are kept. */
bool reference_run(Context *cx, Graph *g, const void *const *in, void *const *out) {
  Context scratch = *cx;
  scratch.arena = arena_new(cx->max_memory);
  if (setjmp(scratch.unwind)) {
    arena_free(scratch.arena);
    g->cx = cx;
    memcpy(cx->error, scratch.error, sizeof cx->error);
    return false;
  }
  g->cx = &scratch;
  void **results = alloc_n(&scratch, (size_t)g->n_output, sizeof *results);
  eval_graph(g, in, results);
  g->cx = cx;
  for (int i = 0; i < g->n_output; i++) move_bytes(out[i], results[i], value_bytes(g->output[i]));
  arena_free(scratch.arena);
  return true;
}

static size_t image_at(const Value *v, const Shape *declared, int64_t image) {
  return shape_is_symbolic(declared) ? (size_t)image * value_bytes(v) : 0;
}

bool reference_run_batch(Context *cx, Graph *g, int64_t batch, const void *const *in, void *const *out) {
  const void **image_in = alloc_n(cx, (size_t)g->n_input + 1, sizeof *image_in);
  void **image_out = alloc_n(cx, (size_t)g->n_output + 1, sizeof *image_out);
  for (int64_t b = 0; b < batch; b++) {
    for (int i = 0; i < g->n_input; i++) image_in[i] = (const char *)in[i] + image_at(g->input[i], &g->input_shape[i], b);
    for (int i = 0; i < g->n_output; i++) image_out[i] = (char *)out[i] + image_at(g->output[i], &g->output_shape[i], b);
    if (!reference_run(cx, g, image_in, image_out)) return false;
  }
  return true;
}

/* ==== random inputs ==== */

/* Up to what an integer may count, by value id; -1: anything. Where an operand says which element or how many, the numbers that
 * it is made of are kept small. */
static int64_t *integer_limits(const Graph *g) {
  int64_t *limit = alloc_n(g->cx, (size_t)g->n_value, sizeof *limit);
  for (int i = 0; i < g->n_value; i++) limit[i] = -1;
  for (int i = g->n_node - 1; i >= 0; i--) {
    const Node *n = g->node[i];
    const Value *y = n->out[0] ? n->out[0] : n->out[n->n_out - 1];
    for (int k = 0; k < n->n_in; k++) {
      if (!n->in[k] || type_is_float(n->in[k]->type)) continue;
      int64_t *own = &limit[n->in[k]->id], most = y && !type_is_float(y->type) ? limit[y->id] : -1;
      if (n->op == OP_Gather && k == 1) most = n->in[0]->shape.d[n->p.axis] - 1;
      else if (is_argument(n, k)) most = 1;
      if (most >= 0 && (*own < 0 || most < *own)) *own = most;
    }
  }
  return limit;
}

/* Floats in [-1, 1); integers of all their type's numbers, or about a million to both sides, or in [0, limit]. */
static void *random_input(Context *cx, const Value *v, int64_t limit, uint64_t *state) {
  int64_t n = shape_count(&v->shape);
  void *data = alloc(cx, value_bytes(v));
  for (int64_t i = 0; i < n; i++) {
    uint64_t r = random_bits(state);
    Number x = {.i = (int64_t)r >> (type_size(v->type) < 4 ? 32 : 43)};
    if (type_is_float(v->type)) x.f = (double)(int64_t)r / 9223372036854775808.0;
    else if (v->type == T_BOOL) x.i = r & 1;
    else if (limit >= 0) x.u = limit < 127 ? r % (uint64_t)(limit + 1) : r % 128;
    put_number(v->type, data, i, x);
  }
  return data;
}

const void **reference_inputs(Graph *g, uint64_t seed) {
  const int64_t *limit = integer_limits(g);
  const void **in = alloc_n(g->cx, (size_t)g->n_input + 1, sizeof *in);
  for (int i = 0; i < g->n_input; i++) in[i] = random_input(g->cx, g->input[i], limit[g->input[i]->id], &seed);
  return in;
}
