/* build_test.c: one import serves several builds. */
#include "each_context.h"

static const char *const cpus[] = {"x86-64", "haswell", "skylake-avx512"};

/* For the same system everywhere. */
static Options options_for(const char *model, const char *cpu) {
  return (Options){.input = model, .cpu = cpu, .triple = "x86_64-linux-gnu", .max_memory = 1 << 30, .verify = true};
}

static Graph *imported(const Options *opt) {
  cx->file = opt->input;
  Graph *g = import_model(cx, opt);
  g->name = "net";
  front_run(g, NULL, NULL);
  return g;
}

static Object object_of(Graph *g, const Options *opt) {
  Object o;
  Build *b = build_new(g, opt, target_new(cx, opt));
  build_run(b, NULL, NULL);
  object_emit(b, &o);
  return o;
}

static void assert_same(const Object *a, const Object *b, const Options *opt) {
  bool same = a->size == b->size && a->tail_size == b->tail_size && memcmp(a->data, b->data, a->size) == 0 &&
              memcmp(a->tail, b->tail, a->tail_size) == 0;
  if (!same) fail_msg("%s for %s is another object", opt->input, opt->cpu);
}

/* What is compiled from a copy of the one graph is what is compiled from an import of its own. */
static void check_model(const char *model) {
  EXPECT_NO_FAIL(cx);
  const Options first = options_for(model, cpus[0]);
  Graph *g = imported(&first);
  const char *before = graph_text(g);
  for (size_t i = 0; i < COUNT(cpus); i++) {
    const Options opt = options_for(model, cpus[i]);
    Object copy = object_of(graph_copy(cx, g), &opt), own = object_of(imported(&opt), &opt);
    assert_same(&copy, &own, &opt);
  }
  assert_string_equal(graph_text(g), before);
}

static void one_import_serves_several_targets(void **state) {
  (void)state;
  static const char *const models[] = {"bottleneck", "two_heads", "resnext", "squeeze_excite"};
  for (size_t i = 0; i < COUNT(models); i++) check_model(format_text(cx, "models/%s/model.onnx", models[i]));
}

/* The copy lives in a context of its own, and goes with it. */
static void copies_may_be_in_other_memory(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Options opt = options_for("models/basic/model.onnx", "haswell");
  Graph *g = imported(&opt);
  const char *before = graph_text(g);
  Context own = {.file = cx->file, .max_memory = cx->max_memory, .arena = arena_new(cx->max_memory)};
  if (setjmp(own.unwind)) fail_msg("%s", own.error);
  Graph *copy = graph_copy(&own, g);
  assert_string_equal(graph_text(copy), before);
  int64_t used = arena_used(cx->arena);
  build_run(build_new(copy, &opt, target_new(&own, &opt)), NULL, NULL);
  assert_int_equal(arena_used(cx->arena), used);
  arena_free(own.arena);
  assert_string_equal(graph_text(g), before);
}

/* Code for one image and for groups of them. */
static void code_is_made_in_the_context_in_use(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const Options opt = {.name = "t", .max_memory = 1 << 30, .image_nodes = 2, .images_together = 1};
  Graph *g = text_parse(cx, &opt, "graph g\ninput x f32 [N,16,8,8]\nconst w f32 [16,16,3,3] = random 1 -1 1\n"
                        "a = Conv(x, w) pads=[1,1,1,1]\nb = Relu(a)\noutput b\n");
  front_run(g, NULL, NULL);
  Build *b = build_new(g, &opt, target_new(cx, &opt));
  build_run(b, NULL, NULL);
  assert_non_null(b->group);
  int64_t used = arena_used(cx->arena);
  Context own = {.file = cx->file, .max_memory = cx->max_memory, .arena = arena_new(cx->max_memory)};
  if (setjmp(own.unwind)) fail_msg("%s", own.error);
  assert_ptr_equal(build_use(b, &own), cx);
  Object o;
  object_emit(b, &o);
  assert_int_equal(arena_used(cx->arena), used);
  assert_true(arena_used(own.arena) > (int64_t)o.size);
  assert_ptr_equal(build_use(b, cx), &own);
  arena_free(own.arena);
}

/* Every part of a graph: epilogues, attributes, outputs that are inputs, a symbolic batch. */
static void copies_have_everything(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const Options opt = {.name = "t", .max_memory = 1 << 30, .verify = true};
  Graph *g = text_parse(cx, &opt, "graph g\ninput x f32 [N,4]\nconst k f32 [4] = {1, 2, 3, 4}\n"
                        "y = Pointwise(x, k) | Add(@1) | Clip(0, 6)\na, b = Split(y) axis=1\nz = Relu(a)\n"
                        "output z\noutput b\noutput x\n");
  front_run(g, NULL, NULL);
  Graph *copy = graph_copy(cx, g);
  verify(copy, "copy");
  assert_string_equal(graph_text(copy), graph_text(g));
  assert_true(copy->symbolic && copy->output_shape[0].d[0] == -1);
  for (int i = 0; i < copy->n_node; i++) assert_ptr_not_equal(copy->node[i], g->node[i]);
  copy->node[0]->n_step = 0;
  assert_string_not_equal(graph_text(copy), graph_text(g));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(one_import_serves_several_targets, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(copies_may_be_in_other_memory, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(code_is_made_in_the_context_in_use, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(copies_have_everything, context_setup, context_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
