/* random_sums.c: convolutions and products of quantised numbers. The scales of a result are such that its elements spread over its
 * range, whatever their number of terms. */
#include "random_nodes.h"

#include <math.h>
#include <string.h>

enum { MOST_CHANNELS = 100, MOST_TERMS = 3000 };

/* ==== weights and bias ==== */

typedef struct Weights {
  const char *name;      /* of the numbers, or of the integers */
  const char *scale, *zero; /* constants; zero: NULL: left out */
  Type type;
  int64_t channels;
  int count;             /* of scales: one, or one a channel */
  float unit[MOST_CHANNELS];
  double gain;           /* the usual size of a sum for one of what is summed */
  bool known;            /* they are integers, which the pass finds */
  bool turned;           /* they are stored with their first axis last */
} Weights;

static const char *shape_text_of(R *r, const Shape *s) {
  int64_t d[MAX_RANK];
  for (int i = 0; i < s->rank; i++) d[i] = s->d[i];
  return random_ints(r, "[]", s->rank, d);
}

static const char *zeros(R *r, Weights *w, int middle) {
  int64_t zero[MOST_CHANNELS];
  int kind = below(r, 6);
  for (int c = 0; c < w->count; c++) {
    zero[c] = kind < 3 ? middle : kind == 3 ? middle + below(r, 9) - 4 : kind == 4 && c > 0 ? zero[0] : (int)type_lowest(w->type) + below(r, 256);
  }
  const char *c = random_new_constant(r);
  random_say(r, "const %s %s [%d] = %s", c, type_name(w->type), w->count, random_ints(r, "{}", w->count, zero));
  double lean = fabs((double)zero[0] - middle);
  w->gain = lean > 5 ? w->gain * 2 : w->gain;
  return c;
}

/* The statement of the integers; with channels last if they are to be turned. */
static void say_integers(R *r, const Weights *w, const Shape *s, int lo, int hi) {
  Shape stored = *s;
  for (int k = 0; w->turned && k < s->rank; k++) stored.d[k] = s->d[(k + 1) % s->rank];
  random_say(r, "const %s %s %s = random %d %d %d", w->name, type_name(w->type), shape_text_of(r, &stored), 1 + below(r, 1000), lo, hi);
}

/* Integers and their parameters, of `terms` a sum. */
static void make_integers(R *r, Weights *w, const Shape *s, int64_t terms) {
  int middle = w->type == T_U8 ? 128 : 0, narrow = one_in(r, 4) ? 64 : 128;
  float about = random_scale(r, one_in(r, 4) ? 1 : 0.01);
  for (int c = 0; c < w->count; c++) w->unit[c] = w->count > 1 ? random_scale(r, (double)about) : about;
  w->name = random_new_constant(r);
  say_integers(r, w, s, middle - narrow, middle + narrow);
  w->gain = (double)about * 75 * sqrt((double)terms);
  w->scale = w->count > 1 ? random_floats(r, w->count, w->unit) : random_scale_text(r, about);
  w->zero = w->type == T_I8 && one_in(r, 4) ? NULL : zeros(r, w, middle);
}

/* Numbers, as a DequantizeLinear of constants, of a QuantizeLinear, or of a Clip, or as they are. */
static void dequantize_weights(R *r, Weights *w, int axis, int rank) {
  const char *axis_text = w->count > 1 || one_in(r, 2) ? format_text(r->cx, " axis=%d", one_in(r, 3) ? axis - rank : axis) : "";
  const char *q = w->name;
  if (one_in(r, 6)) {
    const char *lo = random_new_constant(r);
    random_say(r, "const %s %s [] = {%d}", lo, type_name(w->type), (int)type_lowest(w->type) + 1);
    const char *hi = random_new_constant(r);
    random_say(r, "const %s %s [] = {%d}", hi, type_name(w->type), (int)type_lowest(w->type) + 255);
    random_say(r, "%s = Clip(%s, %s, %s)", random_new_value(r), q, lo, hi);
    q = format_text(r->cx, "v%d", r->n_line - 1);
  }
  w->name = random_new_value(r);
  if (w->zero) random_say(r, "%s = DequantizeLinear(%s, %s, %s)%s", w->name, q, w->scale, w->zero, axis_text);
  else random_say(r, "%s = DequantizeLinear(%s, %s)%s", w->name, q, w->scale, axis_text);
  if (!w->turned) return;
  int64_t perm[MAX_RANK];
  for (int k = 0; k < rank; k++) perm[k] = (k + rank - 1) % rank;
  q = w->name;
  random_say(r, "%s = Transpose(%s) perm=%s", w->name = random_new_value(r), q, random_ints(r, "[]", rank, perm));
}

static void from_floats(R *r, Weights *w, const Shape *s) {
  double most = 127 * (double)w->unit[0];
  const char *f = random_constant(r, s, most), *q = random_new_value(r);
  if (w->zero) random_say(r, "%s = QuantizeLinear(%s, %s, %s) axis=0", q, f, w->scale, w->zero);
  else random_say(r, "%s = QuantizeLinear(%s, %s) axis=0 output_dtype=3", q, f, w->scale);
  w->name = q;
}

static Weights make_weights(R *r, const Shape *s, int axis, int64_t channels, int64_t terms, bool numbers) {
  Weights w = {.type = one_in(r, 3) ? T_U8 : T_I8, .channels = channels, .known = true};
  w.count = channels <= MOST_CHANNELS && one_in(r, 2) ? (int)channels : 1;
  w.turned = numbers && axis == 0 && one_in(r, 8);
  make_integers(r, &w, s, terms);
  if (!numbers) return w;
  if (axis == 0 && !w.turned && one_in(r, 6)) from_floats(r, &w, s);
  if (w.turned) {
    dequantize_weights(r, &w, s->rank - 1, s->rank);
  } else if (one_in(r, 16)) {
    w.name = random_constant(r, s, 127 * (double)w.unit[0]);
    w.known = false;
  } else {
    dequantize_weights(r, &w, axis, s->rank);
  }
  return w;
}

static float unit_of(const Weights *w, int64_t c) { return w->unit[w->count > 1 ? c : 0]; }

/* Integers of a bias, in size like the sums. */
static const char *bias_integers(R *r, const Weights *w, int64_t terms) {
  int64_t list[MOST_CHANNELS], most = 75 * 75 * (int64_t)sqrt((double)terms) + 1;
  for (int64_t c = 0; c < w->channels; c++) list[c] = below(r, (int)(2 * most)) - most;
  const char *b = random_new_constant(r);
  random_say(r, "const %s i32 [%d] = %s", b, (int)w->channels, random_ints(r, "{}", (int)w->channels, list));
  return b;
}

/* Numbers: of integers with the scale of the sums, or another, or as they are. NULL: none. */
static const char *make_bias(R *r, const Weights *w, float sx, int64_t terms) {
  float unit[MOST_CHANNELS];
  int kind = below(r, 6);
  if (kind == 0 || w->channels > MOST_CHANNELS) return NULL;
  Shape s = {.rank = 1, .d = {w->channels}};
  if (kind == 1) return random_constant(r, &s, w->gain * (double)sx * 50);
  float factor = kind == 2 ? 1.25f : 1;
  for (int64_t c = 0; c < w->channels; c++) unit[c] = sx * unit_of(w, c) * factor;
  const char *b = bias_integers(r, w, terms);
  const char *scale = w->count > 1 ? random_floats(r, (int)w->channels, unit) : random_scale_text(r, unit[0]);
  const char *y = random_new_value(r);
  random_say(r, "%s = DequantizeLinear(%s, %s)%s", y, b, scale, w->count > 1 ? " axis=0" : "");
  return y;
}

/* What is summed from x. */
static V sum_facts(const V *x, const Weights *w) {
  V f = *x;
  f.scale = 0, f.dequantized = f.origin = 0;
  f.exact = f.settles = x->exact && w->known;
  f.spread = x->spread * w->gain;
  f.slack = 5 * x->slack * w->gain + 1e-5 * f.spread;
  f.magnitude = 4 * f.spread;
  return f;
}

static const char *third(R *r, const char *b) { return b ? format_text(r->cx, ", %s", b) : ""; }

/* ==== convolutions ==== */

typedef struct ConvShape {
  RandomWindow w;
  Shape weights;
  int64_t group, terms;
} ConvShape;

static bool conv_shape(R *r, const V *x, ConvShape *c) {
  static const int64_t usual[] = {1, 3, 4, 8, 15, 16, 17, 24, 32, 33, 40, 64, 65, 80};
  int rank = x->shape.rank - 2;
  int64_t channels = x->shape.d[1], out;
  if (channels < 1) return false;
  c->group = one_in(r, 2) ? 1 : random_group(r, channels);
  c->w = random_window(r, rank, false);
  out = one_in(r, 3) ? 4 * r->lanes * (1 + one_in(r, 3)) : usual[below(r, (int)COUNT(usual))]; /* often whole blocks */
  if (c->group > 1) out = c->group * (c->group > 8 ? 1 + one_in(r, 4) : 1 + below(r, 8));
  c->weights = (Shape){.rank = rank + 2, .d = {out, channels / c->group}};
  c->terms = channels / c->group;
  for (int i = 0; i < rank; i++) {
    if (one_in(r, 3)) c->w.kernel[i] = 1, c->w.pad[i] = c->w.pad[rank + i] = 0;
    c->weights.d[2 + i] = c->w.kernel[i], c->terms *= c->w.kernel[i];
  }
  return c->terms > 0 && c->terms <= MOST_TERMS && out >= 1;
}

static bool conv_transpose(R *r) {
  V *q = random_bytes(r, 3, 4), *x = q ? random_dequantized(r, q) : NULL;
  if (!x || x->shape.d[1] < 1) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  RandomWindow w = random_window(r, rank, false);
  Shape s = {.rank = rank + 2, .d = {x->shape.d[1], 1 + below(r, 20)}};
  int64_t terms = s.d[0];
  for (int i = 0; i < rank; i++) s.d[2 + i] = w.kernel[i], w.stride[i] = 1 + w.stride[i] % 3, terms *= w.kernel[i];
  if (terms > MOST_TERMS) return false;
  Weights weights = make_weights(r, &s, 1, s.d[1], terms, true);
  const char *b = make_bias(r, &weights, q->scale, terms);
  random_say(r, "%s = ConvTranspose(%s, %s%s) %s", random_new_value(r), x->name, weights.name, third(r, b),
             random_window_text(r, &w, rank, true));
  weights.known = false;
  const V *y = random_keep_as(r, first, OP_ConvTranspose, sum_facts(x, &weights));
  return y && random_finish(r, y);
}

/* Two of the same weights, by one DequantizeLinear. */
static bool conv_twice(R *r) {
  V *q = random_bytes(r, 4, 4), *x = q ? random_dequantized(r, q) : NULL, *other = q ? random_bytes(r, 4, 4) : NULL;
  V *z = other ? random_dequantized(r, other) : NULL;
  if (!x || !z || other == q || x->shape.d[1] != z->shape.d[1] || x->shape.d[1] > 200) return false;
  int first = r->n_line;
  Shape s = {.rank = 4, .d = {1 + below(r, 70), x->shape.d[1], 1, 1}};
  Weights w = make_weights(r, &s, 0, s.d[0], s.d[1], true);
  const char *b = make_bias(r, &w, q->scale, s.d[1]);
  random_say(r, "%s = Conv(%s, %s%s)", random_new_value(r), x->name, w.name, third(r, b));
  V *y = random_keep_as(r, first, OP_Conv, sum_facts(x, &w));
  if (!y) return false;
  random_finish(r, y);
  first = r->n_line;
  random_say(r, "%s = Conv(%s, %s%s)", random_new_value(r), z->name, w.name, third(r, b));
  V facts = sum_facts(z, &w);
  facts.spread += y->spread; /* the bias is in the units of the first */
  y = random_keep_as(r, first, OP_Conv, facts);
  return y && random_finish(r, y);
}

static bool conv(R *r) {
  V *q = random_bytes(r, 3, 5), *x = q ? random_dequantized(r, q) : NULL;
  ConvShape c;
  int first = r->n_line;
  if (!x || !conv_shape(r, x, &c)) return false;
  Weights w = make_weights(r, &c.weights, 0, c.weights.d[0], c.terms, true);
  const char *b = make_bias(r, &w, q->scale, c.terms);
  random_say(r, "%s = Conv(%s, %s%s) %s group=%lld", random_new_value(r), x->name, w.name, third(r, b),
             random_window_text(r, &c.w, x->shape.rank - 2, true), (long long)c.group);
  const V *y = random_keep_as(r, first, OP_Conv, sum_facts(x, &w));
  return y && random_finish(r, y);
}

static const char *weight_pair(R *r, const Weights *w) {
  const char *zero = w->zero;
  if (!zero) {
    zero = random_new_constant(r);
    random_say(r, "const %s %s [%d] = splat 0", zero, type_name(w->type), w->count);
  }
  return format_text(r->cx, "%s, %s", w->scale, zero);
}

static bool qlinear_conv(R *r) {
  V *x = random_bytes(r, 3, 5);
  ConvShape c;
  int first = r->n_line;
  if (!x || !conv_shape(r, x, &c)) return false;
  Weights w = make_weights(r, &c.weights, 0, c.weights.d[0], c.terms, false);
  V sums = sum_facts(x, &w), to = random_parameters(r, sums.spread, false);
  const char *px = random_pair(r, x), *pw = weight_pair(r, &w), *py = random_pair(r, &to);
  const char *b = w.channels <= MOST_CHANNELS && !one_in(r, 4) ? bias_integers(r, &w, c.terms) : NULL;
  random_say(r, "%s = QLinearConv(%s, %s, %s, %s, %s%s) %s group=%lld", random_new_value(r), x->name, px, w.name, pw, py, third(r, b),
             random_window_text(r, &c.w, x->shape.rank - 2, true), (long long)c.group);
  return random_keep_as(r, first, OP_QLinearConv, random_bytes_facts(sums, &to));
}

/* ==== products ==== */

static bool gemm(R *r) {
  V *q = random_bytes(r, 2, 2), *x = q ? random_dequantized(r, q) : NULL;
  if (!x || x->shape.d[1] < 1 || x->shape.d[1] > MOST_TERMS) return false;
  int first = r->n_line;
  int64_t k = x->shape.d[1], n = one_in(r, 3) ? 1 + below(r, 100) : random_size(r);
  bool turned = one_in(r, 2);
  Shape s = {.rank = 2, .d = {turned ? n : k, turned ? k : n}};
  if (n < 1) return false;
  Weights w = make_weights(r, &s, turned ? 0 : 1, n, k, true);
  const char *b = make_bias(r, &w, q->scale, k);
  double alpha = one_in(r, 4) ? 0.3 : 1, beta = one_in(r, 8) ? 2 : 1;
  V facts = sum_facts(x, &w);
  if (b && beta != 1) facts.exact = facts.settles = false;
  random_say(r, "%s = Gemm(%s, %s%s) transB=%d alpha=%g beta=%g", random_new_value(r), x->name, w.name, third(r, b), turned, alpha, beta);
  const V *y = random_keep_as(r, first, OP_Gemm, facts);
  return y && random_finish(r, y);
}

static bool matmul(R *r) {
  V *q = random_bytes(r, 1, 4), *x = q ? random_dequantized(r, q) : NULL;
  int64_t k = x ? x->shape.d[x->shape.rank - 1] : 0, n = random_size(r);
  int first = r->n_line;
  if (k < 1 || k > MOST_TERMS || n < 1) return false;
  Shape s = {.rank = 2, .d = {k, n}};
  Weights w = make_weights(r, &s, 1, n, k, true);
  random_say(r, "%s = MatMul(%s, %s)", random_new_value(r), x->name, w.name);
  const V *y = random_keep_as(r, first, OP_MatMul, sum_facts(x, &w));
  return y && random_finish(r, y);
}

/* Two of run time: x times itself turned, as attention has it. */
static bool heads(R *r) {
  V *q = random_bytes(r, 3, 4), *x = q ? random_dequantized(r, q) : NULL;
  int64_t perm[MAX_RANK];
  int rank = x ? x->shape.rank : 0, first;
  if (!x) return false;
  for (int i = 0; i < rank; i++) perm[i] = i;
  perm[rank - 2] = rank - 1, perm[rank - 1] = rank - 2;
  const V *other = one_in(r, 2) ? random_dequantized(r, q) : x;
  first = r->n_line;
  const char *turned = random_new_value(r);
  random_say(r, "%s = Transpose(%s) perm=%s", turned, other ? other->name : x->name, random_ints(r, "[]", rank, perm));
  bool left = one_in(r, 2);
  random_say(r, "%s = MatMul(%s, %s)", random_new_value(r), left ? turned : x->name, left ? x->name : turned);
  Weights w = {.known = true, .gain = x->spread * sqrt((double)(x->shape.d[rank - 1] + x->shape.d[rank - 2])) * 1.5};
  const V *y = random_keep_as(r, first, OP_MatMul, sum_facts(x, &w));
  return y && random_finish(r, y);
}

static bool qgemm(R *r) {
  V *x = random_bytes(r, 2, 2);
  int64_t k = x ? x->shape.d[1] : 0, n = 1 + below(r, 70);
  int first = r->n_line;
  if (k < 1 || k > MOST_TERMS) return false;
  bool turned = one_in(r, 2), numbers = one_in(r, 3);
  Shape s = {.rank = 2, .d = {turned ? n : k, turned ? k : n}};
  Weights w = make_weights(r, &s, turned ? 0 : 1, n, k, false);
  V sums = sum_facts(x, &w), to = random_parameters(r, sums.spread, false);
  const char *px = random_pair(r, x), *pw = weight_pair(r, &w), *py = numbers ? NULL : random_pair(r, &to);
  const char *b = one_in(r, 4) ? "_" : bias_integers(r, &w, k);
  random_say(r, "%s = QGemm(%s, %s, %s, %s, %s%s) transB=%d", random_new_value(r), x->name, px, w.name, pw, b, third(r, py), turned);
  if (!numbers) return random_keep_as(r, first, OP_QGemm, random_bytes_facts(sums, &to));
  const V *y = random_keep_as(r, first, OP_QGemm, sums);
  return y && random_finish(r, y);
}

static bool qlinear_matmul(R *r) {
  V *x = random_bytes(r, 2, 3);
  int64_t k = x ? x->shape.d[x->shape.rank - 1] : 0, n = random_size(r);
  int first = r->n_line;
  if (k < 1 || k > MOST_TERMS || n < 1) return false;
  Shape s = {.rank = 2, .d = {k, n}};
  Weights w = make_weights(r, &s, 1, n, k, false);
  V sums = sum_facts(x, &w), to = random_parameters(r, sums.spread, false);
  const char *px = random_pair(r, x), *pw = weight_pair(r, &w), *py = random_pair(r, &to);
  random_say(r, "%s = QLinearMatMul(%s, %s, %s, %s, %s)", random_new_value(r), x->name, px, w.name, pw, py);
  return random_keep_as(r, first, OP_QLinearMatMul, random_bytes_facts(sums, &to));
}

/* ==== ranges of run time ==== */

/* DynamicQuantizeLinear -- ConvInteger or MatMulInteger -- Cast -- Mul, as quantize_dynamic writes them. */
static bool dynamic(R *r) {
  const V *x = random_any(r, T_F32, 2, 4);
  ConvShape c;
  if (!x || batched(x)) return false;
  int first = r->n_line, rank = x->shape.rank;
  bool conv_ = rank > 2 && one_in(r, 2);
  int64_t k = x->shape.d[rank - 1], n = random_size(r);
  Shape s = {.rank = 2, .d = {k, n}};
  if (conv_ ? !conv_shape(r, x, &c) : k < 1 || k > MOST_TERMS || n < 1) return false;
  Weights w = make_weights(r, conv_ ? &c.weights : &s, conv_ ? 0 : 1, conv_ ? c.weights.d[0] : n, conv_ ? c.terms : k, false);
  const char *zero = random_new_constant(r), *sum = format_text(r->cx, "i%d", r->n_line);
  random_say(r, "const %s %s [] = {%d}", zero, type_name(w.type), one_in(r, 3) ? below(r, 100) : w.type == T_U8 ? 128 : 0);
  random_say(r, "q%s, s%s, z%s = DynamicQuantizeLinear(%s)", sum, sum, sum, x->name);
  if (conv_) random_say(r, "%s = ConvInteger(q%s, %s, z%s, %s) %s group=%lld", sum, sum, w.name, sum, zero,
                        random_window_text(r, &c.w, rank - 2, true), (long long)c.group);
  else random_say(r, "%s = MatMulInteger(q%s, %s, z%s, %s)", sum, sum, w.name, sum, zero);
  const char *unit = random_scale_text(r, w.unit[0]);
  random_say(r, "f%s = Cast(%s) to=1", sum, sum);
  random_say(r, "u%s = Mul(s%s, %s)", sum, sum, unit);
  random_say(r, "%s = Mul(f%s, u%s)", random_new_value(r), sum, sum);
  V facts = sum_facts(x, &w);
  facts.slack = 5 * w.gain * (x->slack + x->spread * 0.05);
  const V *y = random_keep_as(r, first, OP_Mul, facts);
  return y && random_finish(r, y);
}

bool random_sums(R *r) {
  static bool (*const propose[])(R *) = {
    conv, conv, conv, conv, conv, conv, conv, gemm, gemm, gemm, matmul, matmul, heads, qlinear_conv, qlinear_matmul, dynamic,
    conv_transpose, conv_twice, qgemm,
  };
  return propose[below(r, (int)COUNT(propose))](r);
}
