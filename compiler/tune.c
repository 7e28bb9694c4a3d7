/* tune.c: --tune: the times of every layer's promising candidates, measured on this machine, and the file that keeps
 * them:
 *
 *   resnetcc-tuning 1
 *   target CPU FEATURES              (what follows was measured for it)
 *   SHAPE CANDIDATE MILLISECONDS     (one thread, one layer of the shape)
 *
 * One object holds them all, each with its own input and weights, so that a run finds the caches as the network would
 * leave them: a candidate's input was just written, its weights were last used before all others'. */
#include "codegen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "resnetcc-tuning 1\n";

enum { RUNS = 8, LONGEST_LINE = 400 };
static const int64_t most_weights = INT64_C(512) << 20; /* bytes, of one object */

/* ==== the table ==== */

static TunedTime *find(const Tuning *t, const char *shape, const char *candidate) {
  for (int i = 0; i < t->n; i++) {
    TunedTime *item = &t->item[i];
    if (strcmp(item->shape, shape) == 0 && strcmp(item->candidate, candidate) == 0) return item;
  }
  return NULL;
}

double tuning_ms(Tuning *t, const char *shape, const char *candidate) {
  TunedTime *found = find(t, shape, candidate);
  if (!found) return 0;
  found->used = true;
  return found->ms;
}

/* Of several times the least counts. */
static void add(Context *cx, Tuning *t, const char *shape, const char *candidate, double ms) {
  TunedTime *known = find(t, shape, candidate);
  if (known) {
    if (ms < known->ms) known->ms = ms;
    return;
  }
  if (t->n == t->cap) {
    t->cap = t->cap ? 2 * t->cap : 64;
    TunedTime *larger = alloc_n(cx, (size_t)t->cap, sizeof *larger);
    if (t->n) memcpy(larger, t->item, (size_t)t->n * sizeof *larger);
    t->item = larger;
  }
  const char *copy = copy_text(cx, shape);
  t->item[t->n++] = (TunedTime){.shape = copy, .candidate = copy_text(cx, candidate), .ms = ms};
}

/* ==== what is to be measured ==== */

static bool shape_is_new(const Graph *g, int i) {
  for (int k = 0; k < i; k++) {
    const Candidates *other = g->node[k]->candidates;
    if (other && strcmp(other->shape, g->node[i]->candidates->shape) == 0) return false;
  }
  return true;
}

/* The promising candidates of the first node of each shape that has a choice; those of a shape are neighbours. */
static Alone *list_trials(Graph *g, int *count) {
  Alone *trial = alloc_n(g->cx, (size_t)g->n_node * MAX_CANDIDATES + 1, sizeof *trial);
  *count = 0;
  for (int i = 0; i < g->n_node; i++) {
    const Candidates *c = g->node[i]->candidates;
    if (!c || c->promising < 2 || !shape_is_new(g, i)) continue;
    for (int k = 0; k < c->promising; k++) trial[(*count)++] = (Alone){.node = g->node[i], .candidate = k};
  }
  return trial;
}

static const Candidate *candidate_of(const Alone *a) { return &a->node->candidates->item[a->candidate]; }

static int64_t bytes_of(const Alone *a) {
  return shape_count(&a->node->in[1]->shape) * (candidate_of(a)->plan.stored ? 16 : 4);
}

/* How many trials from the first on go into one object: whole shapes. */
static int part_size(const Alone *trial, int n) {
  int64_t bytes = 0;
  int size = 0;
  for (int i = 0; i < n && bytes <= most_weights; i++) {
    bytes += bytes_of(&trial[i]);
    bool last_of_shape = i + 1 == n || trial[i + 1].node != trial[i].node;
    if (last_of_shape && (bytes <= most_weights || size == 0)) size = i + 1;
  }
  return size;
}

static int count_parts(const Alone *trial, int n) {
  int parts = 0;
  for (int size; n > 0; trial += size, n -= size, parts++) size = part_size(trial, n);
  return parts;
}

/* ==== measuring ==== */

typedef struct Part {
  Graph *g;
  const Alone *trial;
  int n;
  Timing *timing;
} Part;

typedef struct Work {
  Context *cx;         /* of the times */
  Tuning *times;
  Progress shown;
  int run, runs;       /* of all parts */
} Work;

/* The trial that layer k is, or makes an argument for. */
static int trial_of_layer(const Part *p, int k) {
  const Node *n = p->g->layer[k].node;
  for (int i = 0; i < p->n; i++) {
    const Node *copy = p->trial[i].copy;
    if (copy == n) return i;
    for (int j = 0; j < copy->n_in; j++) {
      if (copy->in[j] && copy->in[j] == n->out[0]) return i;
    }
  }
  return -1;
}

static double ms_of(const Part *p, int i) {
  double sum = 0;
  for (int k = 0; k < p->g->n_layer; k++) {
    if (p->g->layer[k].node == p->trial[i].copy) sum += timing_best(p->timing)[k];
  }
  return sum * 1e3;
}

static double least_of_shape(const Part *p, const Node *node) {
  double least = 0;
  for (int i = 0; i < p->n; i++) {
    if (p->trial[i].node != node) continue;
    double ms = ms_of(p, i);
    if (least == 0 || ms < least) least = ms;
  }
  return least;
}

/* Those that take so many times as long as the best of their shape need no further runs. */
static void skip_slow(const Part *p, double limit) {
  for (int k = 0; k < p->g->n_layer; k++) {
    int i = trial_of_layer(p, k);
    if (i >= 0 && ms_of(p, i) > limit * least_of_shape(p, p->trial[i].node)) timing_skip(p->timing)[k] = true;
  }
}

static void measure_part(Work *w, Graph *g, const Options *opt, Alone *trial, int n) {
  Graph *alone = graph_alone(g, opt, trial, n);
  Object object;
  object_emit(alone, &object);
  Part p = {alone, trial, n, timing_open(alone, &object, "--tune", 1)};
  for (int run = 1; run <= RUNS; run++) {
    progress_show(&w->shown, ++w->run, w->runs);
    timing_run(p.timing);
    if (run == 2) skip_slow(&p, 1.5);
    if (run == RUNS / 2) skip_slow(&p, 1.1);
  }
  for (int i = 0; i < n; i++) {
    add(w->cx, w->times, trial[i].node->candidates->shape, candidate_of(&trial[i])->name, ms_of(&p, i));
  }
  timing_close(p.timing);
  object_free(&object);
}

static void measure(Work *w, Context *own, const Options *opt) {
  int n;
  Graph *g = import_model(own, opt);
  run_passes(g);
  Alone *trial = list_trials(g, &n);
  fprintf(stderr, "tuning: %d algorithms\n", n);
  w->shown = progress_begin(stderr, "tuning: run");
  w->runs = count_parts(trial, n) * RUNS;
  for (int size; n > 0; trial += size, n -= size) {
    size = part_size(trial, n);
    measure_part(w, g, opt, trial, size);
  }
  progress_end(&w->shown);
}

/* In memory of its own. */
Tuning *tuning_measure(Context *cx, const Options *opt) {
  Options quiet = *opt;
  quiet.verbose = quiet.time = quiet.verify = quiet.each_pass = false;
  quiet.emit = EMIT_OBJ;
  quiet.dump = NULL;
  Work w = {.cx = cx, .times = alloc(cx, sizeof *w.times)};
  Context own = {.file = cx->file, .max_memory = cx->max_memory, .arena = arena_new(cx->max_memory)};
  int failed = setjmp(own.unwind);
  if (!failed) measure(&w, &own, &quiet);
  arena_free(own.arena);
  if (!failed) return w.times;
  cx->file = NULL; /* the error names it */
  fail(cx, "%s", own.error);
}

/* ==== the file ==== */

static char *target_line(Context *cx, const Target *target) {
  return format_text(cx, "target %s %" PRIx64 "\n", target->cpu, target->cpu_bits);
}

void tuning_print(Context *cx, const Tuning *t, const Target *target, Buffer *out) {
  buffer_printf(out, "%s%s", first_line, target_line(cx, target));
  for (int i = 0; i < t->n; i++) {
    buffer_printf(out, "%s %s %.5f\n", t->item[i].shape, t->item[i].candidate, t->item[i].ms);
  }
}

static void read_time(Context *cx, Tuning *t, const char *line, int number, bool fits) {
  char shape[LONGEST_LINE], candidate[LONGEST_LINE], more;
  double ms;
  int n = sscanf(line, "%s %s %lf %c", shape, candidate, &ms, &more);
  if (n != 3 || !(ms > 0 && ms < 1e9)) fail(cx, "line %d is not SHAPE CANDIDATE MILLISECONDS", number);
  if (fits) add(cx, t, shape, candidate, ms);
  else t->foreign++;
}

static void read_lines(Context *cx, Tuning *t, const Target *target, FILE *f) {
  char line[LONGEST_LINE];
  const char *here = target_line(cx, target);
  bool fits = false;
  for (int number = 1; fgets(line, sizeof line, f); number++) {
    if (strlen(line) == sizeof line - 1) fail(cx, "line %d is too long", number);
    if (number == 1) {
      int n = (int)strlen(first_line) - 1;
      if (strcmp(line, first_line) != 0) fail(cx, "line 1 is not '%.*s'", n, first_line);
    } else if (strncmp(line, "target ", 7) == 0) {
      fits = strcmp(line, here) == 0;
    } else {
      read_time(cx, t, line, number, fits);
    }
  }
  if (ferror(f)) fail(cx, "cannot be read: %s", strerror(errno));
  if (ftell(f) == 0) fail(cx, "line 1 is missing");
}

Tuning *tuning_read(Context *cx, const Target *target, const char *path) {
  const char *model = cx->file;
  FILE *f = fopen(path, "r");
  if (!f && errno == ENOENT) return NULL;
  cx->file = path;
  if (!f) fail(cx, "cannot be read: %s", strerror(errno));
  Tuning *t = alloc(cx, sizeof *t);
  read_lines(cx, t, target, f);
  fclose(f);
  cx->file = model;
  return t;
}

void tuning_warn(const Tuning *t, const char *path) {
  int ignored = t->foreign;
  for (int i = 0; i < t->n; i++) ignored += !t->item[i].used;
  if (ignored == 0) return;
  fprintf(stderr, "resnetcc: warning: %s: %d of %d times are ignored: they are of other layers, algorithms "
          "or targets\n", path, ignored, t->n + t->foreign);
}
