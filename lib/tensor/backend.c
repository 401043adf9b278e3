#include "tensor/backend.h"

#include <string.h>

struct backend *backend_open(const char *name, int threads, struct err *e)
{
	if (!strcmp(name, "cpu"))
		return backend_cpu_new(threads);
	if (!strcmp(name, "cpu-bf16"))
		return backend_bf16_new(threads);
	if (!strcmp(name, "cuda"))
		return backend_cuda_load(e);
	err_set(e, "there is no backend '%s'", name);
	return NULL;
}

struct packed *backend_pack(struct backend *be, const float *w, int64_t n, int64_t k, enum weight_type type, bool panels)
{
	struct packed *p = be->pack(be, n, k, type, panels);

	be->pack_rows(be, p, 0, n, w, WEIGHT_F32);
	return p;
}

void backend_close(struct backend *be)
{
	if (be)
		be->destroy(be);
}
