/* blocks_test.c: how large the blocks of channels are, as a model shows it or an option says. */
#include "infer_fixture.h"

#define IN_BLOCKS(outputs, inputs) "input x f32 [1," inputs ",1,3]\nconst w f32 [" outputs "," inputs ",1,2] = splat 1\n"
#define AMBIGUOUS \
  "): the model does not show whether its channels are in blocks of 8 (AVX2) or 16 (AVX-512); say --nchwc-block=8 or 16, or save it " \
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
    cmocka_unit_test(a_model_shows_how_large_its_blocks_are),
    cmocka_unit_test(blocks_of_either_size_are_refused),
    cmocka_unit_test(the_option_says_how_large_blocks_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
