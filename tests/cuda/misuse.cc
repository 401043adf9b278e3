/* misuse NAME: does on the emulated GPU what a real one would punish; "fine" does nothing wrong. tests/run-cuda looks at what is said.
 * "races": whether races are looked for at all in this build */
#include "device.cuh"
#include "races.h"

#include <cstdio>

struct numbers {
	float *x;
	int64_t n;
};

static __global__ void good(struct numbers a)
{
	__shared__ float room[64];
	DYNAMIC_SHARED(float, more);
	const int i = threadIdx.x;

	room[i] = (float)i;
	more[i] = 2 * room[i];
	__syncthreads();
	a.x[i] = room[63 - i] + more[63 - i] + warp_sum(1.0f);
}

static __global__ void early(struct numbers a)
{
	if (threadIdx.x < 3)
		return;
	__syncthreads();
	a.x[threadIdx.x] = 1;
}

static __global__ void lonely_lane(struct numbers a)
{
	if (threadIdx.x % 32 != 5)
		a.x[threadIdx.x] = warp_sum(1.0f);
}

static __global__ void two_ways(struct numbers a)
{
	a.x[threadIdx.x] = threadIdx.x % 2 ? __shfl_sync(ALL_LANES, 1.0f, 0) : __shfl_xor_sync(ALL_LANES, 1.0f, 1);
}

static __global__ void shared_end(struct numbers a)
{
	DYNAMIC_SHARED(float, room);

	room[a.n + threadIdx.x] = 1;
}

static __global__ void global_end(struct numbers a)
{
	a.x[a.n + threadIdx.x] = 1;
}

/* Races: what is done by one thread is seen by another one with nothing between. */
static __global__ void no_barrier(struct numbers a)
{
	__shared__ float room[64];

	room[threadIdx.x] = 1;
	__syncwarp();                           /* not enough: another warp reads it */
	a.x[threadIdx.x] = room[63 - threadIdx.x];
}

static __global__ void shuffled(struct numbers a)
{
	__shared__ float room[32];

	room[threadIdx.x] = 1;
	a.x[threadIdx.x] = warp_sum(1.0f) + room[31 - threadIdx.x];
}

static __global__ void read_late(struct numbers a)
{
	__shared__ float room[64];

	for (int i = 0; i < 2; i++) {           /* the second time, somebody may still be reading */
		room[threadIdx.x] = (float)i;
		__syncthreads();
		a.x[threadIdx.x] = room[63 - threadIdx.x];
	}
}

static __global__ void unwritten(struct numbers a)
{
	__shared__ float room[32];

	if (threadIdx.x)
		room[threadIdx.x] = 1;
	__syncthreads();
	a.x[threadIdx.x] = room[threadIdx.x];
}

static __global__ void two_blocks(struct numbers a)
{
	a.x[threadIdx.x] = (float)blockIdx.x;
}

static __global__ void no_fence(struct numbers a)
{
	__shared__ unsigned before;

	a.x[blockIdx.x] = 1;
	if (threadIdx.x == 0)
		before = atomicAdd((unsigned *)a.x + 2, 1u);
	__syncthreads();
	if (before == 1)
		a.x[3] = a.x[0] + a.x[1];
}

/* May begin early, and with n = 0 does everything in time; 1: reads too soon, 2: writes too soon, 3: never waits. */
static __global__ void too_soon(struct numbers a)
{
	float x = 1;

	if (a.n == 1)
		x = a.x[threadIdx.x];
	if (a.n == 2)
		a.x[threadIdx.x] = x;
	if (a.n == 3)
		return;
	wait_for_last();
	a.x[threadIdx.x] = x;
}

static void launch_early(cudaStream_t s, struct numbers a)
{
	cudaLaunchAttribute attr;
	cudaLaunchConfig_t how = {1, 64, 0, s, &attr, 1};

	attr.id = cudaLaunchAttributeProgrammaticStreamSerialization;
	attr.val.programmaticStreamSerializationAllowed = 1;
	cudaLaunchKernelEx(&how, too_soon, a);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "fine";
	cudaStream_t s;
	struct numbers a;
	void *args[1] = {&a};
	float host[64] = {0};

	if (!strcmp(name, "races"))
		return !R1_RACES;
	cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
	cudaMalloc((void **)&a.x, 64 * sizeof(float));
	a.n = 64;
	if (!strcmp(name, "fine")) {
		cudaLaunchKernel(good, 1, 64, args, 64 * sizeof(float), s);
		cudaMemcpyAsync(host, a.x, sizeof host, cudaMemcpyDeviceToHost, s);
		if (host[1] != 0)
			return printf("work was done before anybody waited\n"), 1;
		cudaStreamSynchronize(s);
		for (int i = 0; i < 64; i++)
			if (host[i] != 3 * (63 - i) + 32)
				return printf("number %d is %g\n", i, host[i]), 1;
	} else if (!strcmp(name, "early")) {
		cudaLaunchKernel(early, 1, 64, args, 0, s);
	} else if (!strcmp(name, "lonely-lane")) {
		cudaLaunchKernel(lonely_lane, 1, 64, args, 0, s);
	} else if (!strcmp(name, "two-ways")) {
		cudaLaunchKernel(two_ways, 1, 64, args, 0, s);
	} else if (!strcmp(name, "shared-end")) {
		cudaLaunchKernel(shared_end, 1, 1, args, 64 * sizeof(float), s);
	} else if (!strcmp(name, "global-end")) {
		a.n = 64;
		cudaLaunchKernel(global_end, 1, 1, args, 0, s);
	} else if (!strcmp(name, "too-much-shared")) {
		cudaLaunchKernel(good, 1, 64, args, 50000, s);
	} else if (!strcmp(name, "empty-grid")) {
		cudaLaunchKernel(good, dim3(1, 0), 64, args, 256, s);
	} else if (!strcmp(name, "not-device")) {
		cudaMemcpyAsync(host, host + 1, 4, cudaMemcpyHostToDevice, s);
	} else if (!strcmp(name, "host-memory")) {
		float *there = a.x;

		a.x = host;
		cudaLaunchKernel(good, 1, 64, args, 256, s);
		cudaStreamSynchronize(s);
		a.x = there;
	} else if (!strcmp(name, "copy-end")) {
		cudaMemsetAsync(a.x, 0, 257, s);
	} else if (!strcmp(name, "no-barrier")) {
		cudaLaunchKernel(no_barrier, 1, 64, args, 0, s);
	} else if (!strcmp(name, "shuffled")) {
		cudaLaunchKernel(shuffled, 1, 32, args, 0, s);
	} else if (!strcmp(name, "read-late")) {
		cudaLaunchKernel(read_late, 1, 64, args, 0, s);
	} else if (!strcmp(name, "unwritten")) {
		cudaLaunchKernel(unwritten, 2, 32, args, 0, s);
	} else if (!strcmp(name, "two-blocks")) {
		cudaLaunchKernel(two_blocks, 2, 64, args, 0, s);
	} else if (!strcmp(name, "no-fence")) {
		cudaMemsetAsync(a.x, 0, 64 * sizeof(float), s);
		cudaLaunchKernel(no_fence, 2, 1, args, 0, s);
	} else if (!strcmp(name, "early-copy")) {
		a.n = 0;
		cudaLaunchKernel(too_soon, 1, 64, args, 0, s);
		launch_early(s, a);
		cudaMemsetAsync(a.x, 0, 64 * sizeof(float), s);
		launch_early(s, a);
	} else if (!strncmp(name, "early-", 6)) {
		a.n = 0;
		cudaLaunchKernel(too_soon, 1, 64, args, 0, s);
		a.n = !strcmp(name, "early-read") ? 1 : !strcmp(name, "early-write") ? 2 : 3;
		launch_early(s, a);
	}
	cudaStreamSynchronize(s);
	cudaFree(a.x);
	return 0;
}
