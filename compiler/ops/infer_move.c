/* infer_move.c: shapes of the operators that move elements. */
#include "ops.h"

#include <string.h>

void infer_transpose(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  int64_t perm[MAX_RANK];
  for (int i = 0; i < x->rank; i++) perm[i] = x->rank - 1 - i;
  ints_attr(g, n, "perm", x->rank, perm);
  bool seen[MAX_RANK] = {false};
  Shape out = {.rank = x->rank};
  for (int i = 0; i < x->rank; i++) {
    if (perm[i] < 0 || perm[i] >= x->rank || seen[perm[i]])
      fail_at(g, n, "attribute perm is not a permutation");
    seen[perm[i]] = true;
    out.d[i] = x->d[perm[i]];
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

void infer_space_to_depth(Graph *g, Node *n) {
  Shape out = n->in[0]->shape;
  int64_t b = attr_int(n, "blocksize", 0);
  if (out.rank != 4) fail_at(g, n, "the input has %d dimensions, not 4", out.rank);
  if (b < 1) fail_at(g, n, "attribute blocksize is not a positive number");
  if (out.d[1] < 0 || out.d[2] < 0 || out.d[3] < 0) fail_at(g, n, "the batch is not the first dimension%s", batch_remedy(g, n));
  if (out.d[2] % b || out.d[3] % b) fail_at(g, n, "%s is no whole number of blocks", shape_text(g->cx, &out));
  if (!mul_size(out.d[1], b, &out.d[1]) || !mul_size(out.d[1], b, &out.d[1])) fail_at(g, n, "a size overflows");
  out.d[2] /= b;
  out.d[3] /= b;
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- Concat and Split ---- */

static void add_dim(Graph *g, const Node *n, int64_t *sum, int64_t d) {
  if (*sum && d && (*sum < 0) != (d < 0)) fail_at(g, n, "the symbolic batch is joined with a number%s", batch_remedy(g, n));
  int64_t s;
  if (!add_size(*sum < 0 ? -*sum : *sum, d < 0 ? -d : d, &s)) fail_at(g, n, "a size overflows");
  *sum = *sum < 0 || d < 0 ? -s : s;
}

void infer_concat(Graph *g, Node *n) {
  Shape out = n->in[0]->shape;
  if (!attr_find(n, "axis")) fail_at(g, n, "attribute axis is missing");
  int axis = check_axis(g, n, attr_int(n, "axis", 0), out.rank);
  for (int i = 1; i < n->n_in; i++) {
    if (!n->in[i]) fail_at(g, n, "input %d is missing", i);
    check_same_type(g, n, i);
    const Shape *s = &n->in[i]->shape;
    Shape rest = *s;
    if (s->rank == out.rank) rest.d[axis] = out.d[axis];
    if (!shape_equal(&rest, &out))
      fail_at(g, n, "input %d of shape %s does not join %s along axis %d%s", i, shape_text(g->cx, s),
              shape_text(g->cx, &out), axis, batch_remedy(g, n));
    add_dim(g, n, &out.d[axis], s->d[axis]);
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* Equal parts, of which the last may be smaller. */
static void equal_sizes(int64_t dim, int parts, int64_t *size) {
  int64_t each = dim / parts + (dim % parts != 0);
  for (int i = 0; i < parts; i++) {
    size[i] = dim < each ? dim : each;
    dim -= size[i];
  }
}

void split_sizes(Graph *g, const Node *n, int64_t *size) {
  const Shape *x = &n->in[0]->shape;
  int64_t dim = x->d[check_axis(g, n, attr_int(n, "axis", 0), x->rank)], sum = 0;
  if (!has_input(n, 1)) {
    equal_sizes(dim, n->n_out, size);
    return;
  }
  const Value *v = n->in[1];
  int count;
  if (v->sym || !const_ints(v, n->n_out, size, &count) || count != n->n_out)
    fail_at(g, n, "the sizes must be %d integers%s", n->n_out, batch_remedy(g, n));
  for (int i = 0; i < count; i++)
    if (size[i] < 0 || !add_size(sum, size[i], &sum))
      fail_at(g, n, "size %lld is out of range", (long long)size[i]);
  if (sum != dim) fail_at(g, n, "the sizes sum to %lld, the axis has %lld", (long long)sum, (long long)dim);
}

static void set_sizes_as_declared(Graph *g, Node *n, int axis) {
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  for (int i = 0; i < n->n_out; i++) {
    Shape declared = declared_output(g, n, i, "the sizes");
    if (declared.rank <= axis) fail_at(g, n, "output %d is declared as %s", i, shape_text(g->cx, &declared));
    size[i] = declared.d[axis];
  }
  node_set_input(g, n, 1, value_const_i64(g, n->in[1]->name, n->n_out, size));
}

void infer_split(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  int axis = check_axis(g, n, attr_int(n, "axis", 0), x->rank);
  check_number(g, n, 0, axis);
  if (attr_int(n, "num_outputs", n->n_out) != n->n_out)
    fail_at(g, n, "attribute num_outputs does not say %d", n->n_out);
  if (has_input(n, 1) && !n->in[1]->data) set_sizes_as_declared(g, n, axis);
  int64_t *size = alloc_n(g->cx, (size_t)n->n_out, sizeof *size);
  split_sizes(g, n, size);
  for (int i = 0; i < n->n_out; i++) {
    Shape out = *x;
    out.d[axis] = size[i];
    set_output(g, n, i, n->in[0]->type, &out);
  }
}

/* ---- bounds known at run time ---- */

bool has_run_time_bounds(const Node *n) {
  for (int i = 1; i < n->n_in; i++) {
    bool is_bound = n->op == OP_Slice || (n->op == OP_Pad && i != 2);
    if (is_bound && n->in[i] && !n->in[i]->data) return true;
  }
  return false;
}

/* Each of the bounds is a list; of how many axes shows in the first. */
static void check_bounds(Graph *g, const Node *n, int64_t count) {
  for (int i = 1; i < n->n_in; i++) {
    const Value *v = n->in[i];
    if (!v || (n->op == OP_Pad && i == 2)) continue;
    int64_t want = n->op == OP_Pad && i == 1 ? 2 * count : count;
    if ((v->type != T_I64 && v->type != T_I32) || v->shape.rank != 1 || v->shape.d[0] != want)
      fail_at(g, n, "input %d must be a list of %lld integers", i, (long long)want);
  }
}

static void infer_bounds_as_declared(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape;
  Shape declared = declared_output(g, n, 0, "the bounds");
  bool listed = has_input(n, 3) && n->in[3]->shape.rank == 1;
  if (n->in[1]->shape.rank != 1) fail_at(g, n, "input 1 must be a list of integers");
  int64_t count = listed ? n->in[3]->shape.d[0] : n->op == OP_Pad ? x->rank : n->in[1]->shape.d[0];
  if (count < 0 || count > x->rank) fail_at(g, n, "bounds for %lld axes of %d", (long long)count, x->rank);
  check_bounds(g, n, count);
  if (declared.rank != x->rank) fail_at(g, n, "the result is declared with another rank");
  for (int i = 0; i < x->rank; i++) check_number(g, n, 0, i);
  if (shape_is_symbolic(&declared)) fail_at(g, n, "the result is declared with the symbolic batch; --batch N fixes it");
  set_output(g, n, 0, n->in[0]->type, &declared);
}

/* ---- Slice ---- */

/* Elements from *start (clamped here) before end, by ONNX's rules: negative bounds count from the end. */
static int64_t slice_axis(int64_t dim, int64_t *start, int64_t end, int64_t step) {
  if (dim == 0) return 0;
  if (*start < 0) *start += dim;
  if (end < 0) end += dim;
  if (step > 0) {
    *start = size_clamp(*start, 0, dim);
    end = size_clamp(end, 0, dim);
    return end > *start ? (end - *start - 1) / step + 1 : 0;
  }
  *start = size_clamp(*start, 0, dim - 1);
  end = size_clamp(end, -1, dim - 1);
  return *start > end ? (*start - end - 1) / -step + 1 : 0;
}

/* Of the batch axis, only the whole can be taken. */
static void check_whole_batch(Graph *g, const Node *n, int64_t dim, const Ints *starts, const Ints *ends,
                              int k, int64_t step) {
  bool to_end = ends->sym[k] ? ends->v[k] >= -dim : ends->v[k] >= INT32_MAX;
  if (starts->v[k] != 0 || step != 1 || !to_end)
    fail_at(g, n, "the symbolic batch is sliced; --batch fixes it");
}

void slice_ranges(Graph *g, const Node *n, int64_t *start, int64_t *step, Shape *out) {
  const Shape *x = &n->in[0]->shape;
  Ints starts = const_input(g, n, 1, "starts"), ends = const_input(g, n, 2, "ends"), axes, steps;
  *out = *x;
  bool has_axes = has_input(n, 3), has_steps = has_input(n, 4);
  if (has_axes) axes = const_input(g, n, 3, "axes");
  if (has_steps) steps = const_input(g, n, 4, "steps");
  if (starts.n > x->rank || ends.n != starts.n || (has_axes && axes.n != starts.n) ||
      (has_steps && steps.n != starts.n))
    fail_at(g, n, "starts, ends, axes and steps do not fit together");
  bool seen[MAX_RANK] = {false};
  for (int i = 0; i < x->rank; i++) {
    start[i] = 0;
    step[i] = 1;
  }
  for (int k = 0; k < starts.n; k++) {
    int i = check_axis(g, n, has_axes ? axes.v[k] : k, x->rank);
    if (seen[i]) fail_at(g, n, "axis %d is named twice", i);
    seen[i] = true;
    if (has_steps) step[i] = steps.v[k] == INT64_MIN ? -INT64_MAX : steps.v[k];
    if (step[i] == 0) fail_at(g, n, "a step is 0");
    if (x->d[i] < 0) {
      check_whole_batch(g, n, x->d[i], &starts, &ends, k, step[i]);
      continue;
    }
    if (starts.sym[k] || ends.sym[k])
      fail_at(g, n, "axis %d is cut at the symbolic batch; --batch fixes it", i);
    start[i] = starts.v[k];
    out->d[i] = slice_axis(x->d[i], &start[i], ends.v[k], step[i]);
    if (out->d[i] <= 1) step[i] = 1; /* no step is made, however long */
  }
}

void infer_slice(Graph *g, Node *n) {
  if (has_run_time_bounds(n)) {
    infer_bounds_as_declared(g, n);
    return;
  }
  int64_t start[MAX_RANK], step[MAX_RANK];
  Shape out;
  slice_ranges(g, n, start, step, &out);
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- Pad ---- */

PadMode pad_mode(Graph *g, const Node *n) {
  static const char *const name[] = {"constant", "reflect", "edge", "wrap"};
  const char *s = attr_string(n, "mode", "constant");
  for (size_t i = 0; i < COUNT(name); i++)
    if (strcmp(s, name[i]) == 0) return (PadMode)i;
  fail_at(g, n, "mode \"%s\" is not known", s);
}

void pad_amounts(Graph *g, const Node *n, int64_t *lo, int64_t *hi) {
  int rank = n->in[0]->shape.rank;
  Ints pads = const_input(g, n, 1, "pads"), axes = {.n = rank};
  for (int i = 0; i < rank; i++) {
    axes.v[i] = i;
    lo[i] = hi[i] = 0;
  }
  if (has_input(n, 3)) axes = const_input(g, n, 3, "axes");
  if (pads.n != 2 * axes.n) fail_at(g, n, "pads must be %d integers", 2 * axes.n);
  for (int k = 0; k < axes.n; k++) {
    int i = check_axis(g, n, axes.v[k], rank);
    lo[i] = pads.v[k];
    hi[i] = pads.v[axes.n + k];
    if (pads.sym[k] || pads.sym[axes.n + k]) fail_at(g, n, "padding depends on the symbolic batch; --batch N fixes it");
  }
}

/* Size of an axis that is padded; negative amounts cut off. */
static int64_t padded_dim(Graph *g, const Node *n, PadMode mode, int64_t dim, int64_t lo, int64_t hi) {
  int64_t limit = INT32_MAX;
  if (lo < -limit || lo > limit || hi < -limit || hi > limit || dim > INT64_MAX - 2 * limit ||
      dim + lo + hi < 0)
    fail_at(g, n, "padding %lld by %lld and %lld is out of range", (long long)dim, (long long)lo,
            (long long)hi);
  if (mode == PAD_CONSTANT || (lo <= 0 && hi <= 0)) return dim + lo + hi;
  if (dim == 0) fail_at(g, n, "an empty axis is padded with its own elements");
  if (mode == PAD_REFLECT && (lo >= dim || hi >= dim))
    fail_at(g, n, "an axis of %lld elements cannot be reflected that far", (long long)dim);
  return dim + lo + hi;
}

static void check_padding_value(Graph *g, const Node *n) {
  if (!has_input(n, 2)) return;
  check_same_type(g, n, 2);
  const Shape *s = &n->in[2]->shape;
  if (shape_is_symbolic(s) || shape_count(s) != 1) fail_at(g, n, "the padding value must be one element%s", batch_remedy(g, n));
}

void infer_pad(Graph *g, Node *n) {
  PadMode mode = pad_mode(g, n);
  check_padding_value(g, n);
  if (has_run_time_bounds(n)) {
    infer_bounds_as_declared(g, n);
    return;
  }
  Shape out = n->in[0]->shape;
  int64_t lo[MAX_RANK], hi[MAX_RANK];
  pad_amounts(g, n, lo, hi);
  for (int i = 0; i < out.rank; i++) {
    if (lo[i] == 0 && hi[i] == 0) continue;
    check_number(g, n, 0, i);
    out.d[i] = padded_dim(g, n, mode, out.d[i], lo[i], hi[i]);
  }
  set_output(g, n, 0, n->in[0]->type, &out);
}

/* ---- Gather ---- */

/* Indices that are constants can be checked now. */
static void check_indices(Graph *g, const Node *n, int64_t dim) {
  const Value *v = n->in[1];
  if (!v->data || v->sym) return;
  int64_t count = shape_count(&v->shape);
  for (int64_t i = 0; i < count; i++) {
    int64_t k = v->type == T_I32 ? ((const int32_t *)v->data)[i] : ((const int64_t *)v->data)[i];
    if (k < -dim || k >= dim)
      fail_at(g, n, "index %lld is outside an axis of %lld elements", (long long)k, (long long)dim);
  }
}

void infer_gather(Graph *g, Node *n) {
  const Shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
  int axis = check_axis(g, n, attr_int(n, "axis", 0), x->rank);
  check_number(g, n, 0, axis);
  Type t = n->in[1]->type;
  if (t != T_I32 && t != T_I64) fail_at(g, n, "indices must be i32 or i64, not %s", type_name(t));
  check_indices(g, n, x->d[axis]);
  if (x->d[axis] == 0 && shape_count(index) != 0) fail_at(g, n, "elements are taken from an axis that has none");
  if (x->rank - 1 + index->rank > MAX_RANK)
    fail_at(g, n, "a result of rank over %d is not supported", MAX_RANK);
  Shape out = {.rank = 0};
  for (int i = 0; i < axis; i++) out.d[out.rank++] = x->d[i];
  for (int i = 0; i < index->rank; i++) out.d[out.rank++] = index->d[i];
  for (int i = axis + 1; i < x->rank; i++) out.d[out.rank++] = x->d[i];
  set_output(g, n, 0, n->in[0]->type, &out);
}
