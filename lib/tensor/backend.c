#include "tensor/backend.h"

#include <string.h>

struct backend *backend_open(const char *name, int threads, struct err *e)
{
	if (!strcmp(name, "cpu"))
		return backend_cpu_new(threads);
	err_set(e, "backend '%s' was not built in (no nvcc was found when r1 was built)", name);
	return NULL;
}

void backend_close(struct backend *be)
{
	if (be)
		be->destroy(be);
}
