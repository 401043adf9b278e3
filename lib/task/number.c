#include "task/number.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

struct scan {
	const char *p, *end;
};

static bool eat(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n))
		return false;
	s->p += n;
	return true;
}

static void blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool put_digit(struct decimal *d, char c)
{
	if (d->n == 0 && c == '0')
		return true;
	if (d->n == NUMBER_DIGITS)
		return false;
	d->digit[d->n++] = (uint8_t)(c - '0');
	return true;
}

static void trim(struct decimal *d)
{
	while (d->n && d->digit[d->n - 1] == 0)
		d->n--, d->exponent++;
	if (!d->n)
		d->exponent = 0;
}

/* Are there three digits, and no fourth, behind the comma at p? */
static bool thousands(const char *p, const char *end)
{
	return *p == ',' && end - p >= 4 && is_digit(p[1]) && is_digit(p[2]) && is_digit(p[3]) && (end - p == 4 || !is_digit(p[4]));
}

/* Digits before the point, thousands separated or not: how many characters, 0 if there are none. */
static size_t whole_length(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && is_digit(*q))
		q++;
	if (q > p && q - p <= 3)
		while (q < end && thousands(q, end))
			q += 4;
	return (size_t)(q - p);
}

static bool exponent(struct scan *s, struct decimal *d)
{
	const char *q = s->p + 1;
	int64_t k = 0;
	bool down;

	if (s->p == s->end || (*s->p != 'e' && *s->p != 'E'))
		return true;
	down = q < s->end && *q == '-';
	if (q < s->end && (*q == '-' || *q == '+'))
		q++;
	if (q == s->end || !is_digit(*q) || s->end - q > 4)
		return false;
	for (; q < s->end && is_digit(*q); q++)
		k = k * 10 + (*q - '0');
	s->p = q;
	d->exponent += down ? -k : k;
	return true;
}

/* 12, 1,234, 1.50, .5, 2., 1e3 */
static bool decimal(struct scan *s, struct decimal *d)
{
	size_t whole = whole_length(s->p, s->end), i;
	bool any = whole > 0;

	d->n = 0;
	d->exponent = 0;
	for (i = 0; i < whole; i++, s->p++)
		if (*s->p != ',' && !put_digit(d, *s->p))
			return false;
	if (s->p < s->end && *s->p == '.' && (any || (s->end - s->p > 1 && is_digit(s->p[1])))) {
		for (s->p++; s->p < s->end && is_digit(*s->p); s->p++) {
			if (!put_digit(d, *s->p))
				return false;
			d->exponent--;
			any = true;
		}
	}
	if (!any || !exponent(s, d))
		return false;
	trim(d);
	return true;
}

static void sign(struct scan *s, bool *negative)
{
	if (eat(s, "-") || eat(s, "\xe2\x88\x92"))      /* U+2212 */
		*negative = !*negative;
	else
		eat(s, "+");
	blanks(s);
}

/* What stands behind \frac: {a}, or one digit */
static bool frac_part(struct scan *s, struct decimal *d, bool *negative)
{
	blanks(s);
	if (eat(s, "{")) {
		blanks(s);
		sign(s, negative);
		if (!decimal(s, d))
			return false;
		blanks(s);
		return eat(s, "}");
	}
	if (s->p < s->end && is_digit(*s->p)) {
		struct scan one = {s->p, s->p + 1};

		s->p++;
		return decimal(&one, d);
	}
	return false;
}

bool number_parse(struct number *x, const char *text, size_t n)
{
	static const char *const currency[] = {"\\$", "$", "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5", "\xef\xbf\xa5"};
	struct scan s = {text, text + n};
	size_t i;

	x->negative = false;
	x->below = (struct decimal){.n = 1, .digit = {1}};
	blanks(&s);
	sign(&s, &x->negative);
	for (i = 0; i < sizeof currency / sizeof *currency; i++) {
		if (eat(&s, currency[i])) {
			blanks(&s);
			if (!x->negative)
				sign(&s, &x->negative);         /* $-5 */
			break;
		}
	}
	if (eat(&s, "\\frac") || eat(&s, "\\dfrac") || eat(&s, "\\tfrac")) {
		if (!frac_part(&s, &x->above, &x->negative) || !frac_part(&s, &x->below, &x->negative))
			return false;
	} else {
		if (!decimal(&s, &x->above))
			return false;
		blanks(&s);
		if (eat(&s, "/")) {
			blanks(&s);
			if (!decimal(&s, &x->below))
				return false;
		}
	}
	blanks(&s);
	if (eat(&s, "\\%") || eat(&s, "%"))
		blanks(&s);
	if (s.p != s.end || x->below.n == 0)
		return false;
	if (x->above.n == 0)
		x->negative = false;
	return true;
}

/* Digits of a * b, least significant first, without the zeros at the low end (which go to *exponent). */
struct product {
	int low, n;                     /* digit[low..n) */
	int64_t exponent;
	uint8_t digit[2 * NUMBER_DIGITS + 1];
};

static void multiply(const struct decimal *a, const struct decimal *b, struct product *p)
{
	uint32_t sum[2 * NUMBER_DIGITS + 1] = {0}, carry = 0;
	int i, j, n = a->n + b->n;

	for (i = 0; i < a->n; i++)
		for (j = 0; j < b->n; j++)
			sum[n - 2 - i - j] += (uint32_t)a->digit[i] * b->digit[j];
	for (i = 0; i < n; i++) {
		carry += sum[i];
		p->digit[i] = (uint8_t)(carry % 10);
		carry /= 10;
	}
	p->n = n;
	while (p->n && p->digit[p->n - 1] == 0)
		p->n--;
	for (p->low = 0; p->low < p->n && p->digit[p->low] == 0; p->low++)
		;
	p->exponent = a->exponent + b->exponent + p->low;
}

bool number_equal(const struct number *a, const struct number *b)
{
	struct product x, y;

	if (a->above.n == 0 || b->above.n == 0)
		return a->above.n == b->above.n;
	if (a->negative != b->negative)
		return false;
	multiply(&a->above, &b->below, &x);
	multiply(&b->above, &a->below, &y);
	return x.exponent == y.exponent && x.n - x.low == y.n - y.low
	    && !memcmp(x.digit + x.low, y.digit + y.low, (size_t)(x.n - x.low));
}

/* The number that starts at p, where a digit or a point stands: its end. */
static const char *token_end(const char *p, const char *end)
{
	const char *q = p + whole_length(p, end);

	if (q + 1 < end && *q == '.' && is_digit(q[1]))
		for (q++; q < end && is_digit(*q); q++)
			;
	return q;
}

/* How many bytes in front of p are a sign, and not a minus between two terms (9-4, x-4, (1)-4). */
static size_t sign_before(const char *s, const char *p)
{
	size_t n = p > s && (p[-1] == '-' || p[-1] == '+') ? 1 : p - s >= 3 && !memcmp(p - 3, "\xe2\x88\x92", 3) ? 3 : 0;

	if (n && p - n > s) {
		char before = p[-(ptrdiff_t)n - 1];

		if (is_digit(before) || is_letter(before) || before == ')')
			return 0;
	}
	return n;
}

const char *number_last(const char *s, size_t n, size_t *len)
{
	const char *p = s, *end = s + n, *found = NULL;

	while (p < end) {
		bool starts = is_digit(*p) || (*p == '.' && p + 1 < end && is_digit(p[1]) && (p == s || !is_digit(p[-1])));
		const char *from = p, *q;

		if (!starts) {
			p++;
			continue;
		}
		q = token_end(p, end);
		if (q + 1 < end && *q == '/' && is_digit(q[1]))
			q = token_end(q + 1, end);
		from -= sign_before(s, from);
		if (from == s || !is_letter(from[-1])) {
			found = from;
			*len = (size_t)(q - from);
		}
		p = q;
	}
	return found;
}
