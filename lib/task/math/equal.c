/* Values of whole expressions, compared: at two points, in balls of growing precision, then formally. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "math_private.h"

enum { FIRST_BITS = 64, NUMERIC_BITS = 512, MOST_BITS = 30000, MOST_TERMS = 64 };

/* What is compared with 0: of one or two trees */
struct question {
	const struct node *a, *b;
	bool (*value)(struct eval *ev, struct value *v, const struct question *q);
	int points;
};

/* What a tree asks of the numbers that stand for its names */
struct wants {
	bool whole, negative;           /* names within an exponent, a factorial or a binomial; an absolute value */
	bool order;                     /* a maximum or a minimum */
	bool turns;                     /* names within what goes round a circle: e^(2 pi i x), (-1)^x, sin(pi x) */
};

/* Where names are whole, what goes round comes back to where it was: e^(2 pi i x) would be 1. */
static bool goes_round(const struct node *t)
{
	const struct node *base;

	if (t->kind == N_FUNCTION && t->code >= F_SIN && t->code <= F_CSC)
		return math_has_names(t->kid[0]) && node_has(t->kid[0], N_PI);
	if (t->kind != N_POWER || !math_has_names(t->kid[1]))
		return false;
	base = t->kid[0];
	return node_has(t->kid[1], N_I) || (!math_has_names(base) && (node_has(base, N_I) || node_has(base, N_NEGATE)));
}

static bool counts(const struct node *t)
{
	return t->kind == N_FUNCTION && (t->code == F_FACTORIAL || t->code == F_BINOMIAL);
}

static void wanted(struct wants *w, const struct node *t, bool whole)
{
	size_t i;

	w->whole |= whole && t->kind == N_NAME;
	w->negative |= t->kind == N_FUNCTION && t->code == F_ABS;
	w->order |= t->kind == N_FUNCTION && (t->code == F_MAX || t->code == F_MIN);
	w->turns |= goes_round(t);
	for (i = 0; i < t->n; i++)
		wanted(w, t->kid[i], whole || (t->kind == N_POWER && i == 1) || counts(t));
}

/* Is the name within a factorial or a binomial of t? */
static bool counted(const struct node *t, const char *name)
{
	size_t i;

	if (counts(t))
		return node_mentions(t, name);
	for (i = 0; i < t->n; i++)
		if (counted(t->kid[i], name))
			return true;
	return false;
}

/* Names that mostly stand for whole numbers */
static bool usually_whole(const char *name)
{
	return strchr("jklmnKLMN", *name) && (!name[1] || name[1] == '_');
}

/* A whole number, odd at even points: at the first two it has no divisor of 3, 5 and 7, so that no root of unity of these orders is 1, at the others it
 * has two of them. The large ones are for n and m. */
static slong whole_number(uint64_t random, int p, bool large)
{
	slong k = (slong)(random % 21) * 4 + 11 + p;

	if (p < 2) {
		k += large ? 96 : 0;
		while (k % 3 == 0 || k % 5 == 0 || k % 7 == 0)
			k += 2;
		return k;
	}
	k = (slong)(random % 3) + (large ? 3 : 0);
	return p == 2 ? 21 * (2 * k + 1) : 30 * (k + 1);
}

/* Positive numbers, as names in answers mostly are; |x| is told from x by negative ones, max(x, y) by the order of the names, which is the other way
 * round there. Whole ones are odd at one point and even at the next (powers of -1), and what is called n is the largest (n over k). What goes round
 * has parts of a turn that no small multiple makes whole. */
static void choose(struct eval *ev, struct name *n, const struct wants *w, bool counted_name)
{
	uint64_t random;
	int p;

	n->part = w->whole && w->turns && !counted_name && !usually_whole(n->name);
	for (p = 0; p < POINTS; p++) {
		random = hash_mix(hash_mix(ev->seed, hash_str(n->name)), (uint64_t)p);
		fmpq_init(n->at[p]);
		if (n->part)
			fmpq_set_si(n->at[p], (slong)(random % 1021) * 2 + 129, 128);
		else if (w->whole)
			fmpq_set_si(n->at[p], whole_number(random, p, strchr("nNmM", *n->name)), 1);
		else
			fmpq_set_si(n->at[p], (slong)(2 + random % 1048573), 1 + (ulong)((random >> 32) % 997));
		fmpq_canonicalise(n->at[p]);
		if (w->order && p % 2 && !w->whole)
			fmpq_add_si(n->at[p], n->at[p - 1], 1);
		if ((w->negative || w->order) && p % 2)
			fmpq_neg(n->at[p], n->at[p]);
	}
}

/* The names of t, which is a or b or a part of them */
static void collect(struct eval *ev, const struct node *t, const struct wants *w, const struct node *a, const struct node *b)
{
	size_t i;

	if (t->kind == N_NAME) {
		for (i = 0; i < ev->names; i++)
			if (!strcmp(ev->name[i].name, t->name))
				return;
		ev->name = xrealloc(ev->name, (ev->names + 1) * sizeof *ev->name);
		ev->name[ev->names].name = t->name;
		choose(ev, &ev->name[ev->names++], w, counted(a, t->name) || counted(b, t->name));
	}
	for (i = 0; i < t->n; i++)
		collect(ev, t->kid[i], w, a, b);
}

static void forget(struct eval *ev)
{
	while (ev->atoms) {
		struct atom *a = &ev->atom[--ev->atoms];

		fmpz_clear(a->prime);
		value_clear(&a->value);
		value_clear(&a->argument);
	}
	while (ev->radicals)
		fmpz_clear(ev->radical[--ev->radicals].of);
	ev->degree = 1;
}

static void begin(struct eval *ev, struct math *m, const struct node *a, const struct node *b)
{
	struct wants w = {0};

	*ev = (struct eval){.m = m, .seed = m->seed, .degree = 1, .prec = FIRST_BITS};
	wanted(&w, a, false);
	wanted(&w, b, false);
	ev->whole = w.whole;
	collect(ev, a, &w, a, b);
	collect(ev, b, &w, a, b);
}

static void end(struct eval *ev)
{
	forget(ev);
	while (ev->names) {
		int p;

		ev->names--;
		for (p = 0; p < POINTS; p++)
			fmpq_clear(ev->name[ev->names].at[p]);
	}
	free(ev->name);
	free(ev->atom);
	free(ev->radical);
}

/* In balls: NO where they are apart, YES where the value is the rational 0 */
static enum truth by_balls(struct eval *ev, const struct question *q, struct value *v)
{
	slong need;

	for (ev->prec = FIRST_BITS; ev->prec <= NUMERIC_BITS; ev->prec *= 2) {
		enum truth t;

		ev->imprecise = false;
		if (!q->value(ev, v, q)) {
			if (ev->imprecise && !ev->m->fault)
				continue;
			return UNKNOWN;
		}
		t = value_zero(ev, v, &need);
		if (t != UNKNOWN)
			return t;
	}
	return UNKNOWN;
}

/* With numbers in the place of what is transcendental: YES is a proof for the true ones, too. */
static enum truth formally(struct eval *ev, const struct question *q, struct value *v)
{
	enum truth t = UNKNOWN;
	slong need = 0;
	int tries;

	forget(ev);
	ev->formal = true;
	ev->prec = 128;
	for (tries = 0; tries < 12 && t == UNKNOWN && ev->prec <= MOST_BITS; tries++) {
		/* Fields grow while the value is computed: its bounds hold from the second time on. */
		ev->again = ev->imprecise = false;
		if (!q->value(ev, v, q)) {
			if (!ev->imprecise || ev->m->fault)
				break;
			ev->prec *= 2;
			continue;
		}
		if (ev->again)
			continue;
		t = value_zero(ev, v, &need);
		if (t == UNKNOWN && need <= ev->prec)
			break;
		if (t == UNKNOWN)
			ev->prec = need;
	}
	ev->formal = false;
	return t;
}

/* computed: balls say that there is no difference. Else what goes round keeps parts of a turn. */
static void small_points(struct eval *ev, bool computed)
{
	size_t i;
	int p;

	for (i = 0; i < ev->names; i++)
		for (p = 0; p < POINTS && (!ev->whole || ev->name[i].part); p++) {
			const uint64_t random = hash_mix(hash_mix(ev->seed, hash_str(ev->name[i].name)), (uint64_t)p + 7);
			const slong k = 2 + (slong)(random % 29);
			const bool part = ev->name[i].part && !computed;

			fmpq_set_si(ev->name[i].at[p], fmpq_sgn(ev->name[i].at[p]) * (part ? 2 * k + 1 : k), part ? 8 : 1);
		}
}

static enum truth is_zero(struct math *m, const struct question *q)
{
	enum truth t = YES;
	struct eval ev;
	struct value v;
	int p;

	begin(&ev, m, q->a, q->b);
	value_init(&v);
	for (p = 0; p < (!ev.names ? 1 : q->points > 1 && ev.whole ? POINTS : q->points) && t == YES; p++) {
		ev.point = p;
		t = by_balls(&ev, q, &v);
		if (t == UNKNOWN && !m->fault) {
			small_points(&ev, !ev.imprecise);       /* what is big is not different by 512 bits; exponents are to be small */
			t = formally(&ev, q, &v);
			if (t == NO)            /* true numbers that are that close, and no equation that says so */
				t = UNKNOWN;
		}
	}
	if (t == UNKNOWN && !m->fault)
		m->fault = "too close to tell";
	value_clear(&v);
	end(&ev);
	return t;
}

static bool difference(struct eval *ev, struct value *v, const struct question *q)
{
	struct value b;
	bool ok;

	value_init(&b);
	ok = eval_node(ev, v, q->a) && eval_node(ev, &b, q->b) && value_subtract(ev, v, v, &b);
	value_clear(&b);
	return ok;
}

bool node_divides(const struct node *t)
{
	size_t i;

	if (t->kind == N_INVERSE || t->kind == N_POWER || t->kind == N_FUNCTION)
		return true;
	for (i = 0; i < t->n; i++)
		if (node_divides(t->kid[i]))
			return true;
	return false;
}

/* Has it a value, whatever positive numbers its names stand for? Of sums, products and roots that is so. */
static bool tame(const struct node *t)
{
	size_t i;

	if (t->kind > N_POWER || t->kind == N_INVERSE || t->kind == N_PM || t->kind == N_INFINITY)
		return false;
	if (t->kind == N_POWER && (t->kid[1]->kind != N_NUMBER || fmpq_sgn(t->kid[1]->number) <= 0 || fmpz_bits(fmpq_numref(t->kid[1]->number)) > 10))
		return false;
	for (i = 0; i < t->n; i++)
		if (!tame(t->kid[i]))
			return false;
	return true;
}

/* The same terms and factors in another order */
static bool reordered(const struct node *a, const struct node *b)
{
	bool used[MOST_TERMS] = {false};
	size_t i, j;

	if ((a->kind != N_ADD && a->kind != N_MULTIPLY) || a->kind != b->kind || a->n != b->n || a->n > MOST_TERMS)
		return node_equal(a, b);
	for (i = 0; i < a->n; i++) {
		for (j = 0; j < b->n; j++)
			if (!used[j] && reordered(a->kid[i], b->kid[j]))
				break;
		if (j == b->n)
			return false;
		used[j] = true;
	}
	return true;
}

enum truth math_equal(struct math *m, const struct node *a, const struct node *b)
{
	if ((node_equal(a, b) && !node_divides(a)) || (reordered(a, b) && tame(a)))
		return YES;
	return is_zero(m, &(struct question){a, b, difference, 2});
}

static bool only_a(struct eval *ev, struct value *v, const struct question *q)
{
	return eval_node(ev, v, q->a);
}

static bool at_point(struct eval *ev, struct value *v, const struct node *t, int point)
{
	ev->point = point;
	return eval_node(ev, v, t);
}

/* a(p) b(q) - a(q) b(p) */
static bool crosswise(struct eval *ev, struct value *v, const struct question *q)
{
	struct value w, x;
	bool ok;

	value_init(&w);
	value_init(&x);
	ok = at_point(ev, v, q->a, 0) && at_point(ev, &w, q->b, 1) && value_multiply(ev, v, v, &w) && at_point(ev, &w, q->a, 1) && at_point(ev, &x, q->b, 0) &&
		value_multiply(ev, &w, &w, &x) && value_subtract(ev, v, v, &w);
	ev->point = 0;
	value_clear(&w);
	value_clear(&x);
	return ok;
}

/* The sign of a real number that is not 0; 0: not known */
static int sign_of(struct math *m, const struct node *t)
{
	struct eval ev;
	struct value v;
	int sign = 0;

	begin(&ev, m, t, t);
	value_init(&v);
	for (; ev.prec <= NUMERIC_BITS && !sign && !m->fault; ev.prec *= 2) {
		ev.imprecise = false;
		if (!eval_node(&ev, &v, t))
			continue;
		if (v.rational)
			sign = fmpq_sgn(v.q);
		else if (arb_contains_zero(acb_imagref(v.z)) && !arb_contains_zero(acb_realref(v.z)))
			sign = arb_is_positive(acb_realref(v.z)) ? 1 : -1;
		if (v.rational)
			break;
	}
	value_clear(&v);
	end(&ev);
	return sign;
}

enum truth math_proportional(struct math *m, const struct node *a, const struct node *b, int *sign)
{
	enum truth za = is_zero(m, &(struct question){a, b, only_a, 2}), zb, t;

	*sign = 1;
	zb = za == UNKNOWN ? UNKNOWN : is_zero(m, &(struct question){b, a, only_a, 2});
	if (za == UNKNOWN || zb == UNKNOWN)
		return UNKNOWN;
	if (za == YES || zb == YES)
		return za == zb ? YES : NO;
	t = is_zero(m, &(struct question){a, b, crosswise, 1});
	if (t == YES)
		*sign = sign_of(m, a) * sign_of(m, b);
	return t;
}

int math_order(struct math *m, const struct node *a, const struct node *b)
{
	struct node *d = node_new(m, N_ADD, 2, a, node_new(m, N_NEGATE, 1, b));
	int sign = d ? sign_of(m, d) : 0;

	if (sign)
		return sign;
	return d && math_equal(m, a, b) == YES ? 0 : 2;
}

/* |a - b| <= absolute, or <= relative max(|a|, |b|); of constants, by balls */
enum truth math_near(struct math *m, const struct node *a, const struct node *b)
{
	enum truth t = UNKNOWN;
	struct value v, w;
	struct eval ev;
	arb_t x, y, d, most;

	begin(&ev, m, a, b);
	value_init(&v);
	value_init(&w);
	arb_init(x);
	arb_init(y);
	arb_init(d);
	arb_init(most);
	for (ev.prec = 128; !ev.names && ev.prec <= NUMERIC_BITS && t == UNKNOWN && !m->fault; ev.prec *= 2) {
		acb_t za, zb;

		ev.imprecise = false;
		if (!eval_node(&ev, &v, a) || !eval_node(&ev, &w, b))
			continue;
		acb_init(za);
		acb_init(zb);
		value_ball(&ev, za, &v);
		value_ball(&ev, zb, &w);
		acb_abs(x, za, ev.prec);
		acb_abs(y, zb, ev.prec);
		acb_sub(za, za, zb, ev.prec);
		acb_abs(d, za, ev.prec);
		arb_max(most, x, y, ev.prec);
		arb_set_d(x, m->options->relative);
		arb_mul(most, most, x, ev.prec);
		arb_set_d(x, m->options->absolute);
		arb_max(most, most, x, ev.prec);
		/* Decimal fractions are no sums of powers of two: what lies on the line counts as near. */
		arb_mul_2exp_si(x, most, -50);
		arb_add(most, most, x, ev.prec);
		t = arb_le(d, most) ? YES : arb_gt(d, most) ? NO : UNKNOWN;
		acb_clear(za);
		acb_clear(zb);
	}
	value_clear(&v);
	value_clear(&w);
	arb_clear(x);
	arb_clear(y);
	arb_clear(d);
	arb_clear(most);
	end(&ev);
	return t == UNKNOWN ? math_equal(m, a, b) : t;
}
