/* onnx_writer.h: ONNX files for the tests of import, written field by field or from lines of text:
 *
 *   input x 1 N,3,8,?            name, TensorProto type, dimensions: a number, a name, or ? for none
 *   output y 1 N,10              - for the dimensions leaves out the shape
 *   info v 1 N,10
 *   const w 2,2 = 1 2 3 4        an fp32 initializer
 *   consti k 2 = 1 2             an int64 initializer
 *   y, _ = Op(x, _, w) min=0.5 axis=1 axes=[1,2] mode="edge" domain:ai.onnx name:n1
 *
 *   sparse w 2,3 = 5 7 at 1 5    an fp32 initializer whose other elements are 0
 *   y = If(c) then_branch={      a graph, of the lines up to
 *   } else_branch={
 *   }
 *   function f(x) -> y k a=0.5 domain:d overload:o opset:18    attributes, with their defaults, then its nodes, up to
 *   end
 *
 * "_" stands for an input or output left out. A float has a point. @k:1 stands for the function's attribute k, of type 1. */
#ifndef ONNX_WRITER_H
#define ONNX_WRITER_H

#include "fixture.h"

#include <ctype.h>
#include <stdlib.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static inline void put_varint(Buffer *b, uint64_t v) {
  do {
    uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
    buffer_add(b, &byte, 1);
    v >>= 7;
  } while (v);
}

static inline void put_tag(Buffer *b, int field, int wire) {
  put_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

static inline void put_int(Buffer *b, int field, int64_t v) {
  put_tag(b, field, WIRE_VARINT);
  put_varint(b, (uint64_t)v);
}

static inline void put_float(Buffer *b, int field, float v) {
  put_tag(b, field, WIRE_32);
  buffer_add(b, &v, sizeof v);
}

static inline void put_bytes(Buffer *b, int field, const void *data, size_t n) {
  put_tag(b, field, WIRE_BYTES);
  put_varint(b, n);
  buffer_add(b, data, n);
}

static inline void put_text(Buffer *b, int field, const char *s) {
  put_bytes(b, field, s, strlen(s));
}

/* Takes the message's memory. */
static inline void put_message(Buffer *b, int field, Buffer *message) {
  put_bytes(b, field, message->data, message->size);
  buffer_free(message);
}

/* ---- the parts of a graph ---- */

/* The next word of *at up to one of `ends`, without the blanks around it; *at moves behind the end. */
static inline char *next_word(char **at, const char *ends) {
  char *p = *at + strspn(*at, " ");
  size_t n = strcspn(p, ends);
  *at = p[n] ? p + n + 1 : p + n;
  p[n] = '\0';
  while (n > 0 && p[n - 1] == ' ') p[--n] = '\0';
  return p;
}

static inline void put_dims(Buffer *shape, char *dims) {
  while (*dims) {
    const char *word = next_word(&dims, ",");
    Buffer dim = {0};
    if (isdigit((unsigned char)*word) || *word == '-') put_int(&dim, 1, strtoll(word, NULL, 10));
    else if (strcmp(word, "?") != 0) put_text(&dim, 2, word);
    put_message(shape, 1, &dim);
  }
}

static inline void put_info(Buffer *graph, int field, char *line) {
  Buffer info = {0}, type = {0}, tensor = {0}, shape = {0};
  put_text(&info, 1, next_word(&line, " "));
  put_int(&tensor, 1, strtoll(next_word(&line, " "), NULL, 10));
  bool has_shape = strcmp(line, "-") != 0;
  if (has_shape) put_dims(&shape, line);
  if (has_shape) put_message(&tensor, 2, &shape);
  put_message(&type, 1, &tensor);
  put_message(&info, 2, &type);
  put_message(graph, field, &info);
}

static inline void put_const(Buffer *graph, bool is_float, char *line) {
  Buffer tensor = {0}, data = {0};
  put_text(&tensor, 8, next_word(&line, " "));
  put_int(&tensor, 2, is_float ? 1 : 7);
  char *dims = next_word(&line, "=");
  while (*dims) put_int(&tensor, 1, strtoll(next_word(&dims, ","), NULL, 10));
  for (char *end; *line; line = end + strspn(end, " ")) {
    float f = strtof(line, &end);
    int64_t i = (int64_t)f;
    buffer_add(&data, is_float ? (void *)&f : &i, is_float ? sizeof f : sizeof i);
  }
  put_bytes(&tensor, 9, data.data, data.size);
  buffer_free(&data);
  put_message(graph, 5, &tensor);
}

static inline void put_attr_value(Buffer *attr, char *value) {
  if (*value == '@') {
    put_text(attr, 21, next_word(&value, ":") + 1);
    put_int(attr, 20, strtoll(value, NULL, 10));
  } else if (*value == '[') {
    value++;
    while (*value && *value != ']') put_int(attr, 8, strtoll(next_word(&value, ",]"), NULL, 10));
    put_int(attr, 20, 7);
  } else if (*value == '"') {
    put_bytes(attr, 4, value + 1, strlen(value) - 2);
    put_int(attr, 20, 3);
  } else if (strchr(value, '.')) {
    put_float(attr, 2, strtof(value, NULL));
    put_int(attr, 20, 1);
  } else {
    put_int(attr, 3, strtoll(value, NULL, 10));
    put_int(attr, 20, 2);
  }
}

/* Of a node (field 5) or a function (11). */
static inline void put_attr(Buffer *of, int field, char *word) {
  Buffer attr = {0};
  put_text(&attr, 1, next_word(&word, "="));
  put_attr_value(&attr, word);
  put_message(of, field, &attr);
}

/* The node `c = Constant()` of the tensor, whose memory it takes. */
static inline void put_constant(Buffer *of, int field, Buffer *tensor) {
  Buffer attr = {0}, node = {0};
  put_text(&attr, 1, "value");
  put_message(&attr, 5, tensor);
  put_int(&attr, 20, 4);
  put_text(&node, 2, "c");
  put_text(&node, 4, "Constant");
  put_message(&node, 5, &attr);
  put_message(of, field, &node);
}

static inline void put_names(Buffer *node, int field, char *names) {
  while (*names) {
    const char *name = next_word(&names, ",");
    put_text(node, field, strcmp(name, "_") == 0 ? "" : name);
  }
}

static inline void put_sparse(Buffer *graph, char *line) {
  Buffer sparse = {0}, values = {0}, indices = {0};
  char *at = strstr(line, " at "), *name = next_word(&line, " "), *dims = next_word(&line, "=");
  int n = 0;
  *at = '\0';
  put_text(&values, 8, name);
  put_int(&values, 2, 1);
  for (char *end; *line; line = end + strspn(end, " "), n++) put_float(&values, 4, strtof(line, &end));
  put_int(&values, 1, n);
  put_int(&indices, 2, 7);
  put_int(&indices, 1, n);
  for (char *end, *i = at + 4; *i; i = end + strspn(end, " ")) put_int(&indices, 7, strtoll(i, &end, 10));
  put_message(&sparse, 1, &values);
  put_message(&sparse, 2, &indices);
  while (*dims) put_int(&sparse, 3, strtoll(next_word(&dims, ","), NULL, 10));
  put_message(graph, 15, &sparse);
}

static inline char *put_lines(Buffer *graph, char **at);

/* A graph as an attribute has the lines behind this one, from *at on; what follows it in the last of these is part of the node. */
static inline void put_node(Buffer *graph, int field, char *line, char **at) {
  Buffer node = {0};
  put_names(&node, 2, next_word(&line, "="));
  put_text(&node, 4, next_word(&line, "("));
  put_names(&node, 1, next_word(&line, ")"));
  line += strspn(line, " ");
  while (*line) {
    char *word = next_word(&line, " ");
    size_t n = strlen(word);
    if (strncmp(word, "name:", 5) == 0) put_text(&node, 3, word + 5);
    else if (strncmp(word, "domain:", 7) == 0) put_text(&node, 7, word + 7);
    else if (strncmp(word, "overload:", 9) == 0) put_text(&node, 8, word + 9);
    else if (n > 2 && strcmp(word + n - 2, "={") == 0) {
      Buffer attr = {0}, body = {0};
      word[n - 2] = '\0';
      put_text(&attr, 1, word);
      line = put_lines(&body, at);
      put_message(&attr, 6, &body);
      put_int(&attr, 20, 5);
      put_message(&node, 5, &attr);
    } else put_attr(&node, 5, word);
  }
  put_message(graph, field, &node);
}

static inline void put_line(Buffer *graph, char *line, char **at) {
  if (strncmp(line, "input ", 6) == 0) put_info(graph, 11, line + 6);
  else if (strncmp(line, "output ", 7) == 0) put_info(graph, 12, line + 7);
  else if (strncmp(line, "info ", 5) == 0) put_info(graph, 13, line + 5);
  else if (strncmp(line, "const ", 6) == 0) put_const(graph, true, line + 6);
  else if (strncmp(line, "consti ", 7) == 0) put_const(graph, false, line + 7);
  else if (strncmp(line, "sparse ", 7) == 0) put_sparse(graph, line + 7);
  else if (*line) put_node(graph, 1, line, at);
}

/* The lines from *at on, up to one that begins with "}": what stands behind that. */
static inline char *put_lines(Buffer *graph, char **at) {
  while (**at) {
    char *line = next_word(at, "\n");
    if (*line == '}') return line + 1 + strspn(line + 1, " ");
    put_line(graph, line, at);
  }
  return *at;
}

static inline void put_function(Buffer *model, char *line, char **at) {
  Buffer f = {0}, set = {0};
  put_text(&f, 1, next_word(&line, "("));
  put_names(&f, 4, next_word(&line, ")"));
  next_word(&line, ">");
  put_names(&f, 5, next_word(&line, " "));
  while (*line) {
    char *word = next_word(&line, " ");
    if (strncmp(word, "domain:", 7) == 0) put_text(&f, 10, word + 7);
    else if (strncmp(word, "overload:", 9) == 0) put_text(&f, 13, word + 9);
    else if (strncmp(word, "opset:", 6) == 0) put_int(&set, 2, strtoll(word + 6, NULL, 10));
    else if (!strchr(word, '=')) put_text(&f, 6, word);
    else put_attr(&f, 11, word);
  }
  if (set.size) put_message(&f, 9, &set);
  for (char *next = next_word(at, "\n"); strcmp(next, "end") != 0; next = next_word(at, "\n")) put_node(&f, 7, next, at);
  put_message(model, 25, &f);
}

/* The graph's lines; functions go to `functions`, as fields of a model, where that is not NULL. */
static inline Buffer read_lines(const char *text, Buffer *functions) {
  Buffer graph = {0}, copy = {0};
  buffer_add(&copy, text, strlen(text) + 1);
  for (char *at = copy.data; *at;) {
    char *line = next_word(&at, "\n");
    if (functions && strncmp(line, "function ", 9) == 0) put_function(functions, line + 9, &at);
    else put_line(&graph, line, &at);
  }
  buffer_free(&copy);
  return graph;
}

static inline Buffer graph_of_text(const char *text) { return read_lines(text, NULL); }

/* A model around the graph, whose memory it takes. */
static inline Buffer model_of_graph(Buffer *graph, int ir, int opset) {
  Buffer model = {0}, set = {0};
  put_int(&model, 1, ir);
  put_int(&set, 2, opset);
  put_message(&model, 8, &set);
  put_message(&model, 7, graph);
  return model;
}

static inline Buffer model_of_text(const char *text, int ir, int opset) {
  Buffer functions = {0}, graph = read_lines(text, &functions), model = model_of_graph(&graph, ir, opset);
  buffer_add(&model, functions.data, functions.size);
  buffer_free(&functions);
  return model;
}

/* Imports a model, whose memory it takes; the copy in cx is not needed afterwards. */
static inline Graph *import_buffer(Context *cx, const Options *opt, Buffer *model) {
  void *copy = copy_bytes_as_text(cx, model->data, model->size);
  size_t size = model->size;
  buffer_free(model);
  return import_bytes(cx, opt, copy, size, NULL);
}

static inline Graph *import_text(Context *cx, const Options *opt, int opset, const char *text) {
  Buffer model = model_of_text(text, 8, opset);
  return import_buffer(cx, opt, &model);
}

/* Imports the lines and compares the printed graph, without its first line, with `expected`. */
static inline void check_import(int opset, const char *text, const char *expected) {
  Context *cx = context_new();
  Options opt = {.input = "test"};
  EXPECT_NO_FAIL(cx);
  const char *printed = graph_text(import_text(cx, &opt, opset, text));
  assert_string_equal(strchr(printed, '\n') + 1, expected);
  context_free(cx);
}

static inline void check_refused(int opset, const char *text, const char *expected) {
  Context *cx = context_new();
  Options opt = {.input = "test"};
  EXPECT_FAIL(cx, import_text(cx, &opt, opset, text), expected);
  context_free(cx);
}

#endif
