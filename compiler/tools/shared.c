/* shared.c: -o FILE.so: a shared library of an object and the runtime, which the system's C compiler links. */
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_WORDS = 40 };

typedef struct Words {
  int n;
  const char *word[MAX_WORDS + 1];
} Words;

static void add(Words *w, const char *word) {
  if (w->n < MAX_WORDS) w->word[w->n++] = word;
}

/* CC may be several words, as in "ccache gcc". */
static void add_compiler(Context *cx, Words *w) {
  const char *cc = getenv("CC");
  char *text = copy_text(cx, cc && cc[strspn(cc, " \t")] ? cc : "cc"), *rest = text;
  for (char *word; (word = strtok_r(rest, " \t", &rest));) add(w, word);
}

/* Its status, or -1 with errno set where it could not be run. What it says goes to the file. */
static int run(const Words *w, const char *said) {
  posix_spawn_file_actions_t actions;
  pid_t child;
  int status = -1;
  signal(SIGCHLD, SIG_DFL); /* with a parent who ignores it nobody could be waited for */
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  errno = posix_spawnp(&child, w->word[0], &actions, NULL, (char *const *)w->word, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (errno) return -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

/* The first line that tells of an error, else the first. */
static const char *first_words(Context *cx, const char *path) {
  char line[300] = "", first[300] = "it does not say why";
  FILE *f = fopen(path, "re");
  bool any = false;
  while (f && fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = '\0';
    if (!any || strstr(line, "error")) memcpy(first, line, sizeof first);
    any = true;
    if (strstr(line, "error")) break;
  }
  if (f) fclose(f);
  return copy_text(cx, first);
}

static void take_file(Context *cx, const char *path, Output *out) {
  char part[1 << 16];
  size_t n;
  FILE *f = fopen(path, "rbe");
  if (!f) fail(cx, "%s cannot be read: %s", path, strerror(errno));
  while ((n = fread(part, 1, sizeof part, f)) > 0) output_write(out, part, n);
  bool failed = ferror(f);
  fclose(f);
  if (failed) fail(cx, "%s cannot be read: %s", path, strerror(errno));
}

static void link_files(Context *cx, const char *name, const char *object, const char *map, const char *result) {
  Words w = {0};
  add_compiler(cx, &w);
  add(&w, "-shared");
  add(&w, "-o");
  add(&w, result);
  add(&w, object);
  add(&w, "-Wl,-u,rcc_strerror"); /* all of the runtime, whatever the object calls */
  add(&w, runtime_archive(cx));
  add(&w, "-Wl,--no-undefined,-z,noexecstack");
  add(&w, format_text(cx, "-Wl,--version-script=%s,-soname,%s", map, name));
  add(&w, "-pthread");
  const char *said = scratch_path(cx, "said");
  int status = run(&w, said);
  if (status == -1) {
    fail(cx, "'%s', which is to link it, cannot be run: %s; install a C compiler, or name one by CC", w.word[0],
         strerror(errno));
  }
  if (status != 0) fail(cx, "'%s' did not link it: %s", w.word[0], first_words(cx, said));
}

void shared_library(const Build *b, const Object *o, const char *path, Output *out) {
  Context *cx = b->graph->cx;
  const char *input = cx->file;
  cx->file = path;
  const char *map = format_text(cx, "{ global: %s_*; rcc_*; local: *; };\n", b->graph->name);
  const void *const part[] = {o->data, o->tail};
  const size_t size[] = {o->size, o->tail_size};
  const char *object = scratch_write(cx, "model.o", part, size, 2);
  const char *script = scratch_write(cx, "map", (const void *const[]){map}, (const size_t[]){strlen(map)}, 1);
  const char *result = scratch_path(cx, "model.so");
  link_files(cx, output_is_file(path) ? path_base(path) : format_text(cx, "%s.so", b->graph->name), object, script, result);
  take_file(cx, result, out);
  scratch_remove();
  cx->file = input;
}
