/* jail.c - what a run in the jail costs over the same run without one, and how many there are in a second on all cores
 *
 * Usage: jail COMMAND [RUNS]: COMMAND is r1-sandbox with its options. One line per case: the best of RUNS runs one after another, in
 * milliseconds of the clock from the request to its answer, and the runs of a second when each core has a jail of its own.
 */
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/progress.h"
#include "record/json.h"
#include "task/sandbox.h"

extern char **environ;

static const char c_source[] = "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d%d\", &a, &b); printf(\"%d\\n\", a + b); return 0; }\n";
static const char python_source[] = "a, b = map(int, input().split())\nprint(a + b)\n";

struct kind {
	const char *name, *request;     /* of one run */
	char *const *bare;              /* the same without a jail; NULL: none to compare with */
	double limit;                   /* milliseconds that the jail may cost */
};

static void die(const char *what)
{
	fprintf(stderr, "jail: %s\n", what);
	exit(1);
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		die(name);
}

static double bare(char *const *argv)
{
	posix_spawn_file_actions_t files;
	double started = clock_seconds();
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "in", 0, 0);
	posix_spawn_file_actions_addopen(&files, 1, "out", 01 | 0100, 0600);
	if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die(argv[0]);
	posix_spawn_file_actions_destroy(&files);
	return clock_seconds() - started;
}

static double jailed(struct sandbox *s, const char *request)
{
	double started = clock_seconds();
	struct err e;
	struct js *answer = sandbox_run(s, js_parse(request, strlen(request), "request", &e), 60, &e);
	const char *verdict = js_string(js_get(answer, "verdict"), NULL);

	started = clock_seconds() - started;
	if (!verdict || strcmp(verdict, "OK") != 0)
		die(answer ? js_string(js_get(answer, "reason"), NULL) : e.msg);
	js_free(answer);
	return started;
}

/* A jail with the compiled program in it */
static struct sandbox *ready(const char *command)
{
	struct js *o = js_object(), *argv = js_array(), *files = js_object(), *save = js_object(), *answer;
	static const char *const cc[] = {"cc", "-O2", "-o", "sum", "sum.c"};
	struct err e;
	struct sandbox *s = sandbox_open(command, &e);
	size_t i;

	if (!s)
		die(e.msg);
	for (i = 0; i < 5; i++)
		js_push(argv, js_new_string(cc[i], strlen(cc[i])));
	js_set(o, "command", argv);
	js_set(files, "sum.c", js_new_string(c_source, strlen(c_source)));
	js_set(o, "files", files);
	js_set(save, "sum", js_new_string("sum", 3));
	js_set(o, "save", save);
	answer = sandbox_run(s, o, 60, &e);
	if (!answer || !js_bool(js_get(js_get(answer, "kept"), "sum")))
		die(answer ? "cc does not compile in the jail" : e.msg);
	js_free(answer);
	return s;
}

struct worker {
	pthread_t thread;
	const char *command, *request;
	int runs;
	pthread_barrier_t *start;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sandbox *s = ready(w->command);
	int i;

	jailed(s, w->request);
	pthread_barrier_wait(w->start);
	for (i = 0; i < w->runs; i++)
		jailed(s, w->request);
	pthread_barrier_wait(w->start);
	sandbox_close(s);
	return NULL;
}

static double rate(const char *command, const char *request, int runs, int cores)
{
	struct worker *w = calloc((size_t)cores, sizeof *w);
	pthread_barrier_t start;
	double started;
	int i;

	pthread_barrier_init(&start, NULL, (unsigned)cores + 1);
	for (i = 0; i < cores; i++) {
		w[i] = (struct worker){.command = command, .request = request, .runs = runs, .start = &start};
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			die("no threads");
	}
	pthread_barrier_wait(&start);
	started = clock_seconds();
	pthread_barrier_wait(&start);
	started = clock_seconds() - started;
	for (i = 0; i < cores; i++)
		pthread_join(w[i].thread, NULL);
	free(w);
	pthread_barrier_destroy(&start);
	return runs * cores / started;
}

int main(int argc, char **argv)
{
	static char *const c_argv[] = {"./sum", NULL}, *const python_argv[] = {"python3", "sum.py", NULL};
	int runs = argc > 2 ? atoi(argv[2]) : 100, i, k, cores;
	char dir[] = "/tmp/r1-bench-XXXXXX", request[1000];
	struct js *source = js_new_string(python_source, strlen(python_source));
	struct buf quoted = {0};
	struct sandbox *s;
	cpu_set_t set;

	if (argc < 2 || !mkdtemp(dir) || chdir(dir) < 0)
		die("usage: jail COMMAND [RUNS]");
	cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	js_write(source, 0, &quoted);
	snprintf(request, sizeof request, "{\"command\":[\"python3\",\"main.py\"],\"files\":{\"main.py\":%s},\"stdin\":\"1 2\\n\"}", quoted.p);
	/* The same python3 outside as inside */
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	write_file("in", "1 2\n");
	write_file("sum.c", c_source);
	write_file("sum.py", python_source);
	if (system("cc -O2 -o sum sum.c") != 0)
		die("no cc");
	s = ready(argv[1]);
	{
		const struct kind kinds[] = {
			{"C", "{\"command\":[\"./sum\"],\"load\":{\"sum\":\"sum\"},\"stdin\":\"1 2\\n\"}", c_argv, 3}, {"Python", request, python_argv, 5}};

		for (k = 0; k < 2; k++) {
			double best[2] = {1e9, 1e9}, t;

			for (i = 0; i < runs; i++) {
				t = jailed(s, kinds[k].request);
				best[1] = t < best[1] ? t : best[1];
			}
			for (i = 0; i < runs; i++) {
				t = bare(kinds[k].bare);
				best[0] = t < best[0] ? t : best[0];
			}
			printf("jail/%-6s %5.2f ms, bare %5.2f ms: %+.2f ms (at most %+g); %.0f runs/s on %d core%s\n", kinds[k].name, 1e3 * best[1], 1e3 * best[0],
			       1e3 * (best[1] - best[0]), kinds[k].limit, rate(argv[1], kinds[k].request, runs, cores), cores, cores == 1 ? "" : "s");
		}
	}
	sandbox_close(s);
	for (i = 0; i < 5; i++)
		remove((const char *const[]){"in", "out", "sum", "sum.c", "sum.py"}[i]);
	if (chdir("/") == 0)
		rmdir(dir);
	js_free(source);
	buf_free(&quoted);
	return 0;
}
