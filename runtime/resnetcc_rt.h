/* resnetcc_rt.h: what a compiled model and the program that runs it share. C11 and C++.
 *
 * A model compiled with `--name net` brings net.h, which declares net_run with a typed parameter for every
 * input and output, and net_model, the same as a table for programs that learn their model at run time.
 * Neither allocates; the caller lends a workspace:
 *
 *     void *work = rcc_workspace_alloc(NET_WORKSPACE_SIZE);
 *     int error = net_run(image, logits, work, NET_WORKSPACE_SIZE, NULL);
 *     if (error) fprintf(stderr, "%s\n", rcc_strerror(error));
 *     rcc_workspace_free(work, NET_WORKSPACE_SIZE);
 *
 * Runs may go on at the same time in different threads if each has its own workspace and outputs. */
#ifndef RESNETCC_RT_H
#define RESNETCC_RT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RCC_ABI 1

/* ---- threads ---- */

/* How the application lends its threads to a run. NULL in its place: all runs on the caller's thread. */
typedef struct rcc_parallel rcc_parallel;
struct rcc_parallel {
  int32_t threads; /* tasks that may run at once; sizes the workspace */
  /* Calls task(arg, index, worker) once for every index in [0, count) and returns when all are done. No
   * two tasks that run at the same time have the same worker, which is in [0, threads). */
  void (*run)(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker), void *arg,
              int32_t count);
};

/* A pool of threads, for programs that have none of their own. */
typedef struct rcc_pool rcc_pool;

/* The caller of a run is one of the `threads`, so threads - 1 are started, or fewer where there are not so
 * many CPUs: the tasks are as many all the same. NULL: threads < 1, or the system gave none. */
rcc_pool *rcc_pool_create(int32_t threads);
/* What to hand to a run; valid as long as the pool. One run at a time may use it. */
const rcc_parallel *rcc_pool_parallel(rcc_pool *pool);
/* Waits for the threads to end. No run may be going on. NULL is allowed. */
void rcc_pool_destroy(rcc_pool *pool);

/* ---- models ---- */

/* An input or output: dense, row-major, at any address that is aligned for one element. Without a symbolic batch in its
 * dimensions it is the same for all images. NULL where it has no elements, as where the batch is 0. */
typedef struct rcc_tensor {
  const char *name;
  int32_t type;        /* ONNX TensorProto.DataType: 1 float, 2 uint8, 7 int64, ... */
  int32_t rank;
  const int64_t *dims; /* -1 stands for the symbolic batch */
} rcc_tensor;

/* Bits of flags. With the second, compiled with --weights=file, the last input is the model's weights. */
#define RCC_SYMBOLIC_BATCH 1
#define RCC_WEIGHTS_INPUT 2

typedef struct rcc_model {
  uint32_t abi, flags;          /* RCC_ABI; RCC_SYMBOLIC_BATCH, RCC_WEIGHTS_INPUT */
  const char *name, *target;    /* as given by --name; CPU and features it was compiled for */
  int32_t n_inputs, n_outputs;
  const rcc_tensor *inputs, *outputs; /* in the model's order, initializers left out */
  /* Bytes of workspace, aligned to 64, that run needs; 0 as well for a batch or a number of threads that can't be. The
   * batch is 1 where the model has no symbolic one. With what suffices for a batch of 1, all threads work on one image
   * after the other. */
  size_t (*workspace_size)(int64_t batch, int32_t threads);
  /* Returns RCC_OK or an error code; with an error nothing has been written. A batch of 0 writes what has no batch. */
  int (*run)(const void *const *inputs, void *const *outputs, int64_t batch, void *workspace,
             size_t workspace_size, const rcc_parallel *par);
} rcc_model;

/* ---- errors ---- */

enum {
  RCC_OK = 0,
  RCC_ERR_ARGUMENT,  /* an input or output pointer is missing, or par lends no thread */
  RCC_ERR_WORKSPACE, /* the workspace is too small or not aligned to 64 bytes */
  RCC_ERR_CPU,       /* the CPU, or the system, lacks a feature the model was compiled for */
  RCC_ERR_SHAPE,     /* the batch is negative, larger than memory, or not 1 where the model has no symbolic one */
  RCC_ERR_WEIGHTS    /* the weights are missing, not aligned to 64 bytes, or not those that the model was compiled with */
};
/* A constant English sentence without a full stop; never NULL. */
const char *rcc_strerror(int error);
/* The first feature that the model needs and the CPU, or the system, lacks, as clang names it: "avx512f"; NULL where none does. */
const char *rcc_cpu_missing(const rcc_model *m);

/* ---- weights of their own file ----
 * Little endian: "RCCW", the version as uint32_t, the bytes of all as uint64_t, the SHA-256 of the data, 16 bytes of 0, then the
 * data. A run compares all before the SHA-256 and its first 16 bytes. The file may lie anywhere in memory, aligned to 64 bytes,
 * read-only, for any number of runs. */

#define RCC_WEIGHTS_MAGIC "RCCW"
#define RCC_WEIGHTS_VERSION 1

/* Maps the file read-only and sets *size to its bytes. NULL with errno set: it cannot be read; EINVAL: it does not hold the
 * weights of m, or m has its weights inside. */
const void *rcc_weights_map(const char *path, const rcc_model *m, size_t *size);
/* When no run uses them any more. NULL is allowed. */
void rcc_weights_unmap(const void *weights, size_t size);

/* ---- workspace ---- */

/* Memory aligned to 64 bytes, on 2 MB pages where the system has them. NULL: there is not so much. The
 * contents are unspecified. */
void *rcc_workspace_alloc(size_t size);
/* `size` as it was asked for. NULL is allowed. */
void rcc_workspace_free(void *workspace, size_t size);

/* ---- the CPU: called by compiled models ----
 * What a model needs of a machine is a word of 64 bits. The top byte names the architecture; it alone says what the 56 bits below
 * it mean. Those of aarch64 stand last; other numbers are reserved. */

#define RCC_ARCH(features) ((features) >> 56)
#define RCC_ARCH_X86_64 UINT64_C(0)
#define RCC_ARCH_AARCH64 UINT64_C(1)

#define RCC_CPU_SSE3 (UINT64_C(1) << 0)
#define RCC_CPU_SSSE3 (UINT64_C(1) << 1)
#define RCC_CPU_SSE41 (UINT64_C(1) << 2)
#define RCC_CPU_SSE42 (UINT64_C(1) << 3)
#define RCC_CPU_POPCNT (UINT64_C(1) << 4)
#define RCC_CPU_MOVBE (UINT64_C(1) << 5)
#define RCC_CPU_LZCNT (UINT64_C(1) << 6)
#define RCC_CPU_BMI (UINT64_C(1) << 7)
#define RCC_CPU_BMI2 (UINT64_C(1) << 8)
#define RCC_CPU_AVX (UINT64_C(1) << 9)
#define RCC_CPU_F16C (UINT64_C(1) << 10)
#define RCC_CPU_FMA (UINT64_C(1) << 11)
#define RCC_CPU_AVX2 (UINT64_C(1) << 12)
#define RCC_CPU_AVXVNNI (UINT64_C(1) << 13)
#define RCC_CPU_AVX512F (UINT64_C(1) << 14)
#define RCC_CPU_AVX512CD (UINT64_C(1) << 15)
#define RCC_CPU_AVX512BW (UINT64_C(1) << 16)
#define RCC_CPU_AVX512DQ (UINT64_C(1) << 17)
#define RCC_CPU_AVX512VL (UINT64_C(1) << 18)
#define RCC_CPU_AVX512VNNI (UINT64_C(1) << 19)
#define RCC_CPU_AVX512VBMI (UINT64_C(1) << 20)
#define RCC_CPU_AVX512VBMI2 (UINT64_C(1) << 21)
#define RCC_CPU_AVX512BITALG (UINT64_C(1) << 22)
#define RCC_CPU_AVX512VPOPCNTDQ (UINT64_C(1) << 23)
#define RCC_CPU_AVX512IFMA (UINT64_C(1) << 24)
#define RCC_CPU_AVX512BF16 (UINT64_C(1) << 25)
#define RCC_CPU_AVX512FP16 (UINT64_C(1) << 26)
#define RCC_CPU_AMX_TILE (UINT64_C(1) << 27)
#define RCC_CPU_AMX_INT8 (UINT64_C(1) << 28)
#define RCC_CPU_AMX_BF16 (UINT64_C(1) << 29)
#define RCC_CPU_GFNI (UINT64_C(1) << 30)

#define RCC_CPU_DOTPROD (UINT64_C(1) << 32)
#define RCC_CPU_I8MM (UINT64_C(1) << 33)

/* RCC_OK if the CPU is of that architecture, has all `features` (RCC_CPU_*), and the system saves the registers they need,
 * else RCC_ERR_CPU. For AMX it asks Linux, once, to let the program use tiles. A few nanoseconds after the first call; safe from
 * any thread. */
int rcc_cpu_check(uint64_t features);

#ifdef __cplusplus
}
#endif
#endif
