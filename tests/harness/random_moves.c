/* random_moves.c: what only moves quantised values, as integers or as numbers that are quantised again. */
#include "random_nodes.h"

/* Integers as they are, or numbers which are quantised again, mostly the same way. */
typedef struct Moved {
  V *bytes;
  const V *x;      /* what is moved: the bytes or their numbers */
} Moved;

static bool moved(R *r, int lo, int hi, Moved *m) {
  m->bytes = random_bytes(r, lo, hi);
  m->x = !m->bytes ? NULL : one_in(r, 4) ? m->bytes : random_dequantized(r, m->bytes);
  return m->x;
}

/* The statement's result. */
static bool finish_move(R *r, int first, Op op, const Moved *m) {
  V facts = *m->x;
  facts.dequantized = 0, facts.origin = 0;
  const V *y = random_keep_as(r, first, op, facts);
  if (!y || m->x == m->bytes) return y;
  if (one_in(r, 4)) return random_finish(r, y);
  V to = *m->bytes;
  return random_quantize(r, y, &to);
}

bool random_turn(R *r) {
  Moved m;
  if (!moved(r, 2, 5, &m)) return false;
  int first = r->n_line, rank = m.x->shape.rank, from = batched(m.x);
  int64_t perm[MAX_RANK];
  for (int k = 0; k < rank; k++) perm[k] = k;
  for (int k = from; k < rank; k++) {
    int other = k + below(r, rank - k);
    int64_t t = perm[k];
    perm[k] = perm[other], perm[other] = t;
  }
  random_say(r, "%s = Transpose(%s) perm=%s", random_new_value(r), m.x->name, random_ints(r, "[]", rank, perm));
  return finish_move(r, first, OP_Transpose, &m);
}

bool random_view(R *r) {
  Moved m;
  if (!moved(r, 2, 5, &m)) return false;
  int first = r->n_line, rank = m.x->shape.rank;
  const Shape *s = &m.x->shape;
  if (one_in(r, 2)) {
    random_say(r, "%s = Flatten(%s) axis=1", random_new_value(r), m.x->name);
    return finish_move(r, first, OP_Flatten, &m);
  }
  int64_t to[] = {0, one_in(r, 2) ? -1 : s->d[1], one_in(r, 2) && s->d[rank - 1] > 0 ? s->d[rank - 1] : 1};
  if (to[1] > 0) to[2] = -1;
  const char *list = random_int_list(r, 3, to);
  random_say(r, "%s = Reshape(%s, %s)", random_new_value(r), m.x->name, list);
  return finish_move(r, first, OP_Reshape, &m);
}

/* In two along the channels, and both of them again side by side. */
bool random_split(R *r) {
  Moved m;
  if (!moved(r, 2, 5, &m)) return false;
  int first = r->n_line;
  int64_t d = m.x->shape.d[1];
  if (d < 2) return false;
  int64_t size[] = {1 + below(r, (int)d - 1), 0};
  size[1] = d - size[0];
  const char *list = random_int_list(r, 2, size), *a = random_new_value(r);
  random_say(r, "%s, b%s = Split(%s, %s) axis=1", a, a, m.x->name, list);
  random_say(r, "%s = Concat(b%s, %s) axis=1", random_new_value(r), a, a);
  return finish_move(r, first, OP_Concat, &m);
}

/* Another axis, and none of one element. */
bool random_axes(R *r) {
  Moved m;
  if (!moved(r, 1, 4, &m)) return false;
  int first = r->n_line, rank = m.x->shape.rank, k = rank - 1;
  while (k > 0 && m.x->shape.d[k] != 1) k--;
  bool fewer = k > 0;
  const char *list = random_int_list(r, 1, (int64_t[]){fewer ? k : 1 + below(r, rank)});
  random_say(r, "%s = %s(%s, %s)", random_new_value(r), fewer ? "Squeeze" : "Unsqueeze", m.x->name, list);
  return finish_move(r, first, fewer ? OP_Squeeze : OP_Unsqueeze, &m);
}

bool random_pick(R *r) {
  Moved m;
  if (!moved(r, 2, 5, &m)) return false;
  int first = r->n_line, axis = random_axis(r, m.x);
  int64_t list[8], n = 1 + below(r, 8);
  if (axis < 0 || m.x->shape.d[axis] < 1) return false;
  for (int64_t i = 0; i < n; i++) list[i] = below(r, (int)m.x->shape.d[axis]);
  const char *index = random_int_list(r, (int)n, list);
  random_say(r, "%s = Gather(%s, %s) axis=%d", random_new_value(r), m.x->name, index, axis);
  return finish_move(r, first, OP_Gather, &m);
}

bool random_slice(R *r) {
  Moved m;
  if (!moved(r, 2, 5, &m)) return false;
  int first = r->n_line, axis = random_axis(r, m.x);
  if (axis < 0 || m.x->shape.d[axis] < 2) return false;
  int64_t d = m.x->shape.d[axis], from = below(r, (int)d - 1), to = from + 1 + below(r, (int)(d - from)), step = 1 + below(r, 2);
  const char *a = random_int_list(r, 1, &from), *b = random_int_list(r, 1, &to), *c = random_int_list(r, 1, (int64_t[]){axis});
  const char *e = random_int_list(r, 1, &step);
  random_say(r, "%s = Slice(%s, %s, %s, %s, %s)", random_new_value(r), m.x->name, a, b, c, e);
  return finish_move(r, first, OP_Slice, &m);
}

bool random_pad(R *r) {
  Moved m;
  if (!moved(r, 3, 5, &m)) return false;
  int first = r->n_line, rank = m.x->shape.rank;
  int64_t list[2 * MAX_RANK] = {0};
  for (int k = 2; k < rank; k++) list[k] = below(r, 3), list[rank + k] = below(r, 3);
  if (one_in(r, 4)) list[1] = below(r, 3);
  const char *pads = random_int_list(r, 2 * rank, list);
  if (m.x == m.bytes || one_in(r, 3)) random_say(r, "%s = Pad(%s, %s)", random_new_value(r), m.x->name, pads);
  else {
    const char *fill = random_constant_between(r, &(Shape){0}, -m.x->spread, m.x->spread);
    random_say(r, "%s = Pad(%s, %s, %s)", random_new_value(r), m.x->name, pads, fill);
  }
  return finish_move(r, first, OP_Pad, &m);
}

bool random_resize(R *r) {
  Moved m;
  if (!moved(r, 4, 4, &m)) return false;
  int first = r->n_line;
  float by[] = {(float)(1 + below(r, 3)), (float)(1 + below(r, 3))};
  if (one_in(r, 4)) by[0] = 0.5f, by[1] = 1.5f;
  const char *scales = random_floats(r, 2, by);
  random_say(r, "%s = Resize(%s, _, %s) axes=[2,3] mode=\"nearest\"%s", random_new_value(r), m.x->name, scales,
             one_in(r, 2) ? " coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"" : "");
  return finish_move(r, first, OP_Resize, &m);
}
