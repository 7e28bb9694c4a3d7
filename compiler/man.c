/* man.c: --help=man: the manual page resnetcc(1), of the tables of commands and options. */
#include "options.h"

#include <string.h>

/* What troff would take for its own is spelt out. */
static void put(const char *text) {
  if (*text == '.' || *text == '\'') printf("\\&");
  for (; *text; text++) {
    if (*text == '-') printf("\\-");
    else if (*text == '\\') printf("\\e");
    else if (*text == '\'') printf("\\(aq");
    else putchar(*text);
  }
}

static void put_line(const char *text) {
  put(text);
  printf("\n");
}

static void put_item(const char *name, const char *text) {
  printf(".TP\n.B ");
  put_line(name);
  put_line(text);
}

static void put_commands(void) {
  printf(".SH SYNOPSIS\n");
  for (const Command *c = command_list; c < command_list + command_count; c++) {
    printf("%s.B resnetcc%s%s\n.RI [ option ]...\n.I ", c == command_list ? "" : ".br\n", c == command_list ? "" : " ",
           c == command_list ? "" : c->name);
    put_line(c->operands);
  }
  printf(".SH DESCRIPTION\nThe first argument may be the name of a command; without one the model is compiled.\n");
  for (const Command *c = command_list + 1; c < command_list + command_count; c++) put_item(c->name, c->help);
  printf(".PP\nOptions may stand before and behind the model. Those with two dashes take their value behind a = or as "
         "the next argument. \\- is the model from standard input.\n");
}

static void put_values(const OptionRow *row) {
  if (!option_value(row, 0)) return;
  printf(".IP\n%s is one of:\n", row->value);
  for (int i = 0; option_value(row, i); i++) {
    printf("%s", i ? ",\n" : "");
    put(option_value(row, i));
  }
  printf(".\n");
}

static void put_option(const OptionRow *row) {
  char name[80];
  spell_option(row, name, sizeof name);
  put_item(name, row->help);
  printf(".IP\n");
  put_line(row->paragraph);
  put_values(row);
}

static void put_options(void) {
  printf(".SH OPTIONS\n");
  for (Group group = 0; group < GROUP_COUNT; group++) {
    printf(".SS ");
    put_line(group_title[group]);
    for (const OptionRow *row = option_list; row < option_list + option_count; row++)
      if (row->group == group) put_option(row);
  }
}

static void put_rest(void) {
  printf(".SH EXIT STATUS\n"
         "0: done. 1: an error, which one line on standard error tells; no output file was touched.\n"
         "2: verify found a difference.\n"
         ".SH ENVIRONMENT\n");
  put_item("NO_COLOR", "Messages on a terminal have no colours where it is set.");
  put_item("CC", "The C compiler, cc without it, that makes the shared library of -o FILE.so.");
  printf(".SH EXAMPLES\n.nf\n"
         "resnetcc resnet50.onnx \\-o resnet50.o\n"
         "cc \\-O2 app.c resnet50.o \\-lresnetcc_rt \\-pthread \\-o app\n"
         ".fi\n.SH SEE ALSO\n.BR resnetcc_rt (3),\n.BR resnetcc_image (3)\n");
}

void print_man_page(const CommandLine *line) {
  (void)line;
  printf(".TH RESNETCC 1 \"\" \"resnetcc %s\" \"\"\n.SH NAME\nresnetcc \\- ", RESNETCC_VERSION);
  printf("compiles ONNX models to object files\n");
  put_commands();
  put_options();
  put_rest();
}
