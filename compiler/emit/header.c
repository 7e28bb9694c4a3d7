/* header.c: the C and C++ header of a compiled model. Names come from the model file, which nobody vouches
 * for: as identifiers they are rebuilt, in comments they are escaped. */
#include "emit.h"

#include <string.h>

/* ==== identifiers ==== */

/* Words that would not be, or not stay, a plain name: keywords of C11 and C++20, the types and names that
 * the header's own declarations use, and macros that common headers and compilers define. */
static const char *const reserved[] = {
  "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch",
  "char", "char8_t", "char16_t", "char32_t", "class", "co_await", "co_return", "co_yield", "compl",
  "concept", "const", "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype",
  "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern",
  "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
  "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected", "public",
  "register", "reinterpret_cast", "requires", "restrict", "return", "short", "signed", "sizeof", "static",
  "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true",
  "try", "typedef", "typeid", "typename", "typeof", "union", "unsigned", "using", "virtual", "void",
  "volatile", "wchar_t", "while", "xor", "xor_eq",
  "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "size_t",
  "rcc_model", "rcc_parallel", "rcc_strerror", "rcc_workspace_alloc", "rcc_workspace_free", "printf",
  "error",
  "NULL", "EOF", "I", "assert", "complex", "errno", "imaginary", "linux", "noreturn", "offsetof", "stderr",
  "stdin", "stdout", "unix",
};

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), m = strlen(end);
  return n >= m && strcmp(s + n - m, end) == 0;
}

/* Names of resnetcc_rt.h and stdint.h, and macros of models' headers. */
static bool is_of_headers(const char *s) {
  static const char *const begin[] = {"rcc_", "RCC_", "RESNETCC_"}, *const end[] = {"_WORKSPACE_SIZE", "_MAX", "_MIN", "_WIDTH"};
  for (size_t i = 0; i < COUNT(begin); i++)
    if (strncmp(s, begin[i], strlen(begin[i])) == 0) return true;
  for (size_t i = 0; i < COUNT(end); i++)
    if (ends_with(s, end[i])) return true;
  bool integer = strncmp(s, "INT", 3) == 0 || strncmp(s, "UINT", 4) == 0;
  return integer && ends_with(s, "_C");
}

bool is_runtime_prefix(const char *name) { return strcmp(name, "rcc") == 0 || strncmp(name, "rcc_", 4) == 0; }

static bool is_reserved(const char *s) {
  if (s[0] == '_' && (s[1] == '_' || (s[1] >= 'A' && s[1] <= 'Z'))) return true;
  for (size_t i = 0; i < COUNT(reserved); i++) {
    if (strcmp(reserved[i], s) == 0) return true;
  }
  return is_of_headers(s);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
/* Not isalnum: that one asks the locale. */
static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c); }

char *c_identifier(Context *cx, const char *s) {
  char *name = format_text(cx, "%s%s", is_digit(*s) || !*s ? "_" : "", s);
  for (char *p = name; *p; p++) {
    if (!is_word(*p)) *p = '_';
  }
  return is_reserved(name) ? format_text(cx, "%s_", name) : name;
}

/* ==== parameters ==== */

typedef struct Param {
  const Value *value;
  const Shape *shape; /* as the interface shows it */
  const char *name;
  bool output;
} Param;

typedef struct Params {
  int n;
  Param *p;
  Map names; /* that are taken: int, the number that was put behind it last */
} Params;

/* The number of parameters whose names are made of `base` counts on in its entry, so that a name is looked for once. */
static void add_param(Context *cx, Params *all, const Value *v, const Shape *shape, bool output) {
  const char *base = c_identifier(cx, v->name), *name = base;
  int *count = map_get(&all->names, base);
  while (map_get(&all->names, name)) name = format_text(cx, "%s_%d", base, ++*count);
  count = alloc(cx, sizeof *count);
  *count = 1;
  map_put(cx, &all->names, name, count);
  all->p[all->n++] = (Param){v, shape, name, output};
}

static Params params_of(Graph *g) {
  static const char *const fixed[] = {"batch", "workspace", "workspace_size", "par", "work", "weights", "size"};
  Params all = {.p = alloc_n(g->cx, (size_t)(g->n_input + g->n_output), sizeof *all.p)};
  int *first = alloc_n(g->cx, COUNT(fixed), sizeof *first);
  for (size_t i = 0; i < COUNT(fixed); i++) {
    first[i] = 1;
    map_put(g->cx, &all.names, fixed[i], &first[i]);
  }
  for (int i = 0; i < g->n_input; i++) add_param(g->cx, &all, g->input[i], &g->input_shape[i], false);
  for (int i = 0; i < g->n_output; i++) add_param(g->cx, &all, g->output[i], &g->output_shape[i], true);
  return all;
}

static const char *c_type(Type t) {
  switch (t) {
  case T_F32: return "float";
  case T_F64: return "double";
  case T_I8: return "int8_t";
  case T_I16: return "int16_t";
  case T_I32: return "int32_t";
  case T_I64: return "int64_t";
  case T_BOOL: case T_U8: return "uint8_t";
  case T_F16: case T_BF16: case T_U16: return "uint16_t";
  case T_U32: return "uint32_t";
  case T_U64: return "uint64_t";
  default: assert(!"an interface type without a C type"); return "";
  }
}

/* What the C type does not say. */
static const char *type_note(Type t) {
  switch (t) {
  case T_BOOL: return ", 0 or 1";
  case T_F16: return ", the bits of IEEE half precision";
  case T_BF16: return ", the bits of bfloat16";
  default: return "";
  }
}

/* ==== text ==== */

/* Text of the model for a comment: nothing that ends the comment, begins another, or steers a terminal or
 * an editor. */
static void add_escaped(Buffer *out, const char *s) {
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    bool plain = c > ' ' && c < 0x7f && c != '*' && c != '\\' && c != '?';
    if (plain || c == ' ') buffer_add(out, s, 1);
    else buffer_printf(out, "\\x%02x", c);
  }
}

static void add_tensor(Buffer *out, const Param *p) {
  buffer_printf(out, " *   %s: %s [", p->name, c_type(p->value->type));
  for (int i = 0; i < p->shape->rank; i++) {
    if (p->shape->d[i] < 0) buffer_printf(out, "%sbatch", i ? ", " : "");
    else buffer_printf(out, "%s%lld", i ? ", " : "", (long long)p->shape->d[i]);
  }
  buffer_printf(out, "]%s", type_note(p->value->type));
  if (strcmp(p->name, p->value->name) != 0) {
    buffer_printf(out, "; in the model \"");
    add_escaped(out, p->value->name);
    buffer_printf(out, "\"");
  }
  buffer_printf(out, "\n");
}

static void add_tensors(Buffer *out, const Params *all, bool output) {
  for (int i = 0; i < all->n; i++) {
    if (all->p[i].output == output) add_tensor(out, &all->p[i]);
  }
}

static const char *upper_case(Context *cx, const char *s) {
  char *copy = copy_text(cx, s);
  for (char *p = copy; *p; p++) {
    if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
  }
  return copy;
}

static void add_weights_note(const Build *b, Buffer *out) {
  if (!weights_are_input(b)) return;
  buffer_printf(out, " *   weights: %lld bytes, aligned to 64: the file with the ending .weights that was made with this header,\n"
                     " *     mapped by rcc_weights_map(path, &%s_model, &size) or wherever it lies in memory\n",
                (long long)weights_input_size(b), b->graph->name);
}

/* The last input, which stands behind those of the model. */
static void add_weights(const Build *b, Buffer *out, int i, const char *text) {
  if (weights_are_input(b) && i == b->graph->n_input) buffer_printf(out, "%s", text);
}

static void add_example(const Build *b, Buffer *out, const Params *all, const char *upper) {
  Graph *g = b->graph;
  buffer_printf(out, " *\n * Example%s:\n", g->symbolic ? " with a batch of 1" : "");
  for (int i = 0; i < all->n; i++) {
    int64_t count = shape_count(&all->p[i].value->shape);
    buffer_printf(out, " *   static %s %s[%lld];\n", c_type(all->p[i].value->type), all->p[i].name,
                  (long long)(count > 0 ? count : 1));
  }
  if (weights_are_input(b)) {
    buffer_printf(out, " *   size_t size;\n *   const void *weights = rcc_weights_map(\"%s.weights\", &%s_model, &size);\n",
                  g->name, g->name);
  }
  buffer_printf(out, " *   void *work = rcc_workspace_alloc(%s_WORKSPACE_SIZE);\n", upper);
  buffer_printf(out, " *   int error = %s_run(%s", g->name, g->symbolic ? "1, " : "");
  for (int i = 0; i < all->n; i++) {
    add_weights(b, out, i, "weights, ");
    buffer_printf(out, "%s, ", all->p[i].name);
  }
  buffer_printf(out, "work, %s_WORKSPACE_SIZE, NULL);\n", upper);
  buffer_printf(out, " *   if (error) printf(\"%%s\\n\", rcc_strerror(error));\n");
  buffer_printf(out, " *   rcc_workspace_free(work, %s_WORKSPACE_SIZE);\n", upper);
}

/* Which tensors the images of a batch share. */
static void add_batch_note(Graph *g, Buffer *out, const Params *all) {
  bool all_batched = true;
  for (int i = 0; i < all->n; i++) all_batched = all_batched && all->p[i].value->batched;
  if (!g->symbolic) return;
  buffer_printf(out, " * The batch is any number of images, from 0 on.%s\n",
                all_batched ? "" : " Tensors without it are read or written once for all.");
}

static void add_comment(const Build *b, Buffer *out, const Params *all, const char *upper) {
  Graph *g = b->graph;
  buffer_printf(out, "/* %s.h: made by resnetcc %s from ", g->name, RESNETCC_VERSION);
  add_escaped(out, path_base(input_name(b->options)));
  buffer_printf(out, ".\n *\n * Compiled for ");
  add_escaped(out, b->target->triple);
  buffer_printf(out, ", %s.\n", b->target->cpu);
  if (b->target->native) buffer_printf(out, " * Compiled for this machine (%s); others: -mcpu=x86-64-v3.\n", b->target->cpu);
  buffer_printf(out, " *\n * Inputs:\n");
  add_tensors(out, all, false);
  add_weights_note(b, out);
  buffer_printf(out, " * Outputs:\n");
  add_tensors(out, all, true);
  if (b->options->flush_denormals) {
    buffer_printf(out, " * A run takes denormal numbers for zeros, in every thread that works for it; the CPU's mode is then as before.\n");
  }
  add_batch_note(g, out, all);
  buffer_printf(out,
                " * All are dense and row-major. The workspace is aligned to 64 bytes; %lld bytes serve one\n"
                " * thread, %s_model.workspace_size(%s, threads) tells for more. Link with resnetcc_rt.\n",
                (long long)workspace_bytes(b), g->name, g->symbolic ? "batch" : "1");
  add_example(b, out, all, upper);
  buffer_printf(out, " */\n");
}

static void add_prototype(const Build *b, Buffer *out, const Params *all) {
  const Graph *g = b->graph;
  buffer_printf(out, "/* Returns RCC_OK or an error code of resnetcc_rt.h. par lends threads. */\n");
  buffer_printf(out, "int %s_run(%s", g->name, g->symbolic ? "int64_t batch, " : "");
  for (int i = 0; i < all->n; i++) {
    const Param *p = &all->p[i];
    add_weights(b, out, i, "const void *weights, ");
    buffer_printf(out, "%s%s *%s, ", p->output ? "" : "const ", c_type(p->value->type), p->name);
  }
  buffer_printf(out, "void *workspace, size_t workspace_size, const rcc_parallel *par);\n");
}

static void add_labels(Graph *g, Buffer *out) {
  if (g->n_label == 0) return;
  buffer_printf(out, "/* The names of the classes in UTF-8, from \"");
  add_escaped(out, g->label[0]);
  buffer_printf(out, "\" to \"");
  add_escaped(out, g->label[g->n_label - 1]);
  buffer_printf(out, "\". */\nextern const char *const %s_labels[%d];\n\n", g->name, g->n_label);
}

void header_print(const Build *b, Buffer *out) {
  Graph *g = b->graph;
  Params all = params_of(g);
  const char *upper = upper_case(g->cx, g->name);
  add_comment(b, out, &all, upper);
  buffer_printf(out, "#ifndef RESNETCC_MODEL_%s_H\n#define RESNETCC_MODEL_%s_H\n\n", upper, upper);
  buffer_printf(out, "#include \"resnetcc_rt.h\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  buffer_printf(out, "extern const rcc_model %s_model;\n\n", g->name);
  buffer_printf(out, "/* Bytes, for one thread%s. */\n", g->symbolic ? " and a batch of 1" : "");
  long long size = workspace_bytes(b);
  buffer_printf(out, "#define %s_WORKSPACE_SIZE %lld\n\n", upper, size);
  add_labels(g, out);
  add_prototype(b, out, &all);
  buffer_printf(out, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
