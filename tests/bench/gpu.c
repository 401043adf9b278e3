/* gpu.c - whole models on --backend cuda against the device's limits: decoding, training, a step of GRPO; random weights
 * of bfloat16
 *
 * Usage: gpu [SHAPE...]   (0.5b, 1.5b, 7b; all if none is named)
 *
 * Limits are measured in the same run, by the backend itself: the memory bandwidth by copies on the device (bytes read and written), the peak
 * by one large product of bfloat16. Work is counted as in model.c.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models.h"

static const struct shape shapes[] = {
	{"0.5b", 896, 24, 14, 2, 64, 4864, 151936, 4, 4096},
	{"1.5b", 1536, 28, 12, 2, 128, 8960, 151936, 4, 4096},
	{"7b", 3584, 28, 28, 4, 128, 18944, 152064, 1, 4096},
};

struct peaks {
	double flops, bytes;            /* a second */
};

/* Waits for what was put on the list. */
static void wait_for(struct backend *be, const float *x)
{
	float one;

	be->download(be, &one, x, sizeof one);
}

static double copy_rate(struct backend *be)
{
	const size_t n = (size_t)1 << 30;
	char *a = be->alloc(be, n), *b = be->alloc(be, n);
	double best = INFINITY;

	be->zero(be, a, n);
	for (int round = 0; round < 6; round++) {
		double start = clock_seconds();

		for (int i = 0; i < 8; i++)
			be->copy(be, b, a, n);
		wait_for(be, (float *)b);
		best = fmin(best, (clock_seconds() - start) / 8);
	}
	be->free(be, a);
	be->free(be, b);
	return 2 * (double)n / best;
}

static double product_rate(struct backend *be)
{
	const int64_t m = 8192, n = 32768, k = 4096;
	struct packed *w = be->pack(be, n, k, WEIGHT_BF16, false);
	float *a = be->alloc(be, (size_t)(m * k) * sizeof *a), *c = be->alloc(be, (size_t)(m * n) * sizeof *c);
	double best = INFINITY;

	be->zero(be, a, (size_t)(m * k) * sizeof *a);
	be->zero(be, w->data, (size_t)(n * k) * 2);
	for (int round = 0; round < 6; round++) {
		double start = clock_seconds();

		for (int i = 0; i < 4; i++)
			be->gemm(be, &(struct gemm){.m = m, .n = n, .k = k, .a = a, .lda = k, .trans_b = true, .c = c, .ldc = n, .packed = w});
		wait_for(be, c);
		best = fmin(best, (clock_seconds() - start) / 4);
	}
	be->unpack(be, w);
	be->free(be, a);
	be->free(be, c);
	return 2.0 * (double)(m * n) * (double)k / best;
}

static double gib(double bytes)
{
	return bytes / 0x1p30;
}

/* Whether so many bytes are free; says so if not. */
static bool fits(struct backend *be, const struct shape *s, const char *what, double bytes)
{
	if (bytes < (double)be->room(be))
		return true;
	printf("%-6s %-28s needs %.1f GiB; %.1f free\n", s->name, what, gib(bytes), gib((double)be->room(be)));
	return false;
}

static void bench_decode(const struct shape *s, struct backend *be, const struct peaks *p, int64_t seqs, int64_t past)
{
	const double cache = (double)((seqs + 1) * (past + 512) + seqs * KV_PAGE) * (double)(2 * s->L * s->G * s->D) * 2;
	double flops, bytes, seconds;
	char what[64];

	snprintf(what, sizeof what, "decode, %lld of %lld tokens", (long long)seqs, (long long)past);
	if (!fits(be, s, what, cache + 2.2 * weights_of(s)))
		return;
	seconds = decode(s, be, "bfloat16", seqs, past, &flops, &bytes);
	printf("%-6s %-28s %10.0f tok/s  %5.1f %% of bandwidth  %5.1f %% of the peak\n", s->name, what, (double)seqs / seconds,
	       100 * bytes / seconds / p->bytes, 100 * flops / seconds / p->flops);
	fflush(stdout);
}

static void bench_train(const struct shape *s, struct backend *be, const struct peaks *p)
{
	const double rows = (double)(s->train_seqs * s->train_len);
	double flops, seconds;

	/* weights in 16 + 16 bits, gradients, two moments; activations of about 34 C + 8 F floats a layer and token */
	if (!fits(be, s, "training step", 16 * weights_of(s) + 4 * rows * (double)(s->L * (10 * s->C + 5 * s->F))))
		return;
	seconds = train(s, be, "bfloat16", &flops);
	printf("%-6s %-28s %10.0f tok/s  %5.1f %% MFU\n", s->name, "training step", rows / seconds, 100 * flops / seconds / p->flops);
	fflush(stdout);
}

/* Tokens that were sampled, a second of sampling and updating */
static void bench_grpo(const struct shape *s, struct backend *be, const struct peaks *p)
{
	struct grpo g = {.questions = 8, .group = 16, .prompt = 64, .completion = 512};
	const int64_t n = g.questions * g.group, len = g.prompt + g.completion;
	double sampling, update;
	char what[64];

	snprintf(what, sizeof what, "GRPO step, %d x %d of %d", (int)g.questions, (int)g.group, (int)g.completion);
	if (!fits(be, s, what, 16 * weights_of(s) + 4 * (double)(s->train_seqs * s->train_len * s->L * (10 * s->C + 5 * s->F))))
		return;
	g.id = xcalloc((size_t)(n * len), sizeof *g.id);
	sampling = grpo_sample(s, be, "bfloat16", &g);
	update = grpo_update(s, be, "bfloat16", &g);
	free(g.id);
	printf("%-6s %-28s %10.0f tok/s  %5.1f %% of it sampling; update %.1f %% MFU\n", s->name, what, (double)(n * g.completion) / (sampling + update),
	       100 * sampling / (sampling + update), 100 * train_flops(s, (double)(n * len), (double)len) / update / p->flops);
	fflush(stdout);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	struct err e;
	struct backend *be = backend_open("cuda", 0, &e);
	struct peaks p;

	if (!be) {
		fprintf(stderr, "bench-gpu: nothing was measured: %s\n", e.msg);
		return 77;
	}
	p = (struct peaks){product_rate(be), copy_rate(be)};
	printf("%s; bf16 product %.0f TFLOP/s, copy %.2f TB/s\n", be->what, p.flops / 1e12, p.bytes / 1e12);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const struct shape *s = &shapes[i];

		if (!wanted(s->name, argc, argv))
			continue;
		bench_decode(s, be, &p, 1, 64);
		bench_decode(s, be, &p, 64, 512);
		bench_decode(s, be, &p, 512, 1024);
		bench_train(s, be, &p);
		bench_grpo(s, be, &p);
	}
	backend_close(be);
	return 0;
}
