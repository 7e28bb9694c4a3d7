/* scope.c: what names stand for, in the model's graph and in the bodies that become part of it. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

enum {
  MAX_DEPTH = 64,       /* bodies in bodies */
  MAX_PREFIX = 200,
  MAX_SPENT = 1 << 19,  /* more than any network has that was written by a person */
};

Name *name_entry(Import *im, const char *name) {
  Name *n = map_get(&im->scope->names, name);
  if (n) return n;
  n = alloc(im->cx, sizeof *n);
  map_put(im->cx, &im->scope->names, name, n);
  return n;
}

Name *name_find(const Import *im, const char *name) {
  for (const Scope *s = im->scope; s; s = s->outer) {
    Name *n = map_get(&s->names, name);
    if (n) return n;
  }
  return NULL;
}

void name_define(Import *im, const char *name, Bound b) {
  Name *n = name_entry(im, name);
  if (n->defined) fail(im->cx, "the value \"%s\" is defined twice", name);
  n->defined = true;
  n->bound = b;
}

/* The model's graph knows every name that is used in the graph: those of its own values, and the fresh
 * ones. */
static const char *unused_name(Import *im, const char *name) {
  const char *unused = name;
  while (map_get(&im->top->names, unused))
    unused = format_text(im->cx, "%s_%lld", name, (long long)++im->renamed);
  map_put(im->cx, &im->top->names, unused, alloc(im->cx, sizeof(Name)));
  return unused;
}

const char *fresh_name(Import *im, const char *base, const char *suffix) {
  return unused_name(im, format_text(im->cx, "%s.%s", base, suffix));
}

const char *scoped_value(Import *im, const char *name) {
  return im->scope == im->top ? name : unused_name(im, scoped_node(im, name));
}

static void check_recursion(Import *im, const Onnx__NodeProto *p, const Onnx__FunctionProto *f) {
  for (const Scope *s = im->scope; f && s; s = s->caller)
    if (s->function == f) fail_proto(im, p, "the function calls itself");
}

void scope_enter(Import *im, const Onnx__NodeProto *p, const char *label,
                 const Onnx__FunctionProto *function) {
  Scope *from = im->scope, *s = alloc(im->cx, sizeof *s);
  check_recursion(im, p, function);
  if (from->depth == MAX_DEPTH) fail_proto(im, p, "functions and subgraphs are nested too deeply");
  spend(im, p, sizeof *s / 16);
  const char *name = scoped_node(im, node_name(p));
  *s = (Scope){.outer = from, .caller = from, .function = from->function, .call = from->call,
               .depth = from->depth + 1};
  s->prefix = strlen(name) > MAX_PREFIX ? from->prefix : *label ? format_text(im->cx, "%s/%s", name, label)
      : name;
  if (function) {
    s->outer = NULL;
    s->function = function;
    s->call = p;
  }
  im->scope = s;
}

Bound *scope_leave(Import *im, const Onnx__NodeProto *p, size_t n, char *const *output, const char *fault) {
  Bound *out = alloc_n(im->cx, n, sizeof *out);
  const char *missing = NULL;
  for (size_t i = 0; i < n; i++) {
    const Name *found = name_find(im, output[i]);
    if (found && found->defined) out[i] = found->bound;
    else missing = output[i];
  }
  assert(im->scope != im->top);
  im->scope = im->scope->caller;
  if (missing) fail_proto(im, p, "%s \"%s\"", fault, missing);
  return out;
}

void spend(Import *im, const Onnx__NodeProto *p, size_t work) {
  if (work > MAX_SPENT || (im->spent += (int64_t)work) > MAX_SPENT)
    fail_proto(im, p, "functions, loops and branches would make too many nodes");
}
