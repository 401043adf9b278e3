/* Numerals: digits with a point, an exponent or a period, and those of other bases. */
#include <string.h>

#include "parse_private.h"

struct node *parse_fail(struct parser *p, const char *why)
{
	p->m->fault = why;
	return NULL;
}

/* q += tail / (10^decimals (10^n - 1)) for the n digits of a period */
static void add_period(fmpq_t q, const char *digits, size_t n, size_t decimals)
{
	fmpq_t tail;
	fmpz_t scale;

	fmpq_init(tail);
	fmpz_init(scale);
	fmpz_set_str(fmpq_numref(tail), digits, 10);
	fmpz_ui_pow_ui(fmpq_denref(tail), 10, n);
	fmpz_sub_ui(fmpq_denref(tail), fmpq_denref(tail), 1);
	fmpz_ui_pow_ui(scale, 10, decimals);
	fmpz_mul(fmpq_denref(tail), fmpq_denref(tail), scale);
	fmpq_canonicalise(tail);
	fmpq_add(q, q, tail);
	fmpq_clear(tail);
	fmpz_clear(scale);
}

/* 1234.5e6, 0.1(3): the value */
struct node *parse_number(struct parser *p, const char *s, size_t n)
{
	const char *point = memchr(s, '.', n), *e = memchr(s, 'e', n), *period = memchr(s, '(', n);
	size_t end = e ? (size_t)(e - s) : period ? (size_t)(period - s) : n, whole = point ? (size_t)(point - s) : end;
	size_t decimals = point ? end - whole - 1 : 0, i;
	char *digits;
	struct node *t;
	slong exponent = 0;
	fmpq_t q;
	fmpz_t x;

	if (n > MATH_DIGITS)
		return parse_fail(p, "a number of too many digits");
	for (i = e ? (size_t)(e - s) + 1 : n; i < n && exponent <= MATH_DIGITS; i++)
		if (s[i] != '-')
			exponent = exponent * 10 + (s[i] - '0');
	if (exponent > MATH_DIGITS)
		return parse_fail(p, "a number too large or too small");
	if (e && e[1] == '-')
		exponent = -exponent;
	digits = math_alloc(p->m, n + 2);
	memcpy(digits, s, whole);
	memcpy(digits + whole, s + whole + 1, decimals);
	fmpq_init(q);
	fmpz_init(x);
	fmpz_set_str(x, *digits ? digits : "0", 10);
	set_integer(q, x);
	exponent -= (slong)decimals;
	fmpz_ui_pow_ui(x, 10, (ulong)(exponent < 0 ? -exponent : exponent));
	if (exponent > 0)
		fmpq_mul_fmpz(q, q, x);
	else if (exponent)
		fmpq_div_fmpz(q, q, x);
	if (period) {
		i = n - (size_t)(period - s) - 1;
		memcpy(digits, period + 1, i);
		digits[i] = 0;
		add_period(q, digits, i, decimals);
	}
	t = node_number(p->m, q);
	t->spelled = !point && !e;
	fmpq_clear(q);
	fmpz_clear(x);
	return t;
}

/* A numeral of another base, "1A.8" */
struct node *parse_based(struct parser *p, const struct token *t, int base)
{
	struct node *b = math_alloc(p->m, sizeof *b);
	char *name = math_alloc(p->m, t->n + 1);
	bool point = false;
	size_t i;

	b->kind = N_BASE;
	b->code = base;
	b->name = memcpy(name, t->s, t->n);
	b->spelled = !t->latex;
	fmpq_init(b->number);
	b->next = p->m->numbers;
	p->m->numbers = b;
	for (i = 0; i < t->n; i++) {
		int d = t->s[i] <= '9' ? t->s[i] - '0' : t->s[i] - 'A' + 10;

		if (t->s[i] == '.') {
			point = true;
			continue;
		}
		if (d < 0 || d >= base)
			return NULL;
		fmpz_mul_ui(fmpq_numref(b->number), fmpq_numref(b->number), (ulong)base);
		fmpz_add_ui(fmpq_numref(b->number), fmpq_numref(b->number), (ulong)d);
		if (point)
			fmpz_mul_ui(fmpq_denref(b->number), fmpq_denref(b->number), (ulong)base);
	}
	fmpq_canonicalise(b->number);
	return b;
}
