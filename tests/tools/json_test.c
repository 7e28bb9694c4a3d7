/* json_test.c: what a model names becomes valid JSON, whatever its bytes are; tests/cli has a parser read whole reports. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"
#include "each_context.h"
#include "loaded.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "net", .input = "net.onnx", .max_memory = 1 << 30, .cpu = "haswell"};
  return 0;
}

/* What `print` writes; fresh memory. */
#define PRINTED(print) \
  char *printed = NULL; \
  size_t printed_size = 0; \
  FILE *f = open_memstream(&printed, &printed_size); \
  print; \
  fclose(f)

static void assert_json(const char *text, size_t n, const char *expected) {
  PRINTED(json_text(text, n, f));
  assert_string_equal(printed, expected);
  free(printed);
}

#define ASSERT_JSON(text, expected) assert_json(text, sizeof text - 1, "\"" expected "\"")

static void text_is_escaped(void **state) {
  (void)state;
  ASSERT_JSON("", "");
  ASSERT_JSON("layer1/conv 2", "layer1/conv 2");
  ASSERT_JSON("a\"b\\c", "a\\\"b\\\\c");
  ASSERT_JSON("\n\t\x01\x1f\x7f", "\\n\\t\\u0001\\u001f\\u007f");
  ASSERT_JSON("a\0b", "a\\u0000b");
  ASSERT_JSON("</script>", "\\u003c/script>"); /* a page has the object within one */
}

static void only_utf8_comes_out(void **state) {
  (void)state;
  ASSERT_JSON("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
#define BAD "\xef\xbf\xbd"
  ASSERT_JSON("\xff", BAD);
  ASSERT_JSON("\xc0\xaf", BAD BAD);         /* overlong */
  ASSERT_JSON("\xed\xa0\x80", BAD BAD BAD); /* a surrogate */
  ASSERT_JSON("\xc3", BAD);                 /* cut off */
  ASSERT_JSON("\xe2\x82", BAD BAD);
  ASSERT_JSON("\xc3(", BAD "(");
  assert_json("\xe2\x82\xac", 2, "\"" BAD BAD "\""); /* cut off by the length */
}

static void errors_have_parts(void **state) {
  (void)state;
  Node n = {.op = OP_Conv, .name = "a\"b"};
  Graph g = {.cx = cx};
  if (setjmp(cx->unwind) == 0) fail_at(&g, &n, "no weights");
  ReportError e = report_error(cx);
  PRINTED(json_error(&e, f));
  assert_string_equal(printed, "{\"error\": {\"file\": \"test\", \"node\": \"a\\\"b\", \"op\": \"Conv\", "
                               "\"reason\": \"no weights\"}}\n");
  free(printed);
}

static void errors_without_parts_have_null(void **state) {
  (void)state;
  cx->file = NULL;
  if (setjmp(cx->unwind) == 0) (fail)(cx, "no memory");
  ReportError e = report_error(cx);
  PRINTED(json_error(&e, f));
  assert_string_equal(printed, "{\"error\": {\"file\": null, \"node\": null, \"op\": null, \"reason\": \"no memory\"}}\n");
  free(printed);
}

static int count(const char *text, const char *what) {
  int n = 0;
  for (const char *s = text; (s = strstr(s, what)); s++) n++;
  return n;
}

/* Every layer and buffer of the report, candidates where there is a choice, and what was not measured is not there. */
static void reports_are_whole(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &options,
                        "graph net\ninput x f32 [N,16,12,12]\nconst w f32 [16,16,3,3] = random 1 -0.1 0.1\n"
                        "c = Conv(x, w) pads=[1,1,1,1]\nr = Relu(c)\ny = Softmax(r)\noutput y\n");
  Report *r = report_new(build_of(g, NULL));
  PRINTED(json_report(r, f));
  assert_int_equal(count(printed, "{\"node\": "), r->n_layer);
  assert_int_equal(count(printed, "{\"value\": "), r->n_buffer);
  assert_int_equal(count(printed, "\"chosen\": true"), 1);
  assert_int_equal(count(printed, "\"chosen\": false"), r->layer[1].n_candidate - 1);
  assert_int_equal(count(printed, "\"shape\": [\"N\", 16, 12, 12]"), 2);
  assert_int_equal(count(printed, "\"cpu\": \"haswell\""), 1);
  assert_int_equal(count(printed, "\"profile\"") + count(printed, "\"ms\": null") + count(printed, "\"accuracy\""), 0);
  free(printed);
}

/* What has been measured, and nothing that is no number of JSON. */
static void measurements_are_added(void **state) {
  (void)state;
  ReportLayer layer = {.node = "y", .op = "Conv", .what = "", .algorithm = "direct", .seconds = 0.25, .phases = 2,
                       .checked = true, .error = HUGE_VAL, .fp32_error = 0.5};
  Report r = {.model = {.file = "net.onnx"}, .triple = "t", .cpu = "c", .layer = &layer, .n_layer = 1, .samples = 64,
              .runs = 12, .threads = 2, .peak = 100, .bandwidth = 20};
  PRINTED(json_report(&r, f));
  assert_non_null(strstr(printed, "\"phases\": 2, \"gflop\": 0, \"bytes\": 0, \"ms\": 250, \"error\": null, "
                                  "\"fp32_error\": 0.5, \"inputs\": [], \"outputs\": []}"));
  assert_non_null(strstr(printed, "\"accuracy\": {\"samples\": 64, \"not_measured\": null}"));
  assert_non_null(strstr(printed, "\"profile\": {\"runs\": 12, \"threads\": 2, \"peak_gflops\": 100, \"bandwidth_gbs\": 20}"));
  free(printed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(text_is_escaped), TEST(only_utf8_comes_out), TEST(errors_have_parts), TEST(errors_without_parts_have_null),
    TEST(reports_are_whole), TEST(measurements_are_added),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
