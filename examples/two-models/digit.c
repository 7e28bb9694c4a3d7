/* digit PICTURE.pgm: tells which digit a picture of 8x8 pixels shows, by the fastest of the models that this CPU runs. */
#include "digits.h"
#include "digits_v3.h"
#include "digits_v4.h"
#include <stdio.h>

/* The fastest first. The last one runs on every x86-64. */
static const rcc_model *const levels[] = {&digits_v4_model, &digits_v3_model, &digits_model};

/* NULL: this CPU runs none of them. */
static const rcc_model *choose(void) {
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
    const char *missing = rcc_cpu_missing(levels[i]);
    if (!missing) return levels[i];
    fprintf(stderr, "%s needs %s, which this CPU lacks\n", levels[i]->name, missing);
  }
  return NULL;
}

static int read_picture(const char *path, float image[64]) {
  int w = 0, h = 0, white = 0, grey, n = 0;
  FILE *f = fopen(path, "r");
  if (f && fscanf(f, "P2 %d %d %d", &w, &h, &white) == 3 && w == 8 && h == 8 && white > 0)
    while (n < 64 && fscanf(f, "%d", &grey) == 1) image[n++] = 1 - (float)grey / (float)white;
  if (f) fclose(f);
  return n == 64;
}

int main(int argc, char **argv) {
  float image[64], p[10];
  int best = 0;
  if (argc != 2) return fprintf(stderr, "usage: digit PICTURE.pgm\n"), 1;
  if (!read_picture(argv[1], image))
    return fprintf(stderr, "%s: not a PGM of 8x8 pixels in text form\n", argv[1]), 1;
  const rcc_model *m = choose();
  if (!m) return 1;

  const void *inputs[] = {image};
  void *outputs[] = {p};
  size_t size = m->workspace_size(1, 1);
  void *work = rcc_workspace_alloc(size);
  int error = m->run(inputs, outputs, 1, work, size, NULL);
  rcc_workspace_free(work, size);
  if (error) return fprintf(stderr, "%s: %s\n", m->name, rcc_strerror(error)), 1;
  for (int i = 1; i < 10; i++)
    if (p[i] > p[best]) best = i;
  printf("%s looks like %d (%.1f %%), says %s\n", argv[1], best, 100 * p[best], m->name);
}
