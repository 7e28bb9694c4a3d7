/* verify.c: what must hold of the graph between passes; a broken rule is the fault of the pass before. */
#include "ops.h"

#include <string.h>

typedef struct Verifier {
  Graph *g;
  const char *after;
  bool *defined; /* by value id: may be read from here on */
} Verifier;

static _Noreturn PRINTF(3, 4) void broken(const Verifier *v, const Node *n, const char *fmt, ...) {
  char why[300];
  va_list args;
  va_start(args, fmt);
  vsnprintf(why, sizeof why, fmt, args);
  va_end(args);
  if (!n) internal_error("the pass %s leaves a broken graph: %s", v->after, why);
  internal_error("the pass %s leaves a broken graph: node \"%s\" (%s): %s", v->after, n->name, op_info[n->op].name, why);
}

/* ---- values ---- */

static void verify_listed(const Verifier *v, const Node *n, const Value *value) {
  const Graph *g = v->g;
  if (value->id < 0 || value->id >= g->n_value || g->value[value->id] != value)
    broken(v, n, "value \"%s\" is not in the graph's list", value->name);
}

static void verify_shape(const Verifier *v, const Node *n, const Value *value) {
  const Shape *s = &value->shape;
  if (value->type == T_NONE) broken(v, n, "value \"%s\" has no type", value->name);
  if (s->rank < 0 || s->rank > MAX_RANK) broken(v, n, "value \"%s\" has the rank %d", value->name, s->rank);
  bool batch_is_known = !v->g->symbolic || v->g->input_shape; /* the pass batch sets input_shape */
  if (batch_is_known && shape_is_symbolic(s))
    broken(v, n, "value \"%s\" has a symbolic shape, but the graph's batch is a number", value->name);
}

/* Graph inputs and constants are defined before the first node. */
static void verify_values(const Verifier *v) {
  const Graph *g = v->g;
  for (int i = 0; i < g->n_value; i++) {
    const Value *value = g->value[i];
    verify_listed(v, NULL, value);
    if (!value->name) broken(v, NULL, "value %d has no name", i);
    if (value->is_input && (value->def || value->data))
      broken(v, NULL, "input \"%s\" is computed or constant", value->name);
    v->defined[i] = value->is_input || (value->data && !value->def);
    if (v->defined[i]) verify_shape(v, NULL, value);
  }
}

static void verify_interface(const Verifier *v) {
  const Graph *g = v->g;
  for (int i = 0; i < g->n_input; i++) {
    verify_listed(v, NULL, g->input[i]);
    if (!g->input[i]->is_input) broken(v, NULL, "input \"%s\" is not marked as one", g->input[i]->name);
  }
  for (int i = 0; i < g->n_output; i++) {
    verify_listed(v, NULL, g->output[i]);
    if (!g->output[i]->is_output || g->output[i]->output != i) broken(v, NULL, "output \"%s\" is not marked as one", g->output[i]->name);
    if (!v->defined[g->output[i]->id]) broken(v, NULL, "output \"%s\" is never defined", g->output[i]->name);
  }
}

/* ---- nodes ---- */

static void verify_arity(const Verifier *v, const Node *n) {
  const OpInfo *info = &op_info[n->op];
  if (n->op == OP_NONE || n->op >= OP_COUNT) broken(v, NULL, "node \"%s\" has no operator", n->name);
  bool many = info->max_in < 0 || n->n_step > 0; /* steps' arguments come behind the operator's inputs */
  if (n->n_in < info->min_in || (!many && n->n_in > info->max_in)) broken(v, n, "has %d inputs", n->n_in);
  if (n->n_out < info->min_out || (info->max_out >= 0 && n->n_out > info->max_out))
    broken(v, n, "has %d results", n->n_out);
  for (int i = 0; i < info->min_in; i++)
    if (!n->in[i]) broken(v, n, "input %d is missing", i);
}

static void verify_reads(const Verifier *v, const Node *n) {
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    verify_listed(v, n, n->in[i]);
    if (!v->defined[n->in[i]->id]) broken(v, n, "reads \"%s\" before it is defined", n->in[i]->name);
  }
}

static void verify_results(const Verifier *v, const Node *n) {
  for (int i = 0; i < n->n_out; i++) {
    const Value *value = n->out[i];
    if (!value) continue;
    verify_listed(v, n, value);
    verify_shape(v, n, value);
    if (value->def != n) broken(v, n, "result \"%s\" does not know its node", value->name);
    if (v->defined[value->id]) broken(v, n, "defines \"%s\" a second time", value->name);
    v->defined[value->id] = true;
  }
}

static void verify_steps(const Verifier *v, const Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    if (s->op <= OP_NONE || s->op >= OP_COUNT || !op_is_step(s->op)) broken(v, n, "step %d is not elementwise", i);
    if (op_takes_argument(s->op) != (s->arg >= 0)) broken(v, n, "step %d has the wrong arguments", i);
    if (s->arg >= n->n_in || (s->arg >= 0 && !n->in[s->arg])) broken(v, n, "step %d reads input %d, which is none", i, s->arg);
    Type from = step_type(n, i - 1), arg = s->arg < 0 ? T_NONE : n->in[s->arg]->type;
    if (!step_takes(s, from, arg)) broken(v, n, "step %d does not take %s and %s", i, type_name(from), type_name(arg));
  }
  Type last = step_type(n, n->n_step - 1);
  if (n->n_step && n->out[0] && n->out[0]->type != last) broken(v, n, "has steps that end in %s", type_name(last));
}

/* ---- the batch ---- */

/* What follows from an image is an image's; what the interface shows without the batch is not. */
static void verify_batch(const Verifier *v, const Node *n) {
  bool batched = node_is_batched(n);
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->batched && !batched && n->op != OP_Images) broken(v, n, "forgets that \"%s\" has the batch", n->in[i]->name);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i] && n->out[i]->batched != batched) broken(v, n, "has the batch in some results only");
}

static void verify_interface_batch(const Verifier *v, Value *const *value, const Shape *shape, int n) {
  for (int i = 0; shape && i < n; i++)
    if (value[i]->batched != shape_is_symbolic(&shape[i]))
      broken(v, NULL, "\"%s\" and the interface differ in whether it has the batch", value[i]->name);
}

/* ---- shapes, inferred once more on a copy ---- */

/* infer_node takes a user's model and may fail; here that is a broken graph. */
static void infer_or_break(const Verifier *v, Node *n) {
  Context *cx = v->g->cx;
  jmp_buf outer;
  memcpy(outer, cx->unwind, sizeof outer);
  if (setjmp(cx->unwind)) broken(v, NULL, "%s", cx->error);
  infer_node(v->g, n);
  memcpy(cx->unwind, outer, sizeof outer);
}

static bool windows_equal(const Window *a, const Window *b) {
  return memcmp(a, b, sizeof *a) == 0;
}

static void verify_inference(const Verifier *v, const Node *n) {
  Context *cx = v->g->cx;
  Node again = *n;
  Value *copy = alloc_n(cx, (size_t)n->n_out, sizeof *copy);
  again.out = alloc_n(cx, (size_t)n->n_out, sizeof *again.out);
  for (int i = 0; i < n->n_out; i++) {
    if (!n->out[i]) continue;
    copy[i] = *n->out[i];
    again.out[i] = &copy[i];
  }
  infer_or_break(v, &again);
  for (int i = 0; i < n->n_out; i++) {
    const Value *value = n->out[i];
    if (!value) continue;
    if (copy[i].type != value->type)
      broken(v, n, "result \"%s\" has the type %s, inferred is %s", value->name, type_name(value->type),
             type_name(copy[i].type));
    if (!shape_equal(&copy[i].shape, &value->shape))
      broken(v, n, "result \"%s\" has the shape %s, inferred is %s", value->name,
             shape_text(cx, &value->shape), shape_text(cx, &copy[i].shape));
  }
  if (memcmp(&again.p, &n->p, sizeof n->p) != 0) broken(v, n, "its parameters are not what its attributes say");
  if (!windows_equal(&again.win, &n->win)) broken(v, n, "its window is not what its attributes say");
  if (again.group != n->group) broken(v, n, "has %d groups, its attributes say %d", n->group, again.group);
}

void verify(Graph *g, const char *after) {
  Verifier v = {.g = g, .after = after};
  v.defined = alloc_n(g->cx, (size_t)g->n_value, sizeof *v.defined);
  verify_values(&v);
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    if (n->dead) continue;
    verify_arity(&v, n);
    verify_reads(&v, n);
    verify_results(&v, n);
    verify_steps(&v, n);
    verify_batch(&v, n);
    verify_inference(&v, n);
  }
  verify_interface(&v);
  verify_interface_batch(&v, g->input, g->input_shape, g->n_input);
  verify_interface_batch(&v, g->output, g->output_shape, g->n_output);
  const Node *unlisted = find_unlisted(g);
  if (unlisted) broken(&v, unlisted, "reads a value that does not know of it");
}
