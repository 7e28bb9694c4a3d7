/* number.c: element types and single elements. */
#include "base.h"

#include <math.h>
#include <string.h>

/* ---- types ---- */

typedef struct TypeInfo {
  const char *name;
  uint8_t size;
  bool is_float, is_int;
} TypeInfo;

static const TypeInfo type_info[] = {
  [T_NONE] = {"none", 0, false, false},
  [T_F32] = {"f32", 4, true, false},
  [T_U8] = {"u8", 1, false, true},
  [T_I8] = {"i8", 1, false, true},
  [T_U16] = {"u16", 2, false, true},
  [T_I16] = {"i16", 2, false, true},
  [T_I32] = {"i32", 4, false, true},
  [T_I64] = {"i64", 8, false, true},
  [T_STRING] = {"string", 0, false, false},
  [T_BOOL] = {"bool", 1, false, false},
  [T_F16] = {"f16", 2, true, false},
  [T_F64] = {"f64", 8, true, false},
  [T_U32] = {"u32", 4, false, true},
  [T_U64] = {"u64", 8, false, true},
  [T_BF16] = {"bf16", 2, true, false},
  [T_U4] = {"u4", 1, false, true},
  [T_I4] = {"i4", 1, false, true},
  [17] = {"f8e4m3fn", 0, true, false}, [18] = {"f8e4m3fnuz", 0, true, false}, [19] = {"f8e5m2", 0, true, false},
  [20] = {"f8e5m2fnuz", 0, true, false}, [23] = {"f4e2m1", 0, true, false}, [24] = {"f8e8m0", 0, true, false},
  [25] = {"u2", 0, false, true}, [26] = {"i2", 0, false, true},
};

/* A type is a number of the model, so it may be any. */
static const TypeInfo *info_of(Type t) {
  static const TypeInfo unknown = {"unknown", 0, false, false};
  return (unsigned)t < COUNT(type_info) && type_info[t].name ? &type_info[t] : &unknown;
}

size_t type_size(Type t) {
  return info_of(t)->size;
}

const char *type_name(Type t) {
  return info_of(t)->name;
}

bool type_is_float(Type t) {
  return info_of(t)->is_float;
}

bool type_is_int(Type t) {
  return info_of(t)->is_int;
}

bool type_is_unsigned(Type t) {
  return t == T_U8 || t == T_U16 || t == T_U32 || t == T_U64 || t == T_U4;
}

bool type_is_signed(Type t) {
  return type_is_int(t) && !type_is_unsigned(t);
}

bool type_is_half(Type t) {
  return t == T_F16 || t == T_BF16;
}

static int type_bits(Type t) { return t == T_U4 || t == T_I4 ? 4 : 8 * (int)type_size(t); }

int64_t type_lowest(Type t) { return type_is_unsigned(t) ? 0 : -(INT64_C(1) << (type_bits(t) - 1)); }

int64_t type_highest(Type t) { return (INT64_C(1) << (type_bits(t) - type_is_signed(t))) - 1; }

/* ---- floats of 16 bits: 1 sign bit, e exponent bits, m mantissa bits (IEEE 754, 3.4) ---- */

static float float_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* binary16: 5 exponent bits with bias 15, 10 mantissa bits. */
static float decode_half(uint16_t h) {
  uint32_t exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
  float f = (float)fraction * 0x1p-24f; /* a subnormal number */
  if (exponent) f = float_of_bits((exponent == 0x1f ? 0xff : exponent + 112) << 23 | fraction << 13);
  return h & 0x8000 ? -f : f;
}

/* bfloat16 is the upper half of a binary32. */
static float decode_bfloat(uint16_t b) {
  return float_of_bits((uint32_t)b << 16);
}

/* The significand is counted in units of its last place: a carry of its rounding runs into the exponent. */
static uint16_t encode_float(double v, int e, int m) {
  int bias = (1 << (e - 1)) - 1, infinity = ((1 << e) - 1) << m, exponent;
  int sign = (signbit(v) != 0) << (e + m);
  if (isnan(v)) return (uint16_t)(sign | infinity | 1 << (m - 1));
  if (isinf(v)) return (uint16_t)(sign | infinity);
  frexp(v, &exponent);
  int biased = exponent - 1 + bias;
  if (biased < 1 || v == 0) biased = 1;
  if (biased > 2 * bias) return (uint16_t)(sign | infinity);
  int units = (int)nearbyint(ldexp(fabs(v), m - (biased - bias)));
  return (uint16_t)(sign | (((biased - 1) << m) + units));
}

/* ---- elements ---- */

Number get_number(Type t, const void *data, int64_t i) {
  switch (t) {
    case T_F32: return (Number){.f = ((const float *)data)[i]};
    case T_F64: return (Number){.f = ((const double *)data)[i]};
    case T_F16: return (Number){.f = decode_half(((const uint16_t *)data)[i])};
    case T_BF16: return (Number){.f = decode_bfloat(((const uint16_t *)data)[i])};
    case T_I8: case T_I4: return (Number){.i = ((const int8_t *)data)[i]};
    case T_I16: return (Number){.i = ((const int16_t *)data)[i]};
    case T_I32: return (Number){.i = ((const int32_t *)data)[i]};
    case T_I64: return (Number){.i = ((const int64_t *)data)[i]};
    case T_BOOL: return (Number){.i = ((const uint8_t *)data)[i] != 0};
    case T_U8: case T_U4: return (Number){.u = ((const uint8_t *)data)[i]};
    case T_U16: return (Number){.u = ((const uint16_t *)data)[i]};
    case T_U32: return (Number){.u = ((const uint32_t *)data)[i]};
    case T_U64: return (Number){.u = ((const uint64_t *)data)[i]};
    case T_NONE: case T_STRING: break;
  }
  assert(!"a type that is stored");
  return (Number){0};
}

void put_number(Type t, void *data, int64_t i, Number v) {
  switch (t) {
    case T_F32: ((float *)data)[i] = (float)v.f; return;
    case T_F64: ((double *)data)[i] = v.f; return;
    case T_F16: ((uint16_t *)data)[i] = encode_float(v.f, 5, 10); return;
    case T_BF16: ((uint16_t *)data)[i] = encode_float(v.f, 8, 7); return;
    case T_U8: case T_I8: case T_BOOL: case T_U4: case T_I4: ((uint8_t *)data)[i] = (uint8_t)v.u; return;
    case T_U16: case T_I16: ((uint16_t *)data)[i] = (uint16_t)v.u; return;
    case T_U32: case T_I32: ((uint32_t *)data)[i] = (uint32_t)v.u; return;
    case T_U64: case T_I64: ((uint64_t *)data)[i] = v.u; return;
    case T_NONE: case T_STRING: break;
  }
  assert(!"a type that is stored");
}

bool number_less(Type t, Number a, Number b) {
  if (type_is_float(t)) return a.f < b.f;
  return type_is_unsigned(t) ? a.u < b.u : a.i < b.i;
}

bool number_beats(Type t, Number a, Number b) {
  if (type_is_float(t) && isnan(a.f)) return !isnan(b.f);
  return number_less(t, b, a);
}

bool number_undercuts(Type t, Number a, Number b) {
  if (type_is_float(t) && isnan(a.f)) return !isnan(b.f);
  return number_less(t, a, b);
}

Number number_sum(Type t, Number a, Number b) {
  return type_is_float(t) ? (Number){.f = a.f + b.f} : (Number){.u = a.u + b.u};
}

Number number_product(Type t, Number a, Number b) {
  return type_is_float(t) ? (Number){.f = a.f * b.f} : (Number){.u = a.u * b.u};
}

/* ONNX leaves values outside the integer type's range open; here they stop at its ends, and NaN becomes 0. */
static Number float_to_int(double v, Type to) {
  int bits = 8 * (int)type_size(to);
  double hi = type_is_unsigned(to) ? ldexp(1, bits) : ldexp(1, bits - 1), lo = type_is_unsigned(to) ? 0 : -hi;
  if (isnan(v)) return (Number){.i = 0};
  v = trunc(v);
  if (type_is_unsigned(to)) return (Number){.u = v <= lo ? 0 : v >= hi ? UINT64_MAX >> (64 - bits) : (uint64_t)v};
  return (Number){.i = v <= lo ? INT64_MIN >> (64 - bits) : v >= hi ? INT64_MAX >> (64 - bits) : (int64_t)v};
}

/* To f32 in one rounding, which the way through double would not be. */
static double int_to_float(Number v, Type from, Type to) {
  if (to == T_F32) return type_is_unsigned(from) ? (float)v.u : (float)v.i;
  return type_is_unsigned(from) ? (double)v.u : (double)v.i;
}

Number convert_number(Type from, Type to, Number v) {
  bool is_float = type_is_float(from);
  if (to == T_BOOL) return (Number){.i = is_float ? v.f != 0 : v.i != 0};
  if (is_float && !type_is_float(to)) return float_to_int(v.f, to);
  if (!is_float && type_is_float(to)) return (Number){.f = int_to_float(v, from, to)};
  return v;
}
