/* lessons.h - what r1-distill learns from: examples out of records, and the passes over them
 *
 *     struct lesson_reader how = {.objective = OBJECTIVE_SFT, .config = &c, .tokenizer = t, .template = tp, .max_tokens = 4096};
 *     struct lessons l = {.how = &how};
 *     while (reader_next(in, &r, &e) > 0)
 *             if (lessons_add(&l, &r, &e) < 0) ...            // the record is bad; nothing of it was taken
 *     lessons_pass(&l, model, &tape, replicas, order, 64, 16384, &sums);      // 64 of the examples 0 .. lessons_count(&l) - 1
 *     lessons_free(&l);
 *
 * An example is a text or a pair of them, as tokens: `completion` behind its `prompt` (or `problem`), a turn of the assistant in `messages`
 * behind all that was said before, a `text`; for what a scalar model learns, see objective.h. One record may be several examples.
 */
#ifndef TASK_LESSONS_H
#define TASK_LESSONS_H

#include "model/replicas.h"
#include "task/objective.h"
#include "task/scorer.h"

struct lesson_reader {                  /* borrowed by lessons while records are added */
	enum objective objective;
	const struct config *config;
	struct tokenizer *tokenizer;
	struct template *template;
	int64_t max_tokens;             /* longer examples are cut; those that are to be scored are errors */
	bool train_prompt;              /* sft: the prompt's tokens are learned, too */
	enum scorer_on on;              /* pairwise, pointwise: what is read of a completion */
	const char *label;              /* the field of pointwise's label, or of value's reward where there are no `returns` */
};

struct lessons {                        /* all zero but `how`: none */
	const struct lesson_reader *how;
	int32_t *token;                 /* [tokens] of all examples, one behind the other */
	size_t tokens, token_cap;
	struct span { size_t at; int32_t n, first; size_t target; } *span;      /* [n] pairwise: chosen, rejected, chosen, ... */
	size_t n, cap;
	float *target;                  /* [targets] of a scalar model's scores, from a span's `target` on */
	size_t targets, target_cap;
	int64_t longest;                /* tokens */
	int64_t cut, empty, edited;     /* cut to max_tokens; left out, with nothing to learn; encoded anew */
	int64_t unended;                /* answers without the </think> that ends what their prompts open */
	bool told_long;                 /* that one is longer than the model has positions */
};

/* -1 and e: the record is bad. */
int lessons_add(struct lessons *l, struct record *r, struct err *e);
int64_t lessons_count(const struct lessons *l);         /* examples */
uint64_t lessons_hash(const struct lessons *l);         /* of all that there is to learn, in its order */
/* Forward through examples order[0 .. n-1] by the replicas, each its part of them, and, if the tape records, back: sums, which are added to, and
 * gradients (of the mean over these examples) are those of all. Returns their tokens. */
int64_t lessons_pass(const struct lessons *l, struct model *m, struct tape *t, struct replicas *r, const size_t *order, int64_t n, int64_t tokens,
		     struct objective_sums *sums);
void lessons_free(struct lessons *l);

#endif
