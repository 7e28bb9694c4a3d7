/* help.c: --help: the tables of commands, options and operators as text, or as Markdown for the documents. */
#include "options.h"

#include <string.h>

enum { WIDTH = 80, INDENT = 28 };

/* Words in lines up to WIDTH; the first begins in column `at`, the others in column `indent`. */
static void print_wrapped(const char *text, int at, int indent) {
  for (const char *word = text; *word;) {
    int n = (int)strcspn(word, " ");
    if (at > indent && at + 1 + n > WIDTH) {
      printf("\n");
      at = 0;
    }
    if (at < indent) at += printf("%*s%.*s", indent - at, "", n, word);
    else at += printf("%s%.*s", at ? " " : "", n, word);
    word += n + (word[n] == ' ');
  }
  printf("\n");
}

static void print_row(const char *name, const char *help) {
  int at = printf("  %s", name);
  if (at >= INDENT) at = printf("\n") - 1;
  print_wrapped(help, at, INDENT);
}

static void print_group(const CommandLine *line, Group group) {
  char name[80];
  bool any = false;
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    if (row->group != group || !belongs(row, line->command)) continue;
    if (!any) printf("\n%s:\n", group_title[group]);
    any = true;
    spell_option(row, name, sizeof name);
    print_row(name, row->help);
  }
}

static void print_usage(const CommandLine *line) {
  bool compiles = line->command == command_list;
  printf("usage: resnetcc %s%s[OPTION]... %s\n", compiles ? "" : line->command->name, compiles ? "" : " ",
         line->command->operands);
  print_wrapped(line->command->help, 0, 0);
}

static void print_commands(const CommandLine *line) {
  printf("\nTwo examples:\n"
         "  resnetcc resnet50.onnx -o resnet50.o\n"
         "  resnetcc resnet50.onnx -mcpu=x86-64-v3 --batch=8 --report -o batch8.o\n");
  printf("\nOther commands, each with a --help of its own:\n");
  for (const Command *c = command_list; c < command_list + command_count; c++)
    if (c != line->command) print_row(c->name, c->help);
}

static void print_options(const CommandLine *line) {
  print_usage(line);
  if (line->command == command_list) print_commands(line);
  for (Group group = 0; group < DEVELOPER; group++) print_group(line, group);
  printf("\n--help=NAME tells more of an option, as in --help=-o.\n");
}

void print_short_help(const CommandLine *line) {
  char name[80];
  print_usage(line);
  printf("\n");
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    if (!row->common || !belongs(row, line->command)) continue;
    spell_option(row, name, sizeof name);
    print_row(name, row->help);
  }
  printf("\n--help lists all options and commands; --help=NAME tells more of an option.\n");
}

static void print_developer_options(const CommandLine *line) { print_group(line, DEVELOPER); }

/* ==== one option ==== */

/* By its name, with or without the dashes; NULL: there is none. */
static const OptionRow *named_option(const char *name) {
  for (const OptionRow *row = option_list; row < option_list + option_count; row++) {
    const char *names[] = {row->name, row->alias};
    for (int i = 0; i < 2 && names[i]; i++)
      if (strcmp(names[i], name) == 0 || strcmp(names[i] + strspn(names[i], "-"), name) == 0) return row;
  }
  return NULL;
}

static void print_values(const OptionRow *row) {
  if (!option_value(row, 0)) return;
  int at = printf("\n  %s:", row->value) - 1;
  for (int i = 0; option_value(row, i); i++) {
    const char *value = option_value(row, i);
    if (at + 1 + (int)strlen(value) > WIDTH) at = printf("\n   ") - 1;
    at += printf(" %s", value);
  }
  printf("\n");
}

static void print_option(const OptionRow *row) {
  char name[80];
  spell_option(row, name, sizeof name);
  printf("%s\n", name);
  print_wrapped(row->help, 0, 2);
  printf("\n");
  print_wrapped(row->paragraph, 0, 2);
  print_values(row);
  Buffer commands = {0};
  const char *between = "A part of: ";
  for (const Command *c = command_list; c < command_list + command_count; c++) {
    if (!belongs(row, c)) continue;
    buffer_printf(&commands, "%sresnetcc%s%s", between, c == command_list ? "" : " ", c == command_list ? "" : c->name);
    between = ", ";
  }
  printf("\n");
  print_wrapped(commands.data, 0, 2);
  buffer_free(&commands);
}

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
      printf("| `%s` | **%s.** %s |\n", name, row->help, row->paragraph);
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
  for (Type t = T_NONE; t <= T_I4; t++) {
    if (!(types & 1u << t)) continue;
    printf("%s%s", between, type_name(t));
    between = ", ";
  }
  printf(" |");
}

static void print_operator_table(const CommandLine *line) {
  static const char *const family[FAMILY_COUNT] = {
    [FAMILY_IMPORT] = "becomes others", [FAMILY_CONV] = "convolution", [FAMILY_PRODUCT] = "matrix product",
    [FAMILY_POOL] = "pool", [FAMILY_SCALE] = "to and from quantised integers", [FAMILY_STEP] = "a step of others",
    [FAMILY_COMPOSED] = "becomes others",
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
    printf("| %s%s%s | %d ", op->domain, *op->domain ? "." : "", op_called(op) + (blocks ? strlen("Nchwc") : 0), op->since);
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
    {"operators", print_operator_table}, {"man", print_man_page}, {"bash", print_bash}, {"zsh", print_zsh},
    {"fish", print_fish},
  };
  for (size_t i = 0; i < COUNT(topics); i++) {
    if (strcmp(topics[i].what, line->help) != 0) continue;
    topics[i].print(line);
    return;
  }
  const OptionRow *row = named_option(line->help);
  if (!row) usage_error("--help=%s: there is no such option; --help lists them", line->help);
  print_option(row);
}
