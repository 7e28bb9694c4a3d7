/* bounds.c: Slice and Pad whose bounds are known at run time only. The result has the declared shape;
 * index i along axis k of it comes from index start + i step of the input, brought into range, so that
 * bounds which contradict the declaration give wrong elements but touch no foreign memory. Sums of bounds wrap: whoever
 * calls may give any. */
#include "emit.h"

#include <llvm-c/Core.h>

typedef struct Bounds {
  Emit *e;
  const Node *n;
  const Shape *x, *y;
  Ref src, dst, fill;              /* fill: where the padding value is; NULL: there is none */
  Ref start[MAX_RANK], step[MAX_RANK];
  PadMode mode;
} Bounds;

/* ==== the arguments ==== */

static bool has_argument(const Node *n, int input) { return input < n->n_in && n->in[input]; }

static Ref argument(Emit *e, const Node *n, int input, int64_t i) {
  return LLVMBuildSExt(e->b, load_element(e, n->in[input], const_i64(e, i)), e->i64, "");
}

/* Element j + offset of the argument if entry j is about axis k, the value so far if not. */
static Ref if_axis(Bounds *b, int axes, int k, int64_t j, int input, int64_t offset, Ref so_far) {
  Emit *e = b->e;
  Ref axis = has_argument(b->n, axes) ? argument(e, b->n, axes, j) : const_i64(e, j);
  axis = from_end(e, axis, b->x->rank);
  Ref value = argument(e, b->n, input, j + offset);
  return choose(e, LLVMBuildICmp(e->b, LLVMIntEQ, axis, const_i64(e, k), ""), value, so_far);
}

/* Inputs starts 1, ends 2, axes 3, steps 4. */
static void read_slice(Bounds *b) {
  Emit *e = b->e;
  int64_t count = shape_count(&b->n->in[1]->shape);
  for (int k = 0; k < b->x->rank; k++) {
    Ref start = const_i64(e, 0), step = const_i64(e, 1);
    for (int64_t j = 0; j < count; j++) {
      start = if_axis(b, 3, k, j, 1, 0, start);
      if (has_argument(b->n, 4)) step = if_axis(b, 3, k, j, 4, 0, step);
    }
    b->start[k] = clamp_i(e, from_end(e, start, b->x->d[k]), const_i64(e, b->x->d[k] - 1));
    b->step[k] = step;
  }
}

/* Inputs pads 1, value 2, axes 3. */
static void read_pad(Bounds *b) {
  Emit *e = b->e;
  int64_t count = shape_count(&b->n->in[1]->shape) / 2;
  for (int k = 0; k < b->x->rank; k++) {
    Ref before = const_i64(e, 0);
    for (int64_t j = 0; j < count; j++) before = if_axis(b, 3, k, j, 1, 0, before);
    b->start[k] = LLVMBuildNeg(e->b, before, "");
    b->step[k] = const_i64(e, 1);
  }
}

/* ==== the elements ==== */

/* The index inside an axis of d elements that index i, maybe outside, stands for. */
static Ref source_index(const Bounds *b, Ref i, int64_t d) {
  Emit *e = b->e;
  if (b->n->op == OP_Pad && d > 0) i = pad_index(e, b->mode, i, d);
  return clamp_i(e, i, const_i64(e, d - 1));
}

static Ref is_inside(Emit *e, Ref i, int64_t d) { /* as unsigned, what is negative is large */
  return LLVMBuildICmp(e->b, LLVMIntULT, i, const_i64(e, d), "");
}

static void put_element(const Bounds *b, Ref from, Ref to, Ref inside) {
  Emit *e = b->e;
  int size = (int)type_size(b->n->in[0]->type);
  LLVMTypeRef type = llvm_type(e, b->n->in[0]->type);
  Ref dst = gep(e, b->dst, to, size);
  If s;
  store(e, b->fill ? load(e, type, b->fill, 0, size) : LLVMConstNull(type), dst, 0, size);
  if_begin(e, &s, inside);
  store(e, load(e, type, gep(e, b->src, from, size), 0, size), dst, 0, size);
  if_end(e, &s);
}

/* The loops over axis k and those behind it; from and to are the elements so far. */
static void copy_axis(const Bounds *b, int k, Ref from, Ref to, Ref inside) {
  Emit *e = b->e;
  if (k == b->y->rank) {
    put_element(b, from, to, inside);
    return;
  }
  Loop l;
  loop_begin(e, &l, const_i64(e, 0), const_i64(e, b->y->d[k]), 1, 0, NULL);
  Ref i = LLVMBuildAdd(e->b, b->start[k], LLVMBuildMul(e->b, l.i, b->step[k], ""), "");
  if (b->n->op == OP_Pad && b->mode == PAD_CONSTANT)
    inside = LLVMBuildAnd(e->b, inside, is_inside(e, i, b->x->d[k]), "");
  from = add_i(e, mul_i(e, from, b->x->d[k]), source_index(b, i, b->x->d[k]));
  copy_axis(b, k + 1, from, add_i(e, mul_i(e, to, b->y->d[k]), l.i), inside);
  loop_end(e, &l);
}

void emit_bounds(Emit *e, Node *n) {
  Bounds b = {.e = e, .n = n, .x = &n->in[0]->shape, .y = &n->out[0]->shape};
  only_task_zero(e);
  b.src = value_ptr(e, n->in[0]);
  b.dst = value_ptr(e, n->out[0]);
  if (n->op == OP_Pad) {
    b.mode = n->p.mode;
    if (has_argument(n, 2)) b.fill = value_ptr(e, n->in[2]);
    read_pad(&b);
  } else {
    read_slice(&b);
  }
  bool any = shape_count(b.x) > 0;
  copy_axis(&b, 0, const_i64(e, 0), const_i64(e, 0), LLVMConstInt(e->i1, any, false));
}
