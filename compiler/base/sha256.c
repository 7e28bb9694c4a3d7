/* sha256.c: FIPS 180-4, 5.1.1 and 6.2. */
#include "base.h"

enum { BLOCK = 64, LENGTH = 8 /* bytes of the message's length, at the end of the last block */ };

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[BLOCK] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turned(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void expand(const uint8_t *block, uint32_t w[BLOCK]) {
  for (int i = 0; i < 16; i++, block += 4) {
    w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  }
  for (int i = 16; i < BLOCK; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + w[i - 7] + (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
  }
}

static void add_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[BLOCK], a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  expand(block, w);
  for (int i = 0; i < BLOCK; i++) {
    uint32_t t = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    uint32_t u = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
  }
  const uint32_t now[] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) state[i] += now[i];
}

Sha256 sha256_begin(void) {
  return (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(Sha256 *s, const void *data, size_t n) {
  const uint8_t *p = data;
  size_t filled = s->bytes % BLOCK;
  s->bytes += n;
  if (filled) {
    size_t part = n < BLOCK - filled ? n : BLOCK - filled;
    move_bytes(s->block + filled, p, part);
    if (filled + part < BLOCK) return;
    add_block(s->state, s->block);
    p += part;
    n -= part;
  }
  for (; n >= BLOCK; p += BLOCK, n -= BLOCK) add_block(s->state, p);
  move_bytes(s->block, p, n);
}

void sha256_end(Sha256 *s, uint8_t out[SHA256_BYTES]) {
  uint8_t padding[BLOCK + LENGTH] = {0x80};
  uint64_t bits = s->bytes * 8;
  size_t filled = s->bytes % BLOCK, zeros = (filled < BLOCK - LENGTH ? BLOCK : 2 * BLOCK) - LENGTH - filled;
  for (int i = 0; i < LENGTH; i++) padding[zeros + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(s, padding, zeros + LENGTH);
  for (int i = 0; i < SHA256_BYTES; i++) out[i] = (uint8_t)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}
