/* policy.c - the system call filter
 *
 * An allow-list, because what a kernel learns next year (as it learned io_uring, userfaultfd, fsopen or pidfd_getfd) must be closed
 * until someone has looked at it. What is not on the list answers ENOSYS, as on a kernel that does not have the call: C libraries and
 * interpreters then take another way, as they do on old kernels. Calls that are known and refused answer EPERM. Nothing is killed but
 * calls of another instruction set's table (32-bit, x32): no compiled program for this machine makes them, and their numbers mean
 * other calls than the ones judged here.
 *
 * The list is what the interpreters, compilers and their programs use: files, memory, processes and threads of their own, signals,
 * clocks, pipes, Unix sockets. Not on it, and why:
 *   mount, umount2, pivot_root, chroot, unshare, setns, clone with any CLONE_NEW*    namespaces: most escapes of recent years begin there
 *   clone3            its flags lie in memory, where a filter cannot look; C libraries fall back to clone
 *   io_uring_*, io_setup                                                             make system calls that no filter sees
 *   bpf, perf_event_open, userfaultfd, keyctl, add_key, request_key                  rich kernel interfaces, no use here
 *   ptrace, process_vm_*, process_madvise, kcmp, pidfd_*                             other processes' memory and descriptors
 *   socket other than AF_UNIX                                                        network (there is none), netlink, vsock, packet, alg
 *   memfd_create, shmget, msgget, semget, mq_open                                    memory that no tmpfs and no process's size accounts for
 *   name_to_handle_at, open_by_handle_at, quotactl, swapon, reboot, kexec, modules, settimeofday, adjtimex, syslog, acct, iopl
 *   setuid programs are harmless by no_new_privs; prlimit64, scheduling and priorities only for the process itself
 */
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Allowed whatever the arguments; names that this architecture or this libseccomp does not have are passed over. */
static const char *const allowed[] = {
	/* files */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "open", "openat", "openat2", "creat",
	"close", "close_range", "lseek", "_llseek", "stat", "fstat", "lstat", "newfstatat", "fstatat64", "statx", "statfs", "fstatfs", "statfs64",
	"fstatfs64", "access", "faccessat", "faccessat2", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir",
	"unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat", "chmod",
	"fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "umask", "truncate", "ftruncate", "truncate64", "ftruncate64",
	"fallocate", "fadvise64", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "utime", "utimes", "utimensat", "futimesat", "flock",
	"sendfile", "sendfile64", "copy_file_range", "splice", "tee", "dup", "dup2", "dup3", "fcntl", "fcntl64", "pipe", "pipe2", "mknod", "mknodat",
	"getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "readahead", "inotify_init", "inotify_init1",
	"inotify_add_watch", "inotify_rm_watch",
	/* waiting */
	"poll", "ppoll", "select", "pselect6", "_newselect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	/* memory */
	"brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "mlock", "mlock2", "munlock", "mlockall",
	"munlockall", "membarrier", "pkey_alloc", "pkey_free", "pkey_mprotect", "get_mempolicy", "map_shadow_stack", "cachestat", "mseal",
	/* processes and threads */
	"fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid", "getpid", "getppid", "gettid", "getpgid",
	"getpgrp", "setpgid", "getsid", "setsid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid",
	"setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "capget", "set_tid_address", "set_robust_list",
	"get_robust_list", "futex", "futex_time64", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "rseq", "arch_prctl", "sched_yield",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_getattr", "sched_get_priority_max", "sched_get_priority_min",
	"sched_rr_get_interval", "getpriority", "getrlimit", "ugetrlimit", "setrlimit", "getrusage", "getcpu", "ioprio_get", "prctl",
	/* signals */
	"kill", "tkill", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigreturn",
	"rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "sigreturn", "pause", "alarm", "getitimer", "setitimer", "restart_syscall",
	/* clocks and what the system is */
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "timer_create", "timer_settime",
	"timer_gettime", "timer_getoverrun", "timer_delete", "clock_gettime64", "clock_nanosleep_time64", "uname", "sysinfo", "getrandom",
	/* Unix sockets: socket() and socketpair() below */
	"bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendto",
	"recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown",
};

/* Refused loudly, so that a program says what it was not allowed to do; all else is ENOSYS. */
static const char *const refused[] = {
	"mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "ptrace", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key",
	"request_key", "process_vm_readv", "process_vm_writev", "kcmp", "reboot", "kexec_load", "init_module", "finit_module", "delete_module",
	"swapon", "swapoff", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname", "acct", "quotactl",
	"syslog", "iopl", "ioperm", "open_by_handle_at", "name_to_handle_at", "setgroups", "capset", "fanotify_init",
};

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

static int by_name(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *arg)
{
	int nr = seccomp_syscall_resolve_name(name), rc;

	if (nr == __NR_SCMP_ERROR)
		return 0;
	rc = seccomp_rule_add_array(f, action, nr, n, arg);
	return rc == -EDOM || rc == -EACCES ? 0 : rc;   /* not of this architecture; the default says the same */
}

/* Calls that are allowed for some of their arguments only */
static int conditional(scmp_filter_ctx f)
{
	const uint32_t ok = SCMP_ACT_ALLOW;
	static const char *const own[] = {"prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr"};
	/* Is it a terminal, how much is there, close on exec, do not block. Not: letters typed for someone else, files' extents */
	static const unsigned ioctls[] = {TCGETS, 0x802c542a /* TCGETS2 */, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, FIOASYNC};
	/* Arguments of int type are compared by their 32 bits: the kernel does not look at the upper ones either. */
	const struct scmp_arg_cmp namespaces = SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0),
		self = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 0), unix_only = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, AF_UNIX),
		persona = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 0), query = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 0xffffffff),
		who[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 0), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, 0)};
	int rc = by_name(f, ok, "clone", 1, &namespaces);
	size_t i;

	for (i = 0; rc >= 0 && i < sizeof own / sizeof *own; i++)
		rc = by_name(f, ok, own[i], 1, &self);
	if (rc >= 0)
		rc = by_name(f, ok, "setpriority", 2, who);
	if (rc >= 0)
		rc = by_name(f, ok, "ioprio_set", 2, (struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 1), who[1]});
	if (rc >= 0)
		rc = by_name(f, ok, "socket", 1, &unix_only);
	if (rc >= 0)
		rc = by_name(f, ok, "socketpair", 1, &unix_only);
	if (rc >= 0)
		rc = by_name(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 1, (struct scmp_arg_cmp[]){SCMP_A0(SCMP_CMP_NE, AF_UNIX)});
	if (rc >= 0)
		rc = by_name(f, ok, "personality", 1, &persona);
	if (rc >= 0)
		rc = by_name(f, ok, "personality", 1, &query);
	for (i = 0; rc >= 0 && i < sizeof ioctls / sizeof *ioctls; i++) {
		const struct scmp_arg_cmp request = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, ioctls[i]);

		rc = by_name(f, ok, "ioctl", 1, &request);
	}
	return rc;
}

static int build(scmp_filter_ctx f)
{
	int rc = 0;
	size_t i;

	seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);       /* a binary tree, where libseccomp can */
	for (i = 0; rc >= 0 && i < sizeof allowed / sizeof *allowed; i++)
		rc = by_name(f, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
	for (i = 0; rc >= 0 && i < sizeof refused / sizeof *refused; i++)
		rc = by_name(f, SCMP_ACT_ERRNO(EPERM), refused[i], 0, NULL);
	return rc < 0 ? rc : conditional(f);
}

int policy_compile(struct jail_policy *p, struct err *e)
{
	const size_t room = (size_t)BPF_MAXINSNS * sizeof *p->filter;
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int pipe[2] = {-1, -1}, rc = f ? build(f) : -ENOMEM;
	ssize_t n = 0;

	/* Through a pipe, whose room (64 KiB) is more than a filter may take */
	if (rc >= 0)
		rc = pipe2(pipe, O_CLOEXEC) < 0 ? -errno : seccomp_export_bpf(f, pipe[1]);
	if (f)
		seccomp_release(f);
	p->filter = xmalloc(room);
	if (rc >= 0 && (n = read(pipe[0], p->filter, room)) <= 0)
		rc = -EIO;
	if (pipe[0] >= 0) {
		close(pipe[0]);
		close(pipe[1]);
	}
	errno = -rc;
	if (rc < 0)
		return err_errno(e, "the system call filter");
	p->n = (uint16_t)((size_t)n / sizeof *p->filter);
	return 0;
}
