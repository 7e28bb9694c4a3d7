/* entry_test.c: the object's interface from outside: symbols, the table, arguments checked one by one, any batch. What
 * object_test.c has of a model with one input is not repeated, and threads are in threads_test.c. */
#include "entry_fixture.h"

#include <elf.h>
#include <math.h>
#include <stdlib.h>

/* ==== many inputs and outputs ==== */

/* y[i] = x[i] + i, for a batch, through the typed function and the table. */
static void many_tensors(void **state) {
  (void)state;
  enum { N = 20, BATCH = 3 };
  EXPECT_NO_FAIL(cx);
  Buffer text = {0};
  buffer_printf(&text, "graph net\n");
  for (int i = 0; i < N; i++) buffer_printf(&text, "input x%d f32 [N,2]\nconst c%d f32 [] = {%d}\n", i, i, i);
  for (int i = 0; i < N; i++) buffer_printf(&text, "y%d = Add(x%d, c%d)\noutput y%d\n", i, i, i, i);
  Ready l = load_model(text.data);
  buffer_free(&text);
  float x[N][BATCH * 2], y[2][N][BATCH * 2];
  const void *in[N];
  void *out[N];
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < BATCH * 2; k++) x[i][k] = (float)(100 * i + k);
    in[i] = x[i];
    out[i] = y[1][i];
  }
#define FOUR(v, i) v[i], v[i + 1], v[i + 2], v[i + 3]
#define ALL(v) FOUR(v, 0), FOUR(v, 4), FOUR(v, 8), FOUR(v, 12), FOUR(v, 16)
#define FOUR_OF(t) t, t, t, t
#define ALL_OF(t) FOUR_OF(t), FOUR_OF(t), FOUR_OF(t), FOUR_OF(t), FOUR_OF(t)
  typedef int Run(int64_t batch, ALL_OF(const float *), ALL_OF(float *), void *work, size_t size, const rcc_parallel *par);
  Run *run = (Run *)(uintptr_t)jit_symbol(cx, l.loaded.jit, "net_run");
  assert_int_equal(run(BATCH, ALL(x), ALL(y[0]), l.work, l.size, NULL), RCC_OK);
  assert_int_equal(l.m->run(in, out, BATCH, l.work, l.size, NULL), RCC_OK);
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < BATCH * 2; k++) {
      assert_true(y[0][i][k] == x[i][k] + (float)i && y[1][i][k] == y[0][i][k]);
    }
  }
  in[17] = NULL;
  assert_int_equal(l.m->run(in, out, BATCH, l.work, l.size, NULL), RCC_ERR_ARGUMENT);
  unload_model(&l);
}

/* ==== symbols ==== */

static const Elf64_Shdr *find_section(const char *file, uint32_t type) {
  const Elf64_Ehdr *elf = (const void *)file;
  const Elf64_Shdr *s = (const void *)(file + elf->e_shoff);
  for (int i = 0; i < elf->e_shnum; i++) {
    if (s[i].sh_type == type) return &s[i];
  }
  fail_msg("no section of type %u", type);
  return NULL;
}

/* "net_model net_run" or such: the names of the global symbols, in alphabetical order, defined or not. */
static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static const char *globals_of(const char *file, bool defined) {
  const Elf64_Ehdr *elf = (const void *)file;
  const Elf64_Shdr *table = find_section(file, SHT_SYMTAB);
  const Elf64_Shdr *strings = (const Elf64_Shdr *)(const void *)(file + elf->e_shoff) + table->sh_link;
  const Elf64_Sym *s = (const void *)(file + table->sh_offset);
  const char *name[64];
  size_t n = 0;
  for (size_t i = 1; i < table->sh_size / sizeof *s; i++) {
    if (ELF64_ST_BIND(s[i].st_info) == STB_LOCAL || (s[i].st_shndx != SHN_UNDEF) != defined) continue;
    assert_true(n < COUNT(name));
    name[n++] = file + strings->sh_offset + s[i].st_name;
  }
  qsort(name, n, sizeof *name, by_name);
  const char *list = "";
  for (size_t i = 0; i < n; i++) list = format_text(cx, "%s%s%s", list, i ? " " : "", name[i]);
  return list;
}

static void only_two_symbols_are_global(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model(two_of_each("N"));
  assert_string_equal(globals_of(l.loaded.object.data, true), "net_model net_run");
  char rest[128];
  snprintf(rest, sizeof rest, "%s", globals_of(l.loaded.object.data, false));
  char *place = rest;
  for (char *name = strtok_r(rest, " ", &place); name; name = strtok_r(NULL, " ", &place)) {
    bool known = strcmp(name, "rcc_cpu_check") == 0 || strcmp(name, "memcpy") == 0 ||
                 strcmp(name, "memset") == 0;
    if (!known) fail_msg("the object asks for %s", name);
  }
  assert_non_null(strstr(globals_of(l.loaded.object.data, false), "rcc_cpu_check"));
  unload_model(&l);
}

/* ==== the table ==== */

static void assert_tensor(const rcc_tensor *t, const char *name, int type, int rank, const int64_t *dims) {
  assert_string_equal(t->name, name);
  assert_int_equal(t->type, type);
  assert_int_equal(t->rank, rank);
  assert_memory_equal(t->dims, dims, (size_t)rank * sizeof *dims);
}

static void check_table(const char *batch, int64_t number, unsigned flags) {
  EXPECT_NO_FAIL(cx);
  Ready l = load_model(two_of_each(batch));
  const rcc_model *m = l.m;
  assert_int_equal(m->abi, RCC_ABI);
  assert_int_equal(m->flags, flags);
  assert_string_equal(m->name, "net");
  assert_int_equal(m->n_inputs, 2);
  assert_int_equal(m->n_outputs, 2);
  assert_tensor(&m->inputs[0], "image", T_F32, 4, (int64_t[]){number, 3, 6, 5});
  assert_tensor(&m->inputs[1], "index", T_I64, 2, (int64_t[]){number, 4});
  assert_tensor(&m->outputs[0], "d", T_F32, 4, (int64_t[]){number, 20, 6, 5});
  assert_tensor(&m->outputs[1], "k", T_I64, 2, (int64_t[]){number, 4});
  const char *cpu = host_cpu(cx);
  assert_memory_equal(m->target, cpu, strlen(cpu));
  assert_non_null(strstr(m->target, " +sse3"));
  unload_model(&l);
}

static void tables_of_symbolic_and_fixed_batches(void **state) {
  (void)state;
  check_table("N", -1, 1);
  check_table("2", 2, 0);
}

static void tables_of_scalars_and_no_inputs(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model("graph net\ninput x f32 []\ny = Relu(x)\nz = Identity(x)\noutput y\noutput z\n");
  assert_int_equal(l.m->inputs[0].rank, 0);
  assert_int_equal(l.m->outputs[1].rank, 0);
  unload_model(&l);
  l = load_model("graph net\nconst c f32 [3] = {1, 2, 3}\ny = Identity(c)\noutput y\n");
  assert_int_equal(l.m->n_inputs, 0);
  float y[3] = {0};
  void *out[] = {y};
  assert_int_equal(l.m->run(NULL, out, 1, NULL, 0, NULL), RCC_OK); /* no inputs, no workspace */
  assert_true(y[0] == 1 && y[1] == 2 && y[2] == 3);
  unload_model(&l);
}

/* ==== arguments ==== */

static void workspace_grows_with_threads_alone(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model(two_of_each("N"));
  size_t (*size)(int64_t, int32_t) = l.m->workspace_size;
  assert_true(size(1, 1) > 0);
  assert_true(size(1, 2) - size(1, 1) == size(1, 3) - size(1, 2)); /* the same for each thread */
  assert_int_equal(size(1, 1), size(100, 1));                      /* images go one after the other, ... */
  assert_int_equal(size(2, 2), 2 * size(1, 1)); /* ... or each thread has its own */
  assert_int_equal(size(7, 3), 3 * size(1, 1));
  assert_int_equal(size(2, 3), size(1, 3));
  assert_int_equal(size(0, 1), size(1, 1));
  assert_int_equal(size(0, 3), size(1, 3));
  assert_int_equal(size(-1, 1), 0);
  assert_int_equal(size(INT64_MIN, 1), 0);
  assert_int_equal(size(1, 0), 0);
  assert_int_equal(size(1, -1), 0);
  assert_int_equal(size(1, INT32_MIN), 0);
  unload_model(&l);
}

/* Two billion threads of a workspace that is too large for so many. */
static void absurd_threads_have_no_workspace(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Options before = options;
  options.max_memory = cx->max_memory = INT64_C(64) << 30;
  Ready l = load_model("graph net\ninput x f32 [N,65536,1]\ninput z f32 [N,1,65536]\na = Add(x, z)\nb = Softmax(a)\n"
                        "y = GlobalMaxPool(b)\noutput y\n");
  options = before;
  size_t one = l.m->workspace_size(1, 1);
  assert_true(one > UINT64_C(8) << 30);
  size_t most = l.m->workspace_size(INT32_MAX, INT32_MAX);
  assert_true(most == 0 || most / INT32_MAX >= one / 2);
  unload_model(&l);
}

/* Into so many tasks as are lent, but not more than 2^16. */
static int32_t most_tasks;

static void first_and_last(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg, int32_t count) {
  (void)self;
  if (count > most_tasks) most_tasks = count;
  for (int32_t i = 0; i < count; i++) task(arg, i, 0);
}

static void a_layer_has_a_bounded_number_of_tasks(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model("graph net\ninput x f32 [N,500]\ny = Relu(x)\noutput y\n");
  static float x[500], y[500];
  for (int i = 0; i < 500; i++) x[i] = (float)i;
  const void *in[] = {x};
  void *out[] = {y};
  rcc_parallel par = {.threads = INT32_MAX, .run = first_and_last};
  size_t size = l.m->workspace_size(1, INT32_MAX);
  assert_true(size < 4096); /* none at all: no scratch */
  assert_int_equal(l.m->run(in, out, 1, l.work, l.size, &par), RCC_OK);
  assert_memory_equal(x, y, sizeof x);
  assert_true(most_tasks <= 1 << 16);
  unload_model(&l);
}

/* One call of run; each field is what the test breaks. */
typedef struct Call {
  const void *in[2];
  void *out[2];
  int64_t batch;
  char *work;
  size_t size;
  int32_t threads;
  bool no_inputs, no_outputs;
} Call;

static void never_called(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg,
                         int32_t count) {
  (void)self, (void)task, (void)arg, (void)count;
  fail_msg("tasks run in spite of an error");
}

static int run(const rcc_model *m, const Call *c) {
  rcc_parallel par = {.threads = c->threads, .run = never_called};
  return m->run(c->no_inputs ? NULL : c->in, c->no_outputs ? NULL : c->out, c->batch, c->work, c->size,
                c->threads == 1 ? NULL : &par);
}

static void check_errors(const char *batch) {
  EXPECT_NO_FAIL(cx);
  Ready l = load_model(two_of_each(batch));
  static float image[IMAGE], d[D], untouched[D];
  static int64_t index[INDEX], k[INDEX];
  memset(d, 0x55, sizeof d);
  memcpy(untouched, d, sizeof d);
  const Call good = {{image, index}, {d, k}, 1, l.work, l.m->workspace_size(1, 1), 1, false, false};
  struct { Call call; int error; } cases[] = {
    {good, RCC_ERR_ARGUMENT}, {good, RCC_ERR_ARGUMENT}, {good, RCC_ERR_ARGUMENT}, {good, RCC_ERR_ARGUMENT},
    {good, RCC_ERR_ARGUMENT}, {good, RCC_ERR_ARGUMENT}, {good, RCC_ERR_ARGUMENT}, {good, RCC_ERR_ARGUMENT},
    {good, RCC_ERR_SHAPE}, {good, RCC_ERR_SHAPE}, {good, RCC_ERR_SHAPE},
    {good, RCC_ERR_WORKSPACE}, {good, RCC_ERR_WORKSPACE}, {good, RCC_ERR_WORKSPACE},
    {good, RCC_ERR_WORKSPACE}, {good, RCC_ERR_WORKSPACE},
  };
  cases[0].call.no_inputs = true;
  cases[1].call.no_outputs = true;
  cases[2].call.in[0] = NULL;
  cases[3].call.in[1] = NULL;
  cases[4].call.out[0] = NULL;
  cases[5].call.out[1] = NULL;
  cases[6].call.threads = 0;
  cases[7].call.threads = -1;
  cases[8].call.batch = INT64_MAX;
  cases[9].call.batch = -1;
  cases[10].call.batch = INT64_MIN;
  cases[11].call.size = good.size - 1;
  cases[12].call.size = 0;
  cases[13].call.work = NULL;
  cases[14].call.work = l.work + 4;
  cases[15].call.work = l.work + 32;
  for (size_t i = 0; i < COUNT(cases); i++) {
    int error = run(l.m, &cases[i].call);
    if (error != cases[i].error) fail_msg("case %d: %s", (int)i, rcc_strerror(error));
    assert_memory_equal(d, untouched, sizeof d);
  }
  assert_int_equal(run(l.m, &good), RCC_OK);
  unload_model(&l);
}

static void bad_arguments_are_found_before_anything_is_written(void **state) {
  (void)state;
  check_errors("N");
  check_errors("1");
}

static void fixed_batches_are_one_run(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model(two_of_each("2"));
  static float image[2 * IMAGE], d[2 * D];
  static int64_t index[2 * INDEX], k[2 * INDEX];
  Call c = {{image, index}, {d, k}, 2, l.work, l.size, 1, false, false};
  assert_int_equal(run(l.m, &c), RCC_ERR_SHAPE); /* the batch is part of the shape, not an argument */
  c.batch = 1;
  assert_int_equal(run(l.m, &c), RCC_OK);
  assert_int_equal(k[2 * INDEX - 1], 3);
  unload_model(&l);
}

/* ==== batches ==== */

static void expect_image(Graph *g, const float *image, const int64_t *index, const float *d,
                         const int64_t *k) {
  const void *in[] = {image, index};
  void *want[2];
  eval_graph(g, in, want);
  for (int i = 0; i < D; i++) assert_true(fabsf(d[i] - ((float *)want[0])[i]) < 1e-5f);
  assert_memory_equal(k, want[1], INDEX * sizeof *k);
}

static void any_batch_is_so_many_images(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Ready l = load_model(two_of_each("N"));
  Graph *g = text_parse(cx, &options, two_of_each("N"));
  pass_shape(g);
  pass_batch(g);
  static float image[MOST * IMAGE], d[(MOST + 1) * D];
  static int64_t index[MOST * INDEX], k[(MOST + 1) * INDEX];
  for (int i = 0; i < MOST * IMAGE; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
  for (int i = 0; i < MOST * INDEX; i++) index[i] = i * 7 % 13;
  for (int batch = 1; batch <= MOST; batch += 2) {
    memset(d, 0x55, sizeof d);
    memset(k, 0x55, sizeof k);
    Call c = {{image, index}, {d, k}, batch, l.work, l.m->workspace_size(batch, 1), 1, false, false};
    assert_int_equal(run(l.m, &c), RCC_OK);
    for (int i = 0; i < batch; i++) {
      expect_image(g, image + i * IMAGE, index + i * INDEX, d + i * D, k + i * INDEX);
    }
    assert_int_equal(k[batch * INDEX], 0x5555555555555555); /* and no more */
    uint32_t behind;
    memcpy(&behind, &d[batch * D], 4);
    assert_int_equal(behind, 0x55555555);
  }
  unload_model(&l);
}

/* ==== the same bytes every time ==== */

static void check_same_bytes(const char *cpu) {
  EXPECT_NO_FAIL(cx);
  options.cpu = cpu;
  Object o[2];
  for (int i = 0; i < 2; i++) {
    Graph *g = text_parse(cx, &options, two_of_each("N"));
    g->name = "net";
    object_emit(build_of(g, NULL), &o[i]);
  }
  assert_int_equal(o[0].size, o[1].size);
  assert_memory_equal(o[0].data, o[1].data, o[0].size);
  assert_int_equal(o[0].tail_size, o[1].tail_size);
  assert_memory_equal(o[0].tail, o[1].tail, o[0].tail_size);
}

static void compiled_twice_are_the_same_bytes(void **state) {
  (void)state;
  check_same_bytes("x86-64");
  check_same_bytes("x86-64-v4");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(only_two_symbols_are_global),
    TEST(tables_of_symbolic_and_fixed_batches),
    TEST(tables_of_scalars_and_no_inputs),
    TEST(many_tensors),
    TEST(workspace_grows_with_threads_alone),
    TEST(absurd_threads_have_no_workspace),
    TEST(a_layer_has_a_bounded_number_of_tasks),
    TEST(bad_arguments_are_found_before_anything_is_written),
    TEST(fixed_batches_are_one_run),
    TEST(any_batch_is_so_many_images),
    TEST(compiled_twice_are_the_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
