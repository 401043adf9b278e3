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

/* n bfloat16 numbers of either sign: with zeros a GPU takes less power and runs faster. */
static void fill(struct backend *be, void *to, size_t n)
{
	enum { DRAWN = 1 << 20 };
	uint16_t *drawn = xmalloc(DRAWN * sizeof *drawn);
	uint32_t x = 1;

	for (size_t i = 0; i < DRAWN; i++) {
		float f;
		uint32_t bits;

		x = x * 1664525 + 1013904223;
		f = (float)((int32_t)x * (0.04 / 4294967296.0));
		memcpy(&bits, &f, sizeof bits);
		drawn[i] = (uint16_t)(bits >> 16);
	}
	for (size_t i = 0; i < n; i += DRAWN)
		be->upload(be, (uint16_t *)to + i, drawn, (n - i < DRAWN ? n - i : DRAWN) * sizeof *drawn);
	free(drawn);
}

static double product_rate(struct backend *be)
{
	const int64_t m = 8192, n = 32768, k = 4096;
	struct packed *w = be->pack(be, n, k, WEIGHT_BF16, false);
	void *a = be->alloc(be, (size_t)(m * k) * 2), *c = be->alloc(be, (size_t)(m * n) * 2);
	double best = INFINITY;

	fill(be, a, (size_t)(m * k));
	fill(be, w->data, (size_t)(n * k));
	for (int round = 0; round < 6; round++) {
		double start = clock_seconds();

		for (int i = 0; i < 4; i++)
			be->gemm(be, &(struct gemm){.m = m, .n = n, .k = k, .a = a, .a_half = true, .lda = k, .trans_b = true, .c = c,
							  .c_half = true, .ldc = n, .packed = w});
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
	printf("%-6s %-34s needs %.1f GiB; %.1f free\n", s->name, what, gib(bytes), gib((double)be->room(be)));
	return false;
}

static void bench_decode(const struct shape *s, struct backend *be, const struct peaks *p, int64_t seqs, int64_t past, double top_p)
{
	const double cache = (double)((seqs + 1) * (2 * past + 512) + seqs * KV_PAGE) * (double)(2 * s->L * s->G * s->D) * 2;
	double flops, bytes, seconds;
	char what[64];

	snprintf(what, sizeof what, "decode, %lld of %lld tokens%s", (long long)seqs, (long long)past, top_p < 1 ? ", top-p" : "");
	if (!fits(be, s, what, cache + 2.2 * weights_of(s)))
		return;
	seconds = decode(s, be, "bfloat16", seqs, past, false, top_p, &flops, &bytes);
	printf("%-6s %-34s %10.0f tok/s  %5.1f %% of bandwidth  %5.1f %% of the peak\n", s->name, what, (double)seqs / seconds,
	       100 * bytes / seconds / p->bytes, 100 * flops / seconds / p->flops);
	fflush(stdout);
}

/* Weights in 16 + 16 bits, gradients, two moments, and a pass */
static double trainer_bytes(const struct shape *s, struct backend *be, bool recompute)
{
	struct config c = config_of(s, "bfloat16");
	const double bytes = 16 * weights_of(s) + PASS_COPIES * (double)pass_measure(&c, be, s->train_seqs * s->train_len, recompute ? PASS_RECOMPUTES : 0);

	js_free(c.json);
	return bytes;
}

static void bench_train(const struct shape *s, struct backend *be, const struct peaks *p, bool recompute)
{
	const double rows = (double)(s->train_seqs * s->train_len);
	const char *what = recompute ? "training step, recomputing" : "training step";
	double flops, seconds;

	if (!fits(be, s, what, trainer_bytes(s, be, recompute)))
		return;
	seconds = train(s, be, "bfloat16", recompute, &flops);
	printf("%-6s %-34s %10.0f tok/s  %5.1f %% MFU\n", s->name, what, rows / seconds, 100 * flops / seconds / p->flops);
	fflush(stdout);
}

/* Tokens that were sampled, a second of sampling and updating */
static void bench_grpo(const struct shape *s, struct backend *be, const struct peaks *p)
{
	struct grpo g = {.questions = 8, .group = 16, .prompt = 64, .completion = 512};
	const int64_t n = g.questions * g.group, len = g.prompt + g.completion;
	const bool recompute = trainer_bytes(s, be, false) > (double)be->room(be);
	double sampling, update;
	char what[64];

	snprintf(what, sizeof what, "GRPO step, %d x %d of %d", (int)g.questions, (int)g.group, (int)g.completion);
	if (!fits(be, s, what, trainer_bytes(s, be, recompute)))
		return;
	g.id = xcalloc((size_t)(n * len), sizeof *g.id);
	sampling = grpo_sample(s, be, "bfloat16", &g);
	update = grpo_update(s, be, "bfloat16", recompute, &g);
	free(g.id);
	printf("%-6s %-34s %10.0f tok/s  %5.1f %% of it sampling; update %.1f %% MFU\n", s->name, what, (double)(n * g.completion) / (sampling + update),
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
		bench_decode(s, be, &p, 1, 64, 1);
		bench_decode(s, be, &p, 8, 512, 1);
		bench_decode(s, be, &p, 64, 512, 1);
		bench_decode(s, be, &p, 64, 512, 0.95);
		bench_decode(s, be, &p, 512, 1024, 1);
		bench_train(s, be, &p, false);
		bench_train(s, be, &p, true);
		bench_grpo(s, be, &p);
	}
	backend_close(be);
	return 0;
}
