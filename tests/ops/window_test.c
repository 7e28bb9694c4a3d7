/* window_test.c: windows that slide over a map: sizes, padding, and what does not fit. */
#include "infer_fixture.h"

#define IMAGE "input x f32 [N,3,8,9]\n"
#define WEIGHTS "const w f32 [16,3,3,3] = splat 1\n"

static void windows_give_the_output_size(void **state) {
  (void)state;
  static const Row rows[] = {
    {IMAGE WEIGHTS "y = Conv(x, w)", "f32 [N,16,6,7]"},
    {IMAGE WEIGHTS "y = Conv(x, w) pads=[1,1,1,1] strides=[2,2]", "f32 [N,16,4,5]"},
    {IMAGE WEIGHTS "y = Conv(x, w) pads=[0,1,2,3] dilations=[2,1]", "f32 [N,16,6,11]"},
    {IMAGE WEIGHTS "y = Conv(x, w) auto_pad=\"SAME_UPPER\" strides=[2,2]", "f32 [N,16,4,5]"},
    {IMAGE WEIGHTS "y = Conv(x, w) auto_pad=\"VALID\" pads=[1,1,1,1]", "f32 [N,16,6,7]"},
    {"input x f32 [N,4,10]\nconst w f32 [6,2,3] = splat 1\ny = Conv(x, w) group=2", "f32 [N,6,8]"},
    {IMAGE "y = MaxPool(x) kernel_shape=[3,3] strides=[2,2]", "f32 [N,3,3,4]"},
    {IMAGE "y = MaxPool(x) kernel_shape=[3,3] strides=[2,2] ceil_mode=1", "f32 [N,3,4,4]"},
    {IMAGE "y = AveragePool(x) kernel_shape=[2,2] strides=[3,3] pads=[1,1,1,1] ceil_mode=1", "f32 [N,3,3,4]"},
    {"input x i8 [2,3,5]\ny = MaxPool(x) kernel_shape=[2] dilations=[3]", "i8 [2,3,2]"},
    {"input x f32 [1,2,4,5,6]\ny = AveragePool(x) kernel_shape=[2,2,2]", "f32 [1,2,3,4,5]"},
    {IMAGE "a, y = MaxPool(x) kernel_shape=[2,2]", "i64 [N,3,7,8]"},
    {IMAGE "y = GlobalMaxPool(x)", "f32 [N,3,1,1]"},
  };
  EXPECT_SHAPES(rows);
}

/* The window that would begin in the padding behind the input is left out (MaxPool, operator set 19 and
 * later). */
static void ceil_mode_does_not_begin_behind_the_input(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [1,1,2,2]\ny = MaxPool(x) kernel_shape=[1,1] strides=[2,2] ceil_mode=1", "f32 [1,1,1,1]"},
    {"input x f32 [1,1,4,4]\ny = MaxPool(x) kernel_shape=[3,3] strides=[3,3] pads=[0,0,2,2] ceil_mode=1",
     "f32 [1,1,2,2]"},
    {"input x f32 [1,1,3,3]\ny = MaxPool(x) kernel_shape=[2,2] strides=[3,3] pads=[0,0,1,1] ceil_mode=1",
     "f32 [1,1,1,1]"},
  };
  EXPECT_SHAPES(rows);
}

static void check_padding(const char *mode, const int64_t *want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *conv = "y = Conv(x, w) strides=[2,2]";
  Graph *g = infer(cx, format_text(cx, IMAGE WEIGHTS "%s auto_pad=\"%s\"", conv, mode));
  const Node *n = g->node[0];
  const Attr *pads = attr_find(n, "pads");
  assert_null(attr_find(n, "auto_pad"));
  assert_memory_equal(pads->ints, want, 4 * sizeof *want);
  assert_int_equal(n->win.top, want[0]);
  assert_int_equal(n->win.left, want[1]);
  assert_int_equal(n->win.bottom, want[2]);
  assert_int_equal(n->win.right, want[3]);
  context_free(cx);
}

static void padding_is_resolved_into_the_attribute(void **state) {
  (void)state;
  check_padding("SAME_UPPER", (const int64_t[]){0, 1, 1, 1});
  check_padding("SAME_LOWER", (const int64_t[]){1, 1, 0, 1});
}

static void missing_axes_have_a_window_of_one(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = infer(cx, "input x f32 [1,4,10]\nconst w f32 [6,2,3] = splat 1\n"
                       "y = Conv(x, w) group=2 pads=[1,0] strides=[2] dilations=[3]");
  const Node *n = g->node[0];
  const Window want = {.kh = 1, .kw = 3, .sh = 1, .sw = 2, .dh = 1, .dw = 3, .left = 1,
                       .kd = 1, .sd = 1, .dd = 1};
  assert_memory_equal(&n->win, &want, sizeof want);
  assert_int_equal(n->group, 2);
  context_free(cx);
}

static void windows_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const Row rows[] = {
    {IMAGE "const w f32 [16,2,3,3] = splat 1\ny = Conv(x, w)",
     "Conv): 3 input channels, but weights for 1 groups of 2"},
    {IMAGE "const w f32 [4,1,3,3] = splat 1\ny = Conv(x, w) group=3",
     "Conv): 4 output channels do not divide into 3 groups"},
    {IMAGE WEIGHTS "y = Conv(x, w) group=0", "Conv): group 0 is out of range"},
    {IMAGE WEIGHTS "const b f32 [15] = splat 1\ny = Conv(x, w, b)",
     "Conv): input 2 must have shape [16], not [15]"},
    {IMAGE WEIGHTS "y = Conv(x, w) strides=[0,1]", "Conv): stride 0 is out of range"},
    {IMAGE WEIGHTS "y = Conv(x, w) strides=[1]", "Conv): attribute strides must be 2 integers"},
    {IMAGE WEIGHTS "y = Conv(x, w) pads=[-1,0,0,0]", "Conv): padding -1 is out of range"},
    {IMAGE WEIGHTS "y = Conv(x, w) dilations=[4,1]",
     "Conv): a window of 9 elements does not fit into 8 padded ones"},
    {IMAGE WEIGHTS "y = Conv(x, w) kernel_shape=[3,5]", "Conv): kernel_shape contradicts the weights' shape"},
    {IMAGE WEIGHTS "y = Conv(x, w) auto_pad=\"SAME\"", "Conv): auto_pad \"SAME\" is not known"},
    {"input x i32 [1,3,8,8]\ninput w i32 [1,3,1,1]\ny = Conv(x, w)",
     "Conv): element type i32 is not supported here"},
    {"input x f32 [1,3,N,8]\n" WEIGHTS "y = Conv(x, w)",
     "Conv): axis 2 of input 0, [1,3,N,8], is the symbolic batch; --batch fixes it"},
    {IMAGE "y = MaxPool(x)", "MaxPool): attribute kernel_shape is missing"},
    {IMAGE "y = MaxPool(x) kernel_shape=[2,2] pads=[2,0,0,0]",
     "MaxPool): padding must be smaller than the window of 2 elements"},
    {IMAGE "y = MaxPool(x) kernel_shape=[99999999999,2]",
     "MaxPool): kernel size 99999999999 is out of range"},
    {"input x f32 [1,1,1,1]\ny = AveragePool(x) kernel_shape=[2,2] dilations=[2,2] pads=[1,1,1,1]",
     "AveragePool): a window with dilation 2 may miss an axis of 1 elements"},
  };
  EXPECT_ERRORS(rows);
}

/* 2147483647 is the largest stride, kernel and dilation. */
static void extreme_windows_have_sizes(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [1,1,4]\nconst w f32 [1,1,1] = splat 1\ny = Conv(x, w) pads=[2147483647,2147483647] strides=[2147483647]",
     "f32 [1,1,3]"},
    {"input x f32 [1,1,4]\nconst w f32 [1,1,3] = splat 1\ny = Conv(x, w) pads=[2147483647,2147483647] dilations=[2147483647]",
     "f32 [1,1,4]"},
    {"input x f32 [1,1,4]\nconst w f32 [1,1,5] = splat 1\ny = Conv(x, w) auto_pad=\"SAME_UPPER\" dilations=[2147483647]",
     "f32 [1,1,4]"},
    {"input x f32 [1,1,4]\ny = MaxPool(x) kernel_shape=[2147483647] auto_pad=\"SAME_LOWER\" strides=[2147483647]",
     "f32 [1,1,1]"},
    {"input x f32 [1,1,4]\ny = MaxPool(x) kernel_shape=[2147483647] pads=[2147483646,2147483646] strides=[2147483646]"
     " ceil_mode=1", "f32 [1,1,2]"},
  };
  EXPECT_SHAPES(rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows_give_the_output_size),
    cmocka_unit_test(ceil_mode_does_not_begin_behind_the_input),
    cmocka_unit_test(padding_is_resolved_into_the_attribute),
    cmocka_unit_test(missing_axes_have_a_window_of_one),
    cmocka_unit_test(windows_that_do_not_fit_are_refused),
    cmocka_unit_test(extreme_windows_have_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
