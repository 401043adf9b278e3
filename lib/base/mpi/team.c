/* team.c - team.h by MPI, as a library that is loaded; the only place that sees MPI */
#include <assert.h>
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/team.h"

#define MOST ((size_t)1 << 30)

static int size, rank;

__attribute__((visibility("default"))) team_join_fn team_mpi_join;

/* For what may take long to come, an input's next line, nobody spins. */
static void wait_for(MPI_Request *request)
{
	struct timespec nap = {.tv_nsec = 20000};
	int done = 0, tries;

	for (tries = 0; !done; tries++) {
		MPI_Test(request, &done, MPI_STATUS_IGNORE);
		if (!done && tries > 1000) {
			nanosleep(&nap, NULL);
			nap.tv_nsec = nap.tv_nsec < 1000000 ? 2 * nap.tv_nsec : nap.tv_nsec;
		}
	}
}

static void meet(void *all, size_t each)
{
	MPI_Request request;

	MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, (int)each, MPI_BYTE, MPI_COMM_WORLD, &request);
	wait_for(&request);
}

/* All have met: nobody is waited for. */
static void broadcast(void *data, size_t bytes)
{
	char *p = data;
	size_t n;

	for (; bytes; p += n, bytes -= n) {
		n = bytes < MOST ? bytes : MOST;
		MPI_Bcast(p, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD);
	}
}

/* Messages are of 1 GiB at most, since MPI counts their bytes by an int. Of those that are on their way at once the order of two between the same two
 * processes is that in which they were asked for. */
struct posted {
	MPI_Request *request;
	int n, cap;
};

static void post(struct posted *p, void *data, size_t bytes, int other, bool send)
{
	char *at = data;
	size_t n;

	for (; bytes; at += n, bytes -= n) {
		n = bytes < MOST ? bytes : MOST;
		if (p->n == p->cap) {
			p->cap = p->cap ? 2 * p->cap : 64;
			p->request = realloc(p->request, (size_t)p->cap * sizeof *p->request);
			assert(p->request);
		}
		if (send)
			MPI_Isend(at, (int)n, MPI_BYTE, other, 0, MPI_COMM_WORLD, &p->request[p->n++]);
		else
			MPI_Irecv(at, (int)n, MPI_BYTE, other, 0, MPI_COMM_WORLD, &p->request[p->n++]);
	}
}

static void finish(struct posted *p)
{
	MPI_Waitall(p->n, p->request, MPI_STATUSES_IGNORE);
	free(p->request);
}

/* From the neighbour on, so that not all send to the same one first */
static int after(int k)
{
	return (rank + k) % size;
}

static void all_gather(void *data, const size_t *from, const size_t *to)
{
	struct posted p = {0};
	char *x = data;
	int k;

	for (k = 1; k < size; k++)
		post(&p, x + from[after(size - k)], to[after(size - k)] - from[after(size - k)], after(size - k), false);
	for (k = 1; k < size; k++)
		post(&p, x + from[rank], to[rank] - from[rank], after(k), true);
	finish(&p);
}

static void all_to_all(void *room, const void *x, const size_t *from, const size_t *to)
{
	const size_t own = to[rank] - from[rank];
	struct posted p = {0};
	int k;

	for (k = 1; k < size; k++)
		post(&p, (char *)room + (size_t)after(size - k) * own, own, after(size - k), false);
	for (k = 1; k < size; k++)
		post(&p, (char *)x + from[after(k)], to[after(k)] - from[after(k)], after(k), true);
	memcpy((char *)room + (size_t)rank * own, (const char *)x + from[rank], own);
	finish(&p);
}

static void bring(void *data, size_t bytes, int r)
{
	struct posted p = {0};

	if (rank == 0 || rank == r)
		post(&p, data, bytes, rank ? 0 : r, rank != 0);
	finish(&p);
}

static void leave(void)
{
	MPI_Finalize();
}

/* Processes on one machine may be bound each to cores of its own, or all be free to use all of them. */
static int share_of_cores(MPI_Comm here)
{
	cpu_set_t mine, all;
	int local, own, share;

	MPI_Comm_size(here, &local);
	if (sched_getaffinity(0, sizeof mine, &mine) < 0)
		return 1;
	MPI_Allreduce(&mine, &all, sizeof mine, MPI_BYTE, MPI_BOR, here);
	own = CPU_COUNT(&mine);
	share = CPU_COUNT(&all) / local;
	share = share < own ? share : own;
	return share > 0 ? share : 1;
}

int team_mpi_join(struct team_calls *t, struct err *e)
{
	MPI_Comm here;
	int level;

	if (t->size_of_this != sizeof *t)
		return err_set(e, "r1-mpi.so is of another edition of r1: make it again");
	MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (size == 1)
		return err_set(e, "was started by an MPI that is not the one r1 was built with: its processes do not find each other (R1_MPI= lets each work for itself)");
	MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &here);
	t->rank = rank;
	t->size = size;
	MPI_Comm_rank(here, &t->local_rank);
	t->cores = share_of_cores(here);
	MPI_Comm_free(&here);
	t->meet = meet;
	t->broadcast = broadcast;
	t->all_gather = all_gather;
	t->all_to_all = all_to_all;
	t->bring = bring;
	t->leave = leave;
	return 0;
}
