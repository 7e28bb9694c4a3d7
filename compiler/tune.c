/* tune.c: --tune: the times of every layer's promising candidates, measured on this machine in the whole
 * network, and the file that keeps them:
 *
 *   resnetcc-tuning 1
 *   target CPU FEATURES              (what follows was measured for it)
 *   SHAPE CANDIDATE MILLISECONDS     (one thread, the mean over the layers of the shape) */
#include "codegen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "resnetcc-tuning 1\n";

enum { RUNS = 8, LONGEST_LINE = 400 };

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

static Tuning *tuning_new(Context *cx) {
  Tuning *t = alloc(cx, sizeof *t);
  t->round = -1;
  return t;
}

/* ==== measuring ==== */

static bool shape_is_new(const Graph *g, int i) {
  for (int k = 0; k < i; k++) {
    const Candidates *other = g->node[k]->candidates;
    if (other && strcmp(other->shape, g->node[i]->candidates->shape) == 0) return false;
  }
  return true;
}

/* The mean time, over all nodes of its shape, of node i's choice. */
static double mean_ms(const Graph *g, int i, const double *seconds_of_layer) {
  const char *shape = g->node[i]->candidates->shape;
  double sum = 0;
  int nodes = 0;
  for (int k = 0; k < g->n_layer; k++) {
    const Candidates *c = g->layer[k].node->candidates;
    if (!c || strcmp(c->shape, shape) != 0) continue;
    sum += seconds_of_layer[k];
    nodes += g->layer[k].phase == 0;
  }
  return sum * 1e3 / nodes;
}

/* Compiles the model with candidate `round` of each layer, and runs it; returns how many candidates a layer
 * has at most. */
static int measure(Context *cx, const Options *opt, Context *own, Tuning *t, int round) {
  Tuning force = {.round = round};
  Graph *g = import_model(own, opt);
  g->name = "tuned";
  g->tuning = &force;
  run_passes(g);
  Object object;
  object_emit(g, &object);
  Timing *timing = timing_open(g, &object, "--tune", 1);
  for (int i = 0; i < RUNS; i++) timing_run(timing);
  const double *best = timing_best(timing);
  timing_close(timing);
  object_free(&object);
  int most = 0;
  for (int i = 0; i < g->n_node; i++) {
    const Candidates *c = g->node[i]->candidates;
    if (!c) continue;
    if (c->promising > most) most = c->promising;
    if (shape_is_new(g, i)) add(cx, t, c->shape, c->item[c->chosen].name, mean_ms(g, i, best));
  }
  return most;
}

/* A round's memory is its own. */
static int measure_round(Context *cx, const Options *opt, Tuning *t, int round) {
  Context own = {.file = cx->file, .max_memory = cx->max_memory, .arena = arena_new(cx->max_memory)};
  int failed = setjmp(own.unwind), rounds = failed ? 0 : measure(cx, opt, &own, t, round);
  arena_free(own.arena);
  if (!failed) return rounds;
  cx->file = NULL; /* the error names it */
  fail(cx, "%s", own.error);
}

Tuning *tuning_measure(Context *cx, const Options *opt) {
  Options quiet = *opt;
  quiet.verbose = quiet.time = quiet.verify = quiet.each_pass = false;
  quiet.emit = EMIT_OBJ;
  quiet.dump = NULL;
  Tuning *t = tuning_new(cx);
  int rounds = 1;
  for (int i = 0; i < rounds; i++) {
    if (i == 0) fprintf(stderr, "tuning: round 1\n");
    else fprintf(stderr, "tuning: round %d of %d\n", i + 1, rounds);
    rounds = measure_round(cx, &quiet, t, i);
  }
  return t;
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
  Tuning *t = tuning_new(cx);
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
