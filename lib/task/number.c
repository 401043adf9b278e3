#include "task/number.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
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
