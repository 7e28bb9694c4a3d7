/* object_test.c: the object file, its interface and its loading. What kernels compute is tested beside
 * them. */
#include "each_context.h"

#include "emit.h"
#include "loaded.h"

#include <elf.h>
#include <math.h>
#include <stdlib.h>

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.input = "tiny.onnx", .max_memory = 1 << 30};
  return 0;
}

static const char tiny[] = "graph tiny\n"
                           "input x f32 [N,3,9,7]\n"
                           "const w f32 [10,3,3,3] = random 7 -0.5 0.5\n"
                           "const v f32 [10,10,1,1] = random 8 -0.5 0.5\n"
                           "y = Conv(x, w, _) pads=[1,1,1,1]\n"
                           "z = Conv(y, v, _)\n"
                           "output z\n";
enum { IN = 3 * 9 * 7, OUT = 10 * 9 * 7 };

static Graph *unplanned(const char *text) {
  Graph *g = text_parse(cx, &options, text);
  g->name = "net";
  return g;
}

static Build *planned(const char *text) { return build_of(unplanned(text), NULL); }

/* The file as one piece. */
static char *file_of(const Object *o) {
  char *file = alloc(cx, o->size + o->tail_size);
  memcpy(file, o->data, o->size);
  memcpy(file + o->size, o->tail, o->tail_size);
  return file;
}

static void same_bytes_every_time(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Object a, b;
  object_emit(planned(tiny), &a);
  object_emit(planned(tiny), &b);
  assert_int_equal(a.size, b.size);
  assert_int_equal(a.tail_size, b.tail_size);
  assert_memory_equal(file_of(&a), file_of(&b), a.size + a.tail_size);
}

static const Elf64_Shdr *section_at(const char *file, size_t offset) {
  const Elf64_Ehdr *elf = (const Elf64_Ehdr *)file;
  const Elf64_Shdr *s = (const Elf64_Shdr *)(file + elf->e_shoff);
  for (int i = 1; i < elf->e_shnum; i++) {
    if (s[i].sh_offset == offset) return &s[i];
  }
  return NULL;
}

static void weights_are_a_read_only_section(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b = planned(tiny);
  Object o;
  object_emit(b, &o);
  assert_ptr_equal(o.tail, b->weights);
  assert_int_equal(o.tail_size, b->weights_size);
  const Elf64_Shdr *s = section_at(file_of(&o), o.size);
  assert_non_null(s);
  assert_int_equal(s->sh_size, o.tail_size);
  assert_int_equal(s->sh_addralign, 64);
  assert_int_equal(s->sh_offset % 64, 0);
  assert_int_equal(s->sh_flags, SHF_ALLOC);
}

static void text_is_whole(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Object o;
  options.emit = EMIT_ASM;
  object_emit(planned(tiny), &o);
  assert_non_null(strstr(format_text(cx, "%.*s", (int)o.size, o.data), "\nnet_run:"));
  assert_int_equal(o.tail_size, 0);
  options.emit = EMIT_LLVM;
  object_emit(planned(tiny), &o);
  assert_non_null(strstr(format_text(cx, "%.*s", (int)o.size, o.data), "@net_run("));
  assert_int_equal(o.tail_size, 0);
}

static void text_without_weights(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Object o;
  options.emit = EMIT_ASM;
  object_emit(planned("graph bare\ninput x f32 [1,5]\ny = Relu(x)\noutput y\n"), &o);
  assert_non_null(strstr(format_text(cx, "%.*s", (int)o.size, o.data), "\nnet_run:"));
}

/* Weights of the next turn, a stream. */
static const char *assembly_for(const char *cpu) {
  static const char stream[] = "graph stream\ninput x f32 [1,1024,7,7]\nconst w f32 [512,1024,1,1] = splat 1\n"
                               "y = Conv(x, w, _)\noutput y\n";
  Options of = {.input = "stream.onnx", .max_memory = 1 << 30, .cpu = cpu, .emit = EMIT_ASM, .strassen = STRASSEN_OFF};
  options = of;
  Object o;
  object_emit(build_of(unplanned(stream), target_new(cx, &of)), &o);
  const char *text = format_text(cx, "%.*s", (int)o.size, o.data);
  return text;
}

static void weights_are_fetched_to_the_cpus_level(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *zen = assembly_for("znver5"), *intel = assembly_for("sapphirerapids");
  assert_true(strstr(zen, "prefetcht0") && !strstr(zen, "prefetcht1"));
  assert_true(strstr(intel, "prefetcht1") && !strstr(intel, "prefetcht0"));
}

static void too_many_weights_are_refused(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b = planned(tiny);
  b->weights_size = INT64_C(2) << 30;
  Object o;
  EXPECT_FAIL(cx, object_emit(b, &o), "test: its weights take 2.00 GiB, code can address 1.88 GiB");
}

static void too_much_code_is_refused(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b = planned(tiny);
  while (arena_left(cx->arena) > 200 << 10) alloc(cx, 64 << 10); /* less than the code of a convolution takes */
  static const char text[] = "needs too much code: compiling what there is so far takes ";
  Object o;
  if (setjmp(cx->unwind) == 0) {
    object_emit(b, &o);
    fail_msg("no error");
  }
  assert_non_null(strstr(cx->error, text));
  assert_non_null(strstr(cx->error, " (Conv): "));
}

static void notes_have_an_end(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Buffer text = {0}, few = {0}, many = {0};
  buffer_printf(&text, "graph net\n");
  for (int i = 0; i < 200; i++) {
    buffer_printf(&text, "input name_of_input_%d f32 [3]\ny%d = Relu(name_of_input_%d)\noutput y%d\n", i, i, i, i);
  }
  note_print(planned(tiny), &few);
  assert_true(json_is_object(few.data, few.size));
  assert_non_null(strstr(few.data, "\"inputs\": [{\"name\": \"x\", \"type\": \"f32\", \"shape\": [\"N\", 3, 9, 7]}]"));
  note_print(planned(text.data), &many);
  assert_true(many.size <= NOTE_MAX && json_is_object(many.data, many.size));
  assert_non_null(strstr(many.data, "\"inputs\": 200, \"outputs\": 200"));
  buffer_free(&text);
  buffer_free(&few);
  buffer_free(&many);
}

/* ==== the interface ==== */

typedef struct Ready {
  Loaded loaded;
  const rcc_model *model;
  void *work;
  size_t work_size;
} Ready;

static Ready load_model(void) {
  Ready r = {.loaded = load_graph(unplanned(tiny), NULL)};
  r.model = r.loaded.model;
  r.work_size = r.model->workspace_size(1, 2);
  r.work = rcc_workspace_alloc(r.work_size);
  return r;
}

static void unload_model(Ready *r) {
  rcc_workspace_free(r->work, r->work_size);
  unload(&r->loaded);
}

static void table_describes_the_model(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model();
  const rcc_model *m = l.model;
  static const int64_t in[] = {-1, 3, 9, 7}, out[] = {-1, 10, 9, 7};
  assert_int_equal(m->abi, RCC_ABI);
  assert_int_equal(m->flags, 1);
  assert_string_equal(m->name, "net");
  assert_int_equal(m->n_inputs, 1);
  assert_int_equal(m->n_outputs, 1);
  assert_string_equal(m->inputs[0].name, "x");
  assert_string_equal(m->outputs[0].name, "z");
  assert_int_equal(m->inputs[0].type, 1);
  assert_int_equal(m->inputs[0].rank, 4);
  assert_memory_equal(m->inputs[0].dims, in, sizeof in);
  assert_memory_equal(m->outputs[0].dims, out, sizeof out);
  unload_model(&l);
}

static void bad_arguments_are_error_codes(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model();
  const rcc_model *m = l.model;
  static float x[IN], z[OUT];
  const void *in[] = {x}, *no_in[] = {NULL};
  void *out[] = {z}, *no_out[] = {NULL};
  size_t need = m->workspace_size(1, 1);
  const rcc_parallel nobody = {0};
  char *work = l.work;
  assert_int_equal(m->run(in, out, 1, work, need, NULL), RCC_OK);
  assert_int_equal(m->run(NULL, out, 1, work, need, NULL), RCC_ERR_ARGUMENT);
  assert_int_equal(m->run(in, NULL, 1, work, need, NULL), RCC_ERR_ARGUMENT);
  assert_int_equal(m->run(no_in, out, 1, work, need, NULL), RCC_ERR_ARGUMENT);
  assert_int_equal(m->run(in, no_out, 1, work, need, NULL), RCC_ERR_ARGUMENT);
  assert_int_equal(m->run(in, out, 1, work, need, &nobody), RCC_ERR_ARGUMENT);
  assert_int_equal(m->run(no_in, no_out, 0, work, need, NULL), RCC_OK);
  assert_int_equal(m->run(in, out, -1, work, need, NULL), RCC_ERR_SHAPE);
  assert_int_equal(m->run(in, out, 1, work, need - 1, NULL), RCC_ERR_WORKSPACE);
  assert_int_equal(m->run(in, out, 1, work + 32, need, NULL), RCC_ERR_WORKSPACE);
  assert_int_equal(m->run(in, out, 1, NULL, need, NULL), RCC_ERR_WORKSPACE);
  unload_model(&l);
}

static void cpus_that_lack_a_feature_are_refused(void **state) {
  (void)state;
  if (rcc_cpu_check(RCC_CPU_AVX512FP16 | RCC_CPU_AMX_TILE) == RCC_OK) skip();
  EXPECT_NO_FAIL(cx);
  options.cpu = "sapphirerapids";
  Ready l = load_model();
  static float x[IN], z[OUT];
  const void *in[] = {x};
  void *out[] = {z};
  assert_int_equal(l.model->run(in, out, 1, l.work, l.work_size, NULL), RCC_ERR_CPU);
  unload_model(&l);
}

/* One thread or two, one image or three: the same numbers, those of eval. */
static void computes_what_eval_does(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model();
  enum { IMAGES = 3 };
  static float x[IMAGES * IN], z[IMAGES * OUT], alone[IMAGES * OUT];
  for (int i = 0; i < IMAGES * IN; i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
  Graph *g = text_parse(cx, &options, tiny);
  pass_shape(g);
  pass_batch(g);
  rcc_pool *pool = rcc_pool_create(2);
  const void *in[] = {x};
  void *out[] = {z}, *out_alone[] = {alone};
  assert_int_equal(l.model->run(in, out, IMAGES, l.work, l.work_size, rcc_pool_parallel(pool)), RCC_OK);
  assert_int_equal(l.model->run(in, out_alone, IMAGES, l.work, l.work_size, NULL), RCC_OK);
  assert_memory_equal(z, alone, sizeof z);
  for (int k = 0; k < IMAGES; k++) {
    const void *image[] = {x + k * IN};
    void *expected[1];
    eval_graph(g, image, expected);
    for (int i = 0; i < OUT; i++) assert_true(fabsf(z[k * OUT + i] - ((float *)expected[0])[i]) < 1e-4f);
  }
  rcc_pool_destroy(pool);
  unload_model(&l);
}

static void objects_that_ask_for_more_do_not_load(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Object o;
  object_emit(planned(tiny), &o);
  char *file = memmem(o.data, o.size, "rcc_cpu_check", 13);
  assert_non_null(file);
  memcpy(file, "rcc_cpu_chuck", 13);
  if (setjmp(cx->unwind) == 0) {
    jit_open(cx, "net", &o);
    fail_msg("an unknown symbol was found");
  }
  assert_non_null(strstr(cx->error, "test: the object does not load: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(same_bytes_every_time),
    TEST(weights_are_a_read_only_section),
    TEST(text_is_whole), TEST(text_without_weights), TEST(weights_are_fetched_to_the_cpus_level),
    TEST(too_many_weights_are_refused),
    TEST(too_much_code_is_refused),
    TEST(notes_have_an_end),
    TEST(table_describes_the_model),
    TEST(bad_arguments_are_error_codes),
    TEST(cpus_that_lack_a_feature_are_refused),
    TEST(computes_what_eval_does),
    TEST(objects_that_ask_for_more_do_not_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
