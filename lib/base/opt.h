/* opt.h - one table of options gives the parser, --help and the manual their content
 *
 *     struct { int64_t n; double temperature; bool greedy; const char *out; } o = {.n = 1, .temperature = 1};
 *     struct opt opts[] = {
 *             OPT_HEADING("Sampling"),
 *             {"samples", 'n', OPT_INT, &o.n, "N", "completions for each problem", 1, 1 << 20},
 *             {"temperature", 0, OPT_FLOAT, &o.temperature, "T", "softmax temperature", 0, 100},
 *             {"greedy", 0, OPT_FLAG, &o.greedy, NULL, "take the likeliest token"},
 *             {"output", 'o', OPT_STRING, &o.out, "FILE", "write there"},
 *             OPT_END};
 *     switch (opt_parse(opts, &argc, &argv, &e)) ...
 *
 * The value that a variable holds when the table is read is the default that --help shows. Numbers are read strictly:
 * all of the text, within [min, max] (both 0: any). Long names may be cut short as far as they stay unique. "--" ends the
 * options; "-" alone is a file name.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum opt_type {
	OPT_TYPE_END,
	OPT_TYPE_HEADING,
	OPT_FLAG,               /* bool *; also --no-NAME */
	OPT_INT,                /* int64_t * */
	OPT_UINT,               /* uint64_t *, for seeds */
	OPT_FLOAT,              /* double * (finite) */
	OPT_STRING,             /* const char **, pointing into argv */
	OPT_LIST,               /* struct opt_list *: may be given several times */
	OPT_CHOICE              /* const char **: one of the words of `arg`, written "a|b|c" */
};

struct opt_list {
	const char **item;
	size_t n, cap;
};

struct opt {
	const char *name;       /* without the dashes */
	char key;               /* one letter, or 0 */
	enum opt_type type;
	void *value;
	const char *arg;        /* what stands for the value in --help; NULL for a flag */
	const char *help;       /* one line, no full stop */
	double min, max;
	bool given;             /* out: it stood on the command line */
};

#define OPT_HEADING(text) {.name = NULL, .type = OPT_TYPE_HEADING, .help = text}
#define OPT_END {.type = OPT_TYPE_END}

struct opt_command {
	const char *name;       /* r1-sample */
	const char *usage;      /* "[OPTION]... [FILE]..." */
	const char *summary;    /* one line: what it does */
	const char *details;    /* a few lines behind the options, or NULL */
};

enum opt_result { OPT_OK, OPT_SHOW_HELP, OPT_SHOW_VERSION, OPT_BAD };

/* Reads argv[1..]. On OPT_OK *argc and *argv are what is left: the file names. On OPT_BAD e says why. */
enum opt_result opt_parse(struct opt *opts, int *argc, char ***argv, struct err *e);
void opt_help(const struct opt_command *cmd, const struct opt *opts, FILE *to);
bool opt_given(const struct opt *opts, const char *name);
/* Of all values but those of the options named (NULL behind the last) */
uint64_t opt_hash(const struct opt *opts, const char *const *but);

/* Strict numbers, for options and for whatever else is written by hand. 0, or -1 and e. */
int opt_int(const char *text, int64_t min, int64_t max, int64_t *value, struct err *e);
int opt_float(const char *text, double min, double max, double *value, struct err *e);

#endif
