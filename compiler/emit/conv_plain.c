/* conv_plain.c: convolution, transposed or not, whose weights are known at run time only, whose windows lie in the padding for
 * the most part, or of a type that no other kernel has, on dense row-major tensors of one to three spatial axes: the equation as
 * it stands, one output at a time, the window clipped to the input. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { SPACE = 3 };

/* One of D, H, W, or what stands for it. */
typedef struct PlainAxis {
  int64_t in, out, kernel, stride, dilation, before;
} PlainAxis;

typedef struct PlainConv {
  Emit *e;
  Node *n;
  PlainAxis axis[SPACE];
  int64_t icg, ocg;
  bool transposed, integer;
  LLVMTypeRef sum;
  Ref x, w;
  Ref zero_x, zero_w;      /* of ConvInteger its zero points, that of the weights of the output channel; NULL: 0 */
} PlainConv;

/* Along one axis, what meets the input: turn i in [lo, hi) is tap number `tap` + i tap_step at the input's index `at` + i step. */
typedef struct Meeting {
  Ref lo, hi, at, tap;
  int64_t step, tap_step;
} Meeting;

static int64_t size_of(const PlainConv *p, int operand) { return (int64_t)type_size(p->n->in[operand]->type); }

/* An element of an operand at `at`, of an integer one less its zero point. */
static Ref element(const PlainConv *p, int operand, Ref at, Ref zero) {
  Emit *e = p->e;
  Type t = p->n->in[operand]->type;
  Ref v = load(e, llvm_type(e, t), at, 0, (int)size_of(p, operand));
  if (!p->integer) return v;
  v = math_cast(e, v, t, T_I32);
  return zero ? LLVMBuildSub(e->b, v, zero, "") : v;
}

/* A zero point as i32; NULL: there is none. */
static Ref zero_point(const PlainConv *p, int operand, Ref channel) {
  Emit *e = p->e;
  const Node *n = p->n;
  if (!p->integer || operand + 2 >= n->n_in || !n->in[operand + 2]) return NULL;
  const Value *z = n->in[operand + 2];
  return element(p, operand, gep(e, value_ptr(e, z), shape_count(&z->shape) > 1 ? channel : const_i64(e, 0), 1), NULL);
}

static Ref add_product(const PlainConv *p, Ref value, Ref weight, Ref sum) {
  Emit *e = p->e;
  return p->integer ? LLVMBuildAdd(e->b, sum, LLVMBuildMul(e->b, value, weight, ""), "") : fma_(e, value, weight, sum);
}

/* Taps k of 0..count-1 with 0 <= start + k*dilation < size, as [lo, hi), or lo >= hi if there are none. */
static void clip_taps(Emit *e, Ref start, int64_t count, int64_t dilation, int64_t size, Ref *lo, Ref *hi) {
  Ref zero = const_i64(e, 0), d = const_i64(e, dilation), all = const_i64(e, count);
  Ref before = LLVMBuildSDiv(e->b, add_i(e, LLVMBuildNeg(e->b, start, ""), const_i64(e, dilation - 1)), d, "");
  Ref negative = LLVMBuildICmp(e->b, LLVMIntSLT, start, zero, "");
  *lo = LLVMBuildSelect(e->b, negative, before, zero, "");
  Ref room = LLVMBuildSub(e->b, const_i64(e, size + dilation - 1), start, "");
  Ref end = LLVMBuildSDiv(e->b, room, d, "");
  Ref none = LLVMBuildICmp(e->b, LLVMIntSLT, room, zero, "");
  end = LLVMBuildSelect(e->b, none, zero, end, "");
  *hi = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, end, all, ""), end, all, "");
}

/* Of the axis' result number o. */
static Meeting meet(const PlainConv *p, const PlainAxis *a, Ref o) {
  Emit *e = p->e;
  Meeting m = {.tap = const_i64(e, 0), .step = a->dilation, .tap_step = 1};
  m.at = add_i(e, mul_i(e, o, a->stride), const_i64(e, -a->before));
  clip_taps(e, m.at, a->kernel, a->dilation, a->in, &m.lo, &m.hi);
  return m;
}

/* x with a x = 1 modulo m, which have no common divisor (extended Euclidean algorithm). */
static int64_t inverse_modulo(int64_t a, int64_t m) {
  int64_t x = 1, y = 0, b = m;
  for (a %= m; b;) {
    int64_t q = a / b, rest = a % b, next = x - q * y;
    a = b;
    b = rest;
    x = y;
    y = next;
  }
  return (x % m + m) % m;
}

/* Transposed: tap k of the input's index i is result i s - before + k d, so of all taps every s/g-th one meets result number o, g
 * being the greatest common divisor of s and d, and only where g divides o + before. */
static Meeting meet_transposed(const PlainConv *p, const PlainAxis *a, Ref o) {
  Emit *e = p->e;
  int64_t g = size_common_divisor(a->stride, a->dilation), apart = a->stride / g;
  Meeting m = {.step = -a->dilation / g, .tap_step = apart};
  Ref zero = const_i64(e, 0), place = add_i(e, o, const_i64(e, a->before)), whole = LLVMBuildUDiv(e->b, place, const_i64(e, g), "");
  Ref turns = LLVMBuildURem(e->b, whole, const_i64(e, apart), "");
  m.tap = LLVMBuildURem(e->b, mul_i(e, turns, inverse_modulo(a->dilation / g, apart)), const_i64(e, apart), "");
  m.at = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, place, mul_i(e, m.tap, a->dilation), ""), const_i64(e, a->stride), "");
  Ref taps = LLVMBuildSDiv(e->b, LLVMBuildSub(e->b, const_i64(e, a->kernel + apart - 1), m.tap, ""), const_i64(e, apart), "");
  Ref back = const_i64(e, -m.step), beyond = LLVMBuildSub(e->b, m.at, const_i64(e, a->in - 1), "");
  m.lo = LLVMBuildSDiv(e->b, add_i(e, max_i(e, beyond, zero), const_i64(e, -m.step - 1)), back, "");
  Ref until = LLVMBuildSDiv(e->b, add_i(e, max_i(e, m.at, const_i64(e, m.step)), back), back, "");
  m.hi = min_i(e, until, taps);
  Ref divides = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildURem(e->b, place, const_i64(e, g), ""), zero, "");
  m.hi = LLVMBuildSelect(e->b, divides, m.hi, zero, "");
  return m;
}

/* The loops over the axes from i on, `x` and `w` being the elements so far. */
static void sum_axis(const PlainConv *p, const Meeting *m, int i, Ref x, Ref w, Ref *acc) {
  Emit *e = p->e;
  if (i == SPACE) {
    Ref value = element(p, 0, gep(e, p->x, x, size_of(p, 0)), p->zero_x);
    acc[0] = add_product(p, value, element(p, 1, gep(e, p->w, w, size_of(p, 1)), p->zero_w), acc[0]);
    return;
  }
  Loop l;
  loop_begin(e, &l, m[i].lo, m[i].hi, 1, 1, acc);
  Ref at = add_i(e, m[i].at, mul_i(e, l.i, m[i].step)), tap = add_i(e, m[i].tap, mul_i(e, l.i, m[i].tap_step));
  sum_axis(p, m, i + 1, add_i(e, mul_i(e, x, p->axis[i].in), at), add_i(e, mul_i(e, w, p->axis[i].kernel), tap), acc);
  loop_end(e, &l);
}

/* The result at `place` of output channel oc, which begins with `start`. */
static Ref window_sum(const PlainConv *p, Ref image, Ref oc, const Ref *place, Ref start) {
  Emit *e = p->e;
  Meeting m[SPACE];
  Ref acc[1] = {start}, group = LLVMBuildSDiv(e->b, oc, const_i64(e, p->ocg), ""), channels = const_i64(e, p->icg);
  for (int i = 0; i < SPACE; i++) {
    m[i] = p->transposed ? meet_transposed(p, &p->axis[i], place[i]) : meet(p, &p->axis[i], place[i]);
    Ref some = LLVMBuildICmp(e->b, LLVMIntSLT, m[i].lo, m[i].hi, "");
    channels = LLVMBuildSelect(e->b, some, channels, const_i64(e, 0), "");
  }
  Loop c;
  loop_begin(e, &c, const_i64(e, 0), channels, 1, 1, acc);
  Ref channel = add_i(e, mul_i(e, group, p->icg), c.i);
  Ref x = add_i(e, mul_i(e, image, p->n->in[0]->shape.d[1]), channel), w = add_i(e, mul_i(e, oc, p->icg), c.i);
  if (p->transposed) w = add_i(e, mul_i(e, channel, p->ocg), LLVMBuildSRem(e->b, oc, const_i64(e, p->ocg), ""));
  sum_axis(p, m, 0, x, w, acc);
  loop_end(e, &c);
  return acc[0];
}

static PlainConv plain_conv(Emit *e, Node *n) {
  const Shape *w = &n->in[1]->shape;
  Volume x = volume_of(&n->in[0]->shape), y = volume_of(&n->out[0]->shape);
  const Window *k = &n->win;
  PlainConv p = {.e = e, .n = n, .transposed = n->op == OP_ConvTranspose, .integer = n->op == OP_ConvInteger,
                 .axis = {{x.d, y.d, k->kd, k->sd, k->dd, k->front}, {x.h, y.h, k->kh, k->sh, k->dh, k->top},
                          {x.w, y.w, k->kw, k->sw, k->dw, k->left}}};
  p.icg = p.transposed ? x.c / n->group : w->d[1];
  p.ocg = y.c / n->group;
  p.sum = p.integer ? e->i32 : llvm_type(e, n->in[0]->type);
  p.x = value_ptr(e, n->in[0]);
  p.w = value_ptr(e, n->in[1]);
  return p;
}

/* The loops over the axes from i on of the results of `plane`, which is an image's output channel. */
static void results_of_axis(const PlainConv *p, int i, Ref plane, Ref *place, Ref at, Ref start) {
  Emit *e = p->e;
  Node *n = p->n;
  if (i == SPACE) {
    Ref channels = const_i64(e, n->out[0]->shape.d[1]), oc = LLVMBuildSRem(e->b, plane, channels, "");
    Ref sum = window_sum(p, LLVMBuildSDiv(e->b, plane, channels, ""), oc, place, start);
    Ref row = LLVMBuildSDiv(e->b, at, const_i64(e, p->axis[SPACE - 1].out), "");
    int size = (int)type_size(n->out[0]->type);
    store(e, plain_steps(e, n, sum, row, place[SPACE - 1], 1, 1), gep(e, value_ptr(e, n->out[0]), at, size), 0, size);
    return;
  }
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, p->axis[i].out), 1, 0, NULL);
  place[i] = l.i;
  results_of_axis(p, i + 1, plane, place, add_i(e, mul_i(e, at, p->axis[i].out), l.i), start);
  loop_end(e, &l);
}

void emit_plain(Emit *e, Node *n) {
  PlainConv p = plain_conv(e, n);
  const Shape *y = &n->out[0]->shape;
  Ref bias = !p.integer && n->n_in > 2 && n->in[2] ? value_ptr(e, n->in[2]) : NULL, lo, hi, place[SPACE];
  int size = (int)size_of(&p, 0);
  task_range(e, y->d[0] * y->d[1], &lo, &hi);
  Loop plane;
  loop_begin(e, &plane, lo, hi, 1, 0, NULL);
  Ref oc = LLVMBuildSRem(e->b, plane.i, const_i64(e, y->d[1]), ""), start = LLVMConstNull(p.sum);
  if (bias) start = load(e, p.sum, gep(e, bias, oc, size), 0, size);
  p.zero_x = zero_point(&p, 0, NULL);
  p.zero_w = zero_point(&p, 1, oc);
  results_of_axis(&p, 0, plane.i, place, plane.i, start);
  loop_end(e, &plane);
}
