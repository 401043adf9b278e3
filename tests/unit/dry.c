/* The whole model on memory that nobody may touch: a host access to backend memory, harmless on a CPU and fatal on a GPU, crashes here.
 * And the books of it: what is allocated is given back. */
#include "test.h"

#include "base/rng.h"
#include "model/optimizer.h"
#include "model/pass.h"
#include "model/sampler.h"
#include "tensor/dry.h"

static const char text[] = "{\"model_type\": \"qwen2\", \"hidden_size\": 16, \"num_hidden_layers\": 2, \"num_attention_heads\": 4,"
			   "\"num_key_value_heads\": 2, \"intermediate_size\": 32, \"vocab_size\": 50}";

static void train(struct backend *be, const struct config *c)
{
	struct err e;
	struct model *m = model_new(c, be, MODEL_TRAIN, DTYPE_AUTO, &e);
	struct optimizer *o = optimizer_new(&m->params, &(struct optimizer_args){.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .clip = 1});
	int32_t id[40] = {0};
	struct example ex[] = {{.id = id, .n = 40, .first = 30, .inv_temperature = 1}, {.id = id, .n = 20, .first = 1, .inv_temperature = 1}};
	struct tape t = tape_new(be);
	float dlogprob[29] = {0};
	struct pass p;
	int i;

	CHECK_INT(backend_dry_used(be), 4 * m->params.size * 4);       /* weights, gradients, two moments */
	model_init(m, 1);
	for (i = 0; i < 2; i++) {
		t.record = true;
		p = pass_forward(m, &t, ex, 2, true);
		CHECK_INT(p.n, 29);
		pass_backward(&t, &p, dlogprob, dlogprob);
		CHECK(optimizer_step(o, 1e-3) == 0);
	}
	CHECK(t.peak > 0 && backend_dry_peak(be) >= t.peak);
	tape_free(&t);
	optimizer_free(o);
	model_free(m);
	CHECK_INT(backend_dry_used(be), 0);
}

struct seen {
	int completions, tokens;
};

static void on_done(void *arg, const struct sampler_done *d)
{
	struct seen *s = arg;

	s->completions++;
	s->tokens += (int)d->n;
}

static void sample(struct backend *be, const struct config *c)
{
	struct err e;
	struct model *m = model_new(c, be, MODEL_SAMPLE, DTYPE_AUTO, &e);
	struct sampler_params params = {.temperature = 1, .top_p = 1, .max_tokens = 20};
	int32_t id[30] = {0};
	struct seen seen = {0};
	struct sampler *s;

	s = sampler_new(m, &params, 4, 64, on_done, &seen);
	CHECK(sampler_add(s, &(struct sampler_prompt){.id = id, .n = 30, .samples = 3}, &e) == 0);
	CHECK(sampler_add(s, &(struct sampler_prompt){.id = id, .n = 1, .samples = 3}, &e) == 0);
	while (sampler_busy(s))
		sampler_step(s, NULL);
	CHECK_INT(seen.completions, 6);
	CHECK_INT(seen.tokens, 6 * 20);
	sampler_free(s);
	model_free(m);
	CHECK_INT(backend_dry_used(be), 0);
}

static struct rng draws;

static int64_t below(int64_t n)
{
	return (int64_t)rng_below(&draws, (uint64_t)n);
}

static bool at_random(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n)
{
	(void)arg, (void)user, (void)sample, (void)id, (void)n;
	return below(60) == 0;
}

/* Prompts of all lengths with many completions or one: there is a page for whatever comes, and what a sampler is said to take is enough. */
static void pages(const struct config *c)
{
	enum { CONTEXT = 5000 };
	struct sampler_params params = {.temperature = 1, .top_p = 1, .stopped = at_random};
	int32_t *id = xcalloc(CONTEXT, sizeof *id);
	int round;

	draws = rng_new(3, 4);
	for (round = 0; round < 60; round++) {
		struct backend *be = backend_dry_new(NULL);
		struct err e;
		struct model *m = model_new(c, be, MODEL_SAMPLE, DTYPE_AUTO, &e);
		const int64_t slots = 1 + below(9), context = round % 2 ? CONTEXT : 40, weights = (int64_t)backend_dry_used(be);
		struct seen seen = {0};
		struct sampler *s;
		int left = 40, want = 0;

		params.max_tokens = 1 + below(round % 2 ? 300 : 40);
		s = sampler_new(m, &params, slots, context, on_done, &seen);
		while (left || sampler_busy(s)) {
			while (left && sampler_wants(s)) {
				const int32_t samples = 1 + (int32_t)below(below(2) ? 2 : 20);
				const int64_t n = below(3) ? context - 1 - below(20) : 1 + below(context - 1);

				CHECK(sampler_add(s, &(struct sampler_prompt){.id = id, .n = n, .samples = samples}, &e) == 0);
				want += samples;
				left--;
			}
			sampler_step(s, NULL);
		}
		CHECK_INT(seen.completions, want);
		CHECK((int64_t)backend_dry_peak(be) - weights <= sampler_measure(m, slots, context) + context * 64);   /* tables of angles */
		sampler_free(s);
		model_free(m);
		be->destroy(be);
	}
	free(id);
}

/* Blocks that no machine has addresses for */
static void enormous(void)
{
	struct backend *be = backend_dry_new(NULL);
	const size_t most = (size_t)1 << 50;
	char *a = be->alloc(be, most), *b = be->alloc(be, most);

	CHECK(a && b && (a + most <= b || b + most <= a));
	CHECK(backend_dry_used(be) == 2 * most);
	be->free(be, a);
	CHECK(backend_dry_used(be) == most && backend_dry_peak(be) == 2 * most);
	be->free(be, b);
	CHECK(backend_dry_used(be) == 0);
	be->destroy(be);
}

/* What a pass is said to take is what it takes. */
static void measure(const struct config *c)
{
	struct backend *be = backend_cpu_new(1);
	struct err e;
	struct model *m = model_new(c, be, MODEL_TRAIN, DTYPE_AUTO, &e);
	int32_t id[40] = {0};
	float dlogprob[39] = {0};
	struct tape t = tape_new(be);
	struct pass p;

	params_need_grad(&m->params);
	t.record = true;
	p = pass_forward(m, &t, &(struct example){.id = id, .n = 40, .first = 1, .inv_temperature = 1}, 1, true);
	pass_backward(&t, &p, dlogprob, NULL);
	CHECK_INT(pass_measure(c, NULL, 39, 0), t.peak);
	CHECK(pass_measure(c, NULL, 10000, 0) > 4 * pass_measure(c, NULL, 2000, 0));
	CHECK(pass_measure(c, NULL, 10000, 0) < 6 * pass_measure(c, NULL, 2000, 0));
	tape_free(&t);
	model_free(m);
	backend_close(be);
}

/* Where activations may be of 16 bits, those of a model of 16 bits are, and take less; of another model they take the same. */
static void measure_half(const struct config *c)
{
	const struct backend gpu = {.half_rows = true, .logits_at_once = CPU_LOGITS};
	struct config half = config_copy(c);

	strcpy(half.dtype, "bfloat16");
	CHECK(pass_measure(&half, &gpu, 2000, 0) < pass_measure(&half, NULL, 2000, 0));
	CHECK_INT(pass_measure(&half, NULL, 2000, 0), pass_measure(c, NULL, 2000, 0));
	CHECK_INT(pass_measure(c, &gpu, 2000, 0), pass_measure(c, NULL, 2000, 0));
	config_free(&half);
}

int main(void)
{
	struct backend *be = backend_dry_new(NULL);
	struct config c;
	struct err e;

	CHECK(config_parse(&c, text, strlen(text), "config.json", &e) == 0);
	train(be, &c);
	sample(be, &c);
	pages(&c);
	measure(&c);
	measure_half(&c);
	enormous();
	config_free(&c);
	be->destroy(be);
	return 0;
}
