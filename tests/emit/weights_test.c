/* weights_test.c: weights that are the last input: the same results as with those of the object, in whole images and in tasks,
 * and other memory is told from them. */
#include "entry_fixture.h"

#include "emit.h"

typedef struct Model {
  Build *build;
  Object object;
  Jit *jit;
  const rcc_model *m;
  void *work; /* for two threads */
  size_t size;
} Model;

static Model load_with(const char *text, int where) {
  Model l = {0};
  options.weights = where;
  Graph *g = text_parse(cx, &options, text);
  g->name = "net";
  l.build = build_of(g, NULL);
  object_emit(l.build, &l.object);
  l.jit = jit_open(cx, "net", &l.object);
  l.m = jit_model(l.jit);
  l.size = l.m->workspace_size(g->symbolic ? MOST : 1, 2);
  l.work = rcc_workspace_alloc(l.size);
  return l;
}

static void *weights_of(const Model *l) { return weights_joined(l->build); }

static void unload_it(Model *l) {
  rcc_workspace_free(l->work, l->size);
  jit_close(l->jit);
}

static void results_are_those_of_the_object(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *text = two_of_each("N");
  Model inside = load_with(text, WEIGHTS_EMBED), apart = load_with(text, WEIGHTS_EXTERN);
  static float image[MOST * IMAGE], d[2][MOST * D];
  static int64_t index[MOST * INDEX], k[2][MOST * INDEX];
  for (int i = 0; i < MOST * IMAGE; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
  rcc_pool *pool = rcc_pool_create(2);
  assert_int_equal(apart.m->flags, RCC_SYMBOLIC_BATCH | RCC_WEIGHTS_INPUT);
  assert_int_equal(apart.m->n_inputs, 3);
  assert_string_equal(apart.m->inputs[2].name, "weights");
  assert_int_equal(apart.m->inputs[2].dims[0], weights_input_size(apart.build));
  for (int64_t batch = 1; batch <= MOST; batch++) {
    for (int threads = 1; threads <= 2; threads++) {
      const rcc_parallel *par = threads == 2 ? rcc_pool_parallel(pool) : NULL;
      const void *in[] = {image, index, weights_of(&apart)};
      assert_int_equal(inside.m->run(in, (void *[]){d[0], k[0]}, batch, inside.work, inside.size, par), RCC_OK);
      assert_int_equal(apart.m->run(in, (void *[]){d[1], k[1]}, batch, apart.work, apart.size, par), RCC_OK);
      assert_memory_equal(d[0], d[1], sizeof d[0]);
      assert_memory_equal(k[0], k[1], sizeof k[0]);
    }
  }
  rcc_pool_destroy(pool);
  unload_it(&inside);
  unload_it(&apart);
}

static void other_memory_is_refused(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Model l = load_with(two_of_each("2"), WEIGHTS_FILE);
  static float image[2 * IMAGE], d[2 * D];
  static int64_t index[2 * INDEX], k[2 * INDEX];
  void *out[] = {d, k};
  char *all = weights_of(&l);
  assert_int_equal(l.m->run((const void *[]){image, index, all}, out, 1, l.work, l.size, NULL), RCC_OK);
  assert_int_equal(l.m->run((const void *[]){image, index, NULL}, out, 1, l.work, l.size, NULL), RCC_ERR_WEIGHTS);
  assert_int_equal(l.m->run((const void *[]){image, index, all + 32}, out, 1, l.work, l.size, NULL), RCC_ERR_WEIGHTS);
  assert_int_equal(l.m->run(NULL, out, 1, l.work, l.size, NULL), RCC_ERR_ARGUMENT);
  for (int i = 0; i < 32; i++) { /* magic, version, size and half of the id */
    all[i] ^= 1;
    assert_int_equal(l.m->run((const void *[]){image, index, all}, out, 1, l.work, l.size, NULL), RCC_ERR_WEIGHTS);
    all[i] ^= 1;
  }
  unload_it(&l);
}

/* More parameters than fit into registers go through loops. */
static void behind_many_inputs(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  enum { N = 20 };
  Buffer text = {0};
  buffer_printf(&text, "graph net\nconst w f32 [3] = {1, 2, 3}\n");
  for (int i = 0; i < N; i++) buffer_printf(&text, "input x%d f32 [3]\ny%d = Add(x%d, w)\noutput y%d\n", i, i, i, i);
  Model l = load_with(text.data, WEIGHTS_FILE);
  typedef int Run(const float *, const float *, const float *, const float *, const float *, const float *, const float *, const float *,
                  const float *, const float *, const float *, const float *, const float *, const float *, const float *, const float *,
                  const float *, const float *, const float *, const float *, const void *, float *, float *, float *, float *, float *,
                  float *, float *, float *, float *, float *, float *, float *, float *, float *, float *, float *, float *, float *,
                  float *, float *, void *, size_t, const rcc_parallel *);
  Run *run = (Run *)jit_symbol(cx, l.jit, "net_run");
  static float x[3] = {1, 1, 1}, y[N][3];
  assert_int_equal(run(x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, weights_of(&l), y[0], y[1], y[2], y[3], y[4], y[5],
                       y[6], y[7], y[8], y[9], y[10], y[11], y[12], y[13], y[14], y[15], y[16], y[17], y[18], y[19], l.work, l.size,
                       NULL), RCC_OK);
  for (int i = 0; i < N; i++) assert_true(y[i][0] == 2 && y[i][1] == 3 && y[i][2] == 4);
  unload_it(&l);
  buffer_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(results_are_those_of_the_object, setup, teardown),
    cmocka_unit_test_setup_teardown(other_memory_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(behind_many_inputs, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
