/* weights.c: weights that are a file of their own. */
#include "resnetcc_rt.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A run looks at the weights first. Nobody lends it a thread, so that it goes no further than its arguments. */
static bool are_weights_of(const rcc_model *m, const void *weights) {
  const rcc_parallel nobody = { 0, NULL };
  const void **inputs = calloc((size_t)m->n_inputs, sizeof *inputs);
  if (!inputs) return false;
  inputs[m->n_inputs - 1] = weights;
  bool are = m->run(inputs, NULL, 1, NULL, 0, &nobody) != RCC_ERR_WEIGHTS;
  free(inputs);
  if (!are) errno = EINVAL;
  return are;
}

static const void *map_all(int fd, size_t size) {
  struct stat s;
  if (fstat(fd, &s) != 0) return NULL;
  if ((uint64_t)s.st_size != size) {
    errno = EINVAL;
    return NULL;
  }
  void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  return p == MAP_FAILED ? NULL : p;
}

const void *rcc_weights_map(const char *path, const rcc_model *m, size_t *size) {
  if (!(m->flags & RCC_WEIGHTS_INPUT)) {
    errno = EINVAL;
    return NULL;
  }
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  *size = (size_t)m->inputs[m->n_inputs - 1].dims[0];
  const void *weights = map_all(fd, *size);
  int error = errno;
  close(fd);
  errno = error;
  if (!weights || are_weights_of(m, weights)) return weights;
  error = errno;
  rcc_weights_unmap(weights, *size);
  errno = error;
  return NULL;
}

void rcc_weights_unmap(const void *weights, size_t size) {
  if (weights) munmap((void *)(uintptr_t)weights, size);
}
