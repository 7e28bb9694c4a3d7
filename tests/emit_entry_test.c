/* emit_entry_test.c: the object's interface from outside: symbols, the table, arguments checked one by one,
 * any batch, any threads. What object_test.c has of a model with one input is not repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen.h"
#include "fixture.h"
#include "harness.h"

#include <elf.h>
#include <math.h>

static Context *cx;
static Options options;

static int setup(void **state) {
  (void)state;
  cx = context_new();
  options = (Options){.name = "net", .input = "net.onnx", .max_memory = 1 << 30};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  context_free(cx);
  return 0;
}

/* Two inputs and two outputs of several types; convolutions, so that there is a workspace; the batch in any
 * place of `batch`. */
static const char *two_of_each(const char *batch) {
  return format_text(cx, "graph net\ninput image f32 [%s,3,6,5]\ninput index i64 [%s,4]\n"
                         "const w f32 [20,3,3,3] = random 1 -0.5 0.5\n"
                         "const v f32 [20,20,1,1] = random 2 -0.5 0.5\n"
                         "const three i64 [] = {3}\n"
                         "a = Conv(image, w) pads=[1,1,1,1]\nb = Relu(a)\nc = Conv(b, v)\nd = Add(c, b)\n"
                         "k = Add(index, three)\noutput d\noutput k\n", batch, batch);
}

enum { IMAGE = 3 * 6 * 5, INDEX = 4, D = 20 * 6 * 5, MOST = 5 };

typedef struct Loaded {
  Object object;
  Jit *jit;
  const rcc_model *m;
  char *work;
  size_t size;
} Loaded;

static Loaded load_model(const char *text) {
  Loaded l;
  Graph *g = text_parse(cx, &options, text);
  g->name = "net";
  run_passes(g);
  object_emit(g, &l.object);
  l.jit = jit_open(cx, "net", &l.object);
  l.m = jit_model(l.jit);
  l.size = l.m->workspace_size(1, 4);
  l.work = rcc_workspace_alloc(l.size ? l.size : 64);
  return l;
}

static void unload(Loaded *l) {
  rcc_workspace_free(l->work, l->size ? l->size : 64);
  jit_close(l->jit);
  object_free(&l->object);
}

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
  Loaded l = load_model(text.data);
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
  Run *run = (Run *)(uintptr_t)jit_symbol(cx, l.jit, "net_run");
  assert_int_equal(run(BATCH, ALL(x), ALL(y[0]), l.work, l.size, NULL), RCC_OK);
  assert_int_equal(l.m->run(in, out, BATCH, l.work, l.size, NULL), RCC_OK);
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < BATCH * 2; k++) {
      assert_true(y[0][i][k] == x[i][k] + (float)i && y[1][i][k] == y[0][i][k]);
    }
  }
  in[17] = NULL;
  assert_int_equal(l.m->run(in, out, BATCH, l.work, l.size, NULL), RCC_ERR_ARGUMENT);
  unload(&l);
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
  Loaded l = load_model(two_of_each("N"));
  assert_string_equal(globals_of(l.object.data, true), "net_model net_run");
  char rest[128];
  snprintf(rest, sizeof rest, "%s", globals_of(l.object.data, false));
  char *place = rest;
  for (char *name = strtok_r(rest, " ", &place); name; name = strtok_r(NULL, " ", &place)) {
    bool known = strcmp(name, "rcc_cpu_check") == 0 || strcmp(name, "memcpy") == 0 ||
                 strcmp(name, "memset") == 0;
    if (!known) fail_msg("the object asks for %s", name);
  }
  assert_non_null(strstr(globals_of(l.object.data, false), "rcc_cpu_check"));
  unload(&l);
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
  Loaded l = load_model(two_of_each(batch));
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
  unload(&l);
}

static void tables_of_symbolic_and_fixed_batches(void **state) {
  (void)state;
  check_table("N", -1, 1);
  check_table("2", 2, 0);
}

static void tables_of_scalars_and_no_inputs(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Loaded l = load_model("graph net\ninput x f32 []\ny = Relu(x)\nz = Identity(x)\noutput y\noutput z\n");
  assert_int_equal(l.m->inputs[0].rank, 0);
  assert_int_equal(l.m->outputs[1].rank, 0);
  unload(&l);
  l = load_model("graph net\nconst c f32 [3] = {1, 2, 3}\ny = Identity(c)\noutput y\n");
  assert_int_equal(l.m->n_inputs, 0);
  float y[3] = {0};
  void *out[] = {y};
  assert_int_equal(l.m->run(NULL, out, 1, NULL, 0, NULL), RCC_OK); /* no inputs, no workspace */
  assert_true(y[0] == 1 && y[1] == 2 && y[2] == 3);
  unload(&l);
}

/* ==== arguments ==== */

static void workspace_grows_with_threads_alone(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Loaded l = load_model(two_of_each("N"));
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
  unload(&l);
}

/* Two billion threads of a workspace that is too large for so many. */
static void absurd_threads_have_no_workspace(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Options before = options;
  options.max_memory = cx->max_memory = INT64_C(64) << 30;
  Loaded l = load_model("graph net\ninput x f32 [N,65536,1]\ninput z f32 [N,1,65536]\na = Add(x, z)\nb = Softmax(a)\n"
                        "y = GlobalMaxPool(b)\noutput y\n");
  options = before;
  size_t one = l.m->workspace_size(1, 1);
  assert_true(one > UINT64_C(8) << 30);
  size_t most = l.m->workspace_size(INT32_MAX, INT32_MAX);
  assert_true(most == 0 || most / INT32_MAX >= one / 2);
  unload(&l);
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
  Loaded l = load_model("graph net\ninput x f32 [N,500]\ny = Relu(x)\noutput y\n");
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
  unload(&l);
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
  Loaded l = load_model(two_of_each(batch));
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
  unload(&l);
}

static void bad_arguments_are_found_before_anything_is_written(void **state) {
  (void)state;
  check_errors("N");
  check_errors("1");
}

static void fixed_batches_are_one_run(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Loaded l = load_model(two_of_each("2"));
  static float image[2 * IMAGE], d[2 * D];
  static int64_t index[2 * INDEX], k[2 * INDEX];
  Call c = {{image, index}, {d, k}, 2, l.work, l.size, 1, false, false};
  assert_int_equal(run(l.m, &c), RCC_ERR_SHAPE); /* the batch is part of the shape, not an argument */
  c.batch = 1;
  assert_int_equal(run(l.m, &c), RCC_OK);
  assert_int_equal(k[2 * INDEX - 1], 3);
  unload(&l);
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
  Loaded l = load_model(two_of_each("N"));
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
  unload(&l);
}

/* ==== threads ==== */

/* Layers of all families, with rows, panels and columns that no number of threads divides evenly. */
static const char all_families[] =
  "graph net\ninput x f32 [1,3,43,45]\n"
  "const s f32 [32,3,7,7] = random 1 -0.2 0.2\nconst w f32 [32,32,3,3] = random 2 -0.1 0.1\n"
  "const u f32 [88,32,1,1] = random 3 -0.3 0.3\nconst d f32 [88,1,3,3] = random 4 -0.4 0.4\n"
  "const g f32 [88,8,3,3] = random 5 -0.2 0.2\nconst t f32 [200,88,3,3] = random 6 -0.1 0.1\n"
  "const f f32 [1003,200] = random 7 -0.3 0.3\nconst z f32 [1003] = random 8 -1 1\n"
  "a = Conv(x, s) pads=[3,3,3,3] strides=[2,2]\nb = Relu(a)\n"
  "p = MaxPool(b) kernel_shape=[3,3] pads=[1,1,1,1]\n"
  "c = Conv(p, w) pads=[1,1,1,1]\nr = Add(c, p)\ne = Relu(r)\n"
  "h = Conv(e, u) strides=[2,2]\ni = Conv(h, d) group=88 pads=[1,1,1,1]\nj = Conv(i, g) group=11 pads=[1,1,1,1]\n"
  "k = Relu(j)\nl = Conv(k, t) pads=[1,1,1,1]\nm = Sigmoid(l)\n"
  "n = GlobalAveragePool(m)\no = Flatten(n)\nq = Gemm(o, f, z) transB=1\nv = Softmax(q)\n"
  "output v\noutput k\n";

enum { SCORES = 1003, MAP = 88 * 11 * 12, MANY = 9 };

/* Threads of an application: each lends its own order and number of workers. */
static void odd_ones_first(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg,
                           int32_t count) {
  for (int32_t i = 1; i < count; i += 2) task(arg, i, self->threads - 1);
  for (int32_t i = 0; i < count; i += 2) task(arg, i, self->threads - 1);
}

static void on_one_worker(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg, int32_t count) {
  (void)self;
  for (int32_t i = 0; i < count; i++) task(arg, i, 0);
}

typedef struct Outputs {
  float scores[SCORES], map[MAP];
} Outputs;

/* The workspace holds NaNs at first. */
static void run_with(const Loaded *l, const float *image, const rcc_parallel *par, Outputs *y) {
  size_t size = l->m->workspace_size(1, par ? par->threads : 1);
  void *work = rcc_workspace_alloc(size);
  memset(work, 0xff, size);
  memset(y, 0xff, sizeof *y);
  const void *in[] = {image};
  void *out[] = {y->scores, y->map};
  assert_int_equal(l->m->run(in, out, 1, work, size, par), RCC_OK);
  rcc_workspace_free(work, size);
}

static void check_any_threads(void) {
  Loaded l = load_model(all_families);
  static float image[3 * 43 * 45];
  static Outputs expected, got;
  for (int i = 0; i < (int)COUNT(image); i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
  run_with(&l, image, NULL, &expected);
  assert_true(expected.scores[0] > 0 && isfinite(expected.map[0]));
  for (int32_t threads = 1; threads <= MANY; threads++) {
    rcc_pool *pool = rcc_pool_create(threads);
    const rcc_parallel lent[] = {{threads, run_backwards}, {threads, odd_ones_first}, {threads, on_one_worker}};
    for (int i = 0; i < 4; i++) {
      run_with(&l, image, i < 3 ? &lent[i] : rcc_pool_parallel(pool), &got);
      if (memcmp(&got, &expected, sizeof got) != 0) fail_msg("%d threads, lent in way %d", (int)threads, i);
    }
    rcc_pool_destroy(pool);
  }
  unload(&l);
}

static void any_threads_give_the_same_bits(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  check_any_threads();
  options.winograd = WINOGRAD_4;
  check_any_threads();
}

/* Of the tasks of layer number `layer` only the first is done. */
typedef struct Share {
  rcc_parallel lent; /* first: run gets the rest by its address */
  int layer, next;
} Share;

static void share_of_one_layer(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg,
                               int32_t count) {
  Share *s = (Share *)self;
  if (s->next++ == s->layer) count = 1;
  for (int32_t i = 0; i < count; i++) task(arg, i, 0);
}

/* The network's `results` are those of the layer, in another order at most. */
static void check_share(const char *text, int layer, int64_t results, int32_t tasks) {
  Loaded l = load_model(text);
  float *x = alloc_n(cx, 1 << 20, 4), *y = alloc_n(cx, (size_t)results, 4);
  size_t size = l.m->workspace_size(1, tasks);
  void *work = rcc_workspace_alloc(size ? size : 64);
  memset(work, 0xff, size);
  memset(y, 0xff, (size_t)results * 4);
  Share share = {.lent = {tasks, share_of_one_layer}, .layer = layer};
  const void *in[] = {x};
  void *out[] = {y};
  assert_int_equal(l.m->run(in, out, 1, work, size, &share.lent), RCC_OK);
  assert_true(share.next > layer);
  int64_t done = 0;
  for (int64_t i = 0; i < results; i++) done += !isnan(y[i]);
  if (done * tasks < results * 94 / 100 || done * tasks > results * 106 / 100) {
    fail_msg("one of %d tasks makes %d of %d results of\n%s", (int)tasks, (int)done, (int)results, text);
  }
  rcc_workspace_free(work, size ? size : 64);
  unload(&l);
}

static void tasks_have_equally_much_to_do(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char product[] = "graph net\ninput x f32 [1,2048]\nconst w f32 [2048,1000] = random 1 -1 1\n"
                                "y = MatMul(x, w)\noutput y\n";
  static const char rows[] = "graph net\ninput x f32 [1,1024,14,14]\nconst w f32 [256,1024,1,1] = random 1 -1 1\n"
                             "y = Conv(x, w)\noutput y\n";
  static const char panels[] = "graph net\ninput x f32 [1,512,14,14]\nconst w f32 [64,512,1,1] = random 1 -1 1\n"
                               "y = Conv(x, w) strides=[2,2]\noutput y\n";
  static const char tiles[] = "graph net\ninput x f32 [1,128,28,28]\nconst w f32 [512,128,1,1] = random 1 -1 1\n"
                              "y = Conv(x, w)\noutput y\n";
  static const char groups[] = "graph net\ninput x f32 [1,512,30,28]\nconst w f32 [128,512,1,1] = random 1 -1 1\n"
                               "y = Conv(x, w)\noutput y\n"; /* 15 pairs of rows in groups of 3 and 4 */
  options.strassen = STRASSEN_OFF;
  check_share(product, 0, 1000, 2);
  check_share(rows, 1, 256 * 14 * 14, 2);
  check_share(rows, 1, 256 * 14 * 14, 3);
  check_share(panels, 1, 64 * 7 * 7, 2);
  check_share(tiles, 1, 512 * 28 * 28, 8);
  options.strassen = STRASSEN_ON;
  check_share(groups, 1, 128 * 30 * 28, 2);
  options.strassen = STRASSEN_AUTO;
}

/* Threads that keep count of the tasks they got in one call. */
typedef struct Counting {
  rcc_parallel par; /* first: its address is the whole's */
  int32_t most, calls;
} Counting;

static void count_tasks(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg, int32_t count) {
  Counting *c = (Counting *)(uintptr_t)self;
  c->calls++;
  if (count > c->most) c->most = count;
  for (int32_t i = count - 1; i >= 0; i--) task(arg, i, i % self->threads);
}

/* Five images and `threads`, with a workspace of NaNs: those of one thread alone, to the bit. `apart`: so many are lent as
 * a whole, in one call. */
static void check_shared_out(const Loaded *l, int32_t threads, size_t size, int32_t apart) {
  static float image[MOST * IMAGE], d[MOST * D], want_d[MOST * D];
  static int64_t index[MOST * INDEX], k[MOST * INDEX], want_k[MOST * INDEX];
  for (int i = 0; i < MOST * IMAGE; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
  for (int i = 0; i < MOST * INDEX; i++) index[i] = i * 7 % 13;
  const void *in[] = {image, index};
  void *out[] = {d, k}, *want[] = {want_d, want_k};
  char *work = rcc_workspace_alloc(size);
  memset(work, 0xff, size);
  memset(d, 0xff, sizeof d);
  Counting c = {.par = {.threads = threads, .run = count_tasks}};
  assert_int_equal(l->m->run(in, want, MOST, l->work, l->size, NULL), RCC_OK);
  assert_int_equal(l->m->run(in, out, MOST, work, size, &c.par), RCC_OK);
  assert_memory_equal(d, want_d, sizeof d);
  assert_memory_equal(k, want_k, sizeof k);
  assert_int_equal(c.most, apart > threads ? apart : threads);
  if (apart == MOST) assert_int_equal(c.calls, 1);
  rcc_workspace_free(work, size);
}

static void threads_take_whole_images(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Loaded l = load_model(two_of_each("N"));
  size_t (*size)(int64_t, int32_t) = l.m->workspace_size;
  check_shared_out(&l, 5, size(MOST, 5), 5);
  check_shared_out(&l, 2, size(MOST, 2), 4); /* and the fifth together */
  check_shared_out(&l, 3, size(MOST, 3), 3);
  check_shared_out(&l, 7, size(MOST, 7), 0);
  check_shared_out(&l, 2, size(MOST, 2) - 1, 0); /* enough for one image */
  check_shared_out(&l, 2, size(1, 2), 0);
  unload(&l);
}

/* ==== the same bytes every time ==== */

static void check_same_bytes(const char *cpu) {
  EXPECT_NO_FAIL(cx);
  options.cpu = cpu;
  Object o[2];
  for (int i = 0; i < 2; i++) {
    Graph *g = text_parse(cx, &options, two_of_each("N"));
    g->name = "net";
    run_passes(g);
    object_emit(g, &o[i]);
  }
  assert_int_equal(o[0].size, o[1].size);
  assert_memory_equal(o[0].data, o[1].data, o[0].size);
  assert_int_equal(o[0].tail_size, o[1].tail_size);
  assert_memory_equal(o[0].tail, o[1].tail, o[0].tail_size);
  for (int i = 0; i < 2; i++) object_free(&o[i]);
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
    TEST(any_threads_give_the_same_bits),
    TEST(tasks_have_equally_much_to_do),
    TEST(threads_take_whole_images),
    TEST(compiled_twice_are_the_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
