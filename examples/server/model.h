/* The model that requests run, in a shared library that may be replaced while they do. */
#pragma once
#include "resnetcc_rt.h"

enum { TOP_LIMIT = 100 };

typedef struct Model Model;
struct Model {
  const rcc_model *net; /* u8,nhwc in; topK out */
  const char *const *labels;
  int width, height, top;
  size_t workspace_size;
  /* the rest is for model.c */
  void *library;
  int file, workers, free;
  void *workspaces[]; /* those of [0, free) are not in use */
};

/* Makes the library at `path` the model of all runs that begin from now on, at most `workers` at a time. The one before is closed
 * by its last run. Returns NULL, or what is wrong; the model is then as before. */
const char *model_load(const char *path, int workers);
/* The model, and a workspace for one run. */
Model *model_take(void **workspace);
void model_give(Model *m, void *workspace);
/* When nothing runs any more. */
void model_unload(void);
