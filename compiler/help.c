/* help.c: --help: the tables of commands, options and operators as text, or as Markdown for the documents. */
#include "options.h"

#include <string.h>

enum { WIDTH = 80, INDENT = 26 };

/* "--tune[=FILE]" */
static void spell_option(const OptionRow *row, char *out, size_t size) {
  const char *between = !row->value ? "" : row->form == JOINED || row->name[1] == '-' ? "=" : " ";
  bool optional = row->form == OPTIONAL;
  snprintf(out, size, "%s%s%s%s%s", row->name, optional ? "[" : "", between, row->value ? row->value : "",
           optional ? "]" : "");
}

/* Words in lines up to WIDTH; the first begins in column `at`, the others in column INDENT. */
static void print_wrapped(const char *text, int at) {
  for (const char *word = text; *word;) {
    int n = (int)strcspn(word, " ");
    if (at > INDENT && at + 1 + n > WIDTH) {
      printf("\n");
      at = 0;
    }
    if (at < INDENT) at += printf("%*s%.*s", INDENT - at, "", n, word);
    else at += printf(" %.*s", n, word);
    word += n + (word[n] == ' ');
  }
  printf("\n");
}

static void print_row(const char *name, const char *help) {
  int at = printf("  %s", name);
  if (at >= INDENT) at = printf("\n") - 1;
  print_wrapped(help, at);
}

static bool is_shown(const CommandLine *line, const OptionRow *row, Group group) {
  return row->group == group && row->commands & 1u << (line->command - command_list);
}

static void print_group(const CommandLine *line, Group group) {
  char name[80];
  bool any = false;
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    if (!is_shown(line, row, group)) continue;
    if (!any) printf("\n%s:\n", group_title[group]);
    any = true;
    spell_option(row, name, sizeof name);
    print_row(name, row->help);
  }
}

static void print_usage(const CommandLine *line) {
  bool compiles = line->command == command_list;
  printf("usage: resnetcc %s%s[OPTION]... %s\n%s\n", compiles ? "" : line->command->name, compiles ? "" : " ",
         line->command->operands, line->command->help);
  if (!compiles) return;
  printf("\nTwo examples:\n"
         "  resnetcc resnet50.onnx -o resnet50.o\n"
         "  resnetcc resnet50.onnx -mcpu=haswell --batch=8 --report -o batch8.o\n");
  if (command_count > 1) printf("\nOther commands, which come first and have a --help of their own:\n");
  for (int i = 1; i < command_count; i++) print_row(command_list[i].name, command_list[i].help);
}

static void print_options(const CommandLine *line) {
  print_usage(line);
  for (Group group = 0; group < DEVELOPER; group++) print_group(line, group);
}

static void print_developer_options(const CommandLine *line) { print_group(line, DEVELOPER); }

/* ==== Markdown ==== */

static void print_option_table(const CommandLine *line) {
  char name[80];
  (void)line;
  printf("| option | |\n|---|---|\n");
  for (Group group = 0; group < GROUP_COUNT; group++) {
    printf("| **%s** | |\n", group_title[group]);
    for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
      if (row->group != group) continue;
      spell_option(row, name, sizeof name);
      printf("| `%s` | %s |\n", name, row->help);
    }
  }
}

static void print_range(int least, int most) {
  if (least == most) printf(" %d |", least);
  else if (most < 0) printf(" %d or more |", least);
  else printf(" %d to %d |", least, most);
}

static void print_types(unsigned types) {
  const char *between = " ";
  for (Type t = T_NONE; t <= T_BF16; t++) {
    if (!(types & 1u << t)) continue;
    printf("%s%s", between, type_name(t));
    between = ", ";
  }
  printf(" |");
}

static void print_operator_table(const CommandLine *line) {
  static const char *const family[FAMILY_COUNT] = {
    [FAMILY_IMPORT] = "becomes others", [FAMILY_CONV] = "convolution", [FAMILY_PRODUCT] = "matrix product",
    [FAMILY_POOL] = "pool", [FAMILY_SCALE] = "to and from quantised integers", [FAMILY_STEP] = "a step of others", [FAMILY_COMPOSED] = "becomes others",
    [FAMILY_NORM] = "normalization by channel", [FAMILY_POINTWISE] = "elementwise", [FAMILY_UNARY] = "elementwise",
    [FAMILY_NORMALIZE] = "normalization along axes",
    [FAMILY_BINARY] = "elementwise, with broadcasting", [FAMILY_CHOICE] = "elementwise, with broadcasting",
    [FAMILY_REDUCE] = "along axes", [FAMILY_MOVE] = "moves elements",
    [FAMILY_RESIZE] = "other sizes of the same picture",
    [FAMILY_FILL] = "made of a few numbers",
    [FAMILY_VIEW] = "another shape of the same elements", [FAMILY_SHAPE] = "known when the model is compiled",
  };
  (void)line;
  printf("| operator | operator sets | inputs | outputs | types of the first input | what it is |\n|---|---|---|---|---|---|\n");
  for (const OpInfo *op = op_info + 1; op < op_info + OP_COUNT; op++) {
    if (strcmp(op->domain, "rcc") == 0) continue; /* resnetcc's own */
    bool blocks = strcmp(op->domain, "com.microsoft.nchwc") == 0;
    printf("| %s%s%s | %d ", op->domain, *op->domain ? "." : "", op->name + (blocks ? strlen("Nchwc") : 0), op->since);
    if (op->until) printf("to %d |", op->until);
    else printf("on |");
    print_range(op->min_in, op->max_in);
    print_range(op->min_out, op->max_out);
    print_types(op->types);
    printf(" %s |\n", family[op->family]);
  }
}

void print_help(const CommandLine *line) {
  static const struct { const char *what; void (*print)(const CommandLine *line); } topics[] = {
    {"", print_options}, {"developer", print_developer_options}, {"markdown", print_option_table},
    {"operators", print_operator_table},
  };
  for (size_t i = 0; i < COUNT(topics); i++) {
    if (strcmp(topics[i].what, line->help) != 0) continue;
    topics[i].print(line);
    return;
  }
  usage_error("--help=%s: it is developer, markdown or operators", line->help);
}
