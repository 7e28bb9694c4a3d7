/* random_pointwise.c: proposals of functions, conditions and choices. */
#include "random_nodes.h"

/* What makes small differences large is left out, or of whole numbers alone. */
bool random_function(R *r) {
  static const struct { Op op; double most, added; bool whole; } table[] = {
    {OP_Erf, 1, 0, false}, {OP_Gelu, 1e5, 0, false}, {OP_FastGelu, 100, 0, false},
    {OP_Softplus, 1e5, 1, false},
    {OP_Mish, 1e5, 0, false}, {OP_Swish, 1e5, 0, false}, {OP_Softsign, 1, 0, false}, {OP_Selu, 1e5, 2, false},
    {OP_Celu, 1e5, 1, false}, {OP_Abs, 1e5, 0, false}, {OP_Neg, 1e5, 0, false}, {OP_Sin, 1, 0, false},
    {OP_Cos, 1, 1, false},
    {OP_Atan, 1.6, 0, false}, {OP_Asinh, 1e5, 0, false}, {OP_Floor, 1e5, 1, true}, {OP_Ceil, 1e5, 1, true},
    {OP_Round, 1e5, 1, true}, {OP_Sign, 1, 1, true}, {OP_ThresholdedRelu, 1e5, 0, true},
    {OP_Shrink, 1e5, 0, true},
  };
  int k = below(r, (int)COUNT(table)), first = r->n_line;
  const V *x = random_any(r, T_F32, 0, 6);
  if (!x || (table[k].whole && !x->exact)) return false;
  if ((table[k].op == OP_Sin || table[k].op == OP_Cos) && x->magnitude > 10) return false;
  random_say(r, "%s = %s(%s)", random_new_value(r), op_info[table[k].op].name, x->name);
  double most = x->magnitude + table[k].added;
  return random_keep(r, first, table[k].op, table[k].whole,
                     most < table[k].most ? most : table[k].most + table[k].added);
}

bool random_extremum(R *r) {
  Op op = one_in(r, 2) ? OP_Min : OP_Max;
  int first = r->n_line;
  const V *x = random_any(r, T_NONE, 0, 6), *y = x ? random_any(r, x->type, 0, 6) : NULL;
  if (!x || !y || x->type == T_BOOL) return false;
  double most = x->magnitude > y->magnitude ? x->magnitude : y->magnitude;
  random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, x->name, y->name);
  return random_keep(r, first, op, x->exact && y->exact, most);
}

bool random_condition(R *r) {
  static const Op ops[] = {OP_Equal, OP_Less, OP_LessOrEqual, OP_Greater, OP_GreaterOrEqual};
  Op op = ops[below(r, (int)COUNT(ops))];
  int first = r->n_line;
  const V *x = random_any(r, T_NONE, 0, 6), *y = x ? random_any(r, x->type, 0, 6) : NULL;
  if (!x || !y || x->type == T_BOOL || !x->exact || !y->exact) return false;
  random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, x->name, y->name);
  return random_keep(r, first, op, true, 1);
}

bool random_logic(R *r) {
  static const Op ops[] = {OP_And, OP_Or, OP_Xor, OP_Not};
  Op op = ops[below(r, (int)COUNT(ops))];
  int first = r->n_line;
  const V *x = random_any(r, T_BOOL, 0, 6), *y = random_any(r, T_BOOL, 0, 6);
  if (!x || !y) return false;
  if (op == OP_Not) random_say(r, "%s = Not(%s)", random_new_value(r), x->name);
  else random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, x->name, y->name);
  return random_keep(r, first, op, true, 1);
}

bool random_choice(R *r) {
  int first = r->n_line;
  const V *c = random_any(r, T_BOOL, 0, 6), *x = random_any(r, T_F32, 0, 6), *y = random_any(r, T_F32, 0, 6);
  if (!c || !x || !y) return false;
  double most = x->magnitude > y->magnitude ? x->magnitude : y->magnitude;
  random_say(r, "%s = Where(%s, %s, %s)", random_new_value(r), c->name, x->name, y->name);
  return random_keep(r, first, OP_Where, x->exact && y->exact, most);
}
