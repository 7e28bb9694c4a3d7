/* random_graph.c: statements are proposed, and kept where shape inference takes them and the work stays small; so a
 * proposal need not know every rule. How often each operator's are kept is counted, for the test to look at. */
#include "random_graph.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 1 << 15, MOST_WORK = 1 << 21, HUGE_MAGNITUDE = 100000 };

typedef RandomGraph R;
typedef RandomValue V;

/* ==== numbers ==== */

uint64_t random_below(uint64_t *state, uint64_t n) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return (z ^ z >> 31) % n;
}

double random_double(uint64_t *state, double lo, double hi) {
  return lo + (hi - lo) * (double)random_below(state, UINT64_C(1) << 40) * 0x1p-40;
}

static int below(R *r, int n) { return (int)random_below(&r->state, (uint64_t)n); }
static bool one_in(R *r, int n) { return below(r, n) == 0; }

/* A size of an axis: small ones, those around a vector's, seldom an empty one. */
static int64_t size(R *r) {
  int v = r->lanes;
  const int around[] = {1, 2, v - 1, v, v + 1, 2 * v + 1, 3, 5, 7, 8};
  if (one_in(r, r->extreme ? 40 : 400)) return 0;
  if (r->extreme && one_in(r, 12)) return below(r, 2) ? 1000 : 70;
  return one_in(r, 3) ? 1 + below(r, 9) : around[below(r, (int)COUNT(around))];
}

/* A stride, a dilation or an amount of padding of a window. */
static int64_t extent(R *r, int usual) {
  static const int64_t far[] = {3, 7, 8, 16, 17, 100, 1000, 65535, 1 << 20, INT32_MAX - 1, INT32_MAX};
  if (r->extreme && one_in(r, 4)) return far[below(r, (int)COUNT(far))];
  return below(r, usual + 1);
}

/* ==== statements ==== */

static void say(R *r, const char *fmt, ...) PRINTF(2, 3);
static void say(R *r, const char *fmt, ...) {
  char text[2000];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (r->n_line < RANDOM_LINES) r->line[r->n_line++] = copy_text(r->cx, text);
}

static const char *shape_string(R *r, const Shape *s) {
  Buffer b = {0};
  buffer_printf(&b, "[");
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] < 0) buffer_printf(&b, "%s$", i ? "," : "");
    else buffer_printf(&b, "%s%lld", i ? "," : "", (long long)s->d[i]);
  }
  buffer_printf(&b, "]");
  char *text = copy_bytes_as_text(r->cx, b.data, b.size);
  buffer_free(&b);
  return text;
}

static const char *ints(R *r, const char *brackets, int n, const int64_t *v) {
  char *text = format_text(r->cx, "%c", brackets[0]);
  for (int i = 0; i < n; i++) text = format_text(r->cx, "%s%s%lld", text, i ? "," : "", (long long)v[i]);
  return format_text(r->cx, "%s%c", text, brackets[1]);
}

/* New names: v for values, c for constants. */
static const char *new_constant(R *r) { return format_text(r->cx, "c%d", r->n_line); }
static const char *new_value(R *r) { return format_text(r->cx, "v%d", r->n_line); }

static const char *constant(R *r, const Shape *s, double most) {
  const char *c = new_constant(r);
  say(r, "const %s f32 %s = random %d %.3g %.3g", c, shape_string(r, s), 1 + below(r, 1000), -most, most);
  return c;
}

static const char *constant_between(R *r, const Shape *s, double lo, double hi) {
  const char *c = new_constant(r);
  say(r, "const %s f32 %s = random %d %.3g %.3g", c, shape_string(r, s), 1 + below(r, 1000), lo, hi);
  return c;
}

static const char *int_list(R *r, int n, const int64_t *v) {
  const char *c = new_constant(r);
  say(r, "const %s i64 [%d] = %s", c, n, ints(r, "{}", n, v));
  return c;
}

/* ==== values to read ==== */

/* A value of a type and rank; the newest are taken most often. NULL: found none. */
static const V *any(R *r, Type type, int lo, int hi) {
  for (int k = 0; k < 12; k++) {
    int i = r->n_value - 1 - (int)((double)r->n_value * random_double(&r->state, 0, 1) * random_double(&r->state, 0, 1));
    const V *v = &r->value[i < 0 ? 0 : i];
    if ((type == T_NONE || v->type == type) && v->shape.rank >= lo && v->shape.rank <= hi) return v;
  }
  return NULL;
}

static bool batched(const V *v) { return v->shape.rank > 0 && v->shape.d[0] < 0; }

/* An axis that is no batch. -1: there is none. */
static int an_axis(R *r, const V *v) {
  int first = batched(v);
  return v->shape.rank > first ? first + below(r, v->shape.rank - first) : -1;
}

const RandomValue *random_value(const RandomGraph *r, const char *name) {
  for (int i = 0; i < r->n_value; i++) {
    if (strcmp(r->value[i].name, name) == 0) return &r->value[i];
  }
  return NULL;
}

/* ==== what is kept ==== */

static double work_of(const Node *n) {
  const Value *y = n->out[0] ? n->out[0] : n->out[1];
  double out = (double)shape_count(&y->shape);
  const Window *k = &n->win;
  switch (n->op) {
  case OP_Conv: return out * (double)n->in[1]->shape.d[1] * (double)k->kh * (double)k->kw;
  case OP_MaxPool: case OP_AveragePool: return out * (double)k->kd * (double)k->kh * (double)k->kw;
  case OP_Gemm: return out * (double)n->in[0]->shape.d[attr_int(n, "transA", 0) != 0 ? 0 : 1];
  case OP_MatMul: return out * (double)n->in[0]->shape.d[n->in[0]->shape.rank - 1];
  default: return out;
  }
}

/* Takes the results of the graph's last node as values, if they are small enough. */
static bool take_results(R *r, const Graph *g, bool exact, double magnitude) {
  const Node *n = g->node[g->n_node - 1];
  if (work_of(n) > MOST_WORK || r->n_value + n->n_out > RANDOM_VALUES) return false;
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i] && shape_count(&n->out[i]->shape) > MOST_ELEMENTS) return false;
  }
  for (int i = 0; i < n->n_out; i++) {
    if (!n->out[i]) continue;
    V *v = &r->value[r->n_value++];
    *v = (V){.type = n->out[i]->type, .shape = n->out[i]->shape, .exact = exact, .magnitude = magnitude};
    snprintf(v->name, sizeof v->name, "%s", n->out[i]->name);
  }
  return true;
}

/* Keeps the statements from line `first` on, the last of which is a node, if shape inference takes them. */
static bool keep(R *r, int first, Op op, bool exact, double magnitude) {
  Context scratch = {.file = "random", .max_memory = 1 << 28, .arena = arena_new(1 << 28)};
  Options opt = {.max_memory = 1 << 28};
  bool volatile kept = false;
  if (setjmp(scratch.unwind) == 0) {
    Graph *g = text_parse(&scratch, &opt, random_graph_text(r, -1));
    int last = g->n_node - 1;
    pass_shape(g);
    kept = last < g->n_node && take_results(r, g, exact, magnitude);
  }
  arena_free(scratch.arena);
  r->tried[op]++;
  r->kept[op] += kept;
  if (!kept) r->n_line = first;
  return kept;
}

/* ==== elementwise ==== */

static bool unary(R *r) {
  static const struct { Op op; bool exact; double most; } table[] = {
    {OP_Relu, true, HUGE_MAGNITUDE}, {OP_Sigmoid, false, 1}, {OP_Tanh, false, 1}, {OP_HardSwish, false, HUGE_MAGNITUDE},
    {OP_LeakyRelu, false, HUGE_MAGNITUDE}, {OP_HardSigmoid, false, 1}, {OP_Clip, true, 3}, {OP_Identity, true, HUGE_MAGNITUDE},
    {OP_Dropout, true, HUGE_MAGNITUDE},
  };
  int k = below(r, (int)COUNT(table)), first = r->n_line;
  const V *x = any(r, T_F32, 0, 6);
  if (!x) return false;
  double most = x->magnitude < table[k].most ? x->magnitude : table[k].most;
  const char *name = op_info[table[k].op].name;
  Shape scalar = {0};
  if (table[k].op == OP_Clip) {
    const char *lo = one_in(r, 4) ? "_" : constant_between(r, &scalar, -2, 0);
    const char *hi = one_in(r, 4) ? NULL : constant_between(r, &scalar, 0.5, 3);
    say(r, "%s = Clip(%s, %s%s%s)", new_value(r), x->name, lo, hi ? ", " : "", hi ? hi : "");
    most = x->magnitude;
  } else if (table[k].op == OP_LeakyRelu || table[k].op == OP_HardSigmoid) {
    say(r, "%s = %s(%s) alpha=%.3g", new_value(r), name, x->name, random_double(&r->state, 0.01, 0.5));
  } else {
    say(r, "%s = %s(%s)", new_value(r), name, x->name);
  }
  return keep(r, first, table[k].op, x->exact && table[k].exact, most);
}

/* A shape that broadcasts to s. */
static Shape smaller_shape(R *r, const Shape *s) {
  Shape t = {0};
  int from = s->rank ? below(r, s->rank + 1) : 0;
  for (int i = from; i < s->rank; i++) t.d[t.rank++] = s->d[i] < 0 || one_in(r, 3) ? 1 : s->d[i];
  return t;
}

static bool binary(R *r) {
  static const Op ops[] = {OP_Add, OP_Sub, OP_Mul, OP_Add, OP_PRelu, OP_Div};
  Op op = ops[below(r, (int)COUNT(ops))];
  int first = r->n_line;
  const V *x = any(r, T_F32, 0, 6), *y = any(r, T_F32, 0, 6);
  if (!x || !y) return false;
  const char *arg = y->name;
  double most = y->magnitude;
  if (op == OP_Div || op == OP_PRelu || one_in(r, 2) || x->magnitude * most > HUGE_MAGNITUDE) {
    Shape s = smaller_shape(r, &x->shape);
    arg = op == OP_Div ? constant_between(r, &s, 0.5, 2) : constant(r, &s, 1);
    most = op == OP_Div ? 2 : 1;
  }
  if (op != OP_Div && op != OP_PRelu && one_in(r, 3)) say(r, "%s = %s(%s, %s)", new_value(r), op_info[op].name, arg, x->name);
  else say(r, "%s = %s(%s, %s)", new_value(r), op_info[op].name, x->name, arg);
  bool sum = op == OP_Add || op == OP_Sub;
  return keep(r, first, op, false, sum ? x->magnitude + most : x->magnitude * (most > 1 ? most : 1));
}

/* On integers. */
static bool integers(R *r) {
  static const Op ops[] = {OP_Add, OP_Sub, OP_Mul, OP_Relu};
  static const Type types[] = {T_I32, T_I64, T_U8, T_I8};
  Type t = types[below(r, (int)COUNT(types))];
  Op op = ops[below(r, (int)COUNT(ops))];
  const V *x = any(r, t, 0, 6), *y = any(r, t, 0, 6);
  int first = r->n_line;
  if (!x || !y || x->magnitude * y->magnitude > 100) return false;
  if (op == OP_Relu) say(r, "%s = Relu(%s)", new_value(r), x->name);
  else say(r, "%s = %s(%s, %s)", new_value(r), op_info[op].name, x->name, y->name);
  return keep(r, first, op, true, op == OP_Mul ? x->magnitude * y->magnitude : x->magnitude + y->magnitude);
}

static bool cast(R *r) {
  static const Type types[] = {T_F32, T_I32, T_I64, T_U8, T_I8, T_F64, T_BOOL, T_F16, T_F32};
  const V *x = any(r, T_NONE, 0, 6);
  int first = r->n_line;
  Type to = types[below(r, (int)COUNT(types))];
  if (!x->exact || x->magnitude > 100) return false;
  say(r, "%s = Cast(%s) to=%d", new_value(r), x->name, (int)to);
  return keep(r, first, OP_Cast, to != T_F16, x->magnitude);
}

static bool batch_norm(R *r) {
  const V *x = any(r, T_F32, 2, 5);
  if (!x || x->shape.d[1] < 0) return false;
  int first = r->n_line;
  Shape s = {.rank = 1, .d = {x->shape.d[1]}};
  const char *scale = constant(r, &s, 2), *bias = constant(r, &s, 1), *mean = constant(r, &s, 1), *var = constant_between(r, &s, 0.3, 2);
  say(r, "%s = BatchNormalization(%s, %s, %s, %s, %s)", new_value(r), x->name, scale, bias, mean, var);
  return keep(r, first, OP_BatchNormalization, false, 4 * (x->magnitude + 1) + 1);
}

/* ==== windows ==== */

typedef struct RandomWindow {
  int64_t kernel[3], stride[3], dilation[3], pad[6];
} RandomWindow;

/* Over `rank` axes; a pool's padding is smaller than its kernel. */
static RandomWindow random_window(R *r, int rank, bool pool) {
  static const int64_t usual[] = {1, 1, 2, 3, 3, 3, 5, 7}, wide[] = {1, 4, 8, 11, 16, 17, 31, 100};
  RandomWindow w;
  for (int i = 0; i < rank; i++) {
    w.kernel[i] = r->extreme && one_in(r, 5) ? wide[below(r, 8)] : usual[below(r, 8)];
    if (i > 0 && one_in(r, 2)) w.kernel[i] = w.kernel[0];
    w.stride[i] = 1 + extent(r, 1);
    w.dilation[i] = one_in(r, 4) ? 1 + extent(r, 1) : 1;
    w.pad[i] = one_in(r, 3) ? extent(r, 3) : w.kernel[i] / 2;
    w.pad[rank + i] = one_in(r, 4) ? extent(r, 3) : w.pad[i];
    for (int end = i; end < 2 * rank; end += rank) {
      if (pool && w.pad[end] >= w.kernel[i]) w.pad[end] = w.kernel[i] - 1;
      if (w.stride[i] > INT32_MAX) w.stride[i] = INT32_MAX;
      if (w.dilation[i] > INT32_MAX) w.dilation[i] = INT32_MAX;
    }
  }
  return w;
}

static const char *window_text(R *r, const RandomWindow *w, int rank, bool dilated) {
  char *text = format_text(r->cx, "strides=%s pads=%s", ints(r, "[]", rank, w->stride), ints(r, "[]", 2 * rank, w->pad));
  return dilated ? format_text(r->cx, "%s dilations=%s", text, ints(r, "[]", rank, w->dilation)) : text;
}

/* As a divisor of the channels. */
static int64_t random_group(R *r, int64_t channels) {
  if (one_in(r, 2) || channels < 1) return 1;
  if (one_in(r, 2)) return channels;
  int64_t group = 1 + below(r, (int)channels);
  while (channels % group) group--;
  return group;
}

static bool conv(R *r) {
  const V *x = any(r, T_F32, 3, 4);
  if (!x || x->shape.d[1] < 0) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  int64_t channels = x->shape.d[1], group = random_group(r, channels);
  RandomWindow w = random_window(r, rank, false);
  Shape ws = {.rank = rank + 2, .d = {group * (group > 8 ? 1 + below(r, 2) : 1 + below(r, 2) * size(r)), channels / group}};
  double terms = (double)ws.d[1];
  for (int i = 0; i < rank; i++) ws.d[2 + i] = w.kernel[i], terms *= (double)w.kernel[i];
  if (ws.d[0] < 1 || terms * (double)ws.d[0] > MOST_WORK / 8) return false;
  Shape bs = {.rank = 1, .d = {ws.d[0]}};
  const char *weight = constant(r, &ws, 2 / (1 + terms));
  const char *bias = one_in(r, 3) ? NULL : constant(r, &bs, 1);
  say(r, "%s = Conv(%s, %s%s%s) %s group=%lld", new_value(r), x->name, weight, bias ? ", " : "", bias ? bias : "",
      window_text(r, &w, rank, true), (long long)group);
  return keep(r, first, OP_Conv, false, 2 * x->magnitude + 1);
}

static bool pool(R *r) {
  const V *x = any(r, T_F32, 3, 5);
  if (!x) return false;
  int rank = x->shape.rank - 2, first = r->n_line;
  bool max = one_in(r, 2), indices = max && x->exact && one_in(r, 4);
  RandomWindow w = random_window(r, rank, true);
  const char *y = new_value(r), *extra = max ? "" : one_in(r, 2) ? " count_include_pad=1" : "";
  if (indices) say(r, "%s, i%d = MaxPool(%s)", y, r->n_line, x->name);
  else say(r, "%s = %s(%s)", y, max ? "MaxPool" : "AveragePool", x->name);
  char *line = r->line[r->n_line - 1];
  r->line[r->n_line - 1] = format_text(r->cx, "%s kernel_shape=%s %s ceil_mode=%d%s", line, ints(r, "[]", rank, w.kernel),
                                       window_text(r, &w, rank, max), one_in(r, 4), extra);
  return keep(r, first, max ? OP_MaxPool : OP_AveragePool, max && x->exact, x->magnitude);
}

static bool global_pool(R *r) {
  const V *x = any(r, T_F32, 3, 5);
  if (!x) return false;
  int first = r->n_line;
  Op op = one_in(r, 3) ? OP_GlobalMaxPool : OP_GlobalAveragePool;
  say(r, "%s = %s(%s)", new_value(r), op_info[op].name, x->name);
  return keep(r, first, op, false, x->magnitude);
}

/* ==== products ==== */

static bool gemm(R *r) {
  const V *x = any(r, T_F32, 2, 2);
  if (!x || x->shape.d[1] < 0) return false;
  int first = r->n_line;
  int64_t k = x->shape.d[1], n = size(r);
  bool turned = one_in(r, 2);
  Shape b = {.rank = 2, .d = {turned ? n : k, turned ? k : n}}, c = {.rank = 1, .d = {one_in(r, 4) ? 1 : n}};
  const char *w = constant(r, &b, 2 / (1 + (double)k)), *bias = one_in(r, 3) ? NULL : constant(r, &c, 1);
  say(r, "%s = Gemm(%s, %s%s%s) transB=%d alpha=%g beta=%g", new_value(r), x->name, w, bias ? ", " : "", bias ? bias : "",
      turned, one_in(r, 4) ? 0.5 : 1, one_in(r, 4) ? -2.0 : 1);
  return keep(r, first, OP_Gemm, false, 2 * x->magnitude + 2);
}

static bool matmul(R *r) {
  const V *x = any(r, T_F32, 1, 5);
  if (!x || x->shape.rank < 1) return false;
  int first = r->n_line;
  int64_t k = x->shape.d[x->shape.rank - 1];
  if (k < 0 || x->magnitude > 1000) return false;
  Shape b = {.rank = 2, .d = {k, size(r)}};
  const V *y = one_in(r, 4) ? any(r, T_F32, 1, 4) : NULL;
  if (y && y->magnitude * x->magnitude * (double)(k + 1) > HUGE_MAGNITUDE) y = NULL;
  double most = y ? y->magnitude * x->magnitude * (double)(k + 1) : 2 * x->magnitude;
  const char *w = y ? y->name : constant(r, &b, 2 / (1 + (double)k));
  say(r, "%s = MatMul(%s, %s)", new_value(r), x->name, w);
  return keep(r, first, OP_MatMul, false, most);
}

/* ==== along axes ==== */

static bool along_axis(R *r) {
  static const Op ops[] = {OP_Softmax, OP_LogSoftmax, OP_ArgMax};
  Op op = ops[below(r, (int)COUNT(ops))];
  const V *x = any(r, T_F32, 1, 5);
  int axis = x ? an_axis(r, x) : -1, first = r->n_line;
  if (axis < 0 || (op == OP_ArgMax && !x->exact) || x->magnitude > 20) return false;
  if (one_in(r, 2)) axis -= x->shape.rank;
  if (op == OP_ArgMax) {
    say(r, "%s = ArgMax(%s) axis=%d keepdims=%d select_last_index=%d", new_value(r), x->name, axis, one_in(r, 2), one_in(r, 3));
    return keep(r, first, op, true, 1000000);
  }
  say(r, "%s = %s(%s) axis=%d", new_value(r), op_info[op].name, x->name, axis);
  return keep(r, first, op, false, op == OP_Softmax ? 1 : 3 * x->magnitude + 10);
}

static bool reduce_mean(R *r) {
  const V *x = any(r, T_F32, 1, 5);
  if (!x) return false;
  int first = r->n_line, n = 0;
  int64_t axes[MAX_RANK];
  for (int i = batched(x); i < x->shape.rank; i++) {
    if (one_in(r, 2)) axes[n++] = one_in(r, 3) ? i - x->shape.rank : i;
  }
  const char *list = int_list(r, n, axes);
  say(r, "%s = ReduceMean(%s, %s) keepdims=%d noop_with_empty_axes=%d", new_value(r), x->name, list, one_in(r, 2), n == 0);
  return keep(r, first, OP_ReduceMean, false, x->magnitude);
}

/* ==== moves ==== */

static bool transpose(R *r) {
  const V *x = any(r, one_in(r, 5) ? T_NONE : T_F32, 1, 5);
  if (!x) return false;
  int first = r->n_line, fixed = batched(x);
  int64_t perm[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) perm[i] = i;
  for (int i = x->shape.rank - 1; i > fixed; i--) {
    int k = fixed + below(r, i - fixed + 1);
    int64_t t = perm[i];
    perm[i] = perm[k], perm[k] = t;
  }
  static const int64_t to_last[] = {0, 2, 3, 1}, to_second[] = {0, 3, 1, 2};
  if (x->shape.rank == 4 && one_in(r, 2)) memcpy(perm, one_in(r, 2) ? to_last : to_second, sizeof to_last);
  say(r, "%s = Transpose(%s) perm=%s", new_value(r), x->name, ints(r, "[]", x->shape.rank, perm));
  return keep(r, first, OP_Transpose, x->exact, x->magnitude);
}

static bool concat(R *r) {
  const V *x = any(r, one_in(r, 8) ? T_NONE : T_F32, 1, 5);
  int axis = x ? an_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  char *list = format_text(r->cx, "%s", x->name);
  double most = x->magnitude;
  bool exact = x->exact;
  for (int n = below(r, 4); n > 0; n--) {
    const V *y = any(r, x->type, x->shape.rank, x->shape.rank);
    bool fits = y && batched(y) == batched(x);
    for (int i = 0; fits && i < x->shape.rank; i++) fits = i == axis || y->shape.d[i] == x->shape.d[i];
    if (!fits) y = x;
    list = format_text(r->cx, "%s, %s", list, y->name);
    exact &= y->exact;
    if (y->magnitude > most) most = y->magnitude;
  }
  say(r, "%s = Concat(%s) axis=%d", new_value(r), list, axis);
  return keep(r, first, OP_Concat, exact, most);
}

static bool split(R *r) {
  const V *x = any(r, T_F32, 1, 5);
  int axis = x ? an_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  int64_t d = x->shape.d[axis], a = below(r, (int)d + 1), b = below(r, (int)(d - a) + 1);
  if (d % 2 == 0 && one_in(r, 2)) a = b = d / 2;
  const char *sizes = int_list(r, 3, (int64_t[]){a, b, d - a - b});
  int n = r->n_line;
  say(r, "v%d, w%d, %s = Split(%s, %s) axis=%d", n, n, one_in(r, 4) ? "_" : format_text(r->cx, "u%d", n), x->name, sizes, axis);
  return keep(r, first, OP_Split, x->exact, x->magnitude);
}

static bool slice(R *r) {
  static const int64_t starts[] = {0, 1, -1, 2, INT64_MIN, INT64_MAX, -3}, ends[] = {INT64_MAX, -1, 2, 5, INT64_MIN, 100, 3};
  static const int64_t steps[] = {1, 1, 2, -1, 3, -2, INT64_MAX, INT64_MIN + 1};
  const V *x = any(r, one_in(r, 6) ? T_NONE : T_F32, 1, 5);
  int axis = x ? an_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  int64_t step = steps[below(r, 8)], start = starts[below(r, 7)], end = ends[below(r, 7)];
  if (step < 0 && one_in(r, 2)) start = -1, end = INT64_MIN;
  const char *s = int_list(r, 1, &start), *e = int_list(r, 1, &end), *a = int_list(r, 1, (int64_t[]){axis}), *t = int_list(r, 1, &step);
  say(r, "%s = Slice(%s, %s, %s, %s, %s)", new_value(r), x->name, s, e, a, t);
  return keep(r, first, OP_Slice, x->exact, x->magnitude);
}

static bool pad(R *r) {
  static const char *const modes[] = {"constant", "reflect", "edge", "wrap", "constant"};
  const V *x = any(r, one_in(r, 8) ? T_NONE : T_F32, 1, 5);
  if (!x) return false;
  int first = r->n_line, rank = x->shape.rank;
  int64_t pads[2 * MAX_RANK] = {0};
  for (int i = batched(x); i < rank; i++) {
    pads[i] = one_in(r, 2) ? below(r, 4) : one_in(r, 6) ? -1 : 0;
    pads[rank + i] = one_in(r, 2) ? below(r, 4) : one_in(r, 6) ? -1 : 0;
    if (r->extreme && one_in(r, 8)) pads[rank + i] = 1000;
  }
  const char *list = int_list(r, 2 * rank, pads), *mode = modes[below(r, 5)];
  Shape scalar = {0};
  const char *fill = x->type == T_F32 && one_in(r, 2) ? constant(r, &scalar, 1) : NULL;
  say(r, "%s = Pad(%s, %s%s%s) mode=\"%s\"", new_value(r), x->name, list, fill ? ", " : "", fill ? fill : "", mode);
  return keep(r, first, OP_Pad, x->exact, x->magnitude + 1);
}

static bool gather(R *r) {
  const V *x = any(r, T_F32, 1, 4);
  int axis = x ? an_axis(r, x) : -1, first = r->n_line;
  if (axis < 0) return false;
  int64_t d = x->shape.d[axis], list[5];
  for (int i = 0; i < 5; i++) list[i] = d ? below(r, (int)d) - (one_in(r, 3) ? d : 0) : 0;
  const char *index;
  if (one_in(r, 3)) {
    index = new_constant(r);
    say(r, "const %s i64 [] = {%lld}", index, (long long)list[0]);
  } else {
    index = int_list(r, 1 + below(r, 5), list);
  }
  say(r, "%s = Gather(%s, %s) axis=%d", new_value(r), x->name, index, axis);
  return keep(r, first, OP_Gather, x->exact, x->magnitude);
}

static bool space_to_depth(R *r) {
  const V *x = any(r, T_F32, 4, 4);
  if (!x) return false;
  int first = r->n_line;
  say(r, "%s = SpaceToDepth(%s) blocksize=%d", new_value(r), x->name, 1 + below(r, 3));
  return keep(r, first, OP_SpaceToDepth, x->exact, x->magnitude);
}

static bool view(R *r) {
  const V *x = any(r, one_in(r, 6) ? T_NONE : T_F32, 0, 5);
  if (!x) return false;
  int first = r->n_line, rank = x->shape.rank;
  Op op = one_in(r, 3) ? OP_Flatten : one_in(r, 2) ? OP_Unsqueeze : one_in(r, 2) ? OP_Squeeze : OP_Reshape;
  if (op == OP_Flatten) {
    say(r, "%s = Flatten(%s) axis=%d", new_value(r), x->name, rank ? 1 : 0);
  } else if (op == OP_Reshape) {
    int64_t to[] = {0, -1, rank > 1 && x->shape.d[rank - 1] > 0 ? x->shape.d[rank - 1] : 1};
    const char *list = int_list(r, rank > 1 ? 3 : 2, to);
    say(r, "%s = Reshape(%s, %s)", new_value(r), x->name, list);
  } else {
    int axis = batched(x) + below(r, rank + 1 - batched(x));
    if (op == OP_Squeeze && (axis >= rank || x->shape.d[axis] != 1)) return false;
    const char *list = int_list(r, 1, (int64_t[]){axis});
    say(r, "%s = %s(%s, %s)", new_value(r), op_info[op].name, x->name, list);
  }
  return keep(r, first, op, x->exact, x->magnitude);
}

/* Shape -> Slice -> Concat -> Reshape, as exporters write them. */
static bool shape_chain(R *r) {
  const V *x = any(r, T_F32, 2, 4);
  if (!x) return false;
  int first = r->n_line;
  char v[2][16];
  snprintf(v[0], sizeof v[0], "s%d", first);
  snprintf(v[1], sizeof v[1], "t%d", first);
  const char *zero = int_list(r, 1, (int64_t[]){0}), *one = int_list(r, 1, (int64_t[]){1}), *rest = int_list(r, 1, (int64_t[]){-1});
  say(r, "%s = Shape(%s)", v[0], x->name);
  say(r, "%s = Slice(%s, %s, %s)", v[1], v[0], zero, one);
  say(r, "z%d = Concat(%s, %s) axis=0", first, v[1], rest);
  say(r, "%s = Reshape(%s, z%d)", new_value(r), x->name, first);
  return keep(r, first, OP_Shape, x->exact, x->magnitude);
}

static bool constant_of_shape(R *r) {
  int first = r->n_line;
  const char *list = int_list(r, 2, (int64_t[]){1 + below(r, 4), size(r)});
  say(r, "%s = ConstantOfShape(%s)", new_value(r), list);
  return keep(r, first, OP_ConstantOfShape, true, 0);
}

/* ==== graphs ==== */

static void input(R *r, Type type, Shape s) {
  V *v = &r->value[r->n_value];
  snprintf(v->name, sizeof v->name, "x%d", r->n_value);
  v->type = type, v->shape = s, v->exact = true, v->magnitude = 2;
  say(r, "input %s %s %s", v->name, type_name(type), shape_string(r, &s));
  r->n_value++;
}

static void inputs(R *r) {
  static const Type other[] = {T_I32, T_I64, T_U8, T_I8, T_F64, T_BOOL};
  int n = 1 + below(r, 2) + below(r, 2);
  for (int i = 0; i < n; i++) {
    Shape s = {.rank = i == 0 || one_in(r, 2) ? 4 : below(r, 6)};
    if (i == 0 && one_in(r, 5)) s.rank = 3;
    for (int k = 0; k < s.rank; k++) s.d[k] = k == 0 && s.rank > 2 ? 1 + below(r, 2) : size(r);
    if (i > 0 && one_in(r, 2)) s = smaller_shape(r, &r->value[0].shape);
    if (r->symbolic && s.rank > 0 && (i == 0 || one_in(r, 2))) s.d[0] = -1;
    int64_t count = 1;
    for (int k = 0; k < s.rank; k++) count *= s.d[k] < 0 ? 1 : s.d[k];
    if (count > MOST_ELEMENTS) s = (Shape){.rank = 3, .d = {s.d[0], 3, 40}};
    input(r, i > 0 && one_in(r, 5) ? other[below(r, (int)COUNT(other))] : T_F32, s);
  }
}

static bool is_read(const R *r, const char *name) {
  size_t n = strlen(name);
  for (int i = 0; i < r->n_line; i++) {
    const char *p = strchr(r->line[i], '=');
    for (p = p ? strstr(p, name) : NULL; p; p = strstr(p + n, name)) {
      if (strchr(" (", p[-1]) && strchr(",)", p[n])) return true;
    }
  }
  return false;
}

/* What nobody reads, and a few others; some under several names. */
static void outputs(R *r) {
  int n = r->n_value, said = 0;
  for (int i = 0; i < n; i++) {
    V *v = &r->value[i];
    if (v->name[0] == 'x' ? !one_in(r, 20) : is_read(r, v->name) && !one_in(r, 8)) continue;
    for (int k = one_in(r, 6) ? 1 + below(r, 3) : 0; k > 0; k--) {
      int first = r->n_line;
      say(r, "%s = Identity(%s)", new_value(r), v->name);
      keep(r, first, OP_Identity, v->exact, v->magnitude);
    }
  }
  for (int i = 0; i < r->n_value; i++) {
    const V *v = &r->value[i];
    if (v->name[0] == 'x' || (is_read(r, v->name) && !one_in(r, 8))) continue;
    say(r, "output %s", v->name);
    said++;
  }
  if (said == 0) say(r, "output x0");
}

void random_graph(Context *cx, uint64_t seed, RandomGraph *r) {
  static bool (*const propose[])(R *) = {
    conv, conv, conv, pool, pool, unary, unary, unary, binary, binary, binary, batch_norm, global_pool, gemm, matmul, along_axis,
    reduce_mean, transpose, concat, split, slice, pad, gather, space_to_depth, view, view, shape_chain, cast, integers,
    constant_of_shape,
  };
  static const int lanes[] = {4, 8, 16};
  memset(r, 0, sizeof *r);
  r->cx = cx;
  r->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  r->symbolic = one_in(r, 3);
  r->extreme = one_in(r, 3);
  r->lanes = lanes[below(r, 3)];
  say(r, "graph random");
  inputs(r);
  int nodes = 1 + below(r, one_in(r, 8) ? 40 : 12);
  for (int tries = 0; nodes > 0 && tries < 200 && r->n_line < RANDOM_LINES - 60; tries++) {
    nodes -= propose[below(r, (int)COUNT(propose))](r);
  }
  outputs(r);
}

char *random_graph_text(const RandomGraph *r, int64_t batch) {
  Buffer b = {0};
  for (int i = 0; i < r->n_line; i++) {
    for (const char *p = r->line[i]; *p; p++) {
      if (*p != '$') buffer_add(&b, p, 1);
      else if (batch < 0) buffer_add(&b, "N", 1);
      else buffer_printf(&b, "%lld", (long long)batch);
    }
    buffer_add(&b, "\n", 1);
  }
  char *text = copy_bytes_as_text(r->cx, b.data ? b.data : "", b.size);
  buffer_free(&b);
  return text;
}
