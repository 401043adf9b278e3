/* optimizer.cu - AdamW on float32 and on parts in 16 bits: the same operations as the CPU's (cpu/isa/rows.c, mixed.c), one by one, so that weights
 * and the random rounding of moments come to the same bits. The compiler may not contract (-fmad=false). */
#include "cuda.cuh"
#include "device.cuh"

enum { THREADS = 256 };

struct update {
	struct mixed x;
	int64_t n, step;
	float lr, beta1, beta2, eps, weight_decay, grad_scale, unbias1, unbias2;
};

/* Philox4x32-10 (base/rng.h): number i's 32 bits, keyed by seed, of the counters (at / 4, step) */
static __device__ __forceinline__ uint32_t chance(uint64_t seed, uint64_t step, uint64_t number)
{
	const uint64_t at = number / 4;
	uint32_t c0 = (uint32_t)at, c1 = (uint32_t)(at >> 32), c2 = (uint32_t)step, c3 = (uint32_t)(step >> 32);
	uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

	for (int round = 0; round < 10; round++) {
		const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)p1;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	return number % 4 == 0 ? c0 : number % 4 == 1 ? c1 : number % 4 == 2 ? c2 : c3;
}

static __device__ __forceinline__ void split_one(uint16_t *half, uint16_t *low, float x)
{
	const uint32_t u = __float_as_uint(x), up = (u + 0x8000) >> 16;

	*half = (uint16_t)up;
	*low = (uint16_t)(u - (up << 16));
}

static __global__ void update_numbers(struct update a)
{
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < a.n; i += (int64_t)gridDim.x * blockDim.x) {
		const float g = a.x.g[i] * a.grad_scale;
		float w = a.x.w ? a.x.w[i] : __uint_as_float(((uint32_t)a.x.half[i] << 16) + (uint32_t)(int32_t)(int16_t)a.x.low[i]);
		float m = a.x.m ? a.x.m[i] : from_bf16(a.x.m16[i]), v = a.x.v ? a.x.v[i] : from_bf16(a.x.v16[i]), by;

		m = fmaf(a.beta1, m, (1 - a.beta1) * g);
		v = fmaf(a.beta2, v, (1 - a.beta2) * (g * g));
		by = m * a.unbias1 / (sqrtf(v * a.unbias2) + a.eps);
		w = fmaf(-a.lr, fmaf(a.weight_decay, w, by), w);
		if (a.x.w)
			a.x.w[i] = w;
		else
			split_one(a.x.half + i, a.x.low + i, w);
		if (a.x.m) {
			a.x.m[i] = m;
			a.x.v[i] = v;
		} else {
			const uint32_t r = chance(a.x.seed, (uint64_t)a.step, (uint64_t)(a.x.first + i));

			a.x.m16[i] = (uint16_t)((__float_as_uint(m) + (r & 0xffff)) >> 16);
			a.x.v16[i] = (uint16_t)((__float_as_uint(v) + (r >> 16)) >> 16);
		}
	}
}

/* beta^step by repeated squaring, as the CPU does it */
static double power(double x, int64_t n)
{
	double y = 1;

	for (; n > 0; n /= 2, x *= x)
		if (n % 2)
			y *= x;
	return y;
}

static void op_adamw_mixed(struct backend *be, const struct mixed *x, int64_t n, const struct adamw *o)
{
	struct update a;

	memset(&a, 0, sizeof a);
	a.x = *x;
	a.n = n;
	a.step = o->step;
	a.lr = o->lr, a.beta1 = o->beta1, a.beta2 = o->beta2, a.eps = o->eps, a.weight_decay = o->weight_decay, a.grad_scale = o->grad_scale;
	a.unbias1 = (float)(1 / (1 - power(o->beta1, o->step)));
	a.unbias2 = (float)(1 / (1 - power(o->beta2, o->step)));
	cuda_launch(cuda_of(be), update_numbers, cuda_grid(n, THREADS), THREADS, 0, a);
	cuda_of(be)->weights_written = cuda_of(be)->added;
}

static void op_adamw(struct backend *be, float *w, float *m, float *v, const float *g, int64_t n, const struct adamw *o)
{
	struct mixed x = {};

	x.w = w;
	x.m = m;
	x.v = v;
	x.g = g;
	op_adamw_mixed(be, &x, n, o);
}

struct numbers {
	float *to;
	const float *from;
	uint16_t *half, *low;
	int64_t n;
};

static __global__ void split_numbers(struct numbers a)
{
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < a.n; i += (int64_t)gridDim.x * blockDim.x)
		split_one(a.half + i, a.low + i, a.from[i]);
}

static void op_split(struct backend *be, uint16_t *half, uint16_t *low, const float *x, int64_t n)
{
	const struct numbers a = {NULL, x, half, low, n};

	cuda_launch(cuda_of(be), split_numbers, cuda_grid(n, THREADS), THREADS, 0, a);
	cuda_of(be)->weights_written = cuda_of(be)->added;
}

/* What float16 can say, as cpu/isa/mixed.c does it */
static __global__ void round_numbers(struct numbers a)
{
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < a.n; i += (int64_t)gridDim.x * blockDim.x) {
		const uint32_t u = __float_as_uint(a.from[i]), sign = u & 0x80000000, size = u ^ sign;
		const uint32_t normal = (size + 0xfff + (size >> 13 & 1)) & ~(uint32_t)0x1fff;
		const uint32_t small = __float_as_uint((__uint_as_float(size) + 0.5f) - 0.5f);
		const uint32_t large = size > 0x7f800000 ? size : 0x7f800000;

		a.to[i] = __uint_as_float(sign | (size >= 0x477ff000 ? large : size < 0x38800000 ? small : normal));
	}
}

static void op_round_half(struct backend *be, float *to, const float *from, int64_t n)
{
	const struct numbers a = {to, from, NULL, NULL, n};

	cuda_launch(cuda_of(be), round_numbers, cuda_grid(n, THREADS), THREADS, 0, a);
}

void cuda_optimizer_ops(struct backend *be)
{
	be->adamw = op_adamw;
	be->adamw_mixed = op_adamw_mixed;
	be->split = op_split;
	be->round_half = op_round_half;
}
