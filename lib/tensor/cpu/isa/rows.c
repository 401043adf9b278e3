/* rows.c - norms, rotations, gates, sums: what goes over rows or over everything, a vector at a time */
#include "isa.h"
#include "vec.h"

/* j = 0, 16, 32 ... below cols, with n lanes of use: 16, which the compiler sees, and what is left in a last round that is compiled apart */
#define EACH16(cols) \
	for (int64_t j = 0, once = 1; once; once = 0) \
		UNROLL for (int tail = 0; tail < 2; tail++) \
			for (int64_t n; n = tail ? (cols) - j : 16, tail ? j < (cols) : j + 16 <= (cols); j += 16)

void ISA_FN(rmsnorm)(float *out, float *rstd, const float *x, const float *w, float eps, int64_t rows, int64_t cols)
{
	int64_t i;

	for (i = 0; i < rows; i++, x += cols, out += cols) {
		v16 sum = v16_zero(), r;
		float s;

		EACH16(cols) {
			v16 a = v16_load_n(x + j, n);

			sum = v16_fma(a, a, sum);
		}
		s = 1 / sqrtf(v16_sum(sum) / (float)cols + eps);
		if (rstd)
			rstd[i] = s;
		r = v16_set(s);
		EACH16(cols)
			v16_store_n(out + j, v16_mul(v16_mul(v16_load_n(x + j, n), r), v16_load_n(w + j, n)), n);
	}
}

/* With g = dout * w:  dx = rstd g - x rstd^3 / C sum(g x);  dw = sum over rows of dout x rstd */
void ISA_FN(rmsnorm_back)(float *dx, float *dw, const float *dout, const float *x, const float *w, const float *rstd, int64_t rows, int64_t cols,
			  bool accumulate)
{
	int64_t i;

	memset(dw, 0, (size_t)cols * sizeof *dw);
	for (i = 0; i < rows; i++, x += cols, dout += cols, dx += cols) {
		v16 sum = v16_zero(), r = v16_set(rstd[i]), by;

		EACH16(cols) {
			v16 d = v16_load_n(dout + j, n), a = v16_load_n(x + j, n);

			sum = v16_fma(v16_mul(d, v16_load_n(w + j, n)), a, sum);
			v16_store_n(dw + j, v16_fma(d, v16_mul(a, r), v16_load_n(dw + j, n)), n);
		}
		by = v16_set(v16_sum(sum) * (rstd[i] * rstd[i] * rstd[i] / (float)cols));
		EACH16(cols) {
			v16 g = v16_mul(v16_load_n(dout + j, n), v16_load_n(w + j, n));
			v16 d = v16_fnma(v16_load_n(x + j, n), by, v16_mul(g, r));

			v16_store_n(dx + j, accumulate ? v16_add(v16_load_n(dx + j, n), d) : d, n);
		}
	}
}

static void rope_halves(float *out, const float *x, const float *c, const float *s, int64_t half, bool inverse)
{
	EACH16(half) {
		v16 a = v16_load_n(x + j, n), b = v16_load_n(x + half + j, n);
		v16 cv = v16_load_n(c + j, n), sv = v16_load_n(s + j, n);

		if (inverse)
			sv = v16_sub(v16_zero(), sv);
		v16_store_n(out + j, v16_fnma(b, sv, v16_mul(a, cv)), n);
		v16_store_n(out + half + j, v16_fma(a, sv, v16_mul(b, cv)), n);
	}
}

static void rope_pairs(float *out, const float *x, const float *c, const float *s, int64_t half, bool inverse)
{
	int64_t i;

	for (i = 0; i < half; i++) {
		const float a = x[2 * i], b = x[2 * i + 1], sine = inverse ? -s[i] : s[i];

		out[2 * i] = __builtin_fmaf(-b, sine, a * c[i]);
		out[2 * i + 1] = __builtin_fmaf(a, sine, b * c[i]);
	}
}

void ISA_FN(rope)(const struct rope *r)
{
	const int64_t half = r->head_dim / 2;
	int64_t i, h;

	for (i = 0; i < r->rows; i++) {
		const float *c = r->cos_sin + r->position[i] * r->head_dim;

		for (h = 0; h < r->heads; h++)
			(r->interleaved ? rope_pairs : rope_halves)((float *)r->out + i * r->out_stride + h * r->out_head,
								    (const float *)r->x + i * r->x_stride + h * r->x_head, c, c + half, half, r->inverse);
	}
}

INLINE v16 sigmoid(v16 x)
{
	v16 one = v16_set(1);

	return v16_div(one, v16_add(one, v16_exp(v16_sub(v16_zero(), x))));
}

void ISA_FN(swiglu)(float *out, const float *gate_up, int64_t rows, int64_t cols)
{
	int64_t i;

	for (i = 0; i < rows; i++, gate_up += 2 * cols, out += cols)
		EACH16(cols) {
			v16 g = v16_load_n(gate_up + j, n), u = v16_load_n(gate_up + cols + j, n);

			v16_store_n(out + j, v16_mul(v16_mul(g, sigmoid(g)), u), n);
		}
}

/* silu'(g) = s + g s (1 - s), s the sigmoid of g */
void ISA_FN(swiglu_back)(float *dgate_up, const float *dout, const float *gate_up, int64_t rows, int64_t cols)
{
	int64_t i;

	for (i = 0; i < rows; i++, gate_up += 2 * cols, dgate_up += 2 * cols, dout += cols)
		EACH16(cols) {
			v16 g = v16_load_n(gate_up + j, n), u = v16_load_n(gate_up + cols + j, n), d = v16_load_n(dout + j, n);
			v16 s = sigmoid(g), gs = v16_mul(g, s);

			v16_store_n(dgate_up + j, v16_mul(v16_mul(d, u), v16_fma(gs, v16_sub(v16_set(1), s), s)), n);
			v16_store_n(dgate_up + cols + j, v16_mul(d, gs), n);
		}
}

void ISA_FN(sigmoid)(float *out, const float *x, int64_t count)
{
	EACH16(count)
		v16_store_n(out + j, sigmoid(v16_load_n(x + j, n)), n);
}

void ISA_FN(combine)(float *out, const float *x, const int32_t *place, const float *weight, int64_t rows, int64_t top, int64_t cols, bool accumulate)
{
	int64_t i, k;

	for (i = 0; i < rows; i++, out += cols, place += top)
		EACH16(cols) {
			v16 sum = v16_zero();

			for (k = 0; k < top; k++) {
				v16 a = v16_load_n(x + place[k] * cols + j, n);

				sum = weight ? v16_fma(v16_set(weight[i * top + k]), a, sum) : v16_add(a, sum);
			}
			v16_store_n(out + j, accumulate ? v16_add(v16_load_n(out + j, n), sum) : sum, n);
		}
}

void ISA_FN(weigh_back)(float *dweight, float *d, float *x, const float *weight, int64_t rows, int64_t cols)
{
	int64_t i;

	for (i = 0; i < rows; i++, d += cols, x += cols) {
		v16 sum = v16_zero(), w = v16_set(weight[i]);

		EACH16(cols) {
			v16 a = v16_load_n(d + j, n), b = v16_load_n(x + j, n);

			sum = v16_fma(a, b, sum);
			v16_store_n(d + j, v16_mul(a, w), n);
			v16_store_n(x + j, v16_mul(b, w), n);
		}
		dweight[i] = v16_sum(sum);
	}
}

void ISA_FN(add)(float *out, const float *a, const float *b, int64_t count)
{
	EACH16(count)
		v16_store_n(out + j, v16_add(v16_load_n(a + j, n), v16_load_n(b + j, n)), n);
}

void ISA_FN(scale)(float *x, float by, int64_t count)
{
	const v16 s = v16_set(by);

	EACH16(count)
		v16_store_n(x + j, v16_mul(v16_load_n(x + j, n), s), n);
}

void ISA_FN(column_sums)(float *sum, const float *x, int64_t rows, int64_t cols)
{
	int64_t i;

	memset(sum, 0, (size_t)cols * sizeof *sum);
	for (i = 0; i < rows; i++, x += cols)
		EACH16(cols)
			v16_store_n(sum + j, v16_add(v16_load_n(sum + j, n), v16_load_n(x + j, n)), n);
}

/* to[id[i]] += x[i], or to[i] += x[i] without id */
void ISA_FN(add_rows)(float *to, int64_t ld_to, const float *x, int64_t ld, const int32_t *id, int64_t rows, int64_t cols)
{
	int64_t i;

	for (i = 0; i < rows; i++) {
		float *t = to + (id ? id[i] : i) * ld_to;
		const float *from = x + i * ld;

		EACH16(cols)
			v16_store_n(t + j, v16_add(v16_load_n(t + j, n), v16_load_n(from + j, n)), n);
	}
}

void ISA_FN(adamw)(float *w, float *m, float *v, const float *g, int64_t count, const struct adamw *o, float unbias1, float unbias2)
{
	const v16 b1 = v16_set(o->beta1), b2 = v16_set(o->beta2), c1 = v16_set(1 - o->beta1), c2 = v16_set(1 - o->beta2);
	const v16 u1 = v16_set(unbias1), u2 = v16_set(unbias2), eps = v16_set(o->eps), decay = v16_set(o->weight_decay);
	const v16 lr = v16_set(o->lr), by = v16_set(o->grad_scale);

	EACH16(count) {
		v16 gv = v16_mul(v16_load_n(g + j, n), by), wv = v16_load_n(w + j, n);
		v16 mv = v16_fma(b1, v16_load_n(m + j, n), v16_mul(c1, gv));
		v16 vv = v16_fma(b2, v16_load_n(v + j, n), v16_mul(c2, v16_mul(gv, gv)));
		v16 step = v16_div(v16_mul(mv, u1), v16_add(v16_sqrt(v16_mul(vv, u2)), eps));

		v16_store_n(m + j, mv, n);
		v16_store_n(v + j, vv, n);
		v16_store_n(w + j, v16_fnma(lr, v16_fma(decay, wv, step), wv), n);
	}
}

/* 16 lanes of double, then the tree of v16_sum */
double ISA_FN(sum_squares)(const float *x, int64_t count)
{
	double lane[16] = {0};
	int step, i;

	for (; count >= 16; count -= 16, x += 16)
		for (i = 0; i < 16; i++)
			lane[i] += (double)x[i] * (double)x[i];
	for (i = 0; i < count; i++)
		lane[i] += (double)x[i] * (double)x[i];
	for (step = 8; step; step /= 2)
		for (i = 0; i < step; i++)
			lane[i] += lane[i + step];
	return lane[0];
}
