/* threads_test.c: a model that several threads run at once, each with a workspace of its own, alone and with a pool to lend it
 * workers. ThreadSanitizer (preset `tsan`) watches the runtime; generated code is not instrumented. */
#include "fixture.h"
#include "loaded.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, RUNS = 25, IMAGES = 3, INPUT = 8 * 12 * 12, OUTPUT = 5 };

static const char text[] = "graph shared\n"
                           "input x f32 [N,8,12,12]\n"
                           "const w f32 [24,8,3,3] = random 1 -0.2 0.2\n"
                           "const v f32 [24,24,3,3] = random 2 -0.1 0.1\n"
                           "const m f32 [24,5] = random 3 -0.5 0.5\n"
                           "a = Conv(x, w, _) pads=[1,1,1,1]\n"
                           "b = Relu(a)\n"
                           "c = Conv(b, v, _) pads=[1,1,1,1]\n"
                           "d = Add(c, b)\n"
                           "e = GlobalAveragePool(d)\n"
                           "f = Flatten(e)\n"
                           "y = MatMul(f, m)\n"
                           "output y\n";

static const rcc_model *model;
static float input[IMAGES * INPUT], expected[IMAGES * OUTPUT];

static bool run(const rcc_parallel *par, float *output) {
  size_t size = model->workspace_size(IMAGES, par ? par->threads : 1);
  void *work = rcc_workspace_alloc(size);
  const void *in[] = {input};
  void *out[] = {output};
  int error = work ? model->run(in, out, IMAGES, work, size, par) : RCC_ERR_WORKSPACE;
  rcc_workspace_free(work, size);
  return error == RCC_OK;
}

/* `pool` says whether the thread makes one. */
static void *run_often(void *pool) {
  rcc_pool *own = pool ? rcc_pool_create(3) : NULL;
  const rcc_parallel *par = own ? rcc_pool_parallel(own) : NULL;
  bool ok = !pool || own;
  for (int i = 0; ok && i < RUNS; i++) {
    float output[IMAGES * OUTPUT] = {0};
    ok = run(par, output) && memcmp(output, expected, sizeof output) == 0;
  }
  if (own) rcc_pool_destroy(own);
  return ok ? NULL : &model;
}

static void check_threads(bool pools) {
  pthread_t thread[THREADS];
  void *failed = NULL;
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&thread[i], NULL, run_often, pools ? &model : NULL), 0);
  for (int i = 0; i < THREADS; i++) {
    void *bad;
    assert_int_equal(pthread_join(thread[i], &bad), 0);
    if (bad) failed = bad;
  }
  assert_null(failed);
}

static void threads_share_a_model(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Options opt = {.max_memory = 1 << 30};
  Graph *g = text_parse(cx, &opt, text);
  Loaded l = load_graph(g, NULL);
  model = l.model;
  for (int i = 0; i < IMAGES * INPUT; i++) input[i] = (float)(i % 23) * 0.1f - 1;
  assert_true(run(NULL, expected));
  assert_true(expected[0] != 0);
  check_threads(false);
  check_threads(true);
  unload(&l);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_a_model)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
