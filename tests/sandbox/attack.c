/* attack.c - programs that try to get out of a jail, or to bring the machine down; attack NAME
 *
 * Each prints what it was answered, the name of the error or ok, and fails (status 1, RE) where nothing of what it was after was let
 * through. What is expected stands in tests/tool/sandbox-attacks/stdout; in tests/tool/sandbox-attacks-free they are let through.
 * Kept apart from attack2.c only for its length.
 */
#include "attack.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef DAEMON
#define DAEMON "r1-escaped"
#endif

int attempts[2];

/* ---- bombs ---- */

static void fork_bomb(void)
{
	for (;;)
		fork();
}

static void fork_bomb_quiet(void)
{
	int n = 0;
	pid_t pid;

	while ((pid = fork()) > 0)
		n++;
	if (pid == 0)
		pause();
	printf("forks stopped: %s\n", errno == EAGAIN && n < 200 ? "yes" : "no");
	count(errno != EAGAIN || n >= 200);
}

static void *forever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void thread_bomb(void)
{
	pthread_t t;
	int n = 0, rc;

	while ((rc = pthread_create(&t, NULL, forever, NULL)) == 0)
		n++;
	printf("threads stopped: %s\n", rc == EAGAIN && n < 200 ? "yes" : "no");
	count(rc != EAGAIN || n >= 200);
}

static void memory_bomb(void)
{
	for (;;) {
		char *p = malloc(1 << 20);

		if (p)
			memset(p, 1, 1 << 20);
	}
}

static void shared_memory_bomb(void)
{
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED)
			memset(p, 1, 1 << 20);
	}
}

static void memory_of_children(void)
{
	int i;

	for (i = 0; i < 8; i++) {
		if (fork() == 0) {
			memset(malloc(20 << 20), 1, 20 << 20);
			pause();
		}
	}
	pause();
}

static void stack_bomb(void)
{
	volatile char frame[4096];

	memset((char *)frame, 1, sizeof frame);
	stack_bomb();
	frame[0]++;
}

static void file_of(const char *path, long blocks)
{
	static char block[1 << 20];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	long n;

	for (n = 0; n < blocks && write(fd, block, sizeof block) == (ssize_t)sizeof block; n++)
		;
	say(path, n < blocks ? -1 : 0);
	errno = n < blocks ? errno : 0;
}

static void file_bomb(void)
{
	static char block[1 << 20];
	char name[16];
	int i;

	signal(SIGXFSZ, SIG_IGN);
	for (i = 0; i < 40; i++) {
		int fd;

		snprintf(name, sizeof name, "f%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd < 0 || write(fd, block, sizeof block) < 0) {
			say("files", -1);
			return;
		}
		close(fd);
	}
	say("files", 0);
}

static void file_size(void)
{
	file_of("large", 4096);
}

static void sparse_file(void)
{
	int fd = open("sparse", O_RDWR | O_CREAT, 0600);

	signal(SIGXFSZ, SIG_IGN);
	say("truncate to 1 TiB", ftruncate(fd, (off_t)1 << 40));
}

static void shm_bomb(void)
{
	signal(SIGXFSZ, SIG_IGN);
	file_of("/dev/shm/a", 10);
	file_of("/dev/shm/b", 10);
	file_of("/dev/shm/c", 10);
}

static void inode_bomb(void)
{
	char name[32];
	int i, fd;

	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "i%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	say("files", i < 2000 ? -1 : 0);
}

static void folder_bomb(void)
{
	int n = 0;

	while (mkdir("d", 0700) == 0 && chdir("d") == 0)
		n++;
	say("folders in folders", n < 2000 ? -1 : 0);
}

static void descriptor_bomb(void)
{
	int n = 0;

	while (dup(0) >= 0)
		n++;
	say("descriptors", n < 1000 ? -1 : 0);
}

static void pipe_bomb(void)
{
	static char block[65536];
	int p[2], pipes = 0;

	while (pipe2(p, O_NONBLOCK) == 0 && write(p[1], block, sizeof block) > 0)
		pipes++;
	say("pipes", pipes < 1000 ? -1 : 0);
}

static void socket_bomb(void)
{
	static char block[65536];
	int p[2], pairs = 0;

	while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0) {
		while (write(p[0], block, sizeof block) > 0)
			;
		pairs++;
	}
	say("socket pairs", pairs < 1000 ? -1 : 0);
}

static void output_bomb(void)
{
	for (;;)
		puts("yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes yes");
}

static void message_bomb(void)
{
	for (;;)
		fputs("no no no no no no no no no no no no no no no no no no no no no\n", stderr);
}

static void lock_memory(void)
{
	static char p[1 << 20];

	say("mlock", mlock(p, sizeof p));
}

/* ---- time and signals ---- */

static void spin(void)
{
	for (;;)
		;
}

static void spin_in_children(void)
{
	int i;

	for (i = 0; i < 4; i++)
		if (fork() == 0)
			spin();
	while (wait(NULL) > 0)
		;
}

/* Nobody waits for them, and each lives but a moment */
static void spin_in_turns(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		pid_t pid = fork();
		volatile long i;

		if (pid == 0) {
			for (i = 0; i < 3000000; i++)
				;
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

/* What is always woken must look at the time all the same */
static void wake_init(void)
{
	int i;

	for (i = 0; i < 2; i++)
		if (fork() == 0)
			for (;;)
				kill(1, SIGCHLD);
	sleep(3);
	puts("went on");
}

static void sleep_on(void)
{
	for (;;)
		sleep(1000);
}

static void deaf(void)
{
	int s;

	for (s = 1; s < 65; s++)
		signal(s, SIG_IGN);
	spin();
}

static void blocked(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sleep_on();
}

static void stop_self(void)
{
	raise(SIGSTOP);
	puts("went on");
}

static void stop_all(void)
{
	say("kill(0, STOP)", kill(0, SIGSTOP));
}

/* Whether the kernel says so or not (to the same user it does not), nothing may come of it. */
static void kill_init(void)
{
	int s;

	for (s = 1; s < 65; s++)
		kill(1, s);
	usleep(20000);
	puts("still here");
	count(0);
}

static void kill_everyone(void)
{
	say("kill(-1, TERM)", kill(-1, SIGTERM));
}

static void kill_parent(void)
{
	printf("parent %d\n", (int)getppid());
	kill(getppid(), SIGKILL);
	kill(0, SIGCONT);
	usleep(20000);
	puts("still here");
	count(0);
}

static void limits_of_init(void)
{
	struct rlimit none = {0, 0};

	say("prlimit(1)", prlimit(1, RLIMIT_CPU, &none, NULL));
	say("setpriority(1)", setpriority(PRIO_PROCESS, 1, 19));
	say("setpriority(user)", setpriority(PRIO_USER, 0, 19));
	say("sched_setscheduler(1)", syscall(SYS_sched_setscheduler, 1, 0, &(int){0}));
}

static void raise_limits(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_CPU, &r);
	r.rlim_max += 100;
	say("setrlimit", setrlimit(RLIMIT_CPU, &r));
	say("nice(-5)", setpriority(PRIO_PROCESS, 0, -5));
}

static void set_clock(void)
{
	struct timespec t = {0, 0};

	say("clock_settime", clock_settime(CLOCK_REALTIME, &t));
	say("settimeofday", (int)syscall(SYS_settimeofday, &t, NULL));
}

static void daemon_escapes(void)
{
	if (fork() == 0) {
		setsid();
		prctl(PR_SET_NAME, DAEMON);
		if (fork() == 0) {
			signal(SIGHUP, SIG_IGN);
			sleep_on();
		}
		_exit(0);
	}
	usleep(20000);
	puts("left a daemon");
}

/* It keeps our output open */
static void child_holds_output(void)
{
	if (fork() == 0)
		sleep_on();
	puts("done");
}

static void subreaper(void)
{
	prepare("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
	prepare("no death signal", prctl(PR_SET_PDEATHSIG, 0));
	daemon_escapes();
}

static const struct attack attacks[] = {
	{"fork bomb", fork_bomb}, {"forks without end", fork_bomb_quiet}, {"thread bomb", thread_bomb}, {"memory bomb", memory_bomb},
	{"shared memory bomb", shared_memory_bomb}, {"memory of children", memory_of_children}, {"stack bomb", stack_bomb}, {"file bomb", file_bomb},
	{"file size", file_size}, {"sparse file", sparse_file}, {"shm bomb", shm_bomb}, {"inode bomb", inode_bomb}, {"folder bomb", folder_bomb},
	{"descriptor bomb", descriptor_bomb}, {"pipe bomb", pipe_bomb}, {"socket bomb", socket_bomb}, {"output bomb", output_bomb},
	{"message bomb", message_bomb}, {"lock memory", lock_memory}, {"spin", spin}, {"spin in children", spin_in_children},
	{"spin in turns", spin_in_turns}, {"wake init", wake_init}, {"sleep", sleep_on}, {"deaf", deaf}, {"signals blocked", blocked},
	{"stop self", stop_self}, {"stop all", stop_all}, {"kill init", kill_init}, {"kill everyone", kill_everyone}, {"kill parent", kill_parent},
	{"limits of init", limits_of_init}, {"raise limits", raise_limits}, {"set the clock", set_clock}, {"daemon", daemon_escapes},
	{"child holds output", child_holds_output}, {"subreaper", subreaper}, {NULL, NULL}};

int main(int argc, char **argv)
{
	const struct attack *const tables[] = {attacks, attacks2}, *a;
	size_t i;

	for (i = 0; i < 2; i++) {
		for (a = tables[i]; a->name; a++) {
			if (argc < 2) {
				puts(a->name);
			} else if (!strcmp(a->name, argv[1])) {
				setvbuf(stdout, NULL, _IOLBF, 0);
				a->run();
				return !attempts[0] && attempts[1];
			}
		}
	}
	return argc < 2 ? 0 : 99;
}
