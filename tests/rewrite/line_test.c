/* line_test.c: one-dimensional convolutions and pools as two-dimensional ones of height 1. The results
 * stay. */
#include "lower.h"
#include "fixture.h"

#define X "graph line\ninput x f32 [2,6,11]\n"
#define W "const w f32 [6,6,3] = random 1 -0.5 0.5\n"

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, pass_rank, text, ops); }

static void one_view_before_and_one_behind(void **state) {
  (void)state;
  expect(X W "y = Conv(x, w) pads=[1,1]\noutput y\n", "Unsqueeze Conv Squeeze");
  expect(X W "const b f32 [6] = random 2 -1 1\ny = Conv(x, w, b) strides=[2] dilations=[2] pads=[0,3]\n"
             "output y\n",
         "Unsqueeze Conv Squeeze");
  expect(X "y = MaxPool(x) kernel_shape=[3] strides=[2]\noutput y\n", "Unsqueeze MaxPool Squeeze");
  expect(X "y = AveragePool(x) kernel_shape=[3] pads=[1,1] count_include_pad=1\noutput y\n",
         "Unsqueeze AveragePool Squeeze");
  expect(X "y = GlobalAveragePool(x)\nz = GlobalMaxPool(x)\noutput y\noutput z\n",
         "Unsqueeze GlobalAveragePool Squeeze GlobalMaxPool Squeeze");
}

static void chains_stay_wide(void **state) {
  (void)state;
  expect(X W "y = Conv(x, w) pads=[1,1] | Relu\nz = Pointwise(y) | Sigmoid\np = MaxPool(z) kernel_shape=[2]\n"
             "q = Conv(p, w)\noutput q\n", "Unsqueeze Conv|Relu Pointwise|Sigmoid MaxPool Conv Squeeze");
  expect(X W "y = Conv(x, w) pads=[1,1] | Relu\nz = Conv(y, w, _, y) pads=[1,1] | Add(@3)\noutput z\n",
         "Unsqueeze Conv|Relu Conv|Add Squeeze");
}

static void others_read_what_they_read_before(void **state) {
  (void)state;
  expect(X W "y = Conv(x, w) pads=[1,1]\nz = Conv(y, w)\ns = Softmax(y)\noutput z\noutput s\n",
         "Unsqueeze Conv Squeeze Conv Squeeze Softmax");
  expect(X W "y = Pointwise(x) | Relu\nz = Conv(y, w)\noutput z\n", "Pointwise|Relu Unsqueeze Conv Squeeze");
}

static void arguments_get_the_dimension_too(void **state) {
  (void)state;
  expect(X W "const c f32 [6,1] = random 3 -1 1\nconst d f32 [11] = random 4 -1 1\nconst e f32 [] = splat 3\n"
             "const f f32 [1,6,1] = random 5 -1 1\nconst h f32 [1,1] = splat 2\n"
             "y = Conv(x, w, _, c, d, e, f, h) pads=[1,1] | Mul(@3) | Add(@4) | Mul(@5) | Add(@6) | Mul(@7)\n"
             "output y\n",
         "Unsqueeze Conv|Mul|Add|Mul|Add|Mul Squeeze");
  expect(X W "input r f32 [2,6,11]\ninput s f32 [6,1]\n"
             "y = Conv(x, w, _, r, s) pads=[1,1] | Add(@3) | Mul(@4)\noutput y\n",
         "Unsqueeze Unsqueeze Unsqueeze Conv|Add|Mul Squeeze");
}

static void images_and_indices_stay(void **state) {
  (void)state;
  expect("graph g\ninput x f32 [1,6,5,5]\nconst w f32 [6,6,3,3] = random 1 -1 1\ny = Conv(x, w)\noutput y\n",
         "Conv");
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, &lax_options, X "y, i = MaxPool(x) kernel_shape=[3]\noutput y\noutput i\n");
  pass_shape(g);
  pass_rank(g);
  assert_string_equal(ops_text(g), "MaxPool");
  context_free(cx);
}

static void windows_lie_along_the_width(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, X W "y = Conv(x, w) strides=[2] dilations=[3] pads=[4,1]\noutput y\n",
                      pass_rank);
  const Node *n = g->node[1];
  infer_node(g, g->node[1]); /* from the attributes */
  const Window *k = &n->win;
  assert_true(k->kh == 1 && k->sh == 1 && k->dh == 1 && k->top == 0 && k->bottom == 0);
  assert_true(k->kw == 3 && k->sw == 2 && k->dw == 3 && k->left == 4 && k->right == 1);
  assert_int_equal(n->out[0]->shape.rank, 4);
  assert_int_equal(n->out[0]->shape.d[2], 1);
  context_free(cx);
}

/* [6,9] becomes [6,1,9]. */
static void arguments_of_fewer_axes(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, X "input y f32 [6,9]\nz = AveragePool(x, y) kernel_shape=[3] | Sub(@1)\noutput z\n",
                      pass_rank);
  verify(g, "rank");
  context_free(cx);
}

static void automatic_padding_is_spelled_out(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, X W "y = Conv(x, w) auto_pad=\"SAME_LOWER\" strides=[2]\noutput y\n",
                      pass_rank);
  assert_null(attr_find(g->node[1], "auto_pad"));
  assert_int_equal(g->node[1]->win.left + g->node[1]->win.right, 2);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_view_before_and_one_behind),    cmocka_unit_test(chains_stay_wide),
    cmocka_unit_test(others_read_what_they_read_before), cmocka_unit_test(arguments_get_the_dimension_too),
    cmocka_unit_test(images_and_indices_stay),           cmocka_unit_test(windows_lie_along_the_width),
    cmocka_unit_test(automatic_padding_is_spelled_out),  cmocka_unit_test(arguments_of_fewer_axes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
