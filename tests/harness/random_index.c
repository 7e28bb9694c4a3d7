/* random_index.c: proposals of nodes that move elements by index, or make them by place. */
#include "random_nodes.h"

/* A statement of constant indices of that shape, each from the axis whose turn it is; NULL: they are too
 * many. */
static const char *constant_indices(R *r, const Shape *s, const int64_t *dim, int period) {
  enum { MOST = 60 };
  int64_t count = shape_count(s), v[MOST], to[MAX_RANK];
  if (count > MOST) return NULL;
  for (int64_t i = 0; i < count; i++) {
    int64_t d = dim[i % period];
    if (d < 1) return NULL;
    v[i] = below(r, (int)d) - (one_in(r, 3) ? d : 0);
  }
  for (int i = 0; i < s->rank; i++) to[i] = s->d[i];
  const char *c = random_new_constant(r);
  random_say(r, "const %s i64 %s = %s", c, random_ints(r, "[]", s->rank, to),
             random_ints(r, "{}", (int)count, v));
  return c;
}

/* Integers that come at run time, of whatever size; the last digits of a float must not say which element is
 * meant. */
static const V *run_time_indices(R *r, int lo, int hi) {
  const V *v = random_any(r, one_in(r, 2) ? T_I64 : T_I32, lo, hi);
  return v && v->exact ? v : NULL;
}

static bool gather_elements(R *r) {
  const V *x = random_any(r, T_NONE, 1, 4);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  const V *v = one_in(r, 2) ? run_time_indices(r, x->shape.rank, x->shape.rank) : NULL;
  Shape s = x->shape;
  for (int i = 0; i < s.rank; i++) s.d[i] = s.d[i] < 0 ? 1 : size_min(s.d[i], 1 + below(r, 3));
  const char *index = v ? v->name : constant_indices(r, &s, &x->shape.d[axis], 1);
  if (!index) return false;
  random_say(r, "%s = GatherElements(%s, %s) axis=%d", random_new_value(r), x->name, index, axis);
  return random_keep(r, first, OP_GatherElements, x->exact, x->magnitude);
}

static bool scatter_elements(R *r) {
  static const char *const how[] = {"none", "add", "max", "min"};
  const V *x = random_any(r, T_F32, 1, 4);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0 || x->shape.d[axis] < 1) return false;
  Shape s = x->shape;
  for (int i = 0; i < s.rank; i++) s.d[i] = s.d[i] < 0 ? 1 : size_min(s.d[i], 1 + below(r, 3));
  const char *index = constant_indices(r, &s, &x->shape.d[axis], 1);
  if (!index) return false;
  const char *updates = random_constant(r, &s, 1);
  random_say(r, "%s = ScatterElements(%s, %s, %s) axis=%d reduction=\"%s\"", random_new_value(r), x->name,
             index, updates, axis,
             how[below(r, 4)]);
  return random_keep(r, first, OP_ScatterElements, false, x->magnitude + 60);
}

/* Rows of indices for the axes from `batch` on. */
static bool by_rows(R *r) {
  const V *x = random_any(r, T_F32, 1, 4);
  int first = r->n_line, width = x ? 1 + below(r, x->shape.rank) : 0;
  if (!x || batched(x)) return false;
  Shape s = {.rank = 2, .d = {1 + below(r, 5), width}};
  const V *v = one_in(r, 3) ? run_time_indices(r, 1, 3) : NULL;
  const char *index = v ? v->name : constant_indices(r, &s, x->shape.d, width);
  if (!index) return false;
  if (v || one_in(r, 2)) {
    random_say(r, "%s = GatherND(%s, %s)", random_new_value(r), x->name, index);
    return random_keep(r, first, OP_GatherND, x->exact, x->magnitude);
  }
  Shape u = {.rank = 1, .d = {s.d[0]}};
  for (int i = width; i < x->shape.rank; i++) u.d[u.rank++] = x->shape.d[i];
  const char *updates = random_constant(r, &u, 1),
      *how = one_in(r, 2) ? "none" : one_in(r, 2) ? "add" : "max";
  random_say(r, "%s = ScatterND(%s, %s, %s) reduction=\"%s\"", random_new_value(r), x->name, index, updates,
             how);
  return random_keep(r, first, OP_ScatterND, false, x->magnitude + 5);
}

static bool reverse_sequence(R *r) {
  const V *x = random_any(r, T_F32, 2, 5), *v = run_time_indices(r, 1, 1);
  int first = r->n_line;
  if (!x) return false;
  const char *length = v && one_in(r, 2) ? v->name
      : constant_indices(r, &(Shape){.rank = 1, .d = {size_max(x->shape.d[0], 1)}}, (int64_t[]){9}, 1);
  if (!length) return false;
  random_say(r, "%s = ReverseSequence(%s, %s) time_axis=1 batch_axis=0", random_new_value(r), x->name,
             length);
  return random_keep(r, first, OP_ReverseSequence, x->exact, x->magnitude);
}

static bool compress(R *r) {
  const V *x = random_any(r, T_NONE, 1, 4);
  int axis = x ? random_axis(r, x) : -1, first = r->n_line;
  if (axis < 0 || x->shape.d[axis] < 1 || x->shape.d[axis] > 60) return false;
  const char *c = random_new_constant(r);
  int64_t flag[60];
  for (int i = 0; i < x->shape.d[axis]; i++) flag[i] = one_in(r, 2);
  random_say(r, "const %s bool [%lld] = %s", c, (long long)x->shape.d[axis],
             random_ints(r, "{}", (int)x->shape.d[axis], flag));
  random_say(r, "%s = Compress(%s, %s) axis=%d", random_new_value(r), x->name, c, axis);
  return random_keep(r, first, OP_Compress, x->exact, x->magnitude);
}

static bool trilu(R *r) {
  const V *x = random_any(r, T_NONE, 2, 5);
  int first = r->n_line;
  if (!x) return false;
  const char *c = random_int(r, below(r, 9) - 4);
  random_say(r, "%s = Trilu(%s, %s) upper=%d", random_new_value(r), x->name, c, one_in(r, 2));
  return random_keep(r, first, OP_Trilu, x->exact, x->magnitude);
}

static bool eye_like(R *r) {
  const V *x = random_any(r, T_NONE, 2, 2);
  int first = r->n_line;
  if (!x) return false;
  random_say(r, "%s = EyeLike(%s) k=%d dtype=%d", random_new_value(r), x->name, below(r, 5) - 2,
             one_in(r, 2) ? T_F32 : T_I64);
  return random_keep(r, first, OP_EyeLike, true, 1);
}

static bool one_hot(R *r) {
  const V *x = run_time_indices(r, 0, 3);
  int first = r->n_line;
  if (!x) return false;
  const char *depth = random_int(r, 1 + below(r, 9));
  const char *values = random_constant(r, &(Shape){.rank = 1, .d = {2}}, 1);
  random_say(r, "%s = OneHot(%s, %s, %s) axis=%d", random_new_value(r), x->name, depth, values,
             one_in(r, 2) ? -1 : x->shape.rank);
  return random_keep(r, first, OP_OneHot, true, 1);
}

/* Of as many elements as some axis has, as positions are made. */
static bool range(R *r) {
  const V *x = random_any(r, T_NONE, 1, 4);
  int first = r->n_line;
  if (!x) return false;
  random_say(r, "s%d = Size(%s)", first, x->name);
  random_say(r, "const z%d i64 [] = {0}\nconst o%d i64 [] = {%d}", first, first, 1 + below(r, 3));
  random_say(r, "%s = Range(z%d, s%d, o%d)", random_new_value(r), first, first, first);
  return random_keep(r, first, OP_Range, true, 100000);
}

bool random_index_node(R *r) {
  static bool (*const propose[])(R *) = {
    gather_elements, scatter_elements, by_rows, by_rows, reverse_sequence, compress, trilu, eye_like, one_hot,
        range,
  };
  return propose[below(r, (int)COUNT(propose))](r);
}
