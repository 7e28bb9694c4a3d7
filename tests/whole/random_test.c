/* random_test.c: random graphs, each compiled and run in a process of its own with a limit on time and memory.
 *   random_test                   the seeds that ctest runs
 *   random_test FIRST COUNT       so many seeds
 *   random_test --minutes M       new seeds for so long
 *   random_test --quantized ...   the same of the seeds of quantised graphs
 * A failing graph is made as small as it gets and printed; `random_test SEED 1` shows it again. */
#include "random_run.h"
#include "sanitized.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { FIXED_SEEDS = SANITIZED ? 200 : 600, SECONDS = 20, WAITING = 60, WHY = 600, MOST_REASONS = 64 };
static const rlim_t address_space = (rlim_t)3 << 30;

/* ==== one graph in a process of its own ==== */

static void limit_child(void) {
  const rlim_t seconds = SANITIZED ? 10 * SECONDS : SECONDS; /* of the CPU, whatever else runs on the machine */
  struct rlimit memory = {address_space, address_space}, core = {0, 0}, time = {seconds, seconds + 1};
  if (!SANITIZED) setrlimit(RLIMIT_AS, &memory); /* sanitizers reserve terabytes of addresses */
  setrlimit(RLIMIT_CORE, &core);
  setrlimit(RLIMIT_CPU, &time);
  alarm(WAITING * SECONDS);
}

static void run_child(const RandomGraph *r, uint64_t seed, int to) {
  char why[WHY] = "";
  limit_child();
  if (!freopen("/dev/null", "w", stderr)) _exit(V_WRONG);
  Verdict v = random_run(r, seed, why);
  if (write(to, why, strlen(why)) < 0) _exit(V_WRONG);
  _exit(v);
}

static Verdict run_apart(const RandomGraph *r, uint64_t seed, char *why) {
  int ends[2], status;
  if (pipe(ends)) abort();
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) run_child(r, seed, ends[1]);
  close(ends[1]);
  ssize_t n = read(ends[0], why, WHY - 1);
  why[n > 0 ? n : 0] = 0;
  close(ends[0]);
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) <= V_WRONG) return (Verdict)WEXITSTATUS(status);
  if (WIFSIGNALED(status)) snprintf(why, WHY, "signal %d%s", WTERMSIG(status), WTERMSIG(status) == SIGXCPU ? ": too slow" : "");
  else snprintf(why, WHY, "exit status %d", WEXITSTATUS(status));
  return V_WRONG;
}

/* ==== a smaller graph that fails the same way ==== */

static bool is_valid(const RandomGraph *r) {
  Context cx = {.file = "random", .max_memory = 1 << 28, .arena = arena_new(1 << 28)};
  Options opt = {.max_memory = 1 << 28};
  bool volatile valid = false;
  if (setjmp(cx.unwind) == 0) {
    Graph *g = text_parse(&cx, &opt, random_graph_text(r, -1));
    pass_shape(g);
    valid = g->n_output > 0 && (!r->quantized || graph_is_quantized(g));
  }
  arena_free(cx.arena);
  return valid;
}

static bool still_fails(const RandomGraph *r, uint64_t seed) {
  char why[WHY];
  return is_valid(r) && run_apart(r, seed, why) == V_WRONG;
}

static void drop_line(RandomGraph *r, int i) {
  r->n_line--;
  for (; i < r->n_line; i++) r->line[i] = r->line[i + 1];
}

/* Line i as an input of the value that it computes; false: it is no node with one result. */
static bool cut_above(RandomGraph *r, int i) {
  char name[8];
  if (sscanf(r->line[i], "%7[vuwi0-9] =", name) != 1) return false;
  const RandomValue *v = random_value(r, name);
  if (!v || v->type != T_F32) return false;
  char *text = format_text(r->cx, "input %s f32 [", name);
  for (int k = 0; k < v->shape.rank; k++) {
    text = v->shape.d[k] < 0 ? format_text(r->cx, "%s%s$", text, k ? "," : "")
                             : format_text(r->cx, "%s%s%lld", text, k ? "," : "", (long long)v->shape.d[k]);
  }
  r->line[i] = format_text(r->cx, "%s]", text);
  return true;
}

static void shrink(RandomGraph *r, uint64_t seed) {
  time_t end = time(NULL) + 60;
  for (bool smaller = true; smaller && time(NULL) < end;) {
    smaller = false;
    for (int i = r->n_line - 1; i >= 0 && time(NULL) < end; i--) {
      RandomGraph t = *r;
      drop_line(&t, i);
      if (!still_fails(&t, seed)) {
        t = *r;
        if (!cut_above(&t, i) || !still_fails(&t, seed)) continue;
      }
      *r = t;
      smaller = true;
    }
  }
}

/* ==== many ==== */

typedef struct Tally {
  long run, refused, wrong;
  int tried[OP_COUNT], kept[OP_COUNT];
  char reason[MOST_REASONS][160];
  int count[MOST_REASONS];
} Tally;

static void count_reason(Tally *t, const char *why) {
  const char *text = strstr(why, "): ");
  text = text ? text + 3 : why;
  for (int i = 0; i < MOST_REASONS; i++) {
    if (!t->count[i]) snprintf(t->reason[i], sizeof t->reason[i], "%.150s", text);
    if (strncmp(t->reason[i], text, 24)) continue;
    t->count[i]++;
    return;
  }
}

static void report_failure(RandomGraph *r, uint64_t seed, const char *why) {
  char options[200];
  random_options_text(seed, options, sizeof options);
  printf("seed %llu: %s\n  %s\n", (unsigned long long)seed, why, options);
  shrink(r, seed);
  printf("%s\n", random_graph_text(r, -1));
  fflush(stdout);
}

static void run_seed(Tally *t, uint64_t seed) {
  static RandomGraph r;
  char why[WHY];
  Context cx = {.file = "random", .max_memory = 1 << 28, .arena = arena_new(1 << 28)};
  if (setjmp(cx.unwind)) fail_msg("seed %llu: %s", (unsigned long long)seed, cx.error);
  random_graph(&cx, seed, &r);
  for (int i = 0; i < OP_COUNT; i++) t->tried[i] += r.tried[i], t->kept[i] += r.kept[i];
  Verdict v = run_apart(&r, seed, why);
  t->run++;
  t->refused += v == V_REFUSED;
  t->wrong += v == V_WRONG;
  if (v == V_REFUSED) count_reason(t, why);
  if (v == V_WRONG) report_failure(&r, seed, why);
  arena_free(cx.arena);
}

static void print_tally(const Tally *t) {
  printf("%ld graphs: %ld right, %ld refused, %ld wrong\n", t->run, t->run - t->refused - t->wrong, t->refused, t->wrong);
  for (int i = 0; i < MOST_REASONS && t->count[i]; i++) printf("  refused %d times: %s\n", t->count[i], t->reason[i]);
}

/* Refusals and rejected proposals are no test of anything: most graphs have to run, with every operator among them. */
static void check_tally(const Tally *t) {
  assert_int_equal(t->wrong, 0);
  assert_true(t->refused * 10 < t->run);
  if (t->run < FIXED_SEEDS) return;
  for (int i = 1; i < OP_COUNT; i++) {
    if (t->tried[i] && t->kept[i] < 1) fail_msg("%s: %d of %d nodes were kept", op_info[i].name, t->kept[i], t->tried[i]);
  }
}

static void test_fixed_seeds(void **state) {
  (void)state;
  static Tally t;
  for (uint64_t seed = 1; seed <= FIXED_SEEDS; seed++) run_seed(&t, seed);
  print_tally(&t);
  check_tally(&t);
}

static int run_range(uint64_t first, uint64_t step, long count, double minutes) {
  static Tally t;
  time_t end = time(NULL) + (time_t)(60 * minutes);
  printf("seeds from %llu on\n", (unsigned long long)first);
  while (count > 0 ? t.run < count : time(NULL) < end) run_seed(&t, first + step * (uint64_t)t.run);
  print_tally(&t);
  return t.wrong > 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed_seeds)};
  bool quantized = argc == 4 && strcmp(argv[1], "--quantized") == 0;
  if (argc != 3 && !quantized) return cmocka_run_group_tests(tests, NULL, NULL);
  const char *from = argv[argc - 2], *many = argv[argc - 1];
  bool timed = strcmp(from, "--minutes") == 0;
  uint64_t first = strtoull(from, NULL, 10), step = quantized ? QUANTIZED_PERIOD : 1;
  if (timed) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    first = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
  }
  while (quantized && !random_is_quantized(first)) first++;
  return timed ? run_range(first, step, 0, atof(many)) : run_range(first, step, strtol(many, NULL, 10), 0);
}
