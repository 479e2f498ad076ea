/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/gate_core - the run of a gate, without knowing which database: see gate.h. Private to
 * race/load. The database is a table of operations; a client's number says which connection.
 *
 * Invariant: ops->send, hold and release are only called between an ask that said GATE_FILLED and
 * the next ask; after lost() a client is not heard of again in this run.
 */
#ifndef PAWL_RACE_LOAD_GATE_CORE_H
#define PAWL_RACE_LOAD_GATE_CORE_H

#include <stdatomic.h>

#include "base/compiler.h"
#include "race/load/gate.h"

enum gate_ask { GATE_FILLED, GATE_FINISHED, GATE_BROKEN /* a batch that cannot be sent */ };
enum gate_ready { GATE_WAIT, GATE_ANSWERED, GATE_LOST };

struct gate_ops {
	/* The descriptor of a client's connection; -1: it has none. */
	int (*fd)(void *db, uint32_t client);
	enum gate_ask (*ask)(void *db, const struct gate_turn *turn, struct gate_options *options);
	/* The whole batch; all but its release; its release. False: lost. */
	bool (*send)(void *db, uint32_t client);
	bool (*hold)(void *db, uint32_t client);
	bool (*release)(void *db, uint32_t client);
	/* Is there more to write? Then the descriptor is watched for that. */
	bool (*writes)(void *db, uint32_t client);
	enum gate_ready (*ready)(void *db, uint32_t client);
	/* Wake the server over the extra connection; step counts from 0. */
	void (*wake)(void *db, int step);
	/* While the race goes on, every GATE_SAMPLE_NS. May be NULL. */
	void (*sample)(void *db);
	/* The client is lost: its connection is of no more use. */
	void (*lost)(void *db, uint32_t client);
	/* Why a connection was lost; "" = not known. */
	const char *(*trouble)(void *db, uint32_t client);
};

#define GATE_SAMPLE_NS INT64_C(2000000)

struct gate_client;

struct gate_core {
	int epoll_fd, event_fd;
	atomic_bool stopped;
	const struct gate_ops *ops;
	void *db;
	/* Of a run. */
	const struct gate_plan *plan;
	struct gate_result *result;
	struct gate_client *clients; /* owned */
	uint32_t waiting;            /* clients that are not HELD and not ENDED */
	uint32_t held;
	bool open; /* the gate */
	int64_t sampled_ns;
};

PAWL_MUST_CHECK enum pawl_status pawl__gate_init(struct gate_core *g, const struct gate_ops *ops,
                                                 void *db, struct pawl_error *err);
void pawl__gate_deinit(struct gate_core *g);
PAWL_MUST_CHECK enum pawl_status pawl__gate_run(struct gate_core *g, const struct gate_plan *plan,
                                                struct gate_result *ret, struct pawl_error *err);
void pawl__gate_stop(struct gate_core *g);

#endif /* PAWL_RACE_LOAD_GATE_CORE_H */
