/* random_graph.c: statements are proposed, and kept where shape inference takes them and the work stays small; so a
 * proposal need not know every rule. How often each operator's are kept is counted, for the test to look at. */
#include "random_nodes.h"

#include <string.h>

enum { MOST_ELEMENTS = 1 << 15 };

/* ==== numbers ==== */

uint64_t random_below(uint64_t *state, uint64_t n) { return random_bits(state) % n; }

double random_double(uint64_t *state, double lo, double hi) {
  return lo + (hi - lo) * (double)random_below(state, UINT64_C(1) << 40) * 0x1p-40;
}

int64_t random_size(R *r) {
  int v = r->lanes;
  const int around[] = {1, 2, v - 1, v, v + 1, 2 * v + 1, 3, 5, 7, 8};
  if (one_in(r, r->extreme ? 40 : 400)) return 0;
  if (r->extreme && one_in(r, 12)) return below(r, 2) ? 1000 : 70;
  return one_in(r, 3) ? 1 + below(r, 9) : around[below(r, (int)COUNT(around))];
}

int64_t random_extent(R *r, int usual) {
  static const int64_t far[] = {3, 7, 8, 16, 17, 100, 1000, 65535, 1 << 20, INT32_MAX - 1, INT32_MAX};
  if (r->extreme && one_in(r, 4)) return far[below(r, (int)COUNT(far))];
  return below(r, usual + 1);
}

/* ==== statements ==== */

void random_say(R *r, const char *fmt, ...) {
  char text[2000];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (r->n_line < RANDOM_LINES) r->line[r->n_line++] = copy_text(r->cx, text);
}

static const char *shape_text_of(R *r, const Shape *s) {
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

const char *random_ints(R *r, const char *brackets, int n, const int64_t *v) {
  char *text = format_text(r->cx, "%c", brackets[0]);
  for (int i = 0; i < n; i++) text = format_text(r->cx, "%s%s%lld", text, i ? "," : "", (long long)v[i]);
  return format_text(r->cx, "%s%c", text, brackets[1]);
}

const char *random_new_constant(R *r) { return format_text(r->cx, "c%d", r->n_line); }
const char *random_new_value(R *r) { return format_text(r->cx, "v%d", r->n_line); }

const char *random_constant_between(R *r, const Shape *s, double lo, double hi) {
  const char *c = random_new_constant(r);
  random_say(r, "const %s f32 %s = random %d %.3g %.3g", c, shape_text_of(r, s), 1 + below(r, 1000), lo, hi);
  return c;
}

const char *random_constant(R *r, const Shape *s, double most) {
  return random_constant_between(r, s, -most, most);
}

const char *random_int(R *r, int64_t v) {
  const char *c = random_new_constant(r);
  random_say(r, "const %s i64 [] = {%lld}", c, (long long)v);
  return c;
}

const char *random_int_list(R *r, int n, const int64_t *v) {
  const char *c = random_new_constant(r);
  random_say(r, "const %s i64 [%d] = %s", c, n, random_ints(r, "{}", n, v));
  return c;
}

/* ==== values to read ==== */

const V *random_any(R *r, Type type, int lo, int hi) {
  for (int k = 0; k < 12; k++) {
    int i = r->n_value - 1 - (int)((double)r->n_value * random_double(&r->state, 0, 1) * random_double(&r->state, 0, 1));
    const V *v = &r->value[i < 0 ? 0 : i];
    if ((type == T_NONE || v->type == type) && v->shape.rank >= lo && v->shape.rank <= hi) return v;
  }
  return NULL;
}

int random_axis(R *r, const V *v) {
  int first = batched(v), axis = v->shape.rank > first ? first + below(r, v->shape.rank - first) : -1;
  return axis >= 0 && v->shape.d[axis] >= 0 ? axis : -1;
}

const RandomValue *random_value(const RandomGraph *r, const char *name) {
  for (int i = 0; i < r->n_value; i++) {
    if (strcmp(r->value[i].name, name) == 0) return &r->value[i];
  }
  return NULL;
}

Shape random_smaller_shape(R *r, const Shape *s) {
  Shape t = {0};
  int from = s->rank ? below(r, s->rank + 1) : 0;
  for (int i = from; i < s->rank; i++) t.d[t.rank++] = s->d[i] < 0 || one_in(r, 3) ? 1 : s->d[i];
  return t;
}

/* ==== what is kept ==== */

static double work_of(const Node *n) {
  const Value *y = n->out[0] ? n->out[0] : n->out[1];
  return (double)shape_count(&y->shape) * (double)terms_of_result(n);
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

bool random_keep(R *r, int first, Op op, bool exact, double magnitude) {
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

V *random_keep_as(R *r, int first, Op op, V facts) {
  if (!random_keep(r, first, op, facts.exact, facts.magnitude)) return NULL;
  V *v = &r->value[r->n_value - 1];
  memcpy(facts.name, v->name, sizeof facts.name);
  facts.type = v->type, facts.shape = v->shape;
  *v = facts;
  return v;
}

/* ==== graphs ==== */

void random_input(R *r, Type type, Shape s) {
  V *v = &r->value[r->n_value];
  snprintf(v->name, sizeof v->name, "x%d", r->n_value);
  v->type = type, v->shape = s, v->exact = true, v->magnitude = 2;
  random_say(r, "input %s %s %s", v->name, type_name(type), shape_text_of(r, &s));
  r->n_value++;
}

static void inputs(R *r) {
  static const Type other[] = {T_I32, T_I64, T_U8, T_I8, T_F64, T_BOOL};
  int n = 1 + below(r, 2) + below(r, 2);
  for (int i = 0; i < n; i++) {
    Shape s = {.rank = i == 0 || one_in(r, 2) ? 4 : below(r, 6)};
    if (i == 0 && one_in(r, 4)) s.rank = one_in(r, 2) ? 3 : 5;
    for (int k = 0; k < s.rank; k++) s.d[k] = k == 0 && s.rank > 2 ? 1 + below(r, 2) : random_size(r);
    if (i > 0 && one_in(r, 2)) s = random_smaller_shape(r, &r->value[0].shape);
    if (r->symbolic && s.rank > 0 && (i == 0 || one_in(r, 2))) s.d[0] = -1;
    int64_t count = 1;
    for (int k = 0; k < s.rank; k++) count *= s.d[k] < 0 ? 1 : s.d[k];
    if (count > MOST_ELEMENTS) s = (Shape){.rank = 3, .d = {s.d[0], 3, 40}};
    random_input(r, i > 0 && one_in(r, 5) ? other[below(r, (int)COUNT(other))] : T_F32, s);
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
      random_say(r, "%s = Identity(%s)", random_new_value(r), v->name);
      random_keep_as(r, first, OP_Identity, *v);
    }
  }
  for (int i = 0; i < r->n_value; i++) {
    const V *v = &r->value[i];
    if (v->name[0] == 'x' || (is_read(r, v->name) && !one_in(r, 8))) continue;
    random_say(r, "output %s", v->name);
    said++;
  }
  if (said == 0) random_say(r, "output x0");
}

bool random_is_quantized(uint64_t seed) { return seed % QUANTIZED_PERIOD == QUANTIZED_PERIOD - 1; }

void random_graph(Context *cx, uint64_t seed, RandomGraph *r) {
  static const int lanes[] = {4, 8, 16};
  memset(r, 0, sizeof *r);
  r->cx = cx;
  r->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  r->quantized = random_is_quantized(seed);
  r->symbolic = one_in(r, 3);
  r->extreme = one_in(r, 3);
  r->lanes = lanes[below(r, 3)];
  random_say(r, "graph random");
  if (r->quantized) random_quantized_inputs(r);
  else inputs(r);
  int usual = r->quantized ? 5 : 12, nodes = 1 + below(r, one_in(r, 8) ? 40 : usual);
  for (int tries = 0; nodes > 0 && tries < 200 && r->n_line < RANDOM_LINES - 60; tries++) {
    nodes -= r->quantized ? random_quantized_node(r) : random_node(r);
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
