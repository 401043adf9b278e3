/* Numbers: exact rationals, and balls with a bound that tells zero from what is next to it. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math_private.h"

void value_init(struct value *v)
{
	v->rational = true;
	fmpq_init(v->q);
	acb_init(v->z);
	v->u = v->l = 0;
}

void value_clear(struct value *v)
{
	fmpq_clear(v->q);
	acb_clear(v->z);
}

void value_set(struct value *v, const struct value *a)
{
	v->rational = a->rational;
	v->u = a->u;
	v->l = a->l;
	if (a->rational)
		fmpq_set(v->q, a->q);
	else
		acb_set(v->z, a->z);
}

void value_rational(struct value *v, const fmpq_t q)
{
	v->rational = true;
	fmpq_set(v->q, q);
}

bool value_integer(const struct value *v, slong *k)
{
	if (!v->rational || !fmpz_is_one(fmpq_denref(v->q)) || !fmpz_fits_si(fmpq_numref(v->q)))
		return false;
	*k = fmpz_get_si(fmpq_numref(v->q));
	return true;
}

bool eval_fail(struct eval *ev, const char *why)
{
	if (!ev->m->fault)
		ev->m->fault = why;
	return false;
}

bool eval_spend(struct eval *ev, double bits, double times)
{
	double words = bits / 64 + 1;

	ev->m->work -= times * words * (words < 8 ? 1 : 4);
	return ev->m->work > 0 || eval_fail(ev, "it takes too much work");
}

static double bits_of(const fmpq_t q)
{
	return (double)fmpz_bits(fmpq_numref(q)) + (double)fmpz_bits(fmpq_denref(q));
}

/* The value as a ball and its bounds: log2 of numerator and denominator */
void value_ball(struct eval *ev, acb_t z, const struct value *v)
{
	if (!v->rational) {
		acb_set(z, v->z);
		return;
	}
	arb_set_fmpq(acb_realref(z), v->q, ev->prec);
	arb_zero(acb_imagref(z));
}

static double upper(const struct value *v)
{
	return v->rational ? (double)fmpz_bits(fmpq_numref(v->q)) : v->u;
}

static double lower(const struct value *v)
{
	return v->rational ? (double)fmpz_bits(fmpq_denref(v->q)) : v->l;
}

/* A rational of too many bits goes on as a ball where that is enough. */
static bool settle(struct eval *ev, struct value *v)
{
	double bits = bits_of(v->q);

	if (!eval_spend(ev, bits, 4))
		return false;
	if (bits <= MAX_BITS)
		return true;
	if (ev->formal)
		return eval_fail(ev, "a number too large or too small");
	arb_set_fmpq(acb_realref(v->z), v->q, ev->prec);
	arb_zero(acb_imagref(v->z));
	v->rational = false;
	return true;
}

static bool settle_ball(struct eval *ev, struct value *v, double u, double l)
{
	v->rational = false;
	v->u = u;
	v->l = l;
	if (!eval_spend(ev, (double)ev->prec, 2))
		return false;
	if (!acb_is_finite(v->z)) {
		ev->imprecise = true;
		return false;
	}
	return true;
}

bool value_add(struct eval *ev, struct value *v, const struct value *a, const struct value *b)
{
	double u = fmax(upper(a) + lower(b), upper(b) + lower(a)) + 1, l = lower(a) + lower(b);
	acb_t x, y;

	if (a->rational && b->rational) {
		fmpq_add(v->q, a->q, b->q);
		v->rational = true;
		return settle(ev, v);
	}
	acb_init(x);
	acb_init(y);
	value_ball(ev, x, a);
	value_ball(ev, y, b);
	acb_add(v->z, x, y, ev->prec);
	acb_clear(x);
	acb_clear(y);
	return settle_ball(ev, v, u, l);
}

static void negate(struct value *v)
{
	if (v->rational)
		fmpq_neg(v->q, v->q);
	else
		acb_neg(v->z, v->z);
}

bool value_subtract(struct eval *ev, struct value *v, const struct value *a, const struct value *b)
{
	struct value minus;
	bool ok;

	value_init(&minus);
	value_set(&minus, b);
	negate(&minus);
	ok = value_add(ev, v, a, &minus);
	value_clear(&minus);
	return ok;
}

bool value_multiply(struct eval *ev, struct value *v, const struct value *a, const struct value *b)
{
	double u = upper(a) + upper(b), l = lower(a) + lower(b);
	acb_t x, y;

	if (a->rational && b->rational) {
		fmpq_mul(v->q, a->q, b->q);
		v->rational = true;
		return settle(ev, v);
	}
	if ((a->rational && fmpq_is_zero(a->q)) || (b->rational && fmpq_is_zero(b->q))) {
		fmpq_zero(v->q);
		v->rational = true;
		return true;
	}
	acb_init(x);
	acb_init(y);
	value_ball(ev, x, a);
	value_ball(ev, y, b);
	acb_mul(v->z, x, y, ev->prec);
	acb_clear(x);
	acb_clear(y);
	return settle_ball(ev, v, u, l);
}

bool value_invert(struct eval *ev, struct value *v, const struct value *a)
{
	double u = lower(a), l = upper(a);

	if (a->rational) {
		if (fmpq_is_zero(a->q))
			return eval_fail(ev, "a division by zero");
		fmpq_inv(v->q, a->q);
		v->rational = true;
		return true;
	}
	if (acb_contains_zero(a->z)) {
		ev->imprecise = true;
		return false;
	}
	acb_inv(v->z, a->z, ev->prec);
	return settle_ball(ev, v, u, l);
}

/* How large the exponent of a^k gets */
static bool in_range(struct eval *ev, const struct value *a, double k)
{
	double size;

	if (a->rational) {
		size = fmax((double)fmpz_bits(fmpq_numref(a->q)), (double)fmpz_bits(fmpq_denref(a->q)));
	} else {
		mag_t top;

		mag_init(top);
		acb_get_mag(top, a->z);
		size = mag_is_zero(top) ? 0 : mag_cmp_2exp_si(top, 1L << 40) > 0 ? 0x1p40 : fabs(mag_get_d_log2_approx(top)) + 1;
		mag_clear(top);
	}
	return size * fabs(k) < 0x1p40 || eval_fail(ev, "a number too large or too small");
}

bool value_power(struct eval *ev, struct value *v, const struct value *a, slong k)
{
	ulong n = k < 0 ? -(ulong)k : (ulong)k;
	double u = upper(a) * (double)n, l = lower(a) * (double)n;

	if (a->rational && (fmpq_is_zero(a->q) || fmpq_is_one(a->q))) {
		if (fmpq_is_zero(a->q) && k <= 0)
			return eval_fail(ev, k ? "a division by zero" : "zero to the power zero");
		value_set(v, a);
		return true;
	}
	if (!in_range(ev, a, (double)k))
		return false;
	if (a->rational && bits_of(a->q) * (double)n <= MAX_BITS) {
		fmpq_pow_si(v->q, a->q, k);
		v->rational = true;
		return settle(ev, v);
	}
	if (a->rational && ev->formal)
		return eval_fail(ev, "a number too large or too small");
	value_ball(ev, v->z, a);
	acb_pow_ui(v->z, v->z, n, ev->prec);
	if (!eval_spend(ev, (double)ev->prec, 60) || !settle_ball(ev, v, u, l))
		return false;
	return k >= 0 || value_invert(ev, v, v);
}

bool value_imaginary(struct eval *ev, struct value *v)
{
	fmpq_t minus;
	struct value one;
	bool ok;

	fmpq_init(minus);
	fmpq_set_si(minus, -1, 1);
	value_init(&one);
	value_rational(&one, minus);
	ok = value_root(ev, v, &one, 2, NULL);
	value_clear(&one);
	fmpq_clear(minus);
	return ok;
}

/* ---- roots ---- */

void factor_small(fmpz_factor_t f, const fmpz_t n)
{
	fmpz_t rest, p;
	ulong small;

	fmpz_factor_clear(f);
	fmpz_factor_init(f);
	if (fmpz_bits(n) <= 64) {
		fmpz_factor(f, n);
		return;
	}
	fmpz_init_set(rest, n);
	fmpz_init(p);
	for (small = 2; small < 1000 && fmpz_bits(n) <= 4096; small += 1 + (small > 2)) {
		slong e;

		fmpz_set_ui(p, small);
		e = fmpz_remove(rest, rest, p);
		if (e)
			_fmpz_factor_append(f, p, (ulong)e);
	}
	if (!fmpz_is_one(rest)) {
		if (fmpz_bits(rest) <= 64) {
			fmpz_factor_t more;
			slong i;

			fmpz_factor_init(more);
			fmpz_factor(more, rest);
			for (i = 0; i < more->num; i++)
				_fmpz_factor_append(f, more->p + i, more->exp[i]);
			fmpz_factor_clear(more);
		} else {
			_fmpz_factor_append(f, rest, 1);
		}
	}
	fmpz_clear(rest);
	fmpz_clear(p);
}

static ulong gcd(ulong a, ulong b)
{
	while (b) {
		ulong r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* A k-th root of something is in the field from now on: of a whole number, or of what the tree has at `node`. */
static void adjoin(struct eval *ev, const fmpz_t of, const struct node *node, ulong k)
{
	struct radical *r;
	size_t i;

	if (!ev->formal || k == 1)
		return;
	for (i = 0; i < ev->radicals; i++) {
		r = &ev->radical[i];
		if (node ? r->node && r->point == ev->point && node_equal(r->node, node) : !r->node && fmpz_equal(r->of, of)) {
			ulong both = r->index / gcd(r->index, k) * k;

			ev->degree *= (double)(both / r->index);
			r->index = both;
			return;
		}
	}
	ev->radical = xgrow(ev->radical, &ev->radicals_cap, ev->radicals + 1, sizeof *ev->radical);
	r = &ev->radical[ev->radicals++];
	fmpz_init_set(r->of, of);
	r->node = node;
	r->point = ev->point;
	r->index = k;
	ev->degree *= (double)k;
}

/* Whether n is p to the k; p is to become that. (Whether fmpz_root() itself says so depends on FLINT's version.) */
static bool perfect_root(fmpz_t p, const fmpz_t n, ulong k)
{
	fmpz_t power;
	bool perfect;

	fmpz_init(power);
	fmpz_root(p, n, (slong)k);
	fmpz_pow_ui(power, p, k);
	perfect = fmpz_equal(power, n);
	fmpz_clear(power);
	return perfect;
}

/* Of a rational above 0: n^(1/k) / d for whole numbers n, d */
static bool root_of_rational(struct eval *ev, struct value *v, const fmpq_t q, ulong k)
{
	fmpz_factor_t f;
	fmpz_t n, whole;
	slong i;
	bool exact = true;

	fmpz_init(n);
	fmpz_init_set_ui(whole, 1);
	fmpz_pow_ui(n, fmpq_denref(q), k - 1);
	fmpz_mul(n, n, fmpq_numref(q));
	fmpz_factor_init(f);
	if (fmpz_bits(n) > MAX_BITS || !eval_spend(ev, (double)fmpz_bits(n), 200)) {
		fmpz_factor_clear(f);
		fmpz_clear(n);
		fmpz_clear(whole);
		return eval_fail(ev, "a number too large or too small");
	}
	factor_small(f, n);
	fmpz_one(n);
	for (i = 0; i < f->num; i++) {
		ulong e = f->exp[i], out = e / k;
		fmpz_t p;

		fmpz_init(p);
		if (f->num == 1 && e == 1 && fmpz_bits(f->p + i) > 64 && perfect_root(p, f->p + i, k)) {
			fmpz_mul(whole, whole, p);
			fmpz_clear(p);
			continue;
		}
		fmpz_pow_ui(p, f->p + i, out);
		fmpz_mul(whole, whole, p);
		e -= out * k;
		if (e) {
			adjoin(ev, f->p + i, NULL, k / gcd(e, k));
			fmpz_pow_ui(p, f->p + i, e);
			fmpz_mul(n, n, p);
			exact = false;
		}
		fmpz_clear(p);
	}
	v->rational = true;
	fmpq_set_fmpz_frac(v->q, whole, fmpq_denref(q));
	if (!exact) {
		arb_set_fmpz(acb_realref(v->z), n);
		arb_root_ui(acb_realref(v->z), acb_realref(v->z), k, ev->prec);
		arb_zero(acb_imagref(v->z));
		arb_mul_fmpz(acb_realref(v->z), acb_realref(v->z), fmpq_numref(v->q), ev->prec);
		arb_div_fmpz(acb_realref(v->z), acb_realref(v->z), fmpq_denref(v->q), ev->prec);
	}
	fmpz_factor_clear(f);
	exact = exact || settle_ball(ev, v, (double)fmpz_bits(n) / (double)k + 1 + (double)fmpz_bits(fmpq_numref(v->q)), (double)fmpz_bits(fmpq_denref(v->q)));
	fmpz_clear(n);
	fmpz_clear(whole);
	return exact;
}

/* (-1)^(1/k), the principal one */
static bool root_of_unity(struct eval *ev, struct value *v, ulong k)
{
	fmpz_t minus;
	fmpq_t angle;

	fmpz_init_set_si(minus, -1);
	adjoin(ev, minus, NULL, k);
	fmpz_clear(minus);
	fmpq_init(angle);
	fmpq_set_si(angle, 1, k);
	arb_sin_cos_pi_fmpq(acb_imagref(v->z), acb_realref(v->z), angle, ev->prec);
	fmpq_clear(angle);
	return settle_ball(ev, v, 0, 0);
}

bool value_root(struct eval *ev, struct value *v, const struct value *a, ulong k, const struct node *from)
{
	struct value b, unit;
	fmpz_t none;
	double u, l;
	bool ok;

	if (k == 1) {
		value_set(v, a);
		return true;
	}
	if (k > 200)
		return eval_fail(ev, "a root of too high an index");
	if (a->rational && fmpq_is_zero(a->q)) {
		value_set(v, a);
		return true;
	}
	if (a->rational && fmpq_sgn(a->q) > 0)
		return root_of_rational(ev, v, a->q, k);
	if (a->rational || (arb_is_zero(acb_imagref(a->z)) && arb_is_negative(acb_realref(a->z)))) {     /* the real root, or i times one */
		value_init(&b);
		value_init(&unit);
		value_set(&b, a);
		negate(&b);
		ok = value_root(ev, &b, &b, k, from);
		if (ok && k % 2) {
			negate(&b);
			value_set(v, &b);
		} else if (ok) {
			ok = root_of_unity(ev, &unit, k) && value_multiply(ev, v, &b, &unit);
		}
		value_clear(&b);
		value_clear(&unit);
		return ok;
	}
	if (!from && ev->formal)
		return eval_fail(ev, "a root that cannot be told from others");
	fmpz_init(none);
	adjoin(ev, none, from, k);
	fmpz_clear(none);
	u = (a->u + (double)(k - 1) * a->l) / (double)k + 1;
	l = a->l;
	acb_root_ui(v->z, a->z, k, ev->prec);
	return eval_spend(ev, (double)ev->prec, 20) && settle_ball(ev, v, u, l);
}

bool value_power_rational(struct eval *ev, struct value *v, const struct value *a, const fmpq_t e, const struct node *from)
{
	struct value root;
	bool ok;

	if (!fmpz_fits_si(fmpq_numref(e)) || !fmpz_fits_si(fmpq_denref(e)))
		return eval_fail(ev, "an exponent too large");
	value_init(&root);
	if (a->rational && fmpz_is_one(fmpq_denref(e)))
		ok = value_power(ev, v, a, fmpz_get_si(fmpq_numref(e)));
	else
		ok = value_root(ev, &root, a, fmpz_get_ui(fmpq_denref(e)), from) && value_power(ev, v, &root, fmpz_get_si(fmpq_numref(e)));
	value_clear(&root);
	return ok;
}

enum truth value_zero(struct eval *ev, const struct value *v, slong *need)
{
	double bits;
	mag_t top;
	bool zero;

	*need = 0;
	if (v->rational)
		return fmpq_is_zero(v->q) ? YES : NO;
	if (!acb_contains_zero(v->z))
		return NO;
	if (!ev->formal)
		return UNKNOWN;
	bits = (ev->degree - 1) * v->u + v->l + 2;
	if (!(bits < 20000))
		return UNKNOWN;
	mag_init(top);
	acb_get_mag(top, v->z);
	zero = mag_cmp_2exp_si(top, -(slong)bits) < 0;
	mag_clear(top);
	if (zero)
		return YES;
	*need = (slong)(bits + v->u) + 64;
	return UNKNOWN;
}
