/* team.cu - sums over the devices of a team by NCCL, which is loaded where there is a team: this library has no need of it otherwise
 *
 * NCCL's own sums go round by a way that it chooses, and are not asked for. Numbers are sent, and added up here in the order of the ranks: each
 * process gets its part of everybody's x, adds them, and sends it to all. That is as much as a sum by a ring would send.
 */
#include "cuda.cuh"

#if __has_include(<nccl.h>)
#include <dlfcn.h>
#include <nccl.h>

static const int64_t PIECE = (int64_t)64 << 20, ALIGN = 64;     /* floats: at once (R1_NCCL_PIECE, for tests), and where parts begin */

/* One for all backends that a process opens in its life */
static struct {
	ncclComm_t comm;
	int rank, size;
	bool tried;
	struct err why_not;
	ncclResult_t (*unique_id)(ncclUniqueId *);
	ncclResult_t (*init)(ncclComm_t *, int, ncclUniqueId, int);
	ncclResult_t (*give_up)(ncclComm_t);
	ncclResult_t (*send)(const void *, size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t);
	ncclResult_t (*receive)(void *, size_t, ncclDataType_t, int, ncclComm_t, cudaStream_t);
	ncclResult_t (*begin)(void), (*end)(void);
	const char *(*what)(ncclResult_t);
} nccl;

template <class F> static bool find(void *lib, F *f, const char *name)
{
	*(void **)f = dlsym(lib, name);
	return *f != NULL;
}

/* R1_NCCL: another library than the system's */
static bool load(struct err *e)
{
	const char *told = getenv("R1_NCCL");
	void *lib = dlopen(told && *told ? told : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		err_set(e, "%s", dlerror());
		return false;
	}
	if (find(lib, &nccl.unique_id, "ncclGetUniqueId") && find(lib, &nccl.init, "ncclCommInitRank") && find(lib, &nccl.give_up, "ncclCommAbort") &&
	    find(lib, &nccl.send, "ncclSend") && find(lib, &nccl.receive, "ncclRecv") && find(lib, &nccl.begin, "ncclGroupStart") &&
	    find(lib, &nccl.end, "ncclGroupEnd") && find(lib, &nccl.what, "ncclGetErrorString"))
		return true;
	err_set(e, "NCCL is too old: it cannot send and receive");
	return false;
}

static int told_by_another(struct err *e, bool here)
{
	return here ? -1 : err_set(e, "NCCL cannot be used by another process");
}

static int join(const struct backend_team *t, struct err *e)
{
	ncclUniqueId id = {};
	ncclResult_t r = ncclSuccess;
	bool bad = !load(e);

	if (t->any(bad))
		return told_by_another(e, bad);
	if (t->rank == 0)
		r = nccl.unique_id(&id);
	t->broadcast(&id, sizeof id);
	if (t->any(r != ncclSuccess))
		return err_set(e, "NCCL: %s", nccl.what(r));
	r = nccl.init(&nccl.comm, t->size, id, t->rank);
	bad = r != ncclSuccess;
	if (bad)
		err_set(e, "NCCL: %s", nccl.what(r));
	if (t->any(bad)) {
		if (!bad)
			nccl.give_up(nccl.comm);
		nccl.comm = NULL;
		return told_by_another(e, bad);
	}
	nccl.rank = t->rank;
	nccl.size = t->size;
	return 0;
}

static int op_join(struct backend *be, const struct backend_team *t, struct err *e)
{
	(void)be;
	if (!nccl.tried)
		join(t, &nccl.why_not);
	nccl.tried = true;
	return nccl.comm ? 0 : err_set(e, "%s", nccl.why_not.msg);
}

static void check(ncclResult_t r)
{
	if (r == ncclSuccess)
		return;
	fprintf(stderr, "cuda: NCCL: %s\n", nccl.what(r));
	abort();
}

static void send(const float *x, int64_t n, int to, cudaStream_t s)
{
	if (n)
		check(nccl.send(x, (size_t)n, ncclFloat32, to, nccl.comm, s));
}

static void receive(float *x, int64_t n, int from, cudaStream_t s)
{
	if (n)
		check(nccl.receive(x, (size_t)n, ncclFloat32, from, nccl.comm, s));
}

/* Where process k's part of n numbers begins */
static int64_t part(int64_t n, int k)
{
	return k == nccl.size ? n : n * k / nccl.size / ALIGN * ALIGN;
}

static void sum_piece(struct cuda *c, float *x, int64_t n)
{
	const int64_t first = part(n, nccl.rank), len = part(n, nccl.rank + 1) - first;
	float *own = x + first, *all = (float *)cuda_scratch_of(c, SCRATCH_A, (size_t)(nccl.size * (len + ALIGN)) * sizeof *all);
	const int64_t each = div_up(len, ALIGN) * ALIGN;

	cuda_run(c);
	check(nccl.begin());
	for (int k = 0; k < nccl.size; k++) {
		send(x + part(n, k), part(n, k + 1) - part(n, k), k, c->stream);
		receive(all + k * each, len, k, c->stream);
	}
	check(nccl.end());
	c->added++;
	for (int k = 1; k < nccl.size && len; k++)
		c->be.add(&c->be, own, k == 1 ? all : own, all + k * each, len);
	cuda_run(c);
	check(nccl.begin());
	for (int k = 0; k < nccl.size; k++)
		if (k != nccl.rank) {
			send(own, len, k, c->stream);
			receive(x + part(n, k), part(n, k + 1) - part(n, k), k, c->stream);
		}
	check(nccl.end());
	c->added++;
}

static void op_sum_team(struct backend *be, float *x, int64_t n)
{
	const char *told = getenv("R1_NCCL_PIECE");
	const int64_t piece = told ? MAX(atoll(told) / ALIGN, 1) * ALIGN : PIECE;

	for (int64_t at = 0; at < n; at += piece)
		sum_piece(cuda_of(be), x + at, MIN(piece, n - at));
	if (cuda_of(be)->managed)
		cuda_sync(cuda_of(be));
}

void cuda_team_ops(struct backend *be)
{
	be->join = op_join;
	be->sum_team = op_sum_team;
}
#else
void cuda_team_ops(struct backend *be)
{
	(void)be;
}
#endif
