/* quant_sign.c: products of integers are of u8 activations and s8 weights, which is what processors multiply. Activations of s8
 * become u8 with value and zero point + 128, constant weights of u8 become s8 with both - 128: the same bits but for the top one,
 * and the same numbers. A node flips that bit where a value of s8 comes from outside, or goes to what takes it as it is. */
#include "rewrite.h"

typedef struct Signs {
  Graph *g;
  Forms form;            /* of a value of s8: the one of u8 */
} Signs;

/* ==== the top bit ==== */

static Type other_sign(Type t) { return t == T_I8 ? T_U8 : T_I8; }

static Value *flipped_constant(Graph *g, const Value *v) {
  size_t n = value_bytes(v);
  uint8_t *data = alloc(g->cx, n ? n : 1);
  for (size_t i = 0; i < n; i++) data[i] = ((const uint8_t *)v->data)[i] ^ 0x80;
  return value_const(g, v->name, other_sign(v->type), v->shape, data);
}

/* x with the top bit the other way, of u8. */
static Value *flipped(Graph *g, Value *x) {
  static const uint8_t top = 0x80;
  Node *n = walk_before(g, OP_BitwiseXor, x->name, 2, (Value *[]){x, value_const(g, "top", T_U8, shape_of(0), &top)}, 1);
  return new_result(g, n);
}

/* The value of u8 that stands for v of s8, which is made before the current node of a walk if it does not exist yet. */
static Value *unsigned_form(Signs *s, Value *v) {
  Value *u = form_of(&s->form, v);
  if (u) return u;
  u = v->data ? flipped_constant(s->g, v) : flipped(s->g, cast_before(s->g, v->name, v, T_U8));
  form_set(&s->form, v, u);
  return u;
}

/* v, which has only its form of u8 so far, is made before the current node of a walk. */
static void make_signed(Signs *s, Value *v) {
  Value *bits = flipped(s->g, form_of(&s->form, v));
  Node *cast = walk_before(s->g, OP_Cast, v->name, 1, &bits, 1);
  attr_set_int(s->g, cast, "to", T_I8);
  cast->out[0] = v;
  v->def = cast;
  infer_node(s->g, cast);
}

/* Does nothing but the form exist? */
static bool is_missing(const Signs *s, const Value *v) { return !v->def && form_of(&s->form, v) && !v->data && !v->is_input; }

/* ==== zero points ==== */

/* Input i of n, a zero point, for a value whose sign changes to t: of the shape of `like` if it is left out. */
static void flip_zero(Signs *s, Node *n, int i, Type t, const Shape *like) {
  Graph *g = s->g;
  while (n->n_in <= i) node_add_input(g, n, NULL);
  Value *z = n->in[i];
  if (!z) {
    size_t count = (size_t)shape_count(like);
    z = value_const(g, "zero", other_sign(t), *like, alloc(g->cx, count ? count : 1));
  }
  assert(z->data || t == T_U8);
  node_set_input(g, n, i, z->data ? flipped_constant(g, z) : unsigned_form(s, z));
}

/* ==== weights ==== */

static bool is_product(const Node *n) {
  return n->op == OP_Conv || n->op == OP_ConvTranspose || n->op == OP_Gemm || n->op == OP_MatMul;
}

/* Does a product, alone, read the constant that n dequantises as its weights? */
static bool is_weights(const Node *n) {
  const Node *reader = only_reader(n->out[0]);
  return n->in[0]->data && reader && is_product(reader) && reader->in[1] == n->out[0];
}

static bool is_constant(const Value *v) { return !v || v->data; }

/* n's input i, its weights, of which input `zero` is the zero point, become s8. */
static void sign_weights(Signs *s, Node *n, int i, int zero, const Shape *like) {
  const Value *w = n->in[i];
  if (w->type != T_U8 || !w->data || !is_constant(zero < n->n_in ? n->in[zero] : NULL)) return;
  node_set_input(s->g, n, i, flipped_constant(s->g, w));
  flip_zero(s, n, zero, T_I8, like);
}

/* ==== activations ==== */

/* n's first input becomes u8, and its zero point follows. */
static void unsign_input(Signs *s, Node *n, int zero, const Shape *like) {
  if (n->in[0]->type != T_I8) return;
  node_set_input(s->g, n, 0, unsigned_form(s, n->in[0]));
  flip_zero(s, n, zero, T_U8, like);
}

static void unsign_dequantized(Signs *s, Node *n) {
  const Shape *like = &n->in[1]->shape;
  if (is_weights(n)) sign_weights(s, n, 0, 2, like);
  else unsign_input(s, n, 2, like);
}

static void unsign_integer_product(Signs *s, Node *n) {
  static const Shape one = {0};
  unsign_input(s, n, 2, &one);
  sign_weights(s, n, 1, 3, &one);
}

/* n's results are u8 from here on: readers of the former ones find the forms. */
static void unsign_results(Signs *s, Node *n) {
  for (int i = 0; i < n->n_out; i++) {
    Value *v = n->out[i];
    if (!v) continue;
    n->out[i] = value_new(s->g, v->name, T_NONE, shape_of(0));
    n->out[i]->def = n;
    v->def = NULL;
    form_set(&s->form, v, n->out[i]);
  }
  infer_node(s->g, n);
}

/* The mean of a window is rounded with the zero point in it, so that 128 more would round otherwise. */
static bool rounds_with_zero(const Node *quantize) {
  const Node *n = quantize->in[0]->def;
  return n && n->op == OP_AveragePool;
}

static void unsign_quantized(Signs *s, Node *n) {
  if (n->out[0]->type != T_I8 || rounds_with_zero(n)) return;
  flip_zero(s, n, 2, T_U8, &n->in[1]->shape);
  attr_remove(n, "output_dtype");
  unsign_results(s, n);
}

static bool is_data(unsigned data, int i) { return i < 32 ? data >> i & 1 : data == UINT32_MAX; }

/* A value of u8 stands for one of its inputs; or n reads a constant, of which it makes activations. */
static bool moves_unsigned(const Signs *s, const Node *n, unsigned data) {
  for (int i = 0; i < n->n_in; i++) {
    const Value *v = is_data(data, i) ? n->in[i] : NULL;
    if (v && v->type == T_I8 && (form_of(&s->form, v) || (i == 0 && v->data))) return true;
  }
  return false;
}

/* What is left out stands for 0, or for the type's own bound. */
static void unsign_move(Signs *s, Node *n) {
  unsigned data = data_inputs(n);
  if (!data || !n->n_in || n->in[0]->type != T_I8 || !moves_unsigned(s, n, data)) return;
  for (int i = 0; i < n->n_in; i++)
    if (is_data(data, i) && n->in[i]) node_set_input(s->g, n, i, unsigned_form(s, n->in[i]));
  static const Shape one = {0};
  if (n->op == OP_Pad && n->p.mode == PAD_CONSTANT && !has_input(n, 2)) flip_zero(s, n, 2, T_U8, &one);
  unsign_results(s, n);
}

static void unsign_node(Signs *s, Node *n) {
  switch (n->op) {
  case OP_QuantizeLinear: unsign_quantized(s, n); break;
  case OP_DequantizeLinear: unsign_dequantized(s, n); break;
  case OP_ConvInteger: case OP_MatMulInteger: unsign_integer_product(s, n); break;
  default: unsign_move(s, n);
  }
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && is_missing(s, n->in[i])) make_signed(s, n->in[i]);
  infer_node(s->g, n);
}

/* Outputs are made behind all nodes: each as the identity of the one that stands for it. */
static void make_outputs(Signs *s) {
  Graph *g = s->g;
  for (int i = 0; i < g->n_output; i++) {
    Value *v = g->output[i];
    if (!is_missing(s, v)) continue;
    Node *n = node_new(g, OP_Identity, v->name, 1, &v, 1);
    Value *y = n->out[0] = value_new(g, v->name, v->type, v->shape);
    y->def = n;
    v->name = format_text(g->cx, "%s.signed", v->name);
    v->is_output = false;
    output_set(g, i, y);
  }
}

void signs_of_kernels(Graph *g) {
  Signs s = {g, forms_new(g)};
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) unsign_node(&s, n);
  make_outputs(&s);
  walk_begin(g);
  for (Node *n; (n = walk_next(g));)
    for (int i = 0; i < n->n_in; i++)
      if (n->in[i] && is_missing(&s, n->in[i])) make_signed(&s, n->in[i]);
  graph_compact(g);
}
