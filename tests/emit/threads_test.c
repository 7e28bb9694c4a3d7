/* threads_test.c: the same bits for any threads, equal shares of the work, whole images for each. */
#include "entry_fixture.h"

#include <math.h>

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

/* 3x3 layers of few channels, on maps of whole tiles: 4, 2 and 5 rows of them; and a narrow map of many rows. */
static const char small_maps[] =
  "graph net\ninput x f32 [1,3,43,45]\nconst s f32 [32,3,3,3] = random 1 -0.2 0.2\n"
  "const c f32 [32,32,3,3] = random 2 -0.1 0.1\nconst d f32 [64,32,3,3] = random 3 -0.1 0.1\n"
  "const f f32 [64,64,3,3] = random 4 -0.1 0.1\nconst g f32 [48,32,3,3] = random 5 -0.1 0.1\n"
  "a = AveragePool(x) kernel_shape=[12,14]\nb = Conv(a, s) pads=[1,1,1,1] strides=[2,2]\ne = Relu(b)\n"
  "h = Conv(e, c) pads=[1,1,1,1]\ni = Add(h, e)\nj = Conv(i, d) pads=[1,1,1,1] strides=[2,2]\n"
  "k = Conv(j, f) pads=[1,1,1,1]\nl = Add(k, j)\nm = Conv(l, f) pads=[1,1,1,1]\n"
  "const y i64 [4] = {1, 5, 9, 129}\nconst z i64 [2] = {2, 3}\n"
  "n = Conv(i, g) pads=[3,3,3,3]\no = Reshape(x, y)\np = Transpose(o) perm=[0,1,3,2]\n"
  "const q f32 [16,5,3,3] = random 6 -0.2 0.2\nr = Conv(p, q) pads=[1,1,1,1]\n"
  "t = ReduceMean(r, z) keepdims=0\nu = ReduceMean(m, z) keepdims=0\nv = ReduceMean(n, z) keepdims=0\n"
  "w = Concat(t, u, v) axis=1\noutput w\noutput m\n";

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
static void run_with(const Ready *l, const float *image, const rcc_parallel *par, Outputs *y) {
  size_t size = l->m->workspace_size(1, par ? par->threads : 1);
  void *work = rcc_workspace_alloc(size);
  memset(work, 0xff, size);
  memset(y, 0xff, sizeof *y);
  const void *in[] = {image};
  void *out[] = {y->scores, y->map};
  assert_int_equal(l->m->run(in, out, 1, work, size, par), RCC_OK);
  rcc_workspace_free(work, size);
}

static void check_any_threads(const char *text) {
  Ready l = load_model(text);
  static float image[3 * 43 * 45];
  static Outputs expected, got;
  for (int i = 0; i < (int)COUNT(image); i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
  run_with(&l, image, NULL, &expected);
  assert_true(expected.scores[0] != 0 && isfinite(expected.map[0]));
  for (int32_t threads = 1; threads <= MANY; threads++) {
    rcc_pool *pool = rcc_pool_create(threads);
    const rcc_parallel lent[] = {{threads, run_backwards}, {threads, odd_ones_first}, {threads, on_one_worker}};
    for (int i = 0; i < 4; i++) {
      run_with(&l, image, i < 3 ? &lent[i] : rcc_pool_parallel(pool), &got);
      if (memcmp(&got, &expected, sizeof got) != 0) fail_msg("%d threads, lent in way %d", (int)threads, i);
    }
    rcc_pool_destroy(pool);
  }
  unload_model(&l);
}

static void any_threads_give_the_same_bits(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  check_any_threads(all_families);
  options.winograd = WINOGRAD_4;
  check_any_threads(all_families);
  check_any_threads(small_maps);
}

/* One thread alone runs these in strips, from L2 of 256 KiB; lent threads run layer by layer. */
static void strips_give_the_same_bits(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char strips[] =
    "graph net\ninput x f32 [1,3,43,45]\nconst s f32 [16,3,3,3] = random 1 -0.2 0.2\n"
    "const u f32 [48,16,1,1] = random 2 -0.3 0.3\nconst d f32 [48,1,3,3] = random 3 -0.4 0.4\n"
    "const v f32 [16,48,1,1] = random 4 -0.2 0.2\nconst c f32 [88,48,1,1] = random 5 -0.2 0.2\n"
    "a = Conv(x, s) pads=[1,1,1,1]\nb = Relu(a)\ne = Conv(b, u)\nf = Clip(e) min=0.0 max=6.0\n"
    "h = Conv(f, d) group=48 pads=[1,1,1,1]\ni = Relu(h)\nj = Conv(i, v)\nk = Add(j, b)\n"
    "l = Conv(k, u)\nm = Relu(l)\nn = Conv(m, d) group=48 pads=[1,1,1,1] strides=[2,2]\no = Conv(n, c)\n"
    "q = MaxPool(o) kernel_shape=[2,2] strides=[2,2] pads=[0,0,0,1]\n"
    "r = GlobalAveragePool(o)\nt = Flatten(r)\nconst g f32 [1003,88] = random 7 -0.3 0.3\nw = Gemm(t, g) transB=1\n"
    "output w\noutput q\n";
  options.cpu = "x86-64";
  check_any_threads(strips);
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
  Ready l = load_model(text);
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
  unload_model(&l);
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
static void check_shared_out(const Ready *l, int32_t threads, size_t size, int32_t apart) {
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
  Ready l = load_model(two_of_each("N"));
  size_t (*size)(int64_t, int32_t) = l.m->workspace_size;
  check_shared_out(&l, 5, size(MOST, 5), 5);
  check_shared_out(&l, 2, size(MOST, 2), 4); /* and the fifth together */
  check_shared_out(&l, 3, size(MOST, 3), 3);
  check_shared_out(&l, 7, size(MOST, 7), 0);
  check_shared_out(&l, 2, size(MOST, 2) - 1, 0); /* enough for one image */
  check_shared_out(&l, 2, size(1, 2), 0);
  unload_model(&l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(any_threads_give_the_same_bits), TEST(strips_give_the_same_bits), TEST(tasks_have_equally_much_to_do),
    TEST(threads_take_whole_images),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
