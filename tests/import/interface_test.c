/* interface_test.c: what symbolic dimensions become, with and without --shape. */
#include "onnx_writer.h"

static void the_first_dimension_is_the_batch(void **state) {
  (void)state;
  check_import(13, "input x 1 batch,3\noutput y 0 -\ny = Relu(x)\n",
               "input x f32 [N,3]\ny = Relu(x)\noutput y\n");
  check_import(13, "input x 1 ?,3\noutput y 0 -\ny = Relu(x)\n",
               "input x f32 [N,3]\ny = Relu(x)\noutput y\n");
  check_import(13, "input x 1 -1,3\noutput y 0 -\ny = Relu(x)\n",
               "input x f32 [N,3]\ny = Relu(x)\noutput y\n");
  check_import(13, "input a 1 n,3\ninput b 1 m,3\noutput y 0 -\ny = Add(a, b)\n",
               "input a f32 [N,3]\ninput b f32 [N,3]\ny = Add(a, b)\noutput y\n");
}

static void its_name_is_the_batch_everywhere(void **state) {
  (void)state;
  check_import(13, "input a 1 3,n\ninput b 1 n,3\noutput y 0 -\ny = MatMul(a, b)\n",
               "input a f32 [3,N]\ninput b f32 [N,3]\ny = MatMul(a, b)\noutput y\n");
}

static void numbers_are_not_symbolic(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  EXPECT_NO_FAIL(cx);
  const char *node = "output y 0 -\ny = Relu(x)\n";
  assert_false(import_text(cx, &opt, 13, format_text(cx, "input x 1 2,3\n%s", node))->symbolic);
  assert_true(import_text(cx, &opt, 13, format_text(cx, "input x 1 ?,3\n%s", node))->symbolic);
  context_free(cx);
}

static void declared_shapes_are_kept_where_they_are_known(void **state) {
  (void)state;
  const char *text = "input x 1 n,3\noutput y 1 n,3\ninfo a 1 6,n\ninfo b 1 m,3\ninfo c 1 ?,3\n"
                     "a = Relu(x)\nb = Relu(a)\nc = Relu(b)\ny = Relu(c)\n";
  check_import(13, text,
               "input x f32 [N,3]\na = Relu(x) # f32 [6,N]\nb = Relu(a) # f32 ?\nc = Relu(b) # f32 ?\n"
               "y = Relu(c) # f32 [N,3]\noutput y\n");
}

static void other_dimensions_must_be_given(void **state) {
  (void)state;
  check_refused(13, "input x 1 n,3,height,?\noutput y 0 -\ny = Relu(x)\n",
                "test: the model has dimensions of unknown size: height, x[3]; set them with --shape x=N,3,224,224");
  check_refused(13, "input x 1 n,?,h,w\ninput z 1 n,w\ninput v 1 n,w,k\ninput u 1 n,2\noutput y 0 -\ny = Relu(x)\n",
                "test: the model has dimensions of unknown size: x[1], h, w, k; set them with --shape x=N,3,224,224 "
                "--shape v=N,224,224");
  check_refused(13, "input x 1 2,?\noutput y 0 -\ny = Relu(x)\n",
                "test: the model has a dimension of unknown size: x[1]; set it with --shape x=2,224");
  check_refused(13, "input x 1 -\noutput y 0 -\ny = Relu(x)\n",
                "test: input \"x\" has an unknown shape; set it with --shape x=1,3,224,224");
  check_refused(13, "input x 1 1,1,1,1,1,1,1,1,1,1,1,1,1\noutput y 0 -\ny = Relu(x)\n",
                "test: input \"x\" has more than 12 dimensions");
}

/* Older models have a 0 for what is not known. */
static void a_dimension_of_nothing_is_one_since_ir_7(void **state) {
  (void)state;
  const char *text = "input x 1 2,0,3\noutput y 0 -\ny = Relu(x)\n";
  check_import(13, text, "input x f32 [2,0,3]\ny = Relu(x)\noutput y\n");
  check_import(13, "input x 1 0,3\noutput y 0 -\ny = Relu(x)\n", "input x f32 [0,3]\ny = Relu(x)\noutput y\n");
  check_import(13, "input x 1 0,3,8,8\noutput y 0 -\ny = Relu(x)\n", "input x f32 [N,3,8,8]\ny = Relu(x)\noutput y\n");
  Context *cx = context_new();
  Options opt = {.input = "test"};
  Buffer old = model_of_text(text, 6, 13);
  EXPECT_FAIL(cx, import_buffer(cx, &opt, &old),
              "test: the model has a dimension of unknown size: x[1]; set it with --shape x=2,224,3");
  context_free(cx);
}

/* ---- --shape ---- */

static const char *import_pinned(Context *cx, struct ShapePin pin, const char *text) {
  Options opt = {.input = "test", .n_shape = 1, .shape = &pin};
  return strchr(graph_text(import_text(cx, &opt, 13, text)), '\n') + 1;
}

static void check_pin(struct ShapePin pin, const char *text, const char *expected) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  assert_string_equal(import_pinned(cx, pin, text), expected);
  context_free(cx);
}

static void check_bad_pin(struct ShapePin pin, const char *text, const char *expected);

static void sizes_named_unknown_may_differ(void **state) {
  (void)state;
  static const char *const names[] = {"None", "?", "unknown", "-", "*"};
  for (size_t i = 0; i < COUNT(names); i++) {
    char text[128];
    snprintf(text, sizeof text, "input x 1 n,3,%s,%s\noutput y 0 -\ny = Relu(x)\n", names[i], names[i]);
    struct ShapePin pin = {"x", {.rank = 4, .d = {1, 3, 7, 8}}};
    check_pin(pin, text, "input x f32 [1,3,7,8]\ny = Relu(x)\noutput y\n");
  }
}

static void the_batch_stays_symbolic_where_shape_says_so(void **state) {
  (void)state;
  const char *text = "input x 1 n,3,h,w\ninput z 1 n,2\noutput y 0 -\ny = Relu(x)\n";
  struct ShapePin pin = {"x", {.rank = 4, .d = {-1, 3, 7, 8}}};
  check_pin(pin, text, "input x f32 [N,3,7,8]\ninput z f32 [N,2]\ny = Relu(x)\noutput y\n");
  check_pin(pin, "input x 1 -\noutput y 0 -\ny = Relu(x)\n", "input x f32 [N,3,7,8]\ny = Relu(x)\noutput y\n");
  check_bad_pin(pin, "input x 1 2,3,h,w\noutput y 0 -\ny = Relu(x)\n",
                "test: --shape x: dimension 0 of the input is 2, not symbolic");
  pin = (struct ShapePin){"x", {.rank = 4, .d = {1, 3, -1, 8}}};
  check_bad_pin(pin, text, "test: --shape x: only the first dimension, the batch, may stay symbolic");
}

static void check_bad_pin(struct ShapePin pin, const char *text, const char *expected) {
  Context *cx = context_new();
  EXPECT_FAIL(cx, import_pinned(cx, pin, text), expected);
  context_free(cx);
}

static struct ShapePin pin4(const char *input, int64_t a, int64_t b, int64_t c, int64_t d) {
  return (struct ShapePin){input, shape_of(4, a, b, c, d)};
}

static void a_pin_gives_numbers_to_names(void **state) {
  (void)state;
  check_pin(pin4("x", 1, 3, 8, 9), "input x 1 n,3,h,w\ninput z 1 n,h,w\noutput y 1 n,h\ny = Mul(x, z)\n",
            "input x f32 [1,3,8,9]\ninput z f32 [1,8,9]\ny = Mul(x, z) # f32 [1,8]\noutput y\n");
  check_pin(pin4("x", 2, 3, 8, 9), "input x 1 -\noutput y 0 -\ny = Relu(x)\n",
            "input x f32 [2,3,8,9]\ny = Relu(x)\noutput y\n");
}

static void an_unpinned_input_keeps_its_batch(void **state) {
  (void)state;
  check_pin(pin4("x", 1, 3, 8, 9), "input x 1 n,3,h,w\ninput z 1 m,h\noutput y 0 -\ny = Mul(x, z)\n",
            "input x f32 [1,3,8,9]\ninput z f32 [N,8]\ny = Mul(x, z)\noutput y\n");
}

static void a_pin_may_be_empty_or_of_a_scalar(void **state) {
  (void)state;
  check_pin(pin4("x", 0, 3, 8, 0), "input x 1 n,3,h,w\noutput y 0 -\ny = Relu(x)\n", "input x f32 [0,3,8,0]\ny = Relu(x)\noutput y\n");
  check_pin((struct ShapePin){"x", shape_of(0)}, "input x 1 -\noutput y 0 -\ny = Relu(x)\n", "input x f32 []\ny = Relu(x)\noutput y\n");
}

static void a_pin_must_fit(void **state) {
  (void)state;
  const char *text = "input x 1 n,3,h,h\nconst w 1 = 1\noutput y 0 -\ny = Mul(x, w)\n";
  check_bad_pin(pin4("z", 1, 3, 8, 8), text, "test: --shape z: the model has no such input");
  check_bad_pin(pin4("w", 1, 3, 8, 8), text, "test: --shape w: the model has no such input");
  check_bad_pin(pin4("x", 1, 4, 8, 8), text, "test: --shape x: dimension 1 of the input is 3, not 4");
  check_bad_pin(pin4("x", 1, 3, 8, 9), text, "test: --shape gives dimension \"h\" both 8 and 9");
  check_bad_pin((struct ShapePin){"x", shape_of(1, (int64_t)1)}, text,
                "test: --shape x: the input has 4 dimensions, not 1");
}

/* ---- --batch ---- */

static const char *import_batch(Context *cx, int64_t batch, const char *text) {
  struct ShapePin pin = {"p", shape_of(2, (int64_t)2, (int64_t)4)};
  Options opt = {.input = "test", .batch = batch, .n_shape = strstr(text, "input p ") != NULL, .shape = &pin};
  Graph *g = import_text(cx, &opt, 13, text);
  assert_false(g->symbolic);
  return strchr(graph_text(g), '\n') + 1;
}

static void check_batch_of(int64_t batch, const char *text, const char *expected) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  assert_string_equal(import_batch(cx, batch, text), expected);
  context_free(cx);
}

static void a_batch_is_as_if_the_file_had_the_number(void **state) {
  (void)state;
  check_batch_of(8, "input x 1 n,3\noutput y 1 n,3\ny = Relu(x)\n",
                 "input x f32 [8,3]\ny = Relu(x) # f32 [8,3]\noutput y\n");
  check_batch_of(8, "input x 1 ?,3\noutput y 0 -\ny = Relu(x)\n", "input x f32 [8,3]\ny = Relu(x)\noutput y\n");
  check_batch_of(2, "input a 1 3,n\ninput b 1 n,3\ninput c 1 m,4\noutput y 0 -\ny = MatMul(a, b)\n",
                 "input a f32 [3,2]\ninput b f32 [2,3]\ninput c f32 [2,4]\ny = MatMul(a, b)\noutput y\n");
  check_batch_of(8, "input x 1 n,3\ninput k 1 5,3\noutput y 0 -\ny = Relu(x)\n",
                 "input x f32 [8,3]\ninput k f32 [5,3]\ny = Relu(x)\noutput y\n");
}

static void a_batch_that_the_file_has_is_fine(void **state) {
  (void)state;
  check_batch_of(8, "input x 1 8,3\noutput y 0 -\ny = Relu(x)\n", "input x f32 [8,3]\ny = Relu(x)\noutput y\n");
  check_batch_of(2, "input p 1 n,4\noutput y 0 -\ny = Relu(p)\n", "input p f32 [2,4]\ny = Relu(p)\noutput y\n");
}

static void check_bad_batch(int64_t batch, const char *text, const char *expected) {
  Context *cx = context_new();
  EXPECT_FAIL(cx, import_batch(cx, batch, text), expected);
  context_free(cx);
}

static void another_batch_is_refused(void **state) {
  (void)state;
  check_bad_batch(8, "input x 1 2,3\noutput y 0 -\ny = Relu(x)\n",
                  "test: --batch 8: the batch is not symbolic; that of input \"x\" is 2");
  check_bad_batch(8, "input p 1 n,4\noutput y 0 -\ny = Relu(p)\n",
                  "test: --batch 8: the batch is not symbolic; that of input \"p\" is 2");
  check_bad_batch(8, "const w 1 = 1\noutput y 0 -\ny = Relu(w)\n", "test: --batch 8: the model has no batch");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_dimension_is_the_batch),
    cmocka_unit_test(its_name_is_the_batch_everywhere),
    cmocka_unit_test(numbers_are_not_symbolic),
    cmocka_unit_test(a_dimension_of_nothing_is_one_since_ir_7),
    cmocka_unit_test(declared_shapes_are_kept_where_they_are_known),
    cmocka_unit_test(other_dimensions_must_be_given),
    cmocka_unit_test(sizes_named_unknown_may_differ),
    cmocka_unit_test(the_batch_stays_symbolic_where_shape_says_so),
    cmocka_unit_test(a_pin_gives_numbers_to_names),
    cmocka_unit_test(an_unpinned_input_keeps_its_batch),
    cmocka_unit_test(a_pin_may_be_empty_or_of_a_scalar),
      cmocka_unit_test(a_pin_must_fit),
    cmocka_unit_test(a_batch_is_as_if_the_file_had_the_number),
    cmocka_unit_test(a_batch_that_the_file_has_is_fine),
    cmocka_unit_test(another_batch_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
