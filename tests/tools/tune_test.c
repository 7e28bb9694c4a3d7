/* tune_test.c: measured times go to a file and back, and decide; wrong files end in an error. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools.h"
#include "fixture.h"

static Context *cx;
static Options options;
static char path[64];

static int setup(void **state) {
  (void)state;
  cx = context_new();
  options = (Options){.max_memory = 1 << 30};
  strcpy(path, "/tmp/tune_test.XXXXXX");
  int fd = mkstemp(path);
  return fd < 0 || close(fd);
}

static int teardown(void **state) {
  (void)state;
  context_free(cx);
  return unlink(path);
}

static Target *target(const char *cpu) { return target_new(cx, &(Options){.cpu = cpu}); }

static Tuning *read_text(const char *text, const char *cpu) {
  Target *t = target(cpu);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  fclose(f);
  return tuning_read(cx, t, path);
}

static const Candidates *selected(Tuning *tuning, const char *cpu) {
  Graph *g = text_parse(cx, &options, "graph g\ninput x f32 [1,64,14,14]\nconst w f32 [64,64,3,3] = splat 1\n"
                                      "y = Conv(x, w) pads=[1,1,1,1]\noutput y\n");
  pass_shape(g);
  Build *b = build_new(g, &options, target(cpu));
  b->times = tuning;
  pass_select(b);
  return g->node[0]->candidates;
}

#define SHAPE "1x64x14x14-64x14x14-k3x3-s1x1-d1x1-g1"
#define HEAD "resnetcc-tuning 1\n"

static const char *haswell_text(const char *times) {
  unsigned long long bits = target("haswell")->cpu_bits;
  return format_text(cx, HEAD "target haswell %llx\n%s", bits, times);
}

static void measured_times_decide(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *text = haswell_text(SHAPE " direct.6x2.row_tile_oc 0.25\n" SHAPE " winograd4 0.5\n");
  Tuning *t = read_text(text, "haswell");
  assert_int_equal(t->n, 2);
  const Candidates *list = selected(t, "haswell");
  assert_string_equal(list->shape, SHAPE);
  assert_string_equal(list->item[list->chosen].name, "direct.6x2.row_tile_oc");
  assert_true(list->item[list->chosen].measured && list->item[list->chosen].ms == 0.25);
  assert_true(list->item[1].measured && !list->item[2].measured);
  assert_true(t->item[0].used && t->item[1].used);
}

/* The first of SHAPE's algorithms by estimate alone. */
static const char *estimated(void) {
  const Candidates *list = selected(NULL, "haswell");
  return list->item[list->chosen].name;
}

static const char *chosen_by(const char *times) {
  const Candidates *list = selected(read_text(haswell_text(times), "haswell"), "haswell");
  return list->item[list->chosen].name;
}

/* Of times that differ by less than they do for no reason, the estimate's choice is taken. */
static void equal_times_leave_it_to_the_estimate(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *first = estimated(), *other = "direct.6x2.oc_row_tile";
  assert_string_not_equal(first, other);
  const char *lines = SHAPE " %s 0.5\n" SHAPE " %s %s\n";
  assert_string_equal(chosen_by(format_text(cx, lines, other, first, "0.509")), first);
  assert_string_equal(chosen_by(format_text(cx, lines, other, first, "0.511")), other);
}

/* Times whose network was no faster than that of the estimates do not decide. */
static void lost_times_do_not_decide(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *first = estimated(), *times = SHAPE " direct.6x2.oc_row_tile 0.01\n";
  const char *won = format_text(cx, "%snetwork measured 9.9\nnetwork estimated 10\n", times);
  const char *lost = format_text(cx, "%snetwork measured 9.96\nnetwork estimated 10\n", times);
  assert_string_equal(chosen_by(won), "direct.6x2.oc_row_tile");
  assert_string_equal(chosen_by(lost), first);
  Tuning *t = read_text(haswell_text(lost), "haswell");
  const Candidates *list = selected(t, "haswell");
  for (int i = 0; i < list->n; i++) assert_false(list->item[i].measured);
  for (int i = 0; i < t->n; i++) assert_true(t->item[i].used); /* so nothing warns of them */
}

/* The weights that 36 numbers for 9 take have no room in a model of one layer. */
static void stored_weights_need_room(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Tuning *t = read_text(haswell_text(SHAPE " winograd4.stored 0.1\n" SHAPE " winograd4 0.5\n"), "haswell");
  const Candidates *list = selected(t, "haswell");
  assert_string_equal(list->item[0].name, "winograd4.stored");
  assert_string_equal(list->item[list->chosen].name, "winograd4");
}

static void other_targets_and_layers_are_ignored(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Tuning *t = read_text(haswell_text(SHAPE " direct.6x2.row_tile_oc 0.25\n"), "skylake-avx512");
  assert_int_equal(t->n, 0);
  assert_int_equal(t->foreign, 1);
  t = read_text(haswell_text("1x1x1x1 direct 1\n" SHAPE " unheard-of 1\n"), "haswell");
  const Candidates *list = selected(t, "haswell");
  for (int i = 0; i < list->n; i++) assert_false(list->item[i].measured);
  assert_false(t->item[0].used || t->item[1].used);
}

static void what_is_printed_is_read(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *text = haswell_text(SHAPE " winograd4 0.50000\n" SHAPE " direct.6x2.row_tile_oc 1.25000\n");
  Buffer printed = {0};
  tuning_print(cx, read_text(text, "haswell"), target("haswell"), &printed);
  buffer_add(&printed, "", 1);
  assert_string_equal(printed.data, text);
  buffer_free(&printed);
}

/* Also times of which five digits show nothing. */
static void short_times_are_read(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Tuning t = {0};
  tuning_add(cx, &t, SHAPE, "winograd4", 1e-7);
  tuning_add_runs(cx, &t, 2e-9, 1e-6);
  Buffer printed = {0};
  tuning_print(cx, &t, target("haswell"), &printed);
  buffer_add(&printed, "", 1);
  const Tuning *read = read_text(printed.data, "haswell");
  assert_int_equal(read->n, 3);
  for (int i = 0; i < read->n; i++) assert_true(read->item[i].ms > 0);
  buffer_free(&printed);
}

/* On the CPU at hand, so that the object can run. Several threads emit, also what there is for groups of images. */
static void layers_are_measured(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.input = "cli/tiny.onnx";
  options.image_nodes = 2;
  options.images_together = 1;
  cx->file = options.input;
  Graph *g = import_model(cx, &options);
  front_run(g, NULL, NULL);
  const char *before = graph_text(g);
  const Tuning *t = tuning_measure(g, &options, target(NULL));
  assert_string_equal(graph_text(g), before);
  assert_true(t->n >= 1);
  for (int i = 0; i < t->n; i++) {
    assert_true(t->item[i].ms > 0);
    bool network = strcmp(t->item[i].shape, "network") == 0;
    assert_true(network || strcmp(t->item[i].shape, t->item[0].shape) == 0); /* of its one convolution */
    for (int k = 0; k < i; k++) assert_string_not_equal(t->item[i].candidate, t->item[k].candidate);
  }
}

static const struct Wrong {
  const char *text, *why;
} wrong[] = {
  {"", "line 1 is missing"},
  {"\177ELF\n", "line 1 is not 'resnetcc-tuning 1'"},
  {"resnetcc-tuning 2\n", "line 1 is not 'resnetcc-tuning 1'"},
  {HEAD "a b\n", "line 2 is not SHAPE CANDIDATE MILLISECONDS"},
  {HEAD "target x 1\na b 1\na b c\n", "line 4 is not SHAPE CANDIDATE MILLISECONDS"},
  {HEAD "a b -1\n", "line 2 is not SHAPE CANDIDATE MILLISECONDS"},
  {HEAD "a b nan\n", "line 2 is not SHAPE CANDIDATE MILLISECONDS"},
  {HEAD "a b inf\n", "line 2 is not SHAPE CANDIDATE MILLISECONDS"},
  {HEAD "a b 1 c\n", "line 2 is not SHAPE CANDIDATE MILLISECONDS"},
  {HEAD "\n", "line 2 is not SHAPE CANDIDATE MILLISECONDS"},
};

static void check_wrong(const char *text, const char *why) {
  EXPECT_FAIL(cx, read_text(text, "haswell"), format_text(cx, "%s: %s", path, why));
}

static void wrong_files_end_in_a_line(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(wrong); i++) check_wrong(wrong[i].text, wrong[i].why);
  char line[1000];
  memset(line, 'x', sizeof line);
  line[sizeof line - 1] = '\0';
  check_wrong(line, "line 1 is too long");
}

static void missing_files_are_not_read(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  cx->file = "model.onnx";
  assert_null(tuning_read(cx, target("haswell"), "no-such-file.tune"));
  assert_string_equal(cx->file, "model.onnx");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(measured_times_decide, setup, teardown),
    cmocka_unit_test_setup_teardown(equal_times_leave_it_to_the_estimate, setup, teardown),
    cmocka_unit_test_setup_teardown(lost_times_do_not_decide, setup, teardown),
    cmocka_unit_test_setup_teardown(stored_weights_need_room, setup, teardown),
    cmocka_unit_test_setup_teardown(other_targets_and_layers_are_ignored, setup, teardown),
    cmocka_unit_test_setup_teardown(what_is_printed_is_read, setup, teardown),
    cmocka_unit_test_setup_teardown(short_times_are_read, setup, teardown),
    cmocka_unit_test_setup_teardown(layers_are_measured, setup, teardown),
    cmocka_unit_test_setup_teardown(wrong_files_end_in_a_line, setup, teardown),
    cmocka_unit_test_setup_teardown(missing_files_are_not_read, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
