/* What the CUDA backend does in one kernel where operations stand next to each other (a norm and its product, a product and its gate, or its turning,
 * turning and writing pages) has the bits that they give one by one. Not in managed memory, where nothing is put off. */
#include "backend_util.h"

struct made {
	uint64_t hash[8];
	int n;
};

static uint16_t *half_numbers(struct backend *be, int64_t n)
{
	uint16_t *host = xmalloc((size_t)n * sizeof *host), *x = be->alloc(be, (size_t)n * sizeof *x);
	int64_t i;

	for (i = 0; i < n; i++) {
		const float f = (float)(2 * rng_double(&test_rng) - 1);
		uint32_t bits;

		memcpy(&bits, &f, sizeof bits);
		host[i] = (uint16_t)(bits >> 16);
	}
	be->upload(be, x, host, (size_t)n * sizeof *x);
	free(host);
	return x;
}

static float *numbers(struct backend *be, int64_t n)
{
	float *host = xmalloc((size_t)n * sizeof *host), *x = be->alloc(be, (size_t)n * sizeof *x);
	int64_t i;

	for (i = 0; i < n; i++)
		host[i] = (float)(2 * rng_double(&test_rng) - 1);
	be->upload(be, x, host, (size_t)n * sizeof *x);
	free(host);
	return x;
}

static void see(struct backend *be, struct made *made, const void *x, int64_t bytes)
{
	char *host = xmalloc((size_t)bytes);

	be->download(be, host, x, (size_t)bytes);
	made->hash[made->n++] = hash_bytes(host, (size_t)bytes);
	free(host);
}

/* Waits, where operations are to be alone. */
static void part(struct backend *be, const void *x, bool alone)
{
	float one;

	if (alone)
		be->download(be, &one, x, sizeof one);
}

/* norm, product of [rows, k] by [2 f, k], gate, with what `without` has set left out: 1 the norm, 2 the gate, 4 the bias */
static struct made feed(struct backend *be, int64_t rows, int64_t k, int64_t f, unsigned without, bool alone)
{
	struct made made = {.n = 0};
	float *x = numbers(be, rows * k), *w = numbers(be, k), *rstd = numbers(be, rows), *bias = numbers(be, 2 * f), *host = xmalloc((size_t)(2 * f * k) * sizeof *host);
	uint16_t *normed = half_numbers(be, rows * k), *c = half_numbers(be, rows * 2 * f), *out = half_numbers(be, rows * f);
	struct packed *p;
	int64_t i;

	for (i = 0; i < 2 * f * k; i++)
		host[i] = (float)(0.2 * rng_double(&test_rng) - 0.1);
	p = backend_pack(be, host, 2 * f, k, WEIGHT_BF16, false);
	part(be, x, true);
	if (!(without & 1))
		be->rmsnorm(be, &(struct norm){.rows = rows, .cols = k, .x = x, .w = w, .rstd = rstd, .eps = 1e-6f, .half = true}, normed);
	part(be, x, alone);
	be->gemm(be, &(struct gemm){.m = rows, .n = 2 * f, .k = k, .a = normed, .a_half = true, .lda = k, .trans_b = true, .c = c, .c_half = true, .ldc = 2 * f,
				    .packed = p, .bias = without & 4 ? NULL : bias});
	part(be, x, alone);
	if (!(without & 2))
		be->swiglu(be, out, c, rows, f, true);
	see(be, &made, normed, rows * k * 2);
	see(be, &made, rstd, rows * 4);
	see(be, &made, c, rows * 2 * f * 2);
	see(be, &made, out, rows * f * 2);
	be->unpack(be, p);
	be->free(be, x), be->free(be, w), be->free(be, rstd), be->free(be, bias), be->free(be, normed), be->free(be, c), be->free(be, out);
	free(host);
	return made;
}

/* Two sequences of `n` new rows each behind past ones, turned, written and attended to; half: in bfloat16, and made by a product of width k (0: by none),
 * with what `without` has set left out: 1 its norm, 2 its bias; or otherwise: 4 pairs side by side, 8 turned back, 16 turned twice, 32 added to what is there,
 * 64 only queries are turned; 128: heads are normalised first */
static struct made turn(struct backend *be, int64_t heads, int64_t kv_heads, int64_t dim, int n, bool half, int64_t k, unsigned without, bool alone)
{
	struct made made = {.n = 0};
	const int64_t rows = 2 * n, stride = (heads + 2 * kv_heads) * dim, size = half ? 2 : 4, pages = 4 * kv_heads * dim * KV_PAGE;
	static int32_t page[2][2] = {{2, 0}, {3, 1}};
	void *qkv = half ? (void *)half_numbers(be, rows * stride) : (void *)numbers(be, rows * stride);
	struct kv_cache cache = {.layers = 1, .pages = 4, .k_width = kv_heads * dim, .v_width = kv_heads * dim, .half = half};
	float *table = numbers(be, 32 * dim), *lse = numbers(be, rows * heads);
	void *out = half ? (void *)half_numbers(be, rows * heads * dim) : (void *)numbers(be, rows * heads * dim);
	struct seq seq[2] = {{.row = 0, .n = n, .past = 9, .page = page[0]}, {.row = n, .n = n, .past = 12, .page = page[1]}};
	int32_t at[32], *position = be->alloc(be, sizeof at);
	float *x = numbers(be, rows * k + 1), *w = numbers(be, k + 1), *bias = numbers(be, stride), *host = xmalloc((size_t)(stride * k + 1) * sizeof *host);
	uint16_t *normed = half_numbers(be, rows * k + 1);
	float *rstd = numbers(be, rows * (heads + kv_heads)), *raw = below(2) ? numbers(be, rows * (heads + kv_heads) * dim) : NULL;
	struct packed *p = NULL;
	int64_t j;
	int i, round;

	for (j = 0; j < stride * k; j++)
		host[j] = (float)(0.2 * rng_double(&test_rng) - 0.1);
	if (k)
		p = backend_pack(be, host, stride, k, WEIGHT_BF16, false);
	cache.k = half ? (void *)half_numbers(be, pages) : (void *)numbers(be, pages);
	cache.v = half ? (void *)half_numbers(be, pages) : (void *)numbers(be, pages);
	for (i = 0; i < n; i++) {
		at[i] = 9 + i;
		at[n + i] = 12 + i;
	}
	be->upload(be, position, at, sizeof at);
	for (round = 0; round < 2; round++) {   /* in the second, tables are there and nothing comes in between */
		part(be, table, alone);
		if (k && !(without & 1))
			be->rmsnorm(be, &(struct norm){.rows = rows, .cols = k, .x = x, .w = w, .eps = 1e-6f, .half = true}, normed);
		part(be, table, alone);
		if (k && !(without & 32))
			be->gemm(be, &(struct gemm){.m = rows, .n = stride, .k = k, .a = normed, .a_half = true, .lda = k, .trans_b = true, .c = qkv, .c_half = true,
						    .ldc = stride, .packed = p, .bias = without & 2 ? NULL : bias});
		else if (k)
			be->gemm(be, &(struct gemm){.m = rows, .n = stride, .k = k, .a = normed, .a_half = true, .lda = k, .trans_b = true, .c = qkv, .c_half = true,
						    .ldc = stride, .packed = p, .accumulate = true});
		if (without & 128) {
			part(be, table, alone);
			be->head_norms(be, &(struct head_norms){.rows = rows, .heads = heads + kv_heads, .queries = heads, .head_dim = dim, .stride = stride, .x = qkv,
								.w = bias, .w2 = table, .raw = raw, .rstd = raw ? rstd : NULL, .eps = 1e-6f, .half = half});
		}
		for (j = 0; j < (without & 16 ? 2 : 1); j++) {
			part(be, table, alone);
			be->rope(be, &(struct rope){.rows = rows, .heads = heads + (without & 64 ? 0 : kv_heads), .head_dim = dim, .x = qkv, .out = qkv,
						    .x_stride = stride, .x_head = dim, .out_stride = stride, .out_head = dim, .position = position, .cos_sin = table,
						    .interleaved = without & 4, .inverse = without & 8, .half = half});
		}
		part(be, table, alone);
		be->attention(be, &(struct attention){.rows = rows, .heads = heads, .kv_heads = kv_heads, .head_dim = dim, .scale = 0.3f, .qkv = qkv,
						      .qkv_stride = stride, .out = out, .lse = lse, .seq = seq, .seqs = 2, .cache = &cache, .half = half});
	}
	see(be, &made, qkv, rows * stride * size);
	see(be, &made, cache.k, pages * size);
	see(be, &made, cache.v, pages * size);
	see(be, &made, out, rows * heads * dim * size);
	see(be, &made, lse, rows * heads * 4);
	see(be, &made, rstd, rows * (heads + kv_heads) * 4);
	if (raw)
		see(be, &made, raw, rows * (heads + kv_heads) * dim * size);
	be->unpack(be, p);
	free(host);
	be->free(be, x), be->free(be, w), be->free(be, bias), be->free(be, normed), be->free(be, rstd), be->free(be, raw);
	be->free(be, qkv), be->free(be, table), be->free(be, lse), be->free(be, out), be->free(be, position), be->free(be, cache.k), be->free(be, cache.v);
	return made;
}

#define SAME(what) do { \
	struct made alone, together; \
	const struct rng before = test_rng; \
	bool all = true; \
	together = what(false); \
	test_rng = before; \
	alone = what(true); \
	for (int h = 0; h < alone.n; h++) \
		all = all && alone.hash[h] == together.hash[h]; \
	CHECK_INT(all, 1); \
} while (0)

int main(void)
{
	static const int64_t widths[] = {8, 72, 1024, 1032, 2056};
	struct backend *be;
	int64_t rows;
	size_t i;

	if (!other_backend())
		return 77;
	unsetenv("R1_CUDA_MANAGED");
	be = open_other();
	test_rng = rng_new(3, 14);
	for (rows = 1; rows <= 9; rows++)
		for (i = 0; i < sizeof widths / sizeof *widths; i++) {
			const int64_t k = widths[i], f = 1 + below(40);
			const unsigned without = (unsigned)below(8);

#define FEED(alone) feed(be, rows, k, f, without, alone)
			SAME(FEED);
		}
	for (rows = 7; rows <= 8; rows++) {     /* A in shared memory: just below what may be had unasked, and all of it */
		const int64_t k = 3072, f = 3;
		const unsigned without = 0;

		SAME(FEED);
	}
	for (i = 0; i < 100; i++) {
		const int64_t kv_heads = 1 + below(3), heads = kv_heads * (1 + below(5)), dim = 2 * (1 + below(20));
		const int n = below(2) ? 1 : 1 + (int)below(5);
		const bool half = i % 2;
		const int64_t k = half && i % 4 == 3 ? widths[below(5)] : 0;
		const unsigned without = i < 16 ? (unsigned)below(4) : (unsigned)below(4) | (i < 76 ? 4u << i % 6 : 128u | (i % 3 ? 0 : 4u << i % 4));

#define TURN(alone) turn(be, heads, kv_heads, dim, n, half, k, without, alone)
		SAME(TURN);
	}
	backend_close(be);
	return 0;
}
