/* shuffle_test.c: Resize, DepthToSpace, Expand and Tile, as the pass `moves` leaves them. */
#include "fixture.h"

static void moves(Graph *g) {
  pass_fold(g);
  pass_moves(g);
  pass_fold(g);
}

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, moves, text, ops); }

static void a_resize_becomes_resamples(void **state) {
  (void)state;
  static const char *const resize = "input x f32 [1,4,6,8]\nconst s f32 [4] = {1, 1, %s}\n"
                                    "y = Resize(x, _, s) mode=\"%s\"%s\noutput y\n";
  static const struct { const char *scales, *mode, *attributes, *ops; } row[] = {
    {"2, 2", "linear", "", "Resample"},
    {"2, 1", "cubic", "", "Resample"},
    {"0.5, 0.5", "linear", " antialias=1", "Resample"},        /* four taps each */
    {"0.25, 0.25", "cubic", " antialias=1", "Resample Resample"},
  };
  for (size_t i = 0; i < COUNT(row); i++) {
    char text[512];
    snprintf(text, sizeof text, resize, row[i].scales, row[i].mode, row[i].attributes);
    expect(text, row[i].ops);
  }
  expect("input x f32 [1,4,6,8,2]\nconst s f32 [5] = {1, 1, 2, 2, 2}\ny = Resize(x, _, s) mode=\"linear\"\n"
         "output y\n", "Resample Resample");
}

static void a_shuffle_gets_its_name(void **state) {
  (void)state;
  static const char *const text = "input x f32 [2,12,3,4]\nconst r i64 [6] = {2, 3, 2, 2, 3, 4}\n"
                                  "const s i64 [4] = {2, %s}\na = Reshape(x, r)\n"
                                  "b = Transpose(a) perm=[0,1,%s]\ny = Reshape(b, s)\noutput y\n";
  char buffer[512];
  snprintf(buffer, sizeof buffer, text, "3, 6, 8", "4,2,5,3");
  expect(buffer, "DepthToSpace");
  snprintf(buffer, sizeof buffer, text, "3, 8, 6", "4,2,5,3"); /* rows and columns are no squares' */
  expect(buffer, "Reshape Transpose Reshape");
  snprintf(buffer, sizeof buffer, text, "3, 6, 8", "4,3,5,2"); /* places are turned */
  expect(buffer, "Reshape Transpose Reshape");
}

/* The convolution's channels change their order: what is left is a shuffle without mode. */
static void channels_stand_by_place(void **state) {
  (void)state;
  static const char *const before = "input x f32 [1,3,4,4]\nconst w f32 [12,3,1,1] = random 3 -1 1\n"
                                    "const b f32 [12] = random 4 -1 1\n"
                                    "a = Conv(x, w, b)\ny = DepthToSpace(a) blocksize=2 mode=\"CRD\"\n"
                                    "output y\n%s";
  static const char *const behind = "input x f32 [1,3,4,4]\nconst w f32 [5,12,1,1] = random 3 -1 1\n"
                                    "a = SpaceToDepth(x) blocksize=2 mode=\"CRD\"\ny = Conv(a, w)\n"
                                    "output y\n";
  static const char *const text[] = {before, behind};
  for (size_t i = 0; i < COUNT(text); i++) {
    Context *cx = context_new();
    Graph *g = run_pass(cx, &lax_options, format_text(cx, text[i], ""), moves);
    for (int k = 0; k < g->n_node; k++) assert_false(g->node[k]->p.by_channel);
    context_free(cx);
  }
  Context *cx = context_new();
  /* somebody else reads the channels */
  Graph *g = run_pass(cx, &lax_options, format_text(cx, before, "output a\n"), moves);
  assert_true(g->node[1]->p.by_channel);
  context_free(cx);
}

static void elementwise_operators_come_first(void **state) {
  (void)state;
  expect("input x f32 [1,12,4,4]\nconst s f32 [1] = {0.25}\na = DepthToSpace(x) blocksize=2\n"
         "b = PRelu(a, s)\n"
         "y = Relu(b)\noutput y\n",
         "PRelu Relu DepthToSpace");
  expect("input x f32 [1,12,4,4]\ninput z f32 [1,3,8,8]\na = DepthToSpace(x) blocksize=2\ny = Add(a, z)\n"
         "output y\n", "DepthToSpace Add");
}

static void an_expand_is_left_to_its_readers(void **state) {
  (void)state;
#define TWO "input x f32 [1,4,1,1]\ninput z f32 [1,4,6,8]\nconst s i64 [4] = {1, 1, 6, 8}\n"
  expect(TWO "a = Expand(x, s)\ny = Mul(a, z)\noutput y\n", "Mul");
  expect(TWO "a = Tile(x, s)\ny = Mul(z, a)\noutput y\n", "Mul");
  expect(TWO "a = Expand(x, s)\ny = Mul(a, x)\noutput y\n", "Expand Mul");
  expect(TWO "a = Expand(x, s)\nb = Mul(a, z)\ny = Concat(a, b) axis=1\noutput y\n", "Expand Mul Concat");
#undef TWO
}

static void slopes_do_not_expand(void **state) {
  (void)state;
  expect_ops(&lax_options, pass_moves, "input x f32 [1]\nconst s i64 [1] = {4}\nconst w f32 [4] = random 1 -1 1\n"
             "e = Expand(x, s)\ny = PRelu(e, w)\noutput y\n", "Expand PRelu");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_resize_becomes_resamples),
    cmocka_unit_test(a_shuffle_gets_its_name),
    cmocka_unit_test(channels_stand_by_place),
    cmocka_unit_test(elementwise_operators_come_first),
    cmocka_unit_test(an_expand_is_left_to_its_readers),
    cmocka_unit_test(slopes_do_not_expand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
