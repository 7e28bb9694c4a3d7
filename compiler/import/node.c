/* node.c: a node of the model, in messages. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

bool is_named(const char *name) { return name && *name; }

bool domain_is_onnx(const char *domain) { return !is_named(domain) || strcmp(domain, "ai.onnx") == 0; }

/* The graph's names for its operators begin with Nchwc: other operators have their own ones. */
static const char blocks_domain[] = "com.microsoft.nchwc";

bool domain_is_known(const char *domain) {
  return domain_is_onnx(domain) || strcmp(domain, "com.microsoft") == 0 || strcmp(domain, blocks_domain) == 0;
}

Op proto_op_find(const Onnx__NodeProto *p) {
  char name[64];
  if (!domain_is_known(p->domain)) return OP_NONE;
  if (p->domain && strcmp(p->domain, blocks_domain) == 0) {
    snprintf(name, sizeof name, "Nchwc%s", p->op_type);
    return op_find(blocks_domain, name);
  }
  return op_find(p->domain ? p->domain : "", p->op_type);
}

const char *proto_op_name(Context *cx, const char *domain, const char *op) {
  return domain_is_onnx(domain) ? op : format_text(cx, "%s.%s", domain, op);
}

const char *node_name(const Onnx__NodeProto *p) {
  if (is_named(p->name)) return p->name;
  for (size_t i = 0; i < p->n_output; i++)
    if (*p->output[i]) return p->output[i];
  return p->op_type;
}

const char *scoped_node(const Import *im, const char *name) {
  bool inside = im->scope && *im->scope->prefix;
  return inside ? format_text(im->cx, "%s/%s", im->scope->prefix, name) : name;
}

_Noreturn void fail_proto(const Import *im, const Onnx__NodeProto *p, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fail_node(im->cx, scoped_node(im, node_name(p)), proto_op_name(im->cx, p->domain, p->op_type), fmt, args);
}
