#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static size_t find(const struct map *m, const void *key, size_t len, uint64_t h)
{
	size_t i = h & (m->slots - 1);

	while (m->slot[i]) {
		const struct map_entry *e = &m->entry[m->slot[i] - 1];

		if (e->hash == h && e->len == len && !memcmp(e->key, key, len))
			break;
		i = (i + 1) & (m->slots - 1);
	}
	return i;
}

static void grow(struct map *m)
{
	size_t i, j;

	m->slots = m->slots ? m->slots * 2 : 64;
	free(m->slot);
	m->slot = xcalloc(m->slots, sizeof *m->slot);
	for (i = 0; i < m->n; i++) {
		j = m->entry[i].hash & (m->slots - 1);
		while (m->slot[j])
			j = (j + 1) & (m->slots - 1);
		m->slot[j] = (uint32_t)i + 1;
	}
}

int64_t *map_get(const struct map *m, const void *key, size_t len)
{
	size_t i;

	if (!m->slots)
		return NULL;
	i = find(m, key, len, hash_bytes(key, len));
	return m->slot[i] ? &m->entry[m->slot[i] - 1].value : NULL;
}

int64_t *map_put(struct map *m, const void *key, size_t len)
{
	uint64_t h = hash_bytes(key, len);
	struct map_entry *e;
	size_t i;

	if ((m->n + 1) * 2 > m->slots)
		grow(m);
	i = find(m, key, len, h);
	if (m->slot[i])
		return &m->entry[m->slot[i] - 1].value;
	m->entry = xgrow(m->entry, &m->cap, m->n + 1, sizeof *m->entry);
	e = &m->entry[m->n++];
	*e = (struct map_entry){arena_strndup(&m->keys, key, len), len, h, 0};
	m->slot[i] = (uint32_t)m->n;
	return &e->value;
}

void map_free(struct map *m)
{
	free(m->entry);
	free(m->slot);
	arena_free(&m->keys);
	*m = (struct map){0};
}
