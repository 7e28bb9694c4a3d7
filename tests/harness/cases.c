/* cases.c: the reader of tests/cases; fixture.h says what the files look like. */
#include "fixture.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>

enum { MAX_CHOICES = 8, MAX_LINE = 1024 };

/* What the lines so far say: of the file's head, then of one case. */
typedef struct Choice {
  char *name;            /* names, separated by ; */
  char *rest;            /* alternatives, separated by | */
} Choice;
typedef struct Section {
  Buffer lines;          /* but those that begin with `for` */
  Choice choice[MAX_CHOICES];
  int n_choice;
} Section;

typedef struct Reader {
  const char *path;
  void (*check)(OpCase *c);
  int n;                 /* cases checked */
} Reader;

static void add_text(Buffer *b, const char *s) { buffer_add(b, s, strlen(s)); }

/* ==== one case, with the chosen words in place ==== */

static _Noreturn void fail_case(const char *path, const char *line, const char *reason) {
  fail_msg("%s: %s: %s", path, reason, line);
  abort();
}

static double read_number(const OpCase *c, const char *line, const char **s) {
  char *end;
  double v = strtod(*s, &end);
  if (end == *s) fail_case(c->path, line, "a number is expected");
  *s = end + strspn(end, " ");
  return v;
}

/* "output y = {1, 2}" */
static void read_wanted(OpCase *c, const char *line, const char *list) {
  const char *s = list + strspn(list, "{ ");
  Wanted *w = &c->wanted[c->n_wanted++];
  w->v = alloc_n(c->cx, strlen(s), sizeof *w->v);
  while (*s && *s != '}') {
    w->v[w->n++] = read_number(c, line, &s);
    s += *s == ',';
    s += strspn(s, " ");
  }
}

/* An input with its elements is read as a constant would be. */
static void read_given(OpCase *c, const char *line) {
  Graph *g = text_parse(c->cx, NULL, format_text(c->cx, "const %s\n", line + strlen("input ")));
  c->given[c->n_given++] = g->value[0]->data;
}

static void read_interface(OpCase *c, Buffer *text, const char *line) {
  const char *elements = strstr(line, " = ");
  size_t n = elements ? (size_t)(elements - line) : strlen(line);
  buffer_add(text, line, n);
  add_text(text, "\n");
  bool is_input = *line == 'i';
  c->n_input += is_input;
  c->n_output += !is_input;
  if (c->n_input > MAX_GIVEN || c->n_output > MAX_GIVEN) fail_case(c->path, line, "too many inputs or outputs");
  if (elements && is_input) read_given(c, line);
  else if (elements) read_wanted(c, line, elements + 3);
}

static void read_runs(OpCase *c, char *words, const char *line) {
  char *place = words;
  for (char *word = strtok_r(words, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
    if (c->n_run == MAX_RUNS) fail_case(c->path, line, "too many kinds of runs");
    c->run[c->n_run++] = word;
  }
}

static bool begins(const char *line, const char *word) { return strncmp(line, word, strlen(word)) == 0; }

static void read_line(OpCase *c, Buffer *text, const char *line) {
  const char *s = line + strcspn(line, " ");
  if (begins(line, "input ") || begins(line, "output ")) {
    read_interface(c, text, line);
  } else if (begins(line, "within ")) {
    c->tolerance = read_number(c, line, &s);
  } else if (begins(line, "range ")) {
    c->lo = read_number(c, line, &s);
    c->hi = read_number(c, line, &s);
  } else if (begins(line, "run ")) {
    c->n_run = 0;
    read_runs(c, copy_text(c->cx, s), line);
  } else {
    add_text(text, line);
    add_text(text, "\n");
  }
}

static void check_one(Reader *r, char *lines) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s: %s\n%s", r->path, cx->error, lines);
  OpCase c = {.cx = cx, .path = r->path};
  Buffer text = {0};
  add_text(&text, "graph t\n");
  char *place = lines;
  for (char *line = strtok_r(lines, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) read_line(&c, &text, line);
  c.text = copy_bytes_as_text(cx, text.data, text.size);
  buffer_free(&text);
  if (c.n_given && c.n_given != c.n_input) fail_case(r->path, c.text, "all inputs or none must be given");
  if (c.n_wanted && (c.n_wanted != c.n_output || c.n_given != c.n_input))
    fail_case(r->path, c.text, "outputs are known all or none, and of given inputs only");
  r->check(&c);
  r->n++;
  context_free(cx);
}

/* ==== choices ==== */

/* The next part of *s up to `end`, without the blanks around it. */
static char *next_part(char **s, char end) {
  char *p = *s + strspn(*s, " "), *q = p + strcspn(p, (char[]){end, '\0'});
  *s = *q ? q + 1 : q;
  while (q > p && q[-1] == ' ') q--;
  *q = '\0';
  return p;
}

/* The lines with `word` in place of $name. */
static void put_word(Buffer *to, const char *lines, const char *name, const char *word) {
  for (const char *s = lines; *s;) {
    size_t n = strlen(name);
    bool here = *s == '$' && strncmp(s + 1, name, n) == 0 && !isalnum((unsigned char)s[1 + n]);
    if (here) add_text(to, word);
    else buffer_add(to, s, 1);
    s += here ? n + 1 : 1;
  }
  buffer_add(to, "", 1);
}

static int count_of(const char *s, char c) {
  int n = 0;
  for (; *s; s++) n += *s == c;
  return n;
}

/* One alternative gives each of the names its word. */
static Buffer put_words(const char *lines, char *names, char *words) {
  Buffer b = {0};
  buffer_add(&b, lines, strlen(lines) + 1);
  while (*names) {
    Buffer next = {0};
    put_word(&next, b.data, next_part(&names, ';'), next_part(&words, ';'));
    buffer_free(&b);
    b = next;
  }
  return b;
}

static void check_choices(Reader *r, const char *lines, const Choice *choice, int n) {
  if (n == 0) {
    Buffer own = {0};
    buffer_add(&own, lines, strlen(lines) + 1);
    if (strchr(own.data, '$')) fail_case(r->path, own.data, "no `for` says what $ is");
    check_one(r, own.data);
    buffer_free(&own);
    return;
  }
  Buffer all = {0};
  buffer_add(&all, choice->rest, strlen(choice->rest) + 1);
  for (char *s = all.data; *s;) {
    char *words = next_part(&s, '|');
    if (count_of(words, ';') != count_of(choice->name, ';')) fail_case(r->path, words, "a word for each name is expected");
    Buffer names = {0};
    buffer_add(&names, choice->name, strlen(choice->name) + 1);
    Buffer made = put_words(lines, names.data, words);
    check_choices(r, made.data, choice + 1, n - 1);
    buffer_free(&made);
    buffer_free(&names);
  }
  buffer_free(&all);
}

/* ==== files ==== */

/* "for A; B: 1; 2 | 3; 4" */
static void read_choice(const Reader *r, Section *s, const char *line) {
  const char *names = line + strlen("for "), *colon = strchr(names, ':');
  if (!colon || s->n_choice == MAX_CHOICES) fail_case(r->path, line, "no list of alternatives, or too many");
  Choice *c = &s->choice[s->n_choice++];
  c->name = strndup(names, (size_t)(colon - names));
  c->rest = strdup(colon + 1);
}

static void section_free(Section *s) {
  for (int i = 0; i < s->n_choice; i++) free(s->choice[i].name), free(s->choice[i].rest);
  buffer_free(&s->lines);
  *s = (Section){0};
}

/* A line that begins with a bar goes on with the alternatives above. */
static void continue_choice(const Reader *r, Section *s, const char *line) {
  if (s->n_choice == 0) fail_case(r->path, line, "no list of alternatives is above");
  Choice *c = &s->choice[s->n_choice - 1];
  char *longer = test_malloc(strlen(c->rest) + strlen(line) + 1);
  sprintf(longer, "%s%s", c->rest, line);
  free(c->rest);
  c->rest = strdup(longer);
  test_free(longer);
}

static void add_line(const Reader *r, Section *s, const char *line) {
  const char *p = line + strspn(line, " ");
  if (*p == '|') continue_choice(r, s, p);
  else if (begins(line, "for ")) read_choice(r, s, line);
  else if (*p && *p != '#') add_text(&s->lines, line), add_text(&s->lines, "\n");
}

/* The head's lines come first. */
static void check_section(Reader *r, const Section *head, const Section *own) {
  Choice choice[2 * MAX_CHOICES];
  int n = 0;
  Buffer lines = {0};
  for (int i = 0; i < head->n_choice; i++) choice[n++] = head->choice[i];
  for (int i = 0; i < own->n_choice; i++) choice[n++] = own->choice[i];
  if (head->lines.size) buffer_add(&lines, head->lines.data, head->lines.size);
  buffer_add(&lines, own->lines.data, own->lines.size);
  buffer_add(&lines, "", 1);
  check_choices(r, lines.data, choice, n);
  buffer_free(&lines);
}

int for_each_case(const char *path, void (*check)(OpCase *c)) {
  Reader r = {.path = path, .check = check};
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s can't be read: the test runs in the folder tests", path);
  Section head = {0}, own = {0};
  bool in_case = false;
  for (char line[MAX_LINE]; fgets(line, sizeof line, f);) {
    if (!strchr(line, '\n')) fail_case(path, line, "a line is too long, or the last has no end");
    line[strcspn(line, "\n")] = '\0';
    bool begin = begins(line, "==");
    if (begin && in_case) check_section(&r, &head, &own), section_free(&own);
    in_case = in_case || begin;
    if (!begin) add_line(&r, in_case ? &own : &head, line);
  }
  fclose(f);
  if (in_case) check_section(&r, &head, &own);
  section_free(&own);
  section_free(&head);
  return r.n;
}

static int compare_paths(const void *a, const void *b) { return strcmp(a, b); }

int case_files(char path[][64], int max) {
  int n = 0;
  DIR *d = opendir("cases");
  if (!d) fail_msg("no folder cases: the test runs in the folder tests");
  for (struct dirent *e = readdir(d); e; e = readdir(d)) {
    const char *end = strrchr(e->d_name, '.');
    if (!end || strcmp(end, ".txt") != 0) continue;
    if (n == max || strlen(e->d_name) > 50) fail_msg("too many cases, or too long a name: %s", e->d_name);
    snprintf(path[n++], 64, "cases/%.50s", e->d_name);
  }
  closedir(d);
  qsort(path, (size_t)n, sizeof *path, compare_paths);
  return n;
}
