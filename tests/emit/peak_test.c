/* peak_test.c: the peak's function does the multiply-adds that are counted, in the values of its task. */
#include <string.h>

#include "emit.h"
#include "fixture.h"

enum { MAX_FLOATS = 3 * 32 * 16 };

/* Chain k of task t begins at k + 1/4 and gets a one with every step; all of it is exact. */
static void fill(float *values, int floats, int vectors, int lanes) {
  for (int i = 0; i < 3 * floats; i++) {
    int vector = i % floats / lanes;
    values[i] = vector >= vectors - 2 ? 1 : (float)vector + 0.25f;
  }
}

static void check_task(const float *values, int vectors, int lanes, float added) {
  for (int i = 0; i < (vectors - 2) * lanes; i++) {
    float begin = (float)(i / lanes) + 0.25f;
    assert_true(values[i] == begin + added);
  }
}

static void check_peak(const char *cpu, int lanes, int regs) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Options opt = {.cpu = cpu, .max_memory = 1 << 30};
  Graph *g = graph_new(cx, &opt);
  g->name = "net";
  Target *t = target_new(cx, &opt);
  if (lanes) t->lanes = lanes, t->regs = regs;
  Object object;
  object_emit_peak(build_new(g, &opt, t), &object);
  Jit *jit = jit_load(cx, &object);
  void (*peak)(float *, int32_t, int32_t) =
    (void (*)(float *, int32_t, int32_t))(uintptr_t)jit_symbol(cx, jit, "peak");
  static float values[MAX_FLOATS];
  int vectors = peak_vectors(t), floats = vectors * t->lanes;
  fill(values, floats, vectors, t->lanes);
  peak(values, 1, 0);
  for (int task = 0; task < 3; task++) {
    check_task(values + task * floats, vectors, t->lanes, task == 1 ? PEAK_STEPS : 0);
  }
  jit_close(jit);
  context_free(cx);
}

static void every_chain_makes_every_step(void **state) {
  (void)state;
  check_peak(NULL, 0, 0);
  check_peak("x86-64", 0, 0);
  check_peak(NULL, 16, 32);
}

static void a_missing_name_is_told(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.max_memory = 1 << 30};
  Graph *g = graph_new(cx, &opt);
  g->name = "net";
  Object object;
  object_emit_peak(build_new(g, &opt, target_new(cx, &opt)), &object);
  EXPECT_FAIL(cx, jit_symbol(cx, jit_load(cx, &object), "valley"),
              "test: the object does not load: Symbols not found: [ valley ]");
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_chain_makes_every_step),
    cmocka_unit_test(a_missing_name_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
