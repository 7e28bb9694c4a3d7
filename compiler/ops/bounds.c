/* bounds.c: Slice and Pad, whose bounds are constants or known at run time only. */
#include "ops.h"

/* ---- bounds known at run time ---- */

bool has_run_time_bounds(const Node *n) {
  for (int i = 1; i < n->n_in; i++)
    if (is_argument(n, i) && n->in[i] && !n->in[i]->data) return true;
  return false;
}

/* Each of the bounds is a list; of how many axes shows in the first. */
static void check_bounds(Graph *g, const Node *n, int64_t count) {
  for (int i = 1; i < n->n_in; i++) {
    const Value *v = n->in[i];
    if (!v || !is_argument(n, i)) continue;
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

/* The node with its inputs as constants, so that bounds known at run time only are read as all others are. */
static Node with_known_inputs(Graph *g, const Node *n, const void *const *in) {
  Node known = *n;
  known.in = alloc_n(g->cx, (size_t)n->n_in, sizeof *known.in);
  for (int i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    known.in[i] = alloc(g->cx, sizeof *known.in[i]);
    *known.in[i] = *n->in[i];
    known.in[i]->data = in[i];
  }
  return known;
}

static void check_declared(Graph *g, const Node *n, const Shape *s) {
  if (!shape_equal(s, &n->out[0]->shape))
    fail_at(g, n, "the result is %s, but declared as %s", shape_text(g->cx, s),
            shape_text(g->cx, &n->out[0]->shape));
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

/* The input of the model that is how far n, from its starts on, goes; NULL: there is none. */
static Value *length_of_slice(const Node *n) {
  const Node *add = n->op == OP_Slice && n->n_in > 2 && n->in[2] ? n->in[2]->def : NULL;
  if (!add || add->op != OP_Add || has_input(n, 4) || !n->out[0] || n->out[0]->shape.rank < 0) return NULL;
  Value *length = add->in[0] == n->in[1] ? add->in[1] : add->in[1] == n->in[1] ? add->in[0] : NULL;
  return length && length->is_input && length->type == T_I64 && length->shape.rank == 1 ? length : NULL;
}

void lengths_as_declared(Graph *g) {
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    Value *length = length_of_slice(n);
    if (!length || (has_input(n, 3) && !n->in[3]->data)) continue;
    const Shape *declared = &n->out[0]->shape;
    Ints axes = {.n = (int)size_min(declared->rank, length->shape.d[0])};
    for (int k = 0; k < axes.n; k++) axes.v[k] = k;
    if (has_input(n, 3)) axes = const_input(g, n, 3, "axes");
    Shape known = {.rank = axes.n};
    if (axes.n > declared->rank || axes.n != length->shape.d[0]) continue;
    for (int k = 0; k < axes.n; k++) known.d[k] = declared->d[check_axis(g, n, axes.v[k], declared->rank)];
    readers_move(length, shape_constant(g, format_text(g->cx, "%s.declared", length->name), &known));
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

void eval_slice(Graph *g, const Node *n, const void *const *in, void **out) {
  int64_t start[MAX_RANK], step[MAX_RANK], stride[MAX_RANK];
  Shape s;
  Node known = with_known_inputs(g, n, in);
  slice_ranges(g, &known, start, step, &s);
  check_declared(g, n, &s);
  dense_strides(&n->in[0]->shape, stride);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int i = 0; i < s.rank; i++) {
    c.at += start[i] * stride[i];
    c.stride[i] = step[i] * stride[i];
  }
  copy_elements(n->out[0], out[0], in[0], c);
}

/* ---- Pad ---- */

static PadMode pad_mode(Graph *g, const Node *n) {
  static const char *const name[] = {"constant", "reflect", "edge", "wrap"};
  return (PadMode)choice_attr(g, n, "mode", name, COUNT(name));
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

bool cuts_maps(Graph *g, const Node *n) {
  int64_t first[MAX_RANK] = {0}, last[MAX_RANK + 1], step[MAX_RANK] = {1, 1, 1, 1};
  Shape result;
  if (n->in[0]->shape.rank != 4 || has_run_time_bounds(n)) return false;
  if (n->op == OP_Slice) slice_ranges(g, n, first, step, &result);
  else pad_amounts(g, n, first, last);
  bool whole = true;
  for (int k = 0; k < 2; k++) whole &= first[k] == 0 && step[k] == 1 && n->out[0]->shape.d[k] == n->in[0]->shape.d[k];
  return whole;
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

static void check_padding_value(Graph *g, Node *n) {
  attr_to_input(g, n, "value", 2);
  if (!has_input(n, 2)) return;
  check_same_type(g, n, 2);
  const Shape *s = &n->in[2]->shape;
  if (shape_is_symbolic(s) || shape_count(s) != 1) fail_at(g, n, "the padding value must be one element%s", batch_remedy(g, n));
}

void infer_pad(Graph *g, Node *n) {
  PadMode mode = n->p.mode = pad_mode(g, n);
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

/* The element of an axis of `dim` that stands at place i, which may lie outside; -1: the padding value. */
static int64_t padding_source(PadMode mode, int64_t i, int64_t dim) {
  if (i >= 0 && i < dim) return i;
  switch (mode) {
    case PAD_CONSTANT: return -1;
    case PAD_EDGE: return i < 0 ? 0 : dim - 1;
    case PAD_REFLECT: return i < 0 ? -i : 2 * (dim - 1) - i;
    case PAD_WRAP: return (i % dim + dim) % dim;
  }
  return -1;
}

/* Offset of the input element at output index `index`, -1: the padding value. */
static int64_t pad_offset(PadMode mode, const Shape *x, const int64_t *lo, const int64_t *index) {
  int64_t offset = 0;
  for (int k = 0; k < x->rank; k++) {
    int64_t i = padding_source(mode, index[k] - lo[k], x->d[k]);
    if (i < 0) return -1;
    offset = offset * x->d[k] + i;
  }
  return offset;
}

void eval_pad(Graph *g, const Node *n, const void *const *in, void **out) {
  static const char zero[8];
  size_t size = type_size(n->in[0]->type);
  const void *value = n->n_in > 2 && in[2] ? in[2] : zero;
  PadMode mode = n->p.mode;
  int64_t lo[MAX_RANK], hi[MAX_RANK], count = shape_count(&n->out[0]->shape);
  Node known = with_known_inputs(g, n, in);
  Shape s = n->in[0]->shape;
  pad_amounts(g, &known, lo, hi);
  for (int i = 0; i < s.rank; i++) s.d[i] += lo[i] + hi[i];
  check_declared(g, n, &s);
  Cursor c = {.shape = &n->out[0]->shape};
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) {
    int64_t from = pad_offset(mode, &n->in[0]->shape, lo, c.index);
    if (from < 0) copy_element(out[0], i, value, 0, size);
    else copy_element(out[0], i, in[0], from, size);
  }
}
