/* pool.h - one pool of threads for all work that is split
 *
 *     struct pool *p = pool_new(0);                   // 0: one thread for each core this process may use
 *     pool_run(p, n_rows, 64, normalize_rows, &arg);  // normalize_rows(arg, from, to, worker) over [0, n_rows) in pieces of 64
 *     pool_free(p);
 *
 * The pieces are fixed by n and grain alone, never by the number of threads, so that a function whose pieces write apart
 * gives the same bytes on any number of threads. The caller works too; workers spin for a few microseconds before they sleep.
 * pool_run is not re-entrant: one caller at a time. A NULL pool runs everything in the caller.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdint.h>

struct pool;

struct pool *pool_new(int threads);
void pool_free(struct pool *p);
int pool_cores(void);                           /* that this process may use: its share, in a team (team.h) */
int pool_threads(const struct pool *p);         /* the caller included; 1 for NULL */

/* Calls fn(arg, from, to, worker) for consecutive pieces of at most `grain` items covering [0, n); worker is 0 ..
 * threads-1, and no two calls with one worker number run at once. Returns when all are done. */
void pool_run(struct pool *p, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t from, int64_t to, int worker), void *arg);

#endif
