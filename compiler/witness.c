/* witness.c: --each-pass. Evaluates the graph on the same random inputs before and after each pass; the
 * first pass whose graph answers differently is wrong. */
#include "resnetcc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct Witness {
  const void **inputs;
  void **outputs;        /* of the first evaluation; NULL: none yet */
  const char *before;    /* the pass after which it was made */
};

/* Of the largest expected output. Passes change the order of roundings; what they do wrong is far more. */
static const double tolerance = 1e-3;

static int64_t value_bytes(const Value *v) { return shape_count(&v->shape) * (int64_t)type_size(v->type); }

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* Floats in [-1, 1); integers 0 or 1, which are in range whatever they mean. */
static void *random_input(Context *cx, const Value *v, uint64_t *state) {
  int64_t n = shape_count(&v->shape);
  char *data = alloc(cx, (size_t)value_bytes(v));
  for (int64_t i = 0; i < n; i++) {
    uint64_t r = next_random(state);
    double x = (double)(int64_t)r / 9223372036854775808.0;
    if (v->type == T_F32) ((float *)data)[i] = (float)x;
    else if (v->type == T_F64) ((double *)data)[i] = x;
    else if (!type_is_float(v->type)) data[i * (int64_t)type_size(v->type)] = (char)(r & 1);
  }
  return data;
}

static bool has_symbols(const Graph *g) {
  for (int i = 0; i < g->n_input; i++) {
    if (shape_is_symbolic(&g->input[i]->shape)) return true;
  }
  return false;
}

/* Evaluates in an arena of its own, for all values of the graph live at once; only the outputs are kept. */
static void **evaluate(Context *cx, Graph *g, const void **inputs) {
  void **out = alloc_n(cx, (size_t)g->n_output, sizeof *out);
  for (int i = 0; i < g->n_output; i++) out[i] = alloc(cx, (size_t)value_bytes(g->output[i]));
  Context scratch = *cx;
  scratch.arena = arena_new(cx->max_memory);
  if (setjmp(scratch.unwind)) {
    arena_free(scratch.arena);
    g->cx = cx;
    memcpy(cx->error, scratch.error, sizeof cx->error);
    longjmp(cx->unwind, 1);
  }
  g->cx = &scratch;
  void **results = alloc_n(&scratch, (size_t)g->n_output, sizeof *results);
  eval_graph(g, inputs, results);
  g->cx = cx;
  for (int i = 0; i < g->n_output; i++) memcpy(out[i], results[i], (size_t)value_bytes(g->output[i]));
  arena_free(scratch.arena);
  return out;
}

static bool same_floats(const float *a, const float *b, int64_t n) {
  double largest = 0;
  for (int64_t i = 0; i < n; i++) {
    if (isfinite(a[i]) && fabs(a[i]) > largest) largest = fabs(a[i]);
  }
  for (int64_t i = 0; i < n; i++) {
    bool equal = a[i] == b[i] || (isnan(a[i]) && isnan(b[i]));
    if (!equal && !(fabs((double)a[i] - b[i]) <= tolerance * largest)) return false;
  }
  return true;
}

static bool same_value(const Value *v, const void *a, const void *b) {
  if (v->type == T_F32) return same_floats(a, b, shape_count(&v->shape));
  return memcmp(a, b, (size_t)value_bytes(v)) == 0;
}

Witness *witness_new(Graph *g) {
  return alloc(g->cx, sizeof(Witness));
}

static void first_look(Witness *w, Graph *g, const Pass *p) {
  uint64_t state = 1;
  w->inputs = alloc_n(g->cx, (size_t)g->n_input, sizeof *w->inputs);
  for (int i = 0; i < g->n_input; i++) w->inputs[i] = random_input(g->cx, g->input[i], &state);
  w->outputs = evaluate(g->cx, g, w->inputs);
  w->before = p->name;
}

void witness_check(Witness *w, Graph *g, const Pass *p) {
  if (!p->keeps_meaning || has_symbols(g)) return;
  if (!w->outputs) {
    first_look(w, g, p);
    return;
  }
  void **now = evaluate(g->cx, g, w->inputs);
  for (int i = 0; i < g->n_output; i++) {
    if (!same_value(g->output[i], w->outputs[i], now[i])) {
      fail(g->cx, "internal error: the pass %s changed the output \"%s\"", p->name, g->output[i]->name);
    }
  }
  fprintf(stderr, "%s: outputs as after %s\n", p->name, w->before);
}
