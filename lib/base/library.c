#include "base/library.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

char *library_path(const char *file, const char *variable)
{
	static const char *const place[] = {"", "../lib/r1/"};
	const char *told = getenv(variable);
	char here[4096];
	ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
	size_t i;

	if (told && *told)
		return xstrdup(told);
	here[n < 0 ? 0 : n] = 0;
	if (!strrchr(here, '/'))
		return NULL;
	*strrchr(here, '/') = 0;
	for (i = 0; i < 2; i++) {
		char *path = xasprintf("%s/%s%s", here, place[i], file);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return xasprintf("%s/%s", here, file);
}
