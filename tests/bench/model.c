/* model.c - whole models against the machine's limits: decoding and training at three shapes, random weights, kept and computed in fp32 or bf16
 *
 * Usage: model [SHAPE...]   (miniature, tiny, 0.5b; all if none is named)
 *
 * Limits are measured in the same run, on all cores: the peak of fused multiply-adds (and of their like for bfloat16, where the processor has
 * them: cpu-bf16's limit there, else fp32's) by a loop of nothing else, and the memory bandwidth by the
 * best of a read and a triad over arrays far larger than any cache. A row's work is counted as its mathematics needs it: 2 operations for
 * each weight of a product and token (6 in training: forward, and two products of the same size backward), attention's products of the
 * positions that are there, weights read once for each decoding step.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "models.h"

static const struct shape shapes[] = {
	{"miniature", 64, 3, 4, 2, 16, 160, 320, 256, 96},
	{"tiny", 256, 6, 8, 4, 32, 768, 4096, 32, 128},
	{"0.5b", 896, 24, 14, 2, 64, 4864, 151936, 4, 128},
};

/* Seconds for the rows of a prompt alone, the shape's training batch, in one pass forward. */
static double prompt(const struct shape *s, struct backend *be, const char *dtype, double *flops)
{
	struct model *m = random_model(s, be, MODEL_SCORE, dtype);
	struct tape t = tape_new(be);
	const int64_t n = s->train_seqs, len = s->train_len, rows = n * len;
	int32_t *id = xmalloc((size_t)(rows + n) * sizeof *id);
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	double best = INFINITY;
	int64_t i;

	for (i = 0; i < rows + n; i++)
		id[i] = (int32_t)(i * 7919 % s->V);
	for (i = 0; i < n; i++)
		ex[i] = (struct example){id + i * (len + 1), len + 1, 1, 1};
	for (int round = 0; round < 4; round++) {
		double start = clock_seconds();

		pass_forward(m, &t, ex, n, false);
		best = fmin(best, clock_seconds() - start);
		tape_reset(&t);
	}
	*flops = 2 * (double)rows * weights_of(s) + 4.0 / 2 * (double)(rows * len * s->L * s->H * s->D);
	tape_free(&t);
	model_free(m);
	free(id);
	free(ex);
	return best;
}

/* ---- the table ---- */

static void row(const char *shape, const char *what, double rate, double limit, const char *of, double target)
{
	char wanted[16] = "";

	if (target > 0)
		snprintf(wanted, sizeof wanted, "%.0f %%", 100 * target);
	printf("%-10s %-26s %10.0f tok/s  %5.1f %% of %-9s %s\n", shape, what, rate, 100 * limit, of, wanted);
	fflush(stdout);
}

static void bench_decode(const struct shape *s, struct backend *be, const struct limits *l, const char *dtype, int64_t seqs, double target)
{
	double flops, bytes, seconds = decode(s, be, dtype, seqs, 64, true, 1, &flops, &bytes);
	bool memory = seqs == 1;        /* weights are read for each token; with more sequences products decide */
	char what[64];

	snprintf(what, sizeof what, "decode, %lld sequence%s%s", (long long)seqs, seqs == 1 ? "" : "s", strcmp(dtype, "float32") ? ", bf16" : "");
	row(s->name, what, (double)seqs / seconds, memory ? bytes / seconds / l->bytes : flops / seconds / l->flops,
	    memory ? "bandwidth" : "fp32 peak", target);
}

/* The rows of cpu-bf16 */
static void bench_half(const struct shape *s, const struct limits *l)
{
	struct backend *be = backend_bf16_new(0);
	const double tokens = (double)(s->train_seqs * s->train_len), peak = l->half ? l->half : l->flops;
	const char *of = l->half ? "bf16 peak" : "fp32 peak";
	double flops, bytes, seconds;

	printf("%s; %s %.0f GFLOP/s\n", be->what, of, peak / 1e9);
	seconds = decode(s, be, "bfloat16", 1, 64, true, 1, &flops, &bytes);
	row(s->name, "cpu-bf16: decode, 1 seq.", 1 / seconds, bytes / seconds / l->bytes, "bandwidth", l->half ? .85 : 0);
	seconds = decode(s, be, "bfloat16", 64, 64, true, 1, &flops, &bytes);
	row(s->name, "cpu-bf16: decode, 64 seqs.", 64 / seconds, flops / seconds / peak, of, 0);
	seconds = prompt(s, be, "bfloat16", &flops);
	row(s->name, "cpu-bf16: prompts", tokens / seconds, flops / seconds / peak, of, l->half ? .70 : 0);
	seconds = train(s, be, "bfloat16", false, &flops);
	row(s->name, "cpu-bf16: training step", tokens / seconds, flops / seconds / peak, of, 0);
	backend_close(be);
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	struct limits l = limits_measure(0, clock_seconds);
	struct backend *be = backend_cpu_new(0);
	size_t i;

	printf("%s; fp32 peak %.0f GFLOP/s, bandwidth %.1f GB/s\n", be->what, l.flops / 1e9, l.bytes / 1e9);
	printf("%-10s %-26s %16s  %20s  target\n", "shape", "case", "speed", "share of the limit");
	for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const struct shape *s = &shapes[i];
		double flops, seconds;
		bool half = !strcmp(s->name, "0.5b"), tiny = !strcmp(s->name, "tiny");

		if (!wanted(s->name, argc, argv))
			continue;
		bench_decode(s, be, &l, "float32", 1, half ? .85 : 0);
		if (half)
			bench_decode(s, be, &l, "bfloat16", 1, .85);
		bench_decode(s, be, &l, "float32", 8, 0);
		if (half)
			bench_decode(s, be, &l, "bfloat16", 8, 0);
		bench_decode(s, be, &l, "float32", 64, half ? .60 : tiny ? .25 : 0);
		if (half)
			bench_decode(s, be, &l, "bfloat16", 64, .60);
		seconds = train(s, be, "float32", false, &flops);
		row(s->name, "training step", (double)(s->train_seqs * s->train_len) / seconds, flops / seconds / l.flops, "fp32 peak",
		    half || tiny ? .65 : 0);
		if (half) {
			seconds = train(s, be, "bfloat16", false, &flops);
			row(s->name, "training step, bf16", (double)(s->train_seqs * s->train_len) / seconds, flops / seconds / l.flops, "fp32 peak", 0);
			bench_half(s, &l);
		}
	}
	backend_close(be);
	return 0;
}
