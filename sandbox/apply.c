/* apply.c - what a process gives up before it becomes the program: ids, capabilities, privileges to come, system calls, resources */
#include "jail.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the bounding set, while the right to do so is there; then of all sets, when the ids are those of the program. */
static const char *drop_bounds(void)
{
	int c;

	for (c = 0; c < 64; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return c && errno == EINVAL ? NULL : "drop the capability bounding set";        /* the kernel's last one is behind us */
	return NULL;
}

static const char *drop_capabilities(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? "drop capabilities" : NULL;
}

/* That none is left is looked at, not trusted. */
static bool powerless(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &head, d) < 0)
		return false;
	return !(d[0].effective | d[0].permitted | d[0].inheritable | d[1].effective | d[1].permitted | d[1].inheritable);
}

const char *jail_apply(const struct jail_policy *p)
{
	struct sock_fprog prog = {p->n, p->filter};
	const char *bad = p->unsafe ? NULL : drop_bounds();

	if (bad)
		return bad;
	if (!p->keep_ids && (setgroups(0, NULL) < 0 || setresgid(p->gid, p->gid, p->gid) < 0 || setresuid(p->uid, p->uid, p->uid) < 0))
		return "change to the jail's user";
	bad = drop_capabilities();
	if (bad)
		return bad;
	if (!powerless())
		return "be without capabilities";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "set no_new_privs";
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);     /* for its own /proc/self; exec does the same */
	if (p->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return "install the system call filter";
	return NULL;
}

static int limit(int resource, int64_t value)
{
	struct rlimit now, r = {(rlim_t)value, (rlim_t)value};

	if (getrlimit(resource, &now) < 0)
		return -1;
	if (now.rlim_max != RLIM_INFINITY && r.rlim_max > now.rlim_max)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	return setrlimit(resource, &r);
}

const char *jail_apply_limits(const struct jail_limits *l, bool watch_memory, uint32_t extra_processes)
{
	/* One byte: at 0, a kernel that pipes core dumps into a program would still start that program */
	if (limit(RLIMIT_CORE, 1) < 0 || limit(RLIMIT_FSIZE, l->file) < 0 || limit(RLIMIT_NOFILE, l->descriptors) < 0 ||
	    limit(RLIMIT_NPROC, l->processes + extra_processes) < 0 || limit(RLIMIT_STACK, l->stack) < 0 || limit(RLIMIT_MEMLOCK, 0) < 0 ||
	    limit(RLIMIT_MSGQUEUE, 0) < 0 || limit(RLIMIT_NICE, 0) < 0 || limit(RLIMIT_RTPRIO, 0) < 0 || limit(RLIMIT_SIGPENDING, 1024) < 0)
		return "set resource limits";
	/* Behind the watch over all processes, which is finer: init could be late */
	if (limit(RLIMIT_CPU, (int64_t)l->cpu + 2) < 0)
		return "set the limit of processor time";
	/* Likewise: memory is looked at every few milliseconds, and must not run away in between */
	if (watch_memory && limit(RLIMIT_DATA, 2 * l->memory + (64 << 20)) < 0)
		return "set the limit of memory";
	return NULL;
}
