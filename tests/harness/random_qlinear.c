/* random_qlinear.c: operators on quantised tensors that have the scales as inputs. QLinearConv and QLinearMatMul are random_sums.c's. */
#include "random_nodes.h"

const char *random_pair(R *r, const V *q) {
  const char *scale = random_scale_text(r, q->scale), *zero = random_new_constant(r);
  random_say(r, "const %s %s [] = {%d}", zero, type_name(q->type), q->zero);
  return format_text(r->cx, "%s, %s", scale, zero);
}

V random_bytes_facts(V from, const V *to) {
  from.scale = to->scale, from.zero = to->zero, from.dequantized = from.origin = 0;
  from.slack += (double)to->scale, from.magnitude = 256 * (double)to->scale;
  from.spread = random_spread(to);
  return from;
}

/* Of that type: the operators have one for operands and result. */
static V parameters_of(R *r, Type t, double spread) {
  V p;
  do p = random_parameters(r, spread, false);
  while (p.type != t);
  return p;
}

static bool binary(R *r) {
  V *a = random_bytes(r, 1, 4), *b = NULL;
  for (int k = 0; a && k < 20; k++) {
    V *other = random_bytes(r, 1, 4);
    if (other && other->type == a->type && shape_equal(&other->shape, &a->shape)) b = other;
  }
  if (!b) return false;
  int first = r->n_line;
  Op op = one_in(r, 2) ? OP_QuantizedAdd : OP_QuantizedMul;
  V facts = *a;
  facts.spread = op == OP_QuantizedAdd ? a->spread + b->spread : a->spread * b->spread;
  facts.slack = op == OP_QuantizedAdd ? a->slack + b->slack : 3 * (a->slack * b->spread + b->slack * a->spread);
  facts.exact = facts.settles = a->exact && b->exact;
  V to = parameters_of(r, a->type, facts.spread);
  const char *pa = random_pair(r, a), *pb = random_pair(r, b), *py = random_pair(r, &to);
  random_say(r, "%s = %s(%s, %s, %s, %s, %s)", random_new_value(r), op_info[op].name, a->name, pa, b->name, pb, py);
  return random_keep_as(r, first, op, random_bytes_facts(facts, &to));
}

static bool unary(R *r) {
  static const struct { Op op; const char *attributes; int rank; } table[] = {
    {OP_QLinearSigmoid, "", 1}, {OP_QLinearLeakyRelu, " alpha=0.2", 1}, {OP_QLinearGlobalAveragePool, "", 4},
    {OP_QLinearAveragePool, " kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,1]", 4}, {OP_QLinearSoftmax, " axis=-1", 2},
  };
  int k = below(r, (int)COUNT(table)), first = r->n_line;
  V *x = random_bytes(r, table[k].rank, table[k].rank == 1 ? 5 : 4);
  if (!x) return false;
  V facts = *x, to = parameters_of(r, x->type, facts.spread = table[k].op == OP_QLinearSoftmax ? 0.5 : x->spread);
  if (table[k].op == OP_QLinearSoftmax) facts.exact = facts.settles = false, facts.slack = 3 * x->slack < 1 ? 3 * x->slack : 1;
  const char *px = random_pair(r, x), *py = random_pair(r, &to);
  random_say(r, "%s = %s(%s, %s, %s)%s", random_new_value(r), op_info[table[k].op].name, x->name, px, py, table[k].attributes);
  return random_keep_as(r, first, table[k].op, random_bytes_facts(facts, &to));
}

static bool concat(R *r) {
  V *a = random_bytes(r, 2, 5), *b = a;
  for (int k = 0; a && k < 10 && b == a; k++) {
    V *other = random_bytes(r, a->shape.rank, a->shape.rank);
    if (other && other->type == a->type && shape_equal(&other->shape, &a->shape)) b = other;
  }
  if (!a) return false;
  int first = r->n_line;
  V facts = a->spread > b->spread ? *a : *b, to = one_in(r, 2) ? *a : parameters_of(r, a->type, facts.spread);
  facts.exact = facts.settles = a->exact && b->exact;
  facts.slack = a->slack > b->slack ? a->slack : b->slack;
  const char *py = random_pair(r, &to), *pa = random_pair(r, a), *pb = random_pair(r, b);
  random_say(r, "%s = QLinearConcat(%s, %s, %s, %s, %s) axis=1", random_new_value(r), py, a->name, pa, b->name, pb);
  return random_keep_as(r, first, OP_QLinearConcat, random_bytes_facts(facts, &to));
}

bool random_quantized_operator(R *r) {
  static bool (*const propose[])(R *) = {binary, unary, unary, concat};
  return propose[below(r, (int)COUNT(propose))](r);
}
