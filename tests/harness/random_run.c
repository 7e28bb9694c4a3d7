/* random_run.c: see random_run.h. A batch is held against eval of the same text with the number in place of the symbol.
 *
 * Of a quantised graph, eval of what the pass quant leaves is the reference: there integers are what is meant, and what is made of
 * them alone must come out bit for bit, whatever the CPU and the number of threads. That the pass itself leaves what the graph says
 * is a question of steps: results may differ from those of the graph as it is written by as much as roundings explain. */
#include "random_run.h"

#include "emulated.h"
#include "loaded.h"

#include <math.h>
#include <string.h>

enum { MEMORY = 1 << 30, WHY = 600 };

static const double relative = 2e-4, absolute = 2e-6; /* of the largest element; of the bound of magnitudes */

typedef struct Case {
  Context *cx;
  const RandomGraph *r;
  const rcc_model *model;
  Graph *reference;      /* with a number for the batch, after shape; the passes up to quant as well if it is quantised */
  const char *cpu;
  int64_t batch;
  void **input, **expected;
  char *why;
} Case;

/* ==== options ==== */

/* Those whose instructions for integers differ; NULL: the one that this is. */
static const char *const integer_cpu[] = {"x86-64", "haswell", "alderlake", "skylake-avx512", "icelake-server", NULL};
enum { CPUS_OF_A_GRAPH = 2 };

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
  opt.image_nodes = random_below(&s, 2) ? 1 + (int)random_below(&s, 8) : 0;
  opt.images_together = 1 + (int64_t)random_below(&s, 2);
  return opt;
}

void random_options_text(uint64_t seed, char *text, size_t size) {
  Options o = options_of(seed);
  snprintf(text, size, "-mcpu=%s winograd %d strassen %d%s%s%s%s, %d nodes by %d images", o.cpu ? o.cpu : "native", (int)o.winograd,
           (int)o.strassen, o.strict ? " --strict" : "", o.small ? " -Os" : "",
           o.unshared ? " unshared" : "", o.many_shapes ? " many shapes" : "", o.image_nodes, (int)o.images_together);
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

/* Of quantised graphs: all bytes; floats of which many lie halfway between steps, or far out. */
static void fill_quantized(const Value *v, void *data, uint64_t *state) {
  int64_t n = shape_count(&v->shape);
  for (int64_t i = 0; i < n; i++) {
    double x = random_double(state, -2, 2);
    uint64_t kind = random_below(state, 16);
    if (v->type != T_F32) ((uint8_t *)data)[i] = (uint8_t)random_below(state, 256);
    else ((float *)data)[i] = (float)(kind < 6 ? rint(x * 64) / 64 : kind == 6 ? 4 * x : x);
  }
}

/* Within what two ways of rounding explain? */
static bool close(const RandomValue *known, const Value *v, const void *expected, const void *got, int64_t *at) {
  int64_t n = shape_count(&v->shape);
  double unit = known && known->scale > 0 ? (double)known->scale : 1, bound = known ? known->slack + 1e-4 * known->spread : 0;
  for (*at = 0; *at < n; ++*at) {
    double x, y;
    if (v->type == T_F32) x = (double)((const float *)expected)[*at], y = (double)((const float *)got)[*at];
    else x = (double)get_number(v->type, expected, *at).i, y = (double)get_number(v->type, got, *at).i;
    if (!(x == y || fabs(x - y) * unit <= bound * (1 + 1e-6))) return false;
  }
  return true;
}

static bool same_bits(const Value *v, const void *expected, const void *got, int64_t *at) {
  size_t each = type_size(v->type);
  int64_t n = shape_count(&v->shape);
  for (*at = 0; *at < n; ++*at)
    if (memcmp((const char *)expected + (size_t)*at * each, (const char *)got + (size_t)*at * each, each)) return false;
  return true;
}

static bool same(const Case *c, const Value *v, const void *expected, const void *got, int64_t *at) {
  int64_t n = shape_count(&v->shape);
  if (c->r->quantized) {
    const RandomValue *made = random_value(c->r, v->name);
    return same_bits(v, expected, got, at) || (made && !made->exact && close(made, v, expected, got, at));
  }
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

static double element(const Value *v, const void *data, int64_t i) {
  Number n = get_number(v->type, data, i);
  return type_is_float(v->type) ? n.f : (double)n.i;
}

static void say_difference(const Case *c, const Value *v, const void *expected, const void *got, int64_t at, const char *where) {
  double x = 0, y = 0;
  if (at >= 0) x = element(v, expected, at), y = element(v, got, at);
  snprintf(c->why, WHY, "output %s[%lld] is %.9g, not %.9g (batch %lld, %s)", v->name, (long long)at, y, x, (long long)c->batch,
           where);
}

static bool compare(const Case *c, int i, const void *got, int tasks) {
  const Value *v = c->reference->output[i];
  int64_t at;
  if (same(c, v, c->expected[i], got, &at)) return true;
  char where[80];
  snprintf(where, sizeof where, "%d tasks, %s", tasks, c->cpu ? c->cpu : "native");
  say_difference(c, v, c->expected[i], got, at, where);
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
  int64_t batch = c->model->flags & RCC_SYMBOLIC_BATCH ? c->batch : 1;
  Guarded *m = alloc_n(c->cx, (size_t)n + 1, sizeof *m), work = guarded_new(c->model->workspace_size(batch, tasks), 64, at_end);
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
  int error = c->model->run((const void *const *)data, (void *const *)data + g->n_input, batch, work.data, work.size,
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
    (c->r->quantized ? fill_quantized : fill_input)(g->input[i], c->input[i], &state);
  }
  eval_graph(g, (const void *const *)c->input, c->expected);
}

/* The same of what the pass quant leaves, which must be about what the graph says. */
static bool expect_integers(Case *c) {
  Graph *g = c->reference;
  void **written = c->expected;
  pass_precision(g);
  pass_prepare(g);
  pass_quant(g);
  c->expected = alloc_n(c->cx, (size_t)g->n_output + 1, sizeof *c->expected);
  eval_graph(g, (const void *const *)c->input, c->expected);
  for (int i = 0; i < g->n_output; i++) {
    const Value *v = g->output[i];
    int64_t at;
    if (close(random_value(c->r, v->name), v, written[i], c->expected[i], &at)) continue;
    say_difference(c, v, written[i], c->expected[i], at, "passes");
    return false;
  }
  return true;
}

/* eval may refuse an empty batch, which shows nothing then. */
static bool run_batch(Case *c, const Options *opt, uint64_t seed) {
  static const int tasks[] = {1, 1, 2, 3};
  Context own = {.file = "random", .max_memory = MEMORY, .arena = arena_new(MEMORY)};
  bool volatile right = true, known = false;
  c->cx = &own;
  if (setjmp(own.unwind) == 0) {
    expect(c, opt, seed);
    right = !c->r->quantized || expect_integers(c);
    known = true;
  }
  else if (c->batch != 0) snprintf(c->why, WHY, "eval: %s", own.error), right = false;
  for (int k = 0; known && right && k < (int)COUNT(tasks); k++) right = run_once(c, tasks[k], k % 2);
  arena_free(own.arena);
  return right;
}

/* Compiled for the options' CPU and that batch, -1: for any, of which these are run. */
static bool run_batches(Case *c, Context *cx, const Options *opt, int64_t batch, const int64_t *batches, size_t n, uint64_t seed) {
  Loaded l = load_graph(text_parse(cx, opt, random_graph_text(c->r, batch)), NULL);
  bool right = true;
  c->model = l.model;
  c->cpu = opt->cpu;
  for (size_t i = 0; right && i < (c->model->flags & RCC_SYMBOLIC_BATCH || n == 1 ? n : 1); i++) {
    c->batch = batches[i];
    right = run_batch(c, opt, seed);
  }
  unload(&l);
  return right;
}

static bool run_compiled(Case *c, Context *cx, const Options *opt, uint64_t seed) {
  static const int64_t batches[] = {1, 2, 3, 0}, several = 4;
  if (!run_batches(c, cx, opt, -1, batches, COUNT(batches), seed)) return false;
  return !opt->image_nodes || run_batches(c, cx, opt, several, &several, 1, seed);
}

static bool runs_here(Context *cx, const Options *opt, const char *cpu) {
  Options native = *opt, other = *opt;
  native.cpu = NULL, other.cpu = cpu;
  return (target_new(cx, &other)->cpu_bits & ~target_new(cx, &native)->cpu_bits) == 0;
}

Verdict random_run(const RandomGraph *r, uint64_t seed, char *why) {
  Context cx = {.file = "random", .max_memory = MEMORY, .arena = arena_new(MEMORY)};
  Options opt = options_of(seed);
  Case c = {.r = r, .why = why};
  if (setjmp(cx.unwind)) {
    snprintf(why, WHY, "%s", cx.error);
    return strstr(why, "internal error") ? V_WRONG : V_REFUSED;
  }
  bool volatile right = true;
  for (int k = 0; right && k < (r->quantized && !emulated_cpu() ? CPUS_OF_A_GRAPH : 1); k++) {
    if (r->quantized) opt.cpu = integer_cpu[(seed / QUANTIZED_PERIOD + (uint64_t)k * 3) % COUNT(integer_cpu)];
    if (!r->quantized || runs_here(&cx, &opt, opt.cpu)) right = run_compiled(&c, &cx, &opt, seed);
  }
  return right ? V_RIGHT : V_WRONG;
}
