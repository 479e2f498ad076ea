/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo/judge - what the demo promises, each decided from the counts of one run. Pure: no I/O, no
 * clock, no heap. It does not know how the counts came about.
 *
 * A promise is held only when what it is about was seen: a run in which nobody answered, or whose
 * books nobody looked at, holds nothing.
 */
#ifndef PAWL_CLI_DEMO_JUDGE_H
#define PAWL_CLI_DEMO_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

/* One run, as it was seen from outside. */
struct demo_counts {
	int64_t buyers, stock;  /* what was asked for */
	int64_t repeats, twins; /* requests beyond the first of their key: afterwards; at once */
	int64_t requests;       /* sent */
	int64_t answered;

	/* keys by their first answer */
	int64_t keys_sold, keys_refused, keys_other, keys_unanswered;

	int64_t refused_insufficient; /* of keys_refused: told why */
	int64_t replayed;             /* answers marked as replays */
	int64_t changed;  /* answers of a key that differ from its first one, in status or bytes */
	int64_t effects;  /* sales that were not marked as replays */
	int64_t orders;   /* different order numbers told */
	int64_t overlaps; /* twins sent while their first one was unanswered */

	/* what the server says at the end */
	bool item_seen;
	int64_t item_available, item_held, item_sold;

	/* the books, looked at by another process */
	bool stopped_well; /* the server exited with 0 */
	bool audited;
	int64_t audit_orders, audit_drifts;
};

/* Effects beyond one for each key that was sold to. */
int64_t pawl__demo_duplicates(const struct demo_counts *c);

/* What was sold beyond the stock, by whoever says most: answers, server or books. */
int64_t pawl__demo_oversold(const struct demo_counts *c);

struct demo_promise {
	const char *name; /* "never_oversold" */
	const char *text; /* "no more was sold than there was" */
	bool (*held)(const struct demo_counts *c);
};

#define DEMO_PROMISES 8
extern const struct demo_promise pawl__demo_promises[DEMO_PROMISES];

/* How many are not held; 0 = every one is. */
int pawl__demo_broken(const struct demo_counts *c);

#endif /* PAWL_CLI_DEMO_JUDGE_H */
