/* profile_test.c: the table of layers: which rows it has and how they add up; never how fast they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen.h"
#include "fixture.h"
#include "resnetcc_rt.h"

static Context *cx;
static Options options;
static Object object; /* these three outlive a profile that fails */
static FILE *file;
static char *printed;

static int setup(void **state) {
  (void)state;
  cx = context_new();
  options = (Options){.name = "test", .max_memory = 1 << 30, .winograd = WINOGRAD_OFF};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  if (file) fclose(file);
  free(printed);
  object_free(&object);
  file = NULL, printed = NULL;
  context_free(cx);
  return 0;
}

static const char net[] =
  "graph net\ninput x f32 [N,16,12,10]\ninput k i64 [N,3]\nconst w f32 [24,16,3,3] = random 1 -0.1 0.1\n"
  "const v f32 [24,24,1,1] = random 2 -0.1 0.1\nconst m f32 [24,10] = random 3 -0.1 0.1\n"
  "y = Conv(x, w) pads=[1,1,1,1] strides=[2,1]\nr = Relu(y)\nz = Conv(r, v)\np = GlobalAveragePool(z)\n"
  "f = Flatten(p)\nq = MatMul(f, m)\ns = Softmax(q)\nl = Add(k, k)\noutput s\noutput l\n";

static char *table_of(const char *text, Graph **graph) {
  Graph *g = text_parse(cx, &options, text);
  g->name = "net";
  run_passes(g);
  object_emit(g, &object);
  size_t size = 0;
  file = open_memstream(&printed, &size);
  profile(g, &object, file);
  fflush(file);
  *graph = g;
  return copy_text(cx, printed);
}

/* The line that holds `text`; fails where it is missing. */
static const char *line_with(const char *table, const char *text) {
  const char *at = strstr(table, text);
  if (!at) fail_msg("no %s in\n%s", text, table);
  while (at > table && at[-1] != '\n') at--;
  return format_text(cx, "%.*s", (int)strcspn(at, "\n"), at);
}

static void every_layer_has_a_row(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g;
  const char *table = table_of(net, &g);
  int lines = 0;
  for (const char *s = table; *s; s++) lines += *s == '\n';
  assert_int_equal(lines, g->n_layer + 2); /* a head and a sum */
  for (int i = 0; i < g->n_layer; i++) {
    const char *line = line_with(table, format_text(cx, "\n%4d %s ", i,
                                                    op_info[g->layer[i].node->op].name) + 1);
    const char *name = g->layer[i].node->name;
    assert_string_equal(line + strlen(line) - strlen(name), name);
  }
}

static void shapes_are_as_people_write_them(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g;
  const char *table = table_of(net, &g);
  assert_non_null(strstr(line_with(table, " 3x3/2 "), "16->24 @6x10"));
  assert_non_null(strstr(line_with(table, " 1x1/1 "), "24->24 @6x10"));
  assert_non_null(strstr(line_with(table, " Softmax "), "[1,10]"));
}

/* The sum of the column of milliseconds, as far as it is printed. */
static void times_add_up(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g;
  const char *table = table_of(net, &g);
  const char *head = line_with(table, " ms ");
  long end = strstr(head, " ms ") + 3 - head; /* where the column ends */
  double sum = 0, all = 0;
  for (const char *s = strchr(table, '\n') + 1; *s; s += strcspn(s, "\n") + 1) {
    double ms = strtod(s + end - 9, NULL);
    assert_true(ms >= 0);
    if (strncmp(s + 5, "all ", 4) == 0) all = ms;
    else sum += ms;
  }
  assert_true(all > 0);
  assert_true(sum - all < 1e-3 && all - sum < 1e-3);
}

static void another_cpu_is_refused(void **state) {
  (void)state;
  if (rcc_cpu_check(RCC_CPU_AVX512FP16 | RCC_CPU_AMX_TILE) == RCC_OK) skip();
  options.cpu = "sapphirerapids";
  Graph *g;
  const char *text = format_text(cx, "test: --profile: %s", rcc_strerror(RCC_ERR_CPU));
  EXPECT_FAIL(cx, table_of(net, &g), text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(every_layer_has_a_row),
    TEST(shapes_are_as_people_write_them),
    TEST(times_add_up),
    TEST(another_cpu_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
