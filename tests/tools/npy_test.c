/* npy_test.c: .npy files are read whole or refused, whatever their bytes are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tools.h"
#include "each_context.h"

static const int32_t elements[] = {1, -2, 3, 4, 5, 6};
static const Tensor tensor = {.name = "t", .type = T_I32, .shape = {.rank = 2, .d = {2, 3}}, .data = elements};

static void what_is_written_is_read(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Buffer b = {0};
  npy_print(cx, &tensor, &b);
  Tensor t = npy_parse(cx, b.data, b.size);
  assert_int_equal(t.type, T_I32);
  assert_true(shape_equal(&t.shape, &tensor.shape));
  assert_memory_equal(t.data, elements, sizeof elements);
  assert_int_equal((b.size - sizeof elements) % 64, 0);
  buffer_free(&b);
}

static void ranks_below_two_have_their_spelling(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  for (int rank = 0; rank <= 1; rank++) {
    Buffer b = {0};
    Tensor one = {.type = T_I32, .shape = {.rank = rank, .d = {1}}, .data = elements};
    npy_print(cx, &one, &b);
    Tensor t = npy_parse(cx, b.data, b.size);
    assert_int_equal(t.shape.rank, rank);
    buffer_free(&b);
  }
}

static bool is_refused(const void *data, size_t size) {
  if (setjmp(cx->unwind)) return true;
  npy_parse(cx, data, size);
  return false;
}

/* A file with that header and so many bytes of elements, in version 1 of the format. */
static bool header_is_refused(const char *header, size_t bytes) {
  uint8_t file[400] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  size_t n = strlen(header);
  assert_true(10 + n + bytes <= sizeof file);
  file[8] = (uint8_t)n;
  memcpy(file + 10, header, n);
  return is_refused(file, 10 + n + bytes);
}

static void every_size_is_checked(void **state) {
  (void)state;
  assert_false(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24));
  assert_false(header_is_refused("{ 'shape':(2,3,),'fortran_order' : False , 'descr':'<f4' }", 24));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 23));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 25));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", 24));
  assert_true(header_is_refused("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", 24));
  assert_true(header_is_refused("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", 24));
  assert_true(header_is_refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", 24));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3)}", 24));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,6)}", 24));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 0));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}", 0));
  assert_true(header_is_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", 24));
  assert_true(header_is_refused("{'descr': '<f4', 'shape': (2 3)}", 24));
  assert_true(header_is_refused("{'descr': '<f4", 24));
  assert_true(header_is_refused("", 0));
}

/* Of all lengths of a right file only the whole one is one; each byte of its header may be any other without harm. */
static void cut_and_changed_files_do_no_harm(void **state) {
  (void)state;
  Buffer b = {0};
  if (setjmp(cx->unwind)) fail_msg("%s", cx->error);
  npy_print(cx, &tensor, &b);
  for (size_t n = 0; n < b.size; n++) assert_true(is_refused(b.data, n));
  for (size_t i = 0; i < b.size - sizeof elements; i++) {
    char old = b.data[i];
    for (int c = 0; c < 256; c += 3) {
      b.data[i] = (char)c;
      is_refused(b.data, b.size);
    }
    b.data[i] = old;
  }
  assert_false(is_refused(b.data, b.size));
  buffer_free(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, context_setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(what_is_written_is_read), TEST(ranks_below_two_have_their_spelling), TEST(every_size_is_checked),
    TEST(cut_and_changed_files_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
