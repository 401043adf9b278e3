#include "base/human.h"

#include <stdio.h>

const char *human_size(char to[32], double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t u = 0;

	while (bytes >= 1024 && u + 1 < sizeof units / sizeof *units)
		bytes /= 1024, u++;
	snprintf(to, 32, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
	return to;
}

const char *human_count(char to[32], int64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n), i, at = 0;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			to[at++] = ',';
		to[at++] = digits[i];
	}
	to[at] = 0;
	return to;
}
