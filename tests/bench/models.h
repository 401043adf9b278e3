/* models.h - models of random weights, a step of decoding and one of training with them, for benchmarks */
#ifndef BENCH_MODELS_H
#define BENCH_MODELS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "model/optimizer.h"
#include "model/pass.h"
#include "model/sampler.h"

struct shape {
	const char *name;
	int64_t C, L, H, G, D, F, V;
	int64_t train_seqs, train_len;
};

static inline struct config config_of(const struct shape *s, const char *dtype)
{
	struct config c = {.model_type = "qwen2", .hidden_size = s->C, .layers = s->L, .heads = s->H, .kv_heads = s->G, .head_dim = s->D,
			   .intermediate_size = s->F, .vocab_size = s->V, .max_positions = 4096, .rms_norm_eps = 1e-6, .rope_theta = 1e4,
			   .initializer_range = 0.02, .tie_word_embeddings = true, .bos = -1};

	c.json = js_object();
	snprintf(c.dtype, sizeof c.dtype, "%s", dtype);
	return c;
}

/* Weights are pieces of one long row of random numbers: it takes its time to draw billions. */
static inline struct model *random_model(const struct shape *s, struct backend *be, enum model_use use, const char *dtype)
{
	enum { DRAWN = 1 << 22 };
	struct config c = config_of(s, dtype);
	float *drawn = xmalloc(2 * DRAWN * sizeof *drawn);
	struct err e;
	struct model *m = model_new(&c, be, use, DTYPE_AUTO, &e);
	uint32_t x = 1;

	js_free(c.json);
	if (!m) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	for (size_t i = 0; i < 2 * DRAWN; i++) {
		x = x * 1664525 + 1013904223;
		drawn[i] = (float)((int32_t)x * (0.04 / 4294967296.0));
	}
	for (size_t k = 0; k < m->params.parts; k++) {
		const struct part *p = &m->params.part[k];
		const int64_t cols = part_count(p) / p->shape[0], most = DRAWN / cols;

		for (int64_t row = 0, rows; row < p->shape[0]; row += rows) {
			rows = p->shape[0] - row < most ? p->shape[0] - row : most;
			x = x * 1664525 + 1013904223;
			params_put(&m->params, p, row, rows, drawn + x % DRAWN, WEIGHT_F32);
		}
	}
	free(drawn);
	return m;
}

static inline double weights_of(const struct shape *s)                /* that a token is multiplied by */
{
	return (double)(s->L * ((s->H + 2 * s->G) * s->D * s->C + s->H * s->D * s->C + 3 * s->C * s->F) + s->V * s->C);
}

static inline void nothing(void *arg, const struct sampler_done *d)
{
	(void)arg;
	(void)d;
}

/* Seconds for one step of `seqs` sequences that already hold about `past` tokens: of one prompt, whose keys and values they share, or of a prompt each.
 * top_p: of what is drawn. */
static inline double decode(const struct shape *s, struct backend *be, const char *dtype, int64_t seqs, int64_t past, bool shared, double top_p, double *flops,
			    double *bytes)
{
	struct model *m = random_model(s, be, MODEL_SAMPLE, dtype);
	struct sampler_params p = {.temperature = 1, .top_p = top_p, .max_tokens = 1 << 20, .seed = 1};
	struct sampler *sampler = sampler_new(m, &p, seqs, past + 512, nothing, NULL);
	int32_t *prompt = xcalloc((size_t)past, sizeof *prompt);
	double best = INFINITY, weights = weights_of(s);
	struct err e;
	const int64_t prompts = shared ? 1 : seqs;
	int64_t step, steps = s->V > 100000 ? 6 : 40, before;

	for (int64_t k = 0; k < prompts; k++) {
		for (int64_t i = 0; i < past; i++)
			prompt[i] = (int32_t)((i * 7 + k * 11) % s->V);
		sampler_add(sampler, &(struct sampler_prompt){.id = prompt, .n = past, .samples = (int32_t)(seqs / prompts), .stream = (uint64_t)k + 1}, &e);
	}
	do {                                    /* until all of them are there */
		before = sampler_tokens(sampler);
		sampler_step(sampler, NULL);
	} while (sampler_tokens(sampler) < before + seqs);
	for (step = 0; step < 3; step++)
		sampler_step(sampler, NULL);
	past += sampler_tokens(sampler) / seqs;
	for (int round = 0; round < 4; round++) {
		double start = clock_seconds();

		for (step = 0; step < steps; step++)
			sampler_step(sampler, NULL);
		best = fmin(best, (clock_seconds() - start) / (double)steps);
	}
	past += 2 * steps;
	*flops = (double)seqs * (2 * weights + 4.0 * (double)(past * s->L * s->H * s->D));
	*bytes = (strcmp(dtype, "float32") ? 2 : 4) * weights + (model_half_keys(m) ? 2 : 4) * (double)(seqs * past * 2 * s->L * s->G * s->D);
	sampler_free(sampler);
	model_free(m);
	free(prompt);
	return best;
}

/* What a pass over sequences of `len` tokens does, `rows` of them in all */
static inline double train_flops(const struct shape *s, double rows, double len)
{
	return 6 * rows * weights_of(s) + 12.0 / 2 * rows * len * (double)(s->L * s->H * s->D);
}

/* Seconds for forward and backward of all of ex[n], in passes of `tokens`, and AdamW. d: of each token that is predicted. */
static inline double train_on(const struct shape *s, struct backend *be, const char *dtype, const struct example *ex, int64_t n, int64_t tokens, const float *d,
			      int rounds, bool recompute)
{
	struct model *m = random_model(s, be, MODEL_TRAIN, dtype);
	struct optimizer *o = optimizer_new(&m->params, &(struct optimizer_args){.beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1});
	struct tape t = tape_new(be);
	double best = INFINITY;

	t.record = true;
	t.recompute = recompute;
	for (int round = 0; round < rounds; round++) {
		double start = clock_seconds();
		const float *at = d;
		float seen;                     /* of what the step made: now it is done */

		for (int64_t done = 0, take; done < n; done += take) {
			struct pass p;
			int64_t predicted;

			take = pass_take(ex + done, n - done, tokens);
			p = pass_forward(m, &t, ex + done, take, false);
			predicted = p.n;
			pass_backward(&t, &p, at, NULL);
			at += predicted;
		}
		optimizer_step(o, 1e-4);
		be->download(be, &seen, m->norm->data, sizeof seen);
		best = fmin(best, clock_seconds() - start);
	}
	tape_free(&t);
	optimizer_free(o);
	model_free(m);
	return best;
}

/* Seconds for a step on the shape's training batch, in one pass */
static inline double train(const struct shape *s, struct backend *be, const char *dtype, bool recompute, double *flops)
{
	int64_t n = s->train_seqs, len = s->train_len, rows = n * len, i;
	int32_t *id = xmalloc((size_t)(rows + n) * sizeof *id);
	float *d = xmalloc((size_t)rows * sizeof *d);
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	double best;

	for (i = 0; i < rows + n; i++)
		id[i] = (int32_t)(i * 7919 % s->V);
	for (i = 0; i < n; i++)
		ex[i] = (struct example){id + i * (len + 1), len + 1, 1, 1};
	for (i = 0; i < rows; i++)
		d[i] = -1.0f / (float)rows;
	best = train_on(s, be, dtype, ex, n, rows + n, d, rows > 1000 ? 8 : 4, recompute);
	*flops = train_flops(s, (double)rows, (double)len);
	free(id);
	free(d);
	free(ex);
	return best;
}

/* A step of GRPO: groups of completions for `questions` questions, then the new weights from all of them in passes of the shape's training batch */
struct grpo {
	int64_t questions, group, prompt, completion;   /* tokens of each */
	int32_t *id;                    /* [questions * group][prompt + completion] */
	int64_t done;
};
static inline void grpo_done(void *arg, const struct sampler_done *d)
{
	struct grpo *g = arg;

	memcpy(g->id + (g->done++ * (g->prompt + g->completion) + g->prompt), d->id, (size_t)d->n * sizeof *d->id);
}

static inline double grpo_sample(const struct shape *s, struct backend *be, const char *dtype, struct grpo *g)
{
	struct model *m = random_model(s, be, MODEL_SAMPLE, dtype);
	const int64_t n = g->questions * g->group, len = g->prompt + g->completion;
	struct sampler_params p = {.temperature = 1, .top_p = 1, .max_tokens = g->completion, .seed = 1};
	struct sampler *sampler = sampler_new(m, &p, n, len, grpo_done, g);
	double start = clock_seconds();
	struct err e;

	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k < g->prompt; k++)
			g->id[i * len + k] = (int32_t)((i / g->group * 31 + k * 7) % s->V);
	for (int64_t q = 0; q < g->questions; q++)
		sampler_add(sampler, &(struct sampler_prompt){.id = g->id + q * g->group * len, .n = g->prompt, .samples = (int32_t)g->group, .stream = (uint64_t)q}, &e);
	while (sampler_busy(sampler))
		sampler_step(sampler, NULL);
	start = clock_seconds() - start;
	sampler_free(sampler);
	model_free(m);
	return start;
}

static inline double grpo_update(const struct shape *s, struct backend *be, const char *dtype, bool recompute, const struct grpo *g)
{
	const int64_t n = g->questions * g->group, len = g->prompt + g->completion;
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	float *d = xmalloc((size_t)(n * g->completion) * sizeof *d);
	double best;

	for (int64_t i = 0; i < n; i++)
		ex[i] = (struct example){g->id + i * len, len, g->prompt, 1};
	for (int64_t i = 0; i < n * g->completion; i++)
		d[i] = (i / g->completion % 2 ? 1.0f : -1.0f) / (float)(n * g->completion);
	best = train_on(s, be, dtype, ex, n, s->train_seqs * s->train_len, d, 3, recompute);
	free(ex);
	free(d);
	return best;
}

#endif
