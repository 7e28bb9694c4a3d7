/* result_test.c: what --output makes of a model's results: order, ties, NaN; what is refused. */
#include "words.h"

static const char classes[] = "input x 1 1,6\noutput y 0 -\ny = Identity(x)\n", map[] = "input x 1 1,2,1,3\noutput y 0 -\ny = Identity(x)\n";

/* The results of the evaluator and of the object must be these. The first output is of floats, or of integers that are `whole`. */
static void check_output(const char *words, const char *lines, const float *x, int n, const int *whole, const float *want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const WordsOption option = {"--output", words};
  const void *in[] = {x};
  Graph *g = worded(cx, lines, 1, &option);
  pass_shape(g);
  int32_t got_whole[MOST_RESULTS];
  float got[MOST_RESULTS];
  void *code[] = {whole ? (void *)got_whole : got, got}, **eval = evaluated(g, in);
  assert_int_equal(g->n_output, (whole != NULL) + (want != NULL));
  run_graph_once(worded(cx, lines, 1, &option), in, code);
  for (int i = 0; whole && i < n; i++) {
    assert_int_equal(((int32_t *)eval[0])[i], whole[i]);
    assert_int_equal(got_whole[i], whole[i]);
  }
  if (want) expect_numbers(words, eval[whole != NULL], want, n);
  if (want) expect_numbers(words, got, want, n);
  context_free(cx);
}

#define FLOATS(...) (float[]){__VA_ARGS__}
#define WHOLE(...) (int[]){__VA_ARGS__}

static void top_is_sorted(void **state) {
  (void)state;
  check_output("top3", classes, FLOATS(1, -2, 7, 0.5f, 3, -8), 3, WHOLE(2, 4, 0), FLOATS(7, 3, 1));
  check_output("y=top1", classes, FLOATS(1, -2, 7, 0.5f, 3, -8), 1, WHOLE(2), FLOATS(7));
  check_output("softmax,top2", classes, FLOATS(0, 0, logf(3), 0, 0, -200), 2, WHOLE(2, 0), FLOATS(3 / 7.f, 1 / 7.f));
}

static void ties_go_to_the_lower_index_and_nan_comes_last(void **state) {
  (void)state;
  check_output("top4", classes, FLOATS(1, 5, 1, 5, 1, 0), 4, WHOLE(1, 3, 0, 2), FLOATS(5, 5, 1, 1));
  check_output("top6", classes, FLOATS(NAN, 2, -INFINITY, NAN, INFINITY, 0), 6, WHOLE(4, 1, 5, 2, 0, 3),
               FLOATS(INFINITY, 2, 0, -INFINITY, NAN, NAN));
  check_output("top3", classes, FLOATS(0.f, -0.f, 0.f, -1, -1, -1), 3, WHOLE(0, 1, 2), FLOATS(0, 0, 0));
}

static void others_are_what_they_say(void **state) {
  (void)state;
  check_output("argmax", classes, FLOATS(1, -2, 7, 7, 3, -8), 1, WHOLE(2), NULL);
  check_output("argmax", map, FLOATS(1, -2, 7, 0, 3, 7), 3, WHOLE(0, 1, 0), NULL);
  check_output("nhwc", map, FLOATS(1, 2, 3, 4, 5, 6), 6, NULL, FLOATS(1, 4, 2, 5, 3, 6));
  check_output("sigmoid", classes, FLOATS(0, 0, 0, 0, logf(3), 0), 6, NULL, FLOATS(0.5f, 0.5f, 0.5f, 0.5f, 0.75f, 0.5f));
}

/* The model gives back what it gets. */
static void check_bytes(const char *input, const float *x, const uint8_t *want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const WordsOption words[] = {{"--output", "u8,nhwc"}, {"--input", input}};
  Graph *g = worded(cx, map, input ? 2 : 1, words);
  pass_shape(g);
  const uint8_t *got = evaluated(g, (const void *[]){x})[0];
  for (int i = 0; i < 6; i++) assert_int_equal(got[i], want[i]);
  context_free(cx);
}

static void images_are_bytes_of_the_inputs_range(void **state) {
  (void)state;
  check_bytes(NULL, FLOATS(-3, 2.5f, 300, 254.6f, NAN, 3.5f), (uint8_t[]){0, 255, 2, 0, 255, 4});
  check_bytes("std=0.5", FLOATS(-3, 2, 300, 255, 1, 3), (uint8_t[]){0, 255, 2, 1, 255, 3});
  check_bytes("mean=1", FLOATS(-3, 2, 300, 255, 1, 3), (uint8_t[]){0, 255, 2, 1, 255, 3});
}

static void other_outputs_move_on(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *lines = "input x 1 1,6\noutput a 0 -\noutput b 0 -\noutput c 0 -\na = Relu(x)\nb = Tanh(x)\nc = Sigmoid(x)\n";
  const WordsOption words[] = {{"--output", "b=top2"}, {"--output", "c=softmax"}};
  Graph *g = worded(cx, lines, 2, words);
  static const char *const name[] = {"a", "b_class", "b_score", "c"};
  assert_int_equal(g->n_output, COUNT(name));
  for (int i = 0; i < g->n_output; i++) {
    assert_string_equal(g->output[i]->name, name[i]);
    assert_true(g->output[i]->is_output && g->output[i]->output == i);
  }
  assert_int_equal(g->output[3]->def->op, OP_Softmax);
  front_run(g, NULL, NULL);
  context_free(cx);
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  check_words_refused(classes, "--output", "top7", "'top7': output \"y\" has 6 classes");
  check_words_refused(classes, "--output", "top2,softmax", "nothing can follow topK, and 'softmax' does");
  check_words_refused(classes, "--output", "argmax,softmax", "'softmax' needs floats; output \"y\" is i32 there");
  check_words_refused(classes, "--output", "top", "'top' is no word of --output, nor a name before '=' that of an output");
  check_words_refused(classes, "--output", "nhwc", "'nhwc' needs an image of 4 dimensions; output \"y\" is [1,6]");
  check_words_refused("input x 1 1,6\noutput a 0 -\noutput b 0 -\na = Relu(x)\nb = Tanh(x)\n", "--output", "softmax",
                      "the model has 2; write --output=NAME=..., NAME being \"a\", \"b\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(top_is_sorted),
    cmocka_unit_test(ties_go_to_the_lower_index_and_nan_comes_last),
    cmocka_unit_test(others_are_what_they_say),
    cmocka_unit_test(images_are_bytes_of_the_inputs_range),
    cmocka_unit_test(other_outputs_move_on),
    cmocka_unit_test(what_cannot_be_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
