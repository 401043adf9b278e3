/* batch.h - the scored completions of one step of r1-update: what is learned from, and what is counted of it
 *
 *     struct batch b = {.tokenizer = t, .config = &c};
 *     while (reader_next(in, &r, &e) > 0)
 *             if (batch_add(&b, &r, &e) < 0) ...              // the record is bad; nothing of it was taken
 *     rollout_sort(b.rollout, b.n);
 *     ... the step ...
 *     batch_metrics(&b, &metrics);
 *     batch_free(&b);
 *
 * Completions that are left out (mask_truncated) are in the metrics, not among the rollouts. Metrics do not depend on the order of the records.
 */
#ifndef TASK_BATCH_H
#define TASK_BATCH_H

#include "base/map.h"
#include "model/policy.h"
#include "model/rollouts.h"

struct values {                         /* of one reward */
	const char *name;               /* the key of `part`, or NULL for the weighted sum */
	double *x;
	size_t n, cap;
};

struct batch {                          /* all zero but for these is an empty one */
	struct tokenizer *tokenizer;    /* the policy's, borrowed, as is config */
	const struct config *config;
	bool mask_truncated;            /* completions whose finish_reason is length are left out */

	struct rollout *rollout;        /* [n] */
	size_t n, cap;
	int64_t tokens, longest;        /* of the rollouts, prompts included: all, and of one */
	int64_t masked, edited;         /* completions left out; encoded anew */
	bool told_long;                 /* that one is longer than the model has positions */
	int64_t seen;                   /* tokens of all completions with their prompts, those left out included, as are ... */
	struct { int64_t tokens, longest, shortest, ended, ended_tokens; } made;        /* ... those of completions alone */
	struct values reward;
	struct map group;               /* id -> index + 1 into range */
	struct range { double lowest, highest; } *range;
	size_t range_cap;
	struct map part;                /* name of a reward -> index + 1 into parts */
	struct values *parts;
	size_t parts_cap;
	struct map came;                /* id and step -> completions of this group that batch_count_group has seen */
	int64_t open, whole;            /* groups that more is to come of, and those that are whole */
};

int batch_add(struct batch *b, struct record *r, struct err *e);
/* Before batch_add, by who must know when groups are whole: as many as the record's `group` says. -1: it has none, or one too many came. */
int batch_count_group(struct batch *b, struct record *r, struct err *e);
/* Sets reward, reward_std, ..., completions/mean_length and so on (r1-update(1), METRICS). Asks for a completion at least. */
void batch_metrics(struct batch *b, struct record *r);
void batch_free(struct batch *b);

#endif
