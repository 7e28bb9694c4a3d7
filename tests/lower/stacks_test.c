/* stacks_test.c: frames of bytes lie stacked where what fills their blocks meets zeros. */
#include "lower.h"
#include "fixture.h"

static Context *cx;
static int setup(void **state) { (void)state; cx = context_new(); return 0; }
static int teardown(void **state) { (void)state; context_free(cx); return 0; }

#define X "graph g\ninput x u8 [4,100,5,5]\nconst w i8 [8,300,1,1] = random 1 -128 128\n"
#define STACK "u = Unfold(x) starts=[-1] kernel_shape=[3] output_shape=[4]"

/* Blocks are of 64 bytes. */
static Graph *filled(const char *text) {
  static const Options options = {.name = "g", .max_memory = 1 << 30};
  static const Target target = {.lanes = 16, .regs = 32, .fma = true, .l1 = 32 << 10, .l2 = 512 << 10};
  Graph *g = shaped(cx, text);
  Build *b = build_new(g, &options, &target);
  pass_stacks(b);
  verify(g, "stacks");
  return g;
}

static void expect_channels(const char *text, int64_t channels) {
  EXPECT_NO_FAIL(cx);
  assert_int_equal(value_named(filled(text), "u")->shape.d[1], channels);
}

static void channels_fill_blocks(void **state) {
  (void)state;
  expect_channels(X STACK "\ny = ConvInteger(u, w)\nz = ConvInteger(u, w)\noutput y\noutput z\n", 384);
}

/* Of what is added the weights are the zero points. */
static void results_stay(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char text[] = X "const v i8 [8] = random 2 -9 9\nconst z u8 [] = {7}\n" STACK " fill=7\n"
                             "y = ConvInteger(u, w, z, v)\noutput y\n";
  Graph *a = shaped(cx, text), *b = filled(text);
  uint8_t *x = alloc_n(cx, 4 * 100 * 25, 1);
  for (int i = 0; i < 4 * 100 * 25; i++) x[i] = (uint8_t)(i * 37 % 256);
  const void *in[] = {x};
  assert_memory_equal(evaluated(a, in)[0], evaluated(b, in)[0], value_bytes(a->output[0]));
  assert_int_equal(value_named(b, "u")->shape.d[1], 384);
}

/* Whole or too few channels, several volumes, another reader. */
static void others_stay(void **state) {
  (void)state;
  expect_channels("graph g\ninput x u8 [4,64,5,5]\nconst w i8 [8,192,1,1] = splat 1\n" STACK "\ny = ConvInteger(u, w)\noutput y\n", 192);
  expect_channels("graph g\ninput x u8 [4,70,5,5]\nconst w i8 [8,210,1,1] = splat 1\n" STACK "\ny = ConvInteger(u, w)\noutput y\n", 210);
  expect_channels(X STACK " volumes=2\ny = ConvInteger(u, w)\noutput y\n", 300);
  expect_channels(X STACK "\ny = ConvInteger(u, w)\noutput y\noutput u\n", 300);
  expect_channels(X STACK "\ny = ConvInteger(u, w)\nz = MaxPool(u) kernel_shape=[2,2]\noutput y\noutput z\n", 300);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {TEST(channels_fill_blocks), TEST(results_stay), TEST(others_stay)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
