/* base.h: what knows nothing of graphs: memory, messages, numbers, tables, files. The user can be wrong at the doors only
 * (command line, import, text, shapes, object); there `fail` reports one line and unwinds. Inside, `assert`. Everything that a
 * compilation allocates lives in one arena. */
#ifndef BASE_H
#define BASE_H

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

typedef struct Arena Arena;

/* A part of an error's line; n is 0 where it has none. */
typedef struct ErrorPart {
  int at, n;
} ErrorPart;

/* One compilation's unwind point and arena. `error` is the finished line without the program's name. */
typedef struct Context {
  jmp_buf unwind;
  char error[512];
  ErrorPart error_file, error_node, error_op, error_reason; /* what it names */
  const char *file;      /* named in messages; NULL: none */
  Arena *arena;
  int64_t max_memory;    /* arena_alloc fails past it */
} Context;

/* ==== message.c: lines on standard error, and how a compilation ends that can't go on ==== */

/* "resnetcc: error: TEXT", with colours where a terminal shows it and NO_COLOR is not set. */
typedef enum MessageKind { MESSAGE_ERROR, MESSAGE_WARNING, MESSAGE_NOTE } MessageKind;
enum { MESSAGE_LINE = 600 /* bytes of the longest, with its end */ };
void message_print(MessageKind kind, const char *text); /* what was escaped already, such as Context.error */
size_t message_line(MessageKind kind, const char *text, char *out, size_t size); /* its length in `out` */
void message_quiet(void); /* no warnings, notes and progress from here on */
bool message_is_quiet(void);
void message_format(Context *cx, const char *fmt, va_list args) PRINTF(2, 0); /* as `fail` does, and comes back */
/* A warning, "FILE: reason", escaped and shortened as by `fail`; NULL: of no file. */
void message_warn(const char *file, const char *fmt, ...) PRINTF(2, 3);

/* Ends the compilation with "FILE: reason". Control characters are escaped; as printed the line has at
 * most 400 characters. What the user can do about it stands behind "; ". Never returns. */
_Noreturn void fail(Context *cx, const char *fmt, ...) PRINTF(2, 3);
/* The same with "FILE: node "NAME" (OP): reason". */
_Noreturn void fail_node(Context *cx, const char *name, const char *op, const char *fmt, va_list args) PRINTF(4, 0);
/* With the error by which another context's work ended. */
_Noreturn void fail_as(Context *cx, const Context *other);

/* ==== utf8.c ==== */

/* Length of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7); 0: there is none. */
int utf8_length(const char *s);
/* The same, but 0 for a control character, which a terminal would obey. */
int printable_length(const char *s);

/* ==== bytes.c ==== */

/* memmove and memcmp == 0 for sizes that may be 0: the pointers may be NULL then, as those of empty arrays are, which C forbids
 * in both. */
void move_bytes(void *to, const void *from, size_t n);
bool same_bytes(const void *a, const void *b, size_t n);

/* ==== memory.c: where the system has no memory left and no context exists that could unwind ==== */

_Noreturn void out_of_memory(void); /* ends the program with one line and status 1 */
void memory_at_end(void (*clean_up)(void)); /* it calls that before */
void memory_name_file(const char *file); /* in that line */
/* Says that a library runs in this thread from now on, or no longer, which aborts where it gets no memory ... */
void memory_in_library(bool inside);
bool memory_is_in_library(void);
/* ... and ends the program so after that, of which nobody can tell the reason. It may be called by a signal handler. */
_Noreturn void memory_or_fault(void);
/* Ends the program, whose fault it is, by SIGABRT. */
_Noreturn void internal_error(const char *fmt, ...) PRINTF(1, 2);

/* ==== arena.c ==== */

Arena *arena_new(int64_t limit);
void arena_free(Arena *a);
/* Zeroed memory, aligned to 64 bytes, living as long as the context; fails (one line) past cx->max_memory. */
void *alloc(Context *cx, size_t size);
/* n elements of `size` bytes; fails if the product overflows. */
void *alloc_n(Context *cx, size_t n, size_t size);
/* When the context's memory ends, however that comes about, end(of) is called before: for what is not memory of the arena. The
 * last is the first. */
void arena_at_end(Context *cx, void (*end)(void *), void *of);
char *copy_text(Context *cx, const char *s);
char *copy_bytes_as_text(Context *cx, const void *s, size_t n);
char *format_text(Context *cx, const char *fmt, ...) PRINTF(2, 3);
/* Names of a model for a terminal: what it would obey, and what is no UTF-8, are \xHH. */
char *printable_text(Context *cx, const char *s);
size_t text_length(const char *fmt, va_list args) PRINTF(1, 0); /* of what is printed so */
/* The array of n elements in fresh memory with one zeroed element more. */
void *alloc_extended(Context *cx, const void *array, int n, size_t size);
/* The array of n elements, of which each got its room here, with room for one more: where it is full, a copy with twice the room. */
void *alloc_grown(Context *cx, void *array, int n, size_t size);
int64_t arena_used(const Arena *a);
int64_t arena_left(const Arena *a); /* before alloc fails */

/* ==== buffer.c: a growing byte buffer (malloc'ed) ==== */

typedef struct Buffer {
  char *data;
  size_t size, cap;
} Buffer;
void buffer_add(Buffer *b, const void *data, size_t n);
void buffer_printf(Buffer *b, const char *fmt, ...) PRINTF(2, 3);
void buffer_free(Buffer *b);

/* ==== json.c ==== */

void json_add_text(Buffer *out, const char *s, size_t n); /* as a string of JSON, in UTF-8 */
bool json_is_object(const char *s, size_t n); /* is it one object of JSON, not nested deeply? The bytes may be any. */
/* Walks through an object or an array that json_is_object took: its inside, then what comes next, with the name's and a
 * string's quotes. `name` is NULL for an array. */
typedef struct JsonText {
  const char *at, *end;
} JsonText;
JsonText json_inside(const char *s, size_t n);
bool json_next(JsonText *t, JsonText *name, JsonText *value);

/* ==== sha256.c ==== */

enum { SHA256_BYTES = 32 };
typedef struct Sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
} Sha256;
Sha256 sha256_begin(void);
void sha256_add(Sha256 *s, const void *data, size_t n);
void sha256_end(Sha256 *s, uint8_t out[SHA256_BYTES]);

/* ==== clock.c ==== */

double wall_seconds(void); /* since some moment, by a clock that nobody sets */

/* ==== random.c: 64 bits; a number in [0, 1). Any state is a seed. ==== */

uint64_t random_bits(uint64_t *state);
double random_unit(uint64_t *state);

/* ==== size.c: arithmetic on numbers that come from a model ==== */

bool mul_size(int64_t a, int64_t b, int64_t *out); /* false: overflow */
bool add_size(int64_t a, int64_t b, int64_t *out);
/* The same of numbers >= 0 where one check stands at the end: what does not fit is SIZE_OVERFLOW, which is more than any limit
 * and stays so when more is added. */
#define SIZE_OVERFLOW INT64_MAX
int64_t size_mul(int64_t a, int64_t b);
int64_t size_add(int64_t a, int64_t b);
int64_t size_ceiling(int64_t n, int64_t by);  /* n / by, rounded up */
int64_t size_round_up(int64_t n, int64_t to); /* to a multiple */
int64_t size_min(int64_t a, int64_t b);         /* of any sign, as size_max */
int64_t size_max(int64_t a, int64_t b);
int64_t size_clamp(int64_t n, int64_t lo, int64_t hi);
int64_t size_common_divisor(int64_t a, int64_t b); /* the greatest */
#define MOST_MEMORY (INT64_C(1) << 47) /* bytes: what a process can address on x86-64 */

/* ==== map.c: hash tables, in the arena ==== */

uint64_t hash_word(uint64_t h, uint64_t v);                    /* the hash of what had h, followed by v */
uint64_t hash_bytes(uint64_t h, const void *data, size_t n);
/* From keys, which are not copied and not NULL, to pointers. Empty where zeroed. */
typedef struct Entry Entry;
typedef struct Map {
  Entry *entry;
  size_t n, cap; /* cap: a power of two */
} Map;
/* Where the value of a key lies, until the next is added: of an equal one, or else of this one, then with the value NULL. */
void **map_at(Context *cx, Map *m, uint64_t hash, const void *key, bool (*equal)(const void *, const void *));
void *map_get(const Map *m, const char *key); /* of texts; NULL: no such key */
void map_put(Context *cx, Map *m, const char *key, void *value);

/* ==== sets.c: sets of the numbers [0, n), at first of one each ==== */

int *sets_new(Context *cx, int n);
int set_of(int *up, int i);                 /* the number by which i's set is known */
void set_join(int *up, int i, int with);    /* i's set becomes part of the other, and is known by its number */

/* ==== number.c: element types, by the numbers of TensorProto.DataType, and single elements ==== */

typedef enum Type {
  T_NONE = 0, T_F32 = 1, T_U8 = 2, T_I8 = 3, T_U16 = 4, T_I16 = 5, T_I32 = 6, T_I64 = 7, T_STRING = 8,
  T_BOOL = 9, T_F16 = 10, T_F64 = 11, T_U32 = 12, T_U64 = 13, T_BF16 = 16,
  T_U4 = 21, T_I4 = 22 /* constants that are dequantised; a byte for each */
} Type;

size_t type_size(Type t);        /* bytes an element; 0: not a type that resnetcc stores */
const char *type_name(Type t);   /* "f32", "i64", ... */
bool type_is_float(Type t);
bool type_is_int(Type t);        /* the signed and unsigned integers; not bool */
bool type_is_signed(Type t);
bool type_is_unsigned(Type t);
bool type_is_half(Type t);      /* the floats of 16 bits */
int64_t type_lowest(Type t);     /* of the integers of at most 32 bits, as type_highest */
int64_t type_highest(Type t);

/* An element of any type, widened: floats are f, the signed integers and bool i, the unsigned integers u. */
typedef union Number {
  double f;
  int64_t i;
  uint64_t u;
} Number;
Number get_number(Type t, const void *data, int64_t i);
void put_number(Type t, void *data, int64_t i, Number v); /* floats round to nearest even, integers wrap */
Number convert_number(Type from, Type to, Number v);      /* ONNX Cast */
bool number_less(Type t, Number a, Number b);
bool number_beats(Type t, Number a, Number b); /* a is the maximum of both, b having come first: NaN is the largest */
bool number_undercuts(Type t, Number a, Number b); /* the minimum: NaN is the smallest */
Number number_sum(Type t, Number a, Number b); /* integers wrap, as in products */
Number number_product(Type t, Number a, Number b);

/* ==== file.c ==== */

/* A regular file's bytes, to be unmapped. Fails where there are none. */
void *file_map(Context *cx, const char *path, size_t *size);
void file_unmap(void *data, size_t size);

/* ==== output.c: files that appear complete or not at all ==== */
typedef struct Output Output;
const char *path_base(const char *path); /* behind the last slash */
const char *path_folder(Context *cx, const char *path); /* "." where there is no slash */
bool same_file(const char *a, const char *b); /* under two names; both exist */
bool output_is_file(const char *path); /* a regular file, or one to be made; not "-" (standard output) nor a device */
void output_check(Context *cx, const char *path); /* fails if path is a directory or the input cx->file */
/* The path without symbolic links, so that a file is replaced and not the link to it; the file need not exist. */
const char *output_resolved(Context *cx, const char *path);
Output *output_open(Context *cx, const char *path);
void output_write(Output *o, const void *data, size_t size); /* output_finish reports what goes wrong */
void output_finish(Context *cx, Output **o, int n); /* all appear under their names, or it fails */
void output_discard(void); /* removes what is unfinished; may be called by a signal handler */
void output_abandon(void); /* closes it as well */

/* ==== scratch.c: files for other programs, in a folder that goes with the program ==== */
const char *scratch_path(Context *cx, const char *name); /* of a file that another program makes */
const char *scratch_write(Context *cx, const char *name, const void *const *part, const size_t *size, int n); /* its path */
void scratch_remove(void); /* all of them; output_discard does so too, so an output has to be open before */

/* ==== progress.c: a line on `f` about work that takes long ==== */

typedef struct Progress {
  FILE *f;
  const char *what;
  bool terminal;         /* a line that is rewritten, and erased at the end; else one every two seconds */
  double next;
} Progress;

Progress progress_begin(FILE *f, const char *what);
void progress_show(Progress *p, int i, int n); /* before part i of n, counted from 1 */
void progress_end(Progress *p);
#endif
