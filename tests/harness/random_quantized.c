/* random_quantized.c: quantised graphs as exporters write them: what is neither product nor convolution. Each proposal reads
 * integers through a DequantizeLinear, of its own or of others as well, and mostly ends in a QuantizeLinear.
 *
 * `exact` says that the pass quant leaves no choice: integers, and fp32 in the order of the graph. Results of fp32 sums, and of
 * functions that each has in its own way, are not exact, nor is what is quantised of them. */
#include "random_nodes.h"

#include <math.h>
#include <string.h>

enum { STEPS = 60 /* an element is usually so many away from the zero point */ };

/* ==== words ==== */

V *random_bytes(R *r, int lo, int hi) {
  for (int k = 0; k < 30; k++) {
    double u = random_double(&r->state, 0, 1);
    V *v = &r->value[r->n_value - 1 - (int)((double)r->n_value * (k < 15 ? u * u : u))];
    if (v->scale > 0 && v->shape.rank >= lo && v->shape.rank <= hi) return v;
  }
  return NULL;
}

/* Powers of two make ties. */
float random_scale(R *r, double about) {
  double s = about * exp2(random_double(&r->state, -1, 1));
  if (!(s > 1e-12)) s = 1e-12;
  return (float)(one_in(r, 3) ? exp2(rint(log2(s))) : s);
}

const char *random_floats(R *r, int n, const float *v) {
  const char *c = random_new_constant(r);
  char *text = format_text(r->cx, "const %s f32 [%d] = {", c, n);
  for (int i = 0; i < n; i++) text = format_text(r->cx, "%s%s%.9g", text, i ? "," : "", (double)v[i]);
  random_say(r, "%s}", text);
  return c;
}

const char *random_scale_text(R *r, float scale) {
  if (one_in(r, 20)) {
    const char *c = random_floats(r, 1, &scale), *y = random_new_value(r);
    random_say(r, "%s = Identity(%s)", y, c);
    return y;
  }
  if (one_in(r, 3)) return random_floats(r, 1, &scale);
  const char *c = random_new_constant(r);
  random_say(r, "const %s f32 [] = {%.9g}", c, (double)scale);
  return c;
}

const char *random_zero_text(R *r, Type t, int zero) {
  if (zero == 0 && t == T_U8 && one_in(r, 2)) return "_";
  const char *c = random_new_constant(r);
  random_say(r, "const %s %s %s = {%d}", c, type_name(t), one_in(r, 3) ? "[1]" : "[]", zero);
  return c;
}

V random_parameters(R *r, double spread, bool positive) {
  bool other = one_in(r, 5);
  V p = {.type = (r->lanes == 8) != other ? T_I8 : T_U8, .scale = random_scale(r, spread / STEPS)};
  int lo = (int)type_lowest(p.type);
  int kind = below(r, 16);
  if (positive && one_in(r, 2)) kind = 0;
  p.zero = kind == 0 ? lo : kind == 1 ? lo + 255 : kind < 8 ? lo + 128 : kind < 12 ? lo + 100 + below(r, 60) : lo + below(r, 256);
  return p;
}

double random_spread(const V *p) { return (double)p->scale * (75 + fabs((double)p->zero - (int)type_lowest(p->type) - 128)); }

/* What stands for numbers that are known as `from` says, rounded once more. */
static V bytes_like(const V *from, const V *to, bool exact) {
  return (V){.exact = exact, .settles = exact, .scale = to->scale, .zero = to->zero, .spread = random_spread(to),
             .slack = from->slack + (double)to->scale, .magnitude = 256 * (double)to->scale};
}

/* Statements of the same for x by name, which begin with those that make it, from line `first` on. */
static V *quantize_from(R *r, int first, const char *x, const V *known, const V *to) {
  const char *scale = random_scale_text(r, to->scale), *zero = random_zero_text(r, to->type, to->zero), *y = random_new_value(r);
  if (strcmp(zero, "_") == 0) random_say(r, "%s = QuantizeLinear(%s, %s)", y, x, scale);
  else random_say(r, "%s = QuantizeLinear(%s, %s, %s)", y, x, scale, zero);
  return random_keep_as(r, first, OP_QuantizeLinear, bytes_like(known, to, known->settles));
}

V *random_quantize(R *r, const V *x, const V *to) { return quantize_from(r, r->n_line, x->name, x, to); }

V *random_dequantized(R *r, V *q) {
  if (q->dequantized && !one_in(r, 3)) return &r->value[q->dequantized - 1];
  int first = r->n_line, at = r->n_value;
  const char *scale = random_scale_text(r, q->scale), *zero = random_zero_text(r, q->type, q->zero);
  if (strcmp(zero, "_") == 0) random_say(r, "%s = DequantizeLinear(%s, %s)", random_new_value(r), q->name, scale);
  else random_say(r, "%s = DequantizeLinear(%s, %s, %s)", random_new_value(r), q->name, scale, zero);
  V facts = *q;
  facts.scale = 0, facts.dequantized = 0, facts.settles = q->exact, facts.origin = (int)(q - r->value) + 1;
  V *f = random_keep_as(r, first, OP_DequantizeLinear, facts);
  if (f) q->dequantized = at + 1;
  return f;
}

/* A DequantizeLinear's result of some integers. */
static V *numbers(R *r, int lo, int hi) {
  V *q = random_bytes(r, lo, hi);
  return q ? random_dequantized(r, q) : NULL;
}

/* Of x's kind, that may be larger and less sure. */
static V facts_of(const V *x, double gain, double more) {
  V f = *x;
  f.scale = 0, f.dequantized = 0, f.origin = 0;
  f.spread = x->spread * gain, f.slack = x->slack * gain + more, f.magnitude = x->magnitude * (gain + 1);
  return f;
}

/* ==== behind an operator ==== */

/* A function of one number. Exponentials are each in its own way, but a table is one of them. */
static V *activation(R *r, const V *x, bool *positive) {
  static const struct { Op op; bool exact, positive; const char *attribute; } table[] = {
    {OP_Relu, true, true, ""}, {OP_Relu, true, true, ""}, {OP_Clip, true, false, ""}, {OP_HardSwish, false, true, ""},
    {OP_LeakyRelu, true, false, " alpha=0.1"}, {OP_HardSigmoid, false, true, " alpha=0.2"}, {OP_Sigmoid, false, true, ""},
    {OP_Tanh, false, false, ""}, {OP_Elu, false, false, ""},
  };
  int k = below(r, (int)COUNT(table)), first = r->n_line;
  V facts = facts_of(x, 1.5, 1e-6);
  facts.exact = x->exact && table[k].exact;
  if (table[k].op == OP_Sigmoid || table[k].op == OP_HardSigmoid || table[k].op == OP_Tanh) facts.spread = fmin(facts.spread, 1);
  if (table[k].op == OP_Clip) {
    Shape scalar = {0};
    const char *lo = one_in(r, 4) ? "_" : random_constant_between(r, &scalar, -x->spread, 0);
    const char *hi = random_constant_between(r, &scalar, 0, x->spread * 2);
    random_say(r, one_in(r, 4) ? "%s = Clip(%s, %s)" : "%s = Clip(%s, %s, %s)", random_new_value(r), x->name, lo, hi);
  } else {
    random_say(r, "%s = %s(%s)%s", random_new_value(r), op_info[table[k].op].name, x->name, table[k].attribute);
  }
  *positive = table[k].positive;
  facts.origin = x->origin;
  facts.settles = x->settles && (facts.exact || x->origin);
  return random_keep_as(r, first, table[k].op, facts);
}

/* Some numbers of that shape, quantised or not; NULL: found none. */
static const V *beside(R *r, const V *x) {
  for (int k = 0; k < 20; k++) {
    V *v = &r->value[below(r, r->n_value)];
    if (v == x || !shape_equal(&v->shape, &x->shape)) continue;
    if (v->scale > 0 && v->spread < 100 * x->spread) return random_dequantized(r, v);
    if (v->type == T_F32 && v->spread < 100 * x->spread && one_in(r, 3)) return v;
  }
  return NULL;
}

/* A sum or product in fp32 behind what is no result of integers alone. */
static const V *epilogue(R *r, const V *x) {
  const V *b = one_in(r, 3) ? NULL : beside(r, x);
  int first = r->n_line;
  V facts = *x;
  facts.origin = 0;
  const char *arg;
  Op op = b || one_in(r, 2) ? OP_Add : OP_Mul;
  if (b) {
    arg = b->name;
    facts.exact = x->exact && b->exact, facts.slack += b->slack, facts.spread += b->spread, facts.magnitude += b->magnitude;
  } else {
    Shape s = random_smaller_shape(r, &x->shape);
    arg = random_constant(r, &s, op == OP_Add ? x->spread : 1.5);
    facts.slack *= 2, facts.magnitude *= 2;
  }
  facts.settles = facts.exact;
  bool swap = one_in(r, 2);
  random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, swap ? arg : x->name, swap ? x->name : arg);
  return random_keep_as(r, first, op, facts);
}

bool random_finish(R *r, const V *x) {
  bool positive = false;
  if (one_in(r, 8)) return true;
  for (int k = 0; x && k < 2 && one_in(r, 4); k++) x = epilogue(r, x);
  if (x && one_in(r, 3)) x = activation(r, x, &positive);
  if (!x) return true;
  V to = random_parameters(r, x->spread, positive);
  random_quantize(r, x, &to);
  return true;
}

static bool unary(R *r) {
  V *x = numbers(r, 0, 5);
  bool positive;
  const V *y = x ? activation(r, x, &positive) : NULL;
  if (!y) return false;
  if (one_in(r, 6)) return true;
  V to = random_parameters(r, y->spread, positive);
  return random_quantize(r, y, &to);
}

/* x f(x), with the function's result quantised in between or not. */
static bool gated(R *r) {
  V *x = numbers(r, 0, 5);
  if (!x) return false;
  int first = r->n_line;
  const char *gate = random_new_value(r);
  random_say(r, "%s = %s(%s)", gate, one_in(r, 2) ? "Sigmoid" : "HardSigmoid", x->name);
  if (one_in(r, 2)) {
    const char *scale = random_scale_text(r, 1.0f / 256), *q = random_new_value(r);
    random_say(r, "%s = QuantizeLinear(%s, %s)", q, gate, scale);
    gate = random_new_value(r);
    random_say(r, "%s = DequantizeLinear(%s, %s)", gate, q, scale);
  }
  bool swap = one_in(r, 2);
  V facts = facts_of(x, 1.1, x->spread / 256);
  facts.exact = false, facts.origin = x->origin;
  random_say(r, "%s = Mul(%s, %s)", random_new_value(r), swap ? gate : x->name, swap ? x->name : gate);
  const V *y = random_keep_as(r, first, OP_Mul, facts);
  if (!y) return false;
  V to = random_parameters(r, y->spread, false);
  return random_quantize(r, y, &to);
}

/* Integers within fewer than their type has. */
static bool narrow(R *r) {
  V *q = random_bytes(r, 0, 5);
  if (!q) return false;
  int first = r->n_line, lo = (int)type_lowest(q->type);
  int64_t most = one_in(r, 2) ? 127 : 60 + below(r, 190), least = one_in(r, 2) ? 1 : below(r, 40);
  const char *a = random_new_constant(r);
  random_say(r, "const %s %s [] = {%d}", a, type_name(q->type), lo + (int)least);
  const char *b = random_new_constant(r);
  random_say(r, "const %s %s [] = {%d}", b, type_name(q->type), lo + 128 + (int)most / 2);
  random_say(r, "%s = Clip(%s, %s, %s)", random_new_value(r), q->name, a, b);
  V facts = *q;
  facts.dequantized = 0;
  return random_keep_as(r, first, OP_Clip, facts);
}

/* Quantised again, otherwise. */
static bool again(R *r) {
  V *x = numbers(r, 0, 5);
  if (!x) return false;
  V to = random_parameters(r, x->spread, false);
  return random_quantize(r, x, &to);
}

/* A scale for each channel, and back. */
static bool by_channel(R *r) {
  enum { MOST = 100 };
  V *x = numbers(r, 2, 5);
  int64_t n = x ? x->shape.d[1] : 0, zero[MOST];
  float scale[MOST];
  int first = r->n_line;
  if (n < 2 || n > MOST) return false;
  for (int64_t i = 0; i < n; i++) scale[i] = random_scale(r, x->spread / STEPS), zero[i] = below(r, 256);
  const char *s = random_floats(r, (int)n, scale), *z = random_new_constant(r), *y;
  random_say(r, "const %s u8 [%d] = %s", z, (int)n, random_ints(r, "{}", (int)n, zero));
  y = random_new_value(r);
  random_say(r, "%s = QuantizeLinear(%s, %s, %s) axis=%d", y, x->name, s, z, one_in(r, 2) ? 1 : 1 - x->shape.rank);
  random_say(r, "%s = DequantizeLinear(%s, %s, %s)", random_new_value(r), y, s, z);
  V facts = facts_of(x, 1, x->spread / STEPS * 2);
  facts.exact = facts.settles = x->settles;
  const V *v = random_keep_as(r, first, OP_DequantizeLinear, facts);
  return v && random_finish(r, v);
}

/* By 16 bits, and back. */
static bool by_16_bits(R *r) {
  V *x = numbers(r, 0, 5);
  int first = r->n_line;
  if (!x) return false;
  float scale = random_scale(r, x->spread / 8000);
  const char *s = random_scale_text(r, scale), *z = random_new_constant(r), *y;
  bool is_signed = one_in(r, 2);
  random_say(r, "const %s %s [] = {%d}", z, is_signed ? "i16" : "u16", is_signed ? 0 : 32768);
  y = random_new_value(r);
  random_say(r, "%s = QuantizeLinear(%s, %s, %s)", y, x->name, s, z);
  random_say(r, "%s = DequantizeLinear(%s, %s, %s)", random_new_value(r), y, s, z);
  V facts = facts_of(x, 1, (double)scale);
  facts.exact = facts.settles = x->settles;
  const V *v = random_keep_as(r, first, OP_DequantizeLinear, facts);
  return v && random_finish(r, v);
}

/* ==== two operands ==== */

/* A quantised constant as a number each. */
static const char *constant_numbers(R *r, const Shape *s, double spread) {
  V p = random_parameters(r, spread, false);
  int64_t d[MAX_RANK];
  for (int i = 0; i < s->rank; i++) d[i] = s->d[i];
  const char *c = random_new_constant(r), *scale, *zero, *y;
  random_say(r, "const %s %s %s = random %d %d %d", c, type_name(p.type), random_ints(r, "[]", s->rank, d), 1 + below(r, 1000),
             (int)type_lowest(p.type), (int)type_lowest(p.type) + 256);
  scale = random_scale_text(r, p.scale), zero = random_zero_text(r, p.type, p.zero), y = random_new_value(r);
  if (strcmp(zero, "_") == 0) random_say(r, "%s = DequantizeLinear(%s, %s)", y, c, scale);
  else random_say(r, "%s = DequantizeLinear(%s, %s, %s)", y, c, scale, zero);
  return y;
}

/* Fp32 beside an operand: dequantised, or not. */
static V *float_value(R *r, int rank) {
  V *v = one_in(r, 4) ? (V *)random_any(r, T_F32, 0, rank) : NULL;
  return v ? v : numbers(r, 0, rank);
}

static bool binary(R *r) {
  static const Op ops[] = {OP_Add, OP_Add, OP_Add, OP_Mul, OP_Mul, OP_Sub, OP_Max, OP_Min};
  Op op = ops[below(r, (int)COUNT(ops))];
  V *a = numbers(r, 0, 5), *b = a && !one_in(r, 4) ? float_value(r, a->shape.rank) : NULL;
  if (!a) return false;
  int first = r->n_line;
  double spread = a->spread;
  const char *arg;
  if (b) {
    arg = b->name, spread = b->spread;
  } else {
    Shape s = random_smaller_shape(r, &a->shape);
    arg = one_in(r, 3) ? random_constant(r, &s, spread) : constant_numbers(r, &s, spread);
  }
  bool product = op == OP_Mul;
  V facts = product ? facts_of(a, spread * 3, b ? 3 * b->slack * a->spread : 0) : facts_of(a, 1, b ? b->slack : 0);
  facts.spread = product ? a->spread * spread : a->spread + spread;
  facts.magnitude = product ? a->magnitude * 8 * spread : a->magnitude + 8 * spread;
  facts.exact = a->exact && (!b || b->exact);
  facts.settles = facts.exact;
  if (facts.spread > 1e6 || facts.spread < 1e-9) return false;
  bool swap = one_in(r, 2);
  random_say(r, "%s = %s(%s, %s)", random_new_value(r), op_info[op].name, swap ? arg : a->name, swap ? a->name : arg);
  const V *y = random_keep_as(r, first, op, facts);
  return y && random_finish(r, y);
}

/* ==== pools ==== */

/* An average is of integers if it is quantised and nobody else reads it: it has no name then. */
static bool finish_average(R *r, int first, Op op, const char *y, const V *x, V facts) {
  facts.exact = false;
  facts.settles = x->exact;
  if (one_in(r, 6)) {
    facts.settles = false;
    return random_keep_as(r, first, op, facts);
  }
  if (one_in(r, 4)) {
    const char *sum = y;
    random_say(r, "%s = Relu(%s)", y = random_new_value(r), sum);
  }
  V to = random_parameters(r, facts.spread, false);
  return quantize_from(r, first, y, &facts, &to);
}

static bool pool(R *r) {
  V *x = numbers(r, 3, 5);
  if (!x) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  bool max = one_in(r, 2);
  RandomWindow w = random_window(r, rank, true);
  const char *y = random_new_value(r), *include = !max && one_in(r, 2) ? " count_include_pad=1" : "";
  bool ceiling = !*include && one_in(r, 4); /* of integers, a window that counts padding counts what lies behind it as well */
  if (!max && one_in(r, 6))
    for (int i = 0; i < rank; i++) w.kernel[i] = x->shape.d[2 + i], w.pad[i] = w.pad[rank + i] = 0;
  random_say(r, "%s = %s(%s) kernel_shape=%s %s ceil_mode=%d%s", y, max ? "MaxPool" : "AveragePool", x->name,
             random_ints(r, "[]", rank, w.kernel), random_window_text(r, &w, rank, max), ceiling, include);
  V facts = facts_of(x, 1, 1e-5 * x->spread);
  if (!max) return finish_average(r, first, OP_AveragePool, y, x, facts);
  const V *v = random_keep_as(r, first, OP_MaxPool, facts);
  return v && random_finish(r, v);
}

static bool mean(R *r) {
  V *x = numbers(r, 3, 5);
  if (!x) return false;
  int first = r->n_line;
  const char *y = random_new_value(r);
  V facts = facts_of(x, 1, 1e-5 * x->spread);
  facts.spread *= 0.3;
  if (x->shape.rank == 4 && one_in(r, 3)) {
    const char *axes = random_int_list(r, 2, (int64_t[]){one_in(r, 2) ? 2 : -2, 3});
    random_say(r, "%s = ReduceMean(%s, %s) keepdims=%d", y = random_new_value(r), x->name, axes, one_in(r, 2));
    return finish_average(r, first, OP_ReduceMean, y, x, facts);
  }
  if (one_in(r, 4)) {
    random_say(r, "%s = GlobalMaxPool(%s)", y, x->name);
    facts.exact = facts.settles = x->exact;
    const V *v = random_keep_as(r, first, OP_GlobalMaxPool, facts);
    return v && random_finish(r, v);
  }
  random_say(r, "%s = GlobalAveragePool(%s)", y, x->name);
  return finish_average(r, first, OP_GlobalAveragePool, y, x, facts);
}

/* ==== side by side ==== */

/* Of unlike scales, one of them mostly the result's. */
static bool concat(R *r) {
  V *first_bytes = random_bytes(r, 2, 5), *part[3] = {first_bytes ? random_dequantized(r, first_bytes) : NULL};
  if (!part[0]) return false;
  int first, n = 1, wanted = 2 + below(r, 2), axis = one_in(r, 3) ? random_axis(r, part[0]) : 1;
  for (int k = 0; k < 20 && n < wanted; k++) {
    V *q = random_bytes(r, part[0]->shape.rank, part[0]->shape.rank);
    bool fits = q && axis > 0;
    for (int i = 0; fits && i < q->shape.rank; i++) fits = i == axis || q->shape.d[i] == part[0]->shape.d[i];
    if (fits && (part[n] = random_dequantized(r, q))) n++;
  }
  first = r->n_line;
  if (n < 2) return false;
  V facts = facts_of(part[0], 1, 0);
  const char *list = part[0]->name;
  for (int i = 1; i < n; i++) {
    list = format_text(r->cx, "%s, %s", list, part[i]->name);
    facts.exact = facts.exact && part[i]->exact;
    facts.slack = fmax(facts.slack, part[i]->slack), facts.spread = fmax(facts.spread, part[i]->spread);
    facts.magnitude = fmax(facts.magnitude, part[i]->magnitude);
  }
  facts.settles = facts.exact;
  random_say(r, "%s = Concat(%s) axis=%d", random_new_value(r), list, axis);
  const V *y = random_keep_as(r, first, OP_Concat, facts);
  if (!y || one_in(r, 3)) return y && random_finish(r, y);
  V to = *first_bytes;
  return random_quantize(r, y, &to);
}

/* ==== fp32 in between ==== */

static bool island(R *r) {
  V *x = float_value(r, 5);
  int first = r->n_line, rank = x ? x->shape.rank : 0;
  if (!x || rank < 2) return false;
  V facts = facts_of(x, 1, 1e-4 * x->spread);
  facts.exact = facts.settles = false;
  Op op = one_in(r, 2) ? OP_Softmax : OP_BatchNormalization;
  if (op == OP_Softmax) {
    random_say(r, "%s = Softmax(%s) axis=%d", random_new_value(r), x->name, rank - 1);
    facts.spread = 0.5, facts.slack = fmin(1, 3 * x->slack), facts.magnitude = 1;
  } else {
    Shape s = {.rank = 1, .d = {x->shape.d[1]}};
    if (s.d[0] < 0) return false;
    const char *scale = random_constant(r, &s, 2), *bias = random_constant(r, &s, x->spread), *mean_ = random_constant(r, &s, x->spread);
    const char *var = random_constant_between(r, &s, 0.5, 2);
    random_say(r, "%s = BatchNormalization(%s, %s, %s, %s, %s)", random_new_value(r), x->name, scale, bias, mean_, var);
    facts.slack *= 3, facts.magnitude *= 5;
  }
  const V *y = random_keep_as(r, first, op, facts);
  return y && random_finish(r, y);
}

/* ==== inputs, and all ==== */

static int64_t channels(R *r) {
  static const int64_t often[] = {1, 2, 3, 3, 4, 5, 8, 12, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 100, 129};
  return one_in(r, 4) ? 4 * r->lanes : often[below(r, (int)COUNT(often))];
}

/* Images of floats, which are quantised; seldom of integers. */
void random_quantized_inputs(R *r) {
  int n = 1 + one_in(r, 3);
  for (int i = 0; i < n; i++) {
    Shape s = {.rank = i == 0 ? 4 : r->value[0].shape.rank, .d = {1 + one_in(r, 4), channels(r)}};
    if (i == 0 && one_in(r, 4)) s.rank = one_in(r, 3) ? 2 : one_in(r, 2) ? 3 : 5;
    int most = s.rank == 3 ? 60 : s.rank == 5 ? 6 : s.d[1] > 40 ? 9 : 20;
    for (int k = 2; k < s.rank; k++) s.d[k] = one_in(r, 8) ? 1 : 1 + below(r, most);
    if (i > 0 && one_in(r, 2)) s = r->value[0].shape;
    if (r->symbolic) s.d[0] = -1;
    V p = random_parameters(r, 1, false);
    bool bytes = one_in(r, 5);
    random_input(r, bytes ? p.type : T_F32, s);
    V *v = &r->value[r->n_value - 1];
    v->settles = true, v->spread = 1;
    if (bytes) v->scale = p.scale, v->zero = p.zero, v->spread = random_spread(&p), v->magnitude = 256 * (double)p.scale;
    else random_quantize(r, v, &p);
  }
}

bool random_quantized_node(R *r) {
  static bool (*const propose[])(R *) = {
    random_sums, random_sums, random_sums, random_sums, random_sums, random_sums, random_sums, random_sums, random_sums, random_sums,
    random_sums, binary, binary, binary, binary, unary, unary, gated, again, pool, pool, pool, mean, mean,
    random_turn, random_view, random_slice, random_pad, random_resize, concat, concat, random_split, random_axes, random_pick,
    narrow, by_channel, by_16_bits, island, random_quantized_operator,
  };
  return propose[below(r, (int)COUNT(propose))](r);
}
