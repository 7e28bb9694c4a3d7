#include "model.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Model *current;

static void close_model(Model *m) {
  for (int i = 0; i < m->free; i++) rcc_workspace_free(m->workspaces[i], m->workspace_size);
  if (m->library) dlclose(m->library);
  if (m->file >= 0) close(m->file);
  free(m);
}

/* By a name that no other library in the program has: with a name that is known, dlopen would hand out the old library again,
 * whatever the file holds by now. */
static const char *open_library(Model *m, const char *path) {
  char name[32];
  m->file = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(name, sizeof name, "/proc/self/fd/%d", m->file);
  m->library = m->file < 0 ? NULL : dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!m->library) return "not a shared library";
  m->net = dlsym(m->library, "net_model");
  m->labels = dlsym(m->library, "net_labels");
  return m->net && m->labels ? NULL : "it was not made with --name=net and --labels";
}

/* The numbers are ONNX's of uint8, int32 and float. */
static const char *look_at(Model *m) {
  const rcc_model *net = m->net;
  if (net->abi != RCC_ABI) return "it was compiled for another resnetcc_rt";
  if (rcc_cpu_missing(net)) return "it was compiled for another CPU";
  const rcc_tensor *image = &net->inputs[0];
  if (net->n_inputs != 1 || image->type != 2 || image->rank != 4 || image->dims[0] > 1 || image->dims[3] != 3)
    return "its input is not u8,nhwc of one picture";
  if (net->n_outputs != 2 || net->outputs[0].type != 6 || net->outputs[1].type != 1) return "its output is not topK";
  const rcc_tensor *classes = &net->outputs[0];
  int64_t top = classes->dims[classes->rank - 1];
  if (top > TOP_LIMIT) return "it has too many classes at the top";
  m->height = (int)image->dims[1];
  m->width = (int)image->dims[2];
  m->top = (int)top;
  m->workspace_size = net->workspace_size(1, 1);
  return NULL;
}

static const char *fill(Model *m, const char *path, int workers) {
  const char *why = open_library(m, path);
  if (!why) why = look_at(m);
  for (; !why && m->free < workers; m->free++)
    if (!(m->workspaces[m->free] = rcc_workspace_alloc(m->workspace_size))) return "out of memory";
  m->workers = workers;
  return why;
}

/* Swaps `m` in, and closes the one before if nothing runs it. */
static void replace(Model *m) {
  pthread_mutex_lock(&lock);
  Model *old = current;
  current = m;
  int idle = old && old->free == old->workers;
  pthread_mutex_unlock(&lock);
  if (idle) close_model(old);
}

const char *model_load(const char *path, int workers) {
  Model *m = calloc(1, sizeof *m + (size_t)workers * sizeof *m->workspaces);
  if (!m) return "out of memory";
  m->file = -1;
  const char *why = fill(m, path, workers);
  if (why)
    close_model(m);
  else
    replace(m);
  return why;
}

Model *model_take(void **workspace) {
  pthread_mutex_lock(&lock);
  Model *m = current;
  *workspace = m->workspaces[--m->free];
  pthread_mutex_unlock(&lock);
  return m;
}

void model_give(Model *m, void *workspace) {
  pthread_mutex_lock(&lock);
  m->workspaces[m->free++] = workspace;
  int last = m != current && m->free == m->workers;
  pthread_mutex_unlock(&lock);
  if (last) close_model(m);
}

void model_unload(void) {
  replace(NULL);
}
