/* flush_test.c: --flush-denormals: denormal numbers, read or made, are zeros in every thread that a run uses, and the CPU's
 * mode and its flags of exceptions are what they were. Without it, denormals are numbers. */
#include "each_context.h"
#include "loaded.h"

#include <pthread.h>
#include <xmmintrin.h>

enum { THREADS = 3, BATCH = 7, N = 20000 };
static const unsigned inexact = 1 << 5, denormal = 1 << 1, mode = 0x1f80 | 0x6000 /* rounds to zero */;

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "net", .input = "net.onnx", .max_memory = 1 << 30};
  return 0;
}

/* A thread for each task, with a mode and flags of its own. */
typedef struct Task {
  void (*task)(void *, int32_t, int32_t);
  void *arg;
  int32_t index;
  unsigned before, after;
} Task;

static void *run_task(void *data) {
  Task *t = data;
  t->before = mode | (t->index % 2 ? inexact : denormal);
  _mm_setcsr(t->before);
  t->task(t->arg, t->index, t->index % THREADS);
  t->after = _mm_getcsr();
  return NULL;
}

static int tasks_run;
static bool keeps_mode;

static void on_threads(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg, int32_t count) {
  assert_int_equal(self->threads, THREADS);
  for (int32_t i = 0; i < count; i++) {
    pthread_t thread;
    Task t = {task, arg, i, 0, 0};
    assert_int_equal(pthread_create(&thread, NULL, run_task, &t), 0);
    pthread_join(thread, NULL);
    if (keeps_mode) assert_int_equal(t.after, t.before);
    tasks_run++;
  }
}

static void run(const rcc_model *m, const float *x, float *y, int64_t batch, const rcc_parallel *par) {
  size_t size = m->workspace_size(batch, par ? par->threads : 1);
  void *work = rcc_workspace_alloc(size ? size : 64);
  unsigned before = mode | inexact;
  _mm_setcsr(before);
  int error = m->run((const void *[]){x}, (void *[]){y}, batch, work, size, par);
  unsigned after = _mm_getcsr();
  _mm_setcsr(0x1f80);
  assert_int_equal(error, RCC_OK);
  if (keeps_mode) assert_int_equal(after, before);
  rcc_workspace_free(work, size ? size : 64);
}

/* x is multiplied by 1, then by 2^-100, in two layers: one input is denormal, one result, and one passes through. */
static void check(const char *batch, int64_t images, int parallel, bool flush) {
  EXPECT_NO_FAIL(cx);
  options.flush_denormals = keeps_mode = flush;
  Graph *g = text_parse(cx, &options,
                        format_text(cx, "graph net\ninput x f32 [%s,%d]\nconst k f32 [] = {7.888609052210118e-31}\n"
                                    "m = Mul(x, k)\nr = Relu(x)\ny = Add(m, r)\noutput y\n",
                                    batch, N));
  Loaded l = load_graph(g, NULL);
  int64_t n = images * N;
  float *x = alloc_n(cx, (size_t)n, sizeof *x), *y = alloc_n(cx, (size_t)n, sizeof *y);
  for (int64_t i = 0; i < n; i++) x[i] = i % 3 == 0 ? 1e-40f : i % 3 == 1 ? -0x1p-30f : 1;
  rcc_parallel par = {.threads = THREADS, .run = on_threads};
  tasks_run = 0;
  run(l.model, x, y, images, parallel ? &par : NULL);
  assert_int_equal(tasks_run > 0, parallel);
  for (int64_t i = 0; i < n; i++) {
    float want = i % 3 == 0 ? 1e-40f : i % 3 == 1 ? -0x1p-130f : 1;
    if (flush && i % 3 < 2) want = 0;
    if (y[i] != want) fail_msg("batch %s, %lld images, flush %d: y[%lld] is %g, not %g", batch, (long long)images, flush,
                               (long long)i, (double)y[i], (double)want);
  }
  unload(&l);
}

static void in_one_thread(void **state) {
  (void)state;
  check("1", 1, 0, false);
  check("1", 1, 0, true);
}

static void in_threads_that_share_layers(void **state) {
  (void)state;
  check("1", 1, 1, false);
  check("1", 1, 1, true);
}

static void in_threads_that_take_images(void **state) {
  (void)state;
  check("N", BATCH, 1, false);
  check("N", BATCH, 1, true);
  check("N", BATCH, 0, true);
}

static void header_says_so(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  for (int flush = 0; flush < 2; flush++) {
    options.flush_denormals = flush;
    Graph *g = text_parse(cx, &options, "graph net\ninput x f32 [4]\ny = Relu(x)\noutput y\n");
    g->name = "net";
    Buffer text = {0};
    header_print(build_of(g, NULL), &text);
    buffer_add(&text, "", 1);
    assert_int_equal(strstr(text.data, "denormal numbers for zeros") != NULL, flush);
    buffer_free(&text);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(in_one_thread), TEST(in_threads_that_share_layers),
                                     TEST(in_threads_that_take_images), TEST(header_says_so)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
