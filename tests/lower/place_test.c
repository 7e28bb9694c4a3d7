/* place_test.c: storage that is in use at one time lies apart. */
#include "fixture.h"

#include "lower.h"

#include <stdlib.h>

static uint32_t below(uint64_t *state, uint32_t n) { return (uint32_t)(random_bits(state) % n); }

/* Spans of up to `length` nodes among n, a few of them aligned to pages. */
static Span *random_spans(Context *cx, int n, int length, uint64_t state) {
  Span *s = alloc_n(cx, (size_t)n, sizeof *s);
  for (int i = 0; i < n; i++) {
    int first = (int)below(&state, (uint32_t)n), last = first + (int)below(&state, (uint32_t)length);
    bool page = below(&state, 20) == 0;
    s[i] = (Span){.first = first, .last = last, .bytes = 64 * (int64_t)below(&state, 100), .align = page ? WORK_ALIGN : 64};
  }
  return s;
}

static void check_apart(const Span *s, int n, int64_t size) {
  for (int i = 0; i < n; i++) {
    assert_true(s[i].offset >= 0 && s[i].offset % s[i].align == 0 && s[i].offset + s[i].bytes <= size);
    for (int k = 0; k < i; k++) {
      bool together = s[i].first <= s[k].last && s[k].first <= s[i].last;
      bool meet = s[i].offset < s[k].offset + s[k].bytes && s[k].offset < s[i].offset + s[i].bytes;
      if (together && meet) fail_msg("spans %d and %d meet", i, k);
    }
  }
}

/* What is alive at a node, at most: nothing takes less. */
static int64_t lower_bound(Context *cx, const Span *s, int n, int length) {
  int64_t *alive = alloc_n(cx, (size_t)(n + length), sizeof *alive), most = 0;
  for (int i = 0; i < n; i++) {
    for (int at = s[i].first; at <= s[i].last; at++) alive[at] += s[i].bytes;
  }
  for (int i = 0; i < n + length; i++) most = alive[i] > most ? alive[i] : most;
  return most;
}

static void random_spans_lie_apart(void **state) {
  (void)state;
  static const struct { int n, length, percent; } cases[] = {
    {0, 1, 0}, {1, 1, 100}, {50, 60, 40}, {400, 5, 40}, {400, 400, 40}, {3000, 30, 40},
    {4000, 4000, 40}, {6000, 3000, 40}, /* these in the order of time */
  };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Span *s = random_spans(cx, cases[i].n, cases[i].length, i);
    int64_t size = place_spans(cx, s, cases[i].n), least = lower_bound(cx, s, cases[i].n, cases[i].length);
    check_apart(s, cases[i].n, size);
    assert_true(size <= least + least * cases[i].percent / 100 + WORK_ALIGN);
  }
  context_free(cx);
}

/* As many buffers of one size as are alive at once, in whichever way: a hundred thousand alive together, or a few of as many. */
static void many_spans_of_one_size(void **state) {
  (void)state;
  enum { N = 100000 };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  for (int together = 2; together <= N; together += N - 2) {
    Span *s = alloc_n(cx, N, sizeof *s);
    for (int i = 0; i < N; i++) s[i] = (Span){.first = i, .last = i + together - 1, .bytes = 256, .align = 64};
    assert_int_equal(place_spans(cx, s, N), 256 * (int64_t)together);
  }
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_spans_lie_apart),
    cmocka_unit_test(many_spans_of_one_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
