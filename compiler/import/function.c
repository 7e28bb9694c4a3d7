/* function.c: calls of functions that the model defines, which become the nodes of their bodies. */
#include "onnx.pb-c.h"
#include "import.h"

static Bound *run_body(Import *im, const Onnx__NodeProto *p, const Onnx__FunctionProto *f, const Bound *in) {
  int opset = im->g->opset;
  int64_t own = onnx_opset(im, f->n_opset_import, f->opset_import);
  if (own) im->g->opset = (int)own;
  scope_enter(im, p, "", f);
  for (size_t i = 0; i < f->n_input; i++) name_define(im, f->input[i], in[i]);
  read_nodes(im, f->n_node, f->node);
  Bound *out = scope_leave(im, p, f->n_output, f->output, "the function does not compute its output");
  im->g->opset = opset;
  return out;
}

void call_function(Import *im, const Onnx__NodeProto *p, const Onnx__FunctionProto *f) {
  if (p->n_input > f->n_input)
    fail_proto(im, p, "has %zu inputs, the function takes %zu", p->n_input, f->n_input);
  if (p->n_output > f->n_output)
    fail_proto(im, p, "has %zu outputs, the function has %zu", p->n_output, f->n_output);
  for (size_t i = 0; i < p->n_attribute; i++)
    if (p->attribute[i]->g) fail_proto(im, p, "a graph as an attribute of a function is not supported");
  spend(im, p, 1 + f->n_input + f->n_output);
  Bound *in = alloc_n(im->cx, f->n_input, sizeof *in);
  for (size_t i = 0; i < f->n_input; i++) in[i] = input_bound(im, p, i);
  int since = im->g->n_value;
  Bound *out = run_body(im, p, f, in);
  for (size_t i = 0; i < p->n_output; i++) bind_output(im, p, i, out[i], since);
}
