/* softmax.c: Softmax and LogSoftmax. */
#include "emit.h"

typedef struct Softmax {
  bool log;
  Ref max, sum;        /* of the line, once they are known */
} Softmax;

static Ref visit_max(const AxisLine *l, const void *data, Ref at, int k, int valid, Ref acc) {
  (void)data, (void)k;
  return fmax_(l->e, keep_lanes(l->e, line_load(l, at, valid), valid, acc), acc);
}

static Ref visit_exp(const AxisLine *l, const void *data, Ref at, int k, int valid, Ref acc) {
  const Softmax *s = data;
  Emit *e = l->e;
  (void)k;
  Ref y = math_exp(e, sub_f(e, line_load(l, at, valid), s->max));
  if (!s->log) line_store(l, y, at, valid);
  return add_f(e, acc, keep_lanes(e, y, valid, line_constant(l, 0)));
}

static Ref visit_divide(const AxisLine *l, const void *data, Ref at, int k, int valid, Ref acc) {
  const Softmax *s = data;
  AxisLine written = *l;
  (void)k;
  written.src = l->dst;
  line_store(l, div_f(l->e, line_load(&written, at, valid), s->sum), at, valid);
  return acc;
}

static Ref visit_log(const AxisLine *l, const void *data, Ref at, int k, int valid, Ref acc) {
  const Softmax *s = data;
  (void)k;
  line_store(l, sub_f(l->e, sub_f(l->e, line_load(l, at, valid), s->max), s->sum), at, valid);
  return acc;
}

/* The largest element is taken off first: that changes nothing but the range of exp. */
static void softmax_line(AxisLines *w) {
  const AxisLine *l = &w->line;
  Softmax s = {.log = w->n->op == OP_LogSoftmax, .max = line_constant(l, -1 / 0.0), .sum = line_constant(l, 0)};
  int run = l->beside ? l->lanes : 1;
  walk_line(l, visit_max, NULL, &s.max);
  s.max = join_runs(l->e, s.max, run, fmax_);
  walk_sums(l, visit_exp, &s, l->n, &s.sum);
  s.sum = join_runs(l->e, s.sum, run, add_f);
  if (s.log) s.sum = math_log(l->e, s.sum);
  walk_line(l, s.log ? visit_log : visit_divide, &s, NULL);
}

void emit_softmax(Emit *e, Node *n) {
  AxisLines w = lines_along(e, n, 1u << n->p.axis, 1);
  each_line(&w, softmax_line);
}
