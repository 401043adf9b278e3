/* a^b: by the rational b, by a logarithm that it undoes, or by e^(b ln a) */
#include "formal_private.h"

/* base^k = b for a small whole k */
static bool is_power(const fmpq_t base, const fmpq_t b, slong *k)
{
	fmpq_t q;

	fmpq_init(q);
	fmpq_set(q, base);
	for (*k = 1; *k < 16 && fmpq_height_bits(q) <= fmpq_height_bits(b) && !fmpq_equal(q, b); ++*k)
		fmpq_mul(q, q, base);
	*k = fmpq_equal(q, b) ? *k : 0;
	fmpq_clear(q);
	return *k;
}

/* 2^(log_2 5) and the like, 9^(-2 log_3 x): x, and the power of it that this is; NULL: it is no such thing */
static const struct node *undone_log(struct eval *ev, const struct node *base, const struct node *exponent, fmpq_t power)
{
	const struct node *of;
	struct value v;
	slong k;
	size_t i;
	bool ok = true;

	if (exponent->kind == N_NEGATE) {
		of = undone_log(ev, base, exponent->kid[0], power);
		fmpq_neg(power, power);
		return of;
	}
	if (exponent->kind == N_FUNCTION && exponent->code == F_LOG && exponent->n == 2) {
		fmpq_one(power);
		if (node_equal(exponent->kid[1], base))
			return exponent->kid[0];
		if (base->kind != N_NUMBER || exponent->kid[1]->kind != N_NUMBER || !is_power(exponent->kid[1]->number, base->number, &k))
			return NULL;
		fmpq_set_si(power, k, 1);
		return exponent->kid[0];
	}
	if (exponent->kind != N_MULTIPLY)
		return NULL;
	value_init(&v);
	for (i = 0, of = NULL; i < exponent->n && !of; i++)
		of = undone_log(ev, base, exponent->kid[i], power);
	for (k = (slong)i - 1, i = 0; of && ok && i < exponent->n; i++) {
		if ((slong)i == k)
			continue;
		ok = !node_transcendental(exponent->kid[i]) && eval_node(ev, &v, exponent->kid[i]) && v.rational;
		if (ok)
			fmpq_mul(power, power, v.q);
	}
	value_clear(&v);
	return ok ? of : NULL;
}

/* a^b, where b is not rational: e^(b ln a) */
static bool general_power(struct eval *ev, struct value *v, const struct node *base, const struct node *exponent)
{
	struct terms s = {.n = 0};
	struct value a;
	const struct node *of;
	struct node *log;
	fmpq_t times;
	bool ok = true;

	if (base->kind == N_E)
		return ev->formal ? formal_exp(ev, v, exponent, false) : formal_numeric(ev, v, F_EXP, exponent);
	value_init(&a);
	fmpq_init(times);
	if (!ev->formal) {
		ok = formal_numeric(ev, v, F_LN, base) && eval_node(ev, &a, exponent) && value_multiply(ev, v, v, &a) && formal_in_range(ev, v->z)
		    && eval_spend(ev, (double)ev->prec, 60) && formal_call(ev, v->z, v->z, F_EXP);
	} else if ((of = undone_log(ev, base, exponent, times)) && formal_positive(ev, of) && formal_positive(ev, base)) {
		ok = eval_node(ev, &a, of) && value_power_rational(ev, v, &a, times, of);
	} else if (!node_transcendental(base) && eval_node(ev, &a, base) && a.rational && fmpq_sgn(a.q) > 0) {
		fmpz_factor_t f;
		slong j;
		int side;

		fmpz_factor_init(f);
		for (side = 0; side < 2; side++) {
			factor_small(f, side ? fmpq_denref(a.q) : fmpq_numref(a.q));
			for (j = 0; ok && j < f->num && !fmpz_is_one(f->p + j); j++) {
				set_integer(times, f->p + j);
				log = node_new(ev->m, N_FUNCTION, 1, node_number(ev->m, times));
				log->code = F_LN;
				log = node_new(ev->m, N_MULTIPLY, 2, exponent, log);
				fmpq_set_si(times, side ? -(slong)f->exp[j] : (slong)f->exp[j], 1);
				ok = log && formal_split(ev, &s, log, times, false);
			}
		}
		fmpz_factor_clear(f);
		ok = ok && formal_exponentials(ev, v, &s);
	} else {
		ok = formal_positive(ev, base);
		log = node_new(ev->m, N_FUNCTION, 1, base);
		if (log)
			log->code = F_LN;
		fmpq_one(times);
		log = ok && log ? node_new(ev->m, N_MULTIPLY, 2, exponent, log) : NULL;
		ok = log && formal_split(ev, &s, log, times, false) && formal_exponentials(ev, v, &s);
		if (!ok)
			eval_fail(ev, "a power that is not understood");
	}
	formal_terms_free(&s);
	value_clear(&a);
	fmpq_clear(times);
	return ok;
}

bool eval_power(struct eval *ev, struct value *v, const struct node *base, const struct node *exponent)
{
	struct value e, a;
	bool ok;

	if (node_transcendental(exponent))
		return general_power(ev, v, base, exponent);
	value_init(&e);
	value_init(&a);
	ok = eval_node(ev, &e, exponent);
	if (ok && !e.rational)
		ok = general_power(ev, v, base, exponent);
	else if (ok && base->kind == N_E)
		ok = ev->formal ? formal_exp(ev, v, exponent, false) : formal_numeric(ev, v, F_EXP, exponent);
	else if (ok)
		ok = eval_node(ev, &a, base) && value_power_rational(ev, v, &a, e.q, base);
	value_clear(&e);
	value_clear(&a);
	return ok;
}
