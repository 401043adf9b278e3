/* resume.h - an output file that a run adds to as it goes, and that the same run goes on with when it was cut short
 *
 *     struct resume *f = resume_open("rollouts.jsonl", &e);           // made if absent; a last line that is cut off is dropped
 *     struct resume_line at;
 *     for (each completion that is due, in the order of the output) {
 *             rc = resume_find(f, id, n, sample, &r, &at, &e);           // 1: it is there, r is it
 *             if (rc == 0)
 *                     rc = resume_add(f, &made, &at, &e);             // one write at the end of the file
 *             resume_order(f, at);                                    // it comes next in the whole
 *     }
 *     if (resume_close(f, true, &e) < 0) ...                          // all is there: put in order
 *
 * Completions are known by (id, sample); where several have the same, each is found once, in the file's order. Additions may be made
 * in any order, and stay when the program is killed: the file is then a heap of whole lines with perhaps one cut line at its end.
 * resume_close(whole) makes it one in the order that resume_order told, by a copy that takes its place; a file that is in order
 * already is left alone. The file is locked: a second run on it is refused.
 */
#ifndef RECORD_RESUME_H
#define RECORD_RESUME_H

#include "record/record.h"

struct resume;

struct resume_line {
	int64_t at, n;                  /* its bytes, the newline not counted */
};

/* Reads the file. NULL and e if it is no plain file, is being written by another run, or holds a line that is no completion. */
struct resume *resume_open(const char *path, struct err *e);
int64_t resume_kept(const struct resume *f);                    /* completions that were there */
bool resume_cut(const struct resume *f);                        /* a half line was dropped */

/* 1 and the record (its place in messages is its line), or 0: it is to be made; -1 and e. */
int resume_find(struct resume *f, const char *id, size_t n, int64_t sample, struct record *r, struct resume_line *at, struct err *e);
int resume_add(struct resume *f, const struct record *r, struct resume_line *at, struct err *e);
void resume_order(struct resume *f, struct resume_line at);

/* Frees. whole: every completion has been put in order; lines that nobody asked for are an error then, and all stays as it is. Not
 * whole (interrupted, failed): the file keeps what it has; returns 0. NULL is fine. */
int resume_close(struct resume *f, bool whole, struct err *e);

#endif
