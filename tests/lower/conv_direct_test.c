/* Direct convolution in numbers: pieces of a row by the taps that meet more than padding. */
#include "conv.h"

#include <cmocka.h>

typedef struct Row { int64_t in, out, kernel, stride, dilation, pad; } Row;

static int pieces_of(const Row *r, bool inside, RowPiece *piece) {
  Value x = {.shape = {.rank = 4, .d = {1, 16, 8, r->in}}}, y = {.shape = {.rank = 4, .d = {1, 16, 8, r->out}}};
  Value *in[] = {&x}, *out[] = {&y};
  Node n = {.in = in, .out = out, .n_in = 1, .n_out = 1};
  n.win = (Window){.kh = 1, .kw = r->kernel, .sh = 1, .sw = r->stride, .dh = 1, .dw = r->dilation, .left = r->pad};
  return direct_pieces(&n, inside, piece);
}

/* Pixel by pixel and tap by tap. */
static int64_t taps_at(const Row *r, int64_t x) {
  int64_t count = 0;
  for (int64_t k = 0; k < r->kernel; k++) {
    int64_t at = x * r->stride + k * r->dilation - r->pad;
    count += at >= 0 && at < r->in;
  }
  return count;
}

static void check_pieces(const Row *r, bool inside, int expected) {
  RowPiece piece[MAX_PIECES];
  int64_t end = 0;
  int count = pieces_of(r, inside, piece);
  assert_int_equal(count, expected);
  for (int k = 0; k < count; end += piece[k++].width) {
    assert_int_equal(piece[k].first, end);
    for (int64_t x = end; x < end + piece[k].width; x++) assert_int_equal(piece[k].taps, taps_at(r, x));
  }
  assert_int_equal(end, r->out);
}

static void pieces_end_where_taps_do(void **state) {
  (void)state;
  static const struct { Row row; int count; } cases[] = {
    {{28, 28, 3, 1, 24, 24}, 3}, {{28, 28, 3, 1, 12, 12}, 3}, {{28, 28, 3, 1, 4, 4}, 3}, {{30, 15, 3, 2, 10, 10}, 3},
    {{40, 40, 4, 1, 9, 18}, 4},  {{20, 20, 3, 1, 30, 30}, 1}, {{28, 56, 3, 1, 7, 21}, 7},
  };
  for (size_t i = 0; i < COUNT(cases); i++) check_pieces(&cases[i].row, false, cases[i].count);
}

/* Also single pixels of undilated windows. */
static void inside_every_edge_is_a_piece(void **state) {
  (void)state;
  static const struct { Row row; int count; } cases[] = {
    {{160, 80, 3, 2, 1, 1}, 2}, {{28, 28, 3, 1, 1, 1}, 3}, {{9, 10, 4, 1, 1, 2}, 5}, {{10, 8, 3, 1, 1, 0}, 1}, {{4, 7, 2, 1, 1, 3}, 4},
  };
  for (size_t i = 0; i < COUNT(cases); i++) check_pieces(&cases[i].row, true, cases[i].count);
}

/* Where a piece would be narrow, or nothing is skipped. */
static void a_row_may_be_one_piece(void **state) {
  (void)state;
  static const Row rows[] = {{28, 28, 3, 1, 2, 2}, {28, 28, 3, 1, 1, 1}, {28, 4, 3, 1, 12, 0}, {64, 64, 5, 1, 8, 16}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    RowPiece piece[MAX_PIECES];
    assert_int_equal(pieces_of(&rows[i], false, piece), 1);
    assert_true(piece[0].first == 0 && piece[0].width == rows[i].out && piece[0].taps == rows[i].kernel);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pieces_end_where_taps_do),
    cmocka_unit_test(inside_every_edge_is_a_piece),
    cmocka_unit_test(a_row_may_be_one_piece),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
