/* program.h - is the program in a completion right?  Its tests are run in a jail
 *
 *     struct programs *p = programs_new(NULL);
 *     struct judgement j = {0};
 *     if (programs_judge(p, &record, final, n, &j, &e) < 0) ...       // reads the record's field `tests`
 *     printf("%g %s\n", j.value, j.reason.p);                         // 0 WA: test 2 of 5: line 1: 4, where 5 should be
 *     buf_free(&j.reason);
 *     programs_free(p);
 *
 * One thread at a time; the first program starts r1-sandbox (task/sandbox.h). What was compiled, and what would not compile, is
 * remembered. r1-records(5) describes `tests`.
 */
#ifndef TASK_PROGRAM_H
#define TASK_PROGRAM_H

#include "base/buf.h"
#include "base/err.h"
#include "record/record.h"
#include "task/answer.h"

struct programs;

/* command: as sandbox_open has it. */
struct programs *programs_new(const char *command);
void programs_free(struct programs *p);

struct judgement {
	double value;                   /* 0 .. 1; NaN: not the program's fault */
	struct buf reason;              /* added to: the verdict's name and more */
	struct found program;           /* where it stands in the text; text NULL: there is none */
};

/* 0; -1: the record is bad; -2: no program can be run here (e says why). */
int programs_judge(struct programs *p, struct record *r, const char *text, size_t n, struct judgement *j, struct err *e);

struct program {
	struct found where;             /* text NULL: there is none */
	const char *tag;                /* the mark of its block, tag_n bytes; 0: none */
	size_t tag_n;
	size_t indent;                  /* columns by which its block is indented */
};

/* The program in a text: the last block of code that is marked as `language` (a name or tag; NULL: as any that is known, else any mark), or,
 * where none is, the last that is not marked at all; what is between <answer> and </answer> being looked at alone if it is there; with a
 * language and no block, all of that. Blocks may stand in lists. */
struct program program_find(const char *s, size_t n, const char *language);
/* Its text, added to `to`, its lines without as much of their indentation as its block has. */
void program_source(const struct program *p, struct buf *to);

#endif
