/* conv_plain.c: convolution whose weights are known at run time only, or whose windows lie in the padding for the most
 * part, on dense row-major tensors: the equation as it stands, one output at a time, the window clipped to the input. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct PlainConv {
  Emit *e;
  Node *n;
  const Window *win;
  const int64_t *in, *out; /* dimensions N, C, H, W */
  int64_t icg, ocg;
  bool integer;            /* ConvInteger */
  Ref x, w;
  Ref zero_x, zero_w;      /* its zero points, that of the weights of the output channel; NULL: 0 */
} PlainConv;

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

static Ref window_sum(const PlainConv *p, Ref image, Ref oc, Ref group, Ref y, Ref x, Ref start) {
  Emit *e = p->e;
  const Window *k = p->win;
  Ref acc[1] = {start}, lo_y, hi_y, lo_x, hi_x;
  Ref top = LLVMBuildSub(e->b, mul_i(e, y, k->sh), const_i64(e, k->top), "");
  Ref left = LLVMBuildSub(e->b, mul_i(e, x, k->sw), const_i64(e, k->left), "");
  clip_taps(e, top, k->kh, k->dh, p->in[2], &lo_y, &hi_y);
  clip_taps(e, left, k->kw, k->dw, p->in[3], &lo_x, &hi_x);
  Ref rows = LLVMBuildICmp(e->b, LLVMIntSLT, lo_y, hi_y, ""), columns = LLVMBuildICmp(e->b, LLVMIntSLT, lo_x, hi_x, "");
  Ref channels = LLVMBuildSelect(e->b, LLVMBuildAnd(e->b, rows, columns, ""), const_i64(e, p->icg), const_i64(e, 0), "");
  Loop c, i, j;
  loop_begin(e, &c, const_i64(e, 0), channels, 1, 1, acc);
  Ref channel = add_i(e, mul_i(e, group, p->icg), c.i);
  const Value *in = p->n->in[0], *weights = p->n->in[1];
  Ref plane = place_from(e, p->x, in, image, channel, NULL, NULL);
  Ref filter = place_from(e, p->w, weights, oc, c.i, NULL, NULL);
  loop_begin(e, &i, lo_y, hi_y, 1, 1, acc);
  Ref line = place_from(e, plane, in, NULL, NULL, add_i(e, top, mul_i(e, i.i, k->dh)), NULL);
  loop_begin(e, &j, lo_x, hi_x, 1, 1, acc);
  Ref x_at = place_from(e, line, in, NULL, NULL, NULL, add_i(e, left, mul_i(e, j.i, k->dw)));
  Ref value = element(p, 0, x_at, p->zero_x);
  Ref weight = element(p, 1, place_from(e, filter, weights, NULL, NULL, i.i, j.i), p->zero_w);
  acc[0] = add_product(p, value, weight, acc[0]);
  loop_end(e, &j);
  loop_end(e, &i);
  loop_end(e, &c);
  return acc[0];
}

void emit_plain(Emit *e, Node *n) {
  PlainConv p = {.e = e, .n = n, .integer = n->op == OP_ConvInteger, .win = &n->win, .in = n->in[0]->shape.d, .out = n->out[0]->shape.d};
  p.icg = n->in[1]->shape.d[1];
  p.ocg = p.out[1] / n->group;
  p.x = value_ptr(e, n->in[0]);
  p.w = value_ptr(e, n->in[1]);
  Ref bias = !p.integer && n->n_in > 2 && n->in[2] ? value_ptr(e, n->in[2]) : NULL, out = value_ptr(e, n->out[0]), lo, hi;
  int size = (int)type_size(n->out[0]->type);
  task_range(e, p.out[0] * p.out[1], &lo, &hi);
  Loop item, y, x;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  Ref image = LLVMBuildSDiv(e->b, item.i, const_i64(e, p.out[1]), "");
  Ref oc = LLVMBuildSRem(e->b, item.i, const_i64(e, p.out[1]), "");
  Ref group = LLVMBuildSDiv(e->b, oc, const_i64(e, p.ocg), "");
  Ref start = bias ? load(e, e->f32, gep(e, bias, oc, F32_BYTES), 0, F32_BYTES) : p.integer ? const_i32(e, 0) : const_f32(e, 0);
  p.zero_x = zero_point(&p, 0, NULL);
  p.zero_w = zero_point(&p, 1, oc);
  loop_begin(e, &y, const_i64(e, 0), const_i64(e, p.out[2]), 1, 0, NULL);
  loop_begin(e, &x, const_i64(e, 0), const_i64(e, p.out[3]), 1, 0, NULL);
  Ref line = place_from(e, place_from(e, out, n->out[0], NULL, item.i, NULL, NULL), n->out[0], NULL, NULL, y.i, NULL);
  Ref sum = window_sum(&p, image, oc, group, y.i, x.i, start), row = add_i(e, mul_i(e, item.i, p.out[2]), y.i);
  store(e, plain_steps(e, n, sum, row, x.i, 1, 1), place_from(e, line, n->out[0], NULL, NULL, NULL, x.i), 0, size);
  loop_end(e, &x);
  loop_end(e, &y);
  loop_end(e, &item);
}
