/* sample.c - log-probabilities of tokens, and drawing them
 *
 * Among tokens "the first k" are the k likeliest, those with lower ids first among equals. top_p keeps the shortest such beginning that
 * holds at least top_p of what top_k left; min_p keeps what has at least min_p times the probability of the likeliest.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/cpu/cpu.h"

/* x = 2^e f with f in [sqrt 1/2, sqrt 2);  log f = 2 (s + s^3/3 + s^5/5 + ...) with s = (f - 1) / (f + 1), |s| < 0.172 */
double cpu_log(double x)
{
	uint64_t bits, mantissa;
	int64_t e;
	double f, s, z;

	if (!(x > 0) || x > 1e300)
		return x == 0 ? -INFINITY : x > 0 ? INFINITY : NAN;
	memcpy(&bits, &x, sizeof bits);
	e = (int64_t)(bits >> 52) - 1023;
	mantissa = (bits & 0xfffffffffffff) | (uint64_t)1023 << 52;
	memcpy(&f, &mantissa, sizeof f);
	if (f > 1.4142135623730951) {
		f /= 2;
		e++;
	}
	s = (f - 1) / (f + 1);
	z = s * s;
	return (double)e * 0.6931471805599453 +
	       2 * s * (1 + z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15))))))));
}

struct logprobs {
	struct cpu *cpu;
	const float *logits;
	float *grad;
	const int32_t *target;
	float inv_temperature;
	float *logprob, *entropy;
	const float *dlogprob, *dentropy;
	int64_t vocab;
};

static float logprob_of(float logit, float by, float max, float sum)
{
	return (float)((double)(logit * by - max) - cpu_log(sum));
}

static void logprob_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct logprobs *l = arg;

	(void)worker;
	for (; from < to; from++) {
		const float *x = l->logits + from * l->vocab;
		float max, sum, dot;

		l->cpu->kern->softmax_sums(x, l->inv_temperature, l->vocab, &max, &sum, l->entropy ? &dot : NULL);
		l->logprob[from] = logprob_of(x[l->target[from]], l->inv_temperature, max, sum);
		if (l->entropy)
			l->entropy[from] = (float)(cpu_log(sum) - (double)dot / (double)sum);
	}
}

void cpu_logprob(struct backend *be, const float *logits, const int32_t *target, float inv_temperature, float *logprob, float *entropy,
		 int64_t rows, int64_t vocab)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)vocab), logprob_rows,
		 &(struct logprobs){.cpu = cpu_of(be), .logits = logits, .target = target, .inv_temperature = inv_temperature,
				    .logprob = logprob, .entropy = entropy, .vocab = vocab});
}

static void logprob_back_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct logprobs *l = arg;

	(void)worker;
	for (; from < to; from++) {
		float *x = l->grad + from * l->vocab, max, sum, dot = 0;

		l->cpu->kern->softmax_sums(x, l->inv_temperature, l->vocab, &max, &sum, l->dentropy ? &dot : NULL);
		l->cpu->kern->softmax_back(x, l->inv_temperature, l->vocab, l->target[from], max, sum, dot, l->dlogprob[from],
					   l->dentropy ? l->dentropy[from] : 0);
	}
}

void cpu_logprob_back(struct backend *be, float *logits, const int32_t *target, float inv_temperature, const float *dlogprob,
		      const float *dentropy, int64_t rows, int64_t vocab, bool half)
{
	(void)half;
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)vocab * 2), logprob_back_rows,
		 &(struct logprobs){.cpu = cpu_of(be), .grad = logits, .target = target, .inv_temperature = inv_temperature,
				    .dlogprob = dlogprob, .dentropy = dentropy, .vocab = vocab});
}

/* A beginning of the tokens ordered by falling weight and rising id: all whose weight is above that of `bits`, and the first `ties` of those
 * that have it. Weights are in [0, 1], where the order of floats is the order of their bits. */
struct cut {
	uint32_t bits;
	int64_t ties;
	double mass;            /* of what is kept */
};

static uint32_t bits_of(float x)
{
	uint32_t b;

	memcpy(&b, &x, sizeof b);
	return b;
}

static float float_of(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* The shortest beginning with `count` tokens or with a weight of `mass`, whichever comes first: ten bits of the weights at a time, from the
 * highest, find the bucket that it ends in. */
static struct cut cut_at(const float *w, int64_t n, int64_t count, double mass)
{
	uint32_t prefix = 0;
	int64_t taken = 0, i;
	double sum = 0;
	int shift, b;

	for (shift = 20; shift >= 0; shift -= 10) {
		int64_t number[1024] = {0};
		double weight[1024] = {0};

		for (i = 0; i < n; i++) {
			const uint32_t bits = bits_of(w[i]);

			if (shift == 20 || bits >> (shift + 10) == prefix) {
				number[bits >> shift & 1023]++;
				weight[bits >> shift & 1023] += (double)w[i];
			}
		}
		for (b = 1023; b > 0; b--) {
			if (taken + number[b] >= count || sum + weight[b] >= mass)
				break;
			taken += number[b];
			sum += weight[b];
		}
		prefix = prefix << 10 | (uint32_t)b;
	}
	{
		const double each = (double)float_of(prefix);
		struct cut c = {.bits = prefix, .mass = sum};

		while (taken + c.ties < count && c.mass < mass && taken + c.ties < n && each > 0) {
			c.ties++;
			c.mass += each;
		}
		return c;
	}
}

/* The token where the running sum of the kept weights, in order of id, passes `at` */
static int64_t walk(const float *w, int64_t n, struct cut c, double at)
{
	int64_t i, last = -1;
	double sum = 0;

	for (i = 0; i < n; i++) {
		const uint32_t bits = bits_of(w[i]);

		if (bits < c.bits || (bits == c.bits && c.ties-- <= 0) || w[i] <= 0)
			continue;
		sum += (double)w[i];
		last = i;
		if (sum > at)
			break;
	}
	return last < 0 ? 0 : last;
}

static double kept_mass(const float *w, int64_t n, struct cut c)
{
	int64_t i;
	double sum = 0;

	for (i = 0; i < n; i++) {
		const uint32_t bits = bits_of(w[i]);

		if (bits > c.bits || (bits == c.bits && c.ties-- > 0))
			sum += (double)w[i];
	}
	return sum;
}

static int64_t draw_cut(const float *w, int64_t n, const struct sampling *how, double total)
{
	const int64_t count = how->top_k > 0 && how->top_k < n ? how->top_k : n;
	const uint32_t least = bits_of(how->min_p > 1 ? 1 : how->min_p > 0 ? how->min_p : 0);
	struct cut c = {.bits = 0, .ties = n, .mass = total};

	if (count < n)
		c = cut_at(w, n, count, INFINITY);
	if (how->top_p < 1)
		c = cut_at(w, n, count, how->top_p > 0 ? (double)how->top_p * c.mass : DBL_MIN);
	if (least > c.bits)
		c = (struct cut){.bits = least, .ties = n};
	return walk(w, n, c, how->uniform * kept_mass(w, n, c));
}

/* Without cuts: the block of weights first, by the blocks' sums */
static int64_t draw_all(const float *w, int64_t n, const double *block, double uniform)
{
	const int64_t blocks = div_up(n, DRAW_BLOCK);
	double total = 0, at, sum = 0;
	int64_t b, i;

	for (b = 0; b < blocks; b++)
		total += block[b];
	at = uniform * total;
	for (b = 0; b < blocks - 1 && sum + block[b] <= at; b++)
		sum += block[b];
	for (i = b * DRAW_BLOCK; i < n && i < (b + 1) * DRAW_BLOCK; i++) {
		sum += (double)w[i];
		if (sum > at && w[i] > 0)
			return i;
	}
	while (--i > 0 && !(w[i] > 0))          /* rounding left the block a little short: its last one, but never one of weight 0 */
		;
	return i;
}

struct draws {
	struct cpu *cpu;
	const float *logits;
	int64_t vocab;
	const struct sampling *how;
	int32_t *id;
	float *logprob;
};

static void sample_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct draws *d = arg;
	const struct kernels *kern = d->cpu->kern;
	const int64_t n = d->vocab, blocks = div_up(n, DRAW_BLOCK);
	double *block = (double *)cpu_scratch(&d->cpu->worker[worker], 2 * blocks + n);
	float *weight = (float *)(block + blocks);

	for (; from < to; from++) {
		const struct sampling *how = &d->how[from];
		const float *x = d->logits + from * n;
		float by = 1, max, sum;
		int64_t id;

		if (!(how->temperature > 0)) {
			id = kern->argmax(x, n);
			kern->softmax_sums(x, 1, n, &max, &sum, NULL);
		} else {
			by = 1 / how->temperature;
			kern->softmax_weights(weight, x, by, n, &max, &sum, block);
			if ((how->top_k > 0 && how->top_k < n) || how->top_p < 1 || how->min_p > 0)
				id = draw_cut(weight, n, how, (double)sum);
			else
				id = draw_all(weight, n, block, how->uniform);
		}
		d->logprob[from] = logprob_of(x[id], by, max, sum);
		d->id[from] = (int32_t)id;
	}
}

void cpu_sample(struct backend *be, float *logits, int64_t rows, int64_t vocab, const struct sampling *how, int32_t *id, float *logprob)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)vocab * 1.5), sample_rows,
		 &(struct draws){.cpu = cpu_of(be), .logits = logits, .vocab = vocab, .how = how, .id = id, .logprob = logprob});
}
