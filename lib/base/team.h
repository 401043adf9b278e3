/* team.h - the processes that mpirun started together, of which this is one
 *
 *     if (team_join(&e) < 0) ...                      // where mpirun started this program several times; else a team of one
 *     team_broadcast(&header, sizeof header);         // everybody has what the first had
 *     rc = team_agree(work(&e), &e);                  // -1 and the same message in all, if any of them failed
 *     team_leave(&e);
 *
 * Every process goes through the same calls in the same order, with what differs between them in their arguments alone. What is moved is moved,
 * never added up on the way: who adds does it in the order of the ranks, so that the same bits come of it everywhere.
 *
 * Before each call all meet, and say where they are. A process that fails goes to team_agree or team_leave, wherever it is, and meets the others at
 * theirs. From then on the team is broken: nothing is moved any more (what was to come stays as it was), and whoever comes to team_agree or to
 * team_leave has the reason. So it is with processes that come to different calls. One that dies takes the others with it, mpirun sees to that.
 *
 * MPI is in r1-mpi.so (lib/base/mpi/), which is loaded where there is a team, so that a program alone takes no time for it.
 */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int team_join(struct err *e);
int team_size(void);                    /* 1: alone */
int team_rank(void);                    /* 0 .. size-1; the first reads the input and writes all that is written */
int team_local_rank(void);              /* counted on this machine */
int team_cores(void);                   /* a process's share of the cores that those on this machine may use; 0: alone, not known */

void team_broadcast(void *data, size_t bytes);                          /* from the first to all */
/* Parts of one array: bytes from[r] .. to[r]-1 are process r's (where they lie one behind the other, `at` and `at + 1`). all_gather: everybody's own part
 * goes to all, in place. all_to_all: everybody has the whole array in `x`; process r gets its own part of each, in `room`, that of process s at
 * s * (to[r] - from[r]). bring: what process r has at `data` goes to the first, to its own `data`. */
void team_all_gather(void *data, const size_t *from, const size_t *to);
void team_all_to_all(void *room, const void *x, const size_t *from, const size_t *to);
void team_bring(void *data, size_t bytes, int r);
bool team_any(bool here);                                               /* whether it is so in any of them; a broken team: true */
/* rc < 0 in any: -1 in all, with the message of the first that failed. */
int team_agree(int rc, struct err *e);
/* -1 where something is not to every process what it is to the first: `what` names it, hash is that of its contents. */
int team_same(uint64_t hash, const char *what, struct err *e);

/* The end; -1 and e: one of them has failed. */
int team_leave(struct err *e);

/* What r1-mpi.so has: team_mpi_join, which fills this in. */
struct team_calls {
	size_t size_of_this;            /* an edition's mark */
	int rank, size, local_rank, cores;
	void (*meet)(void *all, size_t each);           /* everybody's own `each` bytes go to all, in place; who waits does not spin */
	void (*broadcast)(void *data, size_t bytes);
	void (*all_gather)(void *data, const size_t *from, const size_t *to);
	void (*all_to_all)(void *room, const void *x, const size_t *from, const size_t *to);
	void (*bring)(void *data, size_t bytes, int r);
	void (*leave)(void);
};
typedef int team_join_fn(struct team_calls *t, struct err *e);

#endif
