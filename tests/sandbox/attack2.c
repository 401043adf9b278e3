/* attack2.c - see attack.c: what lies outside, and ways out */
#include "attack.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_alg.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#ifndef OUTSIDE
#define OUTSIDE "outside.txt"
#endif

static void look(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_NONBLOCK);

	say(path, fd < 0 ? -1 : read(fd, &byte, 1));
	if (fd >= 0)
		close(fd);
}

static void files_outside(void)
{
	static const char *const path[] = {"/etc/shadow", "/root", "/home", "/var/log", "/run", "/sys/kernel", "/boot", "/.old", "/.proc/1/environ",
		"../../../../etc/shadow", "/box/../../etc/shadow", "/proc/self/root/etc/shadow", "/proc/self/cwd/../../../etc/shadow"};
	char byte;
	size_t i;
	int fd;

	for (i = 0; i < sizeof path / sizeof *path; i++)
		look(path[i]);
	fd = open(OUTSIDE, O_RDONLY);
	say("a file of whoever runs this", fd < 0 ? -1 : read(fd, &byte, 1));
}

static void processes_of_others(void)
{
	static const char *const path[] = {"/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/1/root/", "/proc/1/cwd/", "/proc/1/fd/0"};
	DIR *d = opendir("/proc");
	struct dirent *e;
	int others = 0;
	size_t i;

	for (i = 0; i < sizeof path / sizeof *path; i++) {
		int fd = open(path[i], O_RDONLY);

		printf("%s: %s\n", path[i], fd < 0 && (errno == EACCES || errno == ENOENT || errno == EPERM) ? "closed" : "open");
		count(fd >= 0);
	}
	while (d && (e = readdir(d)))
		others += atoi(e->d_name) > 1 && atoi(e->d_name) != getpid();
	printf("others: %d\n", others);
	count(others > 0);
}

static void kernel_files(void)
{
	static const char *const path[] = {"/proc/kcore", "/proc/kmsg", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/config.gz",
		"/proc/mounts/../../kallsyms", "/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/vda", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/ptmx"};
	size_t i;

	for (i = 0; i < sizeof path / sizeof *path; i++) {
		int fd = open(path[i], O_RDWR | O_NONBLOCK | O_NOCTTY);

		printf("%s: %s\n", path[i], fd < 0 ? "closed" : "open");
		count(fd >= 0);
	}
}

static void environment(void)
{
	char **e;

	for (e = environ; *e; e++)
		puts(*e);
	count(getenv("R1_SECRET") != NULL);
}

static void descriptors(void)
{
	int fd, n = 0;

	for (fd = 3; fd < 65536; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	printf("open descriptors above 2: %d\n", n);
	count(n > 0);
	say("write to stdin", write(0, "x", 1));
	say("stdin anew", open("/proc/self/fd/0", O_RDWR) < 0 || write(3, "x", 1) < 0 ? -1 : 0);
}

static void refused(const char *what, long rc)
{
	const int none = rc < 0 && (errno == EROFS || errno == EACCES || errno == EPERM || errno == EINVAL);

	printf("%s: %s\n", what, none ? "refused" : "done");
	count(!none);
}

static void write_system(void)
{
	refused("/usr/bin/x", open("/usr/bin/x", O_WRONLY | O_CREAT, 0600));
	refused("/x", mkdir("/x", 0700));
	refused("/etc/passwd", open("/etc/passwd", O_WRONLY));
	refused("/dev/x", mkdir("/dev/x", 0700));
	refused("chmod /dev/null", chmod("/dev/null", 0600));
	refused("chmod /usr", chmod("/usr", 0777));
	refused("rename /usr", rename("/usr", "/usr2"));
	refused("unlink /tmp", unlink("/tmp"));
}

static void mounts(void)
{
	say("mount tmpfs", mount("x", "/tmp", "tmpfs", 0, NULL));
	say("bind /", mount("/", "/tmp", NULL, MS_BIND, NULL));
	say("remount /", mount(NULL, "/", NULL, MS_REMOUNT, NULL));
	say("umount", umount2("/box", MNT_DETACH));
	say("pivot_root", syscall(SYS_pivot_root, ".", "."));
	say("chroot", chroot("."));
	say("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	say("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	say("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, NULL, 0));
}

static void namespaces(void)
{
	uint64_t args[11] = {CLONE_NEWUSER};

	say("unshare user", unshare(CLONE_NEWUSER));
	say("unshare mount", unshare(CLONE_NEWNS));
	say("clone user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	say("clone net", syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
	say("clone3 user", syscall(SYS_clone3, args, sizeof args));
	say("setns", setns(0, 0));
}

static void become_root(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};

	refused("setuid 0", setuid(0));
	refused("setresuid 0", setresuid(0, 0, 0));
	refused("setgid 0", setgid(0));
	say("setgroups", syscall(SYS_setgroups, 1, &(gid_t){0}));
	say("capset", syscall(SYS_capset, &head, all));
	say("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
	say("new privileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("uid %d\n", (int)getuid());
}

/* A set-user-id program of the system, if there is one: it must run as us */
static void setuid_program(void)
{
	static const char *const program[] = {"/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/chsh"};
	char line[256];
	size_t i;

	for (i = 0; i < sizeof program / sizeof *program; i++) {
		struct stat st;
		FILE *f;
		int wrong = 0;

		if (stat(program[i], &st) < 0 || !(st.st_mode & 04000))
			continue;
		if (fork() == 0) {
			freopen("/dev/null", "w", stdout);
			execl(program[i], program[i], "--help", NULL);
			_exit(1);
		}
		usleep(1000);
		f = fopen("/proc/self/status", "r");
		while (f && fgets(line, sizeof line, f))
			wrong |= !strncmp(line, "Uid:\t0", 6);
		wait(NULL);
		if (wrong)
			puts("is root");
		count(wrong);
	}
	count(0);               /* where the system has no such program */
	prepare("chmod u+s", chmod("attack", 04755));
	puts("nosuid");
}

static void trace(void)
{
	struct iovec here = {&(char){0}, 1}, there = {(void *)0x400000, 1};

	say("traceme", ptrace(PTRACE_TRACEME, 0, 0, 0));
	say("attach", ptrace(PTRACE_ATTACH, 1, 0, 0));
	say("seize", ptrace(PTRACE_SEIZE, 1, 0, 0));
	say("process_vm_readv", process_vm_readv(1, &here, 1, &there, 1, 0));
	say("process_vm_writev", process_vm_writev(1, &here, 1, &there, 1, 0));
	say("kcmp", syscall(SYS_kcmp, 1, getpid(), 0, 0, 0));
	say("pidfd_open", syscall(SYS_pidfd_open, 1, 0));
	say("pidfd_getfd", syscall(SYS_pidfd_getfd, 0, 0, 0));
}

static void kernel_interfaces(void)
{
	char room[256] = {0};

	say("io_uring_setup", syscall(SYS_io_uring_setup, 1, room));
	say("io_uring_enter", syscall(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0));
	say("io_setup", syscall(SYS_io_setup, 1, room));
	say("bpf", syscall(SYS_bpf, 0, room, sizeof room));
	say("perf_event_open", syscall(SYS_perf_event_open, room, 0, -1, -1, 0));
	say("userfaultfd", syscall(SYS_userfaultfd, 0));
	say("keyctl", syscall(SYS_keyctl, 0, 0));
	say("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -2));
	say("request_key", syscall(SYS_request_key, "user", "x", NULL, -2));
	say("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
	say("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, room, 0));
	say("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", room, room, 0));
	say("vmsplice", syscall(SYS_vmsplice, 1, NULL, 0, 0));
	say("mbind", syscall(SYS_mbind, 0, 4096, 0, NULL, 0, 0));
	say("landlock", syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
	say("number 1000", syscall(1000));
}

static void rule_machine(void)
{
	say("reboot", reboot(RB_AUTOBOOT));
	say("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	say("init_module", syscall(SYS_init_module, "", 0, ""));
	say("delete_module", syscall(SYS_delete_module, "x", 0));
	say("swapon", syscall(SYS_swapon, "x", 0));
	say("sethostname", sethostname("x", 1));
	say("syslog", klogctl(3, NULL, 0));
	say("acct", acct("x"));
	say("quotactl", syscall(SYS_quotactl, 0, "x", 0, NULL));
	say("personality", personality(ADDR_NO_RANDOMIZE));
#ifdef SYS_iopl
	say("iopl", syscall(SYS_iopl, 3));
	say("modify_ldt", syscall(SYS_modify_ldt, 0, NULL, 0));
#else                                   /* of x86 alone: not let through where there are none */
	errno = EPERM;
	say("iopl", -1);
	errno = ENOSYS;
	say("modify_ldt", -1);
#endif
}

static void sockets(void)
{
	static const struct { const char *name; int family, type, protocol; } kind[] = {
		{"tcp", AF_INET, SOCK_STREAM, 0}, {"udp", AF_INET, SOCK_DGRAM, 0}, {"tcp6", AF_INET6, SOCK_STREAM, 0}, {"raw", AF_INET, SOCK_RAW, 1},
		{"netlink", AF_NETLINK, SOCK_RAW, 0}, {"packet", AF_PACKET, SOCK_RAW, 0}, {"vsock", AF_VSOCK, SOCK_STREAM, 0}, {"alg", AF_ALG, SOCK_SEQPACKET, 0},
		{"bluetooth", AF_BLUETOOTH, SOCK_RAW, 0}, {"can", AF_CAN, SOCK_RAW, 1}, {"tipc", AF_TIPC, SOCK_STREAM, 0}, {"xdp", AF_XDP, SOCK_RAW, 0},
		{"key", AF_KEY, SOCK_RAW, 2}, {"rds", AF_RDS, SOCK_SEQPACKET, 0}, {"unix", AF_UNIX, SOCK_STREAM, 0}};
	size_t i;

	for (i = 0; i < sizeof kind / sizeof *kind; i++)
		(kind[i].family == AF_UNIX ? prepare : say)(kind[i].name, socket(kind[i].family, kind[i].type, kind[i].protocol));
	say("family in the upper bits", syscall(SYS_socket, AF_INET | (long)1 << 32, SOCK_STREAM, 0));
	say("pair of another family", socketpair(AF_TIPC, SOCK_STREAM, 0, (int[2]){0}));
}

/* A name that servers of the host listen on, by their network namespace */
static void abstract_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FILE *f = fopen("/proc/net/unix", "r");
	static const char *const name[] = {"/tmp/.X11-unix/X0", "r1-attack-test", "/org/kernel/linux/storage/multipathd"};
	size_t i;

	for (i = 0; i < 3; i++) {
		memset(at.sun_path, 0, sizeof at.sun_path);
		memcpy(at.sun_path + 1, name[i], strlen(name[i]));
		say(name[i], connect(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name[i]))));
	}
	printf("list of sockets: %s\n", f ? "open" : "closed");
	count(f != NULL);
}

static void other_memory(void)
{
	say("memfd_create", syscall(SYS_memfd_create, "x", 0));
	say("memfd_secret", syscall(447, 0));
	say("shmget", syscall(SYS_shmget, 0, 4096, 01600));
	say("msgget", syscall(SYS_msgget, 0, 01600));
	say("semget", syscall(SYS_semget, 0, 1, 01600));
	say("mq_open", syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, NULL));
}

static void call_32_bit(void)
{
#ifdef __x86_64__
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory");        /* getpid of i386 */
	printf("let through: %ld\n", rc);
#else
	raise(SIGSYS);
#endif
}

static void call_x32(void)
{
#ifdef __x86_64__
	printf("let through: %ld\n", syscall(0x40000000 + SYS_getpid));
#else
	raise(SIGSYS);
#endif
}

static void terminal(void)
{
	int i;

	for (i = 0; i < 3; i++)
		say("TIOCSTI", ioctl(i, TIOCSTI, "x"));
	say("upper bits", syscall(SYS_ioctl, 0, TIOCSTI | (long)1 << 32, "x"));
	say("TIOCSCTTY", ioctl(0, TIOCSCTTY, 0));
}

static void devices(void)
{
	say("mknod block", mknod("b", S_IFBLK | 0600, makedev(254, 0)));
	say("mknod mem", mknod("c", S_IFCHR | 0600, makedev(1, 1)));
	say("mknod null", mknod("n", S_IFCHR | 0600, makedev(1, 3)));
	prepare("fifo", mknod("f", S_IFIFO | 0600, 0));
}

static void links(void)
{
	say("hard link to /usr", link("/usr/bin/env", "env"));
	say("hard link to /etc", link("/etc/passwd", "passwd"));
	say("hard link to a descriptor", linkat(AT_FDCWD, "/proc/self/fd/0", AT_FDCWD, "stdin", AT_SYMLINK_FOLLOW));
	prepare("link to /etc/shadow", symlink("/etc/shadow", "shadow"));
	look("shadow");
}

/* Files that are to be kept, and are not what they seem */
static void outputs(void)
{
	prepare("symlink", symlink("/etc/passwd", "a.txt"));
	prepare("symlink to our own", symlink("real.txt", "b.txt"));
	prepare("fifo", mkfifo("c.txt", 0600));
	prepare("folder", mkdir("d.txt", 0700));
	prepare("hard link", open("real.txt", O_CREAT | O_WRONLY, 0600) < 0 || link("real.txt", "e.txt") < 0 ? -1 : 0);
	prepare("unreadable", chmod("real.txt", 0));
}

static void core_dump(void)
{
	abort();
}

static void run_script(void)
{
	execl("/bin/sh", "sh", "-c", "exec 3<>/dev/tcp/1.1.1.1/80; id -u; echo * | wc -w; ulimit -c; umask", NULL);
}

const struct attack attacks2[] = {
	{"files outside", files_outside}, {"processes of others", processes_of_others}, {"kernel files", kernel_files}, {"environment", environment},
	{"descriptors", descriptors}, {"write to the system", write_system}, {"mounts", mounts}, {"namespaces", namespaces}, {"become root", become_root},
	{"setuid program", setuid_program}, {"trace", trace}, {"kernel interfaces", kernel_interfaces}, {"rule the machine", rule_machine},
	{"sockets", sockets}, {"abstract socket", abstract_socket}, {"other memory", other_memory}, {"32-bit call", call_32_bit}, {"x32 call", call_x32},
	{"terminal", terminal}, {"devices", devices}, {"links", links}, {"outputs", outputs}, {"core dump", core_dump}, {"shell", run_script},
	{NULL, NULL}};
