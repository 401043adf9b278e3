/* A policy-gradient step: what its pieces and their order must not change, and that it goes the way it should. */
#include "test.h"

#include "base/rng.h"
#include "model/policy.h"

enum { V = 31, N = 24, LONGEST = 30 };

static struct backend *be;

static struct model *make_model(enum model_use use, uint64_t seed)
{
	const char *text = "{\"model_type\": \"qwen2\", \"hidden_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
			   "\"num_key_value_heads\": 2, \"intermediate_size\": 40, \"vocab_size\": 31, \"max_position_embeddings\": 128, "
			   "\"initializer_range\": 0.3, \"tie_word_embeddings\": true}";
	struct config c;
	struct model *m;
	struct err e;

	if (config_parse(&c, text, strlen(text), "config", &e) < 0 || !(m = model_new(&c, be, use, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	config_free(&c);
	model_init(m, seed);
	return m;
}

/* Rollouts of random tokens; their logprobs are the model's own, moved by `off` so that the ratios are not 1. */
static void make_rollouts(struct rollout *r, double off)
{
	struct model *m = make_model(MODEL_SCORE, 5);
	struct tape t = tape_new(be);
	struct rng rng = rng_new(1, 2);
	int i, j;

	for (i = 0; i < N; i++) {
		int64_t n = 6 + (int64_t)rng_below(&rng, LONGEST - 6), first = 1 + (int64_t)rng_below(&rng, 5);
		struct example ex;
		char id[16];

		snprintf(id, sizeof id, "p%d", i / 4);
		r[i] = (struct rollout){.id = xstrdup(id), .sample = i % 4, .n = n, .first = first, .temperature = i % 5 == 0 ? 0.7 : 1,
					.advantage = i % 3 - 1 + 0.1 * (i % 7)};
		r[i].token = xmalloc((size_t)n * sizeof *r[i].token);
		for (j = 0; j < n; j++)
			r[i].token[j] = (int32_t)rng_below(&rng, V);
		r[i].logprob = xmalloc((size_t)(n - first) * sizeof *r[i].logprob);
		ex = (struct example){r[i].token, n, first, 1 / r[i].temperature};
		pass_score(m, &t, &ex, 1, 1000, r[i].logprob, NULL);
		for (j = 0; off > 0 && j < n - first; j++)
			r[i].logprob[j] += (float)(off * ((double)rng_below(&rng, 1000) / 500 - 1));
	}
	tape_free(&t);
	model_free(m);
}

static void free_rollouts(struct rollout *r)
{
	int i;

	for (i = 0; i < N; i++)
		rollout_free(&r[i]);
}

static struct policy_args args(const char *loss)
{
	struct err e;
	struct policy_args a = {.loss = loss_find(loss, &e), .minibatches = 1, .epochs = 1, .tokens = 1000, .learning_rate = 1e-3, .seed = 3,
				.step = 1};

	a.loss_args = (struct loss_args){.clip_low = 0.2, .clip_high = 0.3, .kl_coef = 0.05, .kl = LOSS_KL_K3, .max_length = LONGEST};
	return a;
}

struct outcome {
	struct model *m;
	struct policy_metrics metrics;
};

static struct outcome run(struct rollout *r, size_t n, const struct policy_args *a, int steps)
{
	struct optimizer_args oa = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.01, .clip = 1};
	struct outcome x = {.m = make_model(MODEL_TRAIN, 5)};
	struct model *reference = make_model(MODEL_SCORE, 6);
	struct optimizer *o = optimizer_new(&x.m->params, &oa);
	struct policy_args b = *a;
	struct err e;
	size_t i;

	policy_reference(reference, r, n, a->tokens, a->replicas);
	for (; steps > 0; steps--, b.step++) {
		rollout_sort(r, n);
		if (policy_step(x.m, o, &b, r, n, &x.metrics, NULL, NULL, &e) < 0)
			TEST_FAIL("%s", e.msg);
	}
	for (i = 0; i < n; i++) {
		free(r[i].reference);
		r[i].reference = NULL;
	}
	optimizer_free(o);
	model_free(reference);
	return x;
}

/* |a - b| / |a - start| over all weights: how much of the way two runs went differs. */
static double apart(const struct model *a, const struct model *b)
{
	struct model *start = make_model(MODEL_TRAIN, 5);
	double d = 0, way = 0;
	int64_t i;

	for (i = 0; i < a->params.size; i++) {
		d += pow((double)a->params.theta[i] - b->params.theta[i], 2);
		way += pow((double)a->params.theta[i] - start->params.theta[i], 2);
	}
	model_free(start);
	CHECK(way > 0);
	return sqrt(d / way);
}

static double relative(const struct model *a, const struct model *b)
{
	double d = 0, size = 0;
	int64_t i;

	for (i = 0; i < a->params.size; i++) {
		d += pow((double)a->params.theta[i] - b->params.theta[i], 2);
		size += pow(a->params.theta[i], 2);
	}
	return sqrt(d / size);
}

static void same_bits(const struct outcome *a, const struct outcome *b)
{
	CHECK_MEM(a->m->params.theta, (size_t)a->m->params.size * sizeof(float), b->m->params.theta, (size_t)b->m->params.size * sizeof(float));
	CHECK(!memcmp(&a->metrics.loss, &b->metrics.loss, sizeof a->metrics.loss));
	CHECK(!memcmp(&a->metrics.grad_norm, &b->metrics.grad_norm, sizeof a->metrics.grad_norm));
}

/* Passes of one completion each, of some, of all: one optimizer step; and several, in which what rounding did may grow. */
static void packing(const char *loss, int64_t minibatches, int64_t epochs)
{
	static const int64_t tokens[] = {1, 40, 150};
	const double most = minibatches * epochs == 1 ? 1e-6 : 1e-5;
	struct rollout r[N];
	struct policy_args a = args(loss);
	struct outcome whole, cut;
	size_t i;

	a.minibatches = minibatches;
	a.epochs = epochs;
	a.loss_args.entropy_coef = 0.01;
	if (!strcmp(loss, "gspo"))              /* means over a completion stray less than tokens */
		a.loss_args.clip_low = a.loss_args.clip_high = 0.01;
	make_rollouts(r, 0.3);
	whole = run(r, N, &a, 1);
	for (i = 0; i < sizeof tokens / sizeof *tokens; i++) {
		a.tokens = tokens[i];
		cut = run(r, N, &a, 1);
		CHECK_NEAR(cut.metrics.grad_norm / whole.metrics.grad_norm, 1, most);
		CHECK_NEAR(cut.metrics.loss / whole.metrics.loss, 1, most);
		CHECK(relative(whole.m, cut.m) < most);
		CHECK(apart(whole.m, cut.m) < 1e-3);
		CHECK(cut.metrics.peak_bytes <= whole.metrics.peak_bytes);
		model_free(cut.m);
	}
	CHECK(whole.metrics.clip_low > 0 && whole.metrics.clip_high > 0);
	model_free(whole.m);
	free_rollouts(r);
}

static void order(bool named)
{
	struct rollout r[N];
	struct policy_args a = args("grpo");
	struct rng rng = rng_new(7, 7);
	struct outcome x, y;
	int i, k;

	a.minibatches = 4;
	make_rollouts(r, 0.3);
	for (i = 0; i < N && !named; i++) {     /* nothing but their contents tells them apart */
		r[i].id[0] = 0;
		r[i].sample = 0;
	}
	x = run(r, N, &a, 2);
	for (k = 0; k < 3; k++) {
		for (i = N - 1; i > 0; i--) {
			int j = (int)rng_below(&rng, (uint64_t)i + 1);
			struct rollout swap = r[i];

			r[i] = r[j];
			r[j] = swap;
		}
		y = run(r, N, &a, 2);
		same_bits(&x, &y);
		model_free(y.m);
	}
	a.seed = 4;
	y = run(r, N, &a, 2);
	CHECK(apart(x.m, y.m) > 1e-3);          /* another seed deals other minibatches */
	model_free(x.m);
	model_free(y.m);
	free_rollouts(r);
}

/* Where the sampler's logprobs are the policy's own, it makes no difference whether they are given, and all ratios are 1. */
static void own_logprobs(void)
{
	struct rollout r[N];
	struct policy_args a = args("dapo");
	struct outcome x, y;
	double advantages = 0, tokens = 0;
	int i;

	a.loss_args.kl_coef = 0;
	make_rollouts(r, 0);
	x = run(r, N, &a, 1);
	CHECK(x.metrics.logp_difference_max == 0);
	CHECK(x.metrics.logp_difference_mean == 0);
	CHECK_NEAR(x.metrics.ratio, 1, 0);
	for (i = 0; i < N; i++) {
		advantages += r[i].advantage * (double)(r[i].n - r[i].first);
		tokens += (double)(r[i].n - r[i].first);
	}
	CHECK_NEAR(x.metrics.loss, -advantages / tokens, 1e-9);
	CHECK_INT(x.metrics.tokens, (int64_t)tokens);
	for (i = 0; i < N; i++) {
		free(r[i].logprob);
		r[i].logprob = NULL;
	}
	y = run(r, N, &a, 1);
	same_bits(&x, &y);
	CHECK_NEAR(y.metrics.logp_difference_mean, -1, 0);
	model_free(x.m);
	model_free(y.m);
	free_rollouts(r);
}

/* KL in the reward. k1 is .5, -1, -.25: from each token on -.75, -1.25, -.25, of which a tenth is taken off. */
static void kl_returns(void)
{
	const float old[3] = {-1, -2, -.5f};
	float reference[3] = {-1.5f, -1, -.25f}, own[3] = {1, 0, -1}, to[3];
	struct rollout r = {.n = 5, .first = 2, .reference = reference, .advantage = 1};

	policy_kl_advantages(&r, old, .1, to);
	CHECK_NEAR(to[0], 1.075, 1e-6);
	CHECK_NEAR(to[1], 1.125, 1e-6);
	CHECK_NEAR(to[2], 1.025, 1e-6);
	r.advantages = own;
	policy_kl_advantages(&r, old, .1, to);
	CHECK_NEAR(to[0], 1.075, 1e-6);
	CHECK_NEAR(to[1], .125, 1e-6);
	CHECK_NEAR(to[2], -.975, 1e-6);
}

/* Where nothing comes after a token, and the policy is the sampler, it has the gradient of k2 in the loss, (logp - ref) for each token. */
static void kl_in_reward(void)
{
	struct rollout r[N];
	struct policy_args a = args("dapo");
	struct outcome x, y;
	int i;

	make_rollouts(r, 0);
	for (i = 0; i < N; i++)
		r[i].n = r[i].first + 1;
	a.loss_args.kl = LOSS_KL_K2;
	a.loss_args.kl_coef = .5;
	x = run(r, N, &a, 1);
	a.loss_args.kl = LOSS_KL_K1;
	a.loss_args.kl_coef = 0;
	y = run(r, N, &a, 1);
	CHECK(apart(x.m, y.m) > 0.1);
	model_free(y.m);
	a.kl_reward = .5;
	y = run(r, N, &a, 1);
	CHECK(apart(x.m, y.m) < 1e-3);
	CHECK_NEAR(x.metrics.grad_norm / y.metrics.grad_norm, 1, 1e-5);
	model_free(x.m);
	model_free(y.m);
	free_rollouts(r);
}

static double logprob_of(struct model *m, const int32_t *token)
{
	struct tape t = tape_new(be);
	struct example ex = {token, 2, 1, 1};
	float lp;

	pass_score(m, &t, &ex, 1, 10, &lp, NULL);
	tape_free(&t);
	return lp;
}

/* One state, V actions; action 4 pays 1, the others lose a little. On-policy steps until it is what the policy does. */
static void bandit(void)
{
	struct optimizer_args oa = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip = 1};
	struct model *m = make_model(MODEL_TRAIN, 8), *reference = make_model(MODEL_SCORE, 8);
	struct optimizer *o = optimizer_new(&m->params, &oa);
	struct policy_args a = args("grpo");
	struct policy_metrics metrics;
	struct rollout r[V];
	int32_t token[V][2], good[2] = {9, 4};
	double before = logprob_of(m, good), now = before, kl;
	struct err e;
	int i, step;

	a.loss_args.kl_coef = 0;
	a.learning_rate = 3e-3;
	for (i = 0; i < V; i++) {
		token[i][0] = 9;
		token[i][1] = i;
		r[i] = (struct rollout){.id = "b", .sample = i, .token = token[i], .n = 2, .first = 1, .temperature = 1,
					.advantage = i == 4 ? 1 : -1. / (V - 1)};
	}
	for (step = 0; step < 30; step++) {
		a.step = (uint64_t)step;
		CHECK(policy_step(m, o, &a, r, V, &metrics, NULL, NULL, &e) == 0);
		CHECK(logprob_of(m, good) > now);
		now = logprob_of(m, good);
	}
	CHECK(before < log(0.2));
	CHECK(now > log(0.8));

	policy_reference(reference, r, V, a.tokens, 1);
	/* And back: nothing is gained any more, and the reference pulls. Its own actions at that: what k2 and k3 look at. */
	for (i = 0; i < V; i++)
		r[i].advantage = 0;
	for (a.loss_args.kl = LOSS_KL_K2; a.loss_args.kl <= LOSS_KL_K3; a.loss_args.kl++) {
		a.loss_args.kl_coef = 1;
		a.learning_rate = 1e-3;
		CHECK(policy_step(m, o, &a, r, V, &metrics, NULL, NULL, &e) == 0);
		kl = metrics.kl;
		CHECK(kl > 0.01);
		for (step = 0; step < 20; step++)
			CHECK(policy_step(m, o, &a, r, V, &metrics, NULL, NULL, &e) == 0);
		CHECK(metrics.kl < 0.5 * kl);
	}
	CHECK(logprob_of(m, good) < now - 0.5);
	for (i = 0; i < V; i++)
		free(r[i].reference);
	optimizer_free(o);
	model_free(m);
	model_free(reference);
}

static void not_finite(void)
{
	struct optimizer_args oa = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip = 1};
	struct model *m = make_model(MODEL_TRAIN, 8);
	struct optimizer *o = optimizer_new(&m->params, &oa);
	struct policy_args a = args("grpo");
	struct policy_metrics metrics;
	struct rollout r[N];
	struct err e;

	a.loss_args.kl_coef = 0;
	make_rollouts(r, 0);
	r[3].advantage = INFINITY;
	CHECK(policy_step(m, o, &a, r, N, &metrics, NULL, NULL, &e) < 0);
	CHECK(strstr(e.msg, "is not finite: nothing is written"));
	optimizer_free(o);
	model_free(m);
	free_rollouts(r);
}

/* A step is the same on one thread and on three. */
static void threads(void)
{
	struct rollout r[N];
	struct policy_args a = args("dr_grpo");
	struct backend *three = backend_cpu_new(3), *one = be;
	struct outcome x, y;

	make_rollouts(r, 0.3);
	x = run(r, N, &a, 2);
	be = three;
	y = run(r, N, &a, 2);
	be = one;
	same_bits(&x, &y);
	model_free(x.m);
	model_free(y.m);
	backend_close(three);
	free_rollouts(r);
}

int main(void)
{
	be = backend_cpu_new(1);
	packing("grpo", 1, 1);
	packing("dapo", 1, 1);
	packing("dr_grpo", 1, 1);
	packing("gspo", 1, 1);
	packing("cispo", 1, 1);
	packing("grpo", 3, 2);
	packing("gspo", 3, 2);
	packing("cispo", 3, 2);
	order(true);
	order(false);
	own_logprobs();
	kl_returns();
	kl_in_reward();
	bandit();
	not_finite();
	threads();
	backend_close(be);
	return 0;
}
