/* choice_test.c: the estimates of cost.c choose what measurements choose. lower/networks.txt lists the convolutions of the bench's
 * networks as they are compiled (a Gemm is one of a single pixel), lower/CPU.times what `resnetcc --tune` measured of them on a CPU,
 * the least of several runs: no machine is needed for it here. */
#include <inttypes.h>
#include <string.h>

#include "lower.h"
#include "each_context.h"

static Options options = {.max_memory = 1 << 30};

static const char *const measured[] = {"znver5"};

/* Chosen layers may take so many times as long as the best measured ones: those of all networks together, and of one. */
static const double most_of_all = 1.005, most_of_one = 1.035;

enum { LONGEST_LINE = 200, LARGEST_NETWORK = 200 };

/* ==== networks ==== */

typedef struct Network { char name[LONGEST_LINE]; const char *shape[LARGEST_NETWORK]; int n; } Network;

/* The next one of the file: a line "network NAME", then lines COUNT SHAPE as --tune names shapes. */
static bool read_network(FILE *f, Network *w) {
  char line[LONGEST_LINE], shape[LONGEST_LINE];
  w->n = 0;
  if (!fgets(line, sizeof line, f)) return false;
  assert_int_equal(sscanf(line, "network %s", w->name), 1);
  for (long start = ftell(f); fgets(line, sizeof line, f); start = ftell(f)) {
    int count;
    if (sscanf(line, "%d %s", &count, shape) != 2) return fseek(f, start, SEEK_SET) == 0;
    assert_in_range(count, 1, LARGEST_NETWORK - w->n);
    for (const char *copy = copy_text(cx, shape); count > 0; count--) w->shape[w->n++] = copy;
  }
  return true;
}

/* Of all layers: how large weights are counts, not what they are. */
static float weights[1024 * 1024 * 9];

/* A convolution of the shape, with an input of its own. */
static void add_layer(Graph *g, const char *shape) {
  int64_t x[4], y[3], k[2], s[2], d[2], group, pads[4];
  int n = sscanf(shape, "%" SCNd64 "x%" SCNd64 "x%" SCNd64 "x%" SCNd64 "-%" SCNd64 "x%" SCNd64 "x%" SCNd64 "-k%" SCNd64 "x%" SCNd64
                 "-s%" SCNd64 "x%" SCNd64 "-d%" SCNd64 "x%" SCNd64 "-g%" SCNd64, &x[0], &x[1], &x[2], &x[3], &y[0], &y[1], &y[2],
                 &k[0], &k[1], &s[0], &s[1], &d[0], &d[1], &group);
  assert_int_equal(n, 14);
  assert_in_range(y[0] * x[1] / group * k[0] * k[1], 1, COUNT(weights));
  for (int i = 0; i < 2; i++) {
    int64_t pad = size_max((y[i + 1] - 1) * s[i] + (k[i] - 1) * d[i] + 1 - x[i + 2], 0);
    pads[i] = (pad + 1) / 2;
    pads[i + 2] = pad / 2;
  }
  Value *in[2] = {value_new(g, "x", T_F32, (Shape){.rank = 4, .d = {x[0], x[1], x[2], x[3]}}),
                  value_const(g, "w", T_F32, (Shape){.rank = 4, .d = {y[0], x[1] / group, k[0], k[1]}}, weights)};
  Node *conv = node_new(g, OP_Conv, shape, 2, in, 1);
  conv->out[0] = value_new(g, "y", T_F32, (Shape){.rank = 4, .d = {x[0], y[0], y[1], y[2]}});
  attr_set_ints(g, conv, "strides", 2, s);
  attr_set_ints(g, conv, "dilations", 2, d);
  attr_set_ints(g, conv, "pads", 4, pads);
  attr_set_int(g, conv, "group", group);
}

/* With the plans that estimates choose, or with `times` these. */
static Graph *selected(const Network *w, const Target *t, Tuning *times) {
  Graph *g = graph_new(cx, &options);
  for (int i = 0; i < w->n; i++) add_layer(g, w->shape[i]);
  pass_shape(g);
  Build *b = build_new(g, &options, t);
  b->times = times;
  pass_select(b);
  return g;
}

/* ==== choices ==== */

static double ms_of(Tuning *times, const Node *n) {
  return tuning_ms(times, n->candidates->shape, n->candidates->item[n->candidates->chosen].name);
}

/* Layers that have no choice are not measured. */
static bool is_measured(const Node *n) { return n->candidates->item[0].measured; }

static void print_worse(const Node *chosen, double ms, const Node *best, double least) {
  const Candidates *a = chosen->candidates, *b = best->candidates;
  print_message("  %s: %s %.4f ms, %s %.4f ms\n", a->shape, a->item[a->chosen].name, ms, b->item[b->chosen].name, least);
}

/* Each shape is named once, where its choice takes `limit` times as long. */
static void print_layers(const Graph *chosen, const Graph *best, Tuning *times, double limit) {
  for (int i = 0; i < chosen->n_node; i++) {
    const Node *n = chosen->node[i], *m = best->node[i];
    if (!is_measured(m) || (i > 0 && strcmp(n->name, chosen->node[i - 1]->name) == 0)) continue;
    if (ms_of(times, n) > limit * ms_of(times, m)) print_worse(n, ms_of(times, n), m, ms_of(times, m));
  }
}

typedef struct Sum { double chosen, best; } Sum;

/* Adds those of a network to the sum of all. */
static bool check_network(const Network *w, const Target *t, Tuning *times, Sum *all) {
  const Graph *chosen = selected(w, t, NULL), *best = selected(w, t, times);
  Sum sum = {0};
  for (int i = 0; i < w->n; i++) {
    const Node *n = chosen->node[i], *m = best->node[i];
    assert_string_equal(n->candidates->shape, w->shape[i]);
    if (!is_measured(m)) continue;
    if (ms_of(times, n) == 0) fail_msg("%s: %s was not measured", n->name, n->candidates->item[n->candidates->chosen].name);
    sum = (Sum){sum.chosen + ms_of(times, n), sum.best + ms_of(times, m)};
  }
  *all = (Sum){all->chosen + sum.chosen, all->best + sum.best};
  print_message("%s on %s: %.3f ms chosen, %.3f best\n", w->name, t->cpu, sum.chosen, sum.best);
  bool good = sum.chosen <= most_of_one * sum.best;
  if (!good) print_layers(chosen, best, times, most_of_one);
  return good;
}

static bool check_cpu(const char *cpu) {
  const Target *t = target_new(cx, &(Options){.cpu = cpu});
  Tuning *times = tuning_read(cx, t, format_text(cx, "lower/%s.times", cpu));
  assert_non_null(times);
  assert_true(times->n > 0 && times->foreign == 0);
  FILE *f = fopen("lower/networks.txt", "r");
  assert_non_null(f);
  bool good = true;
  Sum all = {0};
  for (Network w; read_network(f, &w);) good &= check_network(&w, t, times, &all);
  fclose(f);
  return good && all.chosen <= most_of_all * all.best;
}

static void estimates_choose_as_measurements_do(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  bool good = true;
  for (size_t i = 0; i < COUNT(measured); i++) good &= check_cpu(measured[i]);
  assert_true(good);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(estimates_choose_as_measurements_do, context_setup, context_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
