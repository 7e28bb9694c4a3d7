/* eval_test.c: the evaluator against values worked out by hand, against the definition of a
 * convolution, and where two operators must agree. */
#include "ops.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>

/* The value y of a graph without inputs. */
static const Value *evaluate(Context *cx, const char *body, const void **data) {
  Graph *g = text_parse(cx, NULL, format_text(cx, "%s\noutput y\n", body));
  void *out[1];
  pass_shape(g);
  eval_graph(g, NULL, out);
  *data = out[0];
  return g->output[0];
}

enum { MAX_VALUES = 16 };
typedef struct Row {
  const char *body;
  int n;
  double want[MAX_VALUES];
} Row;

static double number_at(const Value *v, const void *data, int64_t i) {
  Number n = get_number(v->type, data, i);
  return type_is_float(v->type) ? n.f : (double)n.i;
}

static void expect_values(const Row *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  const void *data;
  const Value *y = evaluate(cx, row->body, &data);
  if (shape_count(&y->shape) != row->n) fail_msg("%s\nhas shape %s", row->body, shape_text(cx, &y->shape));
  for (int i = 0; i < row->n; i++) {
    double got = number_at(y, data, i), want = row->want[i];
    bool same = isnan(want) ? isnan(got) : got == want || fabs(got - want) <= 1e-6 * fabs(want);
    if (!same) fail_msg("%s\nelement %d is %.9g, not %.9g", row->body, i, got, want);
  }
  context_free(cx);
}

static void expect_all(const Row *row, size_t n) {
  for (size_t i = 0; i < n; i++) expect_values(&row[i]);
}
#define EXPECT_VALUES(rows) expect_all(rows, COUNT(rows))

#define X4 "const x f32 [4] = {-2, -0.5, 0, 3}\n"
#define M22 "const m f32 [2,2] = {1, 2, 3, 4}\n"

static void elementwise(void **state) {
  (void)state;
  static const Row rows[] = {
    {X4 "y = Relu(x)", 4, {0, 0, 0, 3}},
    {X4 "y = LeakyRelu(x) alpha=0.5", 4, {-1, -0.25, 0, 3}},
    {X4 "y = LeakyRelu(x)", 4, {-0.02, -0.005, 0, 3}},
    {X4 "y = Sigmoid(x)", 4, {0.119202922, 0.377540669, 0.5, 0.952574127}},
    {X4 "y = Tanh(x)", 4, {-0.96402758, -0.462117157, 0, 0.995054754}},
    {X4 "y = HardSigmoid(x)", 4, {0.1, 0.4, 0.5, 1}},
    {X4 "y = HardSigmoid(x) alpha=1.0 beta=0.0", 4, {0, 0, 0, 1}},
    {X4 "y = HardSwish(x)", 4, {-1.0 / 3, -0.5 * 2.5 / 6, 0, 3}},
    {X4 "const s f32 [] = {10}\ny = PRelu(x, s)", 4, {-20, -5, 0, 3}},
    {X4 "const lo f32 [] = {-1}\ny = Clip(x, lo)", 4, {-1, -0.5, 0, 3}},
    {X4 "const hi f32 [] = {-1}\ny = Clip(x, _, hi)", 4, {-2, -1, -1, -1}},
    {"const x u8 [2] = {3, 200}\nconst lo u8 [] = {130}\ny = Clip(x, lo)", 2, {130, 200}},
    {"const x f32 [3] = {nan, -0, inf}\ny = Relu(x)", 3, {NAN, -0.0, INFINITY}},
    {"const x i32 [2] = {-4, 4}\ny = Relu(x)", 2, {0, 4}},
    {M22 "const b f32 [2,1] = {10, 20}\ny = Sub(m, b)", 4, {-9, -8, -17, -16}},
    {M22 "const b f32 [3,1,1] = {1, 2, 4}\ny = Div(m, b)", 12,
     {1, 2, 3, 4, 0.5, 1, 1.5, 2, 0.25, 0.5, 0.75, 1}},
    {"const a i8 [2] = {100, -128}\nconst b i8 [2] = {100, -1}\ny = Add(a, b)", 2, {-56, 127}},
    {"const a i32 [4] = {7, -7, 7, -2147483648}\nconst b i32 [4] = {2, 2, -2, -1}\ny = Div(a, b)", 4,
     {3, -3, -3, -2147483648.0}},
    {"const a u8 [2] = {3, 250}\nconst b u8 [2] = {5, 10}\ny = Sub(a, b)", 2, {254, 240}},
    {"const a f64 [1] = {0.1}\ny = Mul(a, a)", 1, {0.01}},
    {M22 "y = Dropout(m)", 4, {1, 2, 3, 4}},
    {M22 "a, y = Dropout(m)", 4, {1, 1, 1, 1}},
  };
  EXPECT_VALUES(rows);
}

/* NaN is the largest number, and the first of equals is taken. */
static void maxima_of_nan(void **state) {
  (void)state;
#define NANS "const x f32 [1,1,5] = {1, inf, nan, 2, nan}\n"
  static const Row rows[] = {
    {NANS "y = MaxPool(x) kernel_shape=[2]", 4, {INFINITY, NAN, NAN, NAN}},
    {NANS "_, y = MaxPool(x) kernel_shape=[3]", 3, {2, 2, 2}},
    {NANS "y = GlobalMaxPool(x)", 1, {NAN}},
    {NANS "y = ArgMax(x) axis=2", 1, {2}},
    {NANS "y = ArgMax(x) axis=2 select_last_index=1", 1, {4}},
    {"const x i32 [3] = {1, 3, 3}\ny = ArgMax(x) axis=0 select_last_index=1", 1, {2}},
  };
  EXPECT_VALUES(rows);
}

static void casts(void **state) {
  (void)state;
  static const Row rows[] = {
    {"const x f32 [4] = {-1.9, 1.9, 300, nan}\ny = Cast(x) to=2", 4, {0, 1, 255, 0}},
    {"const x f32 [4] = {-1.9, 1.9, 300, -300}\ny = Cast(x) to=3", 4, {-1, 1, 127, -128}},
    {"const x f32 [3] = {1e30, -1e30, inf}\ny = Cast(x) to=7",
     3, {9223372036854775807.0, -9223372036854775807.0,
                                                                  9223372036854775807.0}},
    {"const x f32 [3] = {0, 0.1, nan}\ny = Cast(x) to=9", 3, {0, 1, 1}},
    {"const x i64 [3] = {256, -1, 127}\ny = Cast(x) to=3", 3, {0, -1, 127}},
    {"const x i64 [3] = {256, -1, 65537}\ny = Cast(x) to=4", 3, {256, 65535, 1}},
    {"const x i64 [2] = {256, 0}\ny = Cast(x) to=9", 2, {1, 0}},
    {"const x i64 [1] = {9007199791611905}\ny = Cast(x) to=1", 1, {9007200328482816.0}},
    {"const x bool [2] = {1, 0}\ny = Cast(x) to=1", 2, {1, 0}},
  };
  EXPECT_VALUES(rows);
}

static void convolutions_and_pools(void **state) {
  (void)state;
#define ROW5 "const x f32 [1,1,5] = {1, 2, 3, 4, 5}\n"
#define MAP33 "const x f32 [1,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9}\n"
  static const Row rows[] = {
    {ROW5 "const w f32 [1,1,2] = {1, 10}\ny = Conv(x, w)", 4, {21, 32, 43, 54}},
    {ROW5 "const w f32 [1,1,2] = {1, 10}\ny = Conv(x, w) pads=[1,0] strides=[2]", 3, {10, 32, 54}},
    {ROW5 "const w f32 [1,1,2] = {1, 10}\nconst b f32 [1] = {100}\ny = Conv(x, w, b) dilations=[3]",
     2, {141, 152}},
    {ROW5 "const w f32 [1,1,2] = {1, 10}\nconst a f32 [1] = {-30}\ny = Conv(x, w, _, a) | Add(@3) | Relu", 4,
     {0, 2, 13, 24}},
    {"const x f32 [1,2,2] = {1, 2, 3, 4}\nconst w f32 [4,1,1] = {1, 2, 3, 4}\ny = Conv(x, w) group=2", 8,
     {1, 2, 2, 4, 9, 12, 12, 16}},
    {MAP33 "y = MaxPool(x) kernel_shape=[2,2]", 4, {5, 6, 8, 9}},
    {MAP33 "y = MaxPool(x) kernel_shape=[2,2] strides=[2,2] ceil_mode=1", 4, {5, 6, 8, 9}},
    {MAP33 "a, y = MaxPool(x) kernel_shape=[2,2] strides=[2,2] pads=[1,1,0,0]", 4, {0, 2, 6, 8}},
    {MAP33 "a, y = MaxPool(x) kernel_shape=[2,2] strides=[2,2] pads=[1,1,0,0] storage_order=1",
     4, {0, 6, 2, 8}},
    {"const x i8 [1,1,3] = {-5, -3, -4}\ny = MaxPool(x) kernel_shape=[2] pads=[1,1]", 4, {-5, -3, -3, -4}},
    {MAP33 "y = AveragePool(x) kernel_shape=[2,2] strides=[2,2] pads=[1,1,0,0]", 4, {1, 2.5, 5.5, 7}},
    {MAP33 "y = AveragePool(x) kernel_shape=[2,2] strides=[2,2] pads=[1,1,0,0] count_include_pad=1", 4,
     {0.25, 1.25, 2.75, 7}},
    {MAP33 "y = AveragePool(x) kernel_shape=[2,2] strides=[2,2] ceil_mode=1 count_include_pad=1", 4,
     {3, 4.5, 7.5, 9}},
    {"const x f32 [1,1,2,1,2] = {1, 2, 3, 4}\ny = AveragePool(x) kernel_shape=[2,1,1]", 2, {2, 3}},
    {"const x f32 [1,2,2] = {1, 2, 3, 5}\ny = GlobalAveragePool(x)", 2, {1.5, 4}},
    {"const x f32 [1,2,2] = {-1, -2, 3, 5}\ny = GlobalMaxPool(x)", 2, {-1, 5}},
    {"const x f32 [1,2,2] = {1, 2, 3, 4}\nconst s f32 [2] = {2, 3}\nconst b f32 [2] = {10, 20}\n"
     "const m f32 [2] = {1, 2}\nconst v f32 [2] = {4, 0.25}\n"
     "y = BatchNormalization(x, s, b, m, v) epsilon=0.0", 4,
     {10, 11, 26, 32}},
  };
  EXPECT_VALUES(rows);
}

static void products_and_reductions(void **state) {
  (void)state;
  static const Row rows[] = {
    {M22 "const b f32 [2] = {1, -1}\ny = Gemm(m, m, b) transA=1 alpha=2.0 beta=10.0", 4, {30, 18, 38, 30}},
    {M22 "y = Gemm(m, m) transB=1", 4, {5, 11, 11, 25}},
    {M22 "const v f32 [2] = {1, 10}\ny = MatMul(m, v)", 2, {21, 43}},
    {M22 "const v f32 [2] = {1, 10}\ny = MatMul(v, m)", 2, {31, 42}},
    {M22 "const b f32 [2,2,1] = {1, 0, 0, 1}\ny = MatMul(m, b)", 4, {1, 3, 2, 4}},
    {"const a i32 [1,2] = {65536, 1}\nconst b i32 [2,1] = {65536, 7}\ny = MatMul(a, b)", 1, {7}},
    {"const x f32 [1,3] = {0, 0, 0.693147182}\ny = Softmax(x)", 3, {0.25, 0.25, 0.5}},
    {"const x f32 [2] = {1000, 1000}\ny = Softmax(x)", 2, {0.5, 0.5}},
    {"const x f32 [2,2] = {0, 1, 0, 1}\ny = Softmax(x) axis=0", 4, {0.5, 0.5, 0.5, 0.5}},
    {"const x f32 [2] = {0, 0}\ny = LogSoftmax(x)", 2, {-0.693147181, -0.693147181}},
    {M22 "const a i64 [1] = {0}\ny = ReduceMean(m, a)", 2, {2, 3}},
    {M22 "const a i64 [1] = {-1}\ny = ReduceMean(m, a) keepdims=0", 2, {1.5, 3.5}},
    {M22 "y = ReduceMean(m)", 1, {2.5}},
    {"const x f32 [2,3] = {1, 3, 3, 2, 0, 2}\ny = ArgMax(x) axis=1", 2, {1, 0}},
    {"const x f32 [2,3] = {1, 3, 3, 2, 0, 2}\ny = ArgMax(x) axis=1 select_last_index=1", 2, {2, 2}},
    {"const x u8 [2,2] = {200, 1, 3, 2}\ny = ArgMax(x)", 2, {0, 1}},
  };
  EXPECT_VALUES(rows);
}

static void moves(void **state) {
  (void)state;
#define X23 "const x f32 [2,3] = {1, 2, 3, 4, 5, 6}\n"
#define X3 "const x i16 [3] = {1, 2, 3}\n"
  static const Row rows[] = {
    {X23 "y = Transpose(x)", 6, {1, 4, 2, 5, 3, 6}},
    {"const x bool [1,2,2] = {1, 0, 0, 0}\ny = Transpose(x) perm=[2,0,1]", 4, {1, 0, 0, 0}},
    {X23 "const z f32 [2,1] = {8, 9}\ny = Concat(x, z) axis=1", 8, {1, 2, 3, 8, 4, 5, 6, 9}},
    {X23 "a, y = Split(x) axis=-1", 2, {3, 6}},
    {X23 "const s i64 [3] = {1, 0, 2}\na, b, y = Split(x, s) axis=1", 4, {2, 3, 5, 6}},
    {X23 "const s i64 [3] = {1, 0, 2}\n_, _, y = Split(x, s) axis=1", 4, {2, 3, 5, 6}},
    {X23 "const s i64 [2] = {1, -1}\nconst e i64 [2] = {2, -9}\nconst p i64 [2] = {1, -2}\n"
     "y = Slice(x, s, e, _, p)", 2,
     {6, 4}},
    {X3 "const p i64 [2] = {2, 1}\ny = Pad(x, p)", 6, {0, 0, 1, 2, 3, 0}},
    {X3 "const p i64 [2] = {2, 1}\nconst v i16 [] = {7}\ny = Pad(x, p, v)", 6, {7, 7, 1, 2, 3, 7}},
    {X3 "const p i64 [2] = {2, 1}\ny = Pad(x, p) mode=\"reflect\"", 6, {3, 2, 1, 2, 3, 2}},
    {X3 "const p i64 [2] = {2, 1}\ny = Pad(x, p) mode=\"edge\"", 6, {1, 1, 1, 2, 3, 3}},
    {X3 "const p i64 [2] = {4, 1}\ny = Pad(x, p) mode=\"wrap\"", 8, {3, 1, 2, 3, 1, 2, 3, 1}},
    {X3 "const p i64 [2] = {-1, 2}\ny = Pad(x, p)", 4, {2, 3, 0, 0}},
    {X23 "const i i64 [2] = {-1, 0}\ny = Gather(x, i) axis=1", 4, {3, 1, 6, 4}},
    {X23 "const i i32 [] = {1}\ny = Gather(x, i)", 3, {4, 5, 6}},
    {"const x f32 [1,1,2,4] = {1, 2, 3, 4, 5, 6, 7, 8}\ny = SpaceToDepth(x) blocksize=2", 8, {1, 3, 2, 4, 5, 7, 6, 8}},
    {X23 "y = Shape(x) start=1", 1, {3}},
    {"const s i64 [2] = {2, 1}\ny = ConstantOfShape(s)", 2, {0, 0}},
    {X23 "const s i64 [2] = {3, -1}\ny = Reshape(x, s)", 6, {1, 2, 3, 4, 5, 6}},
    {"const x f32 [2,0] = {}\nconst p i64 [4] = {0, 1, 0, 1}\ny = Pad(x, p)", 4, {0, 0, 0, 0}},
  };
  EXPECT_VALUES(rows);
}

static void steps_swap_and_broadcast(void **state) {
  (void)state;
  static const Row rows[] = {
    {X4 "const b f32 [2,1] = {1, 2}\ny = Pointwise(x, b) | Add(@1)", 8, {-1, 0.5, 1, 4, 0, 1.5, 2, 5}},
    {X4 "const b f32 [1] = {1}\ny = Pointwise(x, b) | ~Sub(@1) | Clip(0, 2)", 4, {2, 1.5, 1, 0}},
    {X4 "const b f32 [1] = {6}\ny = Pointwise(x, b) | LeakyRelu(0.5, 0) | ~Div(@1) | Relu",
     4, {0, 0, INFINITY, 2}},
    {X4 "const b f32 [4] = {-1, -1, -1, 2}\ny = Pointwise(x, b) | ~PRelu(@1)", 4, {2, 0.5, 0, 2}},
  };
  EXPECT_VALUES(rows);
}

static void faults_of_the_data_are_named(void **state) {
  (void)state;
  Context *cx = context_new();
  const void *data;
  EXPECT_FAIL(cx, evaluate(cx, "const a i32 [1] = {1}\nconst b i32 [1] = {0}\ny = Div(a, b)", &data),
              "test: node \"y\" (Div): an integer is divided by zero");
  context_free(cx);
}

/* The declared shape of the result is a promise of the model. */
static void run_time_bounds_must_give_the_declared_shape(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [4]\ninput s i64 [1]\ninput e i64 [1]\n"
                                  "y = Slice(x, s, e)\noutput y\n");
  g->output[0]->shape = shape_of(1, (int64_t)2);
  pass_shape(g);
  static const float x[4] = {1, 2, 3, 4};
  static const int64_t start = -3, end = 3, later = 9;
  void *out[1];
  eval_graph(g, (const void *[]){x, &start, &end}, out);
  assert_memory_equal(out[0], x + 1, 2 * sizeof *x);
  EXPECT_FAIL(cx, eval_graph(g, (const void *[]){x, &start, &later}, out),
              "test: node \"y\" (Slice): the result is [3], but declared as [2]");
  context_free(cx);
}

/* ---- Conv by its equation, element by element ---- */

/* With the window from the attributes of the graph, not from the node. */
static double conv_element(const float *x, const float *w, int group, int o, int oy, int ox) {
  double sum = 0;
  int group_in = 4 / group, first = o / (6 / group) * group_in;
  for (int c = 0; c < group_in; c++)
    for (int ky = 0; ky < 3; ky++)
      for (int kx = 0; kx < 2; kx++) {
        int iy = oy * 2 - 1 + ky, ix = ox - 3 + kx * 3;
        if (iy < 0 || iy >= 7 || ix < 0 || ix >= 6) continue;
        sum += (double)x[((first + c) * 7 + iy) * 6 + ix] * w[((o * group_in + c) * 3 + ky) * 2 + kx];
      }
  return sum;
}

static void check_conv(int group) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *body = format_text(cx, "const x f32 [1,4,7,6] = random 1 -1 1\n"
                                     "const w f32 [6,%d,3,2] = random 2 -1 1\n"
                                 "y = Conv(x, w) strides=[2,1] dilations=[1,3] pads=[1,3,2,0] group=%d",
                                 4 / group, group);
  const void *y;
  const Value *v = evaluate(cx, body, &y);
  const Shape want = shape_of(4, (int64_t)1, (int64_t)6, (int64_t)4, (int64_t)6);
  assert_true(shape_equal(&v->shape, &want));
  const float *x = v->def->in[0]->data, *w = v->def->in[1]->data;
  for (int i = 0; i < 6 * 4 * 6; i++)
    assert_float_equal(((const float *)y)[i], conv_element(x, w, group, i / 24, i / 6 % 4, i % 6), 1e-6);
  context_free(cx);
}

static void conv_follows_its_equation(void **state) {
  (void)state;
  check_conv(1);
  check_conv(2);
}

static void check_pair(const char *first, const char *second) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const void *a, *b;
  int64_t n = shape_count(&evaluate(cx, first, &a)->shape);
  assert_int_equal(shape_count(&evaluate(cx, second, &b)->shape), n);
  for (int64_t k = 0; k < n; k++) assert_float_equal(((const float *)a)[k], ((const float *)b)[k], 1e-6);
  context_free(cx);
}

/* A pointwise convolution is a matrix product; so is the mean of a window a depthwise convolution. */
static void operators_agree(void **state) {
  (void)state;
  check_pair("const x f32 [1,3,4] = random 1 -1 1\nconst w f32 [5,3,1] = random 2 -1 1\ny = Conv(x, w)",
             "const x f32 [3,4] = random 1 -1 1\nconst w f32 [5,3] = random 2 -1 1\ny = MatMul(w, x)");
  check_pair("const x f32 [1,2,5,5] = random 1 -1 1\ny = AveragePool(x) kernel_shape=[2,2] strides=[2,1]",
             "const x f32 [1,2,5,5] = random 1 -1 1\nconst w f32 [2,1,2,2] = splat 0.25\n"
             "y = Conv(x, w) strides=[2,1] group=2");
  check_pair("const x f32 [2,3,4,5] = random 1 -1 1\ny = GlobalAveragePool(x)",
             "const x f32 [2,3,4,5] = random 1 -1 1\nconst a i64 [2] = {2,3}\ny = ReduceMean(x, a)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(elementwise),
    cmocka_unit_test(maxima_of_nan),
    cmocka_unit_test(casts),
    cmocka_unit_test(convolutions_and_pools),
    cmocka_unit_test(products_and_reductions),
    cmocka_unit_test(moves),
    cmocka_unit_test(steps_swap_and_broadcast),
    cmocka_unit_test(faults_of_the_data_are_named),
    cmocka_unit_test(run_time_bounds_must_give_the_declared_shape),
    cmocka_unit_test(conv_follows_its_equation),
    cmocka_unit_test(operators_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
