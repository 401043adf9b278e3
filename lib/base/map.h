/* map.h - from strings of bytes to 64-bit values, in insertion order
 *
 *     struct map m = {0};
 *     int64_t *n = map_put(&m, id, strlen(id));       // new entries hold 0; `*n` may be used until the next put
 *     ++*n;
 *     for (size_t i = 0; i < m.n; i++)
 *             printf("%s %lld\n", m.entry[i].key, (long long)m.entry[i].value);
 *     map_free(&m);
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct map_entry {
	const char *key;        /* owned by the map, NUL behind it */
	size_t len;
	uint64_t hash;
	int64_t value;
};

struct map {                    /* all zero is an empty map */
	struct map_entry *entry;
	size_t n, cap;
	uint32_t *slot;         /* index + 1 into entry, 0 empty */
	size_t slots;           /* a power of two */
	struct arena keys;
};

int64_t *map_put(struct map *m, const void *key, size_t len);          /* finds or adds */
int64_t *map_get(const struct map *m, const void *key, size_t len);    /* NULL if absent */
void map_free(struct map *m);

#endif
