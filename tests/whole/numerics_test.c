/* numerics_test.c: the page of rules for NaN, infinities and zeros, NUMERICS.md, against the evaluator and the code: every row of
 * its table is run. */
#include "harness.h"
#include "tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 16, CELLS = 5 };

typedef struct Numbers {
  double v[MAX_VALUES];
  int n;
} Numbers;

static Numbers numbers_of(char *cell) {
  Numbers r = {.n = 0};
  char *place = cell;
  for (char *word = strtok_r(cell, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
    char *end;
    assert_true(r.n < MAX_VALUES);
    r.v[r.n++] = strtod(word, &end);
    if (*end) fail_msg("no number: %s", word);
  }
  return r;
}

/* "| a | b |" as its cells, without the spaces about them; false: the line is no row of five. */
static bool split(char *line, char *cell[CELLS]) {
  char *s = line;
  for (int i = 0; i < CELLS; i++) {
    if (*s++ != '|') return false;
    char *end = strchr(s, '|');
    if (!end) return false;
    cell[i] = s + strspn(s, " `");
    s = end;
  }
  for (char *p = line; *p; p++) {
    if (*p == '|' || *p == '`') *p = '\0';
  }
  return true;
}

static bool is_row(const char *line) { return strncmp(line, "| `", 3) == 0; }

static Op operator_of(const char *call) {
  const char *name = strstr(call, "= ") + 2;
  size_t n = strcspn(name, "(");
  for (int op = 0; op < OP_COUNT; op++) {
    if (op_info[op].name && strlen(op_info[op].name) == n && strncmp(op_info[op].name, name, n) == 0) return op;
  }
  fail_msg("no operator: %s", call);
  return OP_NONE;
}

static void check_row(char *const cell[CELLS]) {
  const char *call = cell[0];
  char type[8], text[1024];
  Numbers x = numbers_of(cell[2]), y = numbers_of(cell[3]), r = numbers_of(cell[4]);
  snprintf(type, sizeof type, "%s", strtok(cell[1], " "));
  int n = snprintf(text, sizeof text, "graph t\ninput x %s [1,1,%d]\n", type, x.n);
  if (y.n > 0) n += snprintf(text + n, sizeof text - (size_t)n, "input y %s [1,1,%d]\n", type, y.n);
  static const char *const constants[] = {"zero", "0", "one", "1", "nan", "nan"};
  for (size_t i = 0; i < COUNT(constants); i += 2) {
    n += snprintf(text + n, sizeof text - (size_t)n, "const %s f32 [] = {%s}\n", constants[i], constants[i + 1]);
  }
  snprintf(text + n, sizeof text - (size_t)n,
           "const axis i64 [] = {2}\nconst count i64 [1] = {2}\n%s\noutput r\n", call);
  check_values(text, (const double *[]){x.v, y.v}, r.v, r.n);
}

static void rows_of_the_page_are_true(void **state) {
  (void)state;
  bool seen[OP_COUNT] = {false};
  char line[1024], *cell[CELLS];
  int rows = 0;
  FILE *f = fopen("../compiler/ops/NUMERICS.md", "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    if (!is_row(line)) continue;
    assert_true(split(line, cell));
    seen[operator_of(cell[0])] = true;
    check_row(cell);
    rows++;
  }
  fclose(f);
  assert_true(rows >= 40);
  for (int op = 0; op < OP_COUNT; op++) {
    bool never = op_info[op].family == FAMILY_STEP || op == OP_CastLike; /* a node of the graph */
    bool has_rule = (op_is_elementwise(op) && !never) || op_info[op].family == FAMILY_REDUCE || op == OP_MaxPool || op == OP_Conv;
    if (op_info[op].name && has_rule && !seen[op]) fail_msg("%s has no row", op_info[op].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows_of_the_page_are_true)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
