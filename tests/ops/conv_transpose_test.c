/* conv_transpose_test.c: shapes and padding of transposed convolutions. */
#include "infer_fixture.h"

#define SPREAD "input x f32 [N,4,5,6]\nconst w f32 [4,3,3,4] = splat 1\ny = ConvTranspose(x, w) "

static void transposed_windows_have_shapes(void **state) {
  (void)state;
  static const Row rows[] = {
    {SPREAD, "f32 [N,3,7,9]"},
    {SPREAD "strides=[2,3] pads=[1,0,2,1] output_padding=[1,0] group=2", "f32 [N,6,9,18]"},
    {SPREAD "strides=[2,2] dilations=[2,1]", "f32 [N,3,13,14]"},
    {SPREAD "strides=[2,2] auto_pad=\"SAME_UPPER\"", "f32 [N,3,10,12]"},
    {SPREAD "strides=[2,2] auto_pad=\"VALID\" pads=[1,1,1,1]", "f32 [N,3,11,14]"},
    {SPREAD "strides=[2,2] output_shape=[10,40]", "f32 [N,3,10,40]"},
    {SPREAD "strides=[2,2] output_shape=[1,3,10,13]", "f32 [N,3,10,13]"},
  };
  EXPECT_SHAPES(rows);
}

static void a_given_size_becomes_padding(void **state) {
  (void)state;
  static const int64_t padding[] = {1, 0, 0, 0}, more[] = {0, 26};
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Node *n = infer(cx, SPREAD "strides=[2,2] output_shape=[10,40]")->node[0];
  assert_null(attr_find(n, "output_shape"));
  assert_memory_equal(attr_find(n, "pads")->ints, padding, sizeof padding);
  assert_memory_equal(attr_find(n, "output_padding")->ints, more, sizeof more);
  context_free(cx);
}

static void transposed_windows_are_refused(void **state) {
  (void)state;
  static const Row rows[] = {
    {SPREAD "group=3", "ConvTranspose): 4 input channels do not divide into 3 groups"},
    {SPREAD "pads=[4,0,4,0]", "ConvTranspose): padding of 8 elements leaves nothing of 7"},
    {SPREAD "output_padding=[-1,0]", "ConvTranspose): output padding -1 is out of range"},
    {SPREAD "output_shape=[1,2,3]", "ConvTranspose): attribute output_shape must be 2 integers"},
    {SPREAD "kernel_shape=[3,3]", "ConvTranspose): kernel_shape contradicts the weights' shape"},
    {"input x f32 [1,3,8]\nconst w f32 [2,3,3] = splat 1\ny = ConvTranspose(x, w)",
     "ConvTranspose): 3 input channels, but weights for 2"},
  };
  EXPECT_ERRORS(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(transposed_windows_have_shapes),
    cmocka_unit_test(a_given_size_becomes_padding),
    cmocka_unit_test(transposed_windows_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
