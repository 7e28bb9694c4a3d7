/* precision.c: who computes in what. Kernels compute in single precision, so a model in half precision or bfloat16 has such
 * numbers at its interface alone: Casts behind its inputs and before its outputs, constants converted once, f32 in between.
 * Nothing is rounded on the way, so the results are at least as exact as those of the model's own operators.
 * Needs types; leaves no float of 16 bits but inputs, outputs and what Casts read and write there. */
#include "rewrite.h"

/* Casts within the model no longer round. */
static void widen_casts(Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (n->op == OP_Cast && type_is_half(n->out[0]->type)) attr_set_int(g, n, "to", T_F32);
    if (n->op == OP_DequantizeLinear && type_is_half(n->out[0]->type)) attr_remove(n, "output_dtype");
    if (n->op == OP_EyeLike && type_is_half(n->out[0]->type)) attr_set_int(g, n, "dtype", T_F32);
    for (int k = 0; k < n->n_step; k++)
      if (type_is_half(n->step[k].type)) n->step[k].type = T_F32;
  }
}

/* v is computed in f32 under another name; its cast is the output. Of a Cast, the operand is rounded once. */
static void widen_output(Graph *g, Value *v) {
  bool is_cast = v->def && v->def->op == OP_Cast;
  Node *cast = node_new(g, OP_Cast, v->name, 1, is_cast ? v->def->in : &v, 1);
  attr_set_int(g, cast, "to", v->type);
  Value *y = cast->out[0] = value_new(g, v->name, v->type, v->shape);
  y->def = cast;
  v->name = format_text(g->cx, "%s.f32", v->name);
  v->is_output = false;
  output_set(g, v->output, y);
}

/* A constant, or one computed from shapes, with its elements. */
static void widen_value(Graph *g, Value *v) {
  v->data = f32_elements(g, v, v->data);
  v->type = T_F32;
}

/* What reads v reads its cast, which stands before the current node of a walk. */
static void widen_input(Graph *g, Value *v) {
  Value *wide = value_new(g, format_text(g->cx, "%s.f32", v->name), T_F32, v->shape);
  readers_move(v, wide);
  wide->def = walk_before(g, OP_Cast, wide->name, 1, &v, 1);
  wide->def->out[0] = wide;
  attr_set_int(g, wide->def, "to", T_F32);
}

static void widen_inputs(Graph *g) {
  walk_begin(g);
  for (bool first = true; walk_next(g); first = false) {
    for (int i = 0; first && i < g->n_input; i++)
      if (type_is_half(g->input[i]->type)) widen_input(g, g->input[i]);
  }
}

static bool has_halves(const Graph *g) {
  for (int i = 0; i < g->n_value; i++)
    if (type_is_half(g->value[i]->type)) return true;
  return false;
}

void pass_precision(Graph *g) {
  if (!has_halves(g)) return;
  int n_value = g->n_value;
  widen_casts(g);
  for (int i = 0; i < g->n_output; i++)
    if (type_is_half(g->output[i]->type) && !g->output[i]->is_input) widen_output(g, g->output[i]);
  for (int i = 0; i < n_value; i++)
    if (type_is_half(g->value[i]->type) && !g->value[i]->is_input) widen_value(g, g->value[i]);
  widen_inputs(g);
  for (int i = 0; i < g->n_node; i++) infer_node(g, g->node[i]);
}
