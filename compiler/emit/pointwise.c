/* pointwise.c: elementwise nodes. Those of dense row-major tensors broadcast as ONNX says and are of any type;
 * those on channel blocks go through them by vectors of as many channels as there are floats in one, or as many of these as the
 * smallest type has in a block, every argument blocked too or one value a channel. */
#include "emit.h"

#include <llvm-c/Core.h>

/* ==== one element, or a vector of them ==== */

/* The node as a step. */
static Ref combine_by_equation(Emit *e, const Node *n, Type t, Ref a, Ref b) {
  Step s = {.op = n->op, .a = n->p.alpha, .b = n->p.beta};
  return type_is_float(t) ? math_step(e, &s, a, b) : math_integers(e, &s, t, a, b);
}

/* Powers may have an exponent of another type. Those that are not all whole are computed in f64; what is a whole number there, but
 * for the last digits, is one. */
static Ref combine_pow(Emit *e, const Node *n, Ref x, Ref y) {
  Type t = n->in[0]->type, type_y = n->in[1]->type;
  if (t == type_y && type_is_float(t)) return combine_by_equation(e, n, t, x, y);
  if (!type_is_float(t) && !type_is_float(type_y)) return combine_by_equation(e, n, t, x, math_cast(e, y, type_y, T_I64));
  Ref r = combine_by_equation(e, n, T_F64, math_cast(e, x, t, T_F64), math_cast(e, y, type_y, T_F64));
  if (!type_is_float(t)) r = mul_f(e, r, real_like(e, r, 1 + 0x1p-40));
  return math_cast(e, r, T_F64, t);
}

static Ref combine_where(Emit *e, Ref *in) {
  return choose(e, LLVMBuildICmp(e->b, LLVMIntNE, in[0], zero_like(in[0]), ""), in[1], in[2]);
}

static Ref batch_norm(Emit *e, const Node *n, Ref *in) {
  Ref x = in[0], scale = in[1], bias = in[2], mean = in[3], var = in[4];
  Ref factor = div_f(e, scale, sqrt_f(e, add_f(e, var, real_like(e, x, n->p.epsilon))));
  return fma_(e, sub_f(e, x, mean), factor, bias);
}

/* The result from the elements of all inputs that stand beside each other. */
static Ref combine(Emit *e, const Node *n, Ref *in) {
  Type t = n->in[0]->type;
  Ref acc = in[0];
  switch (n->op) {
  case OP_Pointwise:
    for (int i = 0; i < n->n_step; i++) {
      const Step *s = &n->step[i];
      acc = typed_step(e, n, i, acc, s->arg < 0 ? NULL : in[s->arg]);
    }
    return acc;
  case OP_Clip: return math_clip(e, t, acc, n->n_in > 1 ? in[1] : NULL, n->n_in > 2 ? in[2] : NULL);
  case OP_Cast: return math_cast(e, acc, t, n->out[0]->type);
  case OP_Pow: return combine_pow(e, n, acc, in[1]);
  case OP_Where: return combine_where(e, in);
  case OP_BatchNormalization: return batch_norm(e, n, in);
  case OP_QuantizeLinear: return emit_quantize(e, n->out[0]->type, acc, in[1], n->n_in > 2 ? in[2] : NULL);
  case OP_DequantizeLinear: return emit_dequantize(e, t, acc, in[1], n->n_in > 2 ? in[2] : NULL);
  default: break;
  }
  return combine_by_equation(e, n, t, acc, n->n_in > 1 ? in[1] : NULL);
}

/* ==== dense row-major tensors ==== The innermost axes over which every input either steps with the result
 * or repeats one element are one run; long runs are cut in pieces, so that there is something to share among
 * threads. */

enum { PIECE = 4096 };

typedef struct Operand {
  const Value *v;      /* NULL: an input left out */
  Shape shape;         /* as it broadcasts */
  bool steps, repeats; /* in a run: an element for each of the result's; one for all */
  Ref p;               /* the first element of the run */
  Ref element;         /* the only one; NULL: there are more */
  Ref table;           /* a Lookup's, which stands beside no element; then v is NULL */
} Operand;

typedef struct Plain {
  Emit *e;
  const Node *n;
  const Value *y;
  bool masked;         /* all elements are f32, and a part of a vector is moved under a mask */
  int lanes;           /* elements of a vector: as many floats as it has, or bytes where the result has 8 bits */
  int axes;            /* of a run */
  int64_t run, rows;   /* elements of a run; runs */
  Operand *in;
  Ref dst;             /* the result's first element of the run */
} Plain;

/* Parameters that are a vector stand along an axis of input 0; all else broadcasts as it is. */
static Shape operand_shape(const Node *n, int i) {
  Shape s = n->in[i]->shape;
  Family family = op_info[n->op].family;
  if (i == 0 || s.rank != 1 || (family != FAMILY_NORM && family != FAMILY_SCALE)) return s;
  s.rank = n->in[0]->shape.rank - (family == FAMILY_NORM ? 1 : n->p.axis);
  for (int k = 1; k < s.rank; k++) s.d[k] = 1;
  return s;
}

static Plain plain_of(Emit *e, const Node *n) {
  Plain p = {.e = e, .n = n, .y = n->out[0], .masked = n->out[0]->type == T_F32, .run = 1};
  p.lanes = is_8_bit(p.y->type) ? channel_block(e->t, p.y->type) : e->lanes;
  p.in = alloc_n(e->g->cx, (size_t)n->n_in, sizeof *p.in);
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    if (is_table(n, i)) {
      p.in[i].table = value_ptr(e, n->in[i]);
      continue;
    }
    p.in[i] = (Operand){.v = n->in[i], .shape = operand_shape(n, i), .steps = true, .repeats = true};
    p.masked &= n->in[i]->type == T_F32;
  }
  return p;
}

/* Axis k, counted from the innermost. */
static int64_t axis_from_end(const Shape *s, int k) { return k < s->rank ? s->d[s->rank - 1 - k] : 1; }

/* Takes axis k into the run if every input agrees. */
static bool join_axis(Plain *p, int k) {
  int64_t d = axis_from_end(&p->y->shape, k);
  for (const Operand *in = p->in; in < p->in + p->n->n_in; in++) {
    int64_t own = axis_from_end(&in->shape, k);
    if (in->v && !(in->steps && own == d) && !(in->repeats && own == 1)) return false;
  }
  for (Operand *in = p->in; in < p->in + p->n->n_in; in++) {
    int64_t own = axis_from_end(&in->shape, k);
    in->steps &= own == d;
    in->repeats &= own == 1;
  }
  p->run *= d;
  p->axes++;
  return true;
}

static Shape outer_axes(const Plain *p, const Shape *s) {
  Shape outer = *s;
  outer.rank = s->rank > p->axes ? s->rank - p->axes : 0;
  return outer;
}

static void point_at(Plain *p, Operand *in, Ref row) {
  Emit *e = p->e;
  int size = (int)type_size(in->v->type);
  float scalar;
  if (in->v->type == T_F32 && const_scalar(in->v, &scalar)) {
    in->element = const_f32(e, scalar);
    return;
  }
  Shape from = outer_axes(p, &in->shape), to = outer_axes(p, &p->y->shape);
  Ref index = broadcast_index(e, &from, &to, row);
  in->p = gep(e, value_ptr(e, in->v), index, (in->steps ? p->run : 1) * size);
  if (!in->steps) in->element = load(e, llvm_type(e, in->v->type), in->p, 0, size);
}

static Ref load_operand(const Plain *p, const Operand *in, Ref i, int lanes, int valid) {
  Emit *e = p->e;
  if (!in->v) return in->table;
  if (in->element) return splat(e, in->element, lanes);
  int size = (int)type_size(in->v->type);
  return load_lanes_of(e, vec_of(llvm_type(e, in->v->type), lanes), gep(e, in->p, i, size), 0, valid, size);
}

/* Elements i to i + valid of the run, as one vector of `lanes`. */
static void compute_run_at(const Plain *p, Ref i, int lanes, int valid) {
  Emit *e = p->e;
  int n = p->n->n_in, size = (int)type_size(p->y->type);
  Ref *in = alloc_n(e->g->cx, (size_t)n, sizeof *in);
  for (int k = 0; k < n; k++) in[k] = load_operand(p, &p->in[k], i, lanes, valid);
  Ref result = combine(e, p->n, in);
  store_lanes(e, result, gep(e, p->dst, i, size), 0, valid, size);
}

static void compute_loop(const Plain *p, Ref lo, Ref hi, int lanes) {
  Loop l;
  loop_begin(p->e, &l, lo, hi, lanes, 0, NULL);
  compute_run_at(p, l.i, lanes, lanes);
  loop_end(p->e, &l);
}

/* What is left of a run behind its last whole vector. */
static void compute_rest(const Plain *p, Ref lo) {
  int lanes = p->lanes;
  if (p->masked) {
    compute_run_at(p, lo, lanes, (int)(p->run % lanes));
    return;
  }
  int64_t rest = p->run % lanes, vectors = rest / p->e->lanes * p->e->lanes; /* of fewer elements, then one by one */
  Ref end = const_i64(p->e, p->run - rest + vectors);
  if (lanes > p->e->lanes && vectors > 0) compute_loop(p, lo, end, p->e->lanes);
  if (lanes > p->e->lanes) lo = end;
  if (rest > vectors) compute_loop(p, lo, const_i64(p->e, p->run), 1);
}

/* Piece number `piece` of the run. */
static void compute_piece(const Plain *p, Ref piece, int64_t pieces) {
  Emit *e = p->e;
  Ref whole = const_i64(e, p->run / p->lanes * p->lanes), from = mul_i(e, piece, PIECE), to = whole;
  if (pieces > 1) {
    Ref next = add_i(e, from, const_i64(e, PIECE));
    to = choose(e, LLVMBuildICmp(e->b, LLVMIntSLT, next, whole, ""), next, whole);
  }
  if (p->run >= p->lanes) compute_loop(p, from, to, p->lanes);
  if (p->run % p->lanes == 0) return;
  If last;
  if (pieces > 1) if_begin(e, &last, LLVMBuildICmp(e->b, LLVMIntEQ, piece, const_i64(e, pieces - 1), ""));
  compute_rest(p, whole);
  if (pieces > 1) if_end(e, &last);
}

static void emit_dense(Emit *e, const Node *n) {
  Plain p = plain_of(e, n);
  int64_t count = shape_count(&p.y->shape);
  while (p.axes < p.y->shape.rank && join_axis(&p, p.axes)) {}
  p.rows = count / p.run;
  int64_t pieces = (p.run + PIECE - 1) / PIECE;
  Ref lo, hi, row = const_i64(e, 0), piece = row;
  work_range(e, p.rows * pieces, count, &lo, &hi);
  Loop item;
  loop_begin(e, &item, lo, hi, 1, 0, NULL);
  if (pieces == 1) row = item.i;
  else if (p.rows == 1) piece = item.i;
  else {
    row = LLVMBuildUDiv(e->b, item.i, const_i64(e, pieces), "");
    piece = LLVMBuildURem(e->b, item.i, const_i64(e, pieces), "");
  }
  p.dst = gep(e, value_ptr(e, p.y), row, p.run * (int64_t)type_size(p.y->type));
  for (int i = 0; i < n->n_in; i++) {
    if (p.in[i].v) point_at(&p, &p.in[i], row);
  }
  compute_piece(&p, piece, pieces);
  loop_end(e, &item);
}

/* ==== channel blocks: a row of the image at a time ==== */

enum { UNROLL = 4 }; /* vectors */

typedef struct Blocked {
  Emit *e;
  Node *n;
  Ref src, dst;        /* the first element of the whole tensors */
  Ref image, row, vector;
  int vectors;         /* side by side */
  Ref *arg;            /* of the steps */
} Blocked;

static void compute_pixels(const Blocked *t, Ref x, int pixels) {
  Emit *e = t->e;
  const Value *in = t->n->in[0], *out = t->n->out[0];
  Ref src = place_vector(e, t->src, in, t->image, t->vector, t->row, x);
  Ref dst = place_vector(e, t->dst, out, t->image, t->vector, t->row, x);
  step_pointers(e, t->n, t->image, t->vector, t->row, x, t->arg);
  for (int k = 0; k < pixels; k++) {
    Ref v = load_channels(e, in, src, t->vectors, 0, 0, k);
    store_channels(e, out, apply_steps(e, t->n, v, t->arg, 0, 0, k), dst, 0, k);
  }
}

/* A row in so many vectors from number `vector` on. */
static void compute_row(Blocked *t, Ref vector, int vectors) {
  Emit *e = t->e;
  int pixels = vectors < UNROLL ? UNROLL / vectors : 1;
  int64_t width = t->n->out[0]->shape.d[3], whole = width / pixels * pixels;
  t->vector = vector;
  t->vectors = vectors;
  if (whole > 0) {
    Loop x;
    loop_begin(e, &x, const_i64(e, 0), const_i64(e, whole), pixels, 0, NULL);
    compute_pixels(t, x.i, pixels);
    loop_end(e, &x);
  }
  if (whole < width) compute_pixels(t, const_i64(e, whole), (int)(width - whole));
}

/* Vectors of channels in the largest block among those of the node's values. */
static int64_t vectors_of_block(const Emit *e, const Node *n) {
  int most = (int)size_max(n->in[0]->layout.block, n->out[0]->layout.block);
  for (int i = 0; i < n->n_step; i++)
    if (step_arg_class(n, &n->step[i]) == ARG_TENSOR) most = (int)size_max(most, n->in[n->step[i].arg]->layout.block);
  return most / e->lanes;
}

static void emit_blocked(Emit *e, Node *n) {
  const int64_t *d = n->out[0]->shape.d;
  int64_t vectors = (d[1] + e->lanes - 1) / e->lanes, unit = vectors_of_block(e, n), whole = vectors / unit;
  assert(n->op == OP_Pointwise && n->in[0]->layout.block);
  Blocked t = {.e = e, .n = n, .arg = alloc_n(e->g->cx, (size_t)n->n_step, sizeof *t.arg)};
  Ref lo, hi;
  work_range(e, d[0] * d[2], shape_count(&n->out[0]->shape), &lo, &hi);
  emit_halo(e, n->out[0]);
  t.src = value_ptr(e, n->in[0]);
  t.dst = value_ptr(e, n->out[0]);
  Loop row, vector;
  loop_begin(e, &row, lo, hi, 1, 0, NULL);
  t.image = LLVMBuildUDiv(e->b, row.i, const_i64(e, d[2]), "");
  t.row = LLVMBuildURem(e->b, row.i, const_i64(e, d[2]), "");
  if (whole > 0) {
    loop_begin(e, &vector, const_i64(e, 0), const_i64(e, whole), 1, 0, NULL);
    compute_row(&t, mul_i(e, vector.i, unit), (int)unit);
    loop_end(e, &vector);
  }
  if (vectors % unit) compute_row(&t, const_i64(e, whole * unit), (int)(vectors % unit));
  loop_end(e, &row);
}

void emit_pointwise(Emit *e, Node *n) {
  if (n->out[0]->layout.block && !n->in[0]->layout.block) emit_stem_pixels(e, n);
  else if (n->out[0]->layout.block) emit_blocked(e, n);
  else emit_dense(e, n);
}
