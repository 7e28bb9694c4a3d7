/* scratch.c: files for other programs, in a folder that is gone afterwards, however this program ends. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILES = 6, FOLDER_ROOM = 24, PATH_ROOM = 64 };

/* For a signal handler: empty where there is none. */
static char folder[FOLDER_ROOM];
static char files[MAX_FILES][PATH_ROOM];

void scratch_remove(void) {
  for (int i = 0; i < MAX_FILES; i++) {
    if (files[i][0]) unlink(files[i]);
    files[i][0] = '\0';
  }
  if (folder[0]) rmdir(folder);
  folder[0] = '\0';
}

static void make_folder(Context *cx) {
  static const char template[] = "/tmp/resnetcc.XXXXXX";
  char name[sizeof template];
  memcpy(name, template, sizeof template);
  if (!mkdtemp(name)) fail(cx, "a folder in /tmp cannot be made: %s", strerror(errno));
  memcpy(folder, name, sizeof name);
}

const char *scratch_path(Context *cx, const char *name) {
  int i = 0;
  if (!folder[0]) make_folder(cx);
  while (files[i][0]) i++;
  assert(i < MAX_FILES);
  int n = snprintf(files[i], PATH_ROOM, "%s/%s", folder, name);
  assert(n < PATH_ROOM);
  return files[i];
}

const char *scratch_write(Context *cx, const char *name, const void *const *part, const size_t *size, int n) {
  const char *path = scratch_path(cx, name);
  FILE *f = fopen(path, "wbe");
  bool good = f;
  for (int i = 0; i < n && good; i++) good = size[i] == 0 || fwrite(part[i], 1, size[i], f) == size[i];
  if (f && fclose(f) != 0) good = false;
  if (!good) fail(cx, "%s cannot be written: %s", path, strerror(errno));
  return path;
}
