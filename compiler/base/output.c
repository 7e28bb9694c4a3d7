/* output.c: files that appear complete or not at all. Each is written without a name, so that it is gone however the
 * program ends, and gets its name when all are complete. Where the file system has no files without a name, it has another
 * name meanwhile, which is removed when the program fails or a signal ends it. Devices and pipes are written directly. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OUTPUTS = 16, MAX_LINKS = 40 /* symbolic ones to a file that does not exist: more are a circle */ };

typedef enum OutputState {
  UNNAMED,
  TEMPORARY, /* it has the name temporary[slot] */
  NAMED,     /* it has its own name; or needs none: a device */
} OutputState;

struct Output {
  const char *path; /* NULL: standard output */
  int slot;         /* index of `opened` and `temporary`; -1: standard output */
  FILE *file;
  OutputState state;
  bool fresh;       /* no other file was replaced */
  int error;        /* errno of the first write that failed */
};

static FILE *opened[MAX_OUTPUTS];
/* The names of temporaries, for a signal handler; empty: none. */
static char temporary[MAX_OUTPUTS][PATH_MAX];

void output_discard(void) {
  for (int i = 0; i < MAX_OUTPUTS; i++) {
    if (temporary[i][0]) unlink(temporary[i]);
    temporary[i][0] = '\0';
  }
  scratch_remove();
}

void output_abandon(void) {
  for (int i = 0; i < MAX_OUTPUTS; i++) {
    if (opened[i]) fclose(opened[i]);
    opened[i] = NULL;
  }
  output_discard();
}

static _Noreturn void fail_output(Context *cx, const char *path, const char *reason) {
  cx->file = path ? path : "standard output";
  fail(cx, "cannot be written: %s", reason);
}

/* ==== paths ==== */

const char *path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *path_folder(Context *cx, const char *path) {
  size_t n = (size_t)(path_base(path) - path);
  if (n == 0) return ".";
  return copy_bytes_as_text(cx, path, n > 1 ? n - 1 : n);
}

bool output_is_file(const char *path) {
  struct stat s;
  return strcmp(path, "-") != 0 && (stat(path, &s) != 0 || S_ISREG(s.st_mode));
}

bool same_file(const char *a, const char *b) {
  struct stat s, t;
  return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

void output_check(Context *cx, const char *path) {
  struct stat s;
  if (strcmp(path, "-") == 0 || stat(path, &s) != 0) return;
  if (S_ISDIR(s.st_mode)) fail_output(cx, path, strerror(EISDIR));
  if (same_file(path, cx->file)) fail_output(cx, path, "it is the input file");
}

/* Where the symbolic link `path` points to; NULL: it is none. */
static const char *link_target(Context *cx, const char *path) {
  char target[PATH_MAX];
  ssize_t n = readlink(path, target, sizeof target);
  if (n < 0) return NULL;
  const char *text = copy_bytes_as_text(cx, target, (size_t)n);
  return *text == '/' ? text : format_text(cx, "%s/%s", path_folder(cx, path), text);
}

const char *output_resolved(Context *cx, const char *path) {
  for (int i = 0; i < MAX_LINKS; i++) {
    char *real = realpath(path, NULL);
    if (real) {
      const char *copy = copy_text(cx, real);
      free(real);
      return copy;
    }
    if (errno != ENOENT) break;
    const char *target = link_target(cx, path);
    if (!target) return path;
    path = target;
  }
  fail_output(cx, path, strerror(errno));
}

/* ==== opening ==== */

/* No signal may come between the making of a file and the note of its name. */
static void block_signals(sigset_t *old) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, old);
}

static void unblock_signals(const sigset_t *old) { sigprocmask(SIG_SETMASK, old, NULL); }

/* A temporary's name beside `path`; a short one, for where `path` fits, its name with an ending might not. */
static bool name_temporary(const Output *o, char out[PATH_MAX]) {
  int folder = (int)(path_base(o->path) - o->path);
  if (snprintf(out, PATH_MAX, "%.*s.rcc%ld.%d", folder, o->path, (long)getpid(), o->slot) < PATH_MAX) return true;
  errno = ENAMETOOLONG;
  return false;
}

/* The name under which the system knows an open file. */
static void name_of_open_file(int fd, char out[64]) { snprintf(out, 64, "/proc/self/fd/%d", fd); }

/* -1 with errno EOPNOTSUPP: there are no files without a name here, or none that could get one later. */
static int open_unnamed(Context *cx, const char *path) {
  char name[64];
  int fd = open(path_folder(cx, path), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
  /* A kernel that does not know the flag takes the folder for what is to be written. */
  if (fd < 0 && (errno == EISDIR || errno == EINVAL)) errno = EOPNOTSUPP;
  if (fd < 0) return -1;
  name_of_open_file(fd, name);
  if (access(name, F_OK) == 0) return fd;
  close(fd);
  errno = EOPNOTSUPP;
  return -1;
}

static int open_temporary(Output *o) {
  char name[PATH_MAX];
  sigset_t old;
  if (!name_temporary(o, name)) return -1;
  block_signals(&old);
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  int reason = errno;
  if (fd >= 0) strcpy(temporary[o->slot], name);
  unblock_signals(&old);
  errno = reason;
  o->state = TEMPORARY;
  return fd;
}

static int open_output(Context *cx, Output *o) {
  if (!output_is_file(o->path)) {
    o->state = NAMED;
    return open(o->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
  }
  o->path = output_resolved(cx, o->path);
  int fd = open_unnamed(cx, o->path);
  return fd < 0 && errno == EOPNOTSUPP ? open_temporary(o) : fd;
}

static int free_slot(void) {
  int i = 0;
  while (i < MAX_OUTPUTS && (opened[i] || temporary[i][0])) i++;
  assert(i < MAX_OUTPUTS);
  return i;
}

Output *output_open(Context *cx, const char *path) {
  Output *o = alloc(cx, sizeof *o);
  memory_at_end(output_discard);
  if (strcmp(path, "-") == 0) {
    *o = (Output){.file = stdout, .slot = -1, .state = NAMED};
    return o;
  }
  *o = (Output){.path = path, .slot = free_slot()};
  int fd = open_output(cx, o);
  if (fd < 0) fail_output(cx, path, strerror(errno));
  o->file = opened[o->slot] = fdopen(fd, "wb");
  if (!o->file) close(fd);
  if (!o->file) fail_output(cx, path, strerror(ENOMEM));
  return o;
}

/* ==== finishing ==== */

void output_write(Output *o, const void *data, size_t size) {
  if (size && fwrite(data, 1, size, o->file) != size && !o->error) o->error = errno;
}

static void flush_output(Context *cx, Output *o) {
  if (fflush(o->file) != 0 && !o->error) o->error = errno;
  if (o->error) fail_output(cx, o->path, strerror(o->error));
}

/* Some file systems report only here what could not be written. */
static bool close_output(Output *o) {
  if (o->slot < 0 || !opened[o->slot]) return true;
  opened[o->slot] = NULL;
  if (fclose(o->file) != 0 && !o->error) o->error = errno;
  return !o->error;
}

static bool has_failed(Output *o) {
  if (!o->error) o->error = errno;
  return false;
}

static bool link_output(const Output *o, const char *path) {
  char name[64];
  name_of_open_file(fileno(o->file), name);
  return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

static bool link_temporary(Output *o) {
  char name[PATH_MAX];
  if (!name_temporary(o, name) || !link_output(o, name)) return false;
  strcpy(temporary[o->slot], name);
  o->state = TEMPORARY;
  return true;
}

/* What can go wrong, before any file is seen: an unnamed output that is to replace another gets a temporary name. */
static bool prepare(Output *o) {
  struct stat s;
  if (o->state == NAMED) return true;
  o->fresh = lstat(o->path, &s) != 0;
  if (!o->fresh && S_ISDIR(s.st_mode)) {
    errno = EISDIR;
    return has_failed(o);
  }
  return o->fresh || o->state == TEMPORARY || link_temporary(o) || has_failed(o);
}

static bool appear(Output *o) {
  if (o->state == NAMED) return true;
  bool linked = o->state == UNNAMED && link_output(o, o->path);
  if (o->state == UNNAMED && !linked) {
    o->fresh = false; /* if another process was faster, it is replaced like an old file */
    if (errno != EEXIST || !link_temporary(o)) return has_failed(o);
  }
  if (!linked && rename(temporary[o->slot], o->path) != 0) return has_failed(o);
  temporary[o->slot][0] = '\0';
  o->state = NAMED;
  return true;
}

/* New files first, which can be taken back. */
static Output *appear_all(Output **o, int n) {
  for (int i = 0; i < n; i++)
    if (!prepare(o[i])) return o[i];
  for (int replace = 0; replace <= 1; replace++)
    for (int i = 0; i < n; i++)
      if (o[i]->fresh != replace && !appear(o[i])) return o[i];
  return NULL;
}

/* Only a race with others can make the last steps fail after the first; what is new is taken back then. */
void output_finish(Context *cx, Output **o, int n) {
  sigset_t old;
  for (int i = 0; i < n; i++) {
    flush_output(cx, o[i]);
    if (o[i]->state == TEMPORARY && !close_output(o[i])) fail_output(cx, o[i]->path, strerror(o[i]->error));
  }
  block_signals(&old);
  Output *bad = appear_all(o, n);
  for (int i = 0; i < n; i++)
    if (!close_output(o[i]) && !bad) bad = o[i];
  for (int i = 0; i < n && bad; i++)
    if (o[i]->fresh && o[i]->state == NAMED) unlink(o[i]->path);
  unblock_signals(&old);
  if (bad) fail_output(cx, bad->path, strerror(bad->error));
}
