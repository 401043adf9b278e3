/* Mathematics by what it means, exactly (task/math.h); what is none, as text. Words in front, "the answer is", "she has", do not count, nor does what an option
 * says behind its letter, where the other is the letter alone. */
#include <stddef.h>
#include <string.h>

#include "task/answer.h"
#include "task/math.h"
#include "task/verifier.h"

/* The letter of "(a)" or "\\textbf{(a)} 5" at the beginning of plain text, or 0; *rest: what stands behind it begins there */
static char option(const struct buf *s, size_t *rest)
{
	static const char *const open[] = {"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\textrm{"};
	size_t at = 0, i;
	char letter;

	for (i = 0; i < sizeof open / sizeof *open; i++)
		if (s->n > strlen(open[i]) && !memcmp(s->p, open[i], strlen(open[i])))
			at = strlen(open[i]);
	if (s->n - at < 3 || s->p[at] != '(' || s->p[at + 1] < 'a' || s->p[at + 1] > 'j' || s->p[at + 2] != ')')
		return 0;
	letter = s->p[at + 1];
	for (at += 3; at < s->n && strchr("} .:", s->p[at]); at++)
		;
	*rest = at;
	return letter;
}

/* What an option may say, so that no other one and no words are said with it: "5", "\\frac{1}{2}" */
static bool formula(const char *s, size_t n)
{
	size_t i, letters = 0;
	bool command = false;

	for (i = 0; i < n; i++) {
		const bool is = s[i] >= 'a' && s[i] <= 'z';

		command = s[i] == '\\' || (is && command);
		letters = is && !command ? letters + 1 : 0;
		if (letters > 1 || !s[i] || strchr(",;&", s[i]) || s[i] & 0x80)
			return false;
		if (s[i] == '(' && n - i > 2 && s[i + 2] == ')' && s[i + 1] >= 'a' && s[i + 1] <= 'j')
			return false;
	}
	return n > 1 || !letters;
}

static bool same_option(const struct buf *a, const struct buf *b)
{
	size_t x = 0, y = 0;
	const char letter = option(a, &x);

	if (!letter || letter != option(b, &y))
		return false;
	return (x == a->n && formula(b->p + y, b->n - y)) || (y == b->n && formula(a->p + x, a->n - x));
}

static bool as_it_stands(const char *a, size_t a_n, const char *b, size_t b_n, const struct math_options *options, struct buf *why)
{
	return verifier_same(a, a_n, b, b_n, same_option) || math_compare(a, a_n, b, b_n, options, why) == MATH_SAME;
}

/* *3*, **3**: what an answer is said in, as the asterisks in front of s, `stars` of them, stand behind it, too */
static void without_stars(const char *s, size_t *n, size_t stars)
{
	size_t end = *n, behind = 0;

	while (end && (s[end - 1] == '.' || s[end - 1] == ' ' || s[end - 1] == '\n'))
		end--;
	while (behind < end && s[end - 1 - behind] == '*')
		behind++;
	if (stars && stars <= 3 && behind == stars && end > behind)
		*n = end - behind;
}

/* The word at s, as far as letters go */
static size_t word(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z')))
		i++;
	return i;
}

/* Is it one of the words, parted by blanks? It may begin with a capital. */
static bool among(const char *s, size_t n, const char *words)
{
	while (*words) {
		const size_t len = strcspn(words, " ");

		if (len == n && n && (*s | 0x20) == *words && !memcmp(s + 1, words + 1, n - 1))
			return true;
		words += len + (words[len] == ' ');
	}
	return false;
}

/* Behind "She has ", "It will take ": someone, one word, and a verb that says how much; NULL */
static const char *someone_has(const char *s, const char *end)
{
	static const char nobody[] = "no not none never nobody neither nothing nor each every everyone everybody both all half twice someone anyone who what if";
	static const char has[] = "has have needs need costs cost takes take makes make earns earn gets get pays pay spends spend saves save owes owe weighs weigh";
	size_t len = word(s, (size_t)(end - s));

	if (!len || *s < 'A' || *s > 'Z' || among(s, len, nobody) || s + len == end || s[len] != ' ')
		return NULL;
	s += len + 1;
	len = word(s, (size_t)(end - s));
	if (among(s, len, "now still will") && s + len < end && s[len] == ' ') {
		s += len + 1;
		len = word(s, (size_t)(end - s));
	}
	return among(s, len, has) && s + len < end && s[len] == ' ' ? s + len + 1 : NULL;
}

/* "She has 5 apples left.", with no other number and no words that could make another thing of it. *s, *n: to "5 apples" */
static bool plain_sentence(const char **s, size_t *n)
{
	static const char left[] = "left remaining altogether total in now";
	static const char doubt[] = "more less fewer than times of out extra other or and not no but if per each as to from short over under before after too every half "
		"twice wrong instead";
	const char *end = *s + *n, *p, *from, *kept;
	bool digits = false;
	size_t len;

	while (end > *s && (end[-1] == ' ' || end[-1] == '\n'))
		end--;
	end -= end > *s && end[-1] == '.';
	from = p = someone_has(*s, end);
	if (!p)
		return false;
	p += p < end && *p == '$';
	for (; p < end && ((*p >= '0' && *p <= '9') || (digits && (*p == ',' || *p == '.') && end - p > 1 && p[1] >= '0' && p[1] <= '9')); p++)
		digits = true;
	for (kept = p; digits && p < end && *p == ' '; p += len) {
		p++;
		len = word(p, (size_t)(end - p));
		if (!len || among(p, len, doubt))
			return false;
		if (!among(p, len, left))
			kept = p + len;
	}
	*s = digits && p == end ? from : *s;
	*n = digits && p == end ? (size_t)(kept - from) : *n;
	return digits && p == end;
}

/* What is said behind words in front, and without the asterisks around it; false: it is nothing else than it was */
static bool said(const char **s, size_t *n)
{
	size_t stars = 0, from, kept = *n;
	bool led, any = false;

	while (stars < *n && (*s)[stars] == '*')
		stars++;
	without_stars(*s, &kept, stars);
	if (kept < *n && kept > stars) {
		*s += stars;
		*n = kept - stars;
		any = true;
	}
	from = answer_lead(*s, *n, &led);
	if (!led)
		return plain_sentence(s, n) || any;
	*s += from;
	*n -= from;
	for (stars = 0; stars < from && (*s)[-1 - (ptrdiff_t)stars] == '*'; stars++)
		;
	without_stars(*s, n, stars);
	return true;
}

/* What is said behind "m + n =", where the problem asks for that, and behind "so" in front of it */
static bool asked(const char **s, size_t *n, const struct verifier_options *o)
{
	bool led;
	const size_t lead = answer_lead(*s, *n, &led), from = o && o->problem ? answer_asked(*s + lead, *n - lead, o->problem, o->problem_n) : 0;

	*s += from ? lead + from : 0;
	*n -= from ? lead + from : 0;
	return from;
}

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	struct math_options options = {0};
	struct buf other = {0};
	bool is, a_said, b_said;

	if (o)
		options = (struct math_options){o->absolute > 0 || o->relative > 0, o->absolute, o->relative, o->order == ORDER_KEPT};
	if (as_it_stands(a, a_n, b, b_n, &options, why))
		return true;
	a_said = said(&a, &a_n);
	a_said = asked(&a, &a_n, o) || a_said;
	b_said = said(&b, &b_n);
	b_said = asked(&b, &b_n, o) || b_said;
	if (!a_said && !b_said)
		return false;
	is = as_it_stands(a, a_n, b, b_n, &options, &other);
	if (why && !why->n && other.n)
		buf_add(why, other.p, other.n);
	buf_free(&other);
	return is;
}

const struct verifier verifier_math = {"math", "by what it means, exactly: numbers, expressions, sets, intervals, equations; else as text", same};
