/* nccl.cpp - nccl.h by files in a folder of this machine, and a barrier. What would hang on devices, or mix numbers up, ends the program: sends that
 * nobody receives, other counts, work outside of a group. A group comes behind what is on its stream, as on devices. */
#include "nccl.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#define DIE(...) (fprintf(stderr, "emulated NCCL: "), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())

enum { MOST = 64 };

struct common {
	std::atomic<uint32_t> arrived, turn;
	int device[MOST];
};

struct ncclComm {
	int ranks, rank;
	std::string folder;
	struct common *common;
};

struct transfer {
	ncclComm_t comm;
	cudaStream_t stream;
	void *p;
	size_t bytes;
	int peer;
	bool sent;
};
static std::vector<transfer> group;
static bool grouped;

static void barrier(ncclComm_t c)
{
	const uint32_t turn = c->common->turn;

	if (++c->common->arrived == (uint32_t)c->ranks) {
		c->common->arrived = 0;
		c->common->turn++;
	} else {
		while (c->common->turn == turn)
			usleep(50);
	}
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
	const char *where = getenv("TMPDIR");

	snprintf(id->internal, sizeof id->internal, "%.80s/r1-nccl-XXXXXX", where ? where : "/tmp");
	return mkdtemp(id->internal) ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclCommInitRank(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank)
{
	ncclComm_t c = new ncclComm{ranks, rank, id.internal, NULL};
	const int f = open((c->folder + "/common").c_str(), O_RDWR | O_CREAT, 0600);
	void *p;

	if (ranks > MOST || rank >= ranks || f < 0 || ftruncate(f, sizeof *c->common) < 0)
		return ncclSystemError;
	p = mmap(NULL, sizeof *c->common, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	close(f);
	if (p == MAP_FAILED)
		return ncclSystemError;
	c->common = (struct common *)p;
	cudaGetDevice(&c->common->device[rank]);
	barrier(c);
	for (int i = 0; i < ranks; i++)
		for (int k = 0; k < i; k++)
			if (c->common->device[i] == c->common->device[k]) {
				barrier(c);
				ncclCommAbort(c);
				return ncclInvalidUsage;
			}
	*comm = c;
	return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t c)
{
	unlink((c->folder + "/common").c_str());
	rmdir(c->folder.c_str());
	munmap(c->common, sizeof *c->common);
	delete c;
	return ncclSuccess;
}

ncclResult_t ncclGroupStart(void)
{
	if (grouped)
		DIE("a group in a group");
	grouped = true;
	return ncclSuccess;
}

static ncclResult_t add(void *p, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t s, bool sent)
{
	if (!grouped || type != ncclInt8 || !count || peer < 0 || peer >= comm->ranks)
		DIE("%s %zu bytes %s process %d", sent ? "sends" : "receives", count, sent ? "to" : "from", peer);
	group.push_back({comm, s, p, count, peer, sent});
	return ncclSuccess;
}

ncclResult_t ncclSend(const void *p, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t s)
{
	return add((void *)p, count, type, peer, comm, s, true);
}

ncclResult_t ncclRecv(void *p, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t s)
{
	return add(p, count, type, peer, comm, s, false);
}

static std::string between(ncclComm_t c, int from, int to)
{
	return c->folder + "/" + std::to_string(from) + "-" + std::to_string(to);
}

static void put(const transfer &t)
{
	const std::string name = between(t.comm, t.comm->rank, t.peer);
	std::vector<char> host(t.bytes);
	struct stat st;
	FILE *f;

	cudaMemcpyAsync(host.data(), t.p, t.bytes, cudaMemcpyDeviceToHost, t.stream);
	cudaStreamSynchronize(t.stream);
	if (stat(name.c_str(), &st) == 0)
		DIE("process %d is sent to twice", t.peer);
	f = fopen(name.c_str(), "w");
	if (!f || fwrite(host.data(), 1, t.bytes, f) != t.bytes || fclose(f))
		DIE("cannot write %s", name.c_str());
}

static void take(const transfer &t)
{
	const std::string name = between(t.comm, t.peer, t.comm->rank);
	std::vector<char> host(t.bytes);
	FILE *f = fopen(name.c_str(), "r");

	if (!f || fread(host.data(), 1, t.bytes, f) != t.bytes || getc(f) != EOF)
		DIE("process %d sends nothing, or not as much as process %d receives", t.peer, t.comm->rank);
	fclose(f);
	unlink(name.c_str());
	cudaMemcpyAsync(t.p, host.data(), t.bytes, cudaMemcpyHostToDevice, t.stream);
	cudaStreamSynchronize(t.stream);
}

ncclResult_t ncclGroupEnd(void)
{
	ncclComm_t c;
	struct stat st;

	if (!grouped)
		DIE("no group to end");
	grouped = false;
	if (group.empty())
		return ncclSuccess;
	c = group[0].comm;
	for (const transfer &t : group)
		if (t.sent)
			put(t);
	barrier(c);
	for (const transfer &t : group)
		if (!t.sent)
			take(t);
	barrier(c);
	for (const transfer &t : group)
		if (t.sent && stat(between(c, c->rank, t.peer).c_str(), &st) == 0)
			DIE("process %d does not receive what is sent to it", t.peer);
	group.clear();
	barrier(c);
	return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t r)
{
	return r == ncclInvalidUsage ? "invalid usage: two processes have one device" : r == ncclSuccess ? "no error" : "a system call failed";
}
