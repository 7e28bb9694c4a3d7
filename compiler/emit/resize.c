/* resize.c: a Resize whose scales or region are known at run time only: places and weights are computed where
 * they are used, as ops/resize.c defines them. The result has the declared shape; arguments that contradict
 * it give wrong elements, but every index is brought into range. */
#include "emit.h"

#include <llvm-c/Core.h>

enum { ROI = 1, SCALES, SIZES };

typedef struct Axis {
  int64_t in, out, stride;
  bool named;            /* do the arguments speak of it? */
  Ref scale, start, end; /* f64 */
  Ref shrink, reach;     /* of distances, f64; of elements to both sides, i64 */
  Ref place;             /* of the current element, f64 */
  Ref index;             /* i64 */
} Axis;

typedef struct Sampler {
  Emit *e;
  Node *n;
  int rank;
  Axis axis[MAX_RANK];
} Sampler;

/* ==== words ==== */

static Ref real(Emit *e, double v) { return LLVMConstReal(e->f64, v); }
static Ref to_real(Emit *e, Ref i) { return LLVMBuildSIToFP(e->b, i, e->f64, ""); }

/* Within what converts to integers; NaN becomes the lower bound. */
static Ref bounded(Emit *e, Ref x) { return fmin_(e, fmax_(e, x, real(e, -0x1p40)), real(e, 0x1p40)); }

static Ref floor_of(Emit *e, Ref x) {
  Ref i = LLVMBuildFPToSI(e->b, x, e->i64, "");
  return LLVMBuildSub(e->b, i, LLVMBuildZExt(e->b, less_f(e, x, to_real(e, i)), e->i64, ""), "");
}

static Ref ceil_of(Emit *e, Ref x) { return LLVMBuildNeg(e->b, floor_of(e, LLVMBuildFNeg(e->b, x, "")), ""); }

static bool is_nearest(const Sampler *s) { return s->n->p.resize.interpolation == INTERPOLATE_NEAREST; }
static bool needs_roi(const Sampler *s) {
  return s->n->p.resize.coordinates == COORDINATES_TF_CROP_AND_RESIZE;
}

/* In single precision where places are rounded to elements. */
static Ref rounded(const Sampler *s, Ref x) {
  Emit *e = s->e;
  return is_nearest(s) ? widened(e, narrowed(e, x)) : x;
}

/* ==== the arguments ==== */

static bool is_given(const Node *n, int i) {
  return i < n->n_in && n->in[i] && shape_count(&n->in[i]->shape) > 0;
}

static Ref argument(const Sampler *s, int i, int64_t k) {
  Emit *e = s->e;
  return math_cast(e, load_element(e, s->n->in[i], const_i64(e, k)), s->n->in[i]->type, T_F64);
}

static Ref size_scale(const Sampler *s, int k) {
  Emit *e = s->e;
  return div_f(e, argument(s, SIZES, s->n->p.perm[k]), real(e, (double)s->axis[k].in));
}

/* The least or greatest of the scales that sizes come to. */
static Ref common_scale(const Sampler *s) {
  Emit *e = s->e;
  Ref scale = NULL;
  for (int k = 0; k < s->rank; k++) {
    if (s->n->p.perm[k] < 0 || s->axis[k].in == 0) continue;
    Ref own = size_scale(s, k);
    bool least = s->n->p.resize.aspect == ASPECT_NOT_LARGER;
    scale = !scale ? own : least ? fmin_(e, scale, own) : fmax_(e, scale, own);
  }
  return scale ? scale : real(e, 1);
}

static Ref read_scale(const Sampler *s, int k) {
  if (!is_given(s->n, SIZES)) return argument(s, SCALES, s->n->p.perm[k]);
  return s->n->p.resize.aspect == ASPECT_STRETCH ? size_scale(s, k) : common_scale(s);
}

static void read_axis(const Sampler *s, Axis *a, int k) {
  Emit *e = s->e;
  int64_t at = s->n->p.perm[k];
  a->named = at >= 0;
  if (!a->named) return;
  a->scale = rounded(s, read_scale(s, k));
  if (needs_roi(s)) {
    int64_t axes = s->n->in[ROI]->shape.d[0] / 2;
    a->start = argument(s, ROI, at);
    a->end = argument(s, ROI, axes + at);
  }
  if (is_nearest(s)) return;
  double radius = s->n->p.resize.interpolation == INTERPOLATE_LINEAR ? 1 : 2;
  a->shrink = real(e, 1);
  a->reach = const_i64(e, (int64_t)radius);
  if (!s->n->p.resize.antialias) return;
  a->shrink = fmin_(e, a->scale, a->shrink);
  Ref reach = ceil_of(e, bounded(e, div_f(e, real(e, radius), a->shrink)));
  a->reach = min_i(e, max_i(e, reach, a->reach), const_i64(e, 2 * (a->in + 1)));
}

/* ==== places ==== */

static Ref half_pixel(const Sampler *s, const Axis *a, Ref x) {
  Emit *e = s->e;
  return rounded(s, div_f(e, add_f(e, x, real(e, 0.5)), a->scale));
}

static Ref cropped(const Sampler *s, const Axis *a, Ref x) {
  Emit *e = s->e;
  Ref last = real(e, (double)a->in - 1);
  if (a->out == 1) return mul_f(e, mul_f(e, real(e, 0.5), add_f(e, a->start, a->end)), last);
  Ref along = mul_f(e, mul_f(e, x, sub_f(e, a->end, a->start)), last);
  return add_f(e, mul_f(e, a->start, last), div_f(e, along, real(e, (double)a->out - 1)));
}

static Ref place_in(const Sampler *s, const Axis *a) {
  Emit *e = s->e;
  Ref x = to_real(e, a->index), zero = real(e, 0), one = real(e, 1), half = real(e, 0.5);
  Ref width = resize_is_known(s->n) ? real(e, (double)a->out) : mul_f(e, a->scale, real(e, (double)a->in));
  Ref is_single = LLVMBuildFCmp(e->b, LLVMRealOEQ, width, one, "");
  switch (s->n->p.resize.coordinates) {
  case COORDINATES_ALIGN_CORNERS: {
    Ref steps = rounded(s, sub_f(e, width, one)), last = real(e, (double)a->in - 1);
    return choose(e, is_single, zero, rounded(s, div_f(e, mul_f(e, x, last), steps)));
  }
  case COORDINATES_ASYMMETRIC: return rounded(s, div_f(e, x, a->scale));
  case COORDINATES_TF_HALF_PIXEL_FOR_NN: return half_pixel(s, a, x);
  case COORDINATES_TF_CROP_AND_RESIZE: return cropped(s, a, x);
  case COORDINATES_PYTORCH_HALF_PIXEL:
    if (a->out == 1) return zero;
    break;
  case COORDINATES_HALF_PIXEL_SYMMETRIC: {
    Ref share = sub_f(e, one, div_f(e, real(e, (double)a->out), width));
    Ref offset = mul_f(e, real(e, (double)a->in / 2), share);
    return rounded(s, sub_f(e, add_f(e, offset, half_pixel(s, a, x)), half));
  }
  case COORDINATES_HALF_PIXEL: break;
  }
  return rounded(s, sub_f(e, half_pixel(s, a, x), half));
}

static Ref nearest_index(const Sampler *s, const Axis *a) {
  Emit *e = s->e;
  Ref x = bounded(e, a->place), half = real(e, 0.5), i = NULL;
  switch (s->n->p.resize.nearest) {
  case NEAREST_PREFER_FLOOR: i = ceil_of(e, sub_f(e, x, half)); break;
  case NEAREST_PREFER_CEIL: i = floor_of(e, add_f(e, x, half)); break;
  case NEAREST_FLOOR: i = floor_of(e, x); break;
  case NEAREST_CEIL: i = ceil_of(e, x); break;
  case NEAREST_BY_SCALE: i = choose(e, less_f(e, a->scale, real(e, 1)), ceil_of(e, x), floor_of(e, x)); break;
  }
  return clamp_i(e, i, const_i64(e, a->in - 1));
}

/* ==== weights ==== */

static Ref distance_weight(const Sampler *s, Ref x) {
  Emit *e = s->e;
  double A = (double)s->n->p.alpha;
  Ref d = choose(e, less_f(e, x, real(e, 0)), LLVMBuildFNeg(e->b, x, ""), x), one = real(e, 1);
  Ref zero = real(e, 0);
  if (s->n->p.resize.interpolation == INTERPOLATE_LINEAR) return fmax_(e, sub_f(e, one, d), zero);
  Ref near = mul_f(e, mul_f(e, sub_f(e, mul_f(e, real(e, A + 2), d), real(e, A + 3)), d), d);
  Ref far = mul_f(e, add_f(e, mul_f(e, sub_f(e, mul_f(e, real(e, A), d), real(e, 5 * A)), d), real(e, 8 * A)),
                  d);
  far = choose(e, less_f(e, d, real(e, 2)), sub_f(e, far, real(e, 4 * A)), zero);
  return choose(e, less_f(e, one, d), far, add_f(e, near, one));
}

static Ref sample(const Sampler *s, int k, Ref at);

/* acc: the sum, that of all weights, that of weights inside. */
static void add_tap(const Sampler *s, int k, Ref at, Ref tap, Ref *acc) {
  Emit *e = s->e;
  const Axis *a = &s->axis[k];
  Ref last = const_i64(e, a->in - 1), index = clamp_i(e, tap, last);
  Ref w = distance_weight(s, mul_f(e, sub_f(e, to_real(e, tap), bounded(e, a->place)), a->shrink));
  acc[1] = add_f(e, acc[1], w);
  if (s->n->p.resize.exclude_outside)
    w = choose(e, LLVMBuildICmp(e->b, LLVMIntEQ, tap, index, ""), w, real(e, 0));
  acc[2] = add_f(e, acc[2], w);
  Ref part = sample(s, k + 1, add_i(e, at, mul_i(e, index, a->stride)));
  acc[0] = add_f(e, acc[0], mul_f(e, w, part));
}

/* The weighted sum over the axes from k on. */
static Ref sample(const Sampler *s, int k, Ref at) {
  Emit *e = s->e;
  if (k == s->rank) return math_cast(e, load_element(e, s->n->in[0], at), s->n->in[0]->type, T_F64);
  const Axis *a = &s->axis[k];
  if (!a->named) return sample(s, k + 1, add_i(e, at, mul_i(e, a->index, a->stride)));
  Ref acc[] = {real(e, 0), real(e, 0), real(e, 0)}, one = const_i64(e, 1);
  Ref first = add_i(e, LLVMBuildSub(e->b, floor_of(e, bounded(e, a->place)), a->reach, ""), one);
  Loop t;
  loop_begin(e, &t, const_i64(e, 0), mul_i(e, a->reach, 2), 1, 3, acc);
  add_tap(s, k, at, add_i(e, first, t.i), acc);
  loop_end(e, &t);
  return s->n->p.resize.exclude_outside ? div_f(e, acc[0], acc[2]) : s->n->p.resize.antialias
         ? div_f(e, acc[0], acc[1]) : acc[0];
}

/* ==== elements ==== */

static Ref nearest_element(const Sampler *s) {
  Emit *e = s->e;
  Ref at = const_i64(e, 0);
  for (int k = 0; k < s->rank; k++) {
    const Axis *a = &s->axis[k];
    at = add_i(e, at, mul_i(e, a->named ? nearest_index(s, a) : a->index, a->stride));
  }
  return load_element(e, s->n->in[0], at);
}

/* Is the element's place outside along some axis? NULL: that does not count. */
static Ref is_outside(const Sampler *s) {
  Emit *e = s->e;
  Ref any = NULL;
  for (int k = 0; k < s->rank && needs_roi(s); k++) {
    const Axis *a = &s->axis[k];
    if (!a->named) continue;
    Ref inside = LLVMBuildAnd(e->b, LLVMBuildFCmp(e->b, LLVMRealOGE, a->place, real(e, 0), ""),
                              LLVMBuildFCmp(e->b, LLVMRealOLE, a->place, real(e, (double)a->in - 1), ""), "");
    Ref outside = LLVMBuildNot(e->b, inside, "");
    any = any ? LLVMBuildOr(e->b, any, outside, "") : outside;
  }
  return any;
}

static Ref weighed(const Sampler *s, Type type) {
  Emit *e = s->e;
  Ref sum = sample(s, 0, const_i64(e, 0));
  bool narrow = !type_is_float(type) && type_size(type) <= 2;
  return narrow ? math_cast(e, math_cast(e, sum, T_F64, T_F32), T_F32, type) : math_cast(e, sum, T_F64, type);
}

static Ref build_element(Sampler *s, Ref flat) {
  Emit *e = s->e;
  Type type = s->n->in[0]->type;
  for (int k = s->rank - 1; k >= 0; k--) {
    Axis *a = &s->axis[k];
    Ref size = const_i64(e, a->out);
    a->index = LLVMBuildURem(e->b, flat, size, "");
    flat = LLVMBuildUDiv(e->b, flat, size, "");
    if (a->named) a->place = place_in(s, a);
  }
  Ref outside = is_outside(s), v = is_nearest(s) ? nearest_element(s) : weighed(s, type);
  if (!outside) return v;
  return choose(e, outside, math_cast(e, const_f32(e, (double)s->n->p.beta), T_F32, type), v);
}

void emit_resize(Emit *e, Node *n) {
  Sampler s = {.e = e, .n = n, .rank = n->in[0]->shape.rank};
  int64_t count = shape_count(&n->out[0]->shape), stride = 1;
  int size = (int)type_size(n->out[0]->type);
  for (int k = s.rank - 1; k >= 0; k--) {
    s.axis[k] = (Axis){.in = n->in[0]->shape.d[k], .out = n->out[0]->shape.d[k], .stride = stride};
    stride *= s.axis[k].in;
  }
  Ref lo, hi, dst = value_ptr(e, n->out[0]);
  task_range(e, count, &lo, &hi);
  for (int k = 0; k < s.rank; k++) read_axis(&s, &s.axis[k], k);
  Loop i;
  loop_begin(e, &i, lo, hi, 1, 0, NULL);
  store(e, build_element(&s, i.i), gep(e, dst, i.i, size), 0, size);
  loop_end(e, &i);
}
