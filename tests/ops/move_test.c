/* move_test.c: shapes of what is moved, repeated, resized, reduced or converted, and what is refused of it. */
#include "infer_fixture.h"

static void moves_move_dimensions(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [N,3,4]\ny = Transpose(x) perm=[0,2,1]", "f32 [N,4,3]"},
    {"input x bool [2,3,4]\ny = Transpose(x)", "bool [4,3,2]"},
    {"input a f32 [N,3]\ninput b f32 [N,4]\ny = Concat(a, b, a) axis=-1", "f32 [N,10]"},
    {"input x f32 [N,7]\na, b, y = Split(x) axis=1", "f32 [N,1]"},
    {"input x f32 [7]\nconst s i64 [2] = {7, 0}\na, y = Split(x, s)", "f32 [0]"},
    {"input x f32 [N,8]\nconst s i64 [1] = {-3}\nconst e i64 [1] = {99}\nconst a i64 [1] = {1}\n"
     "y = Slice(x, s, e, a)", "f32 [N,3]"},
    {"input x f32 [8,8]\nconst s i64 [2] = {-1, 1}\nconst e i64 [2] = {-9223372036854775807, 7}\n"
     "const a i64 [2] = {0, 1}\nconst p i64 [2] = {-3, 4}\ny = Slice(x, s, e, a, p)", "f32 [3,2]"},
    {"input x f32 [N,8]\nconst s i64 [1] = {0}\nconst e i64 [1] = {9223372036854775807}\ny = Slice(x, s, e)",
     "f32 [N,8]"},
    {"input x f32 [0,8]\nconst s i64 [1] = {-5}\nconst e i64 [1] = {-9}\nconst a i64 [1] = {0}\n"
     "const p i64 [1] = {-1}\ny = Slice(x, s, e, a, p)", "f32 [0,8]"},
    {"input x f32 [N,3,5]\nconst p i64 [6] = {0,1,-1,0,2,1}\ny = Pad(x, p)", "f32 [N,6,5]"},
    {"input x f32 [N,3,5]\nconst p i64 [2] = {1,2}\nconst a i64 [1] = {-1}\n"
     "y = Pad(x, p, _, a) mode=\"edge\"",
     "f32 [N,3,8]"},
    {"input x f32 [N,3,5]\nconst i i64 [2,2] = {0,-5,4,1}\ny = Gather(x, i) axis=2", "f32 [N,3,2,2]"},
    {"input x f32 [3]\ninput i i32 []\ny = Gather(x, i)", "f32 []"},
    {"input x u8 [N,3,4,6]\ny = SpaceToDepth(x) blocksize=2", "u8 [N,12,2,3]"},
    {"input x u8 [N,12,2,3]\ny = DepthToSpace(x) blocksize=2 mode=\"CRD\"", "u8 [N,3,4,6]"},
    {"input x f32 [N,3,1]\nh = Shape(x) end=1\nconst s i64 [2] = {1, 5}\nt = Concat(h, s) axis=0\ny = Expand(x, t)", "f32 [N,3,5]"},
    {"input x f32 [3,1]\nconst s i64 [3] = {2, 1, 5}\ny = Expand(x, s)", "f32 [2,3,5]"},
    {"input x f32 [N,3]\nconst s i64 [2] = {1, 4}\ny = Tile(x, s)", "f32 [N,12]"},
    {"input x f32 [N,3,5,7]\nconst s f32 [4] = {1, 1, 2, 0.7}\ny = Resize(x, _, s)", "f32 [N,3,10,4]"},
    {"input x f32 [N,3,10]\nconst s f32 [3] = {1, 1, 0.7}\ny = Resize(x, _, s)", "f32 [N,3,7]"},
    {"input x f32 [N,3,5,7]\nconst e f32 [0] = {}\nconst s i64 [2] = {2, 4}\ny = Resize(x, e, e, s) axes=[-1,2]", "f32 [N,3,4,2]"},
    {"input x f32 [N,3,5,7]\nh = Shape(x) end=2\nconst s i64 [2] = {8, 8}\nt = Concat(h, s) axis=0\ny = Resize(x, _, _, t)",
     "f32 [N,3,8,8]"},
    {"input x f32 [2,4]\nconst s i64 [2] = {1, 3}\ny = Resize(x, _, _, s) keep_aspect_ratio_policy=\"not_smaller\"", "f32 [2,3]"},
    {"input x f32 [N,3,5]\nconst a i64 [2] = {1,-1}\ny = ReduceMean(x, a) keepdims=0", "f32 [N]"},
    {"input x f32 [2,3,5]\ny = ReduceMean(x)", "f32 [1,1,1]"},
    {"input x f32 [2,3,5]\ny = ReduceMean(x) noop_with_empty_axes=1", "f32 [2,3,5]"},
    {"input x u8 [N,3]\ny = ArgMax(x) axis=1 keepdims=0", "i64 [N]"},
    {"input x f32 [N,3]\ny = Cast(x) to=10", "f16 [N,3]"},
    {"input x f16 [N,3]\ny = Clip(x) min=0 max=6.0", "f16 [N,3]"},
    {"input x f64 [N,3]\nconst p i64 [4] = {0, 1, 0, 1}\ny = Pad(x, p) value=0.5", "f64 [N,5]"},
    {"input x bf16 [2,3]\nconst s f32 [3] = splat 1\ny = BatchNormalization(x, s, s, s, s)", "bf16 [2,3]"},
  };
  EXPECT_SHAPES(rows);
}

static const Row bad_moves[] = {
  {"input x f32 [2,3]\ny = Transpose(x) perm=[0,0]", "Transpose): attribute perm is not a permutation"},
  {"input a f32 [2,3]\ninput b f32 [2,4]\ny = Concat(a, b) axis=0",
   "Concat): input 1 of shape [2,4] does not join [2,3] along axis 0"},
  {"input a f32 [N,3]\ninput b f32 [1,3]\ny = Concat(a, b) axis=0",
   "Concat): the symbolic batch is joined with a number; --batch N fixes the batch"},
  {"input a f32 [2]\ny = Concat(a) axis=1", "Concat): axis 1 is not one of a tensor of rank 1"},
  {"input x f32 [7]\nconst s i64 [2] = {3, 3}\ny, a = Split(x, s)",
   "Split): the sizes sum to 6, the axis has 7"},
  {"input x f32 [N,8]\nconst s i64 [1] = {1}\nconst e i64 [1] = {2}\ny = Slice(x, s, e)",
   "Slice): the symbolic batch is sliced; --batch fixes it"},
  {"input x f32 [8]\nconst s i64 [1] = {1}\ninput e i64 [1]\ny = Slice(x, s, e)",
   "Slice): the bounds must be known at compile time"},
  {"input x f32 [8]\nconst s i64 [1] = {1}\nconst z i64 [1] = {0}\ny = Slice(x, s, s, z, z)",
   "Slice): a step is 0"},
  {"input x f32 [3]\nconst p i64 [2] = {-2,-2}\ny = Pad(x, p)",
   "Pad): padding 3 by -2 and -2 is out of range"},
  {"input x f32 [3]\nconst p i64 [2] = {3,0}\ny = Pad(x, p) mode=\"reflect\"",
   "Pad): an axis of 3 elements cannot be reflected that far"},
  {"input x f32 [3]\nconst p i64 [1] = {3}\ny = Pad(x, p)", "Pad): pads must be 2 integers"},
  {"input x f32 [1,6,4,4]\ny = DepthToSpace(x) blocksize=2",
   "DepthToSpace): [1,6,4,4] has no whole number of channels for each place of a block"},
  {"input x f32 [2,3]\nconst s i64 [1] = {4}\ny = Expand(x, s)", "Expand): shapes [4] and [2,3] do not broadcast"},
  {"input x f32 [N,3]\nconst s i64 [2] = {2, 1}\ny = Tile(x, s)", "Tile): axis 0 is repeated with the symbolic batch; --batch N fixes it"},
  {"input x f32 [2,3]\nconst s i64 [1] = {2}\ny = Tile(x, s)", "Tile): 1 repeats for 2 axes"},
  {"input x f32 [N,3]\nconst s f32 [2] = {2, 1}\ny = Resize(x, _, s)", "Resize): axis 0 is resized with the symbolic batch; --batch N fixes it"},
  {"input x f32 [2,3]\nconst s f32 [2] = {0, 1}\ny = Resize(x, _, s)", "Resize): axis 0 has no size in the result: a scale or size is not positive"},
  {"input x f32 [0,3]\nconst s i64 [2] = {2, 3}\ny = Resize(x, _, _, s)", "Resize): elements are taken from axis 0, which has none"},
  {"input x f32 [2]\nconst s i64 [1] = {9223372036854775807}\ny = Resize(x, _, _, s)",
   "Resize): the result [4611686018427387904] alone is larger than the memory limit"},
  {"input x f32 [2]\nconst s i64 [1] = {-1}\ny = Resize(x, _, _, s)", "Resize): axis 0 has no size in the result: a scale or size is not positive"},
  {"input x f32 [2,3]\ny = Resize(x)", "Resize): needs scales or sizes, and not both"},
  {"input x f32 [2,3]\ninput s f32 [2]\ny = Resize(x, _, s)", "Resize): the scales must be known at compile time"},
  {"input x f32 [2,3]\nconst s f32 [2] = {2, 1}\ny = Resize(x, _, s) mode=\"area\"", "Resize): mode \"area\" is not known"},
  {"input x f32 [2,3]\nconst s f32 [2] = {2, 1}\ny = Resize(x, _, s) coordinate_transformation_mode=\"tf_crop_and_resize\"",
   "Resize): tf_crop_and_resize needs a roi"},
  {"input x f32 [1,3,4,5]\ny = SpaceToDepth(x) blocksize=2", "SpaceToDepth): [1,3,4,5] is no whole number of blocks"},
  {"input x f32 [1,3,4,4]\ny = SpaceToDepth(x)", "SpaceToDepth): attribute blocksize is not a positive number"},
  {"input x f32 [3,4,4]\ny = SpaceToDepth(x) blocksize=2", "SpaceToDepth): the input has 3 dimensions, not 4"},
  {"input x f32 [3]\nconst i i64 [1] = {3}\ny = Gather(x, i)",
   "Gather): index 3 is outside an axis of 3 elements"},
  {"input x f32 [N]\nconst i i64 [1] = {0}\ny = Gather(x, i)",
   "Gather): axis 0 of input 0, [N], is the symbolic batch; --batch fixes it"},
  {"input x f32 [2,0]\ny = ArgMax(x) axis=1", "ArgMax): axis 1 has no elements"},
  {"input x f32 [2]\ny = Cast(x) to=8", "Cast): element type 8 is not supported"},
  {"input x i32 [2]\ny = Tanh(x)", "Tanh): element type i32 is not supported here"},
  {"input x f32 [2,3]\nconst s f32 [2] = splat 1\ny = BatchNormalization(x, s, s, s, s)",
   "BatchNormalization): input 1 must have shape [3], not [2]"},
  {"input x f32 [N,3]\nconst s f32 [3] = splat 1\ny, m, v = BatchNormalizationInTraining(x, s, s, s, s)\noutput m",
   "BatchNormalizationInTraining): takes statistics of the whole batch, which is symbolic; --batch N fixes it"},
  {"input x f32 [2,3]\nconst s f32 [3] = splat 1\ny, m, v = BatchNormalizationInTraining(x, s, s, s, s)",
   "BatchNormalizationInTraining): is in training mode; export the model for inference, in PyTorch after model.eval()"},
  {"input x f32 [2,3]\nconst s f64 [3] = splat 1\ny = BatchNormalization(x, s, s, s, s)",
   "BatchNormalization): input 1 is f64, input 0 is f32"},
  {"input x f16 [2]\ninput z f32 [2]\ny = Add(x, z)", "Add): input 1 is f32, input 0 is f16"},
  {"input x f32 [2]\nconst k f32 [] = {1}\ny = Clip(x, k) min=0", "Clip): attribute min and input 1 say the same thing"},
};

static void moves_out_of_range_are_refused(void **state) {
  (void)state;
  EXPECT_ERRORS(bad_moves);
}

#define PARTS "input a f32 [N,3,4,2]\ninput b f32 [N,3,4,1]\ninput c f32 [N,3,3,2]\ninput d f32 [N,3,3,1]\n"

static void parts_are_interleaved(void **state) {
  (void)state;
  static const Row rows[] = {
    {PARTS "y = Interleave(a, b, c, d) strides=[2,2]", "f32 [N,3,7,3]"},
    {PARTS "y = Interleave(a, b) strides=[1,2]", "f32 [N,3,4,3]"},
  };
  static const Row wrong[] = {
    {PARTS "y = Interleave(b, a) strides=[1,2]", "Interleave): input 0 must have shape [N,3,4,2], not [N,3,4,1]"},
    {PARTS "y = Interleave(a, b, c) strides=[2,2]", "Interleave): 3 inputs, but 4 places"},
    {PARTS "y = Interleave(a, b) strides=[0,2]", "Interleave): stride 0 is out of range"},
  };
  EXPECT_SHAPES(rows);
  EXPECT_ERRORS(wrong);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(moves_move_dimensions),
    cmocka_unit_test(moves_out_of_range_are_refused),
    cmocka_unit_test(parts_are_interleaved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
