/* bench.c: the command bench: how long a model's runs take here, by itself or in turns with another one. */
#include "tools.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LEAST_RUNS = 3, MAX_MODELS = 2 };

/* The runs of one instance. */
typedef struct Lane {
  Instance *instance;
  const void *const *in;
  double *time;        /* seconds of each, the first one's apart */
  int64_t n, cap;
  double first, sum, cpu;
  double until;        /* parallel lanes run to this moment */
  int error;
} Lane;

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void keep_time(Lane *l, double seconds) {
  if (l->n == l->cap) {
    l->cap = l->cap ? 2 * l->cap : 1024;
    l->time = realloc(l->time, (size_t)l->cap * sizeof *l->time);
    if (!l->time) out_of_memory();
  }
  l->time[l->n++] = seconds;
  l->sum += seconds;
}

static double run_once(Lane *l) {
  double start = wall_seconds();
  int error = instance_run(l->instance, l->in);
  if (error) l->error = error;
  return wall_seconds() - start;
}

static void run_kept(Lane *l) {
  double cpu = cpu_seconds();
  keep_time(l, run_once(l));
  l->cpu += cpu_seconds() - cpu;
}

/* ==== the machine ==== */

/* Clock ticks of all CPUs since the machine began: busy, and all. */
static void read_ticks(double *busy, double *all) {
  double t[8] = {0};
  FILE *f = fopen("/proc/stat", "r");
  *busy = *all = 0;
  if (!f) return;
  int n = fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7);
  fclose(f);
  for (int i = 0; i < n; i++) *all += t[i];
  *busy = *all - t[3] - t[4]; /* idle, and waiting for a disk */
}

/* From here on the process's peak of memory is what it has now, where the system can do that. */
static void reset_peak(void) {
  FILE *f = fopen("/proc/self/clear_refs", "w");
  if (!f) return;
  fputs("5", f);
  fclose(f);
}

static double peak_bytes(void) {
  char line[200];
  double kib = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) {
    if (sscanf(line, "VmHWM: %lf", &kib) == 1) break;
  }
  if (f) fclose(f);
  return 1024 * kib;
}

/* ==== one configuration ==== */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The least time that so many of a hundred runs do not exceed. */
static double percentile(const double *sorted, int64_t n, int percent) { return sorted[(n * percent + 99) / 100 - 1]; }

static void sum_up(Context *cx, Lane *l, int lanes, double wall, ReportBench *b) {
  int64_t at = 0;
  double sum = 0;
  for (int i = 0; i < lanes; i++) b->runs += l[i].n;
  double *all = alloc_n(cx, (size_t)b->runs, sizeof *all);
  for (int i = 0; i < lanes; i++) {
    move_bytes(all + at, l[i].time, (size_t)l[i].n * sizeof *all);
    at += l[i].n;
    sum += l[i].sum;
    b->cpu += l[i].cpu;
  }
  qsort(all, (size_t)b->runs, sizeof *all, by_value);
  b->first = l[0].first;
  b->least = all[0];
  b->median = percentile(all, b->runs, 50);
  b->p90 = percentile(all, b->runs, 90);
  b->p99 = percentile(all, b->runs, 99);
  b->mean = sum / (double)b->runs;
  b->cpu /= (double)b->runs;
  b->rate = (double)(b->images * b->runs) / (wall > 0 ? wall : sum);
  b->memory = peak_bytes();
}

static void *run_lane(void *lane) {
  Lane *l = lane;
  while (wall_seconds() < l->until || l->n < LEAST_RUNS) keep_time(l, run_once(l));
  return NULL;
}

/* All lanes at once; returns for how long. */
static double run_beside(Context *cx, Lane *l, int lanes, double seconds) {
  pthread_t *thread = alloc_n(cx, (size_t)lanes, sizeof *thread);
  double start = wall_seconds(), cpu = cpu_seconds();
  int n = 0;
  for (; n < lanes; n++) {
    l[n].until = start + seconds;
    if (pthread_create(&thread[n], NULL, run_lane, &l[n]) != 0) break;
  }
  for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
  if (n < lanes) fail(cx, "--parallel: only %d threads can be started", n);
  l[0].cpu = cpu_seconds() - cpu;
  return wall_seconds() - start;
}

static void run_in_turns(Lane *const *lane, int models, double seconds) {
  for (bool going = true; going;) {
    going = false;
    for (int i = 0; i < models; i++) {
      run_kept(lane[i]);
      going |= lane[i]->sum < seconds || lane[i]->n < LEAST_RUNS;
    }
  }
}

/* Floats in [-1, 1); of integers the first bit alone, which is an index everywhere. */
static const void **inputs_for(Context *cx, const rcc_model *m, int64_t batch) {
  const void **in = alloc_n(cx, (size_t)m->n_inputs + 1, sizeof *in);
  uint64_t state = 1;
  for (int i = 0; i < m->n_inputs; i++) {
    Tensor t = runner_tensor(&m->inputs[i], batch);
    if (shape_count(&t.shape) > MOST_MEMORY) fail(cx, "a batch of %lld is too large", (long long)batch);
    void *data = alloc(cx, tensor_size(&t) + 1);
    for (int64_t k = 0; k < shape_count(&t.shape); k++) {
      Number v = {.i = (int64_t)(random_bits(&state) & 1)};
      if (type_is_float(t.type)) v.f = 2 * random_unit(&state) - 1;
      put_number(t.type, data, k, v);
    }
    in[i] = data;
  }
  return in;
}

static Lane *open_lanes(Context *cx, const Callable *m, const ReportBench *b) {
  Lane *l = alloc_n(cx, (size_t)b->parallel, sizeof *l);
  const void **in = inputs_for(cx, &m->table, b->batch);
  for (int i = 0; i < b->parallel; i++) {
    l[i] = (Lane){.instance = instance_open(cx, m, b->batch, b->threads), .in = in};
    l[i].first = run_once(&l[i]);
  }
  return l;
}

static void close_lanes(Context *cx, Lane *l, int lanes) {
  int error = 0;
  for (int i = 0; i < lanes; i++) {
    instance_close(l[i].instance);
    free(l[i].time);
    if (l[i].error) error = l[i].error;
  }
  if (error) fail(cx, "the model cannot run so: %s", rcc_strerror(error));
}

/* Fills b[0], ..., a model each. */
static void measure(Context *cx, const Callable *const *m, int models, double seconds, ReportBench *b) {
  Lane *lane[MAX_MODELS];
  double busy[2], all[2], cpu = cpu_seconds(), wall[MAX_MODELS] = {0};
  reset_peak();
  read_ticks(&busy[0], &all[0]);
  for (int i = 0; i < models; i++) lane[i] = open_lanes(cx, m[i], &b[i]);
  if (b->parallel == 1) run_in_turns(lane, models, seconds);
  for (int i = 0; i < models && b->parallel > 1; i++) wall[i] = run_beside(cx, lane[i], b->parallel, seconds);
  read_ticks(&busy[1], &all[1]);
  double own = (cpu_seconds() - cpu) * (double)sysconf(_SC_CLK_TCK), ticks = all[1] - all[0];
  for (int i = 0; i < models; i++) {
    if (ticks > 0) b[i].others = (busy[1] - busy[0] - own) / ticks;
    sum_up(cx, lane[i], b[i].parallel, wall[i], &b[i]);
    close_lanes(cx, lane[i], b[i].parallel);
  }
}

/* ==== the command ==== */

typedef struct Bench {
  Context *cx;
  const ToolOptions *opt;
  Report *report;
} Bench;

static const Counts just_one = {.n = 1, .value = {1}};

static bool is_symbolic(const RunnerView *v) { return v->model.table.flags & RCC_SYMBOLIC_BATCH; }

/* The images of a run: those that the model is compiled for, or of a symbolic batch. */
static void set_batch(const RunnerView *v, int64_t batch, ReportBench *b) {
  b->batch = is_symbolic(v) ? batch : 1;
  b->images = batch;
}

static void bench_threads(Bench *w, Runner *const *runner, int models, int64_t batch) {
  const Counts *threads = w->opt->threads.n ? &w->opt->threads : &just_one;
  const char *const file[MAX_MODELS] = {w->opt->compile.input, w->opt->compare};
  for (int k = 0; k < threads->n; k++) {
    const Callable *m[MAX_MODELS];
    ReportBench *b = &w->report->bench[w->report->n_bench];
    for (int i = 0; i < models; i++) {
      m[i] = &runner_view(runner[i])->model;
      b[i] = (ReportBench){.model = file[i], .threads = (int)threads->value[k],
                           .parallel = w->opt->parallel ? (int)w->opt->parallel : 1};
      set_batch(runner_view(runner[i]), batch, &b[i]);
    }
    measure(w->cx, m, models, w->opt->seconds > 0 ? w->opt->seconds : 2, b);
    w->report->n_bench += models;
  }
}

/* Of an ONNX file it is compiled for the batch; a library takes it where its batch is symbolic. */
static void bench_batch(Bench *w, int64_t batch) {
  Runner *runner[MAX_MODELS];
  const char *const file[MAX_MODELS] = {w->opt->compile.input, w->opt->compare};
  int models = w->opt->compare ? 2 : 1;
  ToolOptions *one = alloc(w->cx, sizeof *one);
  *one = *w->opt;
  one->compile.batch = batch;
  for (int i = 0; i < models; i++) {
    runner[i] = runner_open(w->cx, one, file[i]);
    const RunnerView *v = runner_view(runner[i]);
    w->cx->file = file[i];
    bool is_fixed = !v->build && !is_symbolic(v);
    if (batch > 1 && is_fixed)
      fail(w->cx, "the library's batch is fixed: compile the model with --batch=%lld", (long long)batch);
  }
  if (!w->report) {
    w->report = report_of_table(w->cx, file[0], &runner_view(runner[0])->model.table);
    w->report->bench = alloc_n(w->cx, MAX_MODELS * MAX_COUNTS * MAX_COUNTS, sizeof *w->report->bench);
    w->report->compiled = runner_view(runner[0])->build;
  }
  w->cx->file = file[0];
  bench_threads(w, runner, models, batch ? batch : 1);
  for (int i = 0; i < models; i++) runner_close(runner[i]);
}

static void warn_of_others(const Report *r) {
  double most = 0;
  for (int i = 0; i < r->n_bench; i++) most = r->bench[i].others > most ? r->bench[i].others : most;
  if (most > 0.1) {
    message_warn(NULL, "other programs had up to %.0f %% of this machine's CPUs: times are longer than they would be alone",
                 100 * most);
  }
}

static int bench_model(Context *cx, const ToolOptions *opt) {
  Bench w = {.cx = cx, .opt = opt};
  cx->file = opt->compile.input;
  for (int i = 0; i < opt->batch.n || i == 0; i++) bench_batch(&w, opt->batch.n ? opt->batch.value[i] : 0);
  warn_of_others(w.report);
  if (opt->json) json_report(w.report, stdout);
  else print_bench(w.report, stdout);
  return 0;
}

int bench_command(Context *cx, const ToolOptions *opt) { return work(cx, opt, bench_model); }
