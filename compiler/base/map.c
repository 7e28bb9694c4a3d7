/* map.c: one hash table, with open addressing, for texts and for whatever else can be compared. */
#include "base.h"

#include <string.h>

struct Entry {
  uint64_t hash;
  const void *key;       /* NULL: free */
  void *value;
};

/* The golden ratio's digits spread what differs over the whole word (Knuth, TAOCP 6.4). */
uint64_t hash_word(uint64_t h, uint64_t v) {
  h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

uint64_t hash_bytes(uint64_t h, const void *data, size_t n) {
  const char *p = data;
  uint64_t word;
  size_t left = n;
  for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
    memcpy(&word, p, sizeof word);
    h = hash_word(h, word);
  }
  word = 0;
  move_bytes(&word, p, left);
  return hash_word(hash_word(h, word), n);
}

/* The entry of an equal key, or the free one where it would be. */
static Entry *map_entry(const Map *m, uint64_t hash, const void *key, bool (*equal)(const void *, const void *)) {
  for (size_t i = hash;; i++) {
    Entry *e = &m->entry[i & (m->cap - 1)];
    if (!e->key || (e->hash == hash && equal(e->key, key))) return e;
  }
}

static bool never_equal(const void *a, const void *b) {
  (void)a, (void)b;
  return false;
}

static void map_grow(Context *cx, Map *m) {
  Map old = *m;
  m->cap = old.cap ? old.cap * 2 : 64;
  m->entry = alloc_n(cx, m->cap, sizeof *m->entry);
  for (size_t i = 0; i < old.cap; i++) {
    const Entry *e = &old.entry[i];
    if (e->key) *map_entry(m, e->hash, e->key, never_equal) = *e;
  }
}

void **map_at(Context *cx, Map *m, uint64_t hash, const void *key, bool (*equal)(const void *, const void *)) {
  if (2 * m->n >= m->cap) map_grow(cx, m);
  Entry *e = map_entry(m, hash, key, equal);
  if (!e->key) {
    *e = (Entry){hash, key, NULL};
    m->n++;
  }
  return &e->value;
}

/* ---- texts ---- */

static bool texts_equal(const void *a, const void *b) { return strcmp(a, b) == 0; }
static uint64_t hash_text(const char *s) { return hash_bytes(0, s, strlen(s)); }

void *map_get(const Map *m, const char *key) {
  return m->cap ? map_entry(m, hash_text(key), key, texts_equal)->value : NULL;
}

void map_put(Context *cx, Map *m, const char *key, void *value) {
  *map_at(cx, m, hash_text(key), key, texts_equal) = value;
}
