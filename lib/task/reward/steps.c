/* Reasoning that is laid out in steps (open-r1's reasoning_steps): marks of steps in the chain of thought, or in all of a completion without
 * one, up to the number that is asked for. A mark is "Step 3:", a line that begins with "3.", "-" or "*", or one of First, Second, Next,
 * Finally before a comma. */
#include <string.h>

#include "task/reward.h"

struct options {
	int64_t n;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && digit(s[i]))
		i++;
	return i;
}

/* Bytes of the mark at s; 0: none. first: s begins the text; line: it begins a line. */
static size_t mark(const char *s, size_t n, bool line, bool first)
{
	static const char *const words[] = {"First,", "Second,", "Next,", "Finally,"};
	size_t i, len;

	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (n >= strlen(words[i]) && !memcmp(s, words[i], strlen(words[i])))
			return strlen(words[i]);
	if (n > 5 && !memcmp(s, "Step ", 5) && (len = digits(s + 5, n - 5)) && 5 + len < n && s[5 + len] == ':')
		return 6 + len;
	if (line && (len = digits(s, n)) && len < n && s[len] == '.')
		return len + 1;
	return line && !first && (*s == '-' || *s == '*');
}

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	const char *text = s->parts.think ? s->parts.think : s->text;
	size_t n = s->parts.think ? s->parts.think_n : s->n, i, len;
	int64_t marks = 0;

	(void)e;
	for (i = 0; i < n; i += len ? len : 1) {
		len = mark(text + i, n - i, i == 0 || text[i - 1] == '\n', i == 0);
		marks += len > 0;
	}
	s->value = marks < o->n ? (double)marks / (double)o->n : 1;
	if (marks < o->n)
		buf_printf(&s->reason, "%lld of %lld marks of steps", (long long)marks, (long long)o->n);
	return 0;
}

static const struct options defaults = {3};
static const struct param params[] = {{"n", OPT_INT, offsetof(struct options, n), "N", "marks that are enough", 1, 1e6}, PARAM_END};

const struct reward reward_steps = {
	{"steps", "share of the marks of steps that are asked for in the reasoning, 0 to 1", params, &defaults, sizeof defaults, NULL}, false, score, NULL};
