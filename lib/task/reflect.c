#include "task/reflect.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct reflect {
	char *text;
	const char **word;              /* (n), each small letters */
	size_t n, cap;
	bool first[256];                /* does a word begin with this byte? */
};

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

static bool letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct reflect *reflect_open(const char *words, struct err *e)
{
	struct reflect *w = xcalloc(1, sizeof *w);
	char *p;

	w->text = xstrdup(words);
	for (p = w->text; *p; p++)
		*p = (char)lower(*p);
	for (p = w->text;;) {
		size_t len = strcspn(p, ",");
		bool last = !p[len];

		p[len] = 0;
		if (!len || blank(*p)) {
			reflect_close(w);
			err_set(e, "%s in '%s'", len ? "a word that begins with a blank" : "an empty word", words);
			return NULL;
		}
		w->word = xgrow(w->word, &w->cap, w->n + 1, sizeof *w->word);
		w->word[w->n++] = p;
		w->first[(unsigned char)*p] = true;
		if (last)
			return w;
		p += len + 1;
	}
}

void reflect_close(struct reflect *w)
{
	if (!w)
		return;
	free(w->text);
	free(w->word);
	free(w);
}

/* Bytes of s that the word takes at its start; 0 if it does not stand there. */
static size_t match(const char *word, const char *s, size_t n)
{
	size_t i = 0;

	for (; *word; word++) {
		if (*word == ' ') {
			size_t from = i;

			while (i < n && blank(s[i]))
				i++;
			if (i == from)
				return 0;
		} else if (i < n && lower(s[i]) == (unsigned char)*word) {
			i++;
		} else {
			return 0;
		}
	}
	return letter(word[-1]) && i < n && letter(s[i]) ? 0 : i;
}

int64_t reflect_count(const struct reflect *w, const char *s, size_t n)
{
	int64_t count = 0;
	size_t i, k;

	for (i = 0; i < n;) {
		size_t longest = 0;

		if (w->first[lower(s[i])] && !(i && letter(s[i]) && letter(s[i - 1]))) {
			for (k = 0; k < w->n; k++) {
				size_t len = match(w->word[k], s + i, n - i);

				longest = len > longest ? len : longest;
			}
		}
		count += longest > 0;
		i += longest ? longest : 1;
	}
	return count;
}
