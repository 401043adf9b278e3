/* Losses: values worked out by hand, gradients against finite differences, micro-batches that change nothing. */
#include "test.h"

#include "model/loss.h"
#include "model/schedule.h"

static struct loss_args plain(double sequences, double tokens)
{
	return (struct loss_args){.clip_low = .2, .clip_high = .2, .kl = LOSS_KL_K3, .sequences = sequences, .tokens = tokens, .max_length = 8};
}

static const struct loss *kind(const char *name)
{
	struct err e;
	const struct loss *l = loss_find(name, &e);

	if (!l)
		TEST_FAIL("%s", e.msg);
	return l;
}

/* Ratios .5, 1, 1.5 with advantages 1, -1, 2, epsilon .2: -(.5 - 1 + 2.4) / 3. */
static void clip(void)
{
	const float old[3] = {0, 0, 0}, logp[3] = {logf(.5f), 0, logf(1.5f)};
	const double advantage[3] = {1, -1, 2};
	struct loss_args a = plain(3, 3);
	struct loss_sums s = {0};
	float d[1];
	int i;

	for (i = 0; i < 3; i++)
		kind("grpo")->apply(&a, &(struct loss_tokens){.n = 1, .logp = logp + i, .old = old + i, .advantage = advantage[i]}, d, NULL, &s);
	CHECK_NEAR(s.loss, -19. / 30, 1e-6);
	CHECK_NEAR(d[0], 0, 0);         /* the last one is clipped */
	CHECK_INT(s.clip_high, 1);
	CHECK_INT(s.clip_low, 0);
}

/* Dual clip: with A < 0 a huge ratio costs c |A| at most. */
static void dual_clip(void)
{
	const float old = 0, logp = logf(100);
	struct loss_args a = plain(1, 1);
	struct loss_sums s = {0};
	float d;

	a.dual_clip = 3;
	kind("dapo")->apply(&a, &(struct loss_tokens){.n = 1, .logp = &logp, .old = &old, .advantage = -2}, &d, NULL, &s);
	CHECK_NEAR(s.loss, 6, 1e-6);
	CHECK_NEAR(d, 0, 0);
}

static void kl(void)
{
	const double ref[3] = {0, -15, -30};
	const double want[3][3] = {{-1, 14, 29}, {.5, 98, 420.5}, {.718281828, 13.000000832, 28.000000000000254}};
	double d;
	int k, i;

	for (k = 0; k < 3; k++)
		for (i = 0; i < 3; i++)
			CHECK_NEAR(loss_kl_token((enum loss_kl)k, -1, ref[i], &d), want[k][i], 1e-8);
}

static double value(const struct loss *l, const struct loss_args *a, struct loss_tokens x)
{
	struct loss_sums s = {0};
	float d[8], h[8];

	l->apply(a, &x, d, h, &s);
	return s.loss;
}

/* weights: ratios are weights, constants for the gradient: what they are made of goes along. */
static void gradient(const char *name, bool weights)
{
	float logp[4] = {-1.1f, -.3f, -2.2f, -.6f}, old[4] = {-1, -.8f, -2.1f, -.5f}, ref[4] = {-1.3f, -.2f, -2, -.9f}, entropy[4] = {1, 2, .5f, .1f};
	float sampler[4] = {-1.3f, -.2f, -2, -.9f};
	struct loss_tokens x = {.n = 4, .logp = logp, .old = old, .ref = ref, .entropy = entropy, .sampler = sampler, .advantage = 1.3};
	struct loss_args a = plain(2, 9);
	struct loss_sums s = {0};
	float d[4], h[4];
	int kind_of_kl, i;

	a.kl_coef = .07;
	a.entropy_coef = .02;
	a.is_cap = 2;
	for (kind_of_kl = 0; kind_of_kl < 3; kind_of_kl++) {
		a.kl = (enum loss_kl)kind_of_kl;
		kind(name)->apply(&a, &x, d, h, &s);
		for (i = 0; i < 4; i++) {
			float keep = logp[i], up = keep + 1e-3f, down = keep - 1e-3f;
			const float old_then = old[i], sampler_then = sampler[i];
			double hi, lo;

			logp[i] = up;
			old[i] += weights ? 1e-3f : 0;
			sampler[i] += weights ? 1e-3f : 0;
			hi = value(kind(name), &a, x);
			logp[i] = down;
			old[i] = old_then - (weights ? 1e-3f : 0);
			sampler[i] = sampler_then - (weights ? 1e-3f : 0);
			lo = value(kind(name), &a, x);
			logp[i] = keep;
			old[i] = old_then;
			sampler[i] = sampler_then;
			CHECK_NEAR(d[i], (hi - lo) / ((double)up - down), 2e-4);
			keep = entropy[i];
			entropy[i] = keep + .5f;
			hi = value(kind(name), &a, x);
			entropy[i] = keep - .5f;
			lo = value(kind(name), &a, x);
			entropy[i] = keep;
			CHECK_NEAR(h[i], hi - lo, 1e-6);
		}
	}
}

/* Of two completions the one with tokens of these ratios, under gspo */
static struct loss_sums sequence(const struct loss_args *a, const float *ratio, const float *trust, double advantage, const float *advantages, float *d)
{
	const float old[2] = {-1, -2}, logp[2] = {-1 + logf(ratio[0]), -2 + logf(ratio[1])};
	const float sampler[2] = {-1 - logf(trust ? trust[0] : 1), -2 - logf(trust ? trust[1] : 1)};
	struct loss_sums s = {0};

	kind("gspo")->apply(a, &(struct loss_tokens){.n = 2, .logp = logp, .old = old, .sampler = sampler, .advantage = advantage, .advantages = advantages},
			    d, NULL, &s);
	return s;
}

/* A completion's ratio is the geometric mean of its tokens': of 4 and 1 it is 2, of 1.44 and 1 it is 1.2. Half of what is lost is its share. */
static void one_ratio(void)
{
	const float far[2] = {4, 1}, near[2] = {1.44f, 1}, less[2] = {.25f, 1}, mixed[2] = {1, -1}, trust[2] = {2.25f, 1}, more[2] = {9, 1};
	struct loss_args a = plain(2, 9);
	struct loss_sums s;
	float d[2];

	a.clip_high = .28;
	s = sequence(&a, near, NULL, 1, NULL, d);       /* 1.2 is within the range, though 1.44 is not: -1.2 / 2, and a half of that for each token */
	CHECK_NEAR(s.loss, -.6, 1e-6);
	CHECK_NEAR(d[0], -.3, 1e-6);
	CHECK_NEAR(d[1], -.3, 1e-6);
	CHECK_NEAR(s.ratio, 1.2, 1e-6);
	CHECK_INT(s.ratios, 1);
	CHECK_INT(s.tokens, 2);
	CHECK_NEAR(s.clip_high, 0, 0);
	s = sequence(&a, far, NULL, 1, NULL, d);        /* 2 is not: -1.28 / 2 */
	CHECK_NEAR(s.loss, -.64, 1e-6);
	CHECK_NEAR(d[0], 0, 0);
	CHECK_NEAR(d[1], 0, 0);
	CHECK_NEAR(s.clip_high, 1, 0);
	s = sequence(&a, far, NULL, -1, NULL, d);       /* what is to become rarer has no bound there: 2 / 2 */
	CHECK_NEAR(s.loss, 1, 1e-6);
	CHECK_NEAR(d[0], .5, 1e-6);
	CHECK_NEAR(d[1], .5, 1e-6);
	CHECK_NEAR(s.clip_high, 0, 0);
	s = sequence(&a, less, NULL, -1, NULL, d);      /* .5 and A < 0: .8 / 2 */
	CHECK_NEAR(s.loss, .4, 1e-6);
	CHECK_NEAR(d[1], 0, 0);
	CHECK_NEAR(s.clip_low, 1, 0);
	s = sequence(&a, far, NULL, 0, mixed, d);       /* advantages of their own: (-1.28 + 2) / 4, and only the second is not clipped */
	CHECK_NEAR(s.loss, .18, 1e-6);
	CHECK_NEAR(d[0], 0, 0);
	CHECK_NEAR(d[1], .5, 1e-6);
	CHECK_NEAR(s.clip_high, .5, 0);
	a.dual_clip = 1.5;
	s = sequence(&a, far, NULL, -1, NULL, d);       /* 1.5 / 2 */
	CHECK_NEAR(s.loss, .75, 1e-6);
	CHECK_NEAR(d[0], 0, 0);
	a.dual_clip = 0;
	a.is_cap = 2;
	s = sequence(&a, near, trust, 1, NULL, d);      /* the same times sqrt(2.25), which is less than 2, then times 2, for 3 is more */
	CHECK_NEAR(s.loss, -.9, 1e-6);
	CHECK_NEAR(d[0], -.45, 1e-6);
	s = sequence(&a, near, more, 1, NULL, d);
	CHECK_NEAR(s.loss, -1.2, 1e-6);
	CHECK_NEAR(d[1], -.6, 1e-6);
}

/* -clip(r) A logp / 4, where the ratio is a weight: nothing is left out, whatever the sign of A. */
static void ratio_as_weight(void)
{
	const struct { float logp, ratio, advantage; double loss, d; } want[] = {
		{-1, 3, .5f, .25, -.25},                /* 3 counts as 2: 2 * .5 / 4 */
		{-2, 3, -1, -1, .5},                    /* 2 * -1 * -2 / 4 */
		{-1, .1f, -1, -.125, .125},             /* .1 counts as .5 */
		{-3, .1f, 1, .375, -.125},
		{-1, 1.5f, 1, .375, -.375}};
	struct loss_args a = plain(2, 4);
	struct loss_sums s = {0};
	double before = 0;
	float d, old;
	int i;

	a.clip_low = .5;
	a.clip_high = 1;
	for (i = 0; i < 5; i++) {
		old = want[i].logp - logf(want[i].ratio);
		kind("cispo")->apply(&a, &(struct loss_tokens){.n = 1, .logp = &want[i].logp, .old = &old, .advantage = want[i].advantage}, &d, NULL, &s);
		CHECK_NEAR(s.loss - before, want[i].loss, 1e-6);
		CHECK_NEAR(d, want[i].d, 1e-6);
		before = s.loss;
	}
	CHECK_INT(s.clip_low, 2);
	CHECK_INT(s.clip_high, 2);
	CHECK_INT(s.ratios, 5);
	CHECK(kind("cispo")->clip_low == 1 && kind("cispo")->clip_high == 4);   /* 0 <= r <= 5 */
}

/* Where all ratios are 1, two kinds have the same gradient to the bit. */
static void alike(const char *one, const char *other)
{
	const float logp[5] = {-1, -.25f, -3, -.5f, -.125f};
	struct loss_args a = plain(3, 11);
	float d[5], h[5];
	int n, i;

	for (n = 1; n <= 5; n++) {
		struct loss_sums s = {0}, t = {0};
		struct loss_tokens x = {.n = n, .logp = logp, .old = logp, .advantage = n - 2.3};

		kind(one)->apply(&a, &x, d, NULL, &s);
		kind(other)->apply(&a, &x, h, NULL, &t);
		for (i = 0; i < n; i++)
			CHECK(d[i] == h[i]);
	}
}

/* Lengths 1 and 3, advantage 1, ratio 1: what each kind makes of them. */
static void weights(void)
{
	const float zero[3] = {0};
	struct loss_args a = plain(2, 4);
	float d[3];

	struct { const char *name; double first, second; } want[] = {{"grpo", -.5, -.5}, {"dapo", -.25, -.75}, {"dr_grpo", -1. / 16, -3. / 16}, {"gspo", -.5, -.5}};
	for (int i = 0; i < 4; i++) {
		struct loss_sums s = {0};

		kind(want[i].name)->apply(&a, &(struct loss_tokens){.n = 1, .logp = zero, .old = zero, .advantage = 1}, d, NULL, &s);
		CHECK_NEAR(s.loss, want[i].first, 1e-12);
		s.loss = 0;
		kind(want[i].name)->apply(&a, &(struct loss_tokens){.n = 3, .logp = zero, .old = zero, .advantage = 1}, d, NULL, &s);
		CHECK_NEAR(s.loss, want[i].second, 1e-12);
	}
}

static void schedules(void)
{
	struct schedule s = {SCHEDULE_COSINE, 2, .1, 4, 12};

	CHECK_NEAR(schedule_rate(&s, 1), .5, 1e-12);
	CHECK_NEAR(schedule_rate(&s, 4), 2, 1e-12);
	CHECK_NEAR(schedule_rate(&s, 8), 1.1, 1e-12);
	CHECK_NEAR(schedule_rate(&s, 12), .2, 1e-12);
	CHECK_NEAR(schedule_rate(&s, 50), .2, 1e-12);
	s.kind = SCHEDULE_LINEAR;
	CHECK_NEAR(schedule_rate(&s, 10), .65, 1e-12);
	s.kind = SCHEDULE_CONSTANT;
	CHECK_NEAR(schedule_rate(&s, 10), 2, 1e-12);
}

int main(void)
{
	struct err e;

	clip();
	dual_clip();
	kl();
	one_ratio();
	ratio_as_weight();
	gradient("grpo", false);
	gradient("dapo", false);
	gradient("dr_grpo", false);
	gradient("gspo", false);
	gradient("cispo", true);
	alike("grpo", "gspo");
	alike("dapo", "cispo");
	weights();
	schedules();
	CHECK(!loss_find("ppo2", &e));
	CHECK_STR(e.msg, "no loss is called 'ppo2' (there are: cispo, dapo, dr_grpo, grpo, gspo)");
	return 0;
}
