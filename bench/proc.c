/* SPDX-License-Identifier: Apache-2.0 */
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void bench_fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench: %s: %s\n", what, why);
	_exit(1);
}

void bench_must(enum pawl_status st, const struct pawl_error *err, const char *what)
{
	if (st != PAWL_OK)
		bench_fail(what, err->text);
}

static FILE *proc_open(long pid, const char *file)
{
	char path[64];

	if (pid == 0)
		pid = (long)getpid();
	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", pid, file);
	return fopen(path, "re");
}

/* The number behind "name:" in a file of such lines. */
static uint64_t proc_number(long pid, const char *file, const char *name)
{
	const size_t len = strlen(name);
	FILE *f = proc_open(pid, file);
	uint64_t v = 0;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			v = strtoull(line + len + 1, NULL, 10);
	}
	if (f != NULL)
		(void)fclose(f);
	return v;
}

/* Fields 14 and 15 of stat, counted behind the name, which may hold anything. */
static double proc_cpu(long pid)
{
	FILE *f = proc_open(pid, "stat");
	char text[1024], *at;
	uint64_t ticks = 0;
	size_t len;

	if (f == NULL)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[len] = '\0';
	at = strrchr(text, ')');
	for (int field = 3; at != NULL && field <= 15; field++) {
		at = strchr(at + 1, ' ');
		if (at != NULL && field >= 14)
			ticks += strtoull(at, NULL, 10);
	}
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

struct proc_use proc_use(long pid)
{
	return (struct proc_use){ .cpu_s = proc_cpu(pid),
		                  .written = proc_number(pid, "io", "write_bytes"),
		                  .rss_kib = proc_number(pid, "status", "VmRSS") };
}
