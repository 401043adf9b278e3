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
static bool agreed;

/* Of Open MPI, of those that descend from MPICH, and of Slurm where it starts processes itself; 1: no MPI did */
static int started_together(void)
{
	const char *n = getenv("OMPI_COMM_WORLD_SIZE");

	if (!n)
		n = getenv("PMI_SIZE");
	if (!n && getenv("PMIX_RANK"))
		n = getenv("SLURM_NTASKS");
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

void team_broadcast(void *data, size_t bytes)
{
	if (team.size > 1 && bytes)
		team.broadcast(data, bytes);
}

void team_all_gather(void *data, const size_t *at)
{
	if (team.size > 1)
		team.all_gather(data, at);
}

void team_all_to_all(void *to, const void *from, const size_t *at)
{
	if (team.size > 1)
		team.all_to_all(to, from, at);
	else
		memcpy(to, from, at[1]);
}

/* Everybody's x, each of `bytes`, one behind the other in all */
static void gather_all(void *x, size_t bytes)
{
	size_t *at = xmalloc(((size_t)team.size + 1) * sizeof *at);
	int i;

	for (i = 0; i <= team.size; i++)
		at[i] = (size_t)i * bytes;
	team_all_gather(x, at);
	free(at);
}

bool team_any(bool here)
{
	bool *all, any = here;
	int i;

	if (team.size == 1)
		return here;
	all = xcalloc((size_t)team.size, sizeof *all);
	all[team.rank] = here;
	gather_all(all, sizeof *all);
	for (i = 0; i < team.size; i++)
		any |= all[i];
	free(all);
	return any;
}

int team_agree(int rc, struct err *e)
{
	struct report { bool failed; struct err e; } *all;
	int i;

	if (agreed)
		return -1;
	if (team.size == 1 || !team_any(rc < 0))
		return rc;
	all = xcalloc((size_t)team.size, sizeof *all);
	all[team.rank].failed = rc < 0;
	if (rc < 0)
		all[team.rank].e = *e;
	gather_all(all, sizeof *all);
	for (i = 0; !all[i].failed; i++)
		;
	*e = all[i].e;
	if (i > 0)
		err_prefix(e, "process %d of %d", i, team.size);
	free(all);
	agreed = true;
	return -1;
}

bool team_agreed(void)
{
	return agreed;
}

void team_leave(void)
{
	if (team.size > 1)
		team.leave();
	team = (struct team_calls){.size = 1, .rank = team.rank};
}

void team_abort(int code)
{
	if (team.size > 1)
		team.abort(code);
}
