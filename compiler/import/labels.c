/* labels.c: --labels: the names of the classes, one a line, which become part of the object. */
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST_LABELS = 1 << 24 /* bytes */ };

static char *read_text(Import *im, const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) fail(im->cx, "--labels %s: %s", path, strerror(errno));
  Buffer text = {0};
  char part[4096];
  for (size_t n; text.size <= MOST_LABELS && (n = fread(part, 1, sizeof part, f)) > 0;) buffer_add(&text, part, n);
  int error = ferror(f) ? errno : 0;
  fclose(f);
  bool holds_0 = memchr(text.data ? text.data : "", 0, text.size) != NULL, too_long = text.size > MOST_LABELS;
  char *copy = copy_bytes_as_text(im->cx, text.data ? text.data : "", text.size);
  buffer_free(&text);
  if (error) fail(im->cx, "--labels %s: %s", path, strerror(error));
  if (holds_0 || too_long) fail(im->cx, "--labels %s: is no text of labels, one a line", path);
  return copy;
}

/* The line at s, of n bytes, as a label. */
static const char *read_label(Import *im, const char *path, const char *s, size_t n, int line) {
  if (n > 0 && s[n - 1] == '\r') n--;
  const char *label = copy_bytes_as_text(im->cx, s, n);
  for (const char *p = label; *p;) {
    int length = utf8_length(p);
    if (length == 0) fail(im->cx, "--labels %s: line %d is not UTF-8; convert the file", path, line);
    if (printable_length(p) == 0 && *p != '\t') fail(im->cx, "--labels %s: line %d has a control character", path, line);
    p += length;
  }
  return label;
}

static int count_lines(const char *s) {
  int n = 0;
  for (; *s; s += strcspn(s, "\n"), s += *s == '\n') n++;
  return n;
}

void read_labels(Import *im) {
  const char *path = im->opt->labels;
  Graph *g = im->g;
  if (!path) return;
  const char *s = read_text(im, path);
  int64_t classes = result_classes(im);
  int n = count_lines(s);
  if (n != classes) fail(im->cx, "--labels %s: %d lines for %lld classes", path, n, (long long)classes);
  g->label = alloc_n(im->cx, (size_t)n, sizeof *g->label);
  for (; *s; s += strcspn(s, "\n"), s += *s == '\n') {
    g->label[g->n_label] = read_label(im, path, s, strcspn(s, "\n"), g->n_label + 1);
    g->n_label++;
  }
  g->external = alloc_grown(im->cx, g->external, g->n_external, sizeof *g->external);
  g->external[g->n_external++] = path;
}
