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

static inline struct model *random_model(const struct shape *s, struct backend *be, enum model_use use, const char *dtype)
{
	struct config c = {.model_type = "qwen2", .hidden_size = s->C, .layers = s->L, .heads = s->H, .kv_heads = s->G, .head_dim = s->D,
			   .intermediate_size = s->F, .vocab_size = s->V, .max_positions = 4096, .rms_norm_eps = 1e-6, .rope_theta = 1e4,
			   .initializer_range = 0.02, .tie_word_embeddings = true, .bos = -1};
	struct err e;
	struct model *m;
	uint32_t x = 1;

	c.json = js_object();
	snprintf(c.dtype, sizeof c.dtype, "%s", dtype);
	m = model_new(&c, be, use, DTYPE_AUTO, &e);
	js_free(c.json);
	if (!m) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	for (size_t k = 0; k < m->params.parts; k++) {
		const struct part *p = &m->params.part[k];
		int64_t n = part_count(p);
		float *w = xmalloc((size_t)n * sizeof *w);

		for (int64_t i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			w[i] = (float)((int32_t)x * (0.04 / 4294967296.0));
		}
		params_put(&m->params, p, 0, p->shape[0], w, WEIGHT_F32);
		free(w);
	}
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

/* Seconds for one step of `seqs` sequences that already hold about `past` tokens. */
static inline double decode(const struct shape *s, struct backend *be, const char *dtype, int64_t seqs, int64_t past, double *flops, double *bytes)
{
	struct model *m = random_model(s, be, MODEL_SAMPLE, dtype);
	struct sampler_params p = {.temperature = 1, .top_p = 1, .max_tokens = 1 << 20, .seed = 1};
	struct sampler *sampler = sampler_new(m, &p, seqs, past + 512, nothing, NULL);
	int32_t *prompt = xcalloc((size_t)past, sizeof *prompt);
	double best = INFINITY, weights = weights_of(s);
	struct err e;
	int64_t step, steps = s->V > 100000 ? 6 : 40;

	for (int64_t i = 0; i < past; i++)
		prompt[i] = (int32_t)(i * 7 % s->V);
	sampler_add(sampler, &(struct sampler_prompt){.id = prompt, .n = past, .samples = (int32_t)seqs, .stream = 1}, &e);
	for (step = 0; step < 3; step++)
		sampler_step(sampler);
	for (int round = 0; round < 4; round++) {
		double start = clock_seconds();

		for (step = 0; step < steps; step++)
			sampler_step(sampler);
		best = fmin(best, (clock_seconds() - start) / (double)steps);
	}
	past += 2 * steps;
	*flops = (double)seqs * (2 * weights + 4.0 * (double)(past * s->L * s->H * s->D));
	*bytes = (strcmp(dtype, "float32") ? 2 : 4) * weights + 4 * (double)(seqs * past * 2 * s->L * s->G * s->D);
	sampler_free(sampler);
	model_free(m);
	free(prompt);
	return best;
}

/* Seconds for forward, backward and AdamW of the shape's training batch. */
static inline double train(const struct shape *s, struct backend *be, const char *dtype, double *flops)
{
	struct model *m = random_model(s, be, MODEL_TRAIN, dtype);
	struct optimizer *o = optimizer_new(&m->params, &(struct optimizer_args){.beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1});
	struct tape t = tape_new(be);
	int64_t n = s->train_seqs, len = s->train_len, rows = n * len, i;
	int32_t *id = xmalloc((size_t)(rows + n) * sizeof *id);
	float *d = xmalloc((size_t)rows * sizeof *d);
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	double best = INFINITY;

	for (i = 0; i < rows + n; i++)
		id[i] = (int32_t)(i * 7919 % s->V);
	for (i = 0; i < n; i++)
		ex[i] = (struct example){id + i * (len + 1), len + 1, 1, 1};
	for (i = 0; i < rows; i++)
		d[i] = -1.0f / (float)rows;
	t.record = true;
	for (int round = 0; round < (rows > 1000 ? 8 : 4); round++) {
		double start = clock_seconds();
		struct pass p = pass_forward(m, &t, ex, n, false);

		pass_backward(&t, &p, d, NULL);
		optimizer_step(o, 1e-4);
		best = fmin(best, clock_seconds() - start);
	}
	*flops = 6 * (double)rows * weights_of(s) + 12.0 / 2 * (double)(rows * len * s->L * s->H * s->D);
	tape_free(&t);
	optimizer_free(o);
	model_free(m);
	free(id);
	free(d);
	free(ex);
	return best;
}

#endif
