/* scorer.h - models with a scalar head: what they read of a record (what they learn is in objective.h)
 *
 *     struct scorer_reader x = {.tokenizer = t, .template = tp, .config = &c, .on = SCORER_SUMMARY};
 *     if (scorer_read(&x, &record, "completion", &ids, &e) < 0) ...           // prompt, summary, end token
 *     score_all(model, &tape, &(struct example){ids.id, ids.n, ids.n - 1}, 1, 16384, &score);
 */
#ifndef TASK_SCORER_H
#define TASK_SCORER_H

#include "model/rollouts.h"

enum scorer_on { SCORER_RESPONSE, SCORER_SUMMARY };     /* all of a completion, or what comes behind its reasoning */

struct scorer_reader {
	struct tokenizer *tokenizer;
	struct template *template;
	const struct config *config;
	enum scorer_on on;
};

/* The record's `prompt`, or its `problem` or `messages` in the template; then the text of that field, or its summary; then the token that ends
 * texts. A <think> at the end of the prompt goes where the summary alone is read. ids: the caller's, whatever is returned. */
int scorer_read(const struct scorer_reader *x, struct record *r, const char *field, struct tokens *ids, struct err *e);

#endif
