/* cuda.c - loading the CUDA backend, which is a shared object (lib/tensor/cuda/): beside the program, where make install puts it, or the one that R1_CUDA names */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tensor/backend.h"

#define FILE_NAME "r1-cuda.so"

/* The one that was built with this program, or installed with it; where there is none, where it would be built. Freed by the caller, NULL: not known. */
static char *beside(void)
{
	static const char *const place[] = {FILE_NAME, "../lib/r1/" FILE_NAME};
	char here[4096];
	ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
	size_t i;

	here[n < 0 ? 0 : n] = 0;
	if (!strrchr(here, '/'))
		return NULL;
	*strrchr(here, '/') = 0;
	for (i = 0; i < 2; i++) {
		char *path = xasprintf("%s/%s", here, place[i]);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return xasprintf("%s/" FILE_NAME, here);
}

struct backend *backend_cuda_load(struct err *e)
{
	const char *told = getenv("R1_CUDA");
	char *path = told && *told ? xstrdup(told) : beside();
	struct backend *(*open)(struct err *) = NULL;
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
		be = open(e);
	free(path);
	return be;
}
