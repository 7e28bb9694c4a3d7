/* emulated.c: see emulated.h. RESNETCC_LINK=COMMAND links what follows it with guest.c and the runtime; RESNETCC_EMULATOR=COMMAND runs a
 * program. */
#include "emulated.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[32];
static const Graph *graph;

const char *emulated_cpu(void) { return getenv("RESNETCC_EMULATED"); }

Target *emulated_target(Context *cx, const Options *opt) {
  Options other = *opt;
  other.triple = "aarch64-linux-gnu";
  other.cpu = emulated_cpu();
  return target_new(cx, &other);
}

static void remove_folder(void) {
  static const char *const files[] = {"model.o", "model", "in", "out"};
  char path[64];
  for (size_t i = 0; i < COUNT(files); i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i]);
    unlink(path);
  }
  rmdir(folder);
}

static FILE *open_file(const char *name, const char *mode) {
  char path[64];
  if (!folder[0]) {
    strcpy(folder, "/tmp/emulated-XXXXXX");
    assert_non_null(mkdtemp(folder));
    atexit(remove_folder);
  }
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, mode);
  assert_non_null(f);
  return f;
}

static void run_command(const char *format, const char *command, long long batch, int threads) {
  char text[1024], all[1200];
  snprintf(text, sizeof text, format, command, batch, threads);
  snprintf(all, sizeof all, "cd %s && %s", folder, text);
  int status = system(all);
  if (status) fail_msg("status %d of %s", status, all);
}

/* With the images of a batch. */
static size_t bytes_of(const Value *v, int64_t batch) { return (size_t)(value_bytes(v) * (graph->symbolic && v->batched ? batch : 1)); }

static size_t no_workspace(int64_t batch, int32_t threads) {
  (void)batch, (void)threads;
  return 64;
}

static int run(const void *const *in, void *const *out, int64_t batch, void *work, size_t size, const rcc_parallel *par) {
  (void)work, (void)size;
  FILE *f = open_file("in", "wb");
  for (int i = 0; i < graph->n_input; i++) fwrite(in[i], 1, bytes_of(graph->input[i], batch), f);
  fclose(f);
  run_command("%s ./model %lld %d <in >out", getenv("RESNETCC_EMULATOR"), (long long)batch, par ? par->threads : 1);
  f = open_file("out", "rb");
  int32_t error = -1;
  assert_int_equal(fread(&error, sizeof error, 1, f), 1);
  for (int i = 0; i < graph->n_output; i++) {
    size_t n = bytes_of(graph->output[i], batch);
    assert_int_equal(fread(out[i], 1, n, f), n);
  }
  fclose(f);
  return error;
}

const rcc_model *emulated_model(const Graph *g, const Object *o) {
  static rcc_model model;
  FILE *f = open_file("model.o", "wb");
  fwrite(o->data, 1, o->size, f);
  fwrite(o->tail, 1, o->tail_size, f);
  fclose(f);
  char link[256];
  snprintf(link, sizeof link, "%%s model.o -o model -Wl,--defsym,guest_model=%s_model", g->name);
  run_command(link, getenv("RESNETCC_LINK"), 0, 0);
  graph = g;
  model = (rcc_model){.abi = RCC_ABI, .flags = g->symbolic ? RCC_SYMBOLIC_BATCH : 0, .name = g->name, .workspace_size = no_workspace, .run = run};
  return &model;
}
