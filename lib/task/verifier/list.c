/* Lists: items apart by commas, semicolons or lines, in brackets or not, each compared as mathematics or text; in order, unless asked otherwise. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/verifier.h"

enum { MOST_ITEMS = 1000 };

struct item {
	const char *s;
	size_t n;
};

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct item trimmed(const char *s, const char *end)
{
	while (s < end && blank(*s))
		s++;
	while (end > s && blank(end[-1]))
		end--;
	return (struct item){s, (size_t)(end - s)};
}

static int opens(char c)
{
	return c == '(' || c == '[' || c == '{';
}

static int closes(char c)
{
	return c == ')' || c == ']' || c == '}';
}

/* Brackets around all of it */
static bool wrapped(const struct item *all)
{
	int depth = 0;
	size_t i;

	if (all->n < 2 || !opens(all->s[0]))
		return false;
	for (i = 0; i < all->n; i++) {
		depth += opens(all->s[i]) - closes(all->s[i]);
		if (!depth)
			break;
	}
	return i == all->n - 1;
}

/* How many; -1: too many. Separators within brackets or quotes are none. */
static int split(struct item *to, const char *s, size_t n)
{
	struct item all = trimmed(s, s + n);
	const char *p, *from, *end;
	int depth = 0, count = 0;
	char quote = 0;

	if (wrapped(&all))
		all = trimmed(all.s + 1, all.s + all.n - 1);
	end = all.s + all.n;
	for (p = from = all.s; p <= end; p++) {
		if (p < end && quote) {
			quote = *p == quote ? 0 : quote;
			continue;
		}
		if (p < end && *p == '"' && memchr(p + 1, '"', (size_t)(end - p) - 1))
			quote = *p;
		depth += p < end ? opens(*p) - closes(*p) : 0;
		if (p < end && (depth > 0 || (*p != ',' && *p != ';' && *p != '\n')))
			continue;
		if (count == MOST_ITEMS)
			return -1;
		to[count] = trimmed(from, p);
		if (to[count].n || (p < end && *p != '\n'))     /* no item behind the last separator, none of an empty line */
			count++;
		from = p + 1;
	}
	return count;
}

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	extern const struct verifier verifier_math;
	struct item *x, *y;
	bool all, found;
	int n, k, i, j;

	if (verifier_same(a, a_n, b, b_n, NULL))
		return true;
	x = xmalloc(2 * MOST_ITEMS * sizeof *x);
	y = x + MOST_ITEMS;
	n = split(x, a, a_n);
	k = split(y, b, b_n);
	all = n > 0 && n == k;
	for (i = 0; all && i < n; i++) {
		const bool any = o && o->order == ORDER_ANY;

		found = false;
		for (j = any ? 0 : i; j < (any ? n : i + 1) && !found; j++)
			if (y[j].s && verifier_math.same(x[i].s, x[i].n, y[j].s, y[j].n, o, NULL)) {
				found = true;
				y[j].s = NULL;          /* serves once */
			}
		all = found;
	}
	if ((n < 0 || k < 0) && why)
		buf_str(why, "too many items");
	free(x);
	return all;
}

const struct verifier verifier_list = {"list", "items in order, each as math", same};
