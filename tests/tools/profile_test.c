/* profile_test.c: the table of layers: which rows it has and how they add up; never how fast they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"
#include "fixture.h"
#include "loaded.h"
#include "resnetcc_rt.h"

static Context *cx;
static Options options;
static int threads;
static Object object; /* these outlive a profile that fails */
static FILE *file;
static char *printed;
static size_t printed_size; /* until the file is closed */

static int setup(void **state) {
  (void)state;
  cx = context_new();
  threads = 1;
  options = (Options){.name = "test", .max_memory = 1 << 30, .winograd = WINOGRAD_OFF};
  return 0;
}

static void free_printed(void) {
  if (file) fclose(file);
  free(printed);
  file = NULL, printed = NULL;
}

static int teardown(void **state) {
  (void)state;
  free_printed();
  context_free(cx);
  return 0;
}

static const char net[] =
  "graph net\ninput x f32 [N,16,12,10]\ninput k i64 [N,3]\nconst w f32 [24,16,3,3] = random 1 -0.1 0.1\n"
  "const v f32 [24,24,1,1] = random 2 -0.1 0.1\nconst m f32 [24,10] = random 3 -0.1 0.1\n"
  "y = Conv(x, w) pads=[1,1,1,1] strides=[2,1]\nr = Relu(y)\nz = Conv(r, v)\np = GlobalAveragePool(z)\n"
  "f = Flatten(p)\nq = MatMul(f, m)\ns = Softmax(q)\nl = Add(k, k)\noutput s\noutput l\n";

static char *table_of(const char *text, Build **build) {
  Graph *g = text_parse(cx, &options, text);
  g->name = "net";
  *build = build_of(g, NULL);
  object_emit(*build, &object);
  file = open_memstream(&printed, &printed_size);
  Report *r = report_new(*build);
  report_code(r, *build);
  report_times(r, *build, &object, threads);
  print_times(r, file);
  fflush(file);
  return copy_text(cx, printed);
}

/* The line that holds `text`; fails where it is missing. */
static const char *line_with(const char *table, const char *text) {
  const char *at = strstr(table, text);
  if (!at) fail_msg("no %s in\n%s", text, table);
  while (at > table && at[-1] != '\n') at--;
  return format_text(cx, "%.*s", (int)strcspn(at, "\n"), at);
}

/* What stands below the column `name` of the first table; its head and its cells are aligned at their right ends. */
static double cell(const char *table, const char *line, const char *name) {
  const char *head = line_with(table, " ms ");
  long end = strstr(head, name) + strlen(name) - head;
  const char *text = format_text(cx, "%.*s", (int)end, line);
  const char *space = strrchr(text, ' ');
  return strtod(space, NULL);
}

static void every_layer_has_a_row(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  const char *table = table_of(net, &b);
  int lines = 0;
  for (const char *s = strstr(table, "\n\n") + 2; *s != '\n'; s += strcspn(s, "\n") + 1) lines++;
  assert_int_equal(lines, b->n_layer + 2); /* a head and a sum */
  for (int i = 0; i < b->n_layer; i++) {
    const char *line = line_with(table, format_text(cx, "\n%3d %s ", node_index(b->graph, b->layer[i].node),
                                                    op_info[b->layer[i].node->op].name) + 1);
    const char *name = b->layer[i].node->name;
    assert_string_equal(line + strlen(line) - strlen(name), name);
  }
}

static void phases_are_one_row(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.winograd = WINOGRAD_4;
  Build *b;
  const char *table = table_of("graph net\ninput x f32 [1,32,14,14]\nconst w f32 [32,32,3,3] = random 1 -0.1 0.1\n"
                               "y = Conv(x, w) pads=[1,1,1,1]\noutput y\n", &b);
  int phases = 0, rows = 0;
  for (int i = 0; i < b->n_layer; i++) phases += b->layer[i].node->op == OP_Conv;
  for (const char *s = table; (s = strstr(s, "Conv 3x3/1 32->32 @14x14")); s++) rows++;
  assert_int_equal(phases, 2);
  assert_int_equal(rows, 1);
}

static void shapes_are_as_people_write_them(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  const char *table = table_of(net, &b);
  assert_non_null(strstr(line_with(table, " 3x3/2 "), "Conv 3x3/2 16->24 @6x10 "));
  assert_non_null(strstr(line_with(table, " 1x1/1 "), "Conv 1x1/1 24->24 @6x10 "));
  assert_non_null(strstr(line_with(table, " Softmax "), "[1,10]"));
}

static void groups_and_images_are_told(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  const char *table = table_of("graph net\ninput x f32 [2,32,8,8]\nconst w f32 [32,4,3,3] = random 1 -0.1 0.1\n"
                               "y = Conv(x, w) group=8 pads=[1,1,1,1]\noutput y\n", &b);
  line_with(table, "Conv 3x3/1 32->32 g8 @8x8 x2 ");
}

static void bytes_are_what_must_be_moved(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  const char *table = table_of("graph net\ninput x f32 [1,32,20,20]\ninput r f32 [1,32,20,20]\n"
                               "const w f32 [32,32,3,3] = random 1 -0.1 0.1\nc = Conv(x, w) pads=[1,1,1,1]\n"
                               "y = Add(c, r)\noutput y\n", &b);
  double tensor = 4e-6 * 32 * 20 * 20, weights = 4e-6 * 32 * 32 * 9;
  assert_true(fabs(cell(table, line_with(table, "Conv 3x3"), " MB") - (3 * tensor + weights)) < 6e-4);
  assert_true(fabs(cell(table, line_with(table, "Reorder "), " MB") - 2 * tensor) < 6e-4);
}

/* The sum of the column of milliseconds, as far as it is printed, and of those of the second table. */
static void times_add_up(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  const char *table = table_of(net, &b), *s = strchr(strstr(table, "  ms "), '\n') + 1;
  double sum = 0, all = 0, groups = 0;
  for (; *s != '\n'; s += strcspn(s, "\n") + 1) {
    double ms = cell(table, s, " ms");
    assert_true(ms >= 0);
    if (strncmp(s + 4, "all ", 4) == 0) all = ms;
    else sum += ms;
  }
  for (s = strchr(s + 1, '\n') + 1; *s; s += strcspn(s, "\n") + 1) {
    double ms;
    assert_int_equal(sscanf(s, "%*s %*d %lf", &ms), 1);
    groups += ms;
  }
  assert_true(all > 0);
  assert_true(fabs(sum - all) < 1e-3 && fabs(groups - all) < 1e-3);
}

/* Of each layer, and of all: the rate over the peak that the head names. */
static void rates_are_shares_of_the_peak(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  const char *table = table_of(net, &b);
  double peak;
  assert_int_equal(sscanf(strstr(table, "peak "), "peak %lf GFLOP/s", &peak), 1);
  assert_true(peak > 0);
  const char *const rows[] = {" 3x3/2 ", " 1x1/1 ", " all "};
  for (size_t i = 0; i < COUNT(rows); i++) {
    const char *line = line_with(table, rows[i]);
    double rate = cell(table, line, " GFLOP/s"), percent = cell(table, line, " % peak");
    assert_true(rate > 0);
    assert_true(fabs(percent - 100 * rate / peak) < 0.06 + 10 / peak);
  }
}

static void lines_are_not_too_long(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b;
  char name[200];
  memset(name, 'n', sizeof name - 1);
  memcpy(name + sizeof name - 5, "end", 4);
  const char *table = table_of(format_text(cx, "graph net\ninput x f32 [1,16,8,8]\nconst w f32 [16,16,1,1] = splat 1\n"
                                               "%s = Conv(x, w)\ny = MaxPool(%s) kernel_shape=[2,2]\noutput y\n",
                                           name, name), &b);
  for (const char *s = table; *s; s += strcspn(s, "\n") + 1) assert_true(strcspn(s, "\n") <= 130);
  const char *line = line_with(table, "Conv 1x1");
  assert_non_null(strstr(line, "  ...n"));
  assert_string_equal(line + strlen(line) - 4, "nend");
}

/* One thread runs layers in strips only where nothing is lent to it, as the profile's clock is. */
static void strips_are_told(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char wide[] =
    "graph net\ninput x f32 [1,16,64,256]\nconst u f32 [48,16,1,1] = random 1 -0.3 0.3\n"
    "const d f32 [48,1,3,3] = random 2 -0.4 0.4\nconst v f32 [16,48,1,1] = random 3 -0.2 0.2\n"
    "a = Conv(x, u)\nb = Relu(a)\nc = Conv(b, d) group=48 pads=[1,1,1,1]\ne = Relu(c)\nf = Conv(e, v)\nk = Conv(f, u)\noutput k\n";
  options.cpu = "x86-64"; /* of 256 KiB of L2 */
  Build *b;
  const char *table = table_of(wide, &b);
  assert_true(b->n_strips > 0);
  assert_non_null(strstr(table, "\nall in strips: "));
  assert_null(strstr(table, "all in strips: 0.0000"));
  free_printed();
  threads = 2;
  assert_null(strstr(table_of(wide, &b), "in strips"));
}

static void threads_are_lent(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  threads = 2;
  Build *b;
  const char *table = table_of(net, &b);
  assert_non_null(strstr(table, "of 12 runs, 2 threads; peak "));
  assert_true(cell(table, line_with(table, " 3x3/2 "), " ms") > 0);
}

static void another_cpu_is_refused(void **state) {
  (void)state;
  if (rcc_cpu_check(RCC_CPU_AVX512FP16 | RCC_CPU_AMX_TILE) == RCC_OK) skip();
  options.cpu = "sapphirerapids";
  Build *b;
  const Target *t = target_new(cx, &options);
  EXPECT_FAIL(cx, table_of(net, &b), format_text(cx, "test: --profile: %s", why_not_here(cx, t)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(every_layer_has_a_row),
    TEST(phases_are_one_row),
    TEST(shapes_are_as_people_write_them),
    TEST(groups_and_images_are_told),
    TEST(bytes_are_what_must_be_moved),
    TEST(times_add_up),
    TEST(rates_are_shares_of_the_peak),
    TEST(lines_are_not_too_long),
    TEST(strips_are_told),
    TEST(threads_are_lent),
    TEST(another_cpu_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
