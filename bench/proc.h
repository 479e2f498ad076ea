/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/proc - what a process has used, as the kernel counts it, and a way to give up.
 */
#ifndef PAWL_BENCH_PROC_H
#define PAWL_BENCH_PROC_H

#include <stdint.h>

#include "pawl/error.h"

struct proc_use {
	double cpu_s;     /* user and system */
	uint64_t written; /* bytes sent to storage */
	uint64_t rss_kib;
};

/* pid 0 = this process. Zeros where the kernel does not tell. */
struct proc_use proc_use(long pid);

/* Say what failed and end the process. */
_Noreturn void bench_fail(const char *what, const char *why);
void bench_must(enum pawl_status st, const struct pawl_error *err, const char *what);

#endif /* PAWL_BENCH_PROC_H */
