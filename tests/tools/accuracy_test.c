/* accuracy_test.c: the report's errors of Winograd's and Strassen's algorithms. */
#include <stdlib.h>
#include <string.h>

#include "tools.h"
#include "each_context.h"
#include "loaded.h"
#include "resnetcc_rt.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.max_memory = 1 << 30, .winograd = WINOGRAD_4};
  return 0;
}

static const char net[] =
  "graph net\ninput x f32 [2,24,13,10]\nconst w f32 [20,24,3,3] = random 1 -0.5 0.5\n"
  "const b f32 [20] = random 2 -0.5 0.5\nconst v f32 [16,20,3,3] = random 3 -0.5 0.5\n"
  "const u f32 [16,16,1,1] = random 4 -0.5 0.5\nfirst = Conv(x, w, b) pads=[1,1,1,1]\nr = Relu(first)\n"
  "second = Conv(r, v)\nthird = Conv(second, u)\ny = Add(third, second)\noutput y\n";

static const char *report_of(const char *text) {
  Graph *g = text_parse(cx, &options, text);
  Build *b = build_of(g, NULL);
  char *printed = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&printed, &size);
  Report *r = report_new(b);
  report_accuracy(r, b);
  print_accuracy(r, f);
  fclose(f);
  const char *copy = copy_text(cx, printed);
  free(printed);
  return copy;
}

/* Errors of the row of that node, whose algorithm is given; false: it has none. */
static bool errors_of(const char *report, const char *algorithm, const char *node, double *error, double *plain) {
  const char *end = strstr(report, format_text(cx, " %s\n", node));
  if (!end) return false;
  const char *line = end;
  while (line > report && line[-1] != '\n') line--;
  assert_int_equal(strncmp(line, algorithm, strlen(algorithm)), 0);
  assert_int_equal(sscanf(line, "%*s %lf %lf ", error, plain), 2);
  return true;
}

/* What the kernel computes and what is taken for exact agree, at the edges as well, and not to the last bit. */
static void winograd_layers_have_small_errors(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *report = report_of(net);
  double error, plain;
  for (int i = 0; i < 2; i++) {
    assert_true(errors_of(report, "winograd", i ? "second" : "first", &error, &plain));
    assert_true(error > 1e-8 && error < 1e-5);
    assert_true(plain > 1e-9 && plain < 1e-5);
  }
}

static void strassen_layers_too(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.strassen = STRASSEN_ON;
  const char *report = report_of("graph net\ninput x f32 [1,64,14,14]\nconst w f32 [128,64,1,1] = random 1 -0.5 0.5\n"
                                 "y = Conv(x, w)\noutput y\n");
  double error, plain;
  assert_true(errors_of(report, "strassen", "y", &error, &plain));
  assert_true(error > 1e-9 && error < 1e-5);
}

static void other_layers_have_no_row(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  double error, plain;
  assert_false(errors_of(report_of(net), "", "third", &error, &plain));
  options.winograd = WINOGRAD_OFF;
  assert_string_equal(report_of(net), "");
}

/* In place of numbers that would be those of another algorithm. */
static void another_cpu_is_told(void **state) {
  (void)state;
  if (rcc_cpu_check(RCC_CPU_AVX512FP16 | RCC_CPU_AMX_TILE) == RCC_OK) skip();
  EXPECT_NO_FAIL(cx);
  options.cpu = "sapphirerapids";
  assert_non_null(strstr(report_of(net), "\nnot measured: the code is for sapphirerapids, and this CPU lacks "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(winograd_layers_have_small_errors),
    TEST(strassen_layers_too),
    TEST(other_layers_have_no_row),
    TEST(another_cpu_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
