/* index_test.c: shapes of what is moved by index, and indices that are refused. */
#include "infer_fixture.h"

static void indices_say_where_from(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [N,3,5]\ninput i i64 [N,3,2]\ny = GatherElements(x, i) axis=-1", "f32 [N,3,2]"},
    {"input x f32 [4,5]\ninput i i64 [N,1]\ny = GatherND(x, i)", "f32 [N,5]"},
    {"input x f32 [N,4,5]\ninput i i64 [N,7,1]\ny = GatherND(x, i) batch_dims=1", "f32 [N,7,5]"},
    {"input x u8 [N,4]\ninput i i32 [N,2]\ninput u u8 [N,2]\ny = ScatterElements(x, i, u) axis=1", "u8 [N,4]"},
    {"input x f32 [4,5]\ninput i i64 [3,1]\ninput u f32 [3,5]\ny = ScatterND(x, i, u)", "f32 [4,5]"},
    {"input x f32 [N,6,2]\ninput l i64 [N]\ny = ReverseSequence(x, l) time_axis=1 batch_axis=0", "f32 [N,6,2]"},
    {"input x f32 [N,3]\nconst c bool [3] = {1, 0, 1}\ny = Compress(x, c) axis=1", "f32 [N,2]"},
    {"input i i64 [N]\nconst d i64 [] = {10}\nconst v f32 [2] = {0, 1}\ny = OneHot(i, d, v)", "f32 [N,10]"},
    {"const x f32 [2,2] = {1, 0, 0, 1}\ny = NonZero(x)", "i64 [2,2]"},
    {"input x f32 [N,3,5]\ny = Trilu(x)", "f32 [N,3,5]"},
    {"input x f32 [3,5]\ny = EyeLike(x) dtype=7", "i64 [3,5]"},
    {"const a i64 [] = {-9223372036854775807}\nconst b i64 [] = {9223372036854775807}\nconst d i64 [] = {4611686018427387904}\n"
     "y = Range(a, b, d)", "i64 [4]"},
    {"input x f32 [N,7]\ns = Shape(x) start=1\nconst z i64 [] = {0}\nconst o i64 [] = {1}\ng = Gather(s, z)\ny = Range(z, g, o)",
     "i64 [7]"},
  };
  EXPECT_SHAPES(rows);
}

static void indices_out_of_range_are_refused(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [N,3]\nconst i i64 [1,1] = {0}\ny = GatherElements(x, i) axis=1",
     "GatherElements): indices of shape [1,1] do not fit beside [N,3]; --batch N fixes the batch"},
    {"input x f32 [2,3]\nconst i i64 [2,1] = {0, 3}\ny = GatherElements(x, i) axis=1",
     "GatherElements): index 3 is outside an axis of 3 elements"},
    {"input x f32 [N,3]\ninput i i64 [2,1]\ny = GatherND(x, i)",
     "GatherND): axis 0 of input 0, [N,3], is the symbolic batch; --batch fixes it"},
    {"input x f32 [2,3]\nconst i i64 [1,2] = {1, 3}\ny = GatherND(x, i)", "GatherND): index 3 is outside an axis of 3 elements"},
    {"input x f32 [2,3]\ninput i i64 [1,3]\ny = GatherND(x, i)", "GatherND): rows of 3 indices do not fit [2,3]"},
    {"input x f32 [2,3]\ninput i i64 [4,1]\ninput u f32 [4,2]\ny = ScatterND(x, i, u)",
     "ScatterND): the updates are [4,2], not [4,3]"},
    {"input x f32 [2,3]\ninput i i64 [4,1]\ninput u f32 [4,3]\ny = ScatterND(x, i, u) reduction=\"mean\"",
     "ScatterND): reduction \"mean\" is not known"},
    {"input x f32 [0,3]\ninput i i64 [2]\ny = Gather(x, i)", "Gather): elements are taken from an axis that has none"},
    {"input x f32 [3]\ninput i f32 [2]\ny = Gather(x, i)", "Gather): indices must be i32 or i64, not f32"},
    {"input x f32 [3]\ninput c bool [3]\ny = Compress(x, c)",
     "Compress): the size of its result depends on data; export the network without its post-processing"},
    {"input x f32 [3]\ny = NonZero(x)",
     "NonZero): the size of its result depends on data; export the network without its post-processing"},
    {"input x f32 [N]\ns = Size(x)\nconst z i64 [] = {0}\nconst o i64 [] = {1}\ny = Range(z, s, o)",
     "Range): its size depends on the symbolic batch; --batch N fixes it"},
    {"const a f32 [] = {1}\nconst z f32 [] = {0}\ny = Range(z, a, z)", "Range): the range has no end"},
    {"input a f32 []\ny = Range(a, a, a)", "Range): the size of the result must be known at compile time"},
    {"input x f32 [2,3]\ninput l i64 [2]\ny = ReverseSequence(x, l)", "ReverseSequence): the lengths are [2], not one for each of [2,3]"},
    {"input x f32 [N,N]\ny = Trilu(x)", "Trilu): axis 0 of input 0, [N,N], is the symbolic batch; --batch fixes it"},
  };
  EXPECT_ERRORS(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(indices_say_where_from),
    cmocka_unit_test(indices_out_of_range_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
