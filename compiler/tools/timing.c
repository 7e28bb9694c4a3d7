/* timing.c: an emitted object runs in this process. Lending it "threads" that look at the clock shows every layer's time. */
#include "tools.h"

#include "resnetcc_rt.h"
#include <string.h>
#include <time.h>

typedef void Task(void *arg, int32_t index, int32_t worker);

struct Timing {
  rcc_parallel lent;   /* first: run gets the clock by its address */
  Build *build;
  Graph *g;            /* build->graph */
  const char *option;
  rcc_pool *pool;      /* NULL: one thread, this one */
  Jit *jit;
  const void **in;
  void **out;
  void *work;
  size_t work_size;
  double *best;
  bool *skip;
  double *now;         /* of this run */
  int64_t next;        /* the layer that a run is at, each as often as it is run: ... */
  int64_t each, runs;  /* ... of a number of images the first ones so often */
};

/* Of this thread, so that what else the machine does in between does not count; with several threads by the clock. */
static double seconds(const Timing *t) {
  struct timespec now;
  clock_gettime(t->pool ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double time_tasks(const Timing *t, Task *task, void *arg, int32_t count) {
  double start = seconds(t);
  if (t->pool) {
    const rcc_parallel *pool = rcc_pool_parallel(t->pool);
    pool->run(pool, task, arg, count);
  } else {
    for (int32_t i = 0; i < count; i++) task(arg, i, 0);
  }
  return seconds(t) - start;
}

static void timed_run(const rcc_parallel *self, Task *task, void *arg, int32_t count) {
  Timing *t = (Timing *)self;
  int64_t next = t->next++, layer = next < t->each * t->runs ? next % t->each : next - t->each * (t->runs - 1);
  if (!t->skip[layer]) t->now[layer] += time_tasks(t, task, arg, count);
}

static void keep_least(Timing *t) {
  for (int i = 0; i < t->build->n_layer; i++) {
    if (t->now[i] > 0 && (t->best[i] == 0 || t->now[i] < t->best[i])) t->best[i] = t->now[i];
    t->now[i] = 0;
  }
}

/* ==== what a run needs ==== */

static void *random_input(Graph *g, const Value *v) {
  int64_t n = shape_count(&v->shape);
  size_t size = type_size(v->type);
  uint8_t *data = alloc_n(g->cx, (size_t)n + 1, size);
  uint32_t state = 1;
  for (int64_t i = 0; i < n; i++) {
    state = state * 1664525u + 1013904223u;
    if (v->type == T_F32) ((float *)data)[i] = (float)(state >> 8) / (1 << 23) - 1;
    else data[i * (int64_t)size] = state >> 31;
  }
  return data;
}

/* Inputs of one type share the memory of the largest, the first of these. */
static int largest_alike(const Graph *g, Type type) {
  int largest = -1;
  for (int i = 0; i < g->n_input; i++) {
    if (g->input[i]->type != type) continue;
    if (largest < 0 || shape_count(&g->input[i]->shape) > shape_count(&g->input[largest]->shape)) largest = i;
  }
  return largest;
}

static void make_values(Timing *t) {
  Graph *g = t->g;
  t->in = alloc_n(g->cx, (size_t)g->n_input + 1, sizeof *t->in);
  if (weights_are_input(t->build)) t->in[g->n_input] = weights_joined(t->build);
  t->out = alloc_n(g->cx, (size_t)g->n_output + 1, sizeof *t->out);
  for (int i = 0; i < g->n_input; i++) {
    int k = largest_alike(g, g->input[i]->type);
    if (!t->in[k]) t->in[k] = random_input(g, g->input[k]);
    t->in[i] = t->in[k];
  }
  for (int i = 0; i < g->n_output; i++) {
    t->out[i] = alloc_n(g->cx, (size_t)shape_count(&g->output[i]->shape) + 1, type_size(g->output[i]->type));
  }
}

static void check_cpu(const Build *b, const char *option) {
  const char *why = why_not_here(b->graph->cx, b->target);
  if (why) fail(b->graph->cx, "%s: %s", option, why);
}

Timing *timing_open(Build *b, const Object *o, const char *option, int threads) {
  check_cpu(b, option);
  Graph *g = b->graph;
  Timing *t = alloc(g->cx, sizeof *t);
  *t = (Timing){.lent = {.threads = threads, .run = timed_run}, .build = b, .g = g, .option = option};
  t->best = alloc_n(g->cx, (size_t)b->n_layer + 1, sizeof *t->best);
  t->now = alloc_n(g->cx, (size_t)b->n_layer + 1, sizeof *t->now);
  t->skip = alloc_n(g->cx, (size_t)b->n_layer + 1, sizeof *t->skip);
  t->each = b->image_runs ? layers_before(b, b->n_image) : 0;
  t->runs = b->image_runs;
  make_values(t);
  t->jit = jit_open(g->cx, g->name, o);
  size_t size = (size_t)(workspace_bytes(b) + (threads - 1) * b->scratch_size); /* too little for images apart: layers are lent */
  t->work_size = size ? size : 64;
  t->work = rcc_workspace_alloc(t->work_size);
  if (threads > 1) t->pool = rcc_pool_create(threads);
  if (t->work && (threads == 1 || t->pool)) return t;
  timing_close(t);
  fail(g->cx, "%s: %s", option, t->work ? "the threads can't be started" : "out of memory");
}

void timing_close(Timing *t) {
  rcc_pool_destroy(t->pool);
  rcc_workspace_free(t->work, t->work_size);
  jit_close(t->jit);
}

const double *timing_best(const Timing *t) { return t->best; }
bool *timing_skip(Timing *t) { return t->skip; }

static void run_lent(Timing *t, const rcc_parallel *lent) {
  int error = jit_model(t->jit)->run(t->in, t->out, 1, t->work, t->work_size, lent);
  if (!error) return;
  timing_close(t);
  fail(t->g->cx, "%s: %s", t->option, rcc_strerror(error));
}

void timing_run(Timing *t) {
  t->next = 0;
  run_lent(t, &t->lent);
  keep_least(t);
}

/* The clock of a thread may stand still for microseconds, while a small network runs as often. */
#define SHORTEST 2e-5

static double time_alone(Timing *t) {
  double start = seconds(t), taken = 0;
  int count = 0;
  for (; taken < SHORTEST; count++) {
    run_lent(t, NULL);
    taken = seconds(t) - start;
  }
  return taken / count;
}

double timing_alone(Timing *t, int runs) {
  double least = time_alone(t);
  for (int i = 1; i < runs; i++) {
    double taken = time_alone(t);
    if (taken < least) least = taken;
  }
  return least;
}

/* ==== the peak ==== */

enum { PEAK_ROUNDS = 30 };

/* chain * 0.5 + 0.5 of some chain within 1: numbers of the usual kind, for ever. */
static float *peak_values(Context *cx, int floats, int threads) {
  float *values = alloc_n(cx, (size_t)(floats * threads), sizeof *values);
  for (int i = 0; i < floats * threads; i++) values[i] = 0.5f;
  return values;
}

double timing_peak(Timing *t) {
  Context *cx = t->g->cx;
  const Target *target = t->build->target;
  Object object;
  object_emit_peak(t->build, &object);
  Jit *jit = jit_load(cx, &object);
  Task *peak = (Task *)(uintptr_t)jit_symbol(cx, jit, "peak");
  int lanes = target->lanes, vectors = peak_vectors(target), threads = t->lent.threads;
  float *values = peak_values(cx, vectors * lanes, threads);
  double least = 0, flop = 2.0 * PEAK_STEPS * (vectors - 2) * lanes * threads;
  for (int i = 0; i < PEAK_ROUNDS; i++) {
    double taken = time_tasks(t, peak, values, threads);
    if (i == 0 || taken < least) least = taken;
  }
  jit_close(jit);
  return flop * 1e-9 / least;
}

/* ==== memory ==== */

enum { MOVED = 32 << 20, BANDWIDTH_ROUNDS = 6 }; /* bytes of a thread, far more than a cache has */

static void move_part(void *arg, int32_t index, int32_t worker) {
  uint8_t *part = (uint8_t *)arg + 2 * (size_t)index * MOVED;
  (void)worker;
  memcpy(part, part + MOVED, MOVED);
}

double timing_bandwidth(Timing *t) {
  int threads = t->lent.threads;
  size_t size = 2 * (size_t)threads * MOVED;
  void *memory = rcc_workspace_alloc(size);
  if (!memory) return 0;
  memset(memory, 1, size);
  double least = 0;
  for (int i = 0; i < BANDWIDTH_ROUNDS; i++) {
    double taken = time_tasks(t, move_part, memory, threads);
    if (i == 0 || taken < least) least = taken;
  }
  rcc_workspace_free(memory, size);
  return (double)size * 1e-9 / least;
}
