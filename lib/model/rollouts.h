/* rollouts.h - completions out of records: token ids that are what the text says
 *
 *     struct completion c;
 *     if (completion_read(&r, template, tokenizer, &config, &c, &e) < 0) ...
 *     c.token[0 .. c.n-1], of which c.token[c.first ..] were written by the model
 *
 * The text is the truth for a person, the ids for the machine. Where `completion_ids` no longer decode to `completion`, somebody has edited
 * the text: it is encoded anew, and the sampler's logprobs are given up. The same goes for `prompt` and `prompt_ids`. Where ids are
 * missing, or of another model's vocabulary, the text is encoded; where the text is missing the ids stand.
 */
#ifndef MODEL_ROLLOUTS_H
#define MODEL_ROLLOUTS_H

#include "model/checkpoint.h"
#include "record/record.h"
#include "text/template.h"
#include "text/tokenizer.h"

struct completion {
	int32_t *token;                 /* [n], freed by the caller */
	int64_t n, first;
	const float *logprob;           /* [n - first], the record's own; NULL: none, or given up */
	bool edited;                    /* encoded anew because text and ids differ */
};

/* A completion that is encoded here gets an end token behind it unless its finish_reason is "length": that of its ids, if there were any, else
 * completion_end's. A record without a prompt has its `problem` or `messages` put through the template; NULL: it is bad. */
int completion_read(struct record *r, const struct template *tp, struct tokenizer *t, const struct config *c, struct completion *to, struct err *e);
/* Of the model's end tokens the one with which the template (may be NULL) ends an answer, or the first; -1: it has none. */
int32_t completion_end(const struct config *c, const struct tokenizer *t, const struct template *tp);
/* The text of its prompt: `prompt`, or its `problem`, or its `messages`, in the template. Appended; -1 and e where it has none. */
int completion_prompt(struct record *r, const struct template *tp, struct buf *to, struct err *e);

/* Counts what was encoded anew, and tells the first few. */
void completion_tell_edited(const struct record *r, const struct completion *c, int64_t *edited);
/* Tells, the first time, that this record has more tokens than the model has positions: it is learned or scored all the same. */
void completion_tell_long(const struct record *r, const struct config *c, int64_t n, bool *told);

/* The text of a completion's ids: an end token at its end is left out. */
void completion_text(struct tokenizer *t, const struct config *c, const int32_t *id, int64_t n, struct buf *to);

/* The tokenizer.json of a checkpoint; NULL and e if there is none or it is bad. */
struct tokenizer *completion_tokenizer(struct checkpoint *ck, struct err *e);

/* The template of that name or file; "auto": the checkpoint's own chat template, or `mini` where it has none. NULL and e if it is unknown. */
struct template *completion_template(const struct checkpoint *ck, const char *name, struct err *e);

/* Tells of special tokens that a template named by --template has for another model: to this one they are plain text. -1 and e: it fails. */
int completion_tell_foreign(const struct template *t, const char *name, const char *system, const struct tokenizer *tokenizer, const char *model,
			    struct err *e);

/* -1 and e where one of them is not in the model's vocabulary: tokenizers may know more */
int config_check_ids(const struct config *c, const int32_t *id, size_t n, struct err *e);

#endif
