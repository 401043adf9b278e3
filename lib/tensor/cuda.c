/* cuda.c - loading the CUDA backend, which is a shared object (lib/tensor/cuda/) */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/library.h"
#include "base/team.h"
#include "tensor/backend.h"

#define FILE_NAME "r1-cuda.so"

struct backend *backend_cuda_load(struct err *e)
{
	const char *told = getenv("R1_CUDA");
	char *path = library_path(FILE_NAME, "R1_CUDA");
	struct backend *(*open)(int, struct err *) = NULL;
	const size_t *size = NULL;
	struct backend *be = NULL;
	void *lib;

	if (!path || access(path, R_OK) < 0) {
		err_set(e, told && *told ? "backend 'cuda': %s: there is no such file (R1_CUDA)" :
			"backend 'cuda' was not built: there is no %s (no nvcc was found when r1 was built)", path ? path : FILE_NAME);
		free(path);
		return NULL;
	}
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);      /* never closed: the driver's threads may outlive a backend */
	if (lib) {
		*(void **)&open = dlsym(lib, "backend_cuda_new");
		size = dlsym(lib, "backend_cuda_size");
	}
	if (!lib)
		err_set(e, "backend 'cuda': %s", dlerror());
	else if (!open || !size || *size != sizeof *be)
		err_set(e, "backend 'cuda': %s is of another edition of r1: make it again", path);
	else
		be = open(team_local_rank(), e);
	free(path);
	return be;
}
