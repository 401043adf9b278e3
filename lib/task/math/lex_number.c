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

/* The dots of 0.1666..., behind n decimals that end in what is repeated: their length, or 0; to gets "(6)". */
static size_t dots(const char *p, const char *end, const char *decimals, size_t n, char *to)
{
	static const char *const marks[] = {"...", "\\ldots", "\\dots", "\\cdots", "\xe2\x80\xa6"};
	const char *q = p;
	size_t i, len;

	while (q < end && blank(*q))
		q++;
	for (i = 0; i < sizeof marks / sizeof *marks; i++)
		if ((size_t)(end - q) >= strlen(marks[i]) && !memcmp(q, marks[i], strlen(marks[i])))
			break;
	for (len = 1; len <= n / 2 && len < 64 && memcmp(decimals + n - len, decimals + n - 2 * len, len); len++)
		;
	if (i == sizeof marks / sizeof *marks || len > n / 2 || len == 64)
		return 0;
	*to = '(';
	memcpy(to + 1, decimals + n - len, len);
	to[len + 1] = 0;
	return (size_t)(q - p) + strlen(marks[i]);
}

/* Digits, a point, an exponent: to the token's text in the form 1234.5e6, or 0.1(3) for a period */
bool lex_number(struct lexer *l)
{
	const char *p = l->p, *q = p;
	char *text = l->scratch;
	size_t n = 0, step;
	bool plain, point = false;
	size_t whole;

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
		whole = n;
		while (q < l->end && digit(*q))
			text[n++] = *q++;
	}
	if (point && ((step = period(q, l->end, text + n, q[-1] == '.')) || (step = dots(q, l->end, text + whole, n - whole, text + n)))) {
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

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (blank(*p) || *p == '~'))
		p++;
	return p;
}

static bool starts(const char *p, const char *end, const char *word)
{
	return (size_t)(end - p) >= strlen(word) && !memcmp(p, word, strlen(word));
}

/* "8" or "eight": behind it; NULL */
static const char *base_number(const char *p, const char *end, int *base)
{
	static const struct { const char *word; int base; } bases[] = {{"two", 2}, {"three", 3}, {"four", 4}, {"five", 5}, {"six", 6}, {"seven", 7}, {"eight", 8},
		{"nine", 9}, {"ten", 10}, {"eleven", 11}, {"twelve", 12}, {"sixteen", 16}};
	size_t i;

	*base = 0;
	if (p < end && digit(*p)) {
		for (; p < end && digit(*p); p++)
			*base = *base < 100 ? *base * 10 + (*p - '0') : *base;
		return p;
	}
	for (i = 0; i < sizeof bases / sizeof *bases; i++)
		if (starts(p, end, bases[i].word) && !((size_t)(end - p) > strlen(bases[i].word) && letter(p[strlen(bases[i].word)]))) {
			*base = bases[i].base;
			return p + strlen(bases[i].word);
		}
	return NULL;
}

/* A base below the line, "8", "{8}", "{(8)}", "{\\text{two}}", "{\\text{base }8}": behind it; NULL */
static const char *base_below(const char *p, const char *end, int *base)
{
	static const char *const texts[] = {"\\text{", "\\textrm{", "\\textbf{", "\\textit{", "\\mathrm{", "\\mathbf{", "\\mbox{"};
	const bool group = starts(p, end, "{");
	bool text = false, bracket;
	size_t i;

	p = group ? skip_blanks(p + 1, end) : p;
	for (i = 0; i < sizeof texts / sizeof *texts && !text; i++)
		if (starts(p, end, texts[i])) {
			text = true;
			p = skip_blanks(p + strlen(texts[i]), end);
		}
	bracket = (group || text) && starts(p, end, "(");
	p = skip_blanks(p + bracket, end);
	if ((group || text) && starts(p, end, "base")) {
		p = skip_blanks(p + 4, end);
		if (group && text && !bracket && starts(p, end, "}"))
			text = false, p++;
		p = skip_blanks(p, end);
	}
	p = base_number(p, end, base);
	for (i = 0; p && i < 3; i++) {
		const bool open[] = {bracket, text, group};

		if (!open[i])
			continue;
		p = skip_blanks(p, end);
		p = starts(p, end, i ? "}" : ")") ? p + 1 : NULL;
	}
	return p;
}

/* A base behind the numeral, "in base 8", "\\text{ (base 8)}": behind it; NULL */
static const char *base_behind(const char *p, const char *end, int *base)
{
	bool text, bracket;

	p = skip_blanks(p, end);
	text = starts(p, end, "\\text{");
	p = skip_blanks(p + (text ? 6 : 0), end);
	bracket = starts(p, end, "(");
	p = skip_blanks(p + bracket, end);
	p = skip_blanks(p + (starts(p, end, "in ") ? 3 : 0), end);
	if (!starts(p, end, "base"))
		return NULL;
	p = skip_blanks(p + 4, end);
	p += starts(p, end, "-");
	if (text && starts(p, end, "}"))
		text = false, p++;
	p = base_number(p, end, base);
	if (p && bracket)
		p = starts(p, end, ")") ? p + 1 : NULL;
	if (p && text)
		p = starts(p, end, "}") ? p + 1 : NULL;
	return p;
}

/* 4210_{5}, (1A)_{16}, 11 in base 2: digits and a base of at least two that they fit. Letters alone are names (F_{16}, AB_{12}), but FF_{16}. */
bool lex_based(struct lexer *l)
{
	const bool brackets = *l->p == '(';
	const char *p = l->p + brackets, *q = p, *b;
	int base = 0, top = 0;
	bool any = false;

	for (; q < l->end && (digit(*q) || (*q >= 'A' && *q <= 'Z')) && q - p < 200; q++) {
		int d = digit(*q) ? *q - '0' : *q - 'A' + 10;

		any |= digit(*q);
		top = d > top ? d : top;
	}
	b = q + brackets;
	if (q == p || (!any && q == p + 1) || b >= l->end || (brackets && *q != ')'))
		return false;
	b = *b == '_' ? base_below(b + 1, l->end, &base) : any ? base_behind(b, l->end, &base) : NULL;
	if (!b || base < 2 || base > 36 || top >= base || (!any && base != 16))
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
