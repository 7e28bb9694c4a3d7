/* pool.c: a pool of threads behind rcc_parallel.
 *
 * Layers of a network are microseconds to milliseconds long and follow each other at once. So a run costs
 * one release and one wait: the workers spin for the next run before they sleep, and the caller is worker
 * 0. The tasks are dealt out in equal ranges, the same ones every time: results and timings repeat, and a
 * worker finds in its caches what it wrote a layer before.
 *
 * A worker that has not begun when the caller is through with its own share was asleep, or has lost its CPU
 * to somebody else. The caller then does that share too: on a busy machine a run takes no longer than on one
 * thread, unless a worker loses its CPU in the middle of a task. */
#include "resnetcc_rt.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
  CACHE_LINE = 64,
  SPINS = 2000,  /* 30 to 100 microseconds: a pause takes 40 to 140 cycles */
  NAP = 1000000, /* nanoseconds */
};

/* Runs are counted. In both fields stands the run before until a run's share is taken and ended: by the
 * worker, or by the caller in its place. */
typedef struct Worker {
  alignas(CACHE_LINE) _Atomic uint32_t taken, ended;
  int32_t share;
  rcc_pool *pool;
  pthread_t thread;
} Worker;

struct rcc_pool {
  rcc_parallel parallel; /* first: run gets the pool by its address */
  int32_t n_started;     /* workers beside the caller */
  Worker *worker;
  /* Who sleeps, counted before the last look at what is waited for, so that the one who changes that and
   * then finds nobody asleep may skip the wake-up. Both sides need sequential consistency for this. */
  _Atomic int32_t sleeping_workers, sleeping_caller;
  pthread_mutex_t lock;
  pthread_cond_t go, done;
  /* The run, in one cache line. The rest is written before `run` counts up, and read by whoever has taken a
   * share. */
  alignas(CACHE_LINE) _Atomic uint32_t run;
  _Atomic int32_t cpu; /* the caller's */
  int32_t count;
  void (*task)(void *arg, int32_t index, int32_t worker); /* NULL: the worker is to end */
  _Atomic(void *) arg; /* which workers read before they have taken a share, to fetch what the caller has just written there */
};

static void pause_briefly(void) {
#ifdef __x86_64__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("isb"); /* yield takes no time on most */
#endif
}

/* Spins for a while, then sleeps, until `word` is no longer `old`. */
static void await(rcc_pool *p, _Atomic uint32_t *word, uint32_t old, _Atomic int32_t *sleeping, pthread_cond_t *cond) {
  for (int32_t i = 0; i < SPINS; i++) {
    if (atomic_load(word) != old) return;
    pause_briefly();
  }
  pthread_mutex_lock(&p->lock);
  atomic_fetch_add(sleeping, 1);
  while (atomic_load(word) == old) pthread_cond_wait(cond, &p->lock);
  atomic_fetch_sub(sleeping, 1);
  pthread_mutex_unlock(&p->lock);
}

static void wake(rcc_pool *p, _Atomic int32_t *sleeping, pthread_cond_t *cond) {
  if (atomic_load(sleeping) == 0) return;
  /* A sleeper holds the lock from its count to its wait: taking it here makes sure that the signal is
   * heard. */
  pthread_mutex_lock(&p->lock);
  pthread_cond_broadcast(cond);
  pthread_mutex_unlock(&p->lock);
}

/* False: somebody else has that share, or the run is long over. */
static bool take(Worker *w, uint32_t run) {
  uint32_t before = run - 1;
  return atomic_compare_exchange_strong(&w->taken, &before, run);
}

static void do_share(rcc_pool *p, int32_t share, int32_t worker) {
  void *arg = atomic_load_explicit(&p->arg, memory_order_relaxed);
  int64_t shares = p->n_started + 1, end = p->count * (share + INT64_C(1)) / shares;
  for (int64_t i = (int64_t)p->count * share / shares; i < end; i++) p->task(arg, (int32_t)i, worker);
}

/* On a busy machine a worker may be on the caller's own CPU, where its spinning would hold up what it waits for. After a
 * nap the system may have a better place for it. */
static void keep_out_of_the_way(rcc_pool *p) {
  if (sched_getcpu() == atomic_load(&p->cpu)) nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
}

static void *worker_main(void *arg) {
  Worker *w = arg;
  rcc_pool *p = w->pool;
  for (uint32_t run = 0;;) {
    keep_out_of_the_way(p);
    await(p, &p->run, run, &p->sleeping_workers, &p->go);
    run = atomic_load(&p->run);
    __builtin_prefetch(atomic_load_explicit(&p->arg, memory_order_relaxed));
    if (!take(w, run)) continue;
    if (!p->task) return NULL;
    do_share(p, w->share, w->share);
    atomic_store(&w->ended, run);
    wake(p, &p->sleeping_caller, &p->done);
  }
}

static uint32_t release_workers(rcc_pool *p, void (*task)(void *arg, int32_t index, int32_t worker), void *arg,
                                int32_t count) {
  p->task = task;
  atomic_store_explicit(&p->arg, arg, memory_order_relaxed);
  p->count = count;
  atomic_store_explicit(&p->cpu, sched_getcpu(), memory_order_relaxed);
  uint32_t run = atomic_fetch_add(&p->run, 1) + 1;
  wake(p, &p->sleeping_workers, &p->go);
  return run;
}

static void do_what_nobody_has_begun(rcc_pool *p, uint32_t run) {
  for (int32_t i = 0; i < p->n_started; i++) {
    Worker *w = &p->worker[i];
    if (atomic_load(&w->taken) == run || !take(w, run)) continue;
    do_share(p, w->share, 0);
    atomic_store(&w->ended, run);
  }
}

static void pool_run(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker),
                     void *arg, int32_t count) {
  rcc_pool *p = (rcc_pool *)self;
  if (count <= 1 || p->n_started == 0) {
    for (int32_t i = 0; i < count; i++) task(arg, i, 0);
    return;
  }
  uint32_t run = release_workers(p, task, arg, count);
  do_share(p, 0, 0);
  do_what_nobody_has_begun(p, run);
  for (int32_t i = 0; i < p->n_started; i++) {
    await(p, &p->worker[i].ended, run - 1, &p->sleeping_caller, &p->done);
  }
}

/* The application's signals are for its own threads. */
static bool start_worker(Worker *w) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  bool ok = pthread_create(&w->thread, NULL, worker_main, w) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return ok;
}

static bool start_workers(rcc_pool *p, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    p->worker[i] = (Worker){ .pool = p, .share = i + 1 };
    if (!start_worker(&p->worker[i])) return false;
    p->n_started++;
  }
  return true;
}

/* Threads that outnumber the CPUs would only keep each other from their work. */
static int32_t useful_threads(int32_t threads) {
  cpu_set_t cpus; /* too small a set where there are more CPUs */
  long n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : sysconf(_SC_NPROCESSORS_ONLN);
  return threads < n ? threads : n > 0 ? (int32_t)n : 1;
}

rcc_pool *rcc_pool_create(int32_t threads) {
  if (threads < 1) return NULL;
  int32_t workers = useful_threads(threads) - 1;
  rcc_pool *p = aligned_alloc(CACHE_LINE, sizeof *p);
  Worker *worker = aligned_alloc(CACHE_LINE, (size_t)(workers + 1) * sizeof *worker);
  if (!p || !worker) {
    free(p);
    free(worker);
    return NULL;
  }
  *p = (rcc_pool){ .parallel = { threads, pool_run }, .worker = worker, .cpu = -1 };
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->go, NULL);
  pthread_cond_init(&p->done, NULL);
  if (start_workers(p, workers)) return p;
  rcc_pool_destroy(p);
  return NULL;
}

const rcc_parallel *rcc_pool_parallel(rcc_pool *pool) {
  return &pool->parallel;
}

void rcc_pool_destroy(rcc_pool *p) {
  if (!p) return;
  release_workers(p, NULL, NULL, 0);
  for (int32_t i = 0; i < p->n_started; i++) pthread_join(p->worker[i].thread, NULL);
  pthread_cond_destroy(&p->done);
  pthread_cond_destroy(&p->go);
  pthread_mutex_destroy(&p->lock);
  free(p->worker);
  free(p);
}
