/* views_test.c: moves in front of and behind products of activations become part of them. */
#include "fixture.h"

static void expect(const char *text, const char *ops) {
  expect_ops(&lax_options, pass_views, text, ops);
}

/* Queries, keys and values lie side by side, as a linear layer leaves them. */
#define HEADS \
  "input x f32 [1,50,3,4,20]\n" \
  "h = Transpose(x) perm=[2,0,3,1,4]\n" \
  "const 0 i64 [] = {0}\nconst 1 i64 [] = {1}\nconst 2 i64 [] = {2}\n" \
  "q = Gather(h, 0) axis=0\nk = Gather(h, 1) axis=0\nv = Gather(h, 2) axis=0\n"

static void attention_reads_heads_where_they_lie(void **state) {
  (void)state;
  expect(HEADS "t = Transpose(k) perm=[0,1,3,2]\na = MatMul(q, t)\ns = Softmax(a) axis=-1\ny = MatMul(s, v)\n"
         "z = Transpose(y) perm=[0,2,1,3]\noutput z\n", "Product Softmax Product");
}

static void heads_from_a_split(void **state) {
  (void)state;
  expect("input x f32 [1,50,160]\nconst s i64 [4] = {1, 50, 4, 20}\n"
         "a, b = Split(x) axis=2 num_outputs=2\nc = Reshape(a, s)\nd = Reshape(b, s)\n"
         "e = Transpose(c) perm=[0,2,1,3]\nf = Transpose(d) perm=[0,2,3,1]\ny = MatMul(e, f)\noutput y\n",
         "Product");
}

static void factors_become_alpha(void **state) {
  (void)state;
  const char *text = HEADS "const s f32 [] = {0.5}\na = Mul(s, q)\nb = Div(k, s)\n"
                           "t = Transpose(b) perm=[0,1,3,2]\n"
                     "c = Mul(t, s)\ny = MatMul(a, c)\noutput y\n";
  expect(text, "Product");
  expect_ops(&strict_options, pass_views, text,
             "Transpose Gather Gather Gather Mul Div Transpose Mul MatMul");
}

/* A sub-window of a map in front of a reshape that no strides say. */
static void what_is_no_view_stays(void **state) {
  (void)state;
  expect("input x f32 [4,8,9]\nconst lo i64 [2] = {1, 2}\nconst hi i64 [2] = {6, 8}\n"
         "const ax i64 [2] = {1, 2}\n"
         "const s i64 [3] = {4, 6, 5}\nw = Slice(x, lo, hi, ax)\nr = Reshape(w, s)\ny = MatMul(w, r)\n"
         "output y\n",
         "Slice Reshape Product");
  expect("input x f32 [4,8,9]\ninput w f32 [4,9,8]\nt = Transpose(w) perm=[2,1,0]\n"
         "r = Transpose(t) perm=[2,1,0]\n"
         "y = MatMul(x, r)\noutput y\noutput r\n", "Transpose Transpose Product");
  expect("input x f32 [8,9]\nconst w f32 [9,8] = random 1 -1 1\nt = Transpose(x)\nr = Transpose(t)\n"
         "y = MatMul(r, w)\noutput y\n",
         "Transpose Transpose MatMul");
}

/* Heads whose elements do not lie side by side are gathered first. */
static void scattered_matrices_are_gathered_first(void **state) {
  (void)state;
  expect("input x f32 [6,8,4]\ninput w f32 [8,5]\nt = Transpose(x) perm=[2,0,1]\ny = MatMul(t, w)\n"
         "output y\n", "Transpose MatMul");
}

static void only_results_of_whole_columns_are_written_elsewhere(void **state) {
  (void)state;
  const char *head = "input a f32 [2,3,4,5]\ninput b f32 [2,3,5,6]\ny = MatMul(a, b)\n";
  expect(format_text(((Context *)*state), "%sz = Transpose(y) perm=[2,0,1,3]\noutput z\n", head), "Product");
  expect(format_text(((Context *)*state), "%sz = Transpose(y) perm=[0,1,3,2]\noutput z\n", head),
         "MatMul Transpose");
  expect(format_text(((Context *)*state), "%sz = Transpose(y) perm=[2,0,1,3]\noutput y\noutput z\n", head),
         "MatMul Transpose");
}

static int setup(void **state) {
  *state = context_new();
  return 0;
}

static int teardown(void **state) {
  context_free(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(attention_reads_heads_where_they_lie), cmocka_unit_test(heads_from_a_split),
    cmocka_unit_test(factors_become_alpha), cmocka_unit_test(what_is_no_view_stays),
    cmocka_unit_test(scattered_matrices_are_gathered_first),
    cmocka_unit_test_setup_teardown(only_results_of_whole_columns_are_written_elsewhere, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
