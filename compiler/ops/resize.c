/* resize.c: Resize. Along every axis an index of the result stands for a place of the input, and the elements
 * around it have weights: both are one table for an axis. */
#include "ops.h"

#include <math.h>

/* ---- attributes ---- */

static void read_attributes(Graph *g, Node *n) {
  static const char *const mode[] = {"nearest", "linear", "cubic"};
  static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                            "align_corners", "asymmetric",
                                            "tf_half_pixel_for_nn", "tf_crop_and_resize"};
  static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil",
                                        "floor_or_ceil_by_scale"};
  static const char *const aspect[] = {"stretch", "not_larger", "not_smaller"};
  struct Resizing *r = &n->p.resize;
  r->interpolation = (Interpolation)choice_attr(g, n, "mode", mode, COUNT(mode));
  r->coordinates = (Coordinates)choice_attr(g, n, "coordinate_transformation_mode", coordinates,
                                            COUNT(coordinates));
  r->nearest = (Nearest)choice_attr(g, n, "nearest_mode", nearest, COUNT(nearest));
  r->aspect = (AspectRatio)choice_attr(g, n, "keep_aspect_ratio_policy", aspect, COUNT(aspect));
  r->antialias = attr_int(n, "antialias", 0) != 0;
  r->exclude_outside = attr_int(n, "exclude_outside", 0) != 0;
  bool nearest_mode = r->interpolation == INTERPOLATE_NEAREST;
  if (nearest_mode && r->antialias) fail_at(g, n, "antialias needs the mode linear or cubic");
  if (!nearest_mode && n->in[0]->type == T_BOOL) fail_at(g, n, "bool elements need the mode nearest");
}

/* Which axes the arguments speak of; returns how many. */
static int read_axes(Graph *g, Node *n) {
  const Attr *a = attr_find(n, "axes");
  int rank = n->in[0]->shape.rank;
  for (int k = 0; k < MAX_RANK; k++) n->p.perm[k] = a || k >= rank ? -1 : k;
  if (!a) return rank;
  if (a->kind != A_INTS) fail_at(g, n, "attribute axes is no list of integers");
  for (int i = 0; i < a->n; i++) {
    int k = check_axis(g, n, a->ints[i], rank);
    if (n->p.perm[k] >= 0) fail_at(g, n, "axis %d is named twice", k);
    n->p.perm[k] = i;
  }
  return a->n;
}

/* ---- arguments ---- */

enum { ROI = 1, SCALES, SIZES };

/* An empty list stands for none. */
static bool is_given(const Node *n, int i) {
  return has_input(n, i) && !(n->in[i]->shape.rank == 1 && n->in[i]->shape.d[0] == 0);
}

static bool needs_roi(const Node *n) { return n->p.resize.coordinates == COORDINATES_TF_CROP_AND_RESIZE; }

static void check_list(Graph *g, const Node *n, int i, const char *what, int64_t count) {
  const Value *v = n->in[i];
  if (v->shape.rank != 1 || v->shape.d[0] != count)
    fail_at(g, n, "%s must be a list of %lld numbers, not %s", what, (long long)count,
            shape_text(g->cx, &v->shape));
  bool fits = i == SIZES ? v->type == T_I64 || v->type == T_I32 : type_is_float(v->type);
  if (!fits) fail_at(g, n, "%s must not be %s", what, type_name(v->type));
}

static void check_arguments(Graph *g, const Node *n, int axes) {
  if (is_given(n, SCALES) == is_given(n, SIZES)) fail_at(g, n, "needs scales or sizes, and not both");
  if (is_given(n, SCALES)) check_list(g, n, SCALES, "scales", axes);
  if (is_given(n, SIZES)) check_list(g, n, SIZES, "sizes", axes);
  if (!needs_roi(n)) return;
  if (!is_given(n, ROI)) fail_at(g, n, "tf_crop_and_resize needs a roi");
  check_list(g, n, ROI, "roi", 2 * (int64_t)axes);
}

bool resize_is_known(const Node *n) {
  int said = is_given(n, SIZES) ? SIZES : SCALES;
  return n->in[said]->data && (!needs_roi(n) || n->in[ROI]->data);
}

/* Element k of argument i, whose elements are in[i], or if `in` is NULL a constant's. */
static double argument(const Node *n, const void *const *in, int i, int64_t k) {
  const Value *v = n->in[i];
  Number x = get_number(v->type, in ? in[i] : v->data, k);
  return type_is_float(v->type) ? x.f : (double)x.i;
}

static bool depends_on_batch(const Value *v, int64_t k) { return v->sym && v->sym[k]; }

/* ---- sizes ---- */

/* The scale that sizes come to where the ratio of height and width stays: the least or the greatest. */
static double common_scale(const Node *n, const void *const *in) {
  const Shape *x = &n->in[0]->shape;
  bool least = n->p.resize.aspect == ASPECT_NOT_LARGER;
  double scale = least ? INFINITY : 0;
  for (int k = 0; k < x->rank; k++) {
    if (n->p.perm[k] < 0 || x->d[k] == 0) continue;
    double s = x->d[k] < 0 ? 1 : argument(n, in, SIZES, n->p.perm[k]) / (double)x->d[k];
    scale = least ? fmin(scale, s) : fmax(scale, s);
  }
  return isinf(scale) ? 1 : scale;
}

/* NaN becomes -1, which no size is. */
static int64_t whole_number(double x) { return x >= 0 ? (int64_t)fmin(x, 0x1p62) : -1; }

static void size_by_scale(const Node *n, const void *const *in, int64_t at, ResizeAxis *a) {
  a->scale = argument(n, in, SCALES, at);
  a->out = a->scale > 0 ? whole_number(floorf((float)a->in * (float)a->scale)) : -1; /* 0.7f of 10 are 7 */
}

static void size_by_size(const Node *n, const void *const *in, int64_t at, double common, ResizeAxis *a) {
  a->out = whole_number(argument(n, in, SIZES, at));
  a->scale = a->in ? (double)a->out / (double)a->in : 1;
  if (n->p.resize.aspect == ASPECT_STRETCH) return;
  a->scale = common;
  a->out = whole_number(floor(common * (double)a->in + 0.5));
}

void resize_axes(const Node *n, const void *const *in, ResizeAxis *axis) {
  const Shape *x = &n->in[0]->shape;
  bool sized = is_given(n, SIZES);
  int64_t axes = n->in[sized ? SIZES : SCALES]->shape.d[0];
  double common = sized ? common_scale(n, in) : 1;
  for (int k = 0; k < x->rank; k++) {
    int64_t at = n->p.perm[k];
    axis[k] = (ResizeAxis){.in = x->d[k], .out = x->d[k], .scale = 1, .end = 1};
    if (at < 0 || x->d[k] < 0) continue;
    if (sized) size_by_size(n, in, at, common, &axis[k]);
    else size_by_scale(n, in, at, &axis[k]);
    if (!needs_roi(n)) continue;
    axis[k].start = argument(n, in, ROI, at);
    axis[k].end = argument(n, in, ROI, axes + at);
  }
}

/* The batch stays as it is. */
static void check_batch(Graph *g, const Node *n, int k) {
  int said = is_given(n, SIZES) ? SIZES : SCALES;
  const Value *v = n->in[said];
  int64_t d = n->in[0]->shape.d[k], at = n->p.perm[k];
  if (at < 0) return;
  bool of_batch = depends_on_batch(v, at);
  double want = said == SIZES ? (double)-d : 1;
  bool same = d < 0 && of_batch == (said == SIZES) && argument(n, NULL, said, at) == want;
  if (d < 0 && needs_roi(n)) {
    int64_t axes = v->shape.d[0];
    same = same && argument(n, NULL, ROI, at) == 0 && argument(n, NULL, ROI, axes + at) == 1;
  }
  if ((d < 0 || of_batch) && !same)
    fail_at(g, n, "axis %d is resized with the symbolic batch; --batch N fixes it", k);
}

/* Sizes that are known at run time only are those of the declared result. */
static void set_sizes_as_declared(Graph *g, Node *n) {
  const Shape declared = declared_output(g, n, 0, "the sizes");
  Shape sizes = {.rank = (int)n->in[SIZES]->shape.d[0]};
  if (declared.rank != n->in[0]->shape.rank) fail_at(g, n, "the result is declared with another rank");
  for (int k = 0; k < declared.rank; k++)
    if (n->p.perm[k] >= 0) sizes.d[n->p.perm[k]] = declared.d[k];
  node_set_input(g, n, SIZES, shape_constant(g, n->in[SIZES]->name, &sizes));
}

/* Of scales that are known at run time only the declared result gives an idea. */
static void infer_as_declared(Graph *g, Node *n) {
  Shape declared = declared_output(g, n, 0, is_given(n, SIZES) ? "the sizes" : "the scales");
  const Shape *x = &n->in[0]->shape;
  if (declared.rank != x->rank) fail_at(g, n, "the result is declared with another rank");
  if (shape_is_symbolic(&declared) || shape_is_symbolic(x))
    fail_at(g, n, "scales that are known at run time only need a batch that is a number; --batch N fixes it");
  for (int k = 0; k < x->rank; k++) {
    bool none = n->p.perm[k] < 0 && declared.d[k] != x->d[k];
    if (none || (x->d[k] == 0 && declared.d[k] > 0))
      fail_at(g, n, "the result is declared as %s", shape_text(g->cx, &declared));
  }
  set_output(g, n, 0, n->in[0]->type, &declared);
}

void infer_resize(Graph *g, Node *n) {
  read_attributes(g, n);
  check_arguments(g, n, read_axes(g, n));
  bool stretched = is_given(n, SIZES) && n->p.resize.aspect == ASPECT_STRETCH;
  if (stretched && !n->in[SIZES]->data) set_sizes_as_declared(g, n);
  if (!resize_is_known(n)) {
    infer_as_declared(g, n);
    return;
  }
  ResizeAxis axis[MAX_RANK];
  resize_axes(n, NULL, axis);
  Shape out = n->in[0]->shape;
  for (int k = 0; k < out.rank; k++) {
    check_batch(g, n, k);
    if (out.d[k] < 0) continue;
    if (axis[k].out < 0)
      fail_at(g, n, "axis %d has no size in the result: a scale or size is not positive", k);
    if (axis[k].in == 0 && axis[k].out > 0)
      fail_at(g, n, "elements are taken from axis %d, which has none", k);
    if (axis[k].in > INT32_MAX) fail_at(g, n, "axis %d is too long", k);
    out.d[k] = axis[k].out;
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- tables ---- */

/* The place that index i of the result stands for. Where it is rounded to an element, all is computed in
 * single precision, as the models' makers do: a scale of 1/3 means every third element, not the one before.
 * Corners are aligned by the result's length, as ONNX's text has it and exporters mean it; its test cases,
 * whose scales are no constants, count the fraction of that length. */
static double place_of(const Node *n, const ResizeAxis *a, int64_t i) {
  bool single = n->p.resize.interpolation == INTERPOLATE_NEAREST;
  double scale = single ? (float)a->scale : a->scale, x = (double)i, last = (double)a->in - 1;
  double width = scale * (double)a->in; /* of the result, before it was made whole */
#define ROUNDED(v) (single ? (double)(float)(v) : (v))
  switch (n->p.resize.coordinates) {
  case COORDINATES_ALIGN_CORNERS:
    if (resize_is_known(n)) width = (double)a->out;
    return width == 1 ? 0 : ROUNDED(x * last / ROUNDED(width - 1));
  case COORDINATES_ASYMMETRIC: return ROUNDED(x / scale);
  case COORDINATES_TF_HALF_PIXEL_FOR_NN: return ROUNDED((x + 0.5) / scale);
  case COORDINATES_TF_CROP_AND_RESIZE:
    if (a->out == 1) return 0.5 * (a->start + a->end) * last;
    return a->start * last + x * (a->end - a->start) * last / ((double)a->out - 1);
  case COORDINATES_PYTORCH_HALF_PIXEL:
    if (a->out == 1) return 0;
    break;
  case COORDINATES_HALF_PIXEL_SYMMETRIC:
    return ROUNDED((double)a->in / 2 * (1 - (double)a->out / width) + ROUNDED((x + 0.5) / scale) - 0.5);
  case COORDINATES_HALF_PIXEL: break;
  }
  return ROUNDED(ROUNDED((x + 0.5) / scale) - 0.5);
#undef ROUNDED
}

static double nearest_of(const Node *n, const ResizeAxis *a, double x) {
  switch (n->p.resize.nearest) {
  case NEAREST_PREFER_FLOOR: return ceil(x - 0.5);
  case NEAREST_PREFER_CEIL: return floor(x + 0.5);
  case NEAREST_FLOOR: return floor(x);
  case NEAREST_CEIL: return ceil(x);
  case NEAREST_BY_SCALE: return a->scale < 1 ? ceil(x) : floor(x);
  }
  return x;
}

/* Keys, Cubic convolution interpolation for digital image processing (1981), equation 4; linear: a
 * triangle. */
static double weight_at(const Node *n, double distance) {
  double d = fabs(distance), a = (double)n->p.alpha;
  if (n->p.resize.interpolation == INTERPOLATE_LINEAR) return d < 1 ? 1 - d : 0;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static int64_t into_axis(const ResizeAxis *a, double index) {
  return (int64_t)fmin(fmax(index, 0), (double)a->in - 1);
}

/* By how much distances shrink, so that the weights reach further. */
static double shrinking(const Node *n, const ResizeAxis *a) {
  return n->p.resize.antialias && a->scale < 1 ? a->scale : 1;
}

static double reach(const Node *n, const ResizeAxis *a) {
  return ceil((n->p.resize.interpolation == INTERPOLATE_LINEAR ? 1 : 2) / shrinking(n, a));
}

static void weigh(const Node *n, const ResizeAxis *a, double x, int64_t taps, int64_t *index,
                  double *weight) {
  double first = floor(x) - reach(n, a) + 1, all = 0, inside = 0, shrink = shrinking(n, a);
  for (int64_t t = 0; t < taps; t++) {
    double at = first + (double)t;
    bool outside = at < 0 || at > (double)a->in - 1;
    weight[t] = weight_at(n, (at - x) * shrink);
    all += weight[t];
    if (outside && n->p.resize.exclude_outside) weight[t] = 0;
    inside += weight[t];
    index[t] = into_axis(a, at);
  }
  double sum = n->p.resize.exclude_outside ? inside : n->p.resize.antialias ? all : 1;
  for (int64_t t = 0; t < taps; t++) weight[t] /= sum;
}

/* Of an axis that the node leaves as it is. */
static ResizeTable identity_table(Graph *g, const ResizeAxis *a) {
  ResizeTable t = {.taps = 1, .index = alloc_n(g->cx, (size_t)a->out + 1, sizeof *t.index)};
  for (int64_t i = 0; i < a->out; i++) t.index[i] = i;
  return t;
}

ResizeTable resize_table(Graph *g, const Node *n, const ResizeAxis *a) {
  if (a->in == a->out && a->scale == 1 && a->start == 0 && a->end == 1) return identity_table(g, a);
  bool nearest = n->p.resize.interpolation == INTERPOLATE_NEAREST;
  ResizeTable t = {.taps = nearest || a->out == 0 ? 1 : 2 * (int64_t)reach(n, a)};
  size_t count = (size_t)size_mul(t.taps, a->out);
  t.index = alloc_n(g->cx, count + 1, sizeof *t.index);
  if (!nearest) t.weight = alloc_n(g->cx, count + 1, sizeof *t.weight);
  for (int64_t i = 0; i < a->out; i++) {
    double x = place_of(n, a, i);
    int64_t *index = t.index + i * t.taps;
    bool outside = needs_roi(n) && !(x >= 0 && x <= (double)a->in - 1);
    t.outside = t.outside || outside;
    if (outside) for (int64_t k = 0; k < t.taps; k++) index[k] = -1;
    else if (nearest) *index = into_axis(a, nearest_of(n, a, x));
    else weigh(n, a, x, t.taps, index, t.weight + i * t.taps);
  }
  return t;
}

/* ---- the definition ---- */

typedef struct Sampler {
  const Node *n;
  const void *x;
  ResizeTable table[MAX_RANK];
  int64_t stride[MAX_RANK];
  const int64_t *index;  /* of the result */
} Sampler;

static bool is_outside(const Sampler *s) {
  for (int k = 0; k < s->n->in[0]->shape.rank; k++)
    if (s->table[k].index[s->index[k] * s->table[k].taps] < 0) return true;
  return false;
}

/* The sum over the axes from k on. */
static double sample(const Sampler *s, int k, int64_t at) {
  if (k == s->n->in[0]->shape.rank) {
    Number v = get_number(s->n->in[0]->type, s->x, at);
    return convert_number(s->n->in[0]->type, T_F64, v).f;
  }
  const ResizeTable *t = &s->table[k];
  double sum = 0;
  for (int64_t i = s->index[k] * t->taps, end = i + t->taps; i < end; i++) {
    double part = sample(s, k + 1, at + t->index[i] * s->stride[k]);
    sum += t->weight ? t->weight[i] * part : part;
  }
  return sum;
}

static int64_t nearest_element(const Sampler *s) {
  int64_t at = 0;
  for (int k = 0; k < s->n->in[0]->shape.rank; k++) at += s->table[k].index[s->index[k]] * s->stride[k];
  return at;
}

static Sampler sampler_of(Graph *g, const Node *n, const void *const *in) {
  Sampler s = {.n = n, .x = in[0]};
  ResizeAxis axis[MAX_RANK];
  Shape out = {.rank = n->in[0]->shape.rank};
  resize_axes(n, in, axis);
  for (int k = 0; k < out.rank; k++) out.d[k] = axis[k].out;
  if (!shape_equal(&out, &n->out[0]->shape))
    fail_at(g, n, "the result is %s, but declared as %s", shape_text(g->cx, &out),
            shape_text(g->cx, &n->out[0]->shape));
  for (int k = 0; k < out.rank; k++) s.table[k] = resize_table(g, n, &axis[k]);
  dense_strides(&n->in[0]->shape, s.stride);
  return s;
}

/* Integers are cut off as Cast does. Those that single precision holds are rounded to it before, lest
 * 6.999999999999999 be 6. */
static Number weighed(Type type, double sum) {
  bool narrow = !type_is_float(type) && type_size(type) <= 2;
  return convert_number(T_F64, type, (Number){.f = narrow ? (double)(float)sum : sum});
}

void eval_resize(Graph *g, const Node *n, const void *const *in, void **out) {
  Type type = n->in[0]->type;
  int64_t count = shape_count(&n->out[0]->shape);
  if (count == 0) return;
  Sampler s = sampler_of(g, n, in);
  Cursor c = {.shape = &n->out[0]->shape};
  s.index = c.index;
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    if (is_outside(&s))
      put_number(type, out[0], i, convert_number(T_F32, type, (Number){.f = (double)n->p.beta}));
    else if (n->p.resize.interpolation == INTERPOLATE_NEAREST)
      copy_element(out[0], i, in[0], nearest_element(&s), type_size(type));
    else put_number(type, out[0], i, weighed(type, sample(&s, 0, 0)));
  }
}
