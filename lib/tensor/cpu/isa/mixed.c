/* mixed.c - AdamW on weights in two halves and on moments in 16 bits: a block at a time is widened, updated and put back
 *
 * The loops are plain C, which compilers turn into vectors.
 */
#include "isa.h"
#include "vec.h"

#define BLOCK 512

static inline uint32_t bits_of(float x)
{
	uint32_t u;

	memcpy(&u, &x, sizeof u);
	return u;
}

static inline float float_of(uint32_t u)
{
	float x;

	memcpy(&x, &u, sizeof x);
	return x;
}

void ISA_FN(split)(uint16_t *half, uint16_t *low, const float *x, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		const uint32_t u = bits_of(x[i]), up = (u + 0x8000) >> 16;

		half[i] = (uint16_t)up;
		low[i] = (uint16_t)(u - (up << 16));
	}
}

static void join(float *x, const uint16_t *half, const uint16_t *low, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		x[i] = float_of(((uint32_t)half[i] << 16) + (uint32_t)(int32_t)(int16_t)low[i]);
}

/* Of 10 bits behind the leading one; 65520 and more are infinite. Below 2^-14 the places are those of 2^-24, which adding 0.5 rounds to. */
void ISA_FN(round_half)(float *to, const float *from, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		const uint32_t u = bits_of(from[i]), sign = u & 0x80000000, size = u ^ sign;
		const uint32_t normal = (size + 0xfff + (size >> 13 & 1)) & ~(uint32_t)0x1fff;
		const uint32_t small = bits_of((float_of(size) + 0.5f) - 0.5f);
		const uint32_t large = size > 0x7f800000 ? size : 0x7f800000;

		to[i] = float_of(sign | (size >= 0x477ff000 ? large : size < 0x38800000 ? small : normal));
	}
}

/* Philox4x32-10 (base/rng.h) of the counters (first + i / 4, step), the key the seed: 32 bits for each number */
static void draw(uint32_t *to, int64_t n, uint64_t seed, int64_t step, int64_t first)
{
	uint32_t c0[BLOCK / 4], c1[BLOCK / 4], c2[BLOCK / 4], c3[BLOCK / 4], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
	int64_t many = (n + 3) / 4, i;
	int round;

	for (i = 0; i < many; i++) {
		const uint64_t at = (uint64_t)(first / 4 + i);

		c0[i] = (uint32_t)at;
		c1[i] = (uint32_t)(at >> 32);
		c2[i] = (uint32_t)step;
		c3[i] = (uint32_t)((uint64_t)step >> 32);
	}
	for (round = 0; round < 10; round++) {
		for (i = 0; i < many; i++) {
			const uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];

			c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
			c1[i] = (uint32_t)p1;
			c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
			c3[i] = (uint32_t)p0;
		}
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	for (i = 0; i < many; i++) {
		to[4 * i] = c0[i];
		to[4 * i + 1] = c1[i];
		to[4 * i + 2] = c2[i];
		to[4 * i + 3] = c3[i];
	}
}

/* 16 bits of chance are added to what is cut off. */
static void round_moments(uint16_t *mh, uint16_t *vh, const float *m, const float *v, const uint32_t *chance, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		mh[i] = (uint16_t)((bits_of(m[i]) + (chance[i] & 0xffff)) >> 16);
		vh[i] = (uint16_t)((bits_of(v[i]) + (chance[i] >> 16)) >> 16);
	}
}

void ISA_FN(adamw_mixed)(const struct mixed *x, int64_t n, const struct adamw *how, float unbias1, float unbias2)
{
	float w[BLOCK], m[BLOCK], v[BLOCK];
	uint32_t chance[BLOCK];
	int64_t at, some;

	for (at = 0; at < n; at += some) {
		float *wp = x->w ? x->w + at : w, *mp = x->m ? x->m + at : m, *vp = x->v ? x->v + at : v;

		some = n - at < BLOCK ? n - at : BLOCK;
		if (!x->w)
			join(w, x->half + at, x->low + at, some);
		if (!x->m) {
			ISA_FN(widen)(m, x->m16 + at, some);
			ISA_FN(widen)(v, x->v16 + at, some);
		}
		ISA_FN(adamw)(wp, mp, vp, x->g + at, some, how, unbias1, unbias2);
		if (!x->w)
			ISA_FN(split)(x->half + at, x->low + at, w, some);
		if (!x->m) {
			draw(chance, some, x->seed, how->step, x->first + at);
			round_moments(x->m16 + at, x->v16 + at, m, v, chance, some);
		}
	}
}
