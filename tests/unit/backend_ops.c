/* Everything that is not a matrix product, attention or sampling: values and gradients against references in double (whose own gradients are
 * finite differences), and the same bits on all instruction sets and threads. Of bfloat16: what float32 gives on the same numbers. */
#include "backend_util.h"

static uint64_t bits;           /* of everything that a backend computed */

static void note(const float *x, int64_t n)
{
	bits = hash_mix(bits, bits_hash(x, n));
}

/* d sum(weight * f(x)) / dx[i] by central differences; f writes `out` values for row `x` */
typedef void function(double *out, const double *x, int64_t n, const double *more);

static void differences(function *f, double *dx, double *x, int64_t n, int64_t n_out, const double *weight, const double *more)
{
	double *out = xmalloc((size_t)n_out * sizeof *out);
	int64_t i, j;

	for (i = 0; i < n; i++) {
		const double keep = x[i], h = 1e-5;
		double sum = 0;
		int sign;

		for (sign = -1; sign <= 1; sign += 2) {
			x[i] = keep + sign * h;
			f(out, x, n, more);
			for (j = 0; j < n_out; j++)
				sum += sign * weight[j] * out[j];
		}
		x[i] = keep;
		dx[i] = sum / (2 * h);
	}
	free(out);
}

static double *doubles(const float *x, int64_t n)
{
	double *y = xmalloc((size_t)n * sizeof *y);
	int64_t i;

	for (i = 0; i < n; i++)
		y[i] = x[i];
	return y;
}

#define EPS 1e-6

static void rmsnorm_reference(double *out, const double *x, int64_t n, const double *w)
{
	double sum = 0;
	int64_t i;

	for (i = 0; i < n; i++)
		sum += x[i] * x[i];
	for (i = 0; i < n; i++)
		out[i] = x[i] / sqrt(sum / (double)n + EPS) * w[i];
}

static void check_rmsnorm(struct backend *be, int64_t rows, int64_t cols, bool accumulate)
{
	float *x = random_floats(be, rows * cols, 2), *w = random_floats(be, cols, 1), *dout = random_floats(be, rows * cols, 1);
	float *out = random_floats(be, rows * cols, 1), *rstd = random_floats(be, rows, 1), *dx = random_floats(be, rows * cols, 1);
	float *dw = random_floats(be, cols, 1), *again = random_floats(be, rows * cols, 1);
	double *xd = doubles(x, rows * cols), *wd = doubles(w, cols), *dd = doubles(dout, rows * cols), *dwd = doubles(dw, cols);
	double *want = xmalloc((size_t)cols * sizeof *want), *dxd = doubles(dx, rows * cols);
	struct norm n = {.rows = rows, .cols = cols, .x = x, .w = w, .eps = EPS};
	int64_t i, j;

	be->rmsnorm(be, &n, again);
	n.rstd = rstd;
	be->rmsnorm(be, &n, out);
	CHECK_MEM(again, rows * cols * 4, out, rows * cols * 4);
	be->rmsnorm_back(be, &n, dout, dx, dw, accumulate);
	for (i = 0; i < rows; i++) {
		rmsnorm_reference(want, xd + i * cols, cols, wd);
		CHECK_CLOSE(out + i * cols, want, cols, 1e-6);
		for (j = 0; j < cols; j++)
			dwd[j] += dd[i * cols + j] * want[j] / wd[j];
		if (i < 3) {
			differences(rmsnorm_reference, want, xd + i * cols, cols, cols, dd + i * cols, wd);
			for (j = 0; j < cols; j++)
				want[j] += accumulate ? dxd[i * cols + j] : 0;
			CHECK_CLOSE(dx + i * cols, want, cols, 3e-6);
		}
	}
	CHECK_CLOSE(dw, dwd, cols, 3e-6);
	note(out, rows * cols);
	note(rstd, rows);
	note(dx, rows * cols);
	note(dw, cols);
	be->free(be, x), be->free(be, w), be->free(be, dout), be->free(be, out), be->free(be, rstd), be->free(be, dx), be->free(be, dw);
	be->free(be, again);
	free(xd), free(wd), free(dd), free(dwd), free(want), free(dxd);
}

static void check_rope(struct backend *be, int64_t rows, int64_t heads, int64_t dim, bool interleaved)
{
	const int64_t half = dim / 2, stride = heads * dim + 5, positions = 40;
	float *x = random_floats(be, rows * stride, 1), *table = random_floats(be, positions * dim, 1), *y = copy_floats(be, x, rows * stride);
	float *z = random_floats(be, rows * heads * (dim + 1), 1);
	int32_t *at = be->alloc(be, (size_t)rows * sizeof *at);
	struct rope r = {.rows = rows, .heads = heads, .head_dim = dim, .x = y, .out = y, .x_stride = stride, .x_head = dim,
			 .out_stride = stride, .out_head = dim, .position = at, .cos_sin = table, .interleaved = interleaved};
	double *want = doubles(x, rows * stride), *back = doubles(x, rows * stride);
	int64_t i, h, j;

	for (i = 0; i < positions; i++)
		for (j = 0; j < half; j++) {
			const double angle = (double)i * pow(10000, -2.0 * (double)j / (double)dim);

			table[i * dim + j] = (float)cos(angle);
			table[i * dim + half + j] = (float)sin(angle);
		}
	for (i = 0; i < rows; i++) {
		at[i] = (int32_t)below(positions);
		for (h = 0; h < heads; h++)
			for (j = 0; j < half; j++) {
				const double angle = at[i] * pow(10000, -2.0 * (double)j / (double)dim);
				double *a = want + i * stride + h * dim + (interleaved ? 2 * j : j), *b = a + (interleaved ? 1 : half), t = *a;

				*a = t * cos(angle) - *b * sin(angle);
				*b = *b * cos(angle) + t * sin(angle);
			}
	}
	be->rope(be, &r);
	CHECK_CLOSE(y, want, rows * stride, 1e-6);
	for (i = 0; i < rows; i++)
		CHECK_MEM(y + i * stride + heads * dim, 5 * 4, x + i * stride + heads * dim, 5 * 4);
	note(y, rows * stride);
	r.out = z;                                              /* the same to another place, where the heads lie apart */
	r.x = x;
	r.out_stride = heads * (dim + 1);
	r.out_head = dim + 1;
	be->rope(be, &r);
	for (i = 0; i < rows; i++)
		for (h = 0; h < heads; h++)
			CHECK_MEM(z + (i * heads + h) * (dim + 1), dim * 4, y + i * stride + h * dim, dim * 4);
	r.x = r.out = y;
	r.out_stride = stride;
	r.out_head = dim;
	r.inverse = true;
	be->rope(be, &r);
	CHECK_CLOSE(y, back, rows * stride, 1e-6);
	note(y, rows * stride);
	be->free(be, x), be->free(be, y), be->free(be, z), be->free(be, table), be->free(be, at);
	free(want), free(back);
}

/* x: the gate's row, then up's */
static void swiglu_reference(double *out, const double *x, int64_t n, const double *more)
{
	int64_t i;

	(void)more;
	for (i = 0; i < n / 2; i++)
		out[i] = x[i] / (1 + exp(-x[i])) * x[n / 2 + i];
}

static void check_swiglu(struct backend *be, int64_t rows, int64_t cols)
{
	float *x = random_floats(be, rows * 2 * cols, 6), *out = random_floats(be, rows * cols, 1), *dx = random_floats(be, rows * 2 * cols, 1);
	float *dout = random_floats(be, rows * cols, 1);
	double *xd, *dd = doubles(dout, rows * cols), *want = xmalloc((size_t)(2 * cols) * sizeof *want);
	int64_t i;

	if (cols > 2) {                         /* e^-x underflows, overflows */
		x[0] = 200;
		x[1] = -200;
	}
	xd = doubles(x, rows * 2 * cols);
	be->swiglu(be, out, x, rows, cols, false);
	be->swiglu_back(be, dx, dout, x, rows, cols, false);
	for (i = 0; i < rows; i++) {
		swiglu_reference(want, xd + i * 2 * cols, 2 * cols, NULL);
		CHECK_CLOSE(out + i * cols, want, cols, 1e-6);
		if (i >= 3)
			continue;
		differences(swiglu_reference, want, xd + i * 2 * cols, 2 * cols, cols, dd + i * cols, NULL);
		CHECK_CLOSE(dx + i * 2 * cols, want, 2 * cols, 1e-6);
	}
	note(out, rows * cols);
	note(dx, rows * 2 * cols);
	be->free(be, x), be->free(be, out), be->free(be, dx), be->free(be, dout);
	free(xd), free(dd), free(want);
}

/* more: inverse temperature, target. out: logprob, entropy */
static void logprob_reference(double *out, const double *x, int64_t n, const double *more)
{
	double max = -INFINITY, sum = 0, dot = 0;
	int64_t i;

	for (i = 0; i < n; i++)
		max = fmax(max, x[i] * more[0]);
	for (i = 0; i < n; i++) {
		sum += exp(x[i] * more[0] - max);
		if (x[i] > -INFINITY)
			dot += exp(x[i] * more[0] - max) * (x[i] * more[0] - max);
	}
	out[0] = x[(int64_t)more[1]] * more[0] - max - log(sum);
	out[1] = log(sum) - dot / sum;
}

static void check_logprob(struct backend *be, int64_t rows, int64_t vocab, float by, bool entropy, double size)
{
	float *x = random_floats(be, rows * vocab, size), *lp = random_floats(be, rows, 1), *ent = random_floats(be, rows, 1);
	float *dlp = random_floats(be, rows, 1), *dent = random_floats(be, rows, 1);
	int32_t *target = be->alloc(be, (size_t)rows * sizeof *target);
	double *xd = doubles(x, rows * vocab), *want = xmalloc((size_t)vocab * sizeof *want);
	int64_t i;

	for (i = 0; i < rows; i++)
		target[i] = (int32_t)below(vocab);
	be->logprob(be, x, target, by, lp, entropy ? ent : NULL, rows, vocab);
	note(lp, rows);
	if (entropy)
		note(ent, rows);
	be->logprob_back(be, x, target, by, dlp, entropy ? dent : NULL, rows, vocab, false);
	note(x, rows * vocab);
	for (i = 0; i < rows; i++) {
		double more[2] = {by, target[i]}, y[2], weight[2] = {dlp[i], entropy ? dent[i] : 0};

		logprob_reference(y, xd + i * vocab, vocab, more);
		CHECK_NEAR(lp[i], y[0], (exact(be) ? 1e-6 : 5e-6) + 1e-7 * fabs(y[0]));
		if (entropy)
			CHECK_NEAR(ent[i], y[1], exact(be) ? 3e-6 : 1e-5);
		if (i >= 2 || vocab > 1000)
			continue;
		differences(logprob_reference, want, xd + i * vocab, vocab, 2, weight, more);
		CHECK_CLOSE(x + i * vocab, want, vocab, 1e-5);
	}
	be->free(be, x), be->free(be, lp), be->free(be, ent), be->free(be, dlp), be->free(be, dent), be->free(be, target);
	free(xd), free(want);
}

/* Tokens that are forbidden (minus infinity) have no part in it. */
static void check_forbidden(struct backend *be)
{
	enum { V = 21 };
	float *x = random_floats(be, V, 1), *few = random_floats(be, V - 2, 1), *y = random_floats(be, 4, 1), *d = random_floats(be, 2, 1);
	int32_t *target = be->alloc(be, sizeof *target);
	int i, j;

	for (i = j = 0; i < V; i++)
		if (i == 3 || i == 18)
			x[i] = -INFINITY;
		else
			few[j++] = x[i];
	target[0] = 0;
	d[0] = 1;
	d[1] = 0.5f;
	be->logprob(be, x, target, 1, &y[0], &y[1], 1, V);
	be->logprob(be, few, target, 1, &y[2], &y[3], 1, V - 2);
	CHECK_NEAR(y[0], y[2], 1e-6);
	CHECK_NEAR(y[1], y[3], 1e-6);
	be->logprob_back(be, x, target, 1, &d[0], &d[1], 1, V, false);
	be->logprob_back(be, few, target, 1, &d[0], &d[1], 1, V - 2, false);
	for (i = j = 0; i < V; i++)
		CHECK_NEAR(x[i], i == 3 || i == 18 ? 0 : few[j++], 1e-6);
	be->free(be, x), be->free(be, few), be->free(be, target), be->free(be, y), be->free(be, d);
}

static void check_embed(struct backend *be, int64_t rows, int64_t cols, int64_t vocab)
{
	float *table = random_floats(be, vocab * cols, 1), *out = random_floats(be, rows * cols, 1), *dtable = random_floats(be, vocab * cols, 1);
	float *want = copy_floats(be, dtable, vocab * cols);
	int32_t *id = be->alloc(be, (size_t)rows * sizeof *id);
	int64_t i, j;

	for (i = 0; i < rows; i++)
		id[i] = (int32_t)below(vocab);
	be->embed(be, out, table, id, rows, cols);
	for (i = 0; i < rows; i++)
		CHECK_MEM(out + i * cols, cols * 4, table + id[i] * cols, cols * 4);
	be->embed_back(be, dtable, out, id, rows, cols, vocab);
	for (i = 0; i < rows; i++)
		for (j = 0; j < cols; j++)
			want[id[i] * cols + j] += out[i * cols + j];
	CHECK_MEM(dtable, vocab * cols * 4, want, vocab * cols * 4);    /* in the order of the rows: to the bit */
	be->free(be, table), be->free(be, out), be->free(be, dtable), be->free(be, want), be->free(be, id);
}

static void check_sums(struct backend *be, int64_t rows, int64_t cols)
{
	const int64_t n = rows * cols;
	float *x = random_floats(be, n, 1), *y = random_floats(be, n, 1), *out = random_floats(be, n, 1), *db = random_floats(be, cols, 1);
	double *want = doubles(db, cols), sum, *part = xmalloc((size_t)(n / SQUARES + 1) * sizeof *part);
	float squares;
	int64_t i, j;

	be->bias_back(be, db, x, rows, cols, false);
	for (i = 0; i < rows; i++)
		for (j = 0; j < cols; j++)
			want[j] += x[i * cols + j];
	CHECK_CLOSE(db, want, cols, 1e-6);
	note(db, cols);
	be->squares(be, x, n, part);
	for (j = 0; j * SQUARES < n; j++) {
		for (sum = 0, i = j * SQUARES; i < n && i < (j + 1) * SQUARES; i++)
			sum += (double)x[i] * x[i];
		CHECK_NEAR(part[j], sum, 1e-13 * sum);
		squares = (float)(part[j] * 1e6);
		note(&squares, 1);
	}
	free(part);
	be->add(be, out, x, y, n);
	for (i = 0; i < n; i++)
		CHECK(out[i] == x[i] + y[i]);
	be->add(be, out, out, out, n);
	be->scale(be, out, -0.25f, n);
	for (i = 0; i < n; i++)
		CHECK(out[i] == -0.5f * (x[i] + y[i]));
	be->copy(be, y, x, (size_t)n * 4);
	CHECK_MEM(y, n * 4, x, n * 4);
	be->zero(be, y, (size_t)n * 4);
	for (i = 0; i < n; i++)
		CHECK(y[i] == 0);
	be->free(be, x), be->free(be, y), be->free(be, out), be->free(be, db);
	free(want);
}

static void check_adamw(struct backend *be, int64_t n)
{
	float *w = random_floats(be, n, 1), *m = random_floats(be, n, 0.1), *v = random_floats(be, n, 0.1), *g = random_floats(be, n, 1);
	double *wd = doubles(w, n), *md, *vd;
	struct adamw o = {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.1f, .step = 7, .grad_scale = 0.5f};
	int64_t i;

	for (i = 0; i < n; i++)
		v[i] = fabsf(v[i]) + 1e-4f;
	md = doubles(m, n);
	vd = doubles(v, n);
	be->adamw(be, w, m, v, g, n, &o);
	for (i = 0; i < n; i++) {
		const double b1 = o.beta1, b2 = o.beta2, gd = g[i] * 0.5;

		md[i] = b1 * md[i] + (1 - b1) * gd;
		vd[i] = b2 * vd[i] + (1 - b2) * gd * gd;
		wd[i] -= o.lr * (md[i] / (1 - pow(b1, 7)) / (sqrt(vd[i] / (1 - pow(b2, 7))) + o.eps) + o.weight_decay * wd[i]);
	}
	CHECK_CLOSE(w, wd, n, 1e-6);
	CHECK_CLOSE(m, md, n, 1e-6);
	CHECK_CLOSE(v, vd, n, 1e-6);
	note(w, n), note(m, n), note(v, n);
	be->free(be, w), be->free(be, m), be->free(be, v), be->free(be, g);
	free(wd), free(md), free(vd);
}

/* Another backend's AdamW rounds what the CPU's does, and draws the same random numbers: the same bits. */
static void check_mixed_bits(const struct mixed *got, const struct mixed *before, int64_t n, const struct adamw *o)
{
	struct backend *cpu = backend_cpu_new(1);
	uint16_t *room = xaligned((size_t)n * 4 * sizeof *room + 64);
	struct mixed x = {.half = room, .low = room + n, .m16 = room + 2 * n, .v16 = room + 3 * n, .g = got->g, .seed = got->seed, .first = got->first};

	memcpy(room, before->half, (size_t)n * 4 * sizeof *room);
	cpu->adamw_mixed(cpu, &x, n, o);
	CHECK_MEM((char *)got->half, n * 8, (char *)room, n * 8);
	free(room);
	backend_close(cpu);
}

/* AdamW on parts in 16 bits gives what it gives on the float32 numbers (tests/unit/optimizer.c: rounding); here, the same bits everywhere. */
static void check_mixed(struct backend *be, int64_t n)
{
	struct adamw o = {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.1f, .step = 7, .grad_scale = 0.5f};
	float *w = random_floats(be, n, 1), *m = random_floats(be, n, 0.1), *v = random_floats(be, n, 0.1), *g = random_floats(be, n, 1);
	float *small = random_floats(be, n, 1e-6), *rounded = be->alloc(be, (size_t)n * sizeof *rounded);
	uint16_t *half = be->alloc(be, (size_t)n * 4 * sizeof *half), *low = half + n, *m16 = low + n, *v16 = m16 + n;
	struct mixed x = {.half = half, .low = low, .m = m, .v = v, .g = g, .seed = 5, .first = 4000}, was;
	int64_t i;

	for (i = 0; i < n; i++)
		v[i] = fabsf(v[i]) + 1e-4f;
	be->split(be, half, low, w, n);
	be->split(be, m16, v16, m, n);
	be->split(be, v16, low, v, n);
	be->split(be, half, low, w, n);
	be->widen(be, rounded, half, n);
	note(rounded, n);
	be->adamw_mixed(be, &x, n, &o);
	note(m, n), note(v, n);
	x.m = x.v = NULL;
	x.m16 = m16;
	x.v16 = v16;
	was = (struct mixed){.half = memcpy(xmalloc((size_t)n * 4 * sizeof *half), half, (size_t)n * 4 * sizeof *half)};
	be->adamw_mixed(be, &x, n, &o);
	if (!exact(be))
		check_mixed_bits(&x, &was, n, &o);
	free(was.half);
	bits = hash_mix(bits, hash_bytes(half, (size_t)n * 4 * sizeof *half));
	be->round_half(be, rounded, w, n);
	note(rounded, n);
	be->round_half(be, rounded, small, n);
	note(rounded, n);
	for (i = 0; i < n; i++)
		CHECK(fabsf(rounded[i] - small[i]) <= 0x1p-25f && fmodf(rounded[i], 0x1p-24f) == 0);
	be->free(be, w), be->free(be, m), be->free(be, v), be->free(be, g), be->free(be, small), be->free(be, rounded), be->free(be, half);
}

/* ---- activations of bfloat16, where the backend has them: as those of float32, which come out rounded ---- */

static void check_close(const struct backend *be, const char *what, const float *got, const float *want, int64_t n)
{
	const double off = difference(got, want, n);

	note_error(off, 1e-5);
	if (!(off <= 1e-5))
		TEST_FAIL("%s: %s is off what float32 gives by %g of its size", be->what, what, off);
}

/* Heads of rows that have values behind them, against vectors that are normalised one by one; half: in bfloat16 */
static void check_head_norms(struct backend *be, int64_t rows, int64_t queries, int64_t keys, int64_t dim, bool half)
{
	const int64_t heads = queries + keys, stride = (heads + keys) * dim, n = rows * stride, vectors = rows * heads;
	float *x = random_floats(be, n, 2), *d = random_floats(be, n, 1), *rstd = random_floats(be, vectors, 1), *raw = random_floats(be, vectors * dim, 1);
	float *w[2], *dw[2], *want_dw[2];
	uint16_t *x16 = halves(be, x, n), *d16 = halves(be, d, n);
	float *out = copy_floats(be, x, n), *dx = copy_floats(be, d, n), *again = copy_floats(be, x, n), *alone = copy_floats(be, d, n);
	const size_t bytes = (size_t)n * (half ? sizeof *x16 : sizeof *x);
	struct head_norms h = {.rows = rows, .heads = heads, .queries = queries, .head_dim = dim, .stride = stride, .x = again, .eps = EPS, .half = half};
	void *in = half ? (void *)x16 : (void *)x, *din = half ? (void *)d16 : (void *)d;
	int64_t i;
	int k;

	for (k = 0; k < 2; k++) {
		const int64_t each = k ? keys : queries, first = k ? queries : 0;

		w[k] = random_floats(be, dim, 1);
		dw[k] = random_floats(be, dim, 1);
		want_dw[k] = copy_floats(be, dw[k], dim);
		for (i = 0; i < rows * each; i++) {
			const int64_t at = i / each * stride + (first + i % each) * dim;
			struct norm norm = {.rows = 1, .cols = dim, .x = x + at, .w = w[k], .rstd = rstd + i / each * heads + first + i % each, .eps = EPS};

			be->rmsnorm(be, &norm, out + at);
			be->rmsnorm_back(be, &norm, d + at, dx + at, want_dw[k], false);
		}
	}
	h.w = w[0], h.w2 = w[1];
	memcpy(again, in, bytes);
	memcpy(alone, din, bytes);
	be->head_norms(be, &h);
	h.x = in, h.raw = raw, h.rstd = copy_floats(be, raw, vectors);
	be->head_norms(be, &h);
	CHECK_MEM(again, bytes, in, bytes);
	be->head_norms_back(be, &h, din, dw[0], dw[1]);
	be->head_norms_back(be, &h, alone, NULL, NULL);
	CHECK_MEM(alone, bytes, din, bytes);
	check_close(be, "head_norms: rstd", h.rstd, rstd, vectors);
	for (k = 0; k < 2; k++)
		check_close(be, "head_norms: dw", dw[k], want_dw[k], dim);
	if (half) {
		check_halves(be, "head_norms", x16, out, n);
		check_halves(be, "head_norms: dx", d16, dx, n);
	} else {
		check_close(be, "head_norms", x, out, n);
		check_close(be, "head_norms: dx", d, dx, n);
		note(x, n), note(d, n), note(dw[0], dim), note(dw[1], dim), note(h.rstd, vectors);
	}
	if (exact(be)) {
		CHECK_MEM(out, bytes, x, bytes);
		CHECK_MEM(dx, bytes, d, bytes);
	}
	be->free(be, x), be->free(be, d), be->free(be, rstd), be->free(be, raw), be->free(be, h.rstd), be->free(be, x16), be->free(be, d16), be->free(be, out);
	be->free(be, dx), be->free(be, again), be->free(be, alone);
	for (k = 0; k < 2; k++)
		be->free(be, w[k]), be->free(be, dw[k]), be->free(be, want_dw[k]);
}

static void check_rmsnorm_half(struct backend *be, int64_t rows, int64_t cols, bool accumulate)
{
	const int64_t n = rows * cols;
	float *x = random_floats(be, n, 2), *w = random_floats(be, cols, 1), *dout = random_floats(be, n, 1), *out = random_floats(be, n, 1);
	float *rstd = random_floats(be, rows, 1), *rstd16 = random_floats(be, rows, 1), *dx = random_floats(be, n, 1), *dx16 = copy_floats(be, dx, n);
	float *dw = random_floats(be, cols, 1), *dw16 = copy_floats(be, dw, cols), *dx_alone = copy_floats(be, dx, n);
	uint16_t *dout16 = halves(be, dout, n), *out16 = random_halves(be, n), *again = random_halves(be, n);
	struct norm norm = {.rows = rows, .cols = cols, .x = x, .w = w, .rstd = rstd, .eps = EPS}, norm16 = norm;

	norm16.half = true;
	norm16.rstd = NULL;
	be->rmsnorm(be, &norm16, again);
	norm16.rstd = rstd16;
	be->rmsnorm(be, &norm16, out16);
	be->rmsnorm(be, &norm, out);
	be->rmsnorm_back(be, &norm16, dout16, dx16, dw16, accumulate);
	be->rmsnorm_back(be, &norm16, dout16, dx_alone, NULL, accumulate);
	be->rmsnorm_back(be, &norm, dout, dx, dw, accumulate);
	CHECK_MEM(again, n * 2, out16, n * 2);
	CHECK_MEM(dx_alone, n * 4, dx16, n * 4);
	check_halves(be, "rmsnorm", out16, out, n);
	check_close(be, "rmsnorm: rstd", rstd16, rstd, rows);
	check_close(be, "rmsnorm: dx", dx16, dx, n);
	check_close(be, "rmsnorm: dw", dw16, dw, cols);
	be->free(be, x), be->free(be, w), be->free(be, dout), be->free(be, out), be->free(be, rstd), be->free(be, rstd16), be->free(be, dx);
	be->free(be, dx16), be->free(be, dw), be->free(be, dw16), be->free(be, dx_alone), be->free(be, dout16), be->free(be, out16);
	be->free(be, again);
}

/* What float32 gives from y comes to y16 when it is done from there; then y is what is there. */
static void rope_both(struct backend *be, const char *what, struct rope r, float *y, uint16_t *y16, int64_t n)
{
	r.x = r.out = y;
	be->rope(be, &r);
	r.x = r.out = y16;
	r.half = true;
	be->rope(be, &r);
	check_halves(be, what, y16, y, n);
	widen(y, y16, n);
}

static void check_rope_half(struct backend *be, int64_t rows, int64_t heads, int64_t dim, bool interleaved)
{
	const int64_t stride = heads * dim + 5, n = rows * stride, apart = heads * (dim + 1) + 2, positions = 40;
	float *y = random_floats(be, n, 1), *table = random_floats(be, positions * dim, 1);
	uint16_t *y16 = halves(be, y, n), *before = random_halves(be, n), *to = random_halves(be, rows * apart), *untouched = random_halves(be, rows * apart);
	int32_t *at = be->alloc(be, (size_t)rows * sizeof *at);
	struct rope r = {.rows = rows, .heads = heads, .head_dim = dim, .x_stride = stride, .x_head = dim, .out_stride = stride, .out_head = dim,
			 .position = at, .cos_sin = table, .interleaved = interleaved};
	int64_t i, h;

	for (i = 0; i < rows; i++)
		at[i] = (int32_t)below(positions);
	memcpy(before, y16, (size_t)n * sizeof *before);
	memcpy(untouched, to, (size_t)(rows * apart) * sizeof *to);
	rope_both(be, "rope", r, y, y16, n);
	for (i = 0; i < rows; i++)
		CHECK_MEM(y16 + i * stride + heads * dim, 5 * 2, before + i * stride + heads * dim, 5 * 2);
	r.half = true;                                          /* the same to another place, where the heads lie apart */
	r.x = before;
	r.out = to;
	r.out_stride = apart;
	r.out_head = dim + 1;
	be->rope(be, &r);
	for (i = 0; i < rows; i++) {
		for (h = 0; h < heads; h++) {
			CHECK_MEM(to + i * apart + h * (dim + 1), dim * 2, y16 + i * stride + h * dim, dim * 2);
			CHECK(to[i * apart + h * (dim + 1) + dim] == untouched[i * apart + h * (dim + 1) + dim]);
		}
		CHECK_MEM(to + (i + 1) * apart - 2, 2 * 2, untouched + (i + 1) * apart - 2, 2 * 2);
	}
	r.half = false;
	r.out_stride = stride;
	r.out_head = dim;
	r.inverse = true;
	rope_both(be, "rope, back", r, y, y16, n);
	be->free(be, y), be->free(be, table), be->free(be, y16), be->free(be, before), be->free(be, to), be->free(be, untouched), be->free(be, at);
}

static void check_swiglu_half(struct backend *be, int64_t rows, int64_t cols)
{
	const int64_t n = rows * cols;
	float *x = random_floats(be, 2 * n, 6), *out = random_floats(be, n, 1), *dx = random_floats(be, 2 * n, 1), *dout = random_floats(be, n, 1);
	uint16_t *x16, *out16 = random_halves(be, n), *dx16 = random_halves(be, 2 * n), *dout16 = halves(be, dout, n);

	if (cols > 2) {
		x[0] = 200;
		x[1] = -200;
	}
	x16 = halves(be, x, 2 * n);
	be->swiglu(be, out, x, rows, cols, false);
	be->swiglu(be, out16, x16, rows, cols, true);
	be->swiglu_back(be, dx, dout, x, rows, cols, false);
	be->swiglu_back(be, dx16, dout16, x16, rows, cols, true);
	check_halves(be, "swiglu", out16, out, n);
	check_halves(be, "swiglu, back", dx16, dx, 2 * n);
	be->free(be, x), be->free(be, out), be->free(be, dx), be->free(be, dout), be->free(be, x16), be->free(be, out16), be->free(be, dx16);
	be->free(be, dout16);
}

static void check_bias_half(struct backend *be, int64_t rows, int64_t cols)
{
	float *dout = random_floats(be, rows * cols, 1), *db = random_floats(be, cols, 1), *db16 = copy_floats(be, db, cols);
	uint16_t *dout16 = halves(be, dout, rows * cols);

	be->bias_back(be, db, dout, rows, cols, false);
	be->bias_back(be, db16, dout16, rows, cols, true);
	check_close(be, "bias_back", db16, db, cols);
	be->free(be, dout), be->free(be, db), be->free(be, db16), be->free(be, dout16);
}

/* The gradient of logits: in the first half of each row's memory, whose other half may be anything */
static void check_logprob_half(struct backend *be, int64_t rows, int64_t vocab, bool entropy)
{
	float *x = random_floats(be, rows * vocab, 4), *x16 = copy_floats(be, x, rows * vocab), *dlp = random_floats(be, rows, 1), *dent = random_floats(be, rows, 1);
	int32_t *target = be->alloc(be, (size_t)rows * sizeof *target);
	int64_t i;

	for (i = 0; i < rows; i++)
		target[i] = (int32_t)below(vocab);
	be->logprob_back(be, x, target, 0.8f, dlp, entropy ? dent : NULL, rows, vocab, false);
	be->logprob_back(be, x16, target, 0.8f, dlp, entropy ? dent : NULL, rows, vocab, true);
	for (i = 0; i < rows; i++)
		check_halves(be, "logprob_back", (const uint16_t *)(x16 + i * vocab), x + i * vocab, vocab);
	be->free(be, x), be->free(be, x16), be->free(be, dlp), be->free(be, dent), be->free(be, target);
}

static void check_half_rows(struct backend *be)
{
	static const int64_t odd[][2] = {{1, 1}, {3, 7}, {5, 33}, {200, 48}, {130, 100}, {300, 72}, {9, 1100}, {7, 1027}, {2, 2056}};
	size_t i;

	for (i = 0; i < sizeof odd / sizeof *odd; i++) {
		check_rmsnorm_half(be, odd[i][0], odd[i][1], i % 2);
		check_rmsnorm_half(be, odd[i][0], odd[i][1], !(i % 2));
		check_head_norms(be, odd[i][0], 1 + below(5), 1 + below(3), 2 * (1 + below(40)), true);
		check_swiglu_half(be, odd[i][0], odd[i][1]);
		check_bias_half(be, odd[i][0], odd[i][1]);
		check_logprob_half(be, odd[i][0], odd[i][1], i % 2);
		check_rope_half(be, odd[i][0], 1 + below(5), 2 * (1 + below(40)), i % 2);
	}
	check_rope_half(be, 70, 5, 64, false);
	check_rope_half(be, 9, 3, 2, true);
	check_bias_half(be, 129, 700);
	check_logprob_half(be, 2, 30000, true);
}

int main(void)
{
	struct backend *be;
	uint64_t want = 0;

	EACH_BACKEND(be) {
		test_rng = rng_new(11, 12);
		bits = 0;
		check_rmsnorm(be, 1, 3, false);
		check_rmsnorm(be, 3, 7, true);
		check_rmsnorm(be, 200, 48, false);
		check_rmsnorm(be, 130, 100, true);
		check_rope(be, 9, 3, 2, false);
		check_rope(be, 5, 2, 12, false);
		check_rope(be, 70, 5, 64, false);
		check_rope(be, 9, 3, 2, true);
		check_rope(be, 70, 5, 12, true);
		check_head_norms(be, 1, 1, 1, 2, false);
		check_head_norms(be, 3, 4, 2, 10, false);
		check_head_norms(be, 200, 3, 1, 64, false);
		check_head_norms(be, 70, 2, 2, 130, false);
		check_swiglu(be, 1, 1);
		check_swiglu(be, 5, 33);
		check_swiglu(be, 300, 72);
		check_logprob(be, 1, 1, 1, true, 1);
		check_logprob(be, 5, 31, 0.7f, true, 10);
		check_logprob(be, 70, 97, 1.5f, false, 3);
		check_logprob(be, 40, 500, 1, true, 30);
		check_logprob(be, 2, 70000, 1, true, 5);
		check_forbidden(be);
		check_embed(be, 1, 1, 1);
		check_embed(be, 500, 72, 30);
		check_embed(be, 90, 200, 1000);
		check_sums(be, 1, 1);
		check_sums(be, 300, 45);
		check_sums(be, 129, 700);
		check_adamw(be, 5);
		check_adamw(be, 40001);
		check_mixed(be, 7);
		check_mixed(be, 40001);
		if (be->half_rows)
			check_half_rows(be);
		if (be_i == 0)
			want = bits;
		CHECK(bits == want);
		backend_close(be);
	}
	return 0;
}
