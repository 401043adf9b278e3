/* The sampler: what it writes depends on nothing but the model, the prompt and the keys of its draws; its logprobs are the trainer's bits. */
#include "backend_util.h"

#include "model/pass.h"
#include "model/sampler.h"

enum { PROMPTS = 5, SAMPLES = 6, V = 31, LONGEST = 40, PROMPT = 80, CONTEXT = PROMPT + LONGEST };

static int64_t longest = LONGEST;       /* tokens of a completion at most */
static int64_t prompt_length[PROMPTS] = {1, 16, 17, 33, 7};
static const char *dtype = "float32";
static int64_t alike;                   /* tokens that prompts begin with alike */

struct completion {
	int32_t id[LONGEST];
	float logprob[LONGEST];
	int64_t n;
	bool stopped, there;
};

struct run {
	struct completion c[PROMPTS][SAMPLES];
	int32_t prompt[PROMPTS][PROMPT];
	int index[PROMPTS];
};

static struct model *make_model(struct backend *be, enum model_use use)
{
	const char *form = "{\"model_type\": \"qwen2\", \"hidden_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
			   "\"num_key_value_heads\": 2, \"intermediate_size\": 40, \"vocab_size\": 31, \"max_position_embeddings\": 128, "
			   "\"initializer_range\": 0.4, \"tie_word_embeddings\": true, \"eos_token_id\": 3, \"torch_dtype\": \"%s\"}";
	char text[512];
	struct config c;
	struct model *m;
	struct err e;

	snprintf(text, sizeof text, form, dtype);
	if (config_parse(&c, text, strlen(text), "config", &e) < 0 || !(m = model_new(&c, be, use, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	config_free(&c);
	model_init(m, 5);
	return m;
}

static void on_done(void *arg, const struct sampler_done *d)
{
	struct run *r = arg;
	struct completion *c = &r->c[*(int *)d->user][d->sample];

	CHECK(!c->there);
	CHECK(d->n >= 1 && d->n <= LONGEST);
	memcpy(c->id, d->id, (size_t)d->n * sizeof *d->id);
	memcpy(c->logprob, d->logprob, (size_t)d->n * sizeof *d->logprob);
	c->n = d->n;
	c->stopped = d->stopped;
	c->there = true;
}

static struct run *sample(struct backend *be, const struct sampler_params *p, int64_t slots, bool backwards)
{
	struct run *r = xcalloc(1, sizeof *r);
	struct model *m = make_model(be, MODEL_SAMPLE);
	struct sampler *s = sampler_new(m, p, slots, CONTEXT, on_done, r);
	struct rng rng = rng_new(9, 9);
	struct err e;
	int i, j, next = 0;

	for (i = 0; i < PROMPTS; i++)
		for (j = 0; j < prompt_length[i]; j++)
			r->prompt[i][j] = j < alike && i > 0 && j < prompt_length[0] ? r->prompt[0][j] : (int32_t)rng_below(&rng, V);
	while (next < PROMPTS || sampler_busy(s)) {
		while (next < PROMPTS && sampler_wants(s)) {
			int k = backwards ? PROMPTS - 1 - next : next;
			struct sampler_prompt q = {.id = r->prompt[k], .n = prompt_length[k], .stream = (uint64_t)(100 + k), .samples = SAMPLES,
						   .user = &r->index[k]};

			r->index[k] = k;
			if (sampler_add(s, &q, &e) < 0)
				TEST_FAIL("%s", e.msg);
			next++;
		}
		sampler_step(s, NULL);
	}
	if (alike)                      /* four pages of three prompts, whether they come together or not */
		CHECK_INT(sampler_reused(s), 3 * 4 * KV_PAGE);
	sampler_free(s);
	model_free(m);
	for (i = 0; i < PROMPTS; i++)
		for (j = 0; j < SAMPLES; j++)
			CHECK(r->c[i][j].there);
	return r;
}

/* Where bits may change with the number of rows, a number that falls on the border between two tokens may draw the other one, once. */
static void same(const struct backend *be, const struct run *a, const struct run *b)
{
	int i, j, others = 0;
	int64_t k;

	for (i = 0; i < PROMPTS; i++)
		for (j = 0; j < SAMPLES; j++) {
			const struct completion *x = &a->c[i][j], *y = &b->c[i][j];

			for (k = 0; k < x->n && k < y->n && x->id[k] == y->id[k];)
				k++;
			if (k < x->n && k < y->n && !exact(be)) {
				others++;
			} else {
				CHECK_INT(x->n, y->n);
				CHECK_INT(x->stopped, y->stopped);
				CHECK_INT(k, x->n);
			}
			CHECK_SAME(x->logprob, y->logprob, k);
		}
	CHECK(others <= 1);
}

/* The trainer's forward pass over prompt and completion gives the sampler's logprobs, bit for bit. */
static void trainer_agrees(struct backend *be, const struct run *r, double temperature)
{
	struct model *m = make_model(be, strcmp(dtype, "float32") ? MODEL_SCORE : MODEL_TRAIN);         /* to train, what is drawn is not rounded */
	struct tape t = tape_new(be);
	struct example ex[PROMPTS * SAMPLES];
	int32_t *id = xmalloc(sizeof *id * PROMPTS * SAMPLES * CONTEXT);
	float *logprob = xmalloc(sizeof *logprob * PROMPTS * SAMPLES * LONGEST);
	int i, j, at = 0;

	for (i = 0; i < PROMPTS; i++)
		for (j = 0; j < SAMPLES; j++) {
			int32_t *p = id + (i * SAMPLES + j) * CONTEXT;
			const struct completion *c = &r->c[i][j];

			memcpy(p, r->prompt[i], (size_t)prompt_length[i] * sizeof *p);
			memcpy(p + prompt_length[i], c->id, (size_t)c->n * sizeof *p);
			ex[i * SAMPLES + j] = (struct example){p, prompt_length[i] + c->n, prompt_length[i], 1 / temperature};
		}
	pass_score(m, &t, ex, PROMPTS * SAMPLES, 2 * CONTEXT, logprob, NULL);
	for (i = 0; i < PROMPTS; i++)
		for (j = 0; j < SAMPLES; j++) {
			const struct completion *c = &r->c[i][j];

			CHECK_SAME(logprob + at, c->logprob, c->n);
			at += (int)c->n;
		}
	tape_free(&t);
	model_free(m);
	free(id);
	free(logprob);
}

static void stops(const struct run *r)
{
	int i, j, stopped = 0, cut = 0;

	for (i = 0; i < PROMPTS; i++)
		for (j = 0; j < SAMPLES; j++) {
			const struct completion *c = &r->c[i][j];
			int64_t k;

			for (k = 0; k + 1 < c->n; k++)
				CHECK(c->id[k] != 3);
			CHECK_INT(c->stopped, c->id[c->n - 1] == 3);
			CHECK(c->stopped || c->n == longest);
			stopped += c->stopped;
			cut += !c->stopped;
		}
	CHECK(stopped > 0);
	CHECK(cut > 0);
}

static bool after_two(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n)
{
	(void)arg;
	(void)user;
	(void)sample;
	(void)id;
	return n == 2;
}

/* Prompts that begin alike: what they share is computed once, and its bits are those of a pass of their own. */
static void shares(struct backend *be, struct sampler_params p)
{
	static const int64_t lengths[PROMPTS] = {72, 80, 66, 1, 79}, slots[] = {1, 7, 64};
	struct run *base, *other;
	int i;

	memcpy(prompt_length, lengths, sizeof prompt_length);
	alike = 65;
	p.max_tokens = 6;
	base = sample(be, &p, 4, false);
	trainer_agrees(be, base, p.temperature);
	for (i = 0; i < (emulated(be) ? 0 : 3); i++) {
		other = sample(be, &p, slots[i], i == 1);
		same(be, base, other);
		free(other);
	}
	free(base);
}

int main(void)
{
	const int32_t stop[] = {3};
	struct sampler_params p = {.temperature = 0.8, .top_p = 0.95, .top_k = 20, .max_tokens = 0, .seed = 11, .stop = stop, .stops = 1};
	struct backend *one = other_backend() ? open_other() : backend_cpu_new(1), *two = other_backend() ? open_other() : backend_cpu_new(2);
	struct run *base, *other;
	int64_t slots[] = {1, 4, 7};
	struct model *m;
	struct sampler *s;
	struct err e;
	int i;

	if (emulated(one))
		longest = 14;
	p.max_tokens = longest;
	base = sample(one, &p, 64, false);
	stops(base);
	for (i = 0; i < (emulated(one) ? 1 : 3); i++) {
		other = sample(i & 1 ? one : two, &p, slots[emulated(one) ? 2 : i], i == 1);
		same(one, base, other);
		free(other);
	}
	trainer_agrees(two, base, 0.8);
	p.seed = 12;
	other = sample(one, &p, 8, false);
	CHECK(memcmp(base->c, other->c, sizeof base->c) != 0);
	free(other);
	p.temperature = 0;              /* greedy: all of a group are alike */
	other = sample(two, &p, 8, false);
	for (i = 1; i < SAMPLES; i++) {
		const struct completion *x = &other->c[3][0], *y = &other->c[3][i];
		const struct backend *be = two;

		CHECK_MEM(x->id, (size_t)x->n * 4, y->id, (size_t)y->n * 4);
		CHECK_SAME(x->logprob, y->logprob, x->n);
	}
	trainer_agrees(one, other, 1);
	free(other);
	p.stopped = after_two;
	other = sample(two, &p, 8, false);
	CHECK_INT(other->c[2][0].n, 2);
	CHECK(other->c[2][0].stopped);
	free(other);
	free(base);
	m = make_model(one, MODEL_SAMPLE);
	s = sampler_new(m, &p, 2, 20, on_done, NULL);
	CHECK(sampler_add(s, &(struct sampler_prompt){.id = stop, .n = 20, .samples = 1}, &e) < 0);
	CHECK_STR(e.msg, "the prompt has 20 tokens: with a context of 20 there is no room for a completion");
	CHECK(sampler_add(s, &(struct sampler_prompt){.id = stop, .n = 0, .samples = 1}, &e) < 0);
	sampler_free(s);
	model_free(m);
	shares(two, (struct sampler_params){.temperature = 0.8, .top_p = 1, .seed = 11, .stop = stop, .stops = 1});
	backend_close(one);
	backend_close(two);
	if (!other_backend()) {         /* keys and values in bfloat16 */
		dtype = "bfloat16";
		two = backend_bf16_new(2);
		shares(two, (struct sampler_params){.temperature = 0.8, .top_p = 1, .seed = 11, .stop = stop, .stops = 1});
		backend_close(two);
	}
	return 0;
}
