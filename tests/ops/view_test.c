/* view_test.c: new shapes of the same elements. */
#include "infer_fixture.h"

static void views_keep_the_element_count(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [N,3,4]\nconst s i64 [2] = {0, -1}\ny = Reshape(x, s)", "f32 [N,12]"},
    {"input x f32 [N,3,4]\nconst s i64 [2] = {-1, 12}\ny = Reshape(x, s)", "f32 [N,12]"},
    {"input x f32 [N,3,4]\nconst s i64 [2] = {-1, 4}\ny = Reshape(x, s)", "f32 [3N,4]"},
    {"input x f32 [N,3,4]\nconst s i64 [3] = {2, N, -1}\ny = Reshape(x, s)", "f32 [2,N,6]"},
    {"input x f32 [0,3]\nconst s i64 [2] = {3, 0}\ny = Reshape(x, s) allowzero=1", "f32 [3,0]"},
    {"input x f32 [2,3,4]\ny = Flatten(x) axis=-1", "f32 [6,4]"},
    {"input x f32 [N,3,4]\ny = Flatten(x)", "f32 [N,12]"},
    {"input x f32 [2,3]\ny = Flatten(x) axis=0", "f32 [1,6]"},
    {"input x f32 [1,3,1]\ny = Squeeze(x)", "f32 [3]"},
    {"input x f32 [1,3,1]\nconst a i64 [1] = {-1}\ny = Squeeze(x, a)", "f32 [1,3]"},
    {"input x f32 [3,4]\nconst a i64 [2] = {0, -1}\ny = Unsqueeze(x, a)", "f32 [1,3,4,1]"},
  };
  EXPECT_SHAPES(rows);
}

static void views_of_other_counts_are_refused(void **state) {
  (void)state;
  static const Row wrong[] = {
    {"input x f32 [2,3]\nconst s i64 [2] = {4, 2}\ny = Reshape(x, s)",
     "Reshape): shapes [2,3] and [4,2] do not have the same number of elements"},
    {"input x f32 [2,3]\nconst s i64 [2] = {-1, -1}\ny = Reshape(x, s)",
     "Reshape): two dimensions of the new shape are -1"},
    {"input x f32 [2,3]\nconst s i64 [2] = {-1, 4}\ny = Reshape(x, s)",
     "Reshape): [2,3] cannot be reshaped: its size does not fit"},
    {"input x f32 [N,3]\nconst s i64 [2] = {1, 3}\ny = Reshape(x, s)",
     "Reshape): shapes [N,3] and [1,3] do not have the same number of elements; with --batch 1 they do"},
    {"input x f32 [2N,3]\nconst s i64 [2] = {6, 3}\ny = Reshape(x, s)",
     "Reshape): shapes [2N,3] and [6,3] do not have the same number of elements; with --batch 3 they do"},
    {"input x f32 [N,3]\nconst s i64 [2] = {-1, 6}\ny = Reshape(x, s)",
     "Reshape): [N,3] cannot be reshaped: its size does not fit; --batch N fixes the batch"},
    {"input x f32 [N,3]\nconst three i64 [2] = {3, 3}\ns = Shape(x)\na = Add(s, three)\ny = Reshape(x, a)",
     "Reshape): the new shape must be known at compile time; --batch N fixes the batch"},
    {"input x f32 [N,3]\ninput s i64 [2]\ny = Reshape(x, s)",
     "Reshape): the new shape must be known at compile time; --batch N fixes the batch"},
    {"input x f32 [2,3]\ninput s i64 [2]\ny = Reshape(x, s)", "Reshape): the new shape must be known at compile time"},
    {"input x f32 [2]\nconst s i64 [2] = {2, 0}\ny = Reshape(x, s)",
     "Reshape): dimension 1 is to be copied from [2]"},
    {"input x f32 [2]\ninput s i64 [1]\ny = Reshape(x, s)",
     "Reshape): the new shape must be known at compile time"},
    {"input x f32 [2,3]\nconst a i64 [1] = {0}\ny = Squeeze(x, a)", "Squeeze): axis 0 of [2,3] is not 1"},
    {"input x f32 [2,3]\nconst a i64 [2] = {0, -4}\ny = Unsqueeze(x, a)",
     "Unsqueeze): axis 0 is named twice"},
  };
  EXPECT_ERRORS(wrong);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(views_keep_the_element_count),
    cmocka_unit_test(views_of_other_counts_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
