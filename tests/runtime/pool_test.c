/* pool_test.c: every task is done once, by its worker or the caller, and seen by the caller; sleeping and
 * waking lose nothing; nobody waits for a worker that has not begun. */
#include "resnetcc_rt.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MAX_TASKS = 1000 };

/* ==== the machine, as the pool sees it ==== */

static int cpus = 64;            /* that the process may use */
static int same_cpu;             /* every thread seems to be on it; -1: each where it is */
static bool workers_wait;        /* before they begin, until `gate` opens */
static atomic_bool gate;
static atomic_int started;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
  (void)pid;
  memset(set, 0, size);
  for (int i = 0; i < cpus; i++) CPU_SET(i, set);
  return 0;
}

int sched_getcpu(void) {
  static atomic_int number;
  static _Thread_local int own;
  if (own == 0) own = atomic_fetch_add(&number, 1) + 1;
  return same_cpu >= 0 ? same_cpu : own;
}

static void pause_for(long ns) { nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL); }

typedef struct Start {
  void *(*main)(void *arg);
  void *arg;
} Start;

static void *start_at_the_gate(void *data) {
  Start s = *(Start *)data;
  free(data);
  while (workers_wait && !gate) pause_for(100000);
  return s.main(s.arg);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *arg), void *arg) {
  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
  Start *s = malloc(sizeof *s);
  *s = (Start){ main, arg };
  started++;
  return create(thread, attr, start_at_the_gate, s);
}

static int setup(void **state) {
  (void)state;
  cpus = 64;
  same_cpu = -1;
  workers_wait = gate = false;
  started = 0;
  return 0;
}

/* ==== every task once ==== */

typedef struct Log {
  int32_t times[MAX_TASKS], worker[MAX_TASKS];
  atomic_int busy[MAX_TASKS]; /* workers */
  bool overlap;
} Log;

static void note(void *arg, int32_t index, int32_t worker) {
  Log *log = arg;
  if (atomic_fetch_add(&log->busy[worker], 1) != 0) log->overlap = true;
  log->times[index]++;
  log->worker[index] = worker;
  atomic_fetch_sub(&log->busy[worker], 1);
}

/* The tasks fall to the workers in ranges, of which the caller, worker 0, may take over any. */
static void check_run(const rcc_parallel *par, int32_t count, int32_t workers) {
  Log *log = calloc(1, sizeof *log);
  assert_non_null(log);
  par->run(par, note, log, count);
  assert_false(log->overlap);
  for (int32_t i = 0; i < MAX_TASKS; i++) {
    assert_int_equal(log->times[i], i < count ? 1 : 0);
    if (i >= count || log->worker[i] == 0) continue;
    int32_t w = log->worker[i];
    assert_in_range(w, 1, workers - 1);
    assert_in_range(i, w * count / workers, (w + 1) * count / workers - 1);
  }
  free(log);
}

static void does_every_task_once(void **state) {
  (void)state;
  static const int32_t counts[] = { 0, 1, 2, 3, 4, 5, 7, 64, MAX_TASKS };
  for (int32_t threads = 1; threads <= 9; threads++) {
    rcc_pool *pool = rcc_pool_create(threads);
    assert_non_null(pool);
    const rcc_parallel *par = rcc_pool_parallel(pool);
    assert_int_equal(par->threads, threads);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
      for (int k = 0; k < 20; k++) check_run(par, counts[i], threads);
    }
    rcc_pool_destroy(pool);
  }
}

static void starts_no_more_threads_than_cpus(void **state) {
  (void)state;
  for (cpus = 1; cpus <= 4; cpus++) {
    started = 0;
    rcc_pool *pool = rcc_pool_create(4);
    assert_non_null(pool);
    assert_int_equal(started, cpus - 1);
    assert_int_equal(rcc_pool_parallel(pool)->threads, 4);
    for (int i = 0; i < 20; i++) check_run(rcc_pool_parallel(pool), 4, cpus);
    rcc_pool_destroy(pool);
  }
}

/* ==== who waits for whom ==== */

/* The caller's task waits until the workers' have begun; what these do comes long after it has ended, and after
 * the caller's spinning. */
typedef struct Meeting {
  atomic_int begun;
  int32_t workers, worker[8];    /* of each task that is done */
} Meeting;

static void meet(void *arg, int32_t index, int32_t worker) {
  Meeting *m = arg;
  if (index == 0) {
    for (int i = 0; i < 100000 && m->begun < m->workers; i++) pause_for(100000);
    return;
  }
  m->begun++;
  while (m->begun < m->workers) pause_for(10000);
  pause_for(1000000);
  m->worker[index] = worker;
}

/* Runs begin when the workers sleep, and end when the caller does. */
static void workers_take_part(void **state) {
  (void)state;
  rcc_pool *pool = rcc_pool_create(4);
  assert_non_null(pool);
  const rcc_parallel *par = rcc_pool_parallel(pool);
  for (int i = 0; i < 20; i++) {
    Meeting m = { .workers = 3 };
    par->run(par, meet, &m, 4);
    assert_int_equal(m.begun, 3);
    for (int k = 1; k < 4; k++) assert_int_equal(m.worker[k], k);
    pause_for(500000);
  }
  rcc_pool_destroy(pool);
}

static void caller_does_what_no_worker_begins(void **state) {
  (void)state;
  workers_wait = true;
  rcc_pool *pool = rcc_pool_create(3);
  assert_non_null(pool);
  const rcc_parallel *par = rcc_pool_parallel(pool);
  for (int i = 0; i < 100; i++) check_run(par, 7, 1);
  gate = true; /* they find the runs over, and join in the next ones */
  Meeting m = { .workers = 2 };
  par->run(par, meet, &m, 3);
  assert_int_equal(m.begun, 2);
  rcc_pool_destroy(pool);
}

static void workers_that_never_began_end(void **state) {
  (void)state;
  workers_wait = true;
  rcc_pool *pool = rcc_pool_create(3);
  assert_non_null(pool);
  check_run(rcc_pool_parallel(pool), 3, 1);
  gate = true;
  rcc_pool_destroy(pool);
}

static void naps_on_the_callers_cpu(void **state) {
  (void)state;
  same_cpu = 5;
  rcc_pool *pool = rcc_pool_create(3);
  assert_non_null(pool);
  for (int i = 0; i < 2000; i++) check_run(rcc_pool_parallel(pool), 3, 3);
  rcc_pool_destroy(pool);
}

/* ==== memory ==== */

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

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(does_every_task_once),
    TEST(starts_no_more_threads_than_cpus),
    TEST(workers_take_part),
    TEST(caller_does_what_no_worker_begins),
    TEST(workers_that_never_began_end),
    TEST(naps_on_the_callers_cpu),
    TEST(orders_memory_between_runs),
    TEST(survives_many_short_runs),
    TEST(refuses_no_threads),
    TEST(never_used_pool_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
