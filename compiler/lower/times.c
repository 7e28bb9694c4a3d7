/* times.c: measured times of candidates, and the file that keeps them:
 *
 *   resnetcc-tuning 1
 *   target CPU FEATURES              (what follows was measured for it)
 *   SHAPE CANDIDATE MILLISECONDS     (one thread, one layer of the shape)
 *   network measured MILLISECONDS    (a run of the network that these times make,
 *   network estimated MILLISECONDS    and of that which estimates make) */
#include "lower.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char first_line[] = "resnetcc-tuning 1\n";

enum { LONGEST_LINE = 400 };

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

void tuning_add(Context *cx, Tuning *t, const char *shape, const char *candidate, double ms) {
  TunedTime *known = find(t, shape, candidate);
  if (known) {
    if (ms < known->ms) known->ms = ms;
    return;
  }
  if (t->n == t->cap) {
    t->cap = t->cap ? 2 * t->cap : 64;
    TunedTime *larger = alloc_n(cx, (size_t)t->cap, sizeof *larger);
    move_bytes(larger, t->item, (size_t)t->n * sizeof *larger);
    t->item = larger;
  }
  const char *copy = copy_text(cx, shape);
  t->item[t->n++] = (TunedTime){.shape = copy, .candidate = copy_text(cx, candidate), .ms = ms};
}

/* ==== the network ==== */

static const char network[] = "network", by_times[] = "measured", by_estimates[] = "estimated";

void tuning_add_runs(Context *cx, Tuning *t, double measured, double estimated) {
  tuning_add(cx, t, network, by_times, measured);
  tuning_add(cx, t, network, by_estimates, estimated);
}

/* Runs differ by so much of themselves from one minute to the next. */
#define RUNS_DIFFER 0.005

bool tuning_lost(Tuning *t) {
  double measured = tuning_ms(t, network, by_times), estimated = tuning_ms(t, network, by_estimates);
  return estimated > 0 && measured > (1 - RUNS_DIFFER) * estimated;
}

/* ==== the file ==== */

static char *target_line(Context *cx, const Target *target) {
  return format_text(cx, "target %s %" PRIx64 "\n", target->cpu, target->cpu_bits);
}

#define LEAST_MS 1e-5 /* that five digits can say: nothing takes no time, and none would be read */

void tuning_print(Context *cx, const Tuning *t, const Target *target, Buffer *out) {
  buffer_printf(out, "%s%s", first_line, target_line(cx, target));
  for (int i = 0; i < t->n; i++) {
    double ms = t->item[i].ms < LEAST_MS ? LEAST_MS : t->item[i].ms;
    buffer_printf(out, "%s %s %.5f\n", t->item[i].shape, t->item[i].candidate, ms);
  }
}

static void read_time(Context *cx, Tuning *t, const char *line, int number, bool fits) {
  char shape[LONGEST_LINE], candidate[LONGEST_LINE], more;
  double ms;
  int n = sscanf(line, "%s %s %lf %c", shape, candidate, &ms, &more);
  if (n != 3 || !(ms > 0 && ms < 1e9)) fail(cx, "line %d is not SHAPE CANDIDATE MILLISECONDS", number);
  if (fits) tuning_add(cx, t, shape, candidate, ms);
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
  message_warn(path, "%d of %d times are ignored: they are of other layers, algorithms or targets; remove the file to "
               "have them measured again", ignored, t->n + t->foreign);
}
