/* panel.c: how wide the rows of packed weights are. */
#include "lower.h"

int64_t packed_columns(int64_t columns, int lanes) {
  int64_t whole = size_round_up(columns, lanes);
  return whole - columns > columns / 4 ? columns : whole;
}

int64_t packed_rows_bytes(int64_t rows, int64_t columns, int lanes) {
  int64_t packed = packed_columns(columns, lanes), behind = packed % lanes ? lanes - packed % lanes : 0;
  return size_mul(size_add(size_mul(rows, packed), behind), 4);
}

int64_t packed_block(int64_t first, int64_t channels, int64_t lanes) {
  return size_min(packed_columns(channels, (int)lanes) - first, lanes);
}

int64_t next_block(int64_t c, int64_t end, int64_t lanes) { return size_min((c / lanes + 1) * lanes, end); }
