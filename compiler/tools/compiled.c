/* compiled.c: what inspect tells of a compiled model: the notes of an object, a library or a program, and which of the features
 * that they name this machine lacks. */
#include "tools.h"

#include "resnetcc_rt.h"
#include <string.h>

typedef struct Notes {
  Context *cx;
  JsonText *note;
  int n;
} Notes;

static void keep_note(void *data, const char *json, size_t n) {
  Notes *all = data;
  if (!json_is_object(json, n)) fail(all->cx, "its note is damaged");
  all->note = alloc_extended(all->cx, all->note, all->n, sizeof *all->note);
  all->note[all->n++] = (JsonText){json, json + n};
}

static size_t length(const JsonText *t) { return (size_t)(t->end - t->at); }

JsonText note_member(const JsonText *note, const char *name) {
  JsonText t = json_inside(note->at, length(note)), key, value;
  size_t n = strlen(name);
  while (json_next(&t, &key, &value)) {
    if (length(&key) == n + 2 && same_bytes(key.at + 1, name, n)) return value;
  }
  return (JsonText){0};
}

/* A string's inside, another value as it is; for a terminal. */
static const char *shown(Context *cx, const JsonText *value) {
  bool quoted = *value->at == '"';
  return printable_text(cx, copy_bytes_as_text(cx, value->at + quoted, length(value) - 2u * quoted));
}

/* "avx512f, amx-tile", or each of them in quotes; empty: this machine has all. */
static Buffer missing_features(Context *cx, const JsonText *note, const char *quote) {
  Buffer out = {0};
  JsonText list = note_member(note, "features"), item;
  buffer_add(&out, "", 0);
  if (!list.at || *list.at != '[') return out;
  list = json_inside(list.at, length(&list));
  while (json_next(&list, NULL, &item)) {
    const char *feature = shown(cx, &item);
    if (!rcc_cpu_missing(&(rcc_model){.target = format_text(cx, "cpu +%s", feature)})) continue;
    buffer_printf(&out, "%s%s%s%s", out.size ? ", " : "", quote, feature, quote);
  }
  return out;
}

/* A member a line. */
static void print_text(Context *cx, const JsonText *note) {
  JsonText t = json_inside(note->at, length(note)), key, value;
  while (json_next(&t, &key, &value)) printf("%-16s %s\n", shown(cx, &key), shown(cx, &value));
  Buffer missing = missing_features(cx, note, "");
  if (missing.size) printf("%-16s %s\n", "not here:", missing.data);
  buffer_free(&missing);
}

static void print_json(Context *cx, const JsonText *note) {
  Buffer missing = missing_features(cx, note, "\"");
  printf("\n  {\"note\": %.*s, \"not_here\": [%s]}", (int)length(note), note->at, missing.data);
  buffer_free(&missing);
}

void inspect_compiled(Context *cx, bool json, const void *data, size_t size) {
  Notes all = {.cx = cx};
  elf_notes(data, size, keep_note, &all);
  if (all.n == 0) fail(cx, "holds no model that resnetcc has compiled");
  printf("%s", json ? "{\"models\": [" : "");
  for (int i = 0; i < all.n; i++) {
    if (i) printf("%s", json ? "," : "\n");
    if (json) print_json(cx, &all.note[i]);
    else print_text(cx, &all.note[i]);
  }
  printf("%s", json ? "\n]}\n" : "");
}
