/* pool_test.c: every task is done once, by its worker, and seen by the caller; sleeping and waking lose
 * nothing. */
#include "resnetcc_rt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MAX_TASKS = 1000 };

typedef struct Log {
  int32_t times[MAX_TASKS], worker[MAX_TASKS];
  int32_t sleep_ns;
} Log;

static void note(void *arg, int32_t index, int32_t worker) {
  Log *log = arg;
  if (log->sleep_ns) nanosleep(&(struct timespec){ .tv_nsec = log->sleep_ns }, NULL);
  log->times[index]++;
  log->worker[index] = worker;
}

static void check_run(const rcc_parallel *par, int32_t count, int32_t sleep_ns) {
  Log *log = calloc(1, sizeof *log);
  assert_non_null(log);
  log->sleep_ns = sleep_ns;
  par->run(par, note, log, count);
  for (int32_t i = 0; i < MAX_TASKS; i++) {
    assert_int_equal(log->times[i], i < count ? 1 : 0);
    if (i < count) assert_int_equal(log->worker[i], i % par->threads);
  }
  free(log);
}

static void does_every_task_once(void **state) {
  (void)state;
  static const int32_t counts[] = { 0, 1, 2, 3, 4, 5, 7, 64, MAX_TASKS };
  for (int32_t threads = 1; threads <= 5; threads++) {
    rcc_pool *pool = rcc_pool_create(threads);
    assert_non_null(pool);
    const rcc_parallel *par = rcc_pool_parallel(pool);
    assert_int_equal(par->threads, threads);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) check_run(par, counts[i], 0);
    rcc_pool_destroy(pool);
  }
}

/* Workers end long after the caller's spinning is over, and the next run comes long after theirs. */
static void sleeps_and_wakes(void **state) {
  (void)state;
  rcc_pool *pool = rcc_pool_create(2);
  assert_non_null(pool);
  for (int i = 0; i < 20; i++) {
    check_run(rcc_pool_parallel(pool), 2, 500000);
    nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
  }
  rcc_pool_destroy(pool);
}

static void add_one(void *arg, int32_t index, int32_t worker) {
  (void)worker;
  ((int64_t *)arg)[index * 8]++;
}

/* Each run reads what the one before wrote in another thread. */
static void rotate(void *arg, int32_t index, int32_t worker) {
  (void)worker;
  int64_t *v = arg;
  int64_t *from = v + (v[16] & 1) * 2, *to = v + 2 - (v[16] & 1) * 2;
  to[index] = from[1 - index] + 1;
}

static void orders_memory_between_runs(void **state) {
  (void)state;
  rcc_pool *pool = rcc_pool_create(2);
  assert_non_null(pool);
  const rcc_parallel *par = rcc_pool_parallel(pool);
  int64_t v[17] = { 0 };
  for (v[16] = 0; v[16] < 20000; v[16]++) par->run(par, rotate, v, 2);
  assert_int_equal(v[0], 20000);
  assert_int_equal(v[1], 20000);
  rcc_pool_destroy(pool);
}

static void survives_many_short_runs(void **state) {
  (void)state;
  rcc_pool *pool = rcc_pool_create(3);
  assert_non_null(pool);
  const rcc_parallel *par = rcc_pool_parallel(pool);
  int64_t sums[3 * 8] = { 0 };
  for (int i = 0; i < 5000; i++) par->run(par, add_one, sums, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(sums[i * 8], 5000);
  rcc_pool_destroy(pool);
}

static void refuses_no_threads(void **state) {
  (void)state;
  assert_null(rcc_pool_create(0));
  assert_null(rcc_pool_create(-1));
  rcc_pool_destroy(NULL);
}

static void never_used_pool_ends(void **state) {
  (void)state;
  for (int i = 0; i < 50; i++) {
    rcc_pool *pool = rcc_pool_create(3);
    assert_non_null(pool);
    rcc_pool_destroy(pool);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(does_every_task_once),   cmocka_unit_test(sleeps_and_wakes),
    cmocka_unit_test(orders_memory_between_runs), cmocka_unit_test(survives_many_short_runs),
    cmocka_unit_test(refuses_no_threads),     cmocka_unit_test(never_used_pool_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
