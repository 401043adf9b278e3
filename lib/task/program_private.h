/* program_private.h - what program.c, program_tests.c and program_kinds.c share */
#ifndef TASK_PROGRAM_PRIVATE_H
#define TASK_PROGRAM_PRIVATE_H

#include <stdbool.h>

#include "record/json.h"
#include "task/check.h"
#include "task/language.h"
#include "task/program.h"

/* The field `tests`, read; everything points into the record */
struct tests {
	const struct language *language;        /* NULL: as the block of code says */
	const struct js *inputs, *outputs;      /* arrays of as many; NULL if there are assertions */
	const char *entry;                      /* the function that is called or tested; NULL */
	bool wrapped;                           /* an output [x] of a call stands for x, too */
	const struct js *asserts;               /* a string or an array of strings; NULL */
	const char *setup;                      /* code in front of the assertions; "" */
	const char *prefix;                     /* code in front of the program; "" */
	const struct js *files;                 /* further files beside the program: an object, or NULL */
	struct check check;
	const struct language *judge;           /* a program that judges: its language; NULL */
	const char *judge_source;
	size_t judge_n;
	bool share;                             /* the share of the tests that pass counts; else all or nothing */
	struct js *limits;                      /* of each run */
	double wall;                            /* of each run, seconds */
	double total;                           /* of all runs, seconds */
	double compile;                         /* processor time of the compiler, seconds */
};

int tests_read(struct record *r, struct tests *t, struct err *e);
void tests_free(struct tests *t);

/* A program with its tests, being judged */
struct judging {
	struct programs *programs;
	const struct tests *tests;
	const struct language *language;
	const char *source;                     /* (source_n) with its prefix */
	size_t source_n;
	struct judgement *to;
	double left;                            /* seconds of `total` */
	struct err *e;
};

/* Compiled or, where the language needs none of that, parsed: 1; 0: it cannot be, `why` says so; -2; -3: the judge's own fault, alike. What is
 * compiled is saved under the name that key gets. */
int program_compile(struct judging *g, const struct language *l, const char *source, size_t n, char key[32], struct buf *why);

/* One run, with the program's files; further members of `request` are its own. The answer, or NULL: no run is possible any more. */
struct js *program_run(struct judging *g, struct js *request);
struct js *program_request(const struct judging *g, const char *const *command, bool with_source);

/* 0 or -2 */
int judge_outputs(struct judging *g);
int judge_calls(struct judging *g);
int judge_asserts(struct judging *g);

#endif
