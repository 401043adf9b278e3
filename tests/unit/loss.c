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

static void gradient(const char *name)
{
	float logp[4] = {-1.1f, -.3f, -2.2f, -.6f}, old[4] = {-1, -.8f, -2.1f, -.5f}, ref[4] = {-1.3f, -.2f, -2, -.9f}, entropy[4] = {1, 2, .5f, .1f};
	struct loss_tokens x = {.n = 4, .logp = logp, .old = old, .ref = ref, .entropy = entropy, .sampler = ref, .advantage = 1.3};
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
			double hi, lo;

			logp[i] = up;
			hi = value(kind(name), &a, x);
			logp[i] = down;
			lo = value(kind(name), &a, x);
			logp[i] = keep;
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

/* Lengths 1 and 3, advantage 1, ratio 1: what each kind makes of them. */
static void weights(void)
{
	const float zero[3] = {0};
	struct loss_args a = plain(2, 4);
	float d[3];

	struct { const char *name; double first, second; } want[] = {{"grpo", -.5, -.5}, {"dapo", -.25, -.75}, {"dr_grpo", -1. / 16, -3. / 16}};
	for (int i = 0; i < 3; i++) {
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
	gradient("grpo");
	gradient("dapo");
	gradient("dr_grpo");
	weights();
	schedules();
	CHECK(!loss_find("ppo2", &e));
	CHECK_STR(e.msg, "no loss is called 'ppo2' (there are: dapo, dr_grpo, grpo)");
	return 0;
}
