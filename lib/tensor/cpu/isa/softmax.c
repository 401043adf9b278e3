/* softmax.c - rows of logits: log-probabilities and their gradient, weights to draw from
 *
 * Everywhere x = logits * by, z = x - max(x), e = exp(z). z is cut at -200, where e is 0, so that a logit of minus infinity adds 0 * -200
 * and not a NaN.
 */
#include "isa.h"
#include "vec.h"

static float row_max(const float *x, float by, int64_t n)
{
	const v16 b = v16_set(by);
	v16 max[4];
	int64_t i;
	int k;

	for (k = 0; k < 4; k++)
		max[k] = v16_set(-INFINITY);
	for (i = 0; i + 64 <= n; i += 64)
		UNROLL for (int u = 0; u < 4; u++)
			max[u] = v16_max(v16_mul(v16_load(x + i + 16 * u), b), max[u]);
	for (; i < n; i += 16)
		max[0] = v16_max(v16_head(v16_mul(v16_load_n(x + i, n - i), b), max[0], n - i), max[0]);
	return v16_max_lane(v16_max(v16_max(max[0], max[1]), v16_max(max[2], max[3])));
}

INLINE v16 centred(const float *x, v16 by, v16 max, int64_t n)
{
	return v16_max(v16_set(-200), v16_sub(v16_mul(v16_load_n(x, n), by), max));
}

void ISA_FN(softmax_sums)(const float *logits, float by, int64_t n, float *max, float *sum, float *dot)
{
	const float top = row_max(logits, by, n);
	const v16 b = v16_set(by), m = v16_set(top);
	v16 s = v16_zero(), d = v16_zero();
	int64_t i;

	for (i = 0; i < n; i += 16) {
		v16 z = centred(logits + i, b, m, n - i), e = v16_exp(z);

		if (n - i < 16)
			e = v16_head(e, v16_zero(), n - i);
		s = v16_add(s, e);
		d = v16_fma(e, z, d);
	}
	*max = top;
	*sum = v16_sum(s);
	if (dot)
		*dot = v16_sum(d);
}

void ISA_FN(softmax_back)(float *logits, float by, int64_t n, int64_t target, float max, float sum, float dot, float dlogprob, float dentropy)
{
	const v16 b = v16_set(by), m = v16_set(max), scale = v16_set(1 / sum);
	/* log p + entropy = (z - log sum) + (log sum - dot / sum) */
	const v16 mean = v16_set(dot / sum), one = v16_set(-by * dlogprob), ent = v16_set(-by * dentropy);
	int64_t i;

	for (i = 0; i < n; i += 16) {
		v16 c = centred(logits + i, b, m, n - i), p = v16_mul(v16_exp(c), scale);

		v16_store_n(logits + i, v16_mul(p, v16_fma(ent, v16_sub(c, mean), one)), n - i);
	}
	logits[target] += by * dlogprob;
}

void ISA_FN(softmax_weights)(float *weight, const float *logits, float by, int64_t n, float *max, float *sum, double *block)
{
	const float top = row_max(logits, by, n);
	const v16 b = v16_set(by), m = v16_set(top);
	v16 s = v16_zero();
	int64_t i = 0;

	while (i < n) {
		const int64_t end = i + DRAW_BLOCK < n ? i + DRAW_BLOCK : n;
		v16 part = v16_zero();

		for (; i < end; i += 16) {
			v16 e = v16_exp(centred(logits + i, b, m, n - i));

			if (n - i < 16)
				e = v16_head(e, v16_zero(), n - i);
			v16_store_n(weight + i, e, n - i);
			s = v16_add(s, e);
			part = v16_add(part, e);
		}
		*block++ = (double)v16_sum(part);
	}
	*max = top;
	*sum = v16_sum(s);
}

int64_t ISA_FN(argmax)(const float *x, int64_t n)
{
	const float max = row_max(x, 1, n);
	int64_t i;

	for (i = 0; i < n; i++)
		if (x[i] == max)
			return i;
	return 0;
}
