/* Functions of analysis. Numerically by Arb; in formal mode what is transcendental gets a random rational, so that what holds by the functional
 * equations (e^(x+y) = e^x e^y, cos^2 + sin^2 = 1, ln ab = ln a + ln b) holds for these numbers and nothing else does. */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "formal_private.h"

void formal_pick(struct eval *ev, fmpq_t q, const acb_t near)
{
	uint64_t random = hash_mix(ev->seed, ev->atoms * 2 + 1);
	fmpz_t k;
	arb_t x;

	fmpz_init(k);
	arb_init(x);
	arb_mul_2exp_si(x, acb_realref(near), 24);
	arb_floor(x, x, 64);
	if (arb_is_zero(acb_imagref(near)) && arb_get_unique_fmpz(k, x) && fmpz_bits(k) > 12 && fmpz_bits(k) < 50) {
		fmpz_add_ui(k, k, random % (fmpz_bits(k) > 20 ? 65521 : 251));
		fmpz_set(fmpq_numref(q), k);
		fmpz_one(fmpq_denref(q));
		fmpz_mul_2exp(fmpq_denref(q), fmpq_denref(q), 24);
		fmpq_canonicalise(q);
	} else {
		fmpq_set_si(q, (slong)(2 + random % 16777213), 1);
	}
	fmpz_clear(k);
	arb_clear(x);
}

/* The number that a tree stands for, whatever is formal here */
static bool numeric(struct eval *ev, acb_t z, const struct node *t)
{
	bool formal = ev->formal, ok;
	slong prec = ev->prec;
	struct value v;

	value_init(&v);
	ev->formal = false;
	ev->prec = 80;
	ok = !t || eval_node(ev, &v, t);
	if (ok && t)
		value_ball(ev, z, &v);
	else if (ok)
		acb_one(z);
	ev->formal = formal;
	ev->prec = prec;
	value_clear(&v);
	return ok;
}

struct atom *formal_atom(struct eval *ev, int kind)
{
	struct atom *a;

	ev->atom = xgrow(ev->atom, &ev->atoms_cap, ev->atoms + 1, sizeof *ev->atom);
	a = &ev->atom[ev->atoms++];
	memset(a, 0, sizeof *a);
	a->kind = kind;
	a->below = 1;
	a->point = ev->point;
	fmpz_init(a->prime);
	value_init(&a->value);
	value_init(&a->argument);
	return a;
}

bool formal_pi(struct eval *ev, struct value *v)
{
	size_t i;
	struct atom *a;

	if (!ev->formal) {
		acb_const_pi(v->z, ev->prec);
		v->rational = false;
		return eval_spend(ev, (double)ev->prec, 4);
	}
	for (i = 0; i < ev->atoms && ev->atom[i].kind != A_PI; i++)
		;
	if (i == ev->atoms) {
		acb_t z;

		acb_init(z);
		acb_const_pi(z, 80);
		a = formal_atom(ev, A_PI);
		formal_pick(ev, a->value.q, z);
		acb_clear(z);
	}
	value_set(v, &ev->atom[i].value);
	return true;
}

/* ---- sums of rational multiples of keys ---- */

void formal_terms_free(struct terms *s)
{
	while (s->n)
		fmpq_clear(s->term[--s->n].times);
}

static uint64_t hash_of(const struct node *t)
{
	uint64_t h = hash_mix(t->kind, (uint64_t)t->code);
	size_t i;

	if (t->name)
		h = hash_mix(h, hash_str(t->name));
	if (t->kind == N_NUMBER)
		h = hash_mix(h, fmpz_fdiv_ui(fmpq_numref(t->number), 1000000007) * 31 + fmpz_fdiv_ui(fmpq_denref(t->number), 1000000007));
	for (i = 0; i < t->n; i++)
		h = hash_mix(h, hash_of(t->kid[i]));
	return h;
}

static bool push(struct eval *ev, struct terms *s, const fmpq_t times, bool imaginary, const struct node *key)
{
	size_t i;

	if (fmpq_is_zero(times))
		return true;
	for (i = 0; i < s->n; i++) {
		struct term *t = &s->term[i];

		if (t->imaginary == imaginary && !t->key == !key && (!key || node_equal(key, t->key))) {
			fmpq_add(t->times, t->times, times);
			return true;
		}
	}
	if (s->n == sizeof s->term / sizeof *s->term)
		return eval_fail(ev, "too many terms in an exponent");
	fmpq_init(s->term[s->n].times);
	fmpq_set(s->term[s->n].times, times);
	s->term[s->n].imaginary = imaginary;
	s->term[s->n++].key = key;
	return true;
}

/* Rational factors and i out of a product; what is left is the key. */
static bool split_product(struct eval *ev, struct terms *s, const struct node *t, const fmpq_t times, bool imaginary)
{
	const struct node *rest[16], *move;
	struct node *key;
	struct value v;
	fmpq_t c;
	size_t i, j, n = 0;
	bool ok = true;

	value_init(&v);
	fmpq_init(c);
	fmpq_set(c, times);
	for (i = 0; ok && i < t->n; i++) {
		const struct node *f = t->kid[i];

		if (f->kind == N_I) {
			if (imaginary)
				fmpq_neg(c, c);
			imaginary = !imaginary;
		} else if (f->kind == N_NEGATE && f->kid[0]->kind == N_I) {
			if (!imaginary)
				fmpq_neg(c, c);
			imaginary = !imaginary;
		} else if (!node_transcendental(f) && (ok = eval_node(ev, &v, f)) && v.rational) {
			fmpq_mul(c, c, v.q);
		} else if (ok && n < 16) {
			rest[n++] = f;
		} else {
			ok = false;
		}
	}
	if (!ok) {
		eval_fail(ev, "an exponent that is too long");
	} else if (n == 0) {
		ok = push(ev, s, c, imaginary, NULL);
	} else if (n == 1) {
		ok = formal_split(ev, s, rest[0], c, imaginary);
	} else {
		for (i = 1; i < n; i++)
			for (j = i; j > 0 && hash_of(rest[j]) < hash_of(rest[j - 1]); j--)
				move = rest[j], rest[j] = rest[j - 1], rest[j - 1] = move;
		key = node_list(ev->m, N_MULTIPLY, (struct node **)rest, n);
		ok = key && push(ev, s, c, imaginary, key);
	}
	value_clear(&v);
	fmpq_clear(c);
	return ok;
}

bool formal_split(struct eval *ev, struct terms *s, const struct node *t, const fmpq_t times, bool imaginary)
{
	struct value v;
	fmpq_t c;
	size_t i;
	bool ok = true;

	if (t->kind == N_MULTIPLY)
		return split_product(ev, s, t, times, imaginary);
	fmpq_init(c);
	value_init(&v);
	if (t->kind == N_ADD) {
		for (i = 0; ok && i < t->n; i++)
			ok = formal_split(ev, s, t->kid[i], times, imaginary);
	} else if (t->kind == N_NEGATE) {
		fmpq_neg(c, times);
		ok = formal_split(ev, s, t->kid[0], c, imaginary);
	} else if (t->kind == N_I) {
		fmpq_set(c, times);
		if (imaginary)
			fmpq_neg(c, c);
		ok = push(ev, s, c, !imaginary, NULL);
	} else if (t->kind == N_UNIT && unit_is(t->unit, ANGLE)) {
		fmpz_t k;

		fmpz_init_set_ui(k, 180);
		fmpq_div_fmpz(c, times, k);
		fmpz_clear(k);
		t = node_new(ev->m, N_MULTIPLY, 2, t->kid[0], node_new(ev->m, N_PI, 0));
		ok = t && split_product(ev, s, t, c, imaginary);
	} else if (!node_transcendental(t)) {
		ok = eval_node(ev, &v, t);
		if (ok && v.rational) {
			fmpq_mul(c, times, v.q);
			ok = push(ev, s, c, imaginary, NULL);
		} else if (ok) {
			ok = push(ev, s, times, imaginary, t);
		}
	} else {
		ok = push(ev, s, times, imaginary, t);
	}
	value_clear(&v);
	fmpq_clear(c);
	return ok;
}

/* ---- exponentials ---- */

/* (1 + i s) / (1 - i s) for a rational s: a number of absolute value 1 */
static bool on_circle(struct eval *ev, struct value *v, const fmpq_t s)
{
	struct value a, b;
	bool ok;

	value_init(&a);
	value_init(&b);
	value_rational(&a, s);
	ok = value_imaginary(ev, &b) && value_multiply(ev, &a, &a, &b);
	fmpq_one(b.q);
	b.rational = true;
	ok = ok && value_add(ev, v, &b, &a) && value_subtract(ev, &b, &b, &a) && value_invert(ev, &b, &b) && value_multiply(ev, v, v, &b);
	value_clear(&a);
	value_clear(&b);
	return ok;
}

static void pick_exponential(struct eval *ev, struct atom *a, const acb_t key)
{
	acb_t z;

	acb_init(z);
	acb_div_si(z, key, a->below, 80);
	if (a->kind == A_CIS) {
		acb_mul_2exp_si(z, z, -1);
		acb_tan(z, z, 80);
	} else {
		acb_exp(z, z, 80);
	}
	formal_pick(ev, a->value.q, z);
	acb_clear(z);
}

/* e^(times key), or e^(i times key): the atom of which it is a power, and which */
static struct atom *atom_of(struct eval *ev, const struct term *t, slong *power)
{
	int kind = t->imaginary ? A_CIS : A_EXP;
	const bool one = fmpz_cmpabs(fmpq_numref(t->times), fmpq_denref(t->times)) <= 0;
	slong below;
	struct atom *a;
	size_t i;
	acb_t z;

	if (!fmpz_fits_si(fmpq_denref(t->times)) || fmpz_cmp_ui(fmpq_denref(t->times), 1000) > 0 || (!one && fmpz_bits(fmpq_numref(t->times)) > 20))
		return eval_fail(ev, "an exponent too large"), NULL;
	below = fmpz_get_si(fmpq_denref(t->times));
	for (i = 0; i < ev->atoms; i++) {
		a = &ev->atom[i];
		if (a->kind == kind && !a->key == !t->key && (!t->key || (a->point == ev->point && node_equal(a->key, t->key))))
			break;
	}
	if (i == ev->atoms || ev->atom[i].below % below) {
		acb_init(z);
		if (!numeric(ev, z, t->key)) {
			acb_clear(z);
			return NULL;
		}
		if (i == ev->atoms) {
			a = formal_atom(ev, kind);
			a->key = t->key;
			a->below = below;
		} else {
			a = &ev->atom[i];
			while (a->below % below)        /* at most 1000 times */
				a->below += a->below < 1000000 ? fmpz_get_si(fmpq_denref(t->times)) * a->below - a->below : below;
			ev->again = true;
		}
		pick_exponential(ev, a, z);
		acb_clear(z);
	}
	a = &ev->atom[i];
	if (a->below > 100000)
		return eval_fail(ev, "an exponent too large"), NULL;
	*power = fmpz_get_si(fmpq_numref(t->times)) * (a->below / below);
	if (*power > 4000 || *power < -4000)
		return eval_fail(ev, "an exponent too large"), NULL;
	return a;
}

static bool exponential(struct eval *ev, struct value *v, const struct term *t)
{
	slong power;
	const struct atom *a = atom_of(ev, t, &power);

	if (!a)
		return false;
	if (t->imaginary)
		return on_circle(ev, v, a->value.q) && value_power(ev, v, v, power);
	value_set(v, &a->value);
	return value_power(ev, v, v, power);
}

/* (-1)^times: e^(i pi times) */
static bool half_turns(struct eval *ev, struct value *f, const fmpq_t times)
{
	struct value i2;
	ulong below;
	bool ok;

	fmpq_set_si(f->q, -1, 1);
	f->rational = true;
	if (!fmpz_fits_si(fmpq_denref(times)) || !fmpz_fits_si(fmpq_numref(times)))
		return false;
	below = fmpz_get_ui(fmpq_denref(times));
	if (below == 1 || below % 2 == 0) {     /* the principal root, by i where it is even: of odd index -1 would be taken */
		ok = below == 1 || value_root(ev, f, f, below, NULL);
	} else {                                /* e^(i pi/q) = -(-1)^((q+1)/q): from the root of index 2q, squared */
		value_init(&i2);
		ok = value_root(ev, &i2, f, 2 * below, NULL) && value_multiply(ev, f, &i2, &i2);
		value_clear(&i2);
	}
	return ok && value_power(ev, f, f, fmpz_get_si(fmpq_numref(times)));
}

/* e^(the sum) */
bool formal_exponentials(struct eval *ev, struct value *v, const struct terms *s)
{
	struct value f;
	bool ok = true;
	size_t i;

	value_init(&f);
	v->rational = true;
	fmpq_one(v->q);
	for (i = 0; ok && i < s->n; i++) {
		const struct term *t = &s->term[i];

		if (fmpq_is_zero(t->times))
			continue;
		if (t->key && t->key->kind == N_PI && t->imaginary) {
			ok = half_turns(ev, &f, t->times);
		} else if (t->key && t->key->kind == N_FUNCTION && t->key->code == F_LN && !t->imaginary) {
			ok = eval_node(ev, &f, t->key->kid[0]) && value_power_rational(ev, &f, &f, t->times, t->key->kid[0]);
		} else {
			ok = exponential(ev, &f, t);
		}
		ok = ok && value_multiply(ev, v, v, &f);
	}
	value_clear(&f);
	return ok;
}

bool formal_exp(struct eval *ev, struct value *v, const struct node *t, bool imaginary)
{
	struct terms s = {.n = 0};
	fmpq_t one;
	bool ok;

	fmpq_init(one);
	fmpq_one(one);
	ok = formal_split(ev, &s, t, one, imaginary) && formal_exponentials(ev, v, &s);
	formal_terms_free(&s);
	fmpq_clear(one);
	return ok;
}

/* cos and sin of one angle and of another: of their sum */
static bool turn(struct eval *ev, struct value *c, struct value *s, const struct value *c2, const struct value *s2)
{
	struct value x, y, z;
	bool ok;

	value_init(&x);
	value_init(&y);
	value_init(&z);
	ok = value_multiply(ev, &x, c, c2) && value_multiply(ev, &y, s, s2) && value_subtract(ev, &z, &x, &y) && value_multiply(ev, &x, s, c2) &&
		value_multiply(ev, &y, c, s2) && value_add(ev, s, &x, &y);
	if (ok)
		value_set(c, &z);
	value_clear(&x);
	value_clear(&y);
	value_clear(&z);
	return ok;
}

/* (c + i s) *= e^(i times key): rationals stay rational, where i would make a field of them */
static bool turn_by(struct eval *ev, struct value *c, struct value *s, const struct term *t)
{
	struct value x, y, one;
	struct atom *a;
	slong power = 0;
	bool ok;

	value_init(&x);
	value_init(&y);
	value_init(&one);
	fmpq_one(one.q);
	if (t->key && t->key->kind == N_PI) {
		const bool quarter = fmpz_equal_si(fmpq_denref(t->times), 2);

		ok = half_turns(ev, &x, t->times);
		if (ok && quarter) {            /* i, or -i */
			value_rational(&x, one.q);
			if (fmpz_fdiv_ui(fmpq_numref(t->times), 4) == 3)
				fmpq_neg(x.q, x.q);
			value_set(&y, &x);
			fmpq_zero(x.q);
		} else if (ok && !x.rational) { /* (E + 1/E)/2, (E - 1/E)/2i */
			struct value i;

			value_init(&i);
			fmpq_set_si(one.q, 1, 2);
			ok = value_invert(ev, &i, &x) && value_subtract(ev, &y, &x, &i) && value_add(ev, &x, &x, &i) && value_multiply(ev, &x, &x, &one) &&
				value_multiply(ev, &y, &y, &one) && value_imaginary(ev, &i) && value_invert(ev, &i, &i) && value_multiply(ev, &y, &y, &i);
			value_clear(&i);
		}
		ok = ok && turn(ev, c, s, &x, &y);
	} else {
		ok = (a = atom_of(ev, t, &power));
		if (ok) {                       /* (1 - q^2)/(1 + q^2), 2q/(1 + q^2) */
			value_set(&y, &a->value);
			ok = value_multiply(ev, &x, &y, &y) && value_add(ev, &y, &y, &y) && value_add(ev, &one, &one, &x) && value_invert(ev, &one, &one) &&
				value_multiply(ev, &y, &y, &one);
			fmpq_neg(x.q, x.q);
			fmpq_add_si(x.q, x.q, 1);
			ok = ok && value_multiply(ev, &x, &x, &one);
			if (power < 0)
				fmpq_neg(y.q, y.q);
		}
		for (power = power < 0 ? -power : power; ok && power; power /= 2) {
			if (power % 2)
				ok = turn(ev, c, s, &x, &y);
			ok = ok && (power == 1 || turn(ev, &x, &y, &x, &y));
		}
	}
	value_clear(&x);
	value_clear(&y);
	value_clear(&one);
	return ok;
}

/* cos and sin, or cosh and sinh, of t: of a real angle by turns, else by E = e^(i t) or e^t */
static bool cos_sin(struct eval *ev, struct value *cosine, struct value *sine, const struct node *t, bool hyperbolic)
{
	struct terms terms = {.n = 0};
	struct value e, i;
	fmpq_t q;
	size_t k;
	bool ok, turns = !hyperbolic;

	value_init(&e);
	value_init(&i);
	fmpq_init(q);
	fmpq_one(q);
	ok = formal_split(ev, &terms, t, q, !hyperbolic);
	for (k = 0; k < terms.n; k++)
		turns &= terms.term[k].imaginary;
	value_rational(cosine, q);
	fmpq_zero(q);
	value_rational(sine, q);
	if (turns) {
		for (k = 0; ok && k < terms.n; k++)
			ok = fmpq_is_zero(terms.term[k].times) || turn_by(ev, cosine, sine, &terms.term[k]);
	} else {
		ok = ok && formal_exponentials(ev, &e, &terms) && value_invert(ev, &i, &e) && value_add(ev, cosine, &e, &i) && value_subtract(ev, sine, &e, &i);
		fmpq_set_si(q, 1, 2);
		value_rational(&i, q);
		ok = ok && value_multiply(ev, cosine, cosine, &i) && value_multiply(ev, sine, sine, &i);
		if (!hyperbolic)
			ok = ok && value_imaginary(ev, &i) && value_invert(ev, &i, &i) && value_multiply(ev, sine, sine, &i);
	}
	formal_terms_free(&terms);
	value_clear(&e);
	value_clear(&i);
	fmpq_clear(q);
	return ok;
}

static bool formal_circular(struct eval *ev, struct value *v, const struct node *t)
{
	int f = t->code;
	struct value sine, cosine;
	bool ok;

	value_init(&sine);
	value_init(&cosine);
	ok = cos_sin(ev, &cosine, &sine, t->kid[0], f >= F_SINH && f <= F_TANH);
	if (ok && (f == F_TAN || f == F_TANH || f == F_SEC))
		ok = value_invert(ev, &cosine, &cosine);
	if (ok && (f == F_COT || f == F_CSC))
		ok = value_invert(ev, &sine, &sine);
	if (ok && (f == F_TAN || f == F_TANH || f == F_COT))
		ok = value_multiply(ev, v, &sine, &cosine);
	else if (ok)
		value_set(v, f == F_SIN || f == F_SINH || f == F_CSC ? &sine : &cosine);
	value_clear(&sine);
	value_clear(&cosine);
	return ok;
}

/* ---- logarithms, and what has no equation here ---- */

bool formal_call(struct eval *ev, acb_t z, const acb_t x, int f)
{
	switch (f) {
	case F_SIN: acb_sin(z, x, ev->prec); break;
	case F_COS: acb_cos(z, x, ev->prec); break;
	case F_TAN: acb_tan(z, x, ev->prec); break;
	case F_COT: acb_cot(z, x, ev->prec); break;
	case F_SEC: acb_sec(z, x, ev->prec); break;
	case F_CSC: acb_csc(z, x, ev->prec); break;
	case F_ASIN: acb_asin(z, x, ev->prec); break;
	case F_ACOS: acb_acos(z, x, ev->prec); break;
	case F_ATAN: acb_atan(z, x, ev->prec); break;
	case F_SINH: acb_sinh(z, x, ev->prec); break;
	case F_COSH: acb_cosh(z, x, ev->prec); break;
	case F_TANH: acb_tanh(z, x, ev->prec); break;
	case F_LN: acb_log(z, x, ev->prec); break;
	default: acb_exp(z, x, ev->prec); break;
	}
	if (acb_is_finite(z))
		return true;
	ev->imprecise = true;
	return false;
}

bool formal_opaque(struct eval *ev, struct value *v, int f, const struct value *argument)
{
	struct value d;
	struct atom *a;
	slong need;
	size_t i;
	acb_t z;
	bool ok = true;

	value_init(&d);
	for (i = 0; ok && i < ev->atoms; i++) {
		a = &ev->atom[i];
		if (a->kind != f)
			continue;
		ok = value_subtract(ev, &d, &a->argument, argument);
		if (ok && value_zero(ev, &d, &need) == YES)
			break;
	}
	value_clear(&d);
	if (!ok)
		return false;
	if (i == ev->atoms) {
		acb_init(z);
		value_ball(ev, z, argument);
		ok = formal_call(ev, z, z, f);
		if (ok) {
			a = formal_atom(ev, f);
			value_set(&a->argument, argument);
			formal_pick(ev, a->value.q, z);
		}
		acb_clear(z);
	}
	if (ok)
		value_set(v, &ev->atom[i].value);
	return ok;
}

bool formal_positive(struct eval *ev, const struct node *t)
{
	acb_t z;
	bool ok;

	acb_init(z);
	ok = numeric(ev, z, t) && arb_is_zero(acb_imagref(z)) && arb_is_positive(acb_realref(z));
	acb_clear(z);
	return ok;
}

/* Of a rational above 0: a sum over its primes */
static bool log_of_rational(struct eval *ev, struct value *v, const fmpq_t q)
{
	fmpz_factor_t f;
	fmpq_t times;
	slong j;
	size_t i;
	int side;
	acb_t z;

	fmpz_factor_init(f);
	fmpq_init(times);
	acb_init(z);
	for (side = 0; side < 2; side++) {
		factor_small(f, side ? fmpq_denref(q) : fmpq_numref(q));
		for (j = 0; j < f->num && !fmpz_is_one(f->p + j); j++) {
			for (i = 0; i < ev->atoms; i++)
				if (ev->atom[i].kind == A_LOG && fmpz_equal(ev->atom[i].prime, f->p + j))
					break;
			if (i == ev->atoms) {
				struct atom *a = formal_atom(ev, A_LOG);

				fmpz_set(a->prime, f->p + j);
				arb_log_fmpz(acb_realref(z), a->prime, 80);
				formal_pick(ev, a->value.q, z);
			}
			fmpq_set_si(times, side ? -(slong)f->exp[j] : (slong)f->exp[j], 1);
			fmpq_mul(times, times, ev->atom[i].value.q);
			fmpq_add(v->q, v->q, times);
		}
	}
	fmpz_factor_clear(f);
	fmpq_clear(times);
	acb_clear(z);
	return eval_spend(ev, 2000, 20);
}

static bool formal_log(struct eval *ev, struct value *v, const struct node *t)
{
	struct value x;
	size_t i;
	bool ok = true;

	value_init(&x);
	v->rational = true;
	fmpq_zero(v->q);
	if (t->kind == N_E) {
		fmpq_one(v->q);
	} else if (t->kind == N_INVERSE && formal_positive(ev, t->kid[0])) {
		ok = formal_log(ev, &x, t->kid[0]) && value_subtract(ev, v, v, &x);
	} else if (t->kind == N_POWER && formal_positive(ev, t->kid[0]) && formal_positive(ev, t)) {
		ok = formal_log(ev, &x, t->kid[0]) && eval_node(ev, v, t->kid[1]) && value_multiply(ev, v, v, &x);
	} else {
		for (i = 0; t->kind == N_MULTIPLY && i < t->n && formal_positive(ev, t->kid[i]); i++)
			;
		if (t->n && i == t->n) {
			for (i = 0; ok && i < t->n; i++)
				ok = formal_log(ev, &x, t->kid[i]) && value_add(ev, v, v, &x);
		} else {
			ok = eval_node(ev, &x, t);
			if (ok && x.rational && fmpq_sgn(x.q) > 0) {
				v->rational = true;
				fmpq_zero(v->q);
				ok = log_of_rational(ev, v, x.q);
			} else if (ok && x.rational && fmpq_is_zero(x.q)) {
				ok = eval_fail(ev, "the logarithm of zero");
			} else if (ok) {
				ok = formal_opaque(ev, v, F_LN, &x);
			}
		}
	}
	value_clear(&x);
	return ok;
}

/* ---- all of them ---- */

bool formal_in_range(struct eval *ev, const acb_t z)
{
	mag_t top;
	bool ok;

	mag_init(top);
	acb_get_mag(top, z);
	ok = mag_cmp_2exp_si(top, 40) < 0;
	mag_clear(top);
	return ok || eval_fail(ev, "a number too large or too small");
}

bool formal_numeric(struct eval *ev, struct value *v, int f, const struct node *of)
{
	acb_t z;
	bool ok;

	acb_init(z);
	ok = eval_node(ev, v, of);
	value_ball(ev, z, v);
	ok = ok && formal_in_range(ev, z) && eval_spend(ev, (double)ev->prec, 60);
	if (ok && f == F_LN && acb_is_zero(z))
		ok = eval_fail(ev, "the logarithm of zero");
	ok = ok && formal_call(ev, v->z, z, f);
	v->rational = false;
	acb_clear(z);
	return ok;
}

bool eval_function(struct eval *ev, struct value *v, const struct node *t)
{
	struct value x;
	fmpq_t q;
	bool ok;

	if (t->kind == N_PI)
		return formal_pi(ev, v);
	value_init(&x);
	fmpq_init(q);
	if (t->kind == N_E) {
		ok = true;
		if (ev->formal)
			ok = formal_exp(ev, v, node_integer(ev->m, 1), false);
		else
			arb_const_e(acb_realref(v->z), ev->prec), arb_zero(acb_imagref(v->z)), v->rational = false;
	} else if (t->kind == N_UNIT) {
		ok = eval_node(ev, v, t->kid[0]);
		fmpq_set_si(q, 1, t->unit->percent ? 100 : 180);
		value_rational(&x, q);
		ok = ok && value_multiply(ev, v, v, &x);
		if (!t->unit->percent)
			ok = ok && formal_pi(ev, &x) && value_multiply(ev, v, v, &x);
	} else if (t->code == F_LOG && t->n == 2) {
		ok = ev->formal ? formal_log(ev, v, t->kid[0]) && formal_log(ev, &x, t->kid[1])
				: formal_numeric(ev, v, F_LN, t->kid[0]) && formal_numeric(ev, &x, F_LN, t->kid[1]);
		ok = ok && value_invert(ev, &x, &x) && value_multiply(ev, v, v, &x);
	} else if (t->n != 1 || t->code == F_LOG || t->code == F_NONE) {
		ok = eval_fail(ev, "a function that is not known here");
	} else if (!ev->formal) {
		ok = formal_numeric(ev, v, t->code, t->kid[0]);
	} else if (t->code == F_LN) {
		ok = formal_log(ev, v, t->kid[0]);
	} else if (t->code == F_EXP) {
		ok = formal_exp(ev, v, t->kid[0], false);
	} else if (t->code == F_ASIN || t->code == F_ACOS || t->code == F_ATAN) {
		ok = eval_node(ev, &x, t->kid[0]) && formal_inverse(ev, v, t->code, &x);
	} else {
		ok = formal_circular(ev, v, t);
	}
	value_clear(&x);
	fmpq_clear(q);
	return ok;
}
