/* ordered.h - items worked on by several threads, their results taken in the order in which they came
 *
 *     struct ordered_work fn = {score, write, &state};        // score(arg, item, worker), write(arg, item)
 *     struct ordered *o = ordered_new(4, 1024, 64 << 20, sizeof(struct job), &fn);
 *     struct job *j;
 *     while ((j = ordered_slot(o)) && read_job(j))            // waits where 1,024 or 64 MiB are on their way; NULL: `done` said to stop
 *             ordered_put(o, j->n);
 *     rc = ordered_end(o);                                    // waits for all; what `done` said, 0 if it never said to stop
 *
 * `work` is called by any thread, for one item at a time with one worker's number; `done` by one thread at a time, in order, as soon as
 * an item and all before it are worked on, whether or not more come. An item's memory is cleared once and then used again and again;
 * one that was given out by ordered_slot and not put is not looked at. One thread: everything is done within ordered_put.
 */
#ifndef BASE_ORDERED_H
#define BASE_ORDERED_H

#include <stddef.h>

struct ordered_work {
	void (*work)(void *arg, void *item, int worker);        /* worker: 0 .. threads - 1 */
	int (*done)(void *arg, void *item);                     /* below 0: stop; no other item is done */
	void *arg;
};

struct ordered;

/* threads: 0 for one for each core this process may use. No other item is given out while `window` of them are on their way, or some that
 * weigh as much as `most` together, in what unit the caller likes. */
struct ordered *ordered_new(int threads, size_t window, size_t most, size_t item_size, const struct ordered_work *fn);
int ordered_threads(const struct ordered *o);
void *ordered_slot(struct ordered *o);
void ordered_put(struct ordered *o, size_t weight);
void ordered_wait(struct ordered *o);                   /* until all that were put are done */
int ordered_end(struct ordered *o);
/* All items, for what they own to be freed: after ordered_end. */
void *ordered_item(struct ordered *o, size_t i);        /* NULL behind the last */
void ordered_free(struct ordered *o);

#endif
