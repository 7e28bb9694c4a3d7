/* images_test.c: shapes of images that are run for a few at a time, and what comes of all. */
#include "infer_fixture.h"

static void images_are_parted_and_joined(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [6,3,4,5]\ny = Image(x)", "f32 [1,3,4,5]"},
    {"input x u8 [6,3]\ny = Image(x) images=2", "u8 [2,3]"},
    {"input x f32 [6,3,4,5]\na = Image(x) images=2\ny = Images(a) images=6", "f32 [6,3,4,5]"},
  };
  static const Row wrong[] = {
    {"input x f32 [6,3]\ny = Image(x) images=4", "Image): 6 images are no multiple of 4"},
    {"input x f32 [6,3]\ny = Image(x) images=0", "Image): images 0 is out of range"},
    {"input x f32 []\ny = Image(x)", "Image): there are no images"},
    {"input x f32 [6,3]\na = Relu(x)\ny = Image(a)", "Image): takes images of an input that has a number of them"},
    {"input x f32 [6,3]\ny = Images(x) images=12", "Images): joins what is no part of so many images"},
    {"input x f32 [6,3]\na = Image(x) images=2\ny = Images(a) images=3", "Images): joins what is no part of so many images"},
  };
  EXPECT_SHAPES(rows);
  EXPECT_ERRORS(wrong);
}

/* Each run has images of its own, also of an input that all of them read. */
static void runs_are_evaluated_one_after_the_other(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *parted = "input x f32 [6,3]\na = Image(x) images=2\nb = Mul(a, a)\nc = Images(b) images=6\ny = Add(c, x)\noutput y\n";
  const char *whole = "input x f32 [6,3]\nc = Mul(x, x)\ny = Add(c, x)\noutput y\n";
  Graph *g = shaped(cx, parted), *w = shaped(cx, whole);
  const void **in = random_inputs(g);
  assert_memory_equal(evaluated(g, in)[0], evaluated(w, in)[0], 6 * 3 * sizeof(float));
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(images_are_parted_and_joined), cmocka_unit_test(runs_are_evaluated_one_after_the_other)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
