/* pass.c: passes on a graph from text, which must leave its results as they are; see fixture.h. */
#include "fixture.h"

#include <math.h>

const Options lax_options = {.name = "test"}, strict_options = {.name = "test", .strict = true};

Graph *shaped(Context *cx, const char *text) {
  Graph *g = text_parse(cx, &lax_options, text);
  pass_shape(g);
  verify(g, "shape");
  return g;
}

const void **random_inputs(Graph *g) {
  static uint64_t state = 1;
  const void **in = alloc_n(g->cx, (size_t)g->n_input, sizeof *in);
  for (int i = 0; i < g->n_input; i++) {
    int64_t n = shape_count(&g->input[i]->shape);
    assert_int_equal(g->input[i]->type, T_F32);
    float *x = alloc_n(g->cx, (size_t)n, sizeof *x);
    for (int64_t k = 0; k < n; k++) x[k] = (float)(2 * random_unit(&state) - 1);
    in[i] = x;
  }
  return in;
}

void **evaluated(Graph *g, const void *const *in) {
  void **out = alloc_n(g->cx, (size_t)g->n_output, sizeof *out);
  eval_graph(g, in, out);
  return out;
}

static void assert_close(const Value *v, const float *got, const float *want) {
  int64_t n = shape_count(&v->shape);
  float largest = 0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(want[i])) largest = fmaxf(largest, fabsf(want[i]));
  for (int64_t i = 0; i < n; i++)
    if (got[i] != want[i] && !(fabsf(got[i] - want[i]) <= 1e-5f * fmaxf(largest, 1)))
      fail_msg("%s[%lld] is %.9g, not %.9g", v->name, (long long)i, (double)got[i], (double)want[i]);
}

Graph *run_pass(Context *cx, const Options *opt, const char *text, void (*pass)(Graph *g)) {
  Graph *g = text_parse(cx, opt, text);
  pass_shape(g);
  verify(g, "shape");
  const void **in = random_inputs(g);
  Value **output = alloc_n(cx, (size_t)g->n_output, sizeof *output);
  for (int i = 0; i < g->n_output; i++) {
    output[i] = alloc(cx, sizeof **output);
    *output[i] = *g->output[i];
  }
  void **want = evaluated(g, in);
  pass(g);
  verify(g, "the pass");
  void **got = evaluated(g, in);
  for (int i = 0; i < g->n_output; i++) {
    assert_string_equal(g->output[i]->name, output[i]->name);
    assert_true(shape_equal(&g->output[i]->shape, &output[i]->shape));
    assert_close(g->output[i], got[i], want[i]);
  }
  return g;
}

int count_op(const Graph *g, Op op) {
  int n = 0;
  for (int i = 0; i < g->n_node; i++) n += g->node[i]->op == op;
  return n;
}

const char *ops_text(Graph *g) {
  const char *s = "";
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    s = format_text(g->cx, "%s%s%s", s, i ? " " : "", op_info[n->op].name);
    for (int k = 0; k < n->n_step; k++) s = format_text(g->cx, "%s|%s", s, op_info[n->step[k].op].name);
  }
  return s;
}

void expect_ops(const Options *opt, void (*pass)(Graph *g), const char *text, const char *ops) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  assert_string_equal(ops_text(run_pass(cx, opt, text, pass)), ops);
  context_free(cx);
}
