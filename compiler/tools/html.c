/* html.c: a report as one page: its tables are there without JavaScript, its drawings are made by report.js of the same
 * data. */
#include "tools.h"

#include <inttypes.h>
#include <string.h>

/* report.css and report.js, which the build makes arrays of. */
extern const char report_css[], report_js[];

/* ==== text ==== */

static void put(Buffer *out, const char *s) { buffer_add(out, s, strlen(s)); }

/* As text or the value of an attribute; what is no UTF-8 is U+FFFD. */
static void put_text(Buffer *out, const char *s) {
  while (*s) {
    int n = utf8_length(s);
    if (*s == '&') put(out, "&amp;");
    else if (*s == '<') put(out, "&lt;");
    else if (*s == '>') put(out, "&gt;");
    else if (*s == '"') put(out, "&quot;");
    else if (n == 0 || ((unsigned char)*s < 0x20)) put(out, "\xef\xbf\xbd");
    else buffer_add(out, s, (size_t)n);
    s += n ? n : 1;
  }
}

static const char *bytes_text(Context *cx, double n) {
  if (n >= 1 << 20) return format_text(cx, "%.1f MiB", n / (1 << 20));
  if (n >= 1 << 10) return format_text(cx, "%.1f KiB", n / (1 << 10));
  return format_text(cx, "%.0f B", n);
}

static void put_row(Buffer *out, const char *name, const char *value) {
  put(out, "<dt>"), put_text(out, name);
  put(out, "</dt><dd>"), put_text(out, value);
  put(out, "</dd>\n");
}

static void put_paragraph(Buffer *out, const char *text) {
  put(out, "<p>"), put_text(out, text), put(out, "</p>\n");
}

static void begin_section(Buffer *out, const char *id, const char *title) {
  buffer_printf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

static void end_section(Buffer *out) { put(out, "</section>\n"); }

/* Columns as in "node|operator|#bytes": those with # are numbers. */
static void begin_table(Buffer *out, const char *columns) {
  put(out, "<div class=\"scroll\" tabindex=\"0\"><table class=\"sorts\"><thead><tr>");
  for (const char *c = columns; *c; c += *c == '|') {
    size_t n = strcspn(c, "|");
    bool number = *c == '#';
    put(out, number ? "<th class=\"n\">" : "<th>");
    buffer_add(out, c + number, n - number);
    put(out, "</th>");
    c += n;
  }
  put(out, "</tr></thead><tbody>\n");
}

static void end_table(Buffer *out) { put(out, "</tbody></table></div>\n"); }

static void cell(Buffer *out, const char *text) { put(out, "<td>"), put_text(out, text), put(out, "</td>"); }
static void name_cell(Buffer *out, const char *text) {
  put(out, "<td class=\"name\" title=\""), put_text(out, text), put(out, "\">"), put_text(out, text), put(out, "</td>");
}
static void number_cell(Buffer *out, const char *text) { put(out, "<td class=\"n\">"), put(out, text), put(out, "</td>"); }
static void bytes_cell(Buffer *out, Context *cx, double n) {
  buffer_printf(out, "<td class=\"n\" data-v=\"%.0f\">%s</td>", n, bytes_text(cx, n));
}

/* ==== summary ==== */

static double all_gflop(const Report *r) {
  double sum = 0;
  for (int i = 0; i < r->n_layer; i++) sum += r->layer[i].gflop;
  return sum;
}

static double rate_of(const ReportLayer *l) { return l->seconds > 0 ? l->gflop / l->seconds : 0; }

/* What to look at next, the most worth first; NULL: nothing is odd. */
static const char *advice(const Report *r) {
  double original = 0, slow = 0, all = report_seconds(r);
  int n = 0;
  for (int i = 0; i < r->n_layer; i++) {
    const ReportLayer *l = &r->layer[i];
    original += l->original;
    if (r->runs && l->gflop > 0 && rate_of(l) < 0.5 * r->peak) slow += l->seconds, n++;
  }
  if (r->runs && slow > 0.2 * all) {
    return format_text(r->cx, "%d layers with multiply-adds stay under half of the peak and take %.0f %% of the time: "
                       "--tune measures what else they could have.", n, 100 * slow / all);
  }
  if (strcmp(r->cpu, "x86-64") == 0) {
    return "The code is for any x86-64, with vectors of 4 floats: -mcpu=x86-64-v3 doubles that where CPUs have AVX2.";
  }
  if (original > 0 && (double)r->weights > 1.1 * original) {
    return format_text(r->cx, "Weights take %.0f %% more room than the model's, for speed: -Os keeps them as they are.",
                       100 * ((double)r->weights / original - 1));
  }
  return NULL;
}

static void put_summary(Buffer *out, const Report *r) {
  Context *cx = r->cx;
  const char *odd = advice(r);
  begin_section(out, "summary", "Summary");
  if (odd) put(out, "<p class=\"note\">"), put_text(out, odd), put(out, "</p>\n");
  put(out, "<dl>\n");
  put_row(out, "model", format_text(cx, "%s, operator set %" PRId64, r->model.file, r->model.opset));
  if (r->model.producer && *r->model.producer) put_row(out, "exported by", r->model.producer);
  put_row(out, "compiled by", "resnetcc " RESNETCC_VERSION);
  put_row(out, "target", format_text(cx, "%s, %s, vectors of %d floats", r->triple, r->cpu, r->lanes));
  if (r->call) put(out, "<dt>the call in C</dt><dd><pre>"), put_text(out, r->call), put(out, "</pre></dd>\n");
  put_row(out, "weights", bytes_text(cx, (double)r->weights));
  put_row(out, "workspace", bytes_text(cx, (double)r->workspace));
  if (r->object) {
    const char *whole = bytes_text(cx, (double)r->object), *code = bytes_text(cx, (double)(r->object - r->weights));
    put_row(out, "object", format_text(cx, "%s, of which %s are code and tables", whole, code));
  }
  put_row(out, "multiply-adds", format_text(cx, "%.3f billion", all_gflop(r) / 2));
  if (r->runs) {
    double s = report_seconds(r);
    put_row(out, "time", format_text(cx, "%.3f ms with %d thread%s, %.1f %% of the peak, counting what direct convolutions take",
                                     1e3 * s, r->threads, r->threads > 1 ? "s" : "", 100 * all_gflop(r) / s / r->peak));
    if (r->in_strips > 0) put_row(out, "time in strips", format_text(cx, "%.3f ms, as one thread runs them", 1e3 * r->in_strips));
  } else {
    put_row(out, "time", "not measured: --profile measures it");
  }
  put(out, "</dl>\n");
  end_section(out);
}

/* ==== the tables ==== */

static void put_graph(Buffer *out) {
  begin_section(out, "graph", "Graph");
  put(out, "<p class=\"dim\">From top to bottom as it runs, what is fused within its node; an arc is a value that is read "
           "later, its width the bytes. A click or Enter shows all of a node; + and - or Ctrl and the wheel zoom, dragging moves.</p>\n"
           "<noscript><p>The drawing needs JavaScript; the tables below have the same.</p></noscript>\n"
           "<div class=\"tools js\"><input type=\"search\" id=\"search\" placeholder=\"search: name, operator, shape\" "
           "aria-label=\"search\">"
           "<select id=\"colour\" aria-label=\"colour\"><option value=\"kind\">colour: kind</option>"
           "<option value=\"time\">colour: time</option></select>"
           "<button id=\"which\" aria-pressed=\"false\">as imported</button>"
           "<button id=\"farther\" aria-label=\"smaller\">&minus;</button>"
           "<button id=\"closer\" aria-label=\"larger\">+</button></div>\n"
           "<div class=\"split js\"><div id=\"view\"></div><div id=\"detail\" aria-live=\"polite\"></div></div>\n</section>\n");
}

static const char *why_text(Context *cx, const ReportLayer *l) {
  const ReportCandidate *chosen = NULL, *other = NULL;
  for (const ReportCandidate *c = l->candidate; c < l->candidate + l->n_candidate; c++) {
    if (c->chosen) chosen = c;
    else if (!other || c->ms < other->ms) other = c;
  }
  if (!chosen || !other) return "";
  return format_text(cx, "%.3f ms %s; next %s, %.3f", chosen->ms, chosen->measured ? "measured" : "estimated", other->name,
                     other->ms);
}

/* `all` are the seconds of all layers. */
static void put_layer(Buffer *out, const Report *r, int i, double all) {
  Context *cx = r->cx;
  const ReportLayer *l = &r->layer[i];
  buffer_printf(out, "<tr data-layer=\"%d\">", i);
  number_cell(out, format_text(cx, "%d", i));
  name_cell(out, l->node);
  cell(out, l->op);
  cell(out, l->what);
  cell(out, l->algorithm);
  cell(out, why_text(cx, l));
  number_cell(out, l->gflop > 0 ? format_text(cx, "%.4f", l->gflop) : "");
  bytes_cell(out, cx, l->bytes);
  if (r->runs) {
    double share = l->seconds / all;
    bool rated = l->gflop > 0 && l->seconds > 0;
    number_cell(out, format_text(cx, "%.4f", 1e3 * l->seconds));
    number_cell(out, rated ? format_text(cx, "%.1f", rate_of(l)) : "");
    number_cell(out, rated ? format_text(cx, "%.1f", 100 * rate_of(l) / r->peak) : "");
    buffer_printf(out, "<td class=\"share\" data-v=\"%.5f\"><span class=\"bar\" style=\"width:%.1fpx\"></span> %.1f</td>", share,
                  60 * share < 60 ? 240 * share : 60, 100 * share);
  }
  put(out, "</tr>\n");
}

static void put_layers(Buffer *out, const Report *r) {
  begin_section(out, "layers", "Layers");
  begin_table(out, r->runs ? "#layer|node|operator|shape|algorithm|why|#GFLOP|#moves|#ms|#GFLOP/s|#% of peak|% of time"
                           : "#layer|node|operator|shape|algorithm|why|#GFLOP|#moves");
  double all = report_seconds(r);
  for (int i = 0; i < r->n_layer; i++) put_layer(out, r, i, all);
  end_table(out);
  end_section(out);
}

static void put_roofline(Buffer *out, const Report *r) {
  begin_section(out, "roofline", "Roofline");
  if (r->runs) {
    put_paragraph(out, format_text(r->cx, "Measured: %.1f GFLOP/s of multiply-adds in registers, %.1f GB/s to and from memory. "
                                   "A dot is a layer, its size the time.", r->peak, r->bandwidth));
    put(out, "<div id=\"roof\"></div>\n");
  } else {
    put_paragraph(out, "Nothing was measured: --profile runs the object and measures the peak and the memory.");
  }
  end_section(out);
}

static void put_memory(Buffer *out, const Report *r) {
  Context *cx = r->cx;
  begin_section(out, "memory", "Memory");
  put_paragraph(out, format_text(cx, "The workspace of one thread has %s. A rectangle is a buffer, from the layer that makes it "
                                 "to the last that reads it; paler ones lie in the place of another.",
                                 bytes_text(cx, (double)r->workspace)));
  put(out, "<div id=\"places\"></div>\n");
  begin_table(out, "value|place|#offset|#bytes|#first layer|#last layer|in the place of");
  for (int i = 0; i < r->n_buffer; i++) {
    const ReportBuffer *b = &r->buffer[i];
    put(out, "<tr>");
    name_cell(out, b->value);
    cell(out, b->place);
    number_cell(out, format_text(cx, "%" PRId64, b->offset));
    bytes_cell(out, cx, (double)b->bytes);
    number_cell(out, format_text(cx, "%d", b->first));
    number_cell(out, format_text(cx, "%d", b->last));
    name_cell(out, b->alias ? b->alias : "");
    put(out, "</tr>\n");
  }
  end_table(out);
  end_section(out);
}

static void put_weights(Buffer *out, const Report *r) {
  Context *cx = r->cx;
  begin_section(out, "weights", "Weights");
  put_paragraph(out, format_text(cx, "%s in the object. Packed ones lie in the order of their use; where they are more than the "
                                 "model's, Winograd's transforms are stored.", bytes_text(cx, (double)r->weights)));
  begin_table(out, "#layer|node|algorithm|#in the model|#packed|#more");
  for (int i = 0; i < r->n_layer; i++) {
    const ReportLayer *l = &r->layer[i];
    if (l->original == 0) continue;
    put(out, "<tr>");
    number_cell(out, format_text(cx, "%d", i));
    name_cell(out, l->node);
    cell(out, l->algorithm);
    bytes_cell(out, cx, l->original);
    bytes_cell(out, cx, l->packed);
    number_cell(out, l->packed > l->original ? format_text(cx, "%.0f %%", 100 * (l->packed / l->original - 1)) : "");
    put(out, "</tr>\n");
  }
  end_table(out);
  end_section(out);
}

static void put_changes(Buffer *out, const Report *r) {
  begin_section(out, "changes", "Changes");
  put(out, "<p class=\"dim\">What became of the model's nodes, and in which pass.</p>\n");
  begin_table(out, "node|operator|shape|pass|became");
  for (int i = 0; i < r->n_imported; i++) {
    const ReportImported *n = &r->imported[i];
    if (!n->pass) continue;
    put(out, "<tr>");
    name_cell(out, n->node);
    cell(out, n->op);
    cell(out, n->what);
    cell(out, n->pass);
    cell(out, n->fate);
    put(out, "</tr>\n");
  }
  end_table(out);
  end_section(out);
}

static void put_sets(Buffer *out, const Report *r) {
  Context *cx = r->cx;
  if (r->unfit) put_paragraph(out, format_text(cx, "The data sets beside the model could not be used: %s", r->unfit));
  if (r->n_set == 0) {
    put(out, "<p class=\"dim\">resnetcc verify compares the outputs with data sets, or with the evaluator.</p>\n");
    return;
  }
  put_paragraph(out, format_text(cx, "%d of %d data sets beside the model agree: the largest difference, of the largest output, "
                                 "is within %g.", r->n_agree, r->n_set, r->rtol));
  begin_table(out, "data set|output|#max error|#max ulp|#top-1|#top-5|agrees");
  for (int i = 0; i < r->n_set; i++) {
    for (int k = 0; k < r->set[i].n_output; k++) {
      const ReportOutput *o = &r->set[i].output[k];
      put(out, "<tr>");
      cell(out, path_base(r->set[i].path));
      name_cell(out, o->name);
      number_cell(out, format_text(cx, "%.1e", o->error));
      number_cell(out, format_text(cx, "%.4g", o->ulp));
      number_cell(out, o->rows ? format_text(cx, "%" PRId64 "/%" PRId64, o->top1, o->rows) : "");
      number_cell(out, o->rows ? format_text(cx, "%" PRId64 "/%" PRId64, o->top5, o->rows) : "");
      cell(out, o->agrees ? "yes" : "no");
      put(out, "</tr>\n");
    }
  }
  end_table(out);
}

static void put_errors(Buffer *out, const Report *r) {
  Context *cx = r->cx;
  put_paragraph(out, format_text(cx, "Error against double precision, of the largest result, in %d results of each layer on "
                                 "random input.", r->samples));
  begin_table(out, "#layer|node|algorithm|#error|#of a sum in fp32");
  for (int i = 0; i < r->n_layer; i++) {
    const ReportLayer *l = &r->layer[i];
    if (!l->checked) continue;
    put(out, "<tr>");
    number_cell(out, format_text(cx, "%d", i));
    name_cell(out, l->node);
    cell(out, l->algorithm);
    number_cell(out, format_text(cx, "%.1e", l->error));
    number_cell(out, format_text(cx, "%.1e", l->fp32_error));
    put(out, "</tr>\n");
  }
  end_table(out);
}

static void put_accuracy(Buffer *out, const Report *r) {
  begin_section(out, "accuracy", "Accuracy");
  put_sets(out, r);
  if (r->samples == 0) put_paragraph(out, "No layer has an algorithm that rounds otherwise than a sum of products.");
  else if (r->unchecked) put_paragraph(out, format_text(r->cx, "Layers were not measured: %s", r->unchecked));
  else put_errors(out, r);
  end_section(out);
}

/* ==== the page ==== */

static void put_head(Buffer *out, const Report *r) {
  static const char *const ids[] = {"summary", "graph", "layers", "roofline", "memory", "weights", "changes", "accuracy"};
  put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<link rel=\"icon\" href=\"data:,\">\n<title>");
  put_text(out, path_base(r->model.file));
  put(out, " - resnetcc</title>\n<style>\n"), put(out, report_css), put(out, "</style>\n</head>\n<body>\n<h1>");
  put_text(out, path_base(r->model.file));
  put(out, "</h1>\n<nav aria-label=\"sections\">");
  for (size_t i = 0; i < COUNT(ids); i++) buffer_printf(out, "<a href=\"#%s\">%s</a>", ids[i], ids[i]);
  put(out, "</nav>\n<main>\n");
}

static void put_data(Buffer *out, const Report *r) {
  put(out, "<script type=\"application/json\" id=\"data\">");
  json_add_report(r, out);
  put(out, "</script>\n");
}

void html_report(const Report *r, Buffer *out) {
  put_head(out, r);
  put_summary(out, r);
  put_graph(out);
  put_layers(out, r);
  put_roofline(out, r);
  put_memory(out, r);
  put_weights(out, r);
  put_changes(out, r);
  put_accuracy(out, r);
  put(out, "</main>\n");
  put_data(out, r);
  put(out, "<script>\n"), put(out, report_js), put(out, "</script>\n</body>\n</html>\n");
}
