/* sha256_test.c: the examples of FIPS 180-4, and bytes in pieces. */
#include "fixture.h"

#include <string.h>

static const char *hash_of(const char *data, size_t n, size_t piece) {
  static char text[2 * SHA256_BYTES + 1];
  uint8_t hash[SHA256_BYTES];
  Sha256 s = sha256_begin();
  for (size_t i = 0; i < n; i += piece) sha256_add(&s, data + i, n - i < piece ? n - i : piece);
  sha256_end(&s, hash);
  for (int i = 0; i < SHA256_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", hash[i]);
  return text;
}

static void examples(void **state) {
  (void)state;
  static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  assert_string_equal(hash_of("", 0, 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_string_equal(hash_of("abc", 3, 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  for (size_t piece = 1; piece <= 56; piece++) {
    assert_string_equal(hash_of(two_blocks, 56, piece), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  }
}

static void a_million_letters(void **state) {
  (void)state;
  enum { N = 1000000 };
  static char a[N];
  memset(a, 'a', N);
  static const char expected[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  assert_string_equal(hash_of(a, N, N), expected);
  assert_string_equal(hash_of(a, N, 65), expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(a_million_letters)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
