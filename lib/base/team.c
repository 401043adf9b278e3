#include "base/team.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/library.h"
#include "base/mem.h"

#define FILE_NAME "r1-mpi.so"

static struct team_calls team = {.size = 1};
static bool broken;
static struct err reason;

/* Of Open MPI, of those that descend from MPICH, and of Slurm where it starts processes itself; 1: no MPI did, or R1_MPI is nothing */
static int started_together(void)
{
	const char *n = getenv("OMPI_COMM_WORLD_SIZE"), *told = getenv("R1_MPI");

	if (told && !*told)
		return 1;
	if (!n)
		n = getenv("PMI_SIZE");
	if (!n && getenv("PMIX_RANK"))
		n = getenv("SLURM_STEP_NUM_TASKS");
	return n ? atoi(n) : 1;
}

/* What all but the first write to stdout is not written. */
static int silence(struct err *e)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0 || dup2(null, 1) < 0)
		return err_errno(e, "/dev/null");
	close(null);
	return 0;
}

int team_join(struct err *e)
{
	const int n = started_together();
	team_join_fn *join = NULL;
	char *path;
	void *lib;
	int rc = -1;

	if (n <= 1)
		return 0;
	path = library_path(FILE_NAME, "R1_MPI");
	lib = path && access(path, R_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;     /* Open MPI's parts look for its symbols */
	if (lib)
		*(void **)&join = dlsym(lib, "team_mpi_join");
	team.size_of_this = sizeof team;
	if (!path || access(path, R_OK) < 0)
		err_set(e, "one of %d processes of an MPI, for which r1 was not built: there is no %s (no mpicc was found then)", n, path ? path : FILE_NAME);
	else if (!lib)
		err_set(e, "%s", dlerror());
	else if (!join)
		err_set(e, "%s is of another edition of r1: make it again", path);
	else
		rc = join(&team, e);
	free(path);
	return rc == 0 && team.rank > 0 ? silence(e) : rc;
}

int team_size(void)
{
	return team.size;
}

int team_rank(void)
{
	return team.rank;
}

int team_local_rank(void)
{
	return team.local_rank;
}

int team_cores(void)
{
	return team.cores;
}

/* ---- meeting ---- */

enum call { BROADCAST, ALL_GATHER, ALL_TO_ALL, BRING, ANY, AGREE, LEAVE };

struct sign {                           /* where a process is */
	int32_t call, failed;
	int64_t bytes;                  /* of the call; of ANY whether it is so */
};

static void tell_reasons(const struct sign *at, bool failed, const struct err *e)
{
	struct err *all = xcalloc((size_t)team.size, sizeof *all);
	int i;

	if (failed)
		all[team.rank] = *e;
	team.meet(all, sizeof *all);
	for (i = 0; i < team.size && !at[i].failed; i++)
		;
	if (i == team.size)
		err_set(&reason, "the processes have come to different places: are their options and files the same?");
	else
		reason = all[i];
	if (i > 0 && i < team.size)
		err_prefix(&reason, "process %d of %d", i, team.size);
	broken = true;
	free(all);
}

/* Whether all are well, and at the same call; any (may be NULL): of ANY, whether it is so in one of them */
static bool meet(enum call call, int64_t bytes, bool failed, const struct err *e, bool *any)
{
	struct sign *at;
	bool well = true;
	int i;

	if (broken)
		return false;
	at = xcalloc((size_t)team.size, sizeof *at);
	at[team.rank] = (struct sign){call, failed, bytes};
	team.meet(at, sizeof *at);
	for (i = 0; i < team.size; i++) {
		well = well && !at[i].failed && at[i].call == at[0].call && (call == ANY || at[i].bytes == at[0].bytes);
		if (any)
			*any |= at[i].bytes != 0;
	}
	if (!well)
		tell_reasons(at, failed, e);
	free(at);
	return well;
}

void team_broadcast(void *data, size_t bytes)
{
	if (team.size > 1 && meet(BROADCAST, (int64_t)bytes, false, NULL, NULL))
		team.broadcast(data, bytes);
}

static int64_t bytes_of(const size_t *from, const size_t *to)
{
	int64_t bytes = 0;
	int r;

	for (r = 0; r < team.size; r++)
		bytes += (int64_t)(to[r] - from[r]);
	return bytes;
}

void team_all_gather(void *data, const size_t *from, const size_t *to)
{
	if (team.size > 1 && meet(ALL_GATHER, bytes_of(from, to), false, NULL, NULL))
		team.all_gather(data, from, to);
}

void team_all_to_all(void *room, const void *x, const size_t *from, const size_t *to)
{
	if (team.size == 1)
		memcpy(room, (const char *)x + from[0], to[0] - from[0]);
	else if (meet(ALL_TO_ALL, bytes_of(from, to), false, NULL, NULL))
		team.all_to_all(room, x, from, to);
}

void team_bring(void *data, size_t bytes, int r)
{
	if (r > 0 && meet(BRING, (int64_t)bytes, false, NULL, NULL))
		team.bring(data, bytes, r);
}

bool team_any(bool here)
{
	bool any = here;

	return (team.size > 1 && !meet(ANY, here, false, NULL, &any)) || any;
}

int team_agree(int rc, struct err *e)
{
	if (team.size == 1 || meet(AGREE, 0, rc < 0, e, NULL))
		return rc;
	*e = reason;
	return -1;
}

int team_same(uint64_t hash, const char *what, struct err *e)
{
	uint64_t first = hash;

	team_broadcast(&first, sizeof first);
	return team_agree(first == hash ? 0 : err_set(e, "%s: not what the first process has", what), e);
}

int team_leave(struct err *e)
{
	int rc = 0;

	if (team.size == 1)
		return 0;
	if (!meet(LEAVE, 0, false, NULL, NULL)) {
		*e = reason;
		rc = -1;
	}
	team.leave();
	team = (struct team_calls){.size = 1, .rank = team.rank};
	return rc;
}
