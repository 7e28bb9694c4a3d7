/* words.c: what the functions of the operators are made of. */
#include "ops.h"

#include <string.h>

/* ---- checks ---- */

bool has_input(const Node *n, int i) {
  return i < n->n_in && n->in[i];
}

bool fits_memory(const Graph *g, Type type, const Shape *s) {
  int64_t bytes = size_mul(shape_extent(s), (int64_t)type_size(type));
  return bytes <= g->cx->max_memory && bytes <= MOST_MEMORY;
}

bool follows_from_constants(const Graph *g, const Value *v) {
  bool *follows = alloc_n(g->cx, (size_t)g->n_value, sizeof *follows);
  for (int i = 0; i < g->n_value; i++) follows[i] = g->value[i]->data;
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    bool all = true;
    for (int k = 0; k < n->n_in && n->op != OP_Shape; k++) all = all && (!n->in[k] || follows[n->in[k]->id]);
    for (int k = 0; k < n->n_out && all; k++)
      if (n->out[k]) follows[n->out[k]->id] = true;
  }
  return follows[v->id];
}

const char *batch_remedy(const Graph *g, const Node *n) {
  bool symbolic = false;
  if (!g->symbolic || g->input_shape) return ""; /* the pass batch has been */
  for (int i = 0; i < n->n_in && !symbolic; i++) {
    const Value *v = n->in[i];
    symbolic = v && (shape_is_symbolic(&v->shape) || v->sym || (!v->data && v->def && follows_from_constants(g, v)));
  }
  return symbolic ? "; --batch N fixes the batch" : "";
}

void set_output(Graph *g, Node *n, int i, Type type, const Shape *s) {
  if (i >= n->n_out || !n->out[i]) return;
  if (!fits_memory(g, type, s))
    fail_at(g, n, "the result %s alone is larger than the memory limit", shape_text(g->cx, s));
  n->out[i]->type = type;
  n->out[i]->shape = *s;
}

int check_axis(Graph *g, const Node *n, int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    fail_at(g, n, "axis %lld is not one of a tensor of rank %d", (long long)axis, rank);
  return (int)(axis < 0 ? axis + rank : axis);
}

void check_range(Graph *g, const Node *n, const char *what, int64_t v, int64_t min, int64_t max) {
  if (v < min || v > max) fail_at(g, n, "%s %lld is out of range", what, (long long)v);
}

void check_same_type(Graph *g, const Node *n, int i) {
  Type want = n->in[0]->type, type = n->in[i]->type;
  if (type != want) fail_at(g, n, "input %d is %s, input 0 is %s", i, type_name(type), type_name(want));
}

void check_rank(Graph *g, const Node *n, int i, int min, int max) {
  int rank = n->in[i]->shape.rank;
  if (rank < min || rank > max) {
    const char *text = shape_text(g->cx, &n->in[i]->shape);
    if (min == max) fail_at(g, n, "input %d must have rank %d, its shape is %s", i, min, text);
    fail_at(g, n, "input %d must have a rank from %d to %d, its shape is %s", i, min, max, text);
  }
}

_Noreturn void fail_training(Graph *g, const Node *n) {
  fail_at(g, n, "is in training mode; export the model for inference, in PyTorch after model.eval()");
}

void check_per_channel(Graph *g, const Node *n, int i, int64_t channels) {
  const Shape *s = &n->in[i]->shape;
  if (s->rank != 1 || s->d[0] != channels)
    fail_at(g, n, "input %d must have shape [%lld], not %s", i, (long long)channels, shape_text(g->cx, s));
}

void check_channel_inputs(Graph *g, const Node *n) {
  const Shape *x = &n->in[0]->shape;
  if (x->rank > 1) check_number(g, n, 0, 1);
  for (int i = 1; i < 5; i++) {
    Type t = n->in[i]->type;
    if (t != T_F32 && !type_is_half(t)) check_same_type(g, n, i); /* statistics may be more precise than data */
    check_per_channel(g, n, i, x->rank > 1 ? x->d[1] : 1);
  }
}

void check_number(Graph *g, const Node *n, int i, int axis) {
  if (n->in[i]->shape.d[axis] < 0)
    fail_at(g, n, "axis %d of input %d, %s, is the symbolic batch; --batch fixes it", axis, i,
            shape_text(g->cx, &n->in[i]->shape));
}

Ints const_input(Graph *g, const Node *n, int i, const char *what) {
  Ints a = {0};
  const Value *v = n->in[i];
  if (!v->data) fail_at(g, n, "%s must be known at compile time, but \"%s\" is not constant%s", what, v->name, batch_remedy(g, n));
  if (!const_ints(v, MAX_INTS, a.v, &a.n))
    fail_at(g, n, "%s must be a list of at most %d integers", what, MAX_INTS);
  if (v->sym) move_bytes(a.sym, v->sym, (size_t)a.n * sizeof *a.sym);
  return a;
}

static bool is_one_number(const Value *v) {
  return v && (v->shape.rank == 0 || (v->data && v->shape.rank > 0 && shape_count(&v->shape) == 1));
}

enum { FAR = 32 }; /* operators, one behind the other, that are looked at */

/* Is v made of `origin`, element by element, and of single numbers? */
static bool is_made_of(const Value *v, const Value *origin, int far) {
  if (v == origin) return true;
  const Node *n = v->def;
  if (!n || far == 0) return false;
  if (op_info[n->op].family == FAMILY_UNARY) return is_made_of(n->in[0], origin, far - 1);
  if (op_info[n->op].family != FAMILY_BINARY || !n->in[0] || !n->in[1]) return false;
  int other = is_one_number(n->in[0]);
  return (other || is_one_number(n->in[1])) && is_made_of(n->in[other], origin, far - 1);
}

/* Has n's result the shape of its operand v, which is made of `origin`, whatever that shape is? */
static bool keeps_shape(const Node *n, const Value *v, const Value *origin, int far) {
  if (op_info[n->op].family == FAMILY_UNARY) return n->in[0] == v;
  if (op_info[n->op].family != FAMILY_BINARY || !n->in[0] || !n->in[1]) return false;
  const Value *other = n->in[n->in[0] == v];
  return is_one_number(other) || is_made_of(other, origin, far);
}

/* v, or what is computed of it element by element, with a declared shape; NULL: none has one. */
static const Value *find_declared(Value *v, const Value *origin, int far) {
  if (v->shape.rank >= 0) return v;
  Use *at = NULL;
  for (Node *n; far > 0 && (n = next_reader(v, &at));) {
    if (!n->out[0] || !keeps_shape(n, v, origin, far)) continue;
    const Value *found = find_declared(n->out[0], origin, far - 1);
    if (found) return found;
  }
  return NULL;
}

Shape declared_output(Graph *g, const Node *n, int i, const char *what) {
  const Value *declared = n->out[i] ? find_declared(n->out[i], n->out[i], FAR) : NULL;
  if (!declared) fail_at(g, n, "%s must be known at compile time%s", what, batch_remedy(g, n));
  return declared->shape;
}

Value *shape_constant(Graph *g, const char *name, const Shape *s) {
  int64_t d[MAX_RANK];
  bool *sym = alloc(g->cx, MAX_RANK * sizeof *sym);
  for (int i = 0; i < s->rank; i++) {
    sym[i] = s->d[i] < 0;
    d[i] = sym[i] ? -s->d[i] : s->d[i];
  }
  Value *v = value_const_i64(g, name, s->rank, d);
  if (shape_is_symbolic(s)) v->sym = sym;
  return v;
}

Shape shape_input(Graph *g, Node *n, int i) {
  if (!n->in[i]->data) {
    Shape declared = declared_output(g, n, 0, "the shape");
    node_set_input(g, n, i, shape_constant(g, n->in[i]->name, &declared));
  }
  Ints want = const_input(g, n, i, "the shape");
  if (want.n > MAX_RANK) fail_at(g, n, "a result of rank %d is not supported", want.n);
  Shape s = {.rank = want.n};
  for (int k = 0; k < want.n; k++) {
    if (want.v[k] < 0) fail_at(g, n, "dimension %lld is negative", (long long)want.v[k]);
    s.d[k] = want.sym[k] ? -want.v[k] : want.v[k];
  }
  return s;
}

void axes_input(Graph *g, const Node *n, int i, int rank, bool *has) {
  Ints axes = const_input(g, n, i, "the axes argument");
  memset(has, 0, MAX_RANK * sizeof *has);
  for (int k = 0; k < axes.n; k++) {
    int axis = check_axis(g, n, axes.v[k], rank);
    if (has[axis]) fail_at(g, n, "axis %d is named twice", axis);
    has[axis] = true;
  }
}

void ints_attr(Graph *g, const Node *n, const char *name, int count, int64_t *out) {
  const Attr *a = attr_find(n, name);
  if (!a) return;
  if (a->kind != A_INTS || a->n != count) fail_at(g, n, "attribute %s must be %d integers", name, count);
  move_bytes(out, a->ints, (size_t)count * sizeof *out);
}

int choice_attr(Graph *g, const Node *n, const char *name, const char *const *choice, int count) {
  const char *s = attr_string(n, name, choice[0]);
  for (int i = 0; i < count; i++)
    if (strcmp(s, choice[i]) == 0) return i;
  fail_at(g, n, "%s \"%s\" is not known", name, s);
}

Type type_attr(Graph *g, const Node *n, const char *name, Type otherwise) {
  int64_t t = attr_int(n, name, otherwise);
  if (t < 0 || t > T_BF16 || !type_size((Type)t)) fail_at(g, n, "element type %lld is not supported", (long long)t);
  return (Type)t;
}

void infer_same(Graph *g, Node *n) {
  set_output(g, n, 0, n->in[0]->type, &n->in[0]->shape);
}

void attr_to_input(Graph *g, Node *n, const char *name, int i) {
  const Attr *a = attr_find(n, name);
  if (!a) return;
  if (has_input(n, i)) fail_at(g, n, "attribute %s and input %d say the same thing", name, i);
  Type t = n->in[0]->type;
  Number x = convert_number(T_F32, t, (Number){.f = (double)a->f});
  while (n->n_in <= i) node_add_input(g, n, NULL);
  node_set_input(g, n, i, value_const_number(g, format_text(g->cx, "%s.%s", n->name, name), t, x));
  attr_remove(n, name);
}

const float *f32_elements(Graph *g, const Value *v, const void *data) {
  if (v->type == T_F32 || !data) return data;
  int64_t count = shape_count(&v->shape);
  float *f = alloc_n(g->cx, (size_t)count, sizeof *f);
  for (int64_t i = 0; i < count; i++) f[i] = (float)get_number(v->type, data, i).f;
  return f;
}

Elements real_elements(Graph *g, const Value *v, const void *data) {
  if (v->type == T_F64) return (Elements){.d = data};
  return (Elements){.f = f32_elements(g, v, data)};
}

Elements elements_from(Elements e, int64_t first) {
  return (Elements){.f = e.f ? e.f + first : NULL, .d = e.d ? e.d + first : NULL};
}

double real_element(Elements e, int64_t i) { return e.d ? e.d[i] : (double)e.f[i]; }

/* ---- broadcasting ---- */

static int64_t dim_from_end(const Shape *s, int k) {
  return k < s->rank ? s->d[s->rank - 1 - k] : 1;
}

bool shape_broadcast(const Shape *a, const Shape *b, Shape *out) {
  Shape r = {.rank = a->rank > b->rank ? a->rank : b->rank};
  for (int k = 0; k < r.rank; k++) {
    int64_t p = dim_from_end(a, k), q = dim_from_end(b, k);
    if (p != q && p != 1 && q != 1) return false;
    r.d[r.rank - 1 - k] = p == 1 ? q : p;
  }
  *out = r;
  return true;
}

void broadcast_input(Graph *g, const Node *n, int i, Shape *s) {
  const Shape *t = &n->in[i]->shape;
  if (!shape_broadcast(s, t, s))
    fail_at(g, n, "shapes %s and %s do not broadcast%s", shape_text(g->cx, s), shape_text(g->cx, t), batch_remedy(g, n));
}

void broadcast_into(Graph *g, const Node *n, int i, const Shape *s) {
  Shape r = *s;
  broadcast_input(g, n, i, &r);
  if (!shape_equal(&r, s))
    fail_at(g, n, "input %d of shape %s does not broadcast to %s%s", i, shape_text(g->cx, &n->in[i]->shape),
            shape_text(g->cx, s), batch_remedy(g, n));
}

/* ---- places ---- */

void cursor_next(Cursor *c) {
  for (int k = c->shape->rank - 1; k >= 0; k--) {
    c->at += c->stride[k];
    if (++c->index[k] < c->shape->d[k]) return;
    c->at -= c->stride[k] * c->shape->d[k];
    c->index[k] = 0;
  }
}

void dense_strides(const Shape *s, int64_t *stride) {
  int64_t n = 1;
  for (int k = s->rank - 1; k >= 0; k--) {
    stride[k] = n;
    n *= s->d[k];
  }
}

Cursor broadcast_cursor(const Shape *s, const Shape *to) {
  Cursor c = {.shape = to};
  int64_t stride[MAX_RANK];
  dense_strides(s, stride);
  for (int k = 0; k < s->rank; k++) c.stride[to->rank - s->rank + k] = s->d[k] == 1 ? 0 : stride[k];
  return c;
}

Lines lines_by_axis(const Shape *s, int axis) {
  Lines l = {.size = s->d[axis], .inner = 1};
  for (int i = axis + 1; i < s->rank; i++) l.inner *= s->d[i];
  if (l.size) l.count = shape_count(s) / l.size;
  return l;
}

int64_t line_element(const Lines *l, int64_t line, int64_t k) {
  return line / l->inner * l->inner * l->size + k * l->inner + line % l->inner;
}

/* ---- elements ---- */

int64_t blocks_before(const Shape *s, int64_t axis) {
  int64_t count = 1;
  for (int64_t i = 0; i < axis; i++) count *= s->d[i];
  return count;
}

size_t block_size(const Value *v, int64_t axis) {
  size_t size = type_size(v->type);
  for (int64_t i = axis; i < v->shape.rank; i++) size *= (size_t)v->shape.d[i];
  return size;
}

void copy_element(void *to, int64_t i, const void *from, int64_t k, size_t size) {
  move_bytes((char *)to + (size_t)i * size, (const char *)from + (size_t)k * size, size);
}

void copy_elements(const Value *to, void *out, const void *in, Cursor c) {
  int64_t count = shape_count(&to->shape);
  for (int64_t i = 0; i < count; i++, cursor_next(&c)) copy_element(out, i, in, c.at, type_size(to->type));
}
