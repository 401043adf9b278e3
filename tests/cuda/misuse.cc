/* misuse NAME: does on the emulated GPU what a real one would punish; "fine" does nothing wrong. tests/run-cuda looks at what is said. */
#include "device.cuh"

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

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "fine";
	cudaStream_t s;
	struct numbers a;
	void *args[1] = {&a};
	float host[64] = {0};

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
	} else if (!strcmp(name, "copy-end")) {
		cudaMemsetAsync(a.x, 0, 257, s);
	}
	cudaStreamSynchronize(s);
	cudaFree(a.x);
	return 0;
}
