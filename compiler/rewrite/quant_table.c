/* quant_table.c: functions of one 8-bit number as tables.
 *
 *   x u8 -- DequantizeLinear -- Sigmoid, Clip, x Sigmoid(x), ... -- QuantizeLinear -- y
 *
 *       Pointwise(x, table) | Lookup(table)                                            -- y
 *
 * So are sums and products of numbers that all follow from one: x Sigmoid(x) with a QuantizeLinear in between too. */
#include "rewrite.h"

#include <math.h>

enum { MOST_PARTS = 64 /* operators of a function */ };

/* ==== a function in fp32 ==== */

typedef struct Function {
  Graph *g;
  Value *x;    /* the number that it is of; NULL: none yet */
  int parts;
} Function;

/* Is v a function of f->x and of constants, one operator after the other? */
static bool find_function(Function *f, const Value *v) {
  const Node *n = v->def;
  Uniform u;
  if (is_single(v)) return v->type == T_F32;
  if (!n || n->n_step > 0 || ++f->parts > MOST_PARTS) return false;
  if (n->op == OP_DequantizeLinear) {
    Value *x = n->in[0];
    if (!is_8_bit(x->type) || !uniform_of(n, &u)) return false;
    if (is_single(x)) return true;
    if (x->data || (f->x && f->x != x)) return false;
    f->x = x;
    return true;
  }
  bool known = n->op == OP_Identity || op_info[n->op].family == FAMILY_UNARY || op_info[n->op].family == FAMILY_BINARY;
  if (!known || n->out[0]->type != T_F32) return false;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && !find_function(f, n->in[i])) return false;
  return true;
}

/* All 256 numbers that x may be. */
static Value *all_numbers(Graph *g, Type t) {
  uint8_t *data = alloc(g->cx, LOOKUP_SIZE);
  for (int i = 0; i < LOOKUP_SIZE; i++) data[i] = (uint8_t)i;
  return value_const(g, "all", t, shape_of(1, (int64_t)LOOKUP_SIZE), data);
}

/* The operator of n with its steps, on these: one number or 256 each. */
static Value *evaluated(Graph *g, const Node *n, Value **in) {
  Node part = *n;
  const void **data = alloc_n(g->cx, (size_t)n->n_in + 1, sizeof *data);
  void *out[1];
  Value *y = value_new(g, "y", n->out[0]->type, shape_of(0));
  for (int i = 0; i < n->n_in; i++) {
    if (!in[i]) continue;
    data[i] = in[i]->data;
    if (shape_count(&in[i]->shape) > 1) y->shape = in[i]->shape;
  }
  part.in = in;
  part.out = &y;
  part.n_out = 1;
  eval_node(g, &part, data, out);
  y->data = out[0];
  return y;
}

/* n, a HardSigmoid or HardSwish, of these in fp32, with a rounding for each of its operations: eval rounds once. */
static Value *hard_values(Graph *g, const Node *n, const Value *x) {
  bool gates = n->op == OP_HardSwish;
  float alpha = gates ? 1.0f / 6 : n->p.alpha, beta = gates ? 0.5f : n->p.beta, *y;
  int64_t count = shape_count(&x->shape);
  const float *in = x->data;
  y = alloc_n(g->cx, (size_t)count, sizeof *y);
  for (int64_t i = 0; i < count; i++) {
    float product = alpha * in[i], sum = product + beta, h = fminf(fmaxf(sum, 0), 1);
    y[i] = gates ? in[i] * h : h;
  }
  return value_const(g, "y", T_F32, x->shape, y);
}

static Value *single(Graph *g, const Value *v) { return value_const(g, "one", v->type, shape_of(0), v->data); }

static Value *function_values(Graph *g, const Value *v) {
  if (is_single(v)) return single(g, v);
  const Node *n = v->def;
  Value **in = alloc_n(g->cx, (size_t)n->n_in + 1, sizeof *in);
  if (n->op == OP_DequantizeLinear) {
    in[0] = is_single(n->in[0]) ? single(g, n->in[0]) : all_numbers(g, n->in[0]->type);
    for (int i = 1; i < n->n_in; i++) in[i] = n->in[i] ? single(g, n->in[i]) : NULL;
  } else {
    for (int i = 0; i < n->n_in; i++) in[i] = n->in[i] ? function_values(g, n->in[i]) : NULL;
  }
  bool hard = n->op == OP_HardSigmoid || n->op == OP_HardSwish;
  return hard ? hard_values(g, n, in[0]) : evaluated(g, n, in);
}

/* ==== tables ==== */

static Value *table_of(Graph *g, Type t, const void *data) { return value_const(g, "table", t, shape_of(1, (int64_t)LOOKUP_SIZE), data); }

/* v quantised like the site's result, for every number that it may follow from. */
static Value *quantized_table(const QuantSite *s, const Value *v) {
  const float *f = function_values(s->g, v)->data;
  uint8_t *data = alloc(s->g->cx, LOOKUP_SIZE);
  for (int i = 0; i < LOOKUP_SIZE; i++) {
    int64_t q = quantize(s->type, f[i], s->out.scale, s->out.zero);
    put_number(s->type, data, i, (Number){.i = size_min(size_max(q, s->lo), s->hi)});
  }
  return table_of(s->g, s->type, data);
}

static Node *lookup_node(const QuantSite *s, Value *x, Value *table) {
  Node *n = walk_before(s->g, OP_Pointwise, s->op->name, 1, &x, 1);
  node_add_step_with(s->g, n, (Step){.op = OP_Lookup, .type = s->type}, table);
  return n;
}

static bool is_lookup(const Node *n) { return n && n->op == OP_Pointwise && n->n_step == 1 && n->step[0].op == OP_Lookup; }

/* The number that v follows from by a table, or v itself. */
static Value *origin_of(Value *v) { return is_lookup(v->def) ? v->def->in[0] : v; }

/* An input of a step as 256 numbers. */
static Value *origin_values(Graph *g, const Node *n, int i) {
  Value *v = n->in[i];
  if (is_table(n, i)) return v;
  if (is_single(v)) return single(g, v);
  return is_lookup(v->def) ? v->def->in[v->def->step[0].arg] : all_numbers(g, v->type);
}

/* Does n compute of one number that is no constant? It is left then, in front of its table if it has one. */
static Value *only_origin(const Node *n) {
  Value *x = NULL;
  for (int i = 0; i < n->n_in; i++) {
    Value *v = n->in[i];
    if (is_table(n, i) || is_single(v)) continue;
    if (v->data || !is_8_bit(v->type)) return NULL;
    Value *from = origin_of(v);
    if (!shape_equal(&from->shape, &n->out[0]->shape) || (x && x != from)) return NULL;
    x = from;
  }
  return x;
}

void compose_table(Graph *g, Node *n) {
  Value *x = only_origin(n);
  if (!x || !is_8_bit(n->out[0]->type) || (is_lookup(n) && n->in[0] == x)) return;
  Value **in = alloc_n(g->cx, (size_t)n->n_in, sizeof *in);
  for (int i = 0; i < n->n_in; i++) in[i] = origin_values(g, n, i);
  Value *table = table_of(g, n->out[0]->type, evaluated(g, n, in)->data);
  n->n_step = 0;
  node_set_inputs(g, n, 1, &x);
  node_add_step_with(g, n, (Step){.op = OP_Lookup, .type = table->type}, table);
  infer_node(g, n);
}

Value *lookup_before(const QuantSite *s, const Value *v) {
  Function f = {.g = s->g};
  bool is_function = find_function(&f, v);
  assert(is_function && f.x), (void)is_function;
  Node *n = lookup_node(s, f.x, quantized_table(s, v));
  Value *y = new_result(s->g, n);
  compose_table(s->g, n);
  return y;
}

static bool is_same(const Value *table, Type from) {
  const uint8_t *data = table->data;
  for (int i = 0; i < LOOKUP_SIZE; i++)
    if (data[i] != i) return false;
  return table->type == from;
}

bool quant_function(const QuantSite *site) {
  QuantSite s = quant_unbounded(site); /* bounds are part of the function */
  Function f = {.g = s.g};
  const Value *v = s.quantize->in[0];
  if (!find_function(&f, v) || !f.x || !shape_equal(&f.x->shape, &v->shape)) return false;
  s.op = s.quantize;
  Value *table = quantized_table(&s, v);
  bool same = is_same(table, f.x->type);
  Node *n = same ? walk_before(s.g, OP_Identity, s.quantize->name, 1, &f.x, 1) : lookup_node(&s, f.x, table);
  quant_finish(&s, n);
  if (!same) compose_table(s.g, n);
  return true;
}
