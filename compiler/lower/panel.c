/* panel.c: how wide the rows of packed weights are. */
#include "lower.h"

int64_t packed_columns(int64_t columns, int lanes) {
  int64_t whole = size_round_up(columns, lanes);
  return whole - columns > columns / 4 ? columns : whole;
}
