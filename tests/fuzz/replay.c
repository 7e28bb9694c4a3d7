/* replay.c: the main of a fuzz target without libFuzzer: gives it every file of a corpus. usage: TARGET [-p] FILE|FOLDER... */
#include "fuzz.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int replay_file(const char *path) {
  FILE *f = fopen(path, "rb");
  static uint8_t bytes[1 << 20];
  if (!f) return 0;
  size_t size = fread(bytes, 1, sizeof bytes, f);
  fclose(f);
  /* In memory of its own size, so that a read past the end is noticed. */
  uint8_t *exact = malloc(size ? size : 1);
  memcpy(exact, bytes, size);
  if (fuzz_print) printf("== %s\n", path);
  LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  return 1;
}

static int replay(const char *path) {
  DIR *d = opendir(path);
  if (!d) return replay_file(path);
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) {
    char file[4096];
    if (e->d_name[0] == '.') continue;
    snprintf(file, sizeof file, "%s/%s", path, e->d_name);
    n += replay_file(file);
  }
  closedir(d);
  return n;
}

int main(int argc, char **argv) {
  int n = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-p") == 0) fuzz_print = true;
    else n += replay(argv[i]);
  }
  printf("%d inputs\n", n);
  return n == 0;
}
