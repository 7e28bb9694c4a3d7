/* random_run.c: see random_run.h. A batch is held against eval of the same text with the number in place of the symbol. */
#include "random_run.h"

#include "loaded.h"

#include <math.h>
#include <string.h>

enum { MEMORY = 1 << 30, WHY = 600 };

static const double relative = 2e-4, absolute = 2e-6; /* of the largest element; of the bound of magnitudes */

typedef struct Case {
  Context *cx;
  const RandomGraph *r;
  const rcc_model *model;
  Graph *reference;      /* with a number for the batch, after shape */
  int64_t batch;
  void **input, **expected;
  char *why;
} Case;

/* ==== options ==== */

static Options options_of(uint64_t seed) {
  static const char *const cpu[] = {NULL, NULL, "x86-64-v3", "x86-64"};
  uint64_t s = seed ^ UINT64_C(0x5eed);
  Options opt = {.name = "random", .max_memory = MEMORY, .verify = true};
  opt.cpu = cpu[random_below(&s, COUNT(cpu))];
  opt.winograd = (int)random_below(&s, 4);
  opt.strassen = (int)random_below(&s, 3);
  opt.strict = random_below(&s, 4) == 0;
  opt.small = random_below(&s, 4) == 0;
  opt.unshared = random_below(&s, 4) == 0;
  opt.many_shapes = random_below(&s, 4) == 0;
  return opt;
}

void random_options_text(uint64_t seed, char *text, size_t size) {
  Options o = options_of(seed);
  snprintf(text, size, "-mcpu=%s winograd %d strassen %d%s%s%s%s", o.cpu ? o.cpu : "native", (int)o.winograd, (int)o.strassen,
           o.strict ? " --strict" : "", o.small ? " -Os" : "",
           o.unshared ? " unshared" : "", o.many_shapes ? " many shapes" : "");
}

static size_t bytes_of(const Value *v) { return (size_t)shape_count(&v->shape) * type_size(v->type); }

/* ==== elements ==== */

static void fill_input(const Value *v, void *data, uint64_t *state) {
  int64_t n = shape_count(&v->shape);
  for (int64_t i = 0; i < n; i++) {
    if (v->type == T_F32) ((float *)data)[i] = (float)random_double(state, -2, 2);
    else if (v->type == T_F64) ((double *)data)[i] = random_double(state, -2, 2);
    else ((uint8_t *)data)[i * (int64_t)type_size(v->type)] = (uint8_t)random_below(state, 2);
  }
}

static bool same(const Case *c, const Value *v, const void *expected, const void *got, int64_t *at) {
  int64_t n = shape_count(&v->shape);
  if (v->type != T_F32) {
    *at = -1;
    return memcmp(expected, got, bytes_of(v)) == 0;
  }
  const RandomValue *known = random_value(c->r, v->name);
  const float *a = expected, *b = got;
  double bound = absolute * (known ? known->magnitude : 1);
  for (int64_t i = 0; i < n; i++) {
    if (isfinite(a[i]) && fabs((double)a[i]) * relative > bound) bound = fabs((double)a[i]) * relative;
  }
  for (*at = 0; *at < n; ++*at) {
    double x = (double)a[*at], y = (double)b[*at];
    if (!(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= bound)) return false;
  }
  return true;
}

static bool compare(const Case *c, int i, const void *got, int tasks) {
  const Value *v = c->reference->output[i];
  int64_t at;
  if (same(c, v, c->expected[i], got, &at)) return true;
  double x = 0, y = 0;
  if (at >= 0) x = (double)((const float *)c->expected[i])[at], y = (double)((const float *)got)[at];
  snprintf(c->why, WHY, "output %s[%lld] is %.9g, not %.9g (batch %lld, %d tasks)", v->name, (long long)at, y, x,
           (long long)c->batch, tasks);
  return false;
}

/* ==== a run ==== */

static bool is_right(Case *c, const Guarded *m, int tasks) {
  const Graph *g = c->reference;
  for (int i = 0; i < g->n_output; i++) {
    const Guarded *out = &m[g->n_input + i];
    if (!compare(c, i, out->data, tasks)) return false;
    if (guarded_intact(out)) continue;
    snprintf(c->why, WHY, "written beside output %s (batch %lld)", g->output[i]->name, (long long)c->batch);
    return false;
  }
  return true;
}

static bool run_once(Case *c, int tasks, bool at_end) {
  const Graph *g = c->reference;
  int n = g->n_input + g->n_output;
  Guarded *m = alloc_n(c->cx, (size_t)n + 1, sizeof *m), work = guarded_new(c->model->workspace_size(c->batch, tasks), 64, at_end);
  char **data = alloc_n(c->cx, (size_t)n + 1, sizeof *data);
  for (int i = 0; i < n; i++) {
    const Value *v = i < g->n_input ? g->input[i] : g->output[i - g->n_input];
    m[i] = guarded_new(bytes_of(v), type_size(v->type), at_end);
    data[i] = m[i].data;
    if (i >= g->n_input) continue;
    memcpy(data[i], c->input[i], bytes_of(v));
    guarded_protect(&m[i]);
  }
  rcc_parallel lent = {.threads = tasks, .run = run_backwards};
  int error = c->model->run((const void *const *)data, (void *const *)data + g->n_input, c->batch, work.data, work.size,
                            tasks > 1 ? &lent : NULL);
  if (error) snprintf(c->why, WHY, "run: %s (batch %lld, %d tasks)", rcc_strerror(error), (long long)c->batch, tasks);
  bool right = !error && is_right(c, m, tasks);
  for (int i = 0; i < n; i++) guarded_free(&m[i]);
  guarded_free(&work);
  return right;
}

/* Inputs, and what eval makes of them. */
static void expect(Case *c, const Options *opt, uint64_t seed) {
  uint64_t state = seed;
  c->reference = text_parse(c->cx, opt, random_graph_text(c->r, c->batch));
  Graph *g = c->reference;
  pass_shape(g);
  c->input = alloc_n(c->cx, (size_t)g->n_input + 1, sizeof *c->input);
  c->expected = alloc_n(c->cx, (size_t)g->n_output + 1, sizeof *c->expected);
  for (int i = 0; i < g->n_input; i++) {
    c->input[i] = alloc(c->cx, bytes_of(g->input[i]) + 1);
    fill_input(g->input[i], c->input[i], &state);
  }
  eval_graph(g, (const void *const *)c->input, c->expected);
}

/* eval may refuse an empty batch, which shows nothing then. */
static bool run_batch(Case *c, const Options *opt, uint64_t seed) {
  Context own = {.file = "random", .max_memory = MEMORY, .arena = arena_new(MEMORY)};
  bool volatile right = true, known = false;
  c->cx = &own;
  if (setjmp(own.unwind) == 0) expect(c, opt, seed), known = true;
  else if (c->batch != 0) snprintf(c->why, WHY, "eval: %s", own.error), right = false;
  for (int k = 0; known && right && k < 4; k++) right = run_once(c, k < 2 ? 1 : 3, k % 2);
  arena_free(own.arena);
  return right;
}

Verdict random_run(const RandomGraph *r, uint64_t seed, char *why) {
  static const int64_t batches[] = {1, 2, 3, 0};
  Context cx = {.file = "random", .max_memory = MEMORY, .arena = arena_new(MEMORY)};
  Options opt = options_of(seed);
  Case c = {.r = r, .why = why};
  if (setjmp(cx.unwind)) {
    snprintf(why, WHY, "%s", cx.error);
    return strstr(why, "internal error") ? V_WRONG : V_REFUSED;
  }
  Loaded l = load_graph(text_parse(&cx, &opt, random_graph_text(r, -1)), NULL);
  c.model = l.model;
  bool right = true;
  for (size_t i = 0; right && i < (c.model->flags & 1 ? COUNT(batches) : 1); i++) {
    c.batch = batches[i];
    right = run_batch(&c, &opt, seed);
  }
  unload(&l);
  return right ? V_RIGHT : V_WRONG;
}
