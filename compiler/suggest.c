/* suggest.c: what was meant by a word that is unknown: a near one, or resnetcc's for what other compilers call so. */
#include "options.h"

#include <string.h>

enum { MOST_LETTERS = 40, MOST_CHANGES = 2 };

static int least(int a, int b) { return a < b ? a : b; }

/* Letters to insert, remove or replace, and neighbours to exchange, until the n letters at a are b; more than MOST_CHANGES where
 * they are too many to count. */
static int distance(const char *a, size_t n, const char *b) {
  int d[MOST_LETTERS + 1][MOST_LETTERS + 1];
  size_t m = strlen(b);
  if (n > MOST_LETTERS || m > MOST_LETTERS) return MOST_CHANGES + 1;
  for (size_t i = 0; i <= n; i++) d[i][0] = (int)i;
  for (size_t k = 0; k <= m; k++) d[0][k] = (int)k;
  for (size_t i = 1; i <= n; i++) {
    for (size_t k = 1; k <= m; k++) {
      bool exchanged = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];
      d[i][k] = least(d[i - 1][k - 1] + (a[i - 1] != b[k - 1]), least(d[i - 1][k], d[i][k - 1]) + 1);
      if (exchanged) d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
    }
  }
  return d[n][m];
}

typedef struct Guess {
  const char *name; /* NULL: none is near */
  int distance;
} Guess;

/* Of a short name any other is near, so at least half of the letters must stay. */
static void consider(Guess *best, const char *word, size_t n, const char *name) {
  int d = distance(word, n, name), letters = (int)strlen(name + strspn(name, "-"));
  if (d > MOST_CHANGES || 2 * d >= letters || (best->name && d >= best->distance)) return;
  *best = (Guess){name, d};
}

const char *cure_for_others(const char *word, size_t n) {
  static const struct { const char *word, *cure; } others[] = {
    {"-march", "did you mean '-mcpu'?"},
    {"-mtune", "did you mean '-mcpu'?"},
    {"-c", "leave it out, objects are what is made"},
    {"-S", "--emit=asm makes assembly"},
    {"-shared", "-o FILE.so makes a shared library"},
    {"-fPIC", "leave it out, all code is position independent"},
    {"-fpic", "leave it out, all code is position independent"},
  };
  if (strncmp(word, "-O", 2) == 0 && n <= 5)
    return "there are no levels of optimisation, it always does all it can; -Os keeps weights small";
  for (size_t i = 0; i < COUNT(others); i++)
    if (strlen(others[i].word) == n && strncmp(others[i].word, word, n) == 0) return others[i].cure;
  return NULL;
}

const char *suggest(const char *word, size_t n, const char *(*known)(int i)) {
  Guess best = {0};
  for (int i = 0; known(i); i++) consider(&best, word, n, known(i));
  return best.name;
}
