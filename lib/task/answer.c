#include "task/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/number.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void trim(const char **s, size_t *n)
{
	while (*n && blank((*s)[*n - 1]))
		--*n;
	while (*n && blank(**s))
		++*s, --*n;
}

const char *text_last(const char *s, size_t n, const char *word)
{
	const char *found = NULL, *p = s, *end = s + n;
	size_t len = strlen(word);

	while ((p = memmem(p, (size_t)(end - p), word, len))) {
		found = p;
		p += len;
	}
	return found;
}

struct parts parts_of(const char *s, size_t n, bool prefilled)
{
	const char *open = memmem(s, n, "<think>", 7), *close = text_last(s, n, "</think>");
	struct parts t = {.final = s, .final_n = n};

	if (!open && !close && !prefilled)
		return t;
	t.think = prefilled || !open || (close && open > close) ? s : open + 7;
	t.open = !close;
	t.think_n = (size_t)((close ? close : s + n) - t.think);
	t.final = close ? close + 8 : s + n;
	t.final_n = (size_t)(s + n - t.final);
	return t;
}

/* \boxed 3: how much of s is in the box, which has no braces; 0: nothing. A number, or a letter alone, where the formula or the sentence ends */
static size_t bare_box(const char *s, size_t n)
{
	size_t i = n && *s == '-';

	if (i < n && s[i] >= '0' && s[i] <= '9')
		while (i < n && ((s[i] >= '0' && s[i] <= '9') || ((s[i] == '.' || s[i] == ',') && i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9')))
			i++;
	else if (n && letter(*s))
		i = 1;
	else
		return 0;
	if (i == n || (s[i] && strchr("$.,;\n", s[i])) || (blank(s[i]) && !letter(*s)))
		return i;
	return s[i] == '\\' && i + 1 < n && (s[i + 1] == ')' || s[i + 1] == ']') ? i : 0;
}

/* The content of the last \boxed{...}: one pass with a stack of open braces. */
static struct found find_boxed(const char *s, size_t n)
{
	struct found f = {0};
	size_t *open = NULL, depth = 0, cap = 0, i;

	for (i = 0; i < n; i++) {
		if (s[i] == '\\') {
			if (n - i >= 7 && !memcmp(s + i, "\\boxed{", 7)) {
				i += 6;
			} else if (n - i >= 6 && !memcmp(s + i, "\\fbox{", 6)) {
				i += 5;
			} else if (n - i >= 7 && !memcmp(s + i, "\\boxed", 6) && !letter(s[i + 6])) {
				size_t len;

				for (i += 6; i < n && blank(s[i]); i++)
					;
				len = i < n ? bare_box(s + i, n - i) : 0;
				if (len)
					f = (struct found){s + i, len, "boxed"};
				if (i == n || s[i] != '{') {
					i--;
					continue;
				}
			} else {
				i++;            /* \{ and \} are no braces */
				continue;
			}
			open = xgrow(open, &cap, depth + 1, sizeof *open);
			open[depth++] = (i + 1) * 2 + 1;
			f.how = f.text ? f.how : "\\boxed{ is not closed";
		} else if (s[i] == '{') {
			open = xgrow(open, &cap, depth + 1, sizeof *open);
			open[depth++] = (i + 1) * 2;
		} else if (s[i] == '}' && depth) {
			size_t from = open[--depth];

			if (from & 1)
				f = (struct found){s + from / 2, i - from / 2, "boxed"};
		}
	}
	free(open);
	return f;
}

static struct found find_answer(const char *s, size_t n)
{
	const char *close = text_last(s, n, "</answer>"), *open = text_last(s, close ? (size_t)(close - s) : n, "<answer>");
	struct found f = {0}, box;

	if (!open || !close) {
		f.how = open ? "<answer> is not closed" : close ? "</answer> without <answer>" : NULL;
		return f;
	}
	f = (struct found){open + 8, (size_t)(close - open) - 8, "answer"};
	box = find_boxed(f.text, f.n);
	return box.text ? box : f;
}

/* Does s have the word at i, as small letters, and no letter in front of it? */
static bool word_at(const char *s, size_t n, size_t i, const char *word)
{
	size_t k;

	for (k = 0; word[k]; k++)
		if (i + k >= n || (s[i + k] >= 'A' && s[i + k] <= 'Z' ? s[i + k] + 'a' - 'A' : s[i + k]) != word[k])
			return false;
	return !i || !((s[i - 1] >= 'a' && s[i - 1] <= 'z') || (s[i - 1] >= 'A' && s[i - 1] <= 'Z')) || !(*word >= 'a' && *word <= 'z');
}

/* Where a sentence ends that begins at i: a full stop with a blank behind it, outside of formulas, or a line's end */
static size_t sentence(const char *s, size_t n, size_t i)
{
	bool formula = false;

	for (; i < n && s[i] != '\n'; i++) {
		formula ^= s[i] == '$' && (!i || s[i - 1] != '\\');
		if (s[i] == '\\' && i + 1 < n && s[i + 1] && strchr("([)]", s[i + 1]))
			formula = s[i + 1] == '(' || s[i + 1] == '[';
		if (s[i] == '.' && !formula && (i + 1 == n || blank(s[i + 1])))
			break;
		if (!formula && n - i >= 3 && !memcmp(s + i, "\xe3\x80\x82", 3))
			break;
	}
	return i;
}

/* "The answer is 12.", "Answer: $x = 3$", "#### 12" */
static struct found find_said(const char *s, size_t n)
{
	static const char *const words[] = {"answer is", "answers are", "answer:", "answer :", "answer =", "answer\xef\xbc\x9a", "a:", "####",
		"\xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf", "\xe7\xad\x94\xe6\xa1\x88\xe4\xb8\xba", "\xe7\xad\x94\xe6\xa1\x88\xef\xbc\x9a", "\xe7\xad\x94\xe6\xa1\x88:"};
	struct found f = {0}, box;
	size_t i, k, from = 0, end;

	for (i = 0; i < n; i++) {
		if (!s[i] || !strchr("aA#\xe7", s[i]))
			continue;
		for (k = 0; k < sizeof words / sizeof *words; k++)
			if (word_at(s, n, i, words[k]) && (strcmp(words[k], "a:") || !i || s[i - 1] == '\n'))
				from = i + strlen(words[k]);
	}
	if (!from)
		return f;
	for (;;) {      /* "answer is: **12**", with the formula on the next line */
		while (from < n && (blank(s[from]) || s[from] == ':' || s[from] == '*'))
			from++;
		if (word_at(s, n, from, "is ") || word_at(s, n, from, "is\n"))
			from += 2;
		else if ((word_at(s, n, from, "\\[") && from + 2 < n && blank(s[from + 2])) || word_at(s, n, from, "$$"))
			from += 2;
		else
			break;
	}
	end = sentence(s, n, from);
	while (end > from && (s[end - 1] == '*' || blank(s[end - 1])))
		end--;
	box = find_boxed(s + from, end - from);
	return box.text ? box : (struct found){s + from, end - from, "answer-is"};
}

static struct found find_number(const char *s, size_t n)
{
	struct found f = {.how = "last-number"};

	f.text = number_last(s, n, &f.n);
	return f.text ? f : (struct found){0};
}

static struct found find_all(const char *s, size_t n)
{
	return (struct found){s, n, "all"};
}

static const struct {
	const char *name;
	struct found (*find)(const char *s, size_t n);
} extractors[] = {
	{"answer", find_answer},
	{"boxed", find_boxed},
	{"answer-is", find_said},
	{"last-number", find_number},
	{"all", find_all},
};
#define EXTRACTORS (sizeof extractors / sizeof *extractors)

static size_t extractor(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < EXTRACTORS; i++)
		if (strlen(extractors[i].name) == n && !memcmp(extractors[i].name, name, n))
			break;
	return i;
}

int answer_methods(const char *methods, struct err *e)
{
	const char *p = methods;

	for (;;) {
		size_t n = strcspn(p, ",");

		if (extractor(p, n) == EXTRACTORS)
			return err_set(e, "'%.*s' is none of answer, boxed, answer-is, last-number, all", (int)n, p);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

struct found answer_find(const char *s, size_t n, const char *methods)
{
	const char *p = methods, *hint = NULL;

	for (;;) {
		size_t len = strcspn(p, ","), i = extractor(p, len);
		struct found f = i < EXTRACTORS ? extractors[i].find(s, n) : (struct found){0};

		trim(&f.text, &f.n);
		if (f.text && f.n)
			return f;
		if (!hint)
			hint = f.text ? "it is empty" : f.how;
		if (!p[len])
			return (struct found){.how = hint};
		p += len + 1;
	}
}

/* ---- notation ---- */

enum { MAX_LAYERS = 16, MAX_WRAPPED = 4096 };   /* what is longer is no wrapped answer; keeps the work linear */

static bool starts(const char *s, size_t n, const char *word)
{
	size_t len = strlen(word);

	return n >= len && !memcmp(s, word, len);
}

/* s[0..n) is open + inner + close, and no other such pair is opened or closed within: inner. */
static bool unwrap(const char **s, size_t *n, const char *open, const char *close)
{
	size_t a = strlen(open), b = strlen(close), i, depth = 1;
	bool braces = close[0] == '}';

	if (*n < a + b || memcmp(*s, open, a) || memcmp(*s + *n - b, close, b))
		return false;
	for (i = a; i + b < *n; i++) {
		char c = (*s)[i];

		if (braces && c == '\\') {
			i++;
		} else if (braces && c == '{') {
			depth++;
		} else if (braces && c == '}') {
			if (--depth == 0)
				return false;
		} else if (!braces && !memcmp(*s + i, close, b)) {
			return false;
		}
	}
	if (i > *n - b)
		return false;                   /* the last brace was an escaped one */
	*s += a;
	*n -= a + b;
	return true;
}

static bool strip(const char **s, size_t *n)
{
	static const char *const pair[][2] = {
		{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}, {"\\boxed{", "}"}, {"\\fbox{", "}"}, {"\\text{", "}"},
		{"\\textbf{", "}"}, {"\\mathrm{", "}"}, {"\\mathbf{", "}"}, {"{", "}"}, {"**", "**"}, {"\"", "\""}, {"'", "'"}, {"`", "`"},
		{"\xe2\x80\x9c", "\xe2\x80\x9d"}, {"\xe3\x80\x8c", "\xe3\x80\x8d"}};
	size_t i, before = *n;

	trim(s, n);
	for (i = 0; i < sizeof pair / sizeof *pair; i++)
		if (unwrap(s, n, pair[i][0], pair[i][1]))
			return true;
	if (*n > 1 && (*s)[*n - 1] == '.' && !(*n > 2 && !memcmp(*s + *n - 3, "...", 3)))
		--*n;
	else if (*n > 3 && !memcmp(*s + *n - 3, "\xe3\x80\x82", 3))
		*n -= 3;
	return *n != before;
}

/* LaTeX that only sets space or size: how many bytes of s to pass over, and what stands for them. */
static size_t notation(const char *s, size_t n, const char **as)
{
	static const char *const table[][2] = {
		{"{,}", ","}, {"\\,", ""}, {"\\!", ""}, {"\\;", " "}, {"\\:", " "}, {"\\ ", " "}, {"~", " "}, {"\\quad", " "},
		{"\\left", ""}, {"\\right", ""}, {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"}, {"\\%", "%"}, {"\\$", "$"},
		{"\xe2\x88\x92", "-"}, {"\xc2\xa0", " "}, {"\xe3\x80\x80", " "}, {"\xe3\x80\x82", "."}};
	size_t i;

	if (*s != '\\' && *s != '{' && *s != '~' && !(*s & 0x80))
		return 0;
	for (i = 0; i < sizeof table / sizeof *table; i++) {
		const char *word = table[i][0];
		size_t len;

		if (*word != *s || (word[1] && (n < 2 || word[1] != s[1])) || !starts(s, n, word))
			continue;
		len = strlen(word);
		if (letter(word[1]) && len < n && letter(s[len]) && strcmp(table[i][1], "\\frac"))
			continue;               /* \leftarrow is not \left */
		*as = table[i][1];
		return len;
	}
	return 0;
}

static void plain(const char *s, size_t n, bool keep, struct buf *to)
{
	size_t i, from = to->n, len;
	const char *as;

	buf_room(to, n);
	for (i = 0; i < MAX_LAYERS && n <= MAX_WRAPPED && strip(&s, &n); i++)
		;
	for (i = 0; i < n; i += len) {
		char c = s[i];

		len = notation(s + i, n - i, &as);
		if (!len) {
			len = 1;
			if (n - i >= 3 && (unsigned char)c == 0xef && ((unsigned char)s[i + 1] == 0xbc || (unsigned char)s[i + 1] == 0xbd)) {
				unsigned u = 0xf000 | (s[i + 1] & 0x3f) << 6 | (s[i + 2] & 0x3f);

				if (u >= 0xff01 && u <= 0xff5e) {       /* full-width forms */
					c = (char)(u - 0xff01 + '!');
					len = 3;
				}
			}
			if (!keep && c >= 'A' && c <= 'Z')
				c = (char)(c + 'a' - 'A');
			if (blank(c))
				c = ' ';
			if (c != ' ' || (to->n > from && to->p[to->n - 1] != ' '))
				buf_char(to, c);
		} else if (*as != ' ' || (to->n > from && to->p[to->n - 1] != ' ')) {
			buf_str(to, as);
		}
	}
	while (to->n > from && to->p[to->n - 1] == ' ')
		to->p[--to->n] = 0;
}

void answer_plain(const char *s, size_t n, struct buf *to)
{
	plain(s, n, false, to);
}

void answer_bare(const char *s, size_t n, struct buf *to)
{
	plain(s, n, true, to);
}

size_t answer_lead(const char *s, size_t n, bool *said)
{
	static const struct { const char *text; bool says; } words[] = {
		{"the"}, {"correct"}, {"right"}, {"best"}, {"final"}, {"answer"}, {"option", true}, {"choice", true}, {"it's", true}, {"it"}, {"so"}, {"thus"},
		{"hence"}, {"therefore"}, {","}, {"is", true}, {"there"}, {"are", true}, {"approximately", true},
		{":", true}, {"=", true}, {"*"}, {"\\text{"}, {"\\textbf{"}, {"}"}, {"\xef\xbc\x9a", true},
		{"\xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf", true}, {"\xe7\xad\x94\xe6\xa1\x88\xe4\xb8\xba", true}, {"\xe7\xad\x94\xe6\xa1\x88"}};
	size_t at = 0, k, len, open = 0;

	*said = false;
	for (;;) {
		while (at < n && blank(s[at]))
			at++;
		for (k = 0; k < sizeof words / sizeof *words; k++) {
			len = strlen(words[k].text);
			if (n - at > len && word_at(s + at, n - at, 0, words[k].text) && (!letter(words[k].text[0]) || !letter(s[at + len])))
				break;
		}
		if (k == sizeof words / sizeof *words || (*words[k].text == '}' && !open)) {
			*said &= !open;
			return at < n && !open ? at : 0;
		}
		open += *words[k].text == '\\';
		open -= *words[k].text == '}';
		*said |= words[k].says;
		at += len;
	}
}

/* ---- what the problem asks for ---- */

/* Blanks and the marks of formulas */
static size_t gap(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (blank(s[i]) || s[i] == '$' || (s[i] == '\\' && i + 1 < n && s[i + 1] && strchr("()[]", s[i + 1]))))
		i += s[i] == '\\' ? 2 : 1;
	return i;
}

/* How much of s is t, whatever blanks are in them; 0: it does not begin with it */
static size_t spells(const char *s, size_t n, const char *t, size_t t_n)
{
	size_t i = 0, k = 0;

	for (;; i++, k++) {
		k += gap(t + k, t_n - k);
		if (k == t_n)
			return i;
		i += i ? gap(s + i, n - i) : 0;
		if (i == n || s[i] != t[k])
			return 0;
	}
}

/* Does s end in "find the value of", "what is"? */
static bool asks(const char *s, size_t n)
{
	static const char *const words[] = {"find", "compute", "determine", "evaluate", "calculate", "what", "give", "\xe6\xb1\x82", NULL};
	static const char *const between[] = {"the", "exact", "value", "values", "sum", "product", "ratio", "probability", "quantity", "of", "is", "are", NULL};
	const char *const *w;
	size_t len;

	for (;;) {
		while (n && (blank(s[n - 1]) || s[n - 1] == '$' || (n > 1 && s[n - 2] == '\\' && strchr("([", s[n - 1]))))
			n -= n > 1 && s[n - 2] == '\\' ? 2 : 1;
		for (w = words; *w; w++)
			if ((len = strlen(*w)) <= n && word_at(s, n, n - len, *w))
				return true;
		for (w = between; *w; w++)
			if ((len = strlen(*w)) <= n && word_at(s, n, n - len, *w))
				break;
		if (!*w)
			return false;
		n -= len;
	}
}

size_t answer_asked(const char *s, size_t n, const char *problem, size_t problem_n)
{
	enum { LONGEST = 80 };          /* so that no answer makes it slow */
	const char *equals = memchr(s, '=', n < LONGEST ? n : LONGEST);
	size_t named, from, i, len;

	if (!problem || !equals || equals == s || strchr("<>!:=", equals[-1]))
		return 0;
	named = (size_t)(equals - s);
	for (from = gap(s, named), i = 0; i < problem_n; i++) {
		len = problem[i] == s[from] ? spells(problem + i, problem_n - i, s + from, named - from) : 0;
		if (!len || !asks(problem, i))
			continue;
		i += len;
		len = gap(problem + i, problem_n - i);
		if (i + len == problem_n || (problem[i + len] && strchr(".,;:?!", problem[i + len])) || (len && (letter(problem[i + len]) || problem[i + len] & 0x80)))
			return named + 1;
	}
	return 0;
}

void answer_show(const char *s, size_t n, struct buf *to)
{
	size_t i, cut;

	trim(&s, &n);
	cut = n;
	if (n > 60)
		for (cut = 57; cut && ((unsigned char)s[cut] & 0xc0) == 0x80; cut--)
			;
	for (i = 0; i < cut; i++)
		buf_char(to, (unsigned char)s[i] < ' ' ? ' ' : s[i]);
	if (cut < n)
		buf_str(to, "...");
}
