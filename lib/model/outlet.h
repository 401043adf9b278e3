/* outlet.h - completions on their way out: made in any order, written in the order of the problems, or added to a file to go on with
 *
 *     struct outlet_params p = {.model = "run/policy", .step = 3, .how = &how, .samples = 4, .group = 4};
 *     struct outlet *o = outlet_open(&p, &e);
 *
 *     struct problem *q = outlet_add(o, &r, &e);              // takes the record: 'id' and the prompt's fields are set in it
 *     for (k = 0; k < p.samples; k++)
 *             if (outlet_due(q, k)) ...                       // else it is in the file of --resume already
 *     outlet_write(o, &e);                                    // what is ready, as far as all before is; frees problems that are done
 *     ...
 *     outlet_put(o, q, k, &made, &e);                         // then outlet_write
 *     outlet_close(o, true, &e);
 *
 * With `resume` a completion goes to the file as soon as it is made (see record/resume.h). What is found there must be what would be
 * written now, apart from what the model wrote: the record is made anew with that, and the same bytes must come of it.
 */
#ifndef MODEL_OUTLET_H
#define MODEL_OUTLET_H

#include "model/completer.h"
#include "record/record.h"

struct outlet_params {
	const char *output, *resume;    /* one of them or none: stdout */
	const char *model;              /* provenance, as records have it */
	int64_t step;                   /* -1: none */
	const struct completer_params *how;      /* how completions are sampled, borrowed; what is 0 or none of top_k, min_p and stop is not in records */
	int64_t context;                /* longest prompt and completion; 0: not known */
	int64_t first, samples, group;  /* completions first .. first+samples-1 of each problem, of a group of so many */
	bool pass_failed;               /* what is behind a completion that failed is written all the same */
	/* Where ids are always there: the text that they stand for. NULL: ids and logprobs are where they were given, the text is the truth. */
	void (*text)(void *arg, const int32_t *id, size_t n, struct buf *to);
	void *arg;
};

struct outlet;
struct problem;

struct outlet *outlet_open(const struct outlet_params *p, struct err *e);
/* whole: all completions are there. Not whole: what was written stays (a file of `output` does not appear); 0 unless stdout fails. */
int outlet_close(struct outlet *o, bool whole, struct err *e);
bool outlet_appears(const struct outlet *o);                    /* `output` is a file that is there when all of it is */

/* NULL and e if the file holds something else of this problem; r is kept then. The problem lives until all its completions are written. */
struct problem *outlet_add(struct outlet *o, struct record *r, struct err *e);
bool outlet_due(const struct problem *q, int64_t k);            /* sample first + k is to be made */
void outlet_set_step(struct outlet *o, int64_t step);           /* of the model from now on: when all that was added is written */
struct record *outlet_record(struct problem *q);                /* for messages */
int outlet_put(struct outlet *o, struct problem *q, int64_t k, const struct made *m, struct err *e);
void outlet_fail(struct problem *q, int64_t k);                 /* it will not come */
int outlet_write(struct outlet *o, struct err *e);

#endif
