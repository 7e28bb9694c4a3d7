/* unfold_test.c: shapes of stacked frames. */
#include "infer_fixture.h"

static void frames_are_stacked(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [6,3,4,5]\ny = Unfold(x) volumes=2 kernel_shape=[3] output_shape=[4]", "f32 [8,9,4,5]"},
    {"input x u8 [6,3,4,5]\ny = Unfold(x) kernel_shape=[3] output_shape=[4] channels=8", "u8 [4,24,4,5]"},
  };
  static const Row wrong[] = {
    {"input x f32 [6,3,4,5]\ny = Unfold(x) volumes=4 output_shape=[1]", "Unfold): 6 images are not 4 volumes"},
    {"input x f32 [6,3,4,5]\ny = Unfold(x)", "Unfold): output_shape 0 is out of range"},
    {"input x f32 [6,3,4,5]\ny = Unfold(x) output_shape=[6] fill=1", "Unfold): fill 1 is out of range"},
    {"input x u8 [6,3,4,5]\ny = Unfold(x) output_shape=[6] channels=2", "Unfold): channels 2 is out of range"},
  };
  EXPECT_SHAPES(rows);
  EXPECT_ERRORS(wrong);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(frames_are_stacked)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
