/* Tiny models of every family against what transformers computes (tests/pytorch/make-fixture.py): logits in float32 and bfloat16, logprobs,
 * entropies, loss, the gradient of every parameter, greedy decoding; with PEFT's adapter on one, too; packed into one pass, in passes of their
 * own, and by the decoding cache. */
#include "backend_util.h"

#include "model/merge.h"
#include "model/pass.h"
#include "model/sampler.h"
#include "record/json.h"

struct fixture {
	struct checkpoint *ck;
	struct safetensors *expected;
	struct model *m;
	struct example ex[8];
	float *weight[8];
	int64_t count, predicted, rows;
};

static struct fixture open_fixture(const char *name, struct backend *be, enum model_use use)
{
	struct fixture f = {0};
	struct err e;
	char path[256];
	struct js *j;
	const struct js *s;
	size_t i, k;

	snprintf(path, sizeof path, "tests/pytorch/%s", name);
	f.ck = checkpoint_open(path, &e);
	if (!f.ck)
		TEST_FAIL("%s", e.msg);
	f.m = model_from_checkpoint(f.ck, be, use, DTYPE_AUTO, &e);
	if (!f.m)
		TEST_FAIL("%s", e.msg);
	snprintf(path, sizeof path, "tests/pytorch/%s/expected.safetensors", name);
	f.expected = safetensors_open(path, &e);
	snprintf(path, sizeof path, "tests/pytorch/%s/sequences.json", name);
	j = js_read(path, &e);
	if (!f.expected || !j)
		TEST_FAIL("%s", e.msg);
	s = js_get(j, "sequences");
	for (i = 0; i < js_size(s); i++) {
		const struct js *ids = js_get(js_at(s, i), "ids"), *w = js_get(js_at(s, i), "weights");
		int32_t *id = xmalloc(js_size(ids) * sizeof *id);

		f.weight[i] = xmalloc(js_size(w) * sizeof(float));
		for (k = 0; k < js_size(ids); k++)
			id[k] = (int32_t)js_int(js_at(ids, k));
		for (k = 0; k < js_size(w); k++)
			f.weight[i][k] = (float)js_number(js_at(w, k));
		f.ex[i] = (struct example){id, (int64_t)js_size(ids), js_int(js_get(js_at(s, i), "first")),
					   js_number(js_get(j, "inv_temperature"))};
		f.predicted += (int64_t)js_size(w);
		f.rows += (int64_t)js_size(ids) - 1;
		f.count++;
	}
	js_free(j);
	return f;
}

static void close_fixture(struct fixture *f)
{
	int64_t i;

	for (i = 0; i < f->count; i++) {
		free((void *)f->ex[i].id);
		free(f->weight[i]);
	}
	model_free(f->m);
	safetensors_close(f->expected);
	checkpoint_close(f->ck);
}

/* The largest difference over the largest magnitude. */
static double error_of(const struct fixture *f, const char *name, const float *got, int64_t n)
{
	const struct st_tensor *t = safetensors_find(f->expected, name);
	float *want = xmalloc((size_t)n * sizeof *want);
	double worst = 0, size = 0;
	struct err e;
	int64_t i;

	if (!t || t->count != n || safetensors_floats(f->expected, t, 0, n, want, &e) < 0)
		TEST_FAIL("no %s of %lld numbers", name, (long long)n);
	for (i = 0; i < n; i++) {
		worst = fmax(worst, fabs((double)got[i] - want[i]));
		size = fmax(size, fabs(want[i]));
		if (isnan(got[i]))
			worst = INFINITY;
	}
	free(want);
	return worst == 0 ? 0 : worst / size;   /* experts that no token comes to have a gradient of 0 */
}

/* Forward and backward in passes of at most `tokens`. */
static void train(const char *name, struct backend *be, int64_t tokens)
{
	struct fixture f = open_fixture(name, be, MODEL_TRAIN);
	struct tape t = tape_new(be);
	float *logprob = xmalloc((size_t)f.predicted * sizeof *logprob), *entropy = xmalloc((size_t)f.predicted * sizeof *entropy);
	float dlogprob[128], dentropy[128], *grad;
	int64_t i, j, k, take, at = 0;
	double loss = 0;
	struct params *trained;
	size_t p;

	t.record = true;
	trained = model_trained(f.m);
	params_need_grad(trained);
	for (i = 0; i < f.count; i += take) {
		struct pass pass;

		take = pass_take(f.ex + i, f.count - i, tokens);
		pass = pass_forward(f.m, &t, f.ex + i, take, true);
		for (j = i, k = 0; j < i + take; j++) {
			int64_t n = f.ex[j].n - f.ex[j].first, q;

			for (q = 0; q < n; q++, k++) {
				float w = f.weight[j][q];

				loss -= w * (pass.logprob[k] + 0.3 * pass.entropy[k]);
				dlogprob[k] = -w;
				dentropy[k] = -0.3f * w;
			}
		}
		CHECK_INT(pass.n, k);
		memcpy(logprob + at, pass.logprob, (size_t)k * sizeof *logprob);
		memcpy(entropy + at, pass.entropy, (size_t)k * sizeof *entropy);
		at += k;
		pass_backward(&t, &pass, dlogprob, dentropy);
	}
	CHECK(error_of(&f, "logprob", logprob, f.predicted) < 1e-5);
	CHECK(error_of(&f, "entropy", entropy, f.predicted) < 1e-5);
	CHECK(error_of(&f, "loss", &(float){(float)loss}, 1) < 1e-5);
	for (p = 0; p < trained->parts; p++) {
		const struct part *part = &trained->part[p];
		int64_t n = part->shape[0] * (part->ndim == 2 ? part->shape[1] : 1);
		char gname[128];
		double error;

		if (part->fixed)
			continue;
		grad = xmalloc((size_t)n * sizeof *grad);
		be->download(be, grad, trained->grad + part->offset, (size_t)n * sizeof *grad);
		snprintf(gname, sizeof gname, "grad.%s", part->name);
		error = error_of(&f, gname, grad, n);
		if (!(error < 1e-4))
			TEST_FAIL("%s: %s is off by %g", name, gname, error);
		free(grad);
	}
	tape_free(&t);
	free(logprob);
	free(entropy);
	close_fixture(&f);
}

/* All logits, and the same bits when the tokens go through the cache one by one and in pieces. */
static void decode(const char *name, struct backend *be)
{
	struct fixture f = open_fixture(name, be, MODEL_SAMPLE);
	struct tape t = tape_new(be);
	const struct config *c = &f.m->config;
	int64_t V = c->vocab_size, i, j, row = 0, step;
	float *logits = xmalloc((size_t)(f.rows * V) * sizeof *logits), *again = xmalloc((size_t)V * sizeof *again);
	int32_t pages[8] = {5, 2, 7, 0, 1, 3, 4, 6}, position[64];
	size_t bytes = (size_t)(c->layers * 8 * f.m->k_width * KV_PAGE) * sizeof(float);
	struct kv_cache cache = {c->layers, 8, f.m->k_width, f.m->v_width, model_half_keys(f.m), be->alloc(be, bytes), be->alloc(be, bytes)};

	be->zero(be, cache.k, bytes);
	be->zero(be, cache.v, bytes);
	model_reserve_positions(f.m, 64);
	for (i = 0; i < 64; i++)
		position[i] = (int32_t)i;
	for (i = 0; i < f.count; i++) {
		int64_t n = f.ex[i].n - 1;
		struct seq whole = {.n = (int32_t)n};
		struct tensor *h = model_hidden(f.m, &t, tape_upload(&t, f.ex[i].id, n), tape_upload(&t, position, n), n,
						&(struct sequences){&whole, 1, NULL}, NULL, n);

		h = op_linear(&t, h, f.m->head, NULL);
		be->download(be, logits + row * V, h->data, (size_t)(n * V) * sizeof *logits);
		tape_reset(&t);
		for (step = 1; step <= 3; step += 2)
			for (j = 0; j < n; j += step) {
				int64_t k = n - j < step ? n - j : step;
				struct seq part = {.n = (int32_t)k, .past = (int32_t)j, .page = pages};

				h = model_hidden(f.m, &t, tape_upload(&t, f.ex[i].id + j, k), tape_upload(&t, position + j, k), k,
						 &(struct sequences){&part, 1, &cache}, NULL, k);
				h = op_linear(&t, h, f.m->head, NULL);
				be->download(be, again, tensor_at(h, h->data, (k - 1) * V), (size_t)V * sizeof *again);
				tape_reset(&t);
				CHECK_SAME(again, logits + (row + j + k - 1) * V, V);
			}
		row += n;
	}
	CHECK(error_of(&f, "logits", logits, f.rows * V) < 1e-5);     /* of some 5 */
	be->free(be, cache.k);
	be->free(be, cache.v);
	tape_free(&t);
	free(logits);
	free(again);
	close_fixture(&f);
}

/* With weights of bfloat16: what transformers gets from the same numbers in float32 (if they are computed with in float32), and, as far as
 * that goes, in bfloat16. */
static void rounded(const char *name, struct backend *be)
{
	struct fixture f = open_fixture(name, be, MODEL_SCORE);
	struct model *m;
	struct tape t = tape_new(be);
	int64_t n = f.ex[1].n - 1, V = f.m->config.vocab_size, i;
	const struct st_tensor *whole = safetensors_find(f.expected, "logits.rounded"), *half = safetensors_find(f.expected, "logits.bfloat16");
	float *got = xmalloc((size_t)(n * V) * sizeof *got), *want = xmalloc((size_t)(n * V) * sizeof *want);
	const float by = be->rounds ? 8 : 1;
	int32_t position[64];
	struct seq seq = {.n = (int32_t)n};
	struct tensor *h;
	struct err e;

	for (i = 0; i < n; i++)
		position[i] = (int32_t)i;
	m = model_from_checkpoint(f.ck, be, MODEL_SAMPLE, DTYPE_BFLOAT16, &e);
	CHECK(m && whole && half && whole->count == n * V && half->count == n * V && n <= 64);
	model_reserve_positions(m, n);
	h = model_hidden(m, &t, tape_upload(&t, f.ex[1].id, n), tape_upload(&t, position, n), n, &(struct sequences){&seq, 1, NULL}, NULL, n);
	h = op_linear(&t, h, m->head, NULL);
	be->download(be, got, h->data, (size_t)(n * V) * sizeof *got);
	CHECK(safetensors_floats(f.expected, whole, 0, n * V, want, &e) == 0);
	for (i = 0; i < n * V; i++)             /* of some 5 */
		CHECK_NEAR(got[i] / by, want[i] / by, be->rounds ? 2e-2 : 1e-4);
	CHECK(safetensors_floats(f.expected, half, 0, n * V, want, &e) == 0);
	for (i = 0; i < n * V; i++)
		CHECK_NEAR(got[i] / 8, want[i], be->rounds ? 4e-2 : 2e-2);
	tape_free(&t);
	free(got);
	free(want);
	model_free(m);
	close_fixture(&f);
}

struct drawn {
	int64_t n;
	int32_t id[12];
	float logprob[12];
};

static void keep_drawn(void *arg, const struct sampler_done *done)
{
	struct drawn *d = arg;

	d->n = done->n;
	memcpy(d->id, done->id, (size_t)d->n * sizeof *d->id);
	memcpy(d->logprob, done->logprob, (size_t)d->n * sizeof *d->logprob);
}

/* sqrt(sum (a - b)^2 / sum b^2) */
static double distance(const float *a, const float *b, int64_t n)
{
	double off = 0, size = 0;
	int64_t i;

	for (i = 0; i < n; i++) {
		off += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
		size += (double)b[i] * (double)b[i];
	}
	return sqrt(off / size);
}

/* By cpu-bf16 what is sampled token by token has a trainer's logprobs to the bit, and gradients are near those of float32. */
static void alike(const char *name, struct backend *be)
{
	struct fixture f = open_fixture(name, be, MODEL_SCORE);
	struct backend *both[] = {be, backend_cpu_new(1)};
	struct config c = config_copy(&f.ck->config);
	struct sampler_params p = {.temperature = 1, .top_p = 1, .max_tokens = 12, .seed = 3};
	struct drawn got = {0};
	struct model *m[2];
	float d[12];
	int32_t ids[17];
	double off;
	struct err e;
	int k;

	strcpy(c.dtype, "bfloat16");
	memcpy(ids, f.ex[1].id, 5 * sizeof *ids);
	for (k = 0; k < 12; k++)
		d[k] = -1;
	for (k = 0; k < 2; k++) {
		struct tape t = tape_new(both[k]);
		struct pass pass;

		m[k] = model_from_tensors(&c, f.ck->weights, both[k], MODEL_TRAIN, DTYPE_AUTO, &e);
		if (k == 0) {
			struct sampler *s = sampler_new(m[0], &p, 3, 128, keep_drawn, &got);

			CHECK(sampler_add(s, &(struct sampler_prompt){.id = ids, .n = 5, .samples = 1}, &e) == 0);
			while (sampler_busy(s))
				sampler_step(s, NULL);
			sampler_free(s);
			CHECK(got.n > 0 && got.n <= 12);
			memcpy(ids + 5, got.id, (size_t)got.n * sizeof *ids);
		}
		params_need_grad(&m[k]->params);
		t.record = true;
		pass = pass_forward(m[k], &t, &(struct example){ids, 5 + got.n, 5, 1}, 1, false);
		CHECK_INT(pass.n, got.n);
		CHECK(k > 0 || !memcmp(pass.logprob, got.logprob, (size_t)got.n * sizeof *d));
		pass_backward(&t, &pass, d, NULL);
		tape_free(&t);
	}
	off = distance(m[0]->params.grad, m[1]->params.grad, m[0]->params.size);
	if (!(off > 1e-5 && off < 0.1))
		TEST_FAIL("%s: gradients are off by %g", name, off);
	model_free(m[0]);
	model_free(m[1]);
	config_free(&c);
	backend_close(both[1]);
	close_fixture(&f);
}

static void keep_tokens(void *arg, const struct sampler_done *d)
{
	memcpy(arg, d->id, (size_t)d->n * sizeof *d->id);
}

/* 64 greedy tokens by the sampler are those of the reference's own decoding. */
static void greedy(const char *name, struct backend *be)
{
	struct fixture f = open_fixture(name, be, MODEL_SAMPLE);
	struct sampler_params p = {.temperature = 0, .top_p = 1, .max_tokens = 64};
	int32_t prompt[64], got[64];
	const struct js *ids, *want;
	struct sampler *s;
	char path[256];
	struct js *j;
	struct err e;
	size_t i;

	snprintf(path, sizeof path, "tests/pytorch/%s/sequences.json", name);
	j = js_read(path, &e);
	ids = js_get(j, "prompt");
	want = js_get(j, "greedy");
	for (i = 0; i < js_size(ids); i++)
		prompt[i] = (int32_t)js_int(js_at(ids, i));
	CHECK_INT(js_size(want), 64);
	s = sampler_new(f.m, &p, 3, 128, keep_tokens, got);
	CHECK(sampler_add(s, &(struct sampler_prompt){.id = prompt, .n = (int64_t)js_size(ids), .samples = 1}, &e) == 0);
	while (sampler_busy(s))
		sampler_step(s, NULL);
	sampler_free(s);
	for (i = 0; i < 64; i++)
		CHECK_INT(got[i], js_int(js_at(want, i)));
	js_free(j);
	close_fixture(&f);
}

/* Weights of 8 bits become those of 16 that torch_dtype asks for: the same for sampling, for a reference and for training. */
static void eight_bits(const char *name, struct backend *be)
{
	static const enum model_use use[] = {MODEL_SAMPLE, MODEL_SCORE, MODEL_TRAIN};
	struct fixture f = open_fixture(name, be, MODEL_SCORE);
	struct config c = config_copy(&f.ck->config);
	struct tape t = tape_new(be);
	float logits[3][20 * 33];
	int32_t position[20];
	struct seq whole = {.n = 18};
	struct model *m;
	struct tensor *h;
	size_t p, n = (size_t)(18 * c.vocab_size) * sizeof(float);
	struct err e;
	int i;

	for (i = 0; i < 20; i++)
		position[i] = i;
	strcpy(c.dtype, "bfloat16");
	CHECK(f.ex[1].n == 19 && c.vocab_size == 33);
	for (i = 0; i < 3; i++) {
		m = model_from_tensors(&c, f.ck->weights, be, use[i], DTYPE_BFLOAT16, &e);
		if (!m)
			TEST_FAIL("%s", e.msg);
		model_reserve_positions(m, 20);
		h = model_hidden(m, &t, tape_upload(&t, f.ex[1].id, 18), tape_upload(&t, position, 18), 18, &(struct sequences){&whole, 1, NULL}, NULL, 18);
		h = op_linear(&t, h, m->head, NULL);
		be->download(be, logits[i], h->data, n);
		tape_reset(&t);
		model_free(m);
	}
	m = model_from_tensors(&c, f.ck->weights, be, MODEL_SAMPLE, DTYPE_AUTO, &e);
	for (p = 0; p < m->params.parts; p++) {
		const struct part *part = &m->params.part[p];

		if (part->ndim == 2)            /* the embedding and the head are of float32 in the file, which a backend that rounds does not go by */
			CHECK(m->params.tensor[part->tensor]->packed->type == (be->rounds || strstr(part->name, "_proj") ? WEIGHT_BF16 : WEIGHT_F32));
	}
	model_free(m);
	CHECK_SAME(logits[1], logits[0], 18 * 33);
	CHECK_SAME(logits[2], logits[0], 18 * 33);
	tape_free(&t);
	config_free(&c);
	close_fixture(&f);
}

/* An adapter and its base, merged, are what PEFT makes of them; what is not adapted stays. */
static void merge(const char *name, struct backend *be)
{
	static const char *const module[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj"};
	struct fixture f = open_fixture(name, be, MODEL_SCORE);
	struct checkpoint_writer *w;
	struct checkpoint *merged;
	char path[5000], part[128];
	struct err e;
	float x[4096];
	size_t i;

	snprintf(path, sizeof path, "%s/merged", test_scratch());
	w = checkpoint_begin(path, &e);
	if (!w || model_merge(f.ck, be, NULL, 0, w, &e) < 0 || checkpoint_commit(w, &e) < 0 || !(merged = checkpoint_open(path, &e)))
		TEST_FAIL("%s", e.msg);
	for (i = 0; i < 4; i++) {
		const struct st_tensor *t;

		snprintf(part, sizeof part, "merged.model.layers.1.%s.weight", module[i]);
		t = safetensors_find(merged->weights, part + strlen("merged."));
		CHECK(t && t->count <= 4096 && safetensors_floats(merged->weights, t, 0, t->count, x, &e) == 0);
		CHECK(error_of(&f, part, x, t->count) < (exact(be) ? 1e-6 : 1e-5));
	}
	CHECK(!merged->base && merged->weights->n == f.ck->weights->n);
	checkpoint_close(merged);
	close_fixture(&f);
}

int main(void)
{
	const char *name[] = {"qwen2-gqa", "qwen2-untied", "qwen2-gqa-lora", "deepseek-groups", "deepseek-plain", "deepseek-fp8", "qwen2-yarn",
			      "qwen3-tied", "qwen3-untied", "llama-plain", "llama-scaled", "llama-linear"};
	enum { ADAPTED = 2, EIGHT_BITS = 5 };
	int i, threads;

	for (threads = 1; threads <= (other_backend() ? 1 : 2); threads++) {
		struct backend *be = other_backend() ? open_other() : backend_cpu_new(threads);

		for (i = 0; i < (int)(sizeof name / sizeof *name); i++) {
			if (!emulated(be)) {
				train(name[i], be, 1);
				train(name[i], be, 30);
			}
			train(name[i], be, 1000);
			decode(name[i], be);
			greedy(name[i], be);
			if (i != ADAPTED)
				rounded(name[i], be);
		}
		merge(name[ADAPTED], be);
		eight_bits(name[EIGHT_BITS], be);
		backend_close(be);
		be = backend_bf16_new(threads);
		for (i = 0; i < (int)(sizeof name / sizeof *name); i++) {
			if (i == ADAPTED)
				continue;
			rounded(name[i], be);
			alike(name[i], be);
		}
		backend_close(be);
	}
	return 0;
}
