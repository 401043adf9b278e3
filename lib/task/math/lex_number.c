/* Tokens of numerals: digits with what parts thousands, a point, a period, an exponent, a base. */
#include <string.h>

#include "lex_private.h"

static bool three_digits(const char *p, const char *end)
{
	return end - p >= 3 && digit(p[0]) && digit(p[1]) && digit(p[2]) && (end - p == 3 || !digit(p[3]));
}

/* A separator of thousands at p, with what LaTeX puts around it: its length; *plain: a bare comma */
static size_t separator(const char *p, const char *end, bool *plain)
{
	static const char *const marks[] = {"{,}\\!", "{,}", "\\text{,}", ",\\!\\!", ",\\! ", ",\\!", "\\,", "~", "\\ ", "\xc2\xa0", "\xe2\x80\x89", "\xe2\x80\xaf", ","};
	size_t i, n;

	for (i = 0; i < sizeof marks / sizeof *marks; i++) {
		n = strlen(marks[i]);
		if ((size_t)(end - p) > n && !memcmp(p, marks[i], n) && three_digits(p + n, end)) {
			*plain = i == sizeof marks / sizeof *marks - 1;
			return n;
		}
	}
	*plain = false;                 /* 12 000, but 1 100/200 is mixed */
	return *p == ' ' && three_digits(p + 1, end) && !(end - p > 4 && p[4] == '/');
}

/* Behind a point and its decimals: \overline{3}, \bar3, \dot{1}2\dot{3}, or (3) where there are none. Its length, or 0; to gets "(3)". */
static size_t period(const char *p, const char *end, char *to, bool no_decimals)
{
	static const char *const marks[] = {"\\overline", "\\bar", "\\dot"};
	const char *q = p;
	size_t i, n = 0, dots = 0;

	to[n++] = '(';
	if (no_decimals && q < end && *q == '(') {
		for (q++; q < end && digit(*q); q++)
			to[n++] = *q;
		if (q == end || *q++ != ')' || n == 1)
			return 0;
		to[n] = 0;
		return (size_t)(q - p);
	}
	for (;;) {
		bool braces, one;

		for (i = 0; i < sizeof marks / sizeof *marks; i++)
			if ((size_t)(end - q) > strlen(marks[i]) && !memcmp(q, marks[i], strlen(marks[i])))
				break;
		if (i == sizeof marks / sizeof *marks)
			return 0;
		one = i == 2;
		dots += one;
		q += strlen(marks[i]);
		while (q < end && blank(*q))
			q++;
		braces = q < end && *q == '{';
		q += braces;
		if (q == end || !digit(*q))
			return 0;
		to[n++] = *q++;
		while (braces && !one && q < end && digit(*q))
			to[n++] = *q++;
		if (braces && (q == end || *q++ != '}'))
			return 0;
		if (!one || dots == 2)
			break;
		for (i = 0; q + i < end && digit(q[i]); i++)    /* from one dot to the other */
			;
		if ((size_t)(end - q) - i < 5 || memcmp(q + i, marks[2], 4)) {
			if (i)
				return 0;
			break;
		}
		memcpy(to + n, q, i);
		n += i;
		q += i;
	}
	to[n] = 0;
	return (size_t)(q - p);
}

/* The "th" of 12th and 12^{\text{th}}: its length, or 0 */
static size_t ordinal(const char *p, const char *end)
{
	static const char *const open[] = {"^{\\text{", "^{\\textrm{", "^{\\mathrm{", "^\\text{", "^\\mathrm{", "^{", "\\text{", "\\mathrm{", ""};
	static const char *const ends[] = {"st", "nd", "rd", "th"};
	size_t i, j;

	for (i = 0; i < sizeof open / sizeof *open; i++) {
		const size_t n = strlen(open[i]), braces = !n ? 0 : n > 3 && open[i][1] == '{' ? 2 : 1;

		if ((size_t)(end - p) < n + 2 + braces || memcmp(p, open[i], n))
			continue;
		for (j = 0; j < sizeof ends / sizeof *ends; j++)
			if (!memcmp(p + n, ends[j], 2) && !memcmp(p + n + 2, "}}", braces) && (n || p + 2 == end || !(letter(p[2]) || digit(p[2]))))
				return n + 2 + braces;
	}
	return 0;
}

/* Digits, a point, an exponent: to the token's text in the form 1234.5e6, or 0.1(3) for a period */
bool lex_number(struct lexer *l)
{
	const char *p = l->p, *q = p;
	char *text = l->scratch;
	size_t n = 0, step;
	bool plain, point = false;

	while (q < l->end && digit(*q))
		text[n++] = *q++;
	if (q > p && q - p <= 3 && *p != '0') {
		while (q < l->end && (step = separator(q, l->end, &plain))) {
			if (plain && l->brackets && !l->wide && q[1] != '0')
				break;          /* (1,234) is a pair, (1,000) is none */
			if (plain) {
				l->m->ambiguous[0] = true;
				if (l->reading & READ_LISTS)
					break;
			}
			memcpy(text + n, q + step, 3);
			n += 3;
			q += step + 3;
		}
	}
	if (q < l->end && *q == '.' && ((q + 1 < l->end && digit(q[1])) || (q > p && (q + 1 == l->end || (q[1] != '.' && !letter(q[1])))))) {
		point = true;
		text[n++] = *q++;
		while (q < l->end && digit(*q))
			text[n++] = *q++;
	}
	if (point && (step = period(q, l->end, text + n, q[-1] == '.'))) {
		n += strlen(text + n);
		q += step;
	} else if (!point && (step = ordinal(q, l->end))) {
		q += step;
	} else if (q + 1 < l->end && (*q == 'e' || *q == 'E')) {
		const char *r = q + 1;

		r += *r == '-' || *r == '+';
		if (r < l->end && digit(*r)) {
			text[n++] = 'e';
			if (q[1] == '-')
				text[n++] = '-';
			for (; r < l->end && digit(*r); r++)
				text[n++] = *r;
			q = r;
		}
	}
	l->p = q;
	return lex_put(l, T_NUMBER, 0, lex_kept(l, n), n);
}

/* A base in words, "{\\text{two}}": its length, or 0 */
static size_t base_word(const char *p, const char *end, int *base)
{
	static const struct { const char *word; int base; } bases[] = {{"two", 2}, {"three", 3}, {"four", 4}, {"five", 5}, {"six", 6}, {"seven", 7}, {"eight", 8},
		{"nine", 9}, {"ten", 10}, {"eleven", 11}, {"twelve", 12}, {"sixteen", 16}};
	static const char *const open[] = {"{\\text{", "{\\mathrm{", "\\text{", "\\mathrm{", "{"};
	size_t i, j;

	for (i = 0; i < sizeof open / sizeof *open; i++) {
		const size_t n = strlen(open[i]), braces = *open[i] == '{' && n > 1 ? 2 : 1;

		if ((size_t)(end - p) < n || memcmp(p, open[i], n))
			continue;
		for (j = 0; j < sizeof bases / sizeof *bases; j++) {
			const size_t len = strlen(bases[j].word);

			if ((size_t)(end - p) < n + len + braces || memcmp(p + n, bases[j].word, len) || memcmp(p + n + len, "}}", braces))
				continue;
			*base = bases[j].base;
			return n + len + braces;
		}
		break;
	}
	return 0;
}

/* 4210_{5}, 1A_{16}: digits, an underscore and a base of at least two that they fit. Letters alone are names (F_{16}, AB_{12}), but FF_{16}. */
bool lex_based(struct lexer *l)
{
	const char *p = l->p, *q = p, *b;
	int base = 0, top = 0, closed;
	bool any = false;
	size_t word;

	for (; q < l->end && (digit(*q) || (*q >= 'A' && *q <= 'Z')) && q - p < 200; q++) {
		int d = digit(*q) ? *q - '0' : *q - 'A' + 10;

		any |= digit(*q);
		top = d > top ? d : top;
	}
	if (q == p || (!any && q == p + 1) || q + 1 >= l->end || *q != '_')
		return false;
	b = q + 1;
	word = base_word(b, l->end, &base);
	b += word;
	closed = word || *b != '{';
	b += !closed;
	while (!word && b < l->end && blank(*b))
		b++;
	for (; !word && b < l->end && digit(*b) && base < 100; b++)
		base = base * 10 + (*b - '0');
	while (!closed && b < l->end && blank(*b))
		b++;
	if (!closed && (b == l->end || *b++ != '}'))
		return false;
	if (base < 2 || base > 36 || top >= base || (!any && base != 16))
		return false;
	l->p = b;
	return lex_put(l, T_BASE, base, p, (size_t)(q - p));
}

/* 0x1F, 0b101 */
bool lex_marked(struct lexer *l)
{
	const char *p = l->p + 2;
	const int base = l->end - l->p < 3 || *l->p != '0' ? 0 : l->p[1] == 'x' ? 16 : l->p[1] == 'b' ? 2 : 0;
	size_t n = 0;

	for (; base && p < l->end && (digit(*p) || letter(*p)) && n < 200; p++) {
		l->scratch[n] = *p >= 'a' ? (char)(*p - 'a' + 'A') : *p;
		if ((digit(*p) ? *p - '0' : l->scratch[n] - 'A' + 10) >= base)
			return false;
		n++;
	}
	if (!n)
		return false;
	l->p = p;
	if (!lex_put(l, T_BASE, base, lex_kept(l, n), n))
		return false;
	l->token[l->n - 1].latex = true;
	return true;
}
