/* layering_test.c: reads the #include lines: who may know protobuf, who LLVM. Runs in the folder tests. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* A header that begins so may be included only by files that begin so (NULL: by none). */
static const struct { const char *header, *folder, *file[3]; } layers[] = {
  {"onnx.pb-c", "compiler", {"import"}},
  {"protobuf-c", "compiler", {"import"}},
  {"import", "compiler", {"import"}},
  {"llvm-c", "compiler", {"emit", "object"}},
  {"llvm/", "compiler", {"emit", "object"}},
  {"emit", "compiler", {"emit", "object"}},
  {"pthread", "compiler", {NULL}},
  {"resnetcc.h", "runtime", {NULL}},
  {"codegen", "runtime", {NULL}},
  {"../", "runtime", {NULL}},
  {"../", "compiler", {NULL}},
  {"llvm", "runtime", {NULL}},
};

static bool begins(const char *s, const char *with) {
  return strncmp(s, with, strlen(with)) == 0;
}

static bool ends(const char *s, const char *with) {
  size_t n = strlen(s), m = strlen(with);
  return n >= m && strcmp(s + n - m, with) == 0;
}

/* The header of an #include line, in `header`; false: it is another line. */
static bool included(const char *line, char *header, size_t size) {
  char format[32];
  snprintf(format, sizeof format, " # include %%*1[<\"]%%%zu[^>\"]", size - 1);
  return sscanf(line, format, header) == 1;
}

static void check_include(const char *folder, const char *file, const char *header) {
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
    if (strcmp(folder, layers[i].folder) != 0 || !begins(header, layers[i].header)) continue;
    bool allowed = false;
    for (int k = 0; k < 3 && layers[i].file[k]; k++) allowed = allowed || begins(file, layers[i].file[k]);
    if (!allowed) fail_msg("%s/%s includes %s", folder, file, header);
  }
}

static int check_file(const char *folder, const char *file) {
  char path[512], line[512], header[256];
  int includes = 0;
  snprintf(path, sizeof path, "../%s/%s", folder, file);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    if (!included(line, header, sizeof header)) continue;
    check_include(folder, file, header);
    includes++;
  }
  fclose(f);
  return includes;
}

static int check_folder(const char *folder) {
  char path[256];
  int includes = 0;
  snprintf(path, sizeof path, "../%s", folder);
  DIR *d = opendir(path);
  if (!d) fail_msg("%s can't be read: the test runs in the folder tests", path);
  for (struct dirent *e = readdir(d); e; e = readdir(d)) {
    if (ends(e->d_name, ".cc") || ends(e->d_name, ".cpp") || ends(e->d_name, ".hpp"))
      fail_msg("%s/%s is C++", folder, e->d_name);
    if (ends(e->d_name, ".c") || ends(e->d_name, ".h")) includes += check_file(folder, e->d_name);
  }
  closedir(d);
  return includes;
}

static void include_lines_are_read(void **state) {
  (void)state;
  char header[256];
  assert_true(included("#include <llvm-c/Core.h>\n", header, sizeof header));
  assert_string_equal(header, "llvm-c/Core.h");
  assert_true(included(" # include \"emit.h\" // x\n", header, sizeof header));
  assert_string_equal(header, "emit.h");
  assert_false(included("  print(\"#include <x.h>\");\n", header, sizeof header));
}

static void compiler_keeps_its_layers(void **state) {
  (void)state;
  assert_true(check_folder("compiler") > 40);
}

static void runtime_knows_nobody(void **state) {
  (void)state;
  assert_true(check_folder("runtime") > 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(include_lines_are_read),
    cmocka_unit_test(compiler_keeps_its_layers),
    cmocka_unit_test(runtime_knows_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
