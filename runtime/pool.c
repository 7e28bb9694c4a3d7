/* pool.c: a pool of threads behind rcc_parallel.
 *
 * Layers of a network are microseconds to milliseconds long and follow each other at once. So a run costs
 * one release and one wait: the workers spin for the next run before they sleep, and the caller is worker
 * 0. Task i goes to worker i % threads, always: results and timings repeat, and a worker finds in its
 * caches what it wrote a layer before. */
#include "resnetcc_rt.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* 30 to 100 microseconds: a pause takes 40 to 140 cycles. */
enum { CACHE_LINE = 64, SPINS = 2000 };

typedef struct Worker {
  rcc_pool *pool;
  int32_t index;
  pthread_t thread;
} Worker;

struct rcc_pool {
  rcc_parallel parallel; /* first: run gets the pool by its address */
  int32_t spins;
  int32_t n_started;     /* workers beside the caller */
  Worker *worker;
  /* The run, written before `run` counts up. */
  void (*task)(void *arg, int32_t index, int32_t worker);
  void *arg;
  int32_t count;
  bool stop;
  /* Who sleeps, counted before the last look at what is waited for, so that the one who changes that and
   * then finds nobody asleep may skip the wake-up. Both sides need sequential consistency for this. */
  _Atomic int32_t sleeping_workers, sleeping_caller;
  pthread_mutex_t lock;
  pthread_cond_t go, done;
  alignas(CACHE_LINE) _Atomic uint32_t run;    /* counts the runs */
  alignas(CACHE_LINE) _Atomic int32_t working; /* workers that have not ended the run */
};

static bool run_has_started(rcc_pool *p, uint32_t seen) {
  return atomic_load(&p->run) != seen;
}

static bool run_has_ended(rcc_pool *p, uint32_t unused) {
  (void)unused;
  return atomic_load(&p->working) == 0;
}

/* Spins for a while, then sleeps, until ready(p, seen). */
static void await(rcc_pool *p, bool (*ready)(rcc_pool *, uint32_t), uint32_t seen, _Atomic int32_t *sleeping,
                  pthread_cond_t *cond) {
  for (int32_t i = 0; i < p->spins; i++) {
    if (ready(p, seen)) return;
    __builtin_ia32_pause();
  }
  pthread_mutex_lock(&p->lock);
  atomic_fetch_add(sleeping, 1);
  while (!ready(p, seen)) pthread_cond_wait(cond, &p->lock);
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

static void do_share(rcc_pool *p, int32_t worker) {
  for (int64_t i = worker; i < p->count; i += p->parallel.threads) p->task(p->arg, (int32_t)i, worker);
}

static void *worker_main(void *arg) {
  Worker *w = arg;
  rcc_pool *p = w->pool;
  for (uint32_t seen = 0;; seen++) {
    await(p, run_has_started, seen, &p->sleeping_workers, &p->go);
    if (p->stop) return NULL;
    do_share(p, w->index);
    if (atomic_fetch_sub(&p->working, 1) == 1) wake(p, &p->sleeping_caller, &p->done);
  }
}

static void release_workers(rcc_pool *p) {
  atomic_store_explicit(&p->working, p->n_started, memory_order_relaxed);
  atomic_fetch_add(&p->run, 1);
  wake(p, &p->sleeping_workers, &p->go);
}

static void pool_run(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker),
                     void *arg, int32_t count) {
  rcc_pool *p = (rcc_pool *)self;
  p->task = task;
  p->arg = arg;
  p->count = count;
  bool alone = count <= 1 || p->n_started == 0;
  if (!alone) release_workers(p);
  do_share(p, 0);
  if (!alone) await(p, run_has_ended, 0, &p->sleeping_caller, &p->done);
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

static bool start_workers(rcc_pool *p) {
  for (int32_t i = 0; i < p->parallel.threads - 1; i++) {
    p->worker[i] = (Worker){ .pool = p, .index = i + 1 };
    if (!start_worker(&p->worker[i])) return false;
    p->n_started++;
  }
  return true;
}

/* Where threads outnumber the CPUs, one that spins keeps another from its work. */
static int32_t spins_for(int32_t threads) {
  cpu_set_t cpus;
  bool enough = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) >= threads;
  return enough ? SPINS : 0;
}

rcc_pool *rcc_pool_create(int32_t threads) {
  if (threads < 1) return NULL;
  rcc_pool *p = aligned_alloc(CACHE_LINE, sizeof *p);
  Worker *workers = calloc((size_t)threads, sizeof *workers);
  if (!p || !workers) {
    free(p);
    free(workers);
    return NULL;
  }
  *p = (rcc_pool){ .parallel = { threads, pool_run }, .spins = spins_for(threads), .worker = workers };
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->go, NULL);
  pthread_cond_init(&p->done, NULL);
  if (start_workers(p)) return p;
  rcc_pool_destroy(p);
  return NULL;
}

const rcc_parallel *rcc_pool_parallel(rcc_pool *pool) {
  return &pool->parallel;
}

void rcc_pool_destroy(rcc_pool *p) {
  if (!p) return;
  p->stop = true;
  release_workers(p);
  for (int32_t i = 0; i < p->n_started; i++) pthread_join(p->worker[i].thread, NULL);
  pthread_cond_destroy(&p->done);
  pthread_cond_destroy(&p->go);
  pthread_mutex_destroy(&p->lock);
  free(p->worker);
  free(p);
}
