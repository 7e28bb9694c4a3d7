/* infer_test.c: shapes, windows and values that inference finds, and the models it refuses. Each row
 * is a graph whose last value is y. */
#include "fixture.h"

#include <stdlib.h>

static Graph *parse(Context *cx, const char *body) {
  return text_parse(cx, NULL, format_text(cx, "%s\noutput y\n", body));
}

static Graph *infer(Context *cx, const char *body) {
  Graph *g = parse(cx, body);
  pass_shape(g);
  return g;
}

typedef struct Row {
  const char *body, *want;
} Row;

/* Type and shape of y. */
static void expect_shape(const Row *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  const Value *y = infer(cx, row->body)->output[0];
  const char *got = format_text(cx, "%s %s", type_name(y->type), shape_text(cx, &y->shape));
  if (strcmp(got, row->want) != 0) fail_msg("%s\nis %s, not %s", row->body, got, row->want);
  context_free(cx);
}

static void expect_error(const Row *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  Graph *g = parse(cx, row->body);
  char *want = format_text(cx, "test: node \"y\" (%s", row->want);
  EXPECT_FAIL(cx, pass_shape(g), want);
  context_free(cx);
}

static void for_each(const Row *row, size_t n, void (*expect)(const Row *)) {
  for (size_t i = 0; i < n; i++) expect(&row[i]);
}

#define EXPECT_SHAPES(rows) for_each(rows, COUNT(rows), expect_shape)
#define EXPECT_ERRORS(rows) for_each(rows, COUNT(rows), expect_error)

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

static void frames_are_stacked(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [6,3,4,5]\ny = Unfold(x) volumes=2 kernel_shape=[3] output_shape=[4]", "f32 [8,9,4,5]"},
  };
  static const Row wrong[] = {
    {"input x f32 [6,3,4,5]\ny = Unfold(x) volumes=4 output_shape=[1]", "Unfold): 6 images are not 4 volumes"},
    {"input x f32 [6,3,4,5]\ny = Unfold(x)", "Unfold): output_shape 0 is out of range"},
  };
  EXPECT_SHAPES(rows);
  EXPECT_ERRORS(wrong);
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

/* With the limit of 1 GiB that tests have. Dimensions beside an empty one are bounded too, as strides are their products. */
static void results_beyond_the_memory_limit_are_refused(void **state) {
  (void)state;
  static const Row wrong[] = {
    {"input x f32 [1,1,4,4]\nconst w f32 [1,1,1,1] = splat 1\ny = Conv(x, w) pads=[2147483647,2147483647,2147483647,2147483647]",
     "Conv): the result [1,1,4294967298,4294967298] alone is larger than the memory limit"},
    {"input x f32 [65536]\ninput z f32 [65536,1]\ny = Add(x, z)",
     "Add): the result [65536,65536] alone is larger than the memory limit"},
    {"input x f32 [N,65536]\ninput z f32 [65536,1,1]\ny = Add(x, z)",
     "Add): the result [65536,N,65536] alone is larger than the memory limit"},
    {"const s i64 [3] = {0, 65536, 65536}\ny = ConstantOfShape(s)",
     "ConstantOfShape): the result [0,65536,65536] alone is larger than the memory limit"},
    {"const s i64 [2] = {9223372036854775807, 9223372036854775807}\ny = ConstantOfShape(s)",
     "ConstantOfShape): the result [9223372036854775807,9223372036854775807] alone is larger than the memory limit"},
  };
  EXPECT_ERRORS(wrong);
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = parse(cx, "input x f32 [4000000000,4000000000]\ny = Relu(x)");
  EXPECT_FAIL(cx, pass_shape(g), "test: value \"x\" [4000000000,4000000000] alone is larger than the memory limit");
  context_free(cx);
}

static void products_broadcast_like_numpy(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input a f32 [N,4]\nconst b f32 [5,4] = splat 1\ny = Gemm(a, b) transB=1", "f32 [N,5]"},
    {"input a f32 [4,3]\nconst b f32 [4,5] = splat 1\nconst c f32 [1,5] = splat 1\n"
     "y = Gemm(a, b, c) transA=1",
     "f32 [3,5]"},
    {"input a f32 [N,3,4]\ninput b f32 [4,5]\ny = MatMul(a, b)", "f32 [N,3,5]"},
    {"input a f32 [4]\ninput b f32 [2,4,5]\ny = MatMul(a, b)", "f32 [2,5]"},
    {"input a i32 [2,1,3,4]\ninput b i32 [6,4,5]\ny = MatMul(a, b)", "i32 [2,6,3,5]"},
    {"input a f32 [4]\ninput b f32 [4]\ny = MatMul(a, b)", "f32 []"},
    {"input a f32 [N,1,4]\ninput b f32 [5,1]\ny = Add(a, b)", "f32 [N,5,4]"},
    {"input a f32 [0,3]\ninput b f32 [1,3]\ny = Mul(a, b)", "f32 [0,3]"},
    {"input a f32 [3,1]\ninput b f32 [4]\ny = Pointwise(a, b) | Add(@1) | Relu", "f32 [3,4]"},
  };
  static const Row wrong[] = {
    {"input a f32 [3,4]\ninput b f32 [5,4]\ny = Gemm(a, b)",
     "Gemm): the product's inner sizes differ: 4 and 5"},
    {"input a f32 [3,4]\ninput b f32 [4,5]\ninput c f32 [2,5]\ny = Gemm(a, b, c)",
     "Gemm): input 2 of shape [2,5] does not broadcast to [3,5]"},
    {"input a f32 [3,4]\ninput b f64 [4,5]\ny = MatMul(a, b)", "MatMul): input 1 is f64, input 0 is f32"},
    {"input a f32 [2,3,4]\ninput b f32 [3,4,5]\ny = MatMul(a, b)",
     "MatMul): batches [2] and [3] do not broadcast"},
    {"input a f32 [N,4]\ninput b f32 [2,4]\ny = Add(a, b)", "Add): shapes [N,4] and [2,4] do not broadcast; --batch N fixes the batch"},
    {"input x f32 [2,3]\ninput s f32 [4,2,3]\ny = PRelu(x, s)",
     "PRelu): input 1 of shape [4,2,3] does not broadcast to [2,3]"},
    {"input a f32 [2]\ninput b f32 [3,2]\nconst w f32 [2,2] = splat 1\nx = MatMul(a, w)\n"
     "y = MatMul(x, w, b) | Add(@2)", "MatMul): input 2 of shape [3,2] does not broadcast to [2]"},
  };
  EXPECT_SHAPES(rows);
  EXPECT_ERRORS(wrong);
}

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

/* The declaration is what import found in the model. */
static void declared_shapes_stand_for_run_time_arguments(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = parse(cx, "input x f32 [2,6]\ninput s i64 [2]\ninput a i64 [1]\ninput p i64 [2]\n"
                       "r = Reshape(x, s)\n"
                       "m = ReduceMean(x, a)\nc = ConstantOfShape(s)\nb, y = Split(x, p) axis=1\noutput b");
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    bool whole = strcmp(v->name, "r") == 0 || strcmp(v->name, "c") == 0;
    if (whole) v->shape = shape_of(2, (int64_t)3, (int64_t)4);
    if (strcmp(v->name, "m") == 0) v->shape = shape_of(2, (int64_t)1, (int64_t)6);
    if (strcmp(v->name, "b") == 0) v->shape = shape_of(2, (int64_t)2, (int64_t)5);
    if (strcmp(v->name, "y") == 0) v->shape = shape_of(2, (int64_t)2, (int64_t)1);
  }
  pass_shape(g);
  verify(g, "shape");
  assert_int_equal(g->node[1]->p.axes, 1);
  assert_non_null(g->node[2]->out[0]->data);
  assert_int_equal(g->node[3]->out[0]->shape.d[1], 5);
  context_free(cx);
}

static void bounds_may_be_known_at_run_time_only(void **state) {
  (void)state;
  Context *cx = context_new();
  Graph *volatile g = NULL;
  if (setjmp(cx->unwind)) fail_msg("%s", cx->error);
  g = parse(cx, "input x f32 [2,6]\ninput s i64 [1]\ninput a i32 [1]\ninput p i64 [4]\n"
                "y = Slice(x, s, s, a)\nz = Pad(x, p)\noutput z");
  g->output[1]->shape = shape_of(2, (int64_t)2, (int64_t)3);
  g->output[0]->shape = shape_of(2, (int64_t)4, (int64_t)5);
  pass_shape(g);
  verify(g, "shape");
  assert_true(has_run_time_bounds(g->node[0]) && has_run_time_bounds(g->node[1]));
  g = parse(cx, "input x f32 [2,6]\ninput p i64 [3]\ny = Pad(x, p)");
  g->output[0]->shape = shape_of(2, (int64_t)4, (int64_t)5);
  EXPECT_FAIL(cx, pass_shape(g), "test: node \"y\" (Pad): input 1 must be a list of 4 integers");
  g = parse(cx, "input x f32 [N,6]\ninput p i64 [4]\ny = Pad(x, p)");
  g->output[0]->shape = shape_of(2, (int64_t)-1, (int64_t)5);
  EXPECT_FAIL(cx, pass_shape(g), "test: node \"y\" (Pad): axis 0 of input 0, [N,6], is the symbolic batch; "
                                 "--batch fixes it");
  context_free(cx);
}

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
  {"input x f32 [2,3]\nconst s f32 [3] = splat 1\ny = BatchNormalization(x, s, s, s, s) training_mode=1",
   "BatchNormalization): is in training mode: export the model for inference, in PyTorch after model.eval()"},
  {"input x f32 [2,3]\nconst s f64 [3] = splat 1\ny = BatchNormalization(x, s, s, s, s)",
   "BatchNormalization): input 1 is f64, input 0 is f32"},
  {"input x f16 [2]\ninput z f32 [2]\ny = Add(x, z)", "Add): input 1 is f32, input 0 is f16"},
  {"input x f32 [2]\nconst k f32 [] = {1}\ny = Clip(x, k) min=0", "Clip): attribute min and input 1 say the same thing"},
};

static void moves_out_of_range_are_refused(void **state) {
  (void)state;
  EXPECT_ERRORS(bad_moves);
}

/* ---- by index, by place ---- */

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
     "Compress): the size of its result depends on data: export the network without its post-processing"},
    {"input x f32 [3]\ny = NonZero(x)",
     "NonZero): the size of its result depends on data: export the network without its post-processing"},
    {"input x f32 [N]\ns = Size(x)\nconst z i64 [] = {0}\nconst o i64 [] = {1}\ny = Range(z, s, o)",
     "Range): its size depends on the symbolic batch; --batch N fixes it"},
    {"const a f32 [] = {1}\nconst z f32 [] = {0}\ny = Range(z, a, z)", "Range): the range has no end"},
    {"input a f32 []\ny = Range(a, a, a)", "Range): the size of the result must be known at compile time"},
    {"input x f32 [2,3]\ninput l i64 [2]\ny = ReverseSequence(x, l)", "ReverseSequence): the lengths are [2], not one for each of [2,3]"},
    {"input x f32 [N,N]\ny = Trilu(x)", "Trilu): axis 0 of input 0, [N,N], is the symbolic batch; --batch fixes it"},
  };
  EXPECT_ERRORS(rows);
}

/* ---- chains of integers ---- */

typedef struct Chain {
  const char *body;
  int n;
  int64_t v[4];
  bool sym[4];
} Chain;

static void expect_chain(const Chain *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  const Value *y = infer(cx, row->body)->output[0];
  if (!y->data != !row->n) fail_msg("%s\n%s", row->body, y->data ? "is known" : "is not known");
  for (int k = 0; k < row->n; k++) {
    if (((const int64_t *)y->data)[k] != row->v[k]) fail_msg("%s\nelement %d", row->body, k);
    if ((y->sym && y->sym[k]) != row->sym[k]) fail_msg("%s\nsymbol of element %d", row->body, k);
  }
  context_free(cx);
}

static void shapes_are_computed_with(void **state) {
  (void)state;
  static const Chain row[] = {
    {"input x f32 [N,3,8,9]\ny = Shape(x)", 4, {1, 3, 8, 9}, {true}},
    {"input x f32 [N,3,8,9]\ny = Shape(x) start=-3 end=3", 2, {3, 8}, {false}},
    {"input x f32 [2N,3]\nconst i i64 [1] = {0}\ns = Shape(x)\na = Gather(s, i)\nconst c i64 [1] = {5}\n"
     "y = Concat(a, c) axis=0", 2, {2, 5}, {true}},
    {"input x f32 [N,3,8]\nconst z i64 [1] = {0}\nconst o i64 [1] = {1}\ns = Shape(x)\na = Slice(s, z, o)\n"
     "b = Cast(a) to=6\nc = Cast(b) to=7\nd = Add(c, c)\ny = Mul(d, s)", 0, {0}, {0}},
    {"input x f32 [6N,3]\nconst two i64 [2] = {2, 1}\ns = Shape(x)\na = Div(s, two)\nb = Add(a, a)\n"
     "y = Sub(b, a)", 2,
     {3, 3}, {true}},
    {"input x f32 [2N,3,5]\na = Size(x)\nconst z i64 [1] = {0}\ny = Unsqueeze(a, z)", 1, {30}, {true}},
    /* any operator, of any type; parts of numbers beside the batch */
    {"input x f32 [N,3]\ns = Shape(x)\nf = Cast(s) to=1\nconst h f32 [2] = {0.5, 1.5}\nc = Concat(f, h) axis=0\n"
     "const i i64 [3] = {3, 0, 2}\nd = Gather(c, i)\nconst k f32 [3] = {2, 2, 2}\ne = Mul(d, k)\ny = Cast(e) to=7", 3,
     {3, 2, 1}, {false, true}},
    {"input x f32 [N,3]\ns = Shape(x)\nt = Cast(s) to=12\nu = Relu(s)\nv = Cast(t) to=7\ny = Add(u, v)", 2, {2, 6}, {true}},
    /* a quotient that differs for a large batch alone */
    {"input x f32 [N,3]\ns = Shape(x)\nconst k i64 [2] = {512, 2}\ny = Div(s, k)", 0, {0}, {0}},
    {"input x f32 [N,3]\ns = Shape(x)\nconst e i64 [2] = {1, 2}\na = Mul(s, e)\ny = Div(s, a)",
     2, {1, 0}, {false}},
    /* in floats, as converters from other frameworks compute; a half of the batch is not whole */
    {"input x f32 [N,6]\ns = Shape(x)\nf = Cast(s) to=1\nconst k f32 [2] = {6, 0.5}\na = Mul(f, k)\nconst h f32 [] = {3}\n"
     "b = Div(a, h)\ny = Cast(b) to=7", 2, {2, 1}, {true, false}},
    {"input x f32 [N,6]\ns = Shape(x)\nf = Cast(s) to=1\nconst k f32 [] = {2}\na = Div(f, k)\nb = Mul(a, k)\ny = Cast(b) to=7",
     0, {0}, {0}},
    {"input x f32 [N,6]\ns = Shape(x)\nf = Cast(s) to=1\nconst k f32 [] = {16777216}\na = Mul(f, k)\ny = Cast(a) to=7", 0, {0}, {0}},
    /* what a large batch divides is 0, a small one's is not */
    {"input x f32 [N,3]\nconst c i64 [2] = {50, 6}\ns = Shape(x)\ny = Div(c, s)", 0, {0}, {0}},
    /* multiples beyond 64 bits */
    {"input x f32 [N,3]\nconst c i64 [1] = {9223372036854775807}\ns = Shape(x) end=1\ny = Concat(s, c) axis=0", 2,
     {1, 9223372036854775807}, {true, false}},
    {"input x f32 [N,3]\nconst c i64 [1] = {9223372036854775807}\ns = Shape(x) end=1\na = Mul(s, c)\ny = Mul(a, a)", 0, {0}, {0}},
    {"input x f32 [N,3]\ns = Shape(x)\nconst e i64 [2] = {2, 2}\na = Div(s, e)\ny = Mul(a, e)", 0, {0}, {0}},
    {"const d i64 [1] = {3}\nconst v i64 [1] = {7}\ny = ConstantOfShape(d) value=&v", 3, {7, 7, 7}, {false}},
  };
  for (size_t i = 0; i < COUNT(row); i++) expect_chain(&row[i]);
}

/* What PyTorch exports for x.view(x.size(0), -1), and for F.pad of a shortcut (option A of the CIFAR
 * networks). */
static void chains_of_exporters_fold(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input x f32 [N,8,4,4]\nconst i i64 [] = {0}\nconst a i64 [1] = {0}\nconst m i64 [1] = {-1}\n"
     "s = Shape(x)\n"
     "g = Gather(s, i) axis=0\nu = Unsqueeze(g, a)\nc = Concat(u, m) axis=0\n"
     "y = Reshape(x, c)", "f32 [N,128]"},
    {"input x f32 [N,8,4,4]\nconst p i64 [6] = {0, 0, 0, 0, 2, 2}\nconst two i64 [1] = {2}\n"
     "const zero i64 [1] = {0}\n"
     "z = ConstantOfShape(two) value=&zero\nc = Concat(p, z) axis=0\nconst r i64 [2] = {-1, 2}\n"
     "q = Reshape(c, r)\n"
     "const s i64 [1] = {-1}\nconst e i64 [1] = {-9223372036854775807}\nf = Slice(q, s, e, zero, s)\n"
     "t = Transpose(f) perm=[1,0]\nl = Reshape(t, s)\nk = Cast(l) to=7\ny = Pad(x, k)", "f32 [N,12,4,4]"},
  };
  EXPECT_SHAPES(rows);
}

static void broadcast_fails_where_sizes_differ(void **state) {
  (void)state;
  Shape a = shape_of(2, (int64_t)-1, (int64_t)3), b = shape_of(1, (int64_t)2), out;
  assert_false(shape_broadcast(&a, &b, &out));
  b = shape_of(3, (int64_t)4, (int64_t)1, (int64_t)1);
  assert_true(shape_broadcast(&a, &b, &out));
  Shape want = shape_of(3, (int64_t)4, (int64_t)-1, (int64_t)3);
  assert_true(shape_equal(&out, &want));
}

/* ---- channels in blocks ---- */

#define IN_BLOCKS(outputs, inputs) "input x f32 [1," inputs ",1,3]\nconst w f32 [" outputs "," inputs ",1,2] = splat 1\n"
#define AMBIGUOUS \
  "): the model does not show whether its channels are in blocks of 8 (AVX2) or 16 (AVX-512): say --nchwc-block=8 or 16, or save it " \
  "with ORT_ENABLE_EXTENDED"

static void expect_block(const char *body, int64_t want) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", body, cx->error);
  assert_int_equal(infer(cx, body)->nchwc_block, want);
  context_free(cx);
}

static void a_model_shows_how_large_its_blocks_are(void **state) {
  (void)state;
  /* 8 outputs, or 24 inputs, are no whole blocks of 16, and whoever has some that are says nothing */
  expect_block(IN_BLOCKS("8", "3") "y = NchwcConv(x, w)", 8);
  expect_block(IN_BLOCKS("16", "24") "y = NchwcConv(x, w)", 8);
  expect_block(IN_BLOCKS("16", "3") "a = NchwcConv(x, w)\nconst v f32 [24,16,1,1] = splat 1\ny = NchwcConv(a, v)", 8);
  /* with blocks of 8, these would be in one, or could not be */
  expect_block(IN_BLOCKS("16", "12") "a = Relu(x)\ny = NchwcConv(a, w)", 16);
  expect_block(IN_BLOCKS("16", "8") "y = NchwcConv(x, w)", 16);
  expect_block(IN_BLOCKS("16", "3") "c = NchwcConv(x, w)\na = NchwcReorderOutput(c) channels=8\n"
               "const v f32 [16,8,1,1] = splat 1\ny = NchwcConv(a, v)", 16);
  expect_block(IN_BLOCKS("16", "8") "r = NchwcReorderInput(x)\ny = NchwcConv(r, w)", 8);
  /* half a block of 16 fills it */
  expect_block(IN_BLOCKS("32", "3") "c = NchwcConv(x, w)\ny = NchwcReorderOutput(c) channels=24", 16);
  expect_block("input x f32 [1,1,1,3]\nconst w f32 [16,1,1,2] = {1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0}\n"
               "y = NchwcConv(x, w)", 16);
}

static void blocks_of_either_size_are_refused(void **state) {
  (void)state;
  static const Row rows[] = {
    {IN_BLOCKS("32", "3") "y = NchwcConv(x, w)", "NchwcConv" AMBIGUOUS},
    {IN_BLOCKS("32", "16") "y = NchwcConv(x, w)", "NchwcConv" AMBIGUOUS},
    {IN_BLOCKS("16", "8") "a = Relu(x)\ny = NchwcConv(a, w)", "NchwcConv" AMBIGUOUS},
    /* a channel of zeros is no filling where a bias is there, nor where all are */
    {"input x f32 [1,1,1,3]\nconst w f32 [16,1,1,2] = {1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0}\n"
     "const b f32 [16] = splat 1\ny = NchwcConv(x, w, b)", "NchwcConv" AMBIGUOUS},
    {"input x f32 [1,1,1,3]\nconst w f32 [16,1,1,2] = splat 0\ny = NchwcConv(x, w)", "NchwcConv" AMBIGUOUS},
    /* of one weight each, the order is the same */
    {"input x f32 [1,1,1,3]\nconst w f32 [16,1,1,1] = {1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0}\ny = NchwcConv(x, w)", "NchwcConv" AMBIGUOUS},
    {"input x f32 [1,24,1,3]\ny = NchwcReorderInput(x)", "NchwcReorderInput" AMBIGUOUS},
  };
  EXPECT_ERRORS(rows);
}

static void the_option_says_how_large_blocks_are(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const Options opt[] = {{.nchwc_block = NCHWC_8}, {.nchwc_block = NCHWC_16}};
  const float want[] = {2, 1}; /* weight 1 of output 0: those of 8 outputs are before it, or of 16 */
  for (int i = 0; i < 2; i++) {
    Graph *g = text_parse(cx, &opt[i], "input x f32 [1,1,1,2]\nconst w f32 [16,1,1,2] = {"
                          "0,0,0,0,0,0,0,0,2,0,0,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}\ny = NchwcConv(x, w)\noutput y\n");
    pass_shape(g);
    assert_float_equal(f32_data(find_value(g, "y.weights"))[1], want[i], 0);
  }
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(windows_give_the_output_size),
    cmocka_unit_test(ceil_mode_does_not_begin_behind_the_input),
    cmocka_unit_test(padding_is_resolved_into_the_attribute),
    cmocka_unit_test(missing_axes_have_a_window_of_one),
    cmocka_unit_test(transposed_windows_have_shapes),
    cmocka_unit_test(a_given_size_becomes_padding),
    cmocka_unit_test(transposed_windows_are_refused),
    cmocka_unit_test(frames_are_stacked),
    cmocka_unit_test(parts_are_interleaved),
    cmocka_unit_test(windows_that_do_not_fit_are_refused),
    cmocka_unit_test(extreme_windows_have_sizes),
    cmocka_unit_test(results_beyond_the_memory_limit_are_refused),
    cmocka_unit_test(products_broadcast_like_numpy),
    cmocka_unit_test(views_keep_the_element_count),
    cmocka_unit_test(views_of_other_counts_are_refused),
    cmocka_unit_test(declared_shapes_stand_for_run_time_arguments),
    cmocka_unit_test(bounds_may_be_known_at_run_time_only),
    cmocka_unit_test(moves_move_dimensions),
    cmocka_unit_test(moves_out_of_range_are_refused),
    cmocka_unit_test(indices_say_where_from),
    cmocka_unit_test(indices_out_of_range_are_refused),
    cmocka_unit_test(shapes_are_computed_with),
    cmocka_unit_test(chains_of_exporters_fold),
    cmocka_unit_test(a_model_shows_how_large_its_blocks_are),
    cmocka_unit_test(blocks_of_either_size_are_refused),
    cmocka_unit_test(the_option_says_how_large_blocks_are),
    cmocka_unit_test(broadcast_fails_where_sizes_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
