#include "text/pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/utf8.h"

struct pattern {
	struct code {
		pcre2_code *code;       /* NULL: none */
		bool jit;
	} plain, newer;                 /* newer: the same for texts with characters that PCRE2 does not know, where that makes a difference */
};

struct pattern_scratch {
	bool newer;                     /* the text has such characters */
	bool may_be[32][64];            /* [lead byte - 0xe0][byte behind it - 0x80]: one of them may begin so */
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

/* What Oniguruma's sets hold: \s is White_Space (PCRE2 adds U+180E), \w is Alphabetic, marks, decimal digits and connectors
 * (PCRE2 has letters, numbers and the underscore) and, outside of [ ], Latin-1's superscripts and fractions too. */
#define SPACE "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACE "\\x00-\\x08\\x0e-\\x1f\\x21-\\x84\\x86-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
	"\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD_OTHER "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define WORD_ALONE "\\xb2\\xb3\\xb9\\xbc-\\xbe"

/* Characters that PCRE2 may be too old to know: those of one category or script. */
struct newer {
	const char *name;
	uint32_t first, last;
};
#include "text/unicode_table.h"

/* As ranges within [ ]. A category's one letter stands for all that begin with it. */
static void add_newer(struct buf *to, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof newer / sizeof newer[0]; i++)
		if (!strncmp(newer[i].name, name, n) && strlen(newer[i].name) == (n == 1 ? 2 : n))
			buf_printf(to, "\\x{%x}-\\x{%x}", newer[i].first, newer[i].last);
}

/* \w, within [ ]. */
static void add_word(struct buf *to, bool with_newer)
{
	static const char *const names[] = {"L", "M", "Nd", "Nl", "Pc"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		buf_printf(to, "\\p{%s}", names[i]);
		if (with_newer)
			add_newer(to, names[i], strlen(names[i]));
	}
	buf_str(to, WORD_OTHER);
}

/* A property: general categories mean the same to both; scripts, since PCRE2 10.40, need "sc:" not to take in the characters
 * that several scripts share. */
static int add_property(struct buf *to, const char *name, size_t n, bool negated, bool in_class, bool with_newer, struct err *e)
{
	static const char categories[] = " L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp"
		" C Cc Cf Co Cn Cs Any ";
	char word[40];

	if (n > 0 && name[0] == '^')
		negated = !negated, name++, n--;
	if (n == 0 || n > 32)
		return err_set(e, "\\p{%.*s} is no property", (int)(n > 32 ? 32 : n), name);
	snprintf(word, sizeof word, " %.*s ", (int)n, name);
	if (!in_class && with_newer)
		buf_str(to, negated ? "[^" : "[");
	if (!in_class && with_newer)
		negated = false;
#if PCRE2_MAJOR > 10 || PCRE2_MINOR >= 40
	buf_printf(to, "\\%c{%s%.*s}", negated ? 'P' : 'p', strstr(categories, word) ? "" : "sc:", (int)n, name);
#else
	(void)categories;
	buf_printf(to, "\\%c{%.*s}", negated ? 'P' : 'p', (int)n, name);
#endif
	if (!with_newer)
		return 0;
	if (!negated)                   /* from a class they cannot be taken out again */
		add_newer(to, name, n);
	if (!in_class)
		buf_char(to, ']');
	return 0;
}

/* The escape at s (behind its backslash, n > 0), in a class or not. Returns the bytes used, or 0 and e. */
static size_t add_escape(struct buf *to, const char *s, size_t n, bool in_class, bool with_newer, struct err *e)
{
	switch (s[0]) {
	case 's':
		buf_str(to, in_class ? SPACE : "[" SPACE "]");
		return 1;
	case 'S':
		buf_str(to, in_class ? NOT_SPACE : "[" NOT_SPACE "]");
		return 1;
	case 'w':
	case 'W':
		if (in_class && s[0] == 'W')
			break;
		if (!in_class)
			buf_str(to, s[0] == 'w' ? "[" : "[^");
		add_word(to, with_newer);
		if (!in_class)
			buf_str(to, WORD_ALONE "]");
		return 1;
	case 'p':
	case 'P': {
		const char *end = n > 1 && s[1] == '{' ? memchr(s, '}', n) : NULL;

		if (!end) {
			err_set(e, "\\%c without {...}", s[0]);
			return 0;
		}
		return add_property(to, s + 2, (size_t)(end - s) - 2, s[0] == 'P', in_class, with_newer, e) < 0 ? 0 : (size_t)(end - s) + 1;
	}
	case 'v':                                       /* one character there, a set here */
		buf_str(to, "\\x0b");
		return 1;
	case 'x': {
		const char *end = n > 1 && s[1] == '{' ? memchr(s, '}', n) : NULL;
		size_t used = end ? (size_t)(end - s) + 1 : 1;

		buf_char(to, '\\');
		buf_add(to, s, used);
		return used;
	}
	case 'd':
	case 'D':
		return add_property(to, "Nd", 2, s[0] == 'D', in_class, with_newer, e) < 0 ? 0 : 1;
	case 'n': case 'r': case 't': case 'f': case 'e': case 'a':
		buf_printf(to, "\\%c", s[0]);
		return 1;
	case 'A': case 'z': case 'Z':
		if (in_class)
			break;
		buf_printf(to, "\\%c", s[0]);
		return 1;
	case 'u': {
		size_t i;

		for (i = 1; i < 5 && i < n && strchr("0123456789abcdefABCDEF", s[i]) && s[i]; i++)
			;
		if (i < 5)
			break;
		buf_printf(to, "\\x{%.4s}", s + 1);
		return 5;
	}
	default:
		if ((unsigned char)s[0] >= 0x80 || (s[0] >= '0' && s[0] <= '9') || (s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z'))
			break;
		buf_printf(to, "\\%c", s[0]);
		return 1;
	}
	err_set(e, "'\\%c'%s is not supported", (unsigned char)s[0] >= 0x80 ? '?' : s[0], in_class ? " within [ ]" : "");
	return 0;
}

/* A group's head behind "(?": what means the same to both. */
static int check_group(const char *s, size_t n, struct err *e)
{
	if (n > 0 && strchr(":=!>", s[0]) && s[0])
		return 0;
	if (n > 1 && ((s[0] == '<' && (s[1] == '=' || s[1] == '!')) || (s[0] == 'i' && s[1] == ':')))
		return 0;
	return err_set(e, "'(?%.*s' is not supported", (int)(n > 2 ? 2 : n), s);
}

/* A class, from behind its '['. Returns the bytes used with its ']', or 0 and e. */
static size_t add_class(struct buf *to, const char *s, size_t n, bool with_newer, struct err *e)
{
	size_t i = 0, used;

	buf_char(to, '[');
	if (i < n && s[i] == '^')
		buf_char(to, s[i++]);
	if (i < n && s[i] == ']') {
		err_set(e, "'[]' is not supported");
		return 0;
	}
	for (; i < n && s[i] != ']'; i++) {
		if (s[i] == '[' || (s[i] == '&' && i + 1 < n && s[i + 1] == '&')) {
			err_set(e, "'%.*s' within [ ] is not supported", s[i] == '[' ? 1 : 2, s + i);
			return 0;
		}
		if (s[i] != '\\') {
			buf_char(to, s[i]);
			continue;
		}
		used = i + 1 < n ? add_escape(to, s + i + 1, n - i - 1, true, with_newer, e) : 0;
		if (!used) {
			if (i + 1 == n)
				err_set(e, "ends with '\\'");
			return 0;
		}
		i += used;
	}
	if (i == n) {
		err_set(e, "'[' without ']'");
		return 0;
	}
	buf_char(to, ']');
	return i + 1;
}

/* A repeat count, from its '{': {n}? and {n,m}+ mean other things there, and {,m} here. */
static int check_count(const char *s, size_t n, struct err *e)
{
	size_t i = 1, digits;
	bool comma = false;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	digits = i - 1;
	if (i < n && s[i] == ',') {
		comma = true;
		for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++)
			;
	}
	if (i >= n || s[i] != '}' || (!comma && digits == 0))
		return 0;                               /* no count: braces */
	if (digits == 0 || (i + 1 < n && (s[i + 1] == '+' || (s[i + 1] == '?' && !comma))))
		return err_set(e, "'%.*s' is not supported", (int)(i + 1 < n ? i + 2 : i + 1), s);
	return 0;
}

/* The expression as PCRE2 is to have it. */
static int translate(struct buf *to, const char *s, size_t n, bool with_newer, struct err *e)
{
	size_t i = 0, used;

	while (i < n) {
		if (s[i] == '\\') {
			if (i + 1 == n)
				return err_set(e, "ends with '\\'");
			used = add_escape(to, s + i + 1, n - i - 1, false, with_newer, e);
		} else if (s[i] == '[') {
			used = add_class(to, s + i + 1, n - i - 1, with_newer, e);
		} else if (s[i] == '(' && i + 1 < n && (s[i + 1] == '?' || s[i + 1] == '*')) {
			if (s[i + 1] == '*')
				return err_set(e, "'(*' is not supported");
			if (check_group(s + i + 2, n - i - 2, e) < 0)
				return -1;
			buf_str(to, "(?");
			used = 1;
		} else {
			if (s[i] == '{' && check_count(s + i, n - i, e) < 0)
				return -1;
			buf_char(to, s[i]);
			i++;
			continue;
		}
		if (!used)
			return -1;
		i += used + 1;
	}
	return 0;
}

static int compile(struct code *c, const struct buf *b, uint32_t options, struct err *e)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_SIZE offset;
	int code;

	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pcre2_set_parens_nest_limit(context, 100);
	c->code = pcre2_compile((PCRE2_SPTR)b->p, b->n, options, &code, &offset, context);
	pcre2_compile_context_free(context);
	if (!c->code) {
		PCRE2_UCHAR why[200];

		pcre2_get_error_message(code, why, sizeof why);
		return err_set(e, "%s", (const char *)why);
	}
	c->jit = pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE) == 0;
	return 0;
}

struct pattern *pattern_new(const char *regex, size_t n, bool literal, struct err *e)
{
	uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE);
	struct pattern *p = xcalloc(1, sizeof *p);
	struct buf plain = {0}, newer_text = {0};
	int rc;

	if (literal) {
		buf_add(&plain, regex, n);
		rc = compile(&p->plain, &plain, options, e);
	} else {
		rc = translate(&plain, regex, n, false, e);
		if (rc == 0)
			rc = compile(&p->plain, &plain, options, e);
		if (rc == 0)
			rc = translate(&newer_text, regex, n, true, e);
		if (rc == 0 && (newer_text.n != plain.n || (plain.n && memcmp(newer_text.p, plain.p, plain.n) != 0)))
			rc = compile(&p->newer, &newer_text, options, e);
	}
	buf_free(&plain);
	buf_free(&newer_text);
	if (rc == 0)
		return p;
	pattern_free(p);
	return NULL;
}

void pattern_free(struct pattern *p)
{
	if (p) {
		pcre2_code_free(p->plain.code);
		pcre2_code_free(p->newer.code);
	}
	free(p);
}

struct pattern_scratch *pattern_scratch_new(void)
{
	struct pattern_scratch *m = xcalloc(1, sizeof *m);
	uint32_t c;
	size_t i;

	for (i = 0; i < sizeof newer / sizeof newer[0]; i++)
		for (c = newer[i].first; c <= newer[i].last; c++) {
			char s[4];

			if (utf8_encode(c, s) > 2)
				m->may_be[(unsigned char)s[0] - 0xe0][(unsigned char)s[1] - 0x80] = true;
		}
	m->match = pcre2_match_data_create(1, NULL);
	m->context = pcre2_match_context_create(NULL);
	if (!m->match || !m->context)
		abort();
	/* Above the usual, so that long runs of blanks get through; still an end in seconds. */
	pcre2_set_match_limit(m->context, 50000000);
	return m;
}

void pattern_scratch_free(struct pattern_scratch *m)
{
	if (!m)
		return;
	pcre2_match_data_free(m->match);
	pcre2_match_context_free(m->context);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

static bool is_newer(const char *s, size_t n)
{
	uint32_t c;
	size_t i;

	utf8_decode(s, n, &c);
	for (i = 0; i < sizeof newer / sizeof newer[0]; i++)
		if (c >= newer[i].first && c <= newer[i].last)
			return true;
	return false;
}

void pattern_look(struct pattern_scratch *m, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	m->newer = false;
	while (p < end) {
		if (*p < 0xe0) {
			p++;
		} else if (end - p > 2 && m->may_be[*p - 0xe0][p[1] & 0x3f] && is_newer((const char *)p, (size_t)(end - p))) {
			m->newer = true;
			return;
		} else {
			p += 3;                 /* or 4, of which the last is no lead byte */
		}
	}
}

static int match(const struct pattern *pattern, struct pattern_scratch *m, const char *s, size_t n, size_t from, uint32_t options)
{
	const struct code *p = m->newer && pattern->newer.code ? &pattern->newer : &pattern->plain;
	int rc = PCRE2_ERROR_JIT_STACKLIMIT;

	if (p->jit && !options) {
		rc = pcre2_jit_match(p->code, (PCRE2_SPTR)s, n, from, 0, m->match, m->context);
		if (rc == PCRE2_ERROR_JIT_STACKLIMIT && !m->stack) {
			m->stack = pcre2_jit_stack_create(64 << 10, 16 << 20, NULL);
			pcre2_jit_stack_assign(m->context, NULL, m->stack);
			rc = pcre2_jit_match(p->code, (PCRE2_SPTR)s, n, from, 0, m->match, m->context);
		}
	}
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(p->code, (PCRE2_SPTR)s, n, from, options | PCRE2_NO_JIT | PCRE2_NO_UTF_CHECK, m->match, m->context);
	return rc;
}

int pattern_next(const struct pattern *p, struct pattern_scratch *m, const char *s, size_t n, size_t at[2], struct err *e)
{
	bool first = at[0] > at[1];
	size_t last = at[1], from = at[1];
	const PCRE2_SIZE *found;
	int rc;

	for (;;) {
		if (from > n)
			return 0;
		rc = match(p, m, s, n, from, 0);
		if (rc == PCRE2_ERROR_NOMATCH)
			return 0;
		if (rc < 0)
			return err_set(e, "the pre-tokenizer's pattern gives up at byte %zu of %zu (PCRE2 error %d)", from, n, rc);
		found = pcre2_get_ovector_pointer(m->match);
		at[0] = found[0];
		at[1] = found[1];
		if (first || at[1] > at[0] || at[1] != last)
			return 1;
		for (from++; from < n && (s[from] & 0xc0) == 0x80; from++)      /* to the next character */
			;
	}
}

bool pattern_starts(const struct pattern *p, struct pattern_scratch *m, const char *s, size_t n)
{
	return match(p, m, s, n, 0, PCRE2_ANCHORED) >= 0;
}
