#include "record/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct queued {
	struct record r;
	struct group *group;
	struct queued *next;
};

struct groups_queue {
	struct map index;               /* id NUL step -> index into g->group */
	struct queued *head, *tail, *popped;
};

static struct group *find_group(struct groups *g, const char *id, size_t id_len, int64_t step)
{
	char *key = xmalloc(id_len + 9);
	struct group *group;
	int64_t *at;

	memcpy(key, id, id_len);
	key[id_len] = 0;
	memcpy(key + id_len + 1, &step, 8);
	if (!g->queue)
		g->queue = xcalloc(1, sizeof *g->queue);
	at = map_put(&g->queue->index, key, id_len + 9);
	free(key);
	if (*at)
		return g->group[*at - 1];
	group = xcalloc(1, sizeof *group);
	group->id = xstrndup(id, id_len);
	group->step = step;
	g->group = xgrow(g->group, &g->cap, g->n + 1, sizeof *g->group);
	g->group[g->n++] = group;
	*at = (int64_t)g->n;
	return group;
}

struct group *groups_add(struct groups *g, struct record *r, struct err *e)
{
	int64_t step = -1, size = 0;
	struct group *group;
	struct queued *q;
	const char *id;
	size_t n;

	if (!(id = record_string(r, "id", &n, e)) ||
	    (record_has(r, "step") && record_int(r, "step", &step, e) < 0) ||
	    (record_has(r, "group") && record_int(r, "group", &size, e) < 0))
		return NULL;
	group = find_group(g, id, n, step);
	if (group->released) {
		record_error(r, e, "one line more than the %lld that 'group' tells", (long long)group->size);
		return NULL;
	}
	if (!group->n)
		group->size = size;
	q = xcalloc(1, sizeof *q);
	q->r = *r;
	*r = (struct record){0};
	q->group = group;
	if (g->queue->tail)
		g->queue->tail->next = q;
	else
		g->queue->head = q;
	g->queue->tail = q;
	group->record = xgrow(group->record, &group->cap, group->n + 1, sizeof *group->record);
	group->record[group->n++] = &q->r;
	return group;
}

bool group_full(const struct group *group)
{
	return group->size > 0 && (int64_t)group->n >= group->size;
}

void groups_release(struct group *group)
{
	assert(!group->released);
	group->released = true;
}

static void drop(struct queued *q)
{
	if (!q)
		return;
	record_free(&q->r);
	free(q);
}

struct record *groups_pop(struct groups *g)
{
	struct groups_queue *queue = g->queue;
	struct queued *q;

	if (!queue)
		return NULL;
	drop(queue->popped);
	queue->popped = NULL;
	q = queue->head;
	if (!q || !q->group->released)
		return NULL;
	if (++q->group->popped == q->group->n) {        /* what stays of a group is small: a stream may have many */
		free(q->group->record);
		q->group->record = NULL;
	}
	queue->popped = q;
	queue->head = q->next;
	if (!queue->head)
		queue->tail = NULL;
	return &q->r;
}

void groups_free(struct groups *g)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		free((char *)g->group[i]->id);
		free(g->group[i]->record);
		free(g->group[i]);
	}
	free(g->group);
	if (g->queue) {
		struct queued *q = g->queue->head, *next;

		for (; q; q = next) {
			next = q->next;
			drop(q);
		}
		drop(g->queue->popped);
		map_free(&g->queue->index);
		free(g->queue);
	}
	*g = (struct groups){0};
}
