/* team.c - team.h by MPI, as a library that is loaded; the only place that sees MPI */
#include <assert.h>
#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/team.h"

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
		n = bytes < INT_MAX ? bytes : INT_MAX;
		MPI_Bcast(p, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD);
	}
}

/* room[0 .. size-1] counts, room[size ..] where they begin */
static int *counts(const size_t *at)
{
	int *room = malloc((size_t)size * 2 * sizeof *room), i;

	assert(room && at[size] <= INT_MAX);
	for (i = 0; i < size; i++) {
		room[i] = (int)(at[i + 1] - at[i]);
		room[size + i] = (int)at[i];
	}
	return room;
}

static void all_gather(void *data, const size_t *at)
{
	int *n = counts(at);

	MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, n, n + size, MPI_BYTE, MPI_COMM_WORLD);
	free(n);
}

static void all_to_all(void *to, const void *from, const size_t *at)
{
	int *out = counts(at), *in = malloc((size_t)size * 2 * sizeof *in), i;

	assert(in);
	for (i = 0; i < size; i++) {
		in[i] = out[rank];
		in[size + i] = i * out[rank];
	}
	MPI_Alltoallv(from, out, out + size, MPI_BYTE, to, in, in + size, MPI_BYTE, MPI_COMM_WORLD);
	free(out);
	free(in);
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
	t->leave = leave;
	return 0;
}
