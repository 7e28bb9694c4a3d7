/* infer.c: types and shapes of one node: what holds for every operator. */
#include "ops.h"

#include <string.h>

void check_inputs(Graph *g, const Node *n) {
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    if (!type_size(n->in[i]->type)) fail_at(g, n, "the element type of input %d is not supported", i);
    if (n->in[i]->shape.rank < 0) fail_at(g, n, "the shape of input \"%s\" is not known", n->in[i]->name);
  }
  for (int i = 0; i < op_info[n->op].min_in; i++)
    if (!has_input(n, i)) fail_at(g, n, "input %d is missing", i);
  if (op_info[n->op].max_out == 1 && !n->out[0]) fail_at(g, n, "the output is missing");
  Type t = n->in[0]->type;
  if (!(op_info[n->op].types >> t & 1)) fail_at(g, n, "element type %s is not supported here", type_name(t));
}

/* Arguments of an epilogue broadcast to the result, never the other way round. */
static void check_steps(Graph *g, Node *n) {
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    if (s->arg >= 0 && !has_input(n, s->arg)) fail_at(g, n, "step %d has no input %d", i, s->arg);
    if (s->op == OP_Lookup) check_per_channel(g, n, s->arg, LOOKUP_SIZE);
    else if (s->arg >= 0) broadcast_into(g, n, s->arg, &n->out[0]->shape);
    Type from = step_type(n, i - 1), arg = s->arg < 0 ? T_NONE : n->in[s->arg]->type;
    if (!step_takes(s, from, arg)) fail_at(g, n, "step %d does not take %s and %s", i, type_name(from), type_name(arg));
  }
  if (n->n_step > 0) set_output(g, n, 0, step_type(n, n->n_step - 1), &n->out[0]->shape);
}

static float parameter(const Node *n, const struct Parameter *p) {
  return p->attr ? attr_float(n, p->attr, p->otherwise) : 0;
}

static void start_params(Node *n) {
  memset(&n->p, 0, sizeof n->p); /* bytes that are no field's as well */
  memset(&n->win, 0, sizeof n->win);
  n->group = 0;
  n->p.alpha = parameter(n, &op_info[n->op].alpha);
  n->p.beta = parameter(n, &op_info[n->op].beta);
}

void infer_node(Graph *g, Node *n) {
  assert(op_info[n->op].family != FAMILY_COMPOSED);
  if (op_info[n->op].family == FAMILY_IMPORT) fail_at(g, n, "the operator is for import alone");
  if (op_info[n->op].family == FAMILY_STEP) fail_at(g, n, "the operator is a step of others");
  check_inputs(g, n);
  start_params(n);
  meaning[n->op].infer(g, n);
  check_steps(g, n);
  node_mark_batched(n);
}
