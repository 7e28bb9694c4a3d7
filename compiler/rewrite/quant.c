/* quant.c: integers for what a graph computes of dequantised numbers and quantises again. Exporters write
 *
 *   DequantizeLinear -- operator -- [Relu, Clip ...] -- QuantizeLinear
 *
 * Of an operator that a file quant_*.c knows, and operands that fit it, the integers themselves become the operands of one
 * node, which requantises in its epilogue. Convolutions and products whose value is read otherwise sum integers as well, and leave
 * fp32. What has another form stays as it is, and is computed in fp32. */
#include "rewrite.h"

#include <math.h>

static const struct Rule {
  Op op;
  bool (*rewrite)(const QuantSite *s);
  bool (*value)(Graph *g, Node *n); /* where the result is wanted in fp32; NULL: there is no such form */
} rules[] = {
  {OP_Conv, quant_conv, quant_conv_value},
  {OP_Gemm, quant_product, quant_product_value},
  {OP_MatMul, quant_product, quant_product_value},
  {OP_Add, quant_add, NULL},
  {OP_Mul, quant_mul, NULL},
  {OP_GlobalAveragePool, quant_global_pool, NULL},
  {OP_ReduceMean, quant_reduce_mean, NULL},
  {OP_AveragePool, quant_average_pool, NULL},
  {OP_MaxPool, quant_move, NULL},
  {OP_Concat, quant_move, NULL},
};

static const struct Rule *rule_for(Op op) {
  for (size_t i = 0; i < COUNT(rules); i++)
    if (rules[i].op == op) return &rules[i];
  return NULL;
}

/* The number of steps that stands for a bound of the result; infinity is none. */
static int64_t bound_in_steps(const QuantSite *s, float bound) {
  float steps = nearbyintf(bound / s->out.scale);
  if (steps < -0x1p20f) return -((int64_t)1 << 20);
  return steps > 0x1p20f ? (int64_t)1 << 20 : (int64_t)steps;
}

/* Takes the bounds of a Relu or Clip in; false: it is neither, or its bounds are not known. */
static bool take_bounds(QuantSite *s, const Node *n) {
  Step clip = {.a = 0, .b = INFINITY};
  if (n->op != OP_Relu && (n->op != OP_Clip || !step_of_node(n, 0, &clip) || isnan(clip.a) || isnan(clip.b))) return false;
  s->lo = size_max(s->lo, bound_in_steps(s, clip.a) + s->out.zero);
  s->hi = size_min(s->hi, bound_in_steps(s, clip.b) + s->out.zero);
  return s->lo <= s->hi;
}

/* The node whose result only n reads, and nobody outside; NULL: there is none. */
static Node *maker_for(const Node *n) {
  Value *x = n->in[0];
  return x->def && only_reader(x) == n ? x->def : NULL;
}

static bool find_result(Graph *g, Node *quantize, QuantSite *s) {
  if (quantize->op != OP_QuantizeLinear) return false;
  *s = (QuantSite){.g = g, .quantize = quantize, .type = quantize->out[0]->type};
  if (!is_8_bit(s->type) || !uniform_of(quantize, &s->out)) return false;
  *s = quant_unbounded(s);
  return true;
}

static bool find_operator(QuantSite *s) {
  s->op = maker_for(s->quantize);
  while (s->op && take_bounds(s, s->op)) s->op = maker_for(s->op);
  return s->op;
}

/* ==== the pass ==== */

static void rewrite_sites(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    QuantSite s;
    if (!find_result(g, n, &s)) continue;
    const struct Rule *rule = find_operator(&s) ? rule_for(s.op->op) : NULL;
    if (!rule || !rule->rewrite(&s)) quant_function(&s);
  }
  graph_compact(g);
}

static void rewrite_values(Graph *g) {
  walk_begin(g);
  for (Node *n; (n = walk_next(g));) {
    const struct Rule *rule = rule_for(n->op);
    if (rule && rule->value) rule->value(g, n);
  }
  graph_compact(g);
}

void pass_quant(Graph *g) {
  rewrite_sites(g);
  rewrite_values(g);
  remove_dead(g);
  list_floats(g);
  quant_dynamic(g);
}
