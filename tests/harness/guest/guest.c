/* guest.c: the program that emulated.c has an emulator run: `guest BATCH THREADS` reads the model's inputs, all bytes of one behind the
 * other, from standard input, and writes to standard output what the run returned, as int32_t, and the outputs. */
#include "../guarded.h"
#include "resnetcc_rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const rcc_model guest_model; /* the linker gives the model that name */

enum { MOST = 64 };

static size_t element_bytes(int32_t type) {
  static const unsigned char bytes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 0, 0, 2};
  return bytes[type];
}

static size_t tensor_bytes(const rcc_tensor *t, int64_t batch) {
  size_t n = element_bytes(t->type);
  for (int32_t i = 0; i < t->rank; i++) n *= (size_t)(t->dims[i] < 0 ? batch : t->dims[i]);
  return n;
}

static void run_backwards(const rcc_parallel *self, void (*task)(void *arg, int32_t index, int32_t worker), void *arg, int32_t count) {
  for (int32_t i = count - 1; i >= 0; i--) task(arg, i, i % self->threads);
}

static void check(int right, const char *what) {
  if (right) return;
  fprintf(stderr, "guest: %s\n", what);
  exit(1);
}

static unsigned long long float_mode(void) {
#ifdef __aarch64__
  unsigned long long mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#else
  return 0;
#endif
}

int main(int argc, char **argv) {
  const rcc_model *m = &guest_model;
  check(argc == 3 && m->n_inputs <= MOST && m->n_outputs <= MOST, "usage");
  int64_t batch = atoll(argv[1]);
  rcc_parallel lent = {.threads = atoi(argv[2]), .run = run_backwards};
  Guarded in[MOST], out[MOST], work = guarded_new(m->workspace_size(batch, lent.threads), 64, true);
  const void *input[MOST];
  void *output[MOST];
  for (int i = 0; i < m->n_inputs; i++) {
    in[i] = guarded_new(tensor_bytes(&m->inputs[i], batch), element_bytes(m->inputs[i].type), lent.threads == 1);
    check(fread(in[i].data, 1, in[i].size, stdin) == in[i].size, "input is missing");
    guarded_protect(&in[i]);
    input[i] = in[i].data;
  }
  for (int i = 0; i < m->n_outputs; i++) {
    out[i] = guarded_new(tensor_bytes(&m->outputs[i], batch), element_bytes(m->outputs[i].type), lent.threads == 1);
    output[i] = out[i].data;
  }
  unsigned long long mode = float_mode();
  int32_t error = m->run(input, output, batch, work.data, work.size, lent.threads > 1 ? &lent : NULL);
  fwrite(&error, sizeof error, 1, stdout);
  check(float_mode() == mode, "another mode of floats is left behind");
  check(guarded_intact(&work), "written beside the workspace");
  for (int i = 0; i < m->n_outputs; i++) {
    check(guarded_intact(&out[i]), "written beside an output");
    fwrite(out[i].data, 1, out[i].size, stdout);
  }
  return fflush(stdout) != 0;
}
