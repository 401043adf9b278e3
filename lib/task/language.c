#include "task/language.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is(const char *name, const char *s, size_t n)
{
	return strlen(name) == n && !strncasecmp(name, s, n);
}

const struct language *language_find(const char *name, size_t n)
{
	const struct language *const *l;
	const char *const *tag;

	for (l = language_table; *l; l++) {
		if (is((*l)->name, name, n))
			return *l;
		for (tag = (*l)->tags; *tag; tag++)
			if (is(*tag, name, n))
				return *l;
	}
	return NULL;
}
