#include "task/verifier.h"

#include <string.h>

const struct verifier *verifier_find(const char *type, struct err *e)
{
	const struct verifier *const *v;

	if (!type || !*type)
		type = "math";
	for (v = verifier_table; *v; v++)
		if (!strcmp((*v)->name, type))
			return *v;
	err_set(e, "no verifier for type '%s'", type);
	return NULL;
}
