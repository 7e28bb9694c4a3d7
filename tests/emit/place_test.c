/* Places inside a value, in bytes: those of every element of channel blocks with a halo, for elements of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include "emit.h"

#include <cmocka.h>

/* Two blocks of 4 channels, a map of 2 x 3 with a border of 1 at the top and 2 at the left. */
static Value blocks(Type type) {
  Value v = {.type = type, .shape = shape_of(4, (int64_t)1, (int64_t)8, (int64_t)2, (int64_t)3)};
  v.layout = (Layout){.block = 4, .top = 1, .left = 2, .pix = 4, .c = 20, .row = 40, .n = 120, .origin = 48, .size = 120};
  return v;
}

static void bytes_of_every_size(void **state) {
  (void)state;
  static const struct { Type type; int64_t size; } item[] = {{T_U8, 1}, {T_F16, 2}, {T_F32, 4}, {T_I64, 8}};
  for (size_t i = 0; i < COUNT(item); i++) {
    Value v = blocks(item[i].type);
    int64_t size = item[i].size;
    assert_int_equal(place_pixel_bytes(&v), 4 * size);
    assert_int_equal(place_block_bytes(&v), 20 * size);
    assert_int_equal(place_row_bytes(&v), 40 * size);
    assert_int_equal(place_image_bytes(&v), 120 * size);
    assert_int_equal(place_offset(&v, 1, 1, 2), (20 + 40 + 8) * size);
    assert_int_equal(inner_offset(&v) - place_offset(&v, 0, 1, 2), 0); /* the border's first element is the storage's */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_of_every_size)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
