/* sampler.h - many completions at once: continuous batching over a paged cache, the prompt computed once for its group
 *
 *     struct sampler *s = sampler_new(m, &params, 64, 4096, on_done, arg);
 *     while (more || sampler_busy(s)) {
 *             while (more && sampler_wants(s))
 *                     more = next_prompt(&p) && sampler_add(s, &p, &e) == 0;
 *             if (sampler_step(s, &e) < 0) ...        // one token for every running completion; calls on_done for the finished
 *     }
 *     sampler_free(s);
 *
 * A completion is a function of (model, prompt, params, seed, stream, sample) alone: the number of slots, what else runs and in which
 * order changes no bit of its tokens and logprobs (backend.h says why, rng.h keys the draws).
 *
 * How it works: a slot is one running completion; when it ends, its slot and pages go to the next. All of a prompt but its last token is
 * computed once, into pages that its completions share; each completion then starts by feeding the prompt's last token on top of its
 * own copy of the last, partly filled page. Prompts are computed in the same passes that decode, a bounded number of tokens at a time.
 * A prompt that begins as the one computed last did (a template, examples) begins with that one's full pages.
 */
#ifndef MODEL_SAMPLER_H
#define MODEL_SAMPLER_H

#include "model/model.h"

struct sampler_params {
	double temperature;             /* 0: greedy */
	double top_p, min_p;
	int64_t top_k;
	int64_t max_tokens;             /* longest completion */
	uint64_t seed;
	const int32_t *stop;            /* token ids that end a completion (and are its last token) */
	int64_t stops;
	/* Asked after each token if not NULL, with what there is of the completion: true ends it (stop strings). */
	bool (*stopped)(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n);
	void *arg;
};

struct sampler_prompt {
	const int32_t *id;              /* [n], copied; n >= 1 */
	int64_t n;
	uint64_t stream;                /* keys the draws: hash_str(id of the problem) */
	int32_t first, samples;         /* completions first .. first+samples-1 */
	void *user;
};

struct sampler_done {
	void *user;
	int32_t sample;
	const int32_t *id;              /* [n], valid during the call */
	const float *logprob;           /* [n] nats */
	int64_t n;
	bool stopped;                   /* by a stop token or string; else by length */
};

struct sampler;

/* slots: completions at once. context: longest prompt + completion in tokens; the cache has room for slots + 1 of them, and slots pages. */
struct sampler *sampler_new(struct model *m, const struct sampler_params *p, int64_t slots, int64_t context,
			    void (*done)(void *arg, const struct sampler_done *), void *arg);
void sampler_free(struct sampler *s);
/* Bytes of backend memory that such a sampler takes: cache and the longest pass */
int64_t sampler_measure(const struct model *m, int64_t slots, int64_t context);

int sampler_add(struct sampler *s, const struct sampler_prompt *p, struct err *e);    /* -1: longer than the context, or no tokens */
int sampler_check(const struct sampler *s, int64_t n, struct err *e);    /* would a prompt of n tokens be taken? */
bool sampler_wants(const struct sampler *s);    /* another prompt could start soon */
bool sampler_busy(const struct sampler *s);
int sampler_step(struct sampler *s, struct err *e);    /* -1: the logits are not finite; only sampler_free is left then */
int64_t sampler_tokens(const struct sampler *s);        /* tokens sampled so far */
int64_t sampler_reused(const struct sampler *s);        /* tokens of prompts that were not computed again */

#endif
