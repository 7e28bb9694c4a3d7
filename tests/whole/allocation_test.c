/* allocation_test.c: a compilation, each of whose allocations fails in turn, be it LLVM's: one line, status 1, nothing left
 * behind; or it does without that memory, and the object is as ever. */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
/* These have an allocator of their own; see limits_leave_nothing. */
#define HAS_OWN_ALLOCATOR 1
#else
#define HAS_OWN_ALLOCATOR 0
#endif

static const char *const models[] = {"cli/tiny.onnx", "../examples/digits/digits.onnx", "models/resblock/model.onnx"};
static char folder[64], tests[4096];

/* ==== the C library's functions, with a count ==== */

static long calls, first, last = -1; /* calls number first to last fail */

#if !HAS_OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool fails(void) {
  long call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  if (call < first || call > last) return false;
  errno = ENOMEM;
  return true;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails() ? NULL : __libc_realloc(p, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void **p, size_t alignment, size_t size) {
  if (fails()) return ENOMEM;
  *p = __libc_memalign(alignment, size);
  return *p ? 0 : ENOMEM;
}
#endif

/* ==== one compilation, in a process of its own ==== */

static char *read_whole(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  char *data = test_calloc(1, *size + 1);
  assert_int_equal(fread(data, 1, *size, f), *size);
  fclose(f);
  return data;
}

static ToolOptions options_for(const char *model, int64_t limit) {
  return (ToolOptions){.output = "net.o", .compile = {.input = model, .max_memory = limit, .cpu = "x86-64-v3"}};
}

/* What main does. */
static _Noreturn void compile_here(const char *model) {
  Context cx = {0};
  ToolOptions opt = options_for(model, INT64_C(1) << 32);
  int errors = open("errors", O_WRONLY | O_CREAT | O_TRUNC, 0666);
  dup2(errors, STDERR_FILENO);
  close(errors);
  calls = 0;
  int status = compile(&cx, &opt);
  last = -1;
  long made = calls;
  if (status) message_print(MESSAGE_ERROR, cx.error);
  FILE *f = fopen("calls", "w");
  fprintf(f, "%ld", made);
  fclose(f);
  _exit(status);
}

/* Waits for it; the calls that it made are in `calls` afterwards. */
static int compile_with_failures(const char *model, long from, long to) {
  pid_t child = fork();
  if (child == 0) {
    first = from;
    last = to;
    compile_here(model);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status)) fail_msg("%s: calls %ld to %ld: signal %d", model, from, to, WTERMSIG(status));
  return WEXITSTATUS(status);
}

static bool is_one_line(const char *text) {
  const char *end = strchr(text, '\n');
  return strncmp(text, "resnetcc: error: ", 17) == 0 && end && !end[1] && strstr(text, "emory");
}

static int files_here(void) {
  int n = -2; /* . and .. */
  DIR *d = opendir(".");
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static void check_failure(const char *model, long from, long to, const char *object, size_t size) {
  size_t n, made;
  int status = compile_with_failures(model, from, to);
  char *errors = read_whole("errors", &n);
  unlink("errors");
  unlink("calls");
  if (status == 0) {
    char *other = read_whole("net.o", &made);
    if (made != size || memcmp(other, object, size) != 0) fail_msg("%s: calls %ld to %ld: another object", model, from, to);
    test_free(other);
    unlink("net.o");
    unlink("net.h");
  } else if (!is_one_line(errors)) {
    fail_msg("%s: calls %ld to %ld: status %d, %s", model, from, to, status, errors);
  }
  if (files_here() != 0) fail_msg("%s: calls %ld to %ld: something is left", model, from, to);
  test_free(errors);
}

/* The first calls one by one, which are ours for the most part, later ones further and further apart. */
static void check_model(const char *model) {
  size_t size, n;
  enum { EACH = 24 };
  assert_int_equal(compile_with_failures(model, 0, -1), 0);
  char *object = read_whole("net.o", &size), *made = read_whole("calls", &n);
  long all = strtol(made, NULL, 10);
  unlink("net.o"), unlink("net.h"), unlink("errors"), unlink("calls");
  assert_true(all > 1000);
  for (long k = 1, i = 0; k <= all; k += 1 + (k > EACH) * k / 6, i++) {
    if (k <= EACH || i & 1) check_failure(model, k, k, object, size);
    if (k <= EACH || !(i & 1)) check_failure(model, k, all * 2, object, size); /* and all behind it */
  }
  test_free(object);
  test_free(made);
}

static int setup(void **state) {
  (void)state;
  strcpy(folder, "/tmp/allocation_test.XXXXXX");
  if (!getcwd(tests, sizeof tests) || !mkdtemp(folder)) return -1;
  return chdir(folder);
}

static int teardown(void **state) {
  (void)state;
  return chdir(tests) || rmdir(folder);
}

static void each_allocation_fails(void **state) {
  (void)state;
  if (HAS_OWN_ALLOCATOR) skip();
  for (size_t i = 0; i < COUNT(models); i++) {
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", tests, models[i]);
    check_model(path);
  }
}

/* In this process, where LeakSanitizer looks for what compile has left. */
static void limits_leave_nothing(void **state) {
  (void)state;
  int failed = 0;
  for (size_t i = 0; i < COUNT(models); i++) {
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", tests, models[i]);
    bool done = false;
    for (int64_t limit = 1 << 12; !done && limit < INT64_C(1) << 32; limit += limit / 4) {
      Context cx = {0};
      ToolOptions opt = options_for(path, limit);
      done = compile(&cx, &opt) == 0;
      if (!done && !strstr(cx.error, "memory limit")) fail_msg("limit %lld: %s", (long long)limit, cx.error);
      if (!done && files_here() != 0) fail_msg("limit %lld: something is left", (long long)limit);
      failed += !done;
    }
    assert_true(done);
    unlink("net.o"), unlink("net.h");
  }
  assert_true(failed > 20);
}

int main(void) {
  const struct CMUnitTest list[] = {
    cmocka_unit_test_setup_teardown(each_allocation_fails, setup, teardown),
    cmocka_unit_test_setup_teardown(limits_leave_nothing, setup, teardown),
  };
  return cmocka_run_group_tests(list, NULL, NULL);
}
