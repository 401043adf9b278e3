/* Arcs: those of fractions of a turn, and of whole complex numbers by their Gaussian primes. */
#include <math.h>

#include "formal_private.h"

enum { ANGLE_BITS = 16 };

/* p = c^2 + d^2 with c > d > 0, for a prime p that is 1 mod 4 */
static void two_squares(slong p, slong *c, slong *d)
{
	for (*d = 1;; ++*d) {
		*c = (slong)sqrt((double)(p - *d * *d) + 0.5);
		if (*c * *c + *d * *d == p)
			return;
	}
}

/* x + i y divided by c + i d, if that goes */
static bool divided(slong *x, slong *y, slong c, slong d)
{
	const slong p = c * c + d * d, u = *x * c + *y * d, w = *y * c - *x * d;

	if (u % p || w % p)
		return false;
	*x = u / p;
	*y = w / p;
	return true;
}

/* That of x + i y; |x|, |y| < 2^ANGLE_BITS */
static bool angle_of(struct eval *ev, struct value *v, slong x, slong y)
{
	double left = atan2((double)y, (double)x);
	fmpz_factor_t f;
	fmpq_t q;
	fmpz_t n;
	struct value part;
	slong j, times, c, d, eighths;
	size_t i;
	bool ok = true;
	acb_t z;

	fmpz_factor_init(f);
	fmpq_init(q);
	fmpz_init_set_si(n, x * x + y * y);
	acb_init(z);
	value_init(&part);
	value_rational(v, q);
	fmpz_factor(f, n);
	for (j = 0; ok && j < f->num; j++) {
		const slong p = fmpz_get_si(f->p + j);

		if (p % 4 != 1)
			continue;
		two_squares(p, &c, &d);
		for (times = 0; divided(&x, &y, c, d); times++)
			;
		while (divided(&x, &y, c, -d))
			times--;
		for (i = 0; i < ev->atoms; i++)
			if (ev->atom[i].kind == A_ANGLE && fmpz_equal_si(ev->atom[i].prime, p))
				break;
		if (i == ev->atoms) {
			struct atom *a = formal_atom(ev, A_ANGLE);

			fmpz_set_si(a->prime, p);
			arb_set_d(acb_realref(z), atan2((double)d, (double)c));
			formal_pick(ev, a->value.q, z);
		}
		fmpq_set_si(q, times, 1);
		fmpq_mul(q, q, ev->atom[i].value.q);
		value_rational(&part, q);
		ok = value_add(ev, v, v, &part);
		left -= (double)times * atan2((double)d, (double)c);
	}
	/* What is left is a power of 1 + i times a unit. */
	eighths = lround(left / atan2(1, 1));
	fmpq_set_si(q, eighths, 4);
	ok = ok && formal_pi(ev, &part);
	if (ok) {
		struct value k;

		value_init(&k);
		value_rational(&k, q);
		ok = value_multiply(ev, &part, &part, &k) && value_add(ev, v, v, &part);
		value_clear(&k);
	}
	fmpz_factor_clear(f);
	fmpq_clear(q);
	fmpz_clear(n);
	acb_clear(z);
	value_clear(&part);
	return ok;
}

/* asin, acos, atan of a rational x that is a side of a triangle with whole sides; false: it is none, or too large */
static bool angle_of_rational(struct eval *ev, struct value *v, int f, const fmpq_t x)
{
	slong a, b, c, square;

	if (fmpz_bits(fmpq_numref(x)) > ANGLE_BITS || fmpz_bits(fmpq_denref(x)) > ANGLE_BITS)
		return false;
	a = fmpz_get_si(fmpq_numref(x));
	b = fmpz_get_si(fmpq_denref(x));
	if (f == F_ATAN)
		return angle_of(ev, v, b, a);
	square = b * b - a * a;
	c = square > 0 ? lround(sqrt((double)square)) : -1;
	if (c * c != square)
		return false;
	return f == F_ASIN ? angle_of(ev, v, c, a) : angle_of(ev, v, a, c);
}

/* asin, acos, atan of x: p/q pi where the sine (...) of that is x */
bool formal_inverse(struct eval *ev, struct value *v, int f, const struct value *x)
{
	static const ulong below[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 24, 30};
	struct node *angle, *of;
	struct value y;
	acb_t z, pi;
	fmpz_t k;
	slong need;
	size_t i;
	bool found = false, ok = true;
	enum truth is;

	acb_init(z);
	acb_init(pi);
	fmpz_init(k);
	value_init(&y);
	value_ball(ev, z, x);
	if (formal_call(ev, z, z, f) && arb_is_zero(acb_imagref(z))) {
		acb_const_pi(pi, ev->prec);
		acb_div(z, z, pi, ev->prec);
		for (i = 0; i < sizeof below / sizeof *below && !found; i++) {
			acb_mul_ui(pi, z, below[i], ev->prec);
			if (!arb_get_unique_fmpz(k, acb_realref(pi)) || !fmpz_fits_si(k))
				continue;
			angle = node_integer(ev->m, fmpz_get_si(k));
			fmpz_set_ui(fmpq_denref(angle->number), below[i]);
			fmpq_canonicalise(angle->number);
			angle = node_new(ev->m, N_MULTIPLY, 2, angle, node_new(ev->m, N_PI, 0));
			of = node_new(ev->m, N_FUNCTION, 1, angle);
			of->code = f == F_ASIN ? F_SIN : f == F_ACOS ? F_COS : F_TAN;
			ok = eval_node(ev, &y, of) && value_subtract(ev, &y, &y, x);
			is = ok ? value_zero(ev, &y, &need) : NO;
			if (is == UNKNOWN && need > ev->prec)
				ev->imprecise = true;
			found = is == YES && eval_node(ev, v, angle);
			break;
		}
	}
	acb_clear(z);
	acb_clear(pi);
	fmpz_clear(k);
	value_clear(&y);
	if (found || !ok || ev->imprecise || ev->m->fault)
		return found;
	return (x->rational && angle_of_rational(ev, v, f, x->q)) || (!ev->m->fault && formal_opaque(ev, v, f, x));
}
