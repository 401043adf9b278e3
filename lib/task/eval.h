/* eval.h - from scored completions to the figures that papers print
 *
 *     struct eval *v = eval_open(&options, &e);
 *     struct eval_row *row = eval_row(v, "base.jsonl", NULL, NULL);    // found or made
 *     if (eval_look(v, &record, &sample, &e) < 0) ...                  // what counts of a completion, measured once
 *     eval_add(row, sample);
 *     eval_finish(v);                                                 // k of cons@k, where it was left open; sorts
 *     eval_record(v, row, &out);                                      // a row as a record
 *     eval_table(v, &text);                                           // all rows for a person
 *     eval_close(v);
 *
 * pass@1 is the mean over problems of the share of right samples; pass@k its unbiased estimate (stat.h); cons@k is 1 where the answer
 * that most of a problem's first k samples gave (by `sample`) is right, the answer seen first winning ties; completions without an
 * answer have no vote. Problems with fewer than k samples are left out of a metric at k, completions whose reward is null out of all.
 * Nothing depends on the order of the lines.
 */
#ifndef TASK_EVAL_H
#define TASK_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/record.h"
#include "task/format.h"

struct eval_options {
	const char *pass, *cons;        /* "1,8": the k; cons NULL: as many samples as every problem has, if more than one */
	const char *correct;            /* the reward that says what is right */
	double right;                   /* from this value on it is */
	const char *unit;               /* "tokens", "words", "characters"; "auto": tokens if the first record has ids, else words */
	const char *reflect;            /* words, comma separated */
	enum format format;
	bool wilson;                    /* pass@1's interval (95 %) by Wilson over all samples, else by bootstrap over problems */
	int64_t resamples;
	uint64_t seed;
};

struct eval;
struct eval_row;

struct eval *eval_open(const struct eval_options *o, struct err *e);   /* o's strings must outlive it */
void eval_close(struct eval *v);

/* The row of one file (NULL for every row: there is but one) and, if field is not NULL, of its records with that value there
 * (JSON text). Made if it is new. */
struct eval_row *eval_row(struct eval *v, const char *file, const char *field, const char *value);

struct eval_sample;
int eval_look(struct eval *v, struct record *r, const struct eval_sample **s, struct err *e);  /* *s: v's own, as long as v */
void eval_add(struct eval_row *row, const struct eval_sample *s);

void eval_finish(struct eval *v);
size_t eval_rows(const struct eval *v);
struct eval_row *eval_row_at(const struct eval *v, size_t i);           /* by file as first seen, all of it first, then by field and value */
void eval_record(const struct eval *v, const struct eval_row *row, struct record *out);
bool eval_writes(const char *name);                                     /* is it a field of such a record, whatever `field` is? */
void eval_table(const struct eval *v, struct buf *to);

const char *eval_row_file(const struct eval_row *row);                  /* "stdin" where it has none */

/* Problems of the row with fewer than k samples. */
size_t eval_short(const struct eval_row *row, int64_t k);
int64_t eval_largest_k(const struct eval *v);

#endif
