/* kernels.c - single operations of the CPU backend against the machine's limits
 *
 * Usage: kernels [-1] [WORD...]      only the cases whose name contains a word; -1: on one thread, by the time that the thread itself spends,
 * which other work on the machine disturbs less
 *
 * A new case is a line in `cases`. Products and attention are held to the peak of fused multiply-adds, operations that do little with what they
 * read to the bandwidth (bytes that must move, weights of a product with one row included).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "limits.h"
#include "tensor/backend.h"

enum op { PRODUCT, PRODUCT_PACKED, PRODUCT_HALF, PRODUCT_HALF_PACKED, GRADIENT_X, GRADIENT_W, ATTEND, ATTEND_BACK, DECODE, RMSNORM, RMSNORM_BACK, ROPE, SWIGLU, SWIGLU_BACK, ADD, ADAMW,
	  LOGPROB, LOGPROB_BACK, SAMPLE, SAMPLE_TOP_P };

/* Products: y[m,n] = x[m,k] w[n,k]^T; gradients: dx[m,k] = dy[m,n] w[n,k], dw[n,k] += dy^T x.  Attention: m sequences of n positions, k heads
 * (and k2 key/value heads) of width dim.  Others: m rows of n. */
struct bench {
	const char *name;
	enum op op;
	int64_t m, n, k, k2, dim;
	double target;
};

static const struct bench cases[] = {
	{"product 512 512 512", PRODUCT, 512, 512, 512, .target = .85},
	{"product 1024 1024 1024", PRODUCT, 1024, 1024, 1024, .target = .85},
	{"product 2048 2048 2048", PRODUCT, 2048, 2048, 2048, .target = .85},
	{"0.5b y 512 4864 896", PRODUCT, 512, 4864, 896, .target = .85},
	{"0.5b dx 512 4864 896", GRADIENT_X, 512, 4864, 896, .target = .85},
	{"0.5b dw 512 4864 896", GRADIENT_W, 512, 4864, 896, .target = .85},
	{"0.5b y 512 896 896", PRODUCT, 512, 896, 896, .target = .85},
	{"0.5b head y 64 151936 896", PRODUCT, 64, 151936, 896},
	{"tiny y 4096 768 256", PRODUCT, 4096, 768, 256, .target = .85},
	{"tiny dx 4096 768 256", GRADIENT_X, 4096, 768, 256, .target = .85},
	{"tiny dw 4096 768 256", GRADIENT_W, 4096, 768, 256, .target = .85},
	{"tiny y 4096 256 256", PRODUCT, 4096, 256, 256, .target = .85},
	{"tiny dx 4096 256 256", GRADIENT_X, 4096, 256, 256, .target = .85},
	{"tiny dw 4096 256 256", GRADIENT_W, 4096, 256, 256, .target = .85},
	{"tiny head dx 4096 4096 256", GRADIENT_X, 4096, 4096, 256, .target = .85},
	{"tiny head dw 4096 4096 256", GRADIENT_W, 4096, 4096, 256, .target = .85},
	{"miniature y 4096 320 64", PRODUCT, 4096, 320, 64},
	{"miniature dx 4096 320 64", GRADIENT_X, 4096, 320, 64},
	{"miniature dw 4096 320 64", GRADIENT_W, 4096, 320, 64},
	{"odd y 1000 72 100", PRODUCT, 1000, 72, 100},
	{"rows 1 of 0.5b", PRODUCT_PACKED, 1, 4864, 896, .target = .85},
	{"rows 2 of 0.5b", PRODUCT_PACKED, 2, 4864, 896},
	{"rows 4 of 0.5b", PRODUCT_PACKED, 4, 4864, 896},
	{"rows 8 of 0.5b", PRODUCT_PACKED, 8, 4864, 896},
	{"rows 16 of 0.5b", PRODUCT_PACKED, 16, 4864, 896},
	{"rows 32 of 0.5b", PRODUCT_PACKED, 32, 4864, 896},
	{"rows 64 of 0.5b", PRODUCT_PACKED, 64, 4864, 896, .target = .75},
	{"rows 64 of 0.5b head", PRODUCT_PACKED, 64, 151936, 896, .target = .75},
	{"rows 1 of tiny", PRODUCT_PACKED, 1, 768, 256},
	{"rows 8 of tiny", PRODUCT_PACKED, 8, 768, 256},
	{"rows 64 of tiny", PRODUCT_PACKED, 64, 768, 256, .target = .75},
	{"bf16 y 512 4864 896", PRODUCT_HALF, 512, 4864, 896, .target = .70},
	{"bf16 y 512 896 4864", PRODUCT_HALF, 512, 896, 4864, .target = .70},
	{"bf16 y 512 896 896", PRODUCT_HALF, 512, 896, 896, .target = .70},
	{"bf16 head y 220 151936 896", PRODUCT_HALF, 220, 151936, 896, .target = .70},
	{"bf16 rows 1 of 0.5b", PRODUCT_HALF_PACKED, 1, 4864, 896, .target = .85},
	{"bf16 rows 8 of 0.5b", PRODUCT_HALF_PACKED, 8, 4864, 896},
	{"bf16 rows 64 of 0.5b", PRODUCT_HALF_PACKED, 64, 4864, 896, .target = .70},
	{"bf16 rows 64 of 0.5b head", PRODUCT_HALF_PACKED, 64, 151936, 896, .target = .70},
	{"attention 0.5b 4x128", ATTEND, 4, 128, 14, 2, 64},
	{"attention 0.5b 1x2048", ATTEND, 1, 2048, 14, 2, 64},
	{"attention tiny 32x128", ATTEND, 32, 128, 8, 4, 32},
	{"attention miniature 256x96", ATTEND, 256, 96, 4, 2, 16},
	{"attention back 0.5b 4x128", ATTEND_BACK, 4, 128, 14, 2, 64},
	{"attention back 0.5b 1x2048", ATTEND_BACK, 1, 2048, 14, 2, 64},
	{"attention back tiny 32x128", ATTEND_BACK, 32, 128, 8, 4, 32},
	{"attention back miniature 256x96", ATTEND_BACK, 256, 96, 4, 2, 16},
	{"attention decode 0.5b 64x300", DECODE, 64, 300, 14, 2, 64},
	{"attention decode tiny 64x300", DECODE, 64, 300, 8, 4, 32},
	{"attention decode miniature 64x100", DECODE, 64, 100, 4, 2, 16},
	{"rmsnorm 4096 256", RMSNORM, 4096, 256},
	{"rmsnorm 512 896", RMSNORM, 512, 896},
	{"rmsnorm back 4096 256", RMSNORM_BACK, 4096, 256},
	{"rope 4096 12x32", ROPE, 4096, 0, 12, .dim = 32},
	{"rope 4096 6x16", ROPE, 4096, 0, 6, .dim = 16},
	{"swiglu 4096 768", SWIGLU, 4096, 768},
	{"swiglu back 4096 768", SWIGLU_BACK, 4096, 768},
	{"add 4096 256", ADD, 4096, 256},
	{"adamw 5.8M", ADAMW, 1, 5800000},
	{"adamw 40M", ADAMW, 1, 40000000},
	{"logprob 256 4096", LOGPROB, 256, 4096},
	{"logprob back 256 4096", LOGPROB_BACK, 256, 4096},
	{"sample 8 151936", SAMPLE, 8, 151936},
	{"sample top-p 8 151936", SAMPLE_TOP_P, 8, 151936},
	{"sample 64 320", SAMPLE, 64, 320},
	{"sample top-p 64 320", SAMPLE_TOP_P, 64, 320},
};

static bool one_thread;

static double now(void)
{
	struct timespec t;

	if (!one_thread)
		return clock_seconds();
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(struct backend *be, int64_t n)
{
	float *x = be->alloc(be, (size_t)n * sizeof *x);
	uint32_t r = 1;

	for (int64_t i = 0; i < n; i++) {
		r = r * 1664525 + 1013904223;
		x[i] = (float)((int32_t)r * (2.0 / 4294967296.0));
	}
	return x;
}

/* What a case works on; not all of it in every case */
struct work {
	const struct bench *b;
	float *x, *y, *w, *out, *small;
	int32_t *id;
	struct gemm gemm;
	struct attention attention;
	struct seq *seq;
	struct kv_cache cache;
	struct sampling *how;
	double flops, bytes;            /* of one run */
};

/* Of cpu-bf16, against its peak */
static bool is_half(const struct bench *b)
{
	return b->op == PRODUCT_HALF || b->op == PRODUCT_HALF_PACKED;
}

static void prepare_product(struct work *w, struct backend *be)
{
	const struct bench *b = w->b;
	const int64_t m = b->m, n = b->n, k = b->k;

	w->x = numbers(be, m * k);
	w->w = numbers(be, n * k);
	w->y = numbers(be, m * n);
	w->flops = 2.0 * (double)m * (double)n * (double)k;
	if (b->op != GRADIENT_X && b->op != GRADIENT_W)
		w->gemm = (struct gemm){.m = m, .n = n, .k = k, .a = w->x, .lda = k, .b = w->w, .ldb = k, .trans_b = true, .c = w->y, .ldc = n};
	else if (b->op == GRADIENT_X)
		w->gemm = (struct gemm){.m = m, .n = k, .k = n, .a = w->y, .lda = n, .b = w->w, .ldb = k, .c = w->x, .ldc = k};
	else
		w->gemm = (struct gemm){.m = n, .n = k, .k = m, .a = w->y, .lda = n, .trans_a = true, .b = w->x, .ldb = k, .c = w->w, .ldc = k,
					.accumulate = true};
	if (b->op == PRODUCT_PACKED) {
		w->gemm.packed = backend_pack(be, w->w, n, k, WEIGHT_F32, true);
		w->bytes = 4.0 * (double)(n * k);
	} else if (is_half(b)) {
		w->gemm.packed = backend_pack(be, w->w, n, k, WEIGHT_BF16, b->op == PRODUCT_HALF_PACKED);
		w->bytes = 2.0 * (double)(n * k);
	}
}

static void prepare_attention(struct work *w, struct backend *be)
{
	const struct bench *b = w->b;
	const bool decode = b->op == DECODE;
	const int64_t rows = decode ? b->m : b->m * b->n, width = b->k * b->dim, pages = (b->n + KV_PAGE - 1) / KV_PAGE;
	const double keys = decode ? (double)b->n : (double)(b->n + 1) / 2;
	int32_t *page = xmalloc((size_t)(b->m * pages) * sizeof *page);

	w->attention = (struct attention){.rows = rows, .heads = b->k, .kv_heads = b->k2, .head_dim = b->dim, .scale = 0.1f,
					  .qkv_stride = (b->k + 2 * b->k2) * b->dim, .seqs = b->m};
	w->attention.qkv = w->x = numbers(be, rows * w->attention.qkv_stride);
	w->attention.out = w->out = numbers(be, rows * width);
	w->attention.lse = w->small = numbers(be, rows * b->k);
	w->attention.seq = w->seq = xcalloc((size_t)b->m, sizeof *w->seq);
	for (int64_t i = 0; i < b->m; i++) {
		w->seq[i] = (struct seq){.row = decode ? i : i * b->n, .n = decode ? 1 : (int32_t)b->n, .past = decode ? (int32_t)b->n - 1 : 0,
					 .page = decode ? page + i * pages : NULL};
		for (int64_t p = 0; p < pages; p++)
			page[i * pages + p] = (int32_t)(i * pages + p);
	}
	w->flops = 4 * keys * (double)(rows * width);
	if (decode) {
		w->cache = (struct kv_cache){.layers = 1, .pages = b->m * pages, .k_width = b->k2 * b->dim, .v_width = b->k2 * b->dim};
		w->cache.k = numbers(be, b->m * pages * b->k2 * b->dim * KV_PAGE);
		w->cache.v = numbers(be, b->m * pages * b->k2 * b->dim * KV_PAGE);
		w->attention.cache = &w->cache;
		w->bytes = 8 * keys * (double)(b->m * b->k2 * b->dim);
	}
	if (b->op == ATTEND_BACK) {
		w->y = numbers(be, rows * width);
		w->w = numbers(be, rows * w->attention.qkv_stride);
		w->flops *= 2.5;
		be->attention(be, &w->attention);
	}
}

static void prepare(struct work *w, struct backend *be)
{
	const struct bench *b = w->b;
	const int64_t n = b->m * b->n;

	switch (b->op) {
	case PRODUCT: case PRODUCT_PACKED: case PRODUCT_HALF: case PRODUCT_HALF_PACKED: case GRADIENT_X: case GRADIENT_W:
		prepare_product(w, be);
		return;
	case ATTEND: case ATTEND_BACK: case DECODE:
		prepare_attention(w, be);
		return;
	case ROPE:
		w->x = numbers(be, b->m * b->k * b->dim);
		w->y = numbers(be, b->m * b->dim);
		w->id = (int32_t *)numbers(be, b->m);
		for (int64_t i = 0; i < b->m; i++)
			w->id[i] = (int32_t)i;
		w->bytes = 8.0 * (double)(b->m * b->k * b->dim);
		return;
	default:
		break;
	}
	w->x = numbers(be, 2 * n);
	w->y = numbers(be, 2 * n);
	w->out = numbers(be, 2 * n);
	w->w = numbers(be, n);
	w->small = numbers(be, b->m);
	w->id = (int32_t *)numbers(be, b->m);
	memset(w->id, 0, (size_t)b->m * sizeof *w->id);
	w->how = xcalloc((size_t)b->m, sizeof *w->how);
	for (int64_t i = 0; i < b->m; i++)
		w->how[i] = (struct sampling){.temperature = 0.6f, .top_p = b->op == SAMPLE_TOP_P ? 0.95f : 1, .uniform = 0.37};
	w->bytes = (double)n * (b->op == RMSNORM || b->op == LOGPROB_BACK ? 8 : b->op == SWIGLU || b->op == ADD || b->op == RMSNORM_BACK ? 12
			      : b->op == SWIGLU_BACK ? 20 : b->op == ADAMW ? 28 : 4);
}

static void run(struct work *w, struct backend *be)
{
	const struct bench *b = w->b;

	switch (b->op) {
	case PRODUCT: case PRODUCT_PACKED: case PRODUCT_HALF: case PRODUCT_HALF_PACKED: case GRADIENT_X: case GRADIENT_W:
		be->gemm(be, &w->gemm);
		break;
	case ATTEND: case DECODE:
		be->attention(be, &w->attention);
		break;
	case ATTEND_BACK:
		be->attention_back(be, &w->attention, w->y, w->w);
		break;
	case RMSNORM:
		be->rmsnorm(be, &(struct norm){.rows = b->m, .cols = b->n, .x = w->x, .w = w->w, .rstd = w->small, .eps = 1e-6f}, w->out);
		break;
	case RMSNORM_BACK:
		be->rmsnorm_back(be, &(struct norm){.rows = b->m, .cols = b->n, .x = w->x + b->m * b->n, .w = w->w, .rstd = w->small}, w->x, w->out, w->y, false);
		break;
	case ROPE:
		be->rope(be, &(struct rope){.rows = b->m, .heads = b->k, .head_dim = b->dim, .x = w->x, .out = w->x, .x_stride = b->k * b->dim,
					    .x_head = b->dim, .out_stride = b->k * b->dim, .out_head = b->dim, .position = w->id, .cos_sin = w->y});
		break;
	case SWIGLU:
		be->swiglu(be, w->out, w->x, b->m, b->n, false);
		break;
	case SWIGLU_BACK:
		be->swiglu_back(be, w->out, w->y, w->x, b->m, b->n, false);
		break;
	case ADD:
		be->add(be, w->out, w->x, w->y, b->m * b->n);
		break;
	case ADAMW:
		be->adamw(be, w->w, w->x, w->x + b->n, w->y, b->n, &(struct adamw){1e-9f, .9f, .95f, 1e-8f, .1f, 9, 1});
		break;
	case LOGPROB:
		be->logprob(be, w->x, w->id, 1, w->small, NULL, b->m, b->n);
		break;
	case LOGPROB_BACK:
		be->logprob_back(be, w->x, w->id, 1, w->small, NULL, b->m, b->n, false);
		break;
	case SAMPLE: case SAMPLE_TOP_P:
		be->sample(be, w->x, b->m, b->n, w->how, w->id, w->small);
		break;
	}
}

static void finish(struct work *w, struct backend *be)
{
	be->unpack(be, (struct packed *)w->gemm.packed);
	be->free(be, w->x), be->free(be, w->y), be->free(be, w->w), be->free(be, w->out), be->free(be, w->small), be->free(be, w->id);
	be->free(be, w->cache.k), be->free(be, w->cache.v);
	if (w->seq)
		free((void *)w->seq[0].page);
	free(w->seq), free(w->how);
}

static void measure(const struct bench *b, struct backend *be, const struct limits *l)
{
	struct work w = {.b = b};
	double best = INFINITY, spent = 0, seconds, rate, limit, flops;
	bool memory;
	char target[16] = "";
	int rounds = 0, repeat = 1, i;

	prepare(&w, be);
	run(&w, be);
	while (rounds < 5 || (spent < 0.2 && rounds < 200)) {
		double start = now();

		for (i = 0; i < repeat; i++)
			run(&w, be);
		seconds = (now() - start) / repeat;
		spent += seconds * repeat;
		if (seconds * repeat < 2e-4) {
			repeat *= 2;
			continue;
		}
		best = fmin(best, seconds);
		rounds++;
	}
	flops = is_half(b) && l->half ? l->half : l->flops;
	memory = w.flops == 0 || w.bytes / l->bytes > w.flops / flops;
	rate = (memory ? w.bytes : w.flops) / best;
	limit = memory ? l->bytes : flops;
	if (b->target > 0)
		snprintf(target, sizeof target, "%.0f %%", 100 * b->target);
	printf("%-36s %10.1f us %8.1f %s %6.1f %% of %-9s %s\n", b->name, best * 1e6, rate / 1e9, memory ? "GB/s   " : "GFLOP/s", 100 * rate / limit,
	       memory ? "bandwidth" : is_half(b) && l->half ? "bf16 peak" : "fp32 peak", target);
	fflush(stdout);
	finish(&w, be);
}

int main(int argc, char **argv)
{
	struct limits l;
	struct backend *be, *half;
	size_t i;
	int a, first = 1;

	if (argc > 1 && !strcmp(argv[1], "-1"))
		one_thread = true, first = 2;
	l = limits_measure(one_thread ? 1 : 0, now);
	be = backend_cpu_new(one_thread ? 1 : 0);
	half = backend_bf16_new(one_thread ? 1 : 0);
	printf("%s; fp32 peak %.0f GFLOP/s, bandwidth %.1f GB/s\n%s; bf16 peak %.0f GFLOP/s\n", be->what, l.flops / 1e9, l.bytes / 1e9, half->what,
	       (l.half ? l.half : l.flops) / 1e9);
	printf("%-36s %13s %16s  share of the limit  target\n", "case", "time", "speed");
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool wanted = argc == first;

		for (a = first; a < argc; a++)
			wanted = wanted || strstr(cases[i].name, argv[a]);
		if (wanted)
			measure(&cases[i], is_half(&cases[i]) ? half : be, &l);
	}
	backend_close(be);
	backend_close(half);
	return 0;
}
