#include "base/rng.h"

#include <math.h>
#include <string.h>

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
	uint32_t k0 = key[0], k1 = key[1];
	int round;

	for (round = 0; round < 10; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53u * c0;
		uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)p1;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

uint64_t rng_bits(uint64_t seed, uint64_t stream, uint32_t a, uint32_t b)
{
	uint32_t counter[4] = {(uint32_t)stream, (uint32_t)(stream >> 32), a, b};
	uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t out[4];

	rng_philox(counter, key, out);
	return (uint64_t)out[1] << 32 | out[0];
}

double rng_uniform(uint64_t seed, uint64_t stream, uint32_t a, uint32_t b)
{
	return (double)(rng_bits(seed, stream, a, b) >> 11) * 0x1p-53;
}

struct rng rng_new(uint64_t seed, uint64_t stream)
{
	return (struct rng){seed, stream, 0};
}

uint64_t rng_next(struct rng *r)
{
	uint64_t n = r->count++;

	return rng_bits(r->seed, r->stream, (uint32_t)n, (uint32_t)(n >> 32));
}

double rng_double(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;

	do
		x = rng_next(r);
	while (x >= limit);
	return x % n;
}

/* log, sin and cos of our own: the C library's differ in the last bit from one machine to another, and the weights that are drawn here
 * must not. */

/* Natural logarithm of 0 < x <= 1 (normal): x = 2^e m with m around 1, and log m = 2 artanh((m-1)/(m+1)). */
static double log_of(double x)
{
	double s, z, sum = 0;
	uint64_t bits;
	int e, k;

	memcpy(&bits, &x, sizeof bits);
	e = (int)(bits >> 52) - 1023;
	bits = (bits & 0xFFFFFFFFFFFFFu) | (uint64_t)1023 << 52;
	memcpy(&x, &bits, sizeof bits);
	if (x > 1.4142135623730951) {
		x *= 0.5;
		e++;
	}
	s = (x - 1) / (x + 1);
	z = s * s;
	for (k = 10; k >= 0; k--)
		sum = sum * z + 1.0 / (2 * k + 1);
	return e * 0.69314718055994531 + 2 * s * sum;
}

/* Cosine and sine of 2 pi v, 0 <= v < 1: the quarter, and Taylor's series for the rest of at most pi/4. */
static void cos_sin(double v, double *c, double *s)
{
	static const double inverse[] = {1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
					 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200,
					 1.0 / 1307674368000, 1.0 / 20922789888000};
	int quarter = (int)(4 * v + 0.5), k;
	double x = (v - 0.25 * quarter) * 6.2831853071795865, z = -x * x, a = 0, b = 0;

	for (k = 8; k > 0; k--) {
		a = (a + inverse[2 * k]) * z;
		b = (b + inverse[2 * k - 1]) * (k > 1 ? z : 1);
	}
	a += 1;
	b *= x;
	*c = quarter & 1 ? -b : a;
	*s = quarter & 1 ? a : b;
	if (quarter & 2) {
		*c = -*c;
		*s = -*s;
	}
}

double rng_normal(struct rng *r)
{
	double u = rng_double(r), v = rng_double(r), c, s;

	cos_sin(v, &c, &s);
	return sqrt(-2 * log_of(1 - u)) * c;
}

void rng_normal_pair(uint64_t seed, uint64_t stream, uint64_t n, double z[2])
{
	uint32_t counter[4] = {(uint32_t)stream, (uint32_t)(stream >> 32), (uint32_t)n, (uint32_t)(n >> 32)};
	uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t out[4];
	double u, v, r;

	rng_philox(counter, key, out);
	u = (double)(((uint64_t)out[1] << 32 | out[0]) >> 11) * 0x1p-53;
	v = (double)(((uint64_t)out[3] << 32 | out[2]) >> 11) * 0x1p-53;
	r = sqrt(-2 * log_of(1 - u));
	cos_sin(v, &z[0], &z[1]);
	z[0] *= r;
	z[1] *= r;
}

void rng_shuffle(struct rng *r, size_t *index, size_t n)
{
	size_t i, j, t;

	for (i = n; i > 1; i--) {
		j = (size_t)rng_below(r, i);
		t = index[i - 1];
		index[i - 1] = index[j];
		index[j] = t;
	}
}

uint64_t hash_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2));

	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

uint64_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = 0xCBF29CE484222325u;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001B3u;
	return hash_mix(h, n);
}

uint64_t hash_str(const char *s)
{
	return hash_bytes(s, strlen(s));
}
