/* A tree's value: arithmetic, roots and powers, whole numbers' functions. */
#include <string.h>

#include "math_private.h"

bool node_transcendental(const struct node *t)
{
	size_t i;

	if (t->kind == N_PI || t->kind == N_E || (t->kind == N_UNIT && !t->unit->percent))
		return true;
	if (t->kind == N_FUNCTION && t->code < F_ABS)
		return true;
	for (i = 0; i < t->n; i++)
		if (node_transcendental(t->kid[i]))
			return true;
	return false;
}

bool math_has_names(const struct node *t)
{
	size_t i;

	if (t->kind == N_NAME)
		return true;
	for (i = 0; i < t->n; i++)
		if (math_has_names(t->kid[i]))
			return true;
	return false;
}

static bool eval_fold(struct eval *ev, struct value *v, const struct node *t)
{
	struct value k;
	size_t i;
	bool ok = eval_node(ev, v, t->kid[0]);

	value_init(&k);
	for (i = 1; ok && i < t->n; i++)
		ok = eval_node(ev, &k, t->kid[i]) && (t->kind == N_ADD ? value_add(ev, v, v, &k) : value_multiply(ev, v, v, &k));
	value_clear(&k);
	return ok;
}

static bool absolute(struct eval *ev, struct value *v)
{
	struct value other;
	bool ok;

	if (v->rational) {
		fmpq_abs(v->q, v->q);
		return true;
	}
	if (arb_is_zero(acb_imagref(v->z))) {
		if (arb_is_negative(acb_realref(v->z)))
			acb_neg(v->z, v->z);
		ev->imprecise = !arb_is_nonnegative(acb_realref(v->z));
		return !ev->imprecise;
	}
	/* The root of z times its conjugate. The conjugates of nested roots may be new to the field: squared, it has them. */
	value_init(&other);
	value_set(&other, v);
	acb_conj(other.z, other.z);
	ok = value_multiply(ev, &other, &other, v);
	if (ok) {
		arb_zero(acb_imagref(other.z));
		acb_sqrt(v->z, other.z, ev->prec);
		v->u = (other.u + other.l) / 2 + 1;
		v->l = other.l;
		ev->degree *= 2 * ev->degree;
		if (!acb_is_finite(v->z)) {
			ev->imprecise = true;
			ok = false;
		}
	}
	value_clear(&other);
	return ok;
}

static bool rounded(struct eval *ev, struct value *v, bool down)
{
	fmpz_t k;
	arb_t x;
	bool ok;

	if (v->rational) {
		if (down)
			fmpz_fdiv_q(fmpq_numref(v->q), fmpq_numref(v->q), fmpq_denref(v->q));
		else
			fmpz_cdiv_q(fmpq_numref(v->q), fmpq_numref(v->q), fmpq_denref(v->q));
		fmpz_one(fmpq_denref(v->q));
		return true;
	}
	if (ev->formal || !arb_is_zero(acb_imagref(v->z)))
		return eval_fail(ev, "rounding of what is not rational");
	fmpz_init(k);
	arb_init(x);
	if (down)
		arb_floor(x, acb_realref(v->z), ev->prec);
	else
		arb_ceil(x, acb_realref(v->z), ev->prec);
	ok = arb_get_unique_fmpz(k, x);
	if (ok) {
		set_integer(v->q, k);
		v->rational = true;
	} else {
		ev->imprecise = true;
	}
	fmpz_clear(k);
	arb_clear(x);
	return ok;
}

static bool factorial(struct eval *ev, struct value *v)
{
	slong n;

	if (!value_integer(v, &n) || n < 0)
		return eval_fail(ev, "a factorial of what is no whole number");
	if (n > 5000)
		return eval_fail(ev, "a factorial too large");
	if (!eval_spend(ev, (double)n * 8, 10))
		return false;
	fmpz_fac_ui(fmpq_numref(v->q), (ulong)n);
	return true;
}

/* n (n-1) ... (n-k+1) / k! */
static bool binomial(struct eval *ev, struct value *v, const struct value *n, const struct value *k)
{
	struct value factor, by;
	slong i, top, down;
	bool ok = true;

	if (!value_integer(k, &down))
		return eval_fail(ev, "a binomial of what is no whole number");
	if (value_integer(n, &top) && top >= 0) {
		if (down > top - down)
			down = top - down;
		if (top > 1L << 40 || down > 3000)
			return eval_fail(ev, "a binomial too large");
		v->rational = true;
		fmpq_zero(v->q);
		if (down >= 0)
			fmpz_bin_uiui(fmpq_numref(v->q), (ulong)top, (ulong)down);
		return eval_spend(ev, (double)fmpz_bits(fmpq_numref(v->q)), 20);
	}
	if (down < 0 || down > 100)
		return eval_fail(ev, "a binomial too large");
	value_init(&factor);
	value_init(&by);
	value_set(&factor, n);
	fmpq_one(v->q);
	v->rational = true;
	for (i = 0; ok && i < down; i++) {
		ok = value_multiply(ev, v, v, &factor);
		fmpq_set_si(by.q, 1, (ulong)i + 1);
		by.rational = true;
		ok = ok && value_multiply(ev, v, v, &by);
		fmpq_set_si(by.q, -1, 1);
		ok = ok && value_add(ev, &factor, &factor, &by);
	}
	value_clear(&factor);
	value_clear(&by);
	return ok;
}

/* gcd, lcm, max, min of rationals */
static bool of_two(struct eval *ev, struct value *v, const struct value *b, int f)
{
	if (!v->rational || !b->rational)
		return eval_fail(ev, "a function of whole numbers only");
	if (f == F_MAX || f == F_MIN) {
		if ((fmpq_cmp(v->q, b->q) < 0) == (f == F_MAX))
			fmpq_set(v->q, b->q);
		return true;
	}
	if (!fmpz_is_one(fmpq_denref(v->q)) || !fmpz_is_one(fmpq_denref(b->q)) || !eval_spend(ev, MAX_BITS, 1))
		return eval_fail(ev, "a function of whole numbers only");
	if (f == F_GCD)
		fmpz_gcd(fmpq_numref(v->q), fmpq_numref(v->q), fmpq_numref(b->q));
	else if (f == F_LCM)
		fmpz_lcm(fmpq_numref(v->q), fmpq_numref(v->q), fmpq_numref(b->q));
	else if (!fmpq_is_zero(b->q))
		fmpz_fdiv_r(fmpq_numref(v->q), fmpq_numref(v->q), fmpq_numref(b->q));
	else
		return eval_fail(ev, "a division by zero");
	return fmpz_bits(fmpq_numref(v->q)) <= MAX_BITS || eval_fail(ev, "a number too large or too small");
}

static bool whole_function(struct eval *ev, struct value *v, const struct node *t)
{
	struct value x, y;
	size_t i;
	bool ok;

	value_init(&x);
	value_init(&y);
	ok = eval_node(ev, &x, t->kid[0]);
	if (t->code == F_BINOMIAL) {
		ok = ok && t->n == 2 && eval_node(ev, &y, t->kid[1]) && binomial(ev, v, &x, &y);
	} else {
		value_set(v, &x);
		if (t->code >= F_GCD)
			for (i = 1; ok && i < t->n; i++)
				ok = eval_node(ev, &y, t->kid[i]) && of_two(ev, v, &y, t->code);
		else if (t->n != 1)
			ok = false;
		else if (ok)
			ok = t->code == F_ABS ? absolute(ev, v) : t->code == F_FACTORIAL ? factorial(ev, v) : rounded(ev, v, t->code == F_FLOOR);
	}
	value_clear(&x);
	value_clear(&y);
	return ok || ev->imprecise || eval_fail(ev, "a function that is not known here");
}

bool eval_node(struct eval *ev, struct value *v, const struct node *t)
{
	size_t i;

	if (!eval_spend(ev, 64, 1))
		return false;
	switch (t->kind) {
	case N_NUMBER: case N_BASE:
		value_rational(v, t->number);
		return eval_spend(ev, (double)fmpz_bits(fmpq_numref(t->number)), 1);
	case N_NAME:
		for (i = 0; i < ev->names; i++)
			if (!strcmp(ev->name[i].name, t->name)) {
				value_rational(v, ev->name[i].at[ev->point]);
				return true;
			}
		return eval_fail(ev, "a name without a value");
	case N_I:
		return value_imaginary(ev, v);
	case N_ADD: case N_MULTIPLY:
		return eval_fold(ev, v, t);
	case N_NEGATE:
		if (!eval_node(ev, v, t->kid[0]))
			return false;
		if (v->rational)
			fmpq_neg(v->q, v->q);
		else
			acb_neg(v->z, v->z);
		return true;
	case N_INVERSE:
		return eval_node(ev, v, t->kid[0]) && value_invert(ev, v, v);
	case N_POWER:
		return eval_power(ev, v, t->kid[0], t->kid[1]);
	case N_PI: case N_E:
		return eval_function(ev, v, t);
	case N_UNIT:
		if (t->unit->percent || unit_is(t->unit, ANGLE))
			return eval_function(ev, v, t);
		return eval_fail(ev, "a quantity within an expression");
	case N_FUNCTION:
		return t->code >= F_ABS ? whole_function(ev, v, t) : eval_function(ev, v, t);
	default:
		return eval_fail(ev, "what is no number within an expression");
	}
}
