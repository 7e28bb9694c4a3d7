/* member.c: values and members of JSON. */
#include "tools.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ==== values ==== */

void json_text(const char *s, size_t n, FILE *f) {
  Buffer text = {0};
  json_add_text(&text, s, n);
  fwrite(text.data, 1, text.size, f);
  buffer_free(&text);
}

void json_string(const char *s, FILE *f) {
  if (s) json_text(s, strlen(s), f);
  else fputs("null", f);
}

/* There are no infinities in JSON. */
static void put_double(double v, FILE *f) {
  if (isfinite(v)) fprintf(f, "%.9g", v);
  else fputs("null", f);
}

const char *json_between_items(int i) { return i ? ",\n    " : "\n    "; }

/* ==== members; `between` stands between them and what comes before ==== */

void json_member_text(const char *between, const char *name, const char *s, FILE *f) {
  fprintf(f, "%s\"%s\": ", between, name);
  json_string(s, f);
}

void json_member_int(const char *between, const char *name, int64_t v, FILE *f) {
  fprintf(f, "%s\"%s\": %" PRId64, between, name, v);
}

void json_member_number(const char *between, const char *name, double v, FILE *f) {
  fprintf(f, "%s\"%s\": ", between, name);
  put_double(v, f);
}

void json_member_bool(const char *between, const char *name, bool v, FILE *f) {
  fprintf(f, "%s\"%s\": %s", between, name, v ? "true" : "false");
}

void json_member_shape(const char *between, const Shape *s, FILE *f) {
  fprintf(f, "%s\"shape\": [", between);
  for (int i = 0; i < s->rank; i++) fprintf(f, "%s%" PRId64, i ? ", " : "", s->d[i]);
  fputc(']', f);
}

void json_member_texts(const char *between, const char *name, const char *const *text, int n, FILE *f) {
  fprintf(f, "%s\"%s\": [", between, name);
  for (int i = 0; i < n; i++) {
    if (i) fputs(", ", f);
    json_string(text[i], f);
  }
  fputc(']', f);
}
