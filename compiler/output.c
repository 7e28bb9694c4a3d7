/* output.c: files that appear complete or not at all. Each is written under another name in its folder and
 * renamed when all are; what is left when the program fails or a signal ends it is removed. Devices and
 * pipes are written directly. */
#include "resnetcc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OUTPUTS = 3 };

struct Output {
  const char *path;      /* NULL: standard output */
  FILE *file;
  int temporary;         /* index, -1: written directly */
  int error;             /* errno of the first write that failed */
};

/* The names of the temporaries, for a signal handler; empty: none. */
static char temporary[MAX_OUTPUTS][PATH_MAX];

void output_discard(void) {
  for (int i = 0; i < MAX_OUTPUTS; i++) {
    if (temporary[i][0]) unlink(temporary[i]);
    temporary[i][0] = '\0';
  }
}

static _Noreturn void fail_output(Context *cx, const char *path, const char *reason) {
  cx->file = path ? path : "standard output";
  fail(cx, "cannot be written: %s", reason);
}

const char *path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

bool output_is_file(const char *path) {
  struct stat s;
  return strcmp(path, "-") != 0 && (stat(path, &s) != 0 || S_ISREG(s.st_mode));
}

void output_check(Context *cx, const char *path) {
  struct stat in, out;
  if (strcmp(path, "-") == 0 || stat(path, &out) != 0) return;
  if (S_ISDIR(out.st_mode)) fail_output(cx, path, strerror(EISDIR));
  if (stat(cx->file, &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
    fail_output(cx, path, "it is the input file");
  }
}

/* The name of a temporary beside `path`; a short one, for where `path` fits, its name with an ending might
 * not. */
static void name_temporary(Context *cx, const char *path, int i, char *out) {
  int folder = (int)(path_base(path) - path);
  int n = snprintf(out, PATH_MAX, "%.*s.rcc%ld.%d", folder, path, (long)getpid(), i);
  if (n >= PATH_MAX) fail_output(cx, path, strerror(ENAMETOOLONG));
}

/* No signal may come between the making of a file and the note of its name. */
static void block_signals(sigset_t *old) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, old);
}

static void unblock_signals(const sigset_t *old) { sigprocmask(SIG_SETMASK, old, NULL); }

static FILE *open_temporary(Context *cx, const char *path, int i) {
  char name[PATH_MAX];
  sigset_t old;
  name_temporary(cx, path, i, name);
  block_signals(&old);
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  int reason = errno;
  if (fd >= 0) strcpy(temporary[i], name);
  unblock_signals(&old);
  if (fd < 0) fail_output(cx, path, strerror(reason));
  return fdopen(fd, "wb");
}

static int free_temporary(void) {
  int i = 0;
  while (i < MAX_OUTPUTS && temporary[i][0]) i++;
  assert(i < MAX_OUTPUTS);
  return i;
}

/* A link is followed, so that its file is replaced and not the link. */
static const char *resolved(Context *cx, const char *path) {
  char *real = realpath(path, NULL);
  if (!real) return path;
  char *copy = copy_text(cx, real);
  free(real);
  return copy;
}

Output *output_open(Context *cx, const char *path) {
  Output *o = alloc(cx, sizeof *o);
  o->temporary = -1;
  if (strcmp(path, "-") == 0) {
    o->file = stdout;
    return o;
  }
  o->path = path;
  if (output_is_file(path)) {
    o->path = resolved(cx, path);
    o->temporary = free_temporary();
    o->file = open_temporary(cx, o->path, o->temporary);
  } else {
    o->file = fopen(path, "wb");
  }
  if (!o->file) fail_output(cx, path, strerror(errno));
  return o;
}

void output_write(Output *o, const void *data, size_t size) {
  if (size && fwrite(data, 1, size, o->file) != size && !o->error) o->error = errno;
}

static void close_output(Context *cx, Output *o) {
  int failed = o->path ? fclose(o->file) : fflush(o->file);
  if (failed && !o->error) o->error = errno;
  if (o->error) fail_output(cx, o->path, strerror(o->error));
}

/* The last step can fail after the others have been taken only by a race with others; then they are taken
 * back. */
void output_finish(Context *cx, Output **o, int n) {
  for (int i = 0; i < n; i++) close_output(cx, o[i]);
  sigset_t old;
  block_signals(&old);
  for (int i = 0; i < n; i++) {
    if (o[i]->temporary < 0) continue;
    if (rename(temporary[o[i]->temporary], o[i]->path) != 0) {
      int reason = errno;
      for (int done = 0; done < i; done++) unlink(o[done]->path);
      unblock_signals(&old);
      fail_output(cx, o[i]->path, strerror(reason));
    }
    temporary[o[i]->temporary][0] = '\0';
  }
  unblock_signals(&old);
}
